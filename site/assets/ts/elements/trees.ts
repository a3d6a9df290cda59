import { css, html, nothing, type TemplateResult } from "lit";
import { cgroupForest, flatten, mountForest, processForest, type Node } from "../views/forest";
import type { Table } from "../wire.gen";
import { shortPath, type Key } from "../words";
import { define } from "./base";
import { View } from "./view";

/** A tree with columns beside it. What it grows from is the affair of its three kinds. */
abstract class BpTree extends View {
  static override styles = [
    ...View.styles,
    css`
      .scroll { overflow-x: auto; padding-top: 6px; }
      table { border-collapse: collapse; min-width: 100%; }
      th { text-align: left; font-weight: 400; color: var(--ink-2); padding: 2px 12px 2px 0; white-space: nowrap; }
      td { position: relative; padding: 0 12px 0 0; white-space: nowrap; font-family: var(--mono); line-height: 23px; border-top: 1px solid var(--rule); }
      td.long { color: var(--ink-2); }
      th:first-child, td:first-child { padding-left: 16px; }
      .added td, .edited td { background: color-mix(in oklab, var(--c) 13%, var(--paper)); }
      tr.added, tr.edited, tr.removed { background: none; box-shadow: none; }
      .added td:first-child, .edited td:first-child { box-shadow: inset 3px 0 var(--c); }
      .removed td:first-child { box-shadow: inset 3px 0 var(--rule-2); }
      .rails { display: inline-flex; vertical-align: top; height: 24px; }
      .rails i { width: 14px; position: relative; }
      .rails i.line::before { content: ""; position: absolute; left: 4px; top: 0; bottom: 0; border-left: 1px solid var(--rule-2); }
      .rails i.elbow::before { content: ""; position: absolute; left: 4px; top: 0; height: 12px; width: 8px; border-left: 1px solid var(--rule-2); border-bottom: 1px solid var(--rule-2); }
      .rails i.tee::before { content: ""; position: absolute; left: 4px; top: 0; bottom: 0; border-left: 1px solid var(--rule-2); }
      .rails i.tee::after { content: ""; position: absolute; left: 4px; top: 11px; width: 8px; border-bottom: 1px solid var(--rule-2); }
      .name { font-weight: 600; min-height: 23px; }
      .hidden .name, .hidden td { color: var(--ink-2); }
      .tag { font-family: var(--sans); margin-left: 8px; } .was { margin-left: 8px; }
      .note { font-family: var(--sans); color: var(--ink-2); margin-left: 8px; }
      h3 { padding: 10px 16px 0; font-weight: 650; display: flex; gap: 8px; } h3 .n { color: var(--ink-2); font-weight: 400; }
    `,
  ];

  protected override get marks(): string {
    return ".added, .edited, .removed";
  }

  protected table(table: Table, roots: readonly Node[], heads: readonly (Key | "")[], long: number): TemplateResult {
    const rows = flatten(roots);
    const used = heads.map((_, i) => rows.some((r) => r.node.cells[i]));
    const note = (n: Node) => (n.note === "hidden" ? this.say("mounts.hidden") : n.note);
    return html`<div class="scroll" role="group" tabindex="0" aria-label=${this.say(`table.${table}`)}><table><thead><tr><th>${this.say(`${table}.name` as Key)}</th>${heads.map((h, i) => used[i] ? html`<th>${h ? this.say(h) : ""}</th>` : nothing)}</tr></thead><tbody>${
      rows.map(({ node: n, last, rails, depth }) => html`<tr class="${n.mark} ${n.note}" ><td>${depth > 0 ? html`<span class="sr">${this.say("tree.level", { n: depth + 1 })}</span>` : nothing}<span class="rails" aria-hidden="true">${
        rails.slice(1).map((r) => html`<i class=${r ? "line" : ""}></i>`)}${depth > 0 ? html`<i class=${last ? "elbow" : "tee"}></i>` : nothing}</span><button class="name" title=${
        [n.label, this.titleOf(this.origin(table, n.id))].join("\n")} @click=${() => this.go(this.origin(table, n.id))}>${shortPath(n.label)}</button>${
        n.mark ? html`<span class="tag">${this.tag(n.mark)}</span>` : nothing}${n.was ? html`<del class="was">${n.was}</del>` : nothing}${n.note ? html`<span class="note">${note(n)}</span>` : nothing}</td>${
        n.cells.map((c, i) => used[i] ? html`<td class=${i === long ? "long" : ""} title=${c.length > 30 ? c : nothing}>${shortPath(c)}</td>` : nothing)}</tr>`)}</tbody></table></div>`;
  }

  protected nothingYet(): TemplateResult {
    return html`<p class="now">${this.say("state.empty")}</p>`;
  }
}

/** Who started whom; inside a container a process has a second number. */
export class BpProcesses extends BpTree {
  override render() {
    const roots = processForest(this.marked("processes"));
    if (roots.length === 0) return this.nothingYet();
    return html`<div .style="--c:${this.colour}">${this.table("processes", roots, ["processes.pid", "processes.inside", "processes.exe", "processes.user"], -1)}</div>`;
  }
}

/** What is mounted where, for each mount namespace. */
export class BpMounts extends BpTree {
  override render() {
    const spaces = mountForest(this.marked("mounts"));
    if (spaces.length === 0) return this.nothingYet();
    // The container's, which came later, first; what the step changes before all.
    spaces.reverse().sort((a, b) => Number(b.touched > 0) - Number(a.touched > 0));
    const members = (ns: string) => (this.scene.tables.namespaces?.[ns]?.["members"] ?? "").split(",").map((p) => this.scene.tables.processes?.[p]?.["comm"]).filter(Boolean);
    return html`<div .style="--c:${this.colour}">${spaces.map((s) => html`${spaces.length > 1 ? html`<h3>${s.ns}<span class="n">${this.say("mounts.seen", { who: [...new Set(members(s.ns))].slice(0, 4).join(", ") })}</span></h3>` : nothing}
      ${this.table("mounts", s.roots, ["mounts.fstype", "mounts.source", "mounts.options"], 2)}`)}</div>`;
  }
}

/** Control groups, what they limit and whom. */
export class BpCgroups extends BpTree {
  override render() {
    const roots = cgroupForest(this.marked("cgroups"), this.marked("processes"));
    if (roots.length === 0) return this.nothingYet();
    return html`<div .style="--c:${this.colour}">${this.table("cgroups", roots, ["cgroups.limits", "cgroups.procs"], -1)}</div>`;
  }
}

define("bp-processes", BpProcesses);
define("bp-mounts", BpMounts);
define("bp-cgroups", BpCgroups);
