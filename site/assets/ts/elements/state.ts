import { css, html, nothing, type TemplateResult } from "lit";
import * as format from "../format";
import type { Rows, Tables } from "../tape";
import type { Change, Row, Step, Table } from "../wire.gen";
import { byId } from "../views/changes";
import { term } from "../words";
import { define, Part, stageColour } from "./base";

/** The columns of each table, in order; the id column is first and named by the table. */
const columns: { [T in Table]: string[] } = {
  cpu: ["mode", "what"],
  memory: ["size", "what", "from"],
  devices: ["size", "type", "uuid", "label", "driver"],
  processes: ["ppid", "ns_pid", "comm", "exe", "uid", "gid", "state"],
  mounts: ["target", "source", "fstype", "options", "ns"],
  namespaces: ["type", "owner", "members"],
  cgroups: ["limits", "procs"],
  units: ["state", "description"],
  variables: ["value"],
};

const idName: { [T in Table]: string } = {
  cpu: "id", memory: "start", devices: "name", processes: "pid", mounts: "id", namespaces: "id", cgroups: "path", units: "unit", variables: "name",
};

/** What names a row to a reader, where its id does not. */
const names: { [T in Table]?: string } = { processes: "comm", mounts: "target", namespaces: "type" };

const wrapFrom = 26; // characters

const order = Object.keys(columns) as Table[];

/** The state tables after the current step; what the step changed is marked and comes first. */
export class BpState extends Part {
  static override properties = { ...Part.properties, tables: { attribute: false }, step: { attribute: false }, only: { attribute: false }, table: { attribute: false } };
  declare tables: Tables;
  declare step: Step | undefined;
  declare only: boolean; // rows that the step changes, nothing else
  declare table: Table | ""; // this table, nothing else

  constructor() {
    super();
    this.tables = {};
    this.step = undefined;
    this.only = false;
    this.table = "";
  }

  static override styles = [
    ...Part.styles,
    css`
      :host { display: block; padding-bottom: 16px; }
      .note { padding: 10px 16px 2px; font-size: var(--t1); color: var(--ink-2); }
      section { padding-top: 10px; }
      h2 { display: flex; gap: 6px; align-items: baseline; padding: 0 16px 2px; font-size: var(--t1); font-weight: 650; }
      h2 .n { color: var(--ink-2); font-weight: 400; }
      .scroll { overflow-x: auto; }
      table { border-collapse: collapse; font-size: var(--t1); min-width: 100%; }
      th { text-align: left; font-weight: 400; color: var(--ink-2); padding: 2px 12px 2px 0; white-space: nowrap; }
      td { font-family: var(--mono); padding: 2px 12px 2px 0; border-top: 1px solid var(--rule); vertical-align: top; white-space: nowrap; line-height: 1.4; }
      td.long { white-space: normal; overflow-wrap: anywhere; min-width: 17em; max-width: 30em; }
      th:first-child, td:first-child { padding-left: 16px; white-space: nowrap; }
      td.prose { font-family: var(--sans); }
      td.num { white-space: nowrap; }
      tr.added td, td.changed { background: color-mix(in oklab, var(--c) 13%, var(--paper)); }
      tr.added td:first-child { box-shadow: inset 3px 0 var(--c); }
      tr.edited td:first-child { box-shadow: inset 3px 0 var(--c); }
      tr.removed td { color: var(--ink-2); text-decoration: line-through; }
      tr.removed td:first-child { box-shadow: inset 3px 0 var(--rule-2); }
      .was { display: block; color: var(--ink-2); text-decoration: line-through; }
      .tag { font-family: var(--sans); font-size: 11px; color: var(--ink); margin-left: 6px; font-weight: 600; }
      .removed .tag { color: var(--ink-2); display: inline-block; text-decoration: none; }
      @media (prefers-reduced-motion: no-preference) { tr.added td { animation: arrive 150ms ease-out; } @keyframes arrive { from { background: color-mix(in oklab, var(--c) 45%, var(--paper)); } } }
    `,
  ];

  override render() {
    const changes = (this.step?.changes ?? []).filter((c) => !this.table || c.table === this.table);
    const touched = new Set(changes.map((c) => c.table));
    const shown = order.filter((t) => (!this.table || t === this.table) && (touched.has(t) || !this.only && Object.keys(this.tables[t] ?? {}).length > 0));
    if (this.only && shown.length === 0) return nothing;
    if (shown.length === 0) return html`<p class="note">${this.say("state.empty")}</p>`;
    shown.sort((a, b) => Number(touched.has(b)) - Number(touched.has(a)));
    return html`<div .style="--c:${stageColour(this.step?.stage ?? "kernel")}">${this.only ? html`<p class="note">${this.say("state.changed")}</p>` : nothing}${changes.length === 0 ? html`<p class="note">${this.say("state.nothing")}</p>` : nothing}${shown.map((t) => this.#rows(t, this.tables[t] ?? {}, changes.filter((c) => c.table === t)))}</div>`;
  }

  #rows(t: Table, rows: Rows, changes: readonly Change[]) {
    // The row before this step, where the step touched it.
    const before = new Map<string, Row | undefined>();
    for (const c of changes) if (!before.has(c.id)) before.set(c.id, c.before);
    const gone = [...before].filter(([id, was]) => was && !rows[id]);
    const ids = [...Object.keys(rows), ...gone.map(([id]) => id)].filter((id) => !this.only || before.has(id)).sort(byId);
    const all = ids.map((id) => rows[id] ?? before.get(id) ?? {});
    const used = columns[t].filter((c) => all.some((r) => r[c]));
    const extra = [...new Set(all.flatMap(Object.keys))].filter((c) => !columns[t].includes(c) && c !== idName[t] && c !== "id").sort();
    let cols = [...used, ...extra];
    // Where a step only edits rows, the columns that it leaves alone are left out.
    if (this.only && changes.every((c) => c.before && c.after)) {
      cols = cols.filter((c) => c === names[t] || changes.some((x) => x.before?.[c] !== x.after?.[c]));
    }
    const long = new Set(cols.filter((c) => all.some((r) => (r[c]?.length ?? 0) > wrapFrom)));
    return html`<section><h2>${this.say(`table.${t}`)}<span class="n">${this.only ? "" : Object.keys(rows).length}</span></h2><div class="scroll" tabindex="0" role="group" aria-label=${this.say(`table.${t}`)}><table><thead><tr><th>${term(this.lang, idName[t], "column")}</th>${cols.map((c) => html`<th class=${c === "size" ? "num" : ""}>${term(this.lang, c, "column")}</th>`)}</tr></thead><tbody>${ids.map((id) => this.#row(id, cols, long, rows[id], before.has(id), before.get(id)))}</tbody></table></div></section>`;
  }

  #row(id: string, cols: string[], long: ReadonlySet<string>, row: Row | undefined, touched: boolean, was: Row | undefined): TemplateResult {
    const kind = !touched ? "" : !row ? "removed" : !was ? "added" : "edited";
    const tag = kind === "added" ? this.say("state.added") : kind === "removed" ? this.say("state.removed") : "";
    return html`<tr class=${kind}><td>${id}${tag ? html`<span class="tag">${tag}</span>` : nothing}</td>${cols.map((c) => {
      const v = (row ?? was ?? {})[c] ?? "";
      const shown = (value: string) => (c === "what" ? term(this.lang, value) : value);
      const changed = kind === "edited" && (was?.[c] ?? "") !== v;
      const bytes = c === "size" && /^\d+$/.test(v);
      return html`<td class="${changed ? "changed" : ""} ${c === "size" ? "num" : ""} ${long.has(c) ? "long" : ""} ${c === "what" || c === "description" ? "prose" : ""}" title=${bytes ? format.exact(Number(v), this.lang) : nothing}>${
        changed && was?.[c] ? html`<del class="was">${shown(was[c])}</del>` : nothing}${bytes ? format.size(Number(v)) : shown(v)}</td>`;
    })}</tr>`;
  }
}

define("bp-state", BpState);
