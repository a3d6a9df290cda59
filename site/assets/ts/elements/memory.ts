import { css, html, nothing } from "lit";
import * as format from "../format";
import { memoryMap, modes, realModeLimit, type Slot } from "../views/memory-map";
import { term } from "../words";
import { define, stageColour } from "./base";
import { View } from "./view";

/** The processor's mode and physical memory: what lies where, who put it there, what this step did. */
export class BpMemory extends View {
  static override styles = [
    ...View.styles,
    css`
      .cpu { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 10px; padding: 10px 16px; border-bottom: 1px solid var(--rule); }
      .modes { display: inline-flex; }
      .modes li { padding: 1px 10px; border: 1px solid var(--rule-2); margin-left: -1px; color: var(--ink-2); line-height: 22px; }
      .modes li:first-child { border-radius: 4px 0 0 4px; margin: 0; } .modes li:last-child { border-radius: 0 4px 4px 0; }
      .modes li[aria-current] { background: var(--ink); color: var(--paper); border-color: var(--ink); font-weight: 600; }
      .modes.touched li[aria-current] { background: var(--c); border-color: var(--c); color: var(--on-stage); }
      ol.map { padding: 10px 16px 0; }
      ol.map > li { display: grid; grid-template-columns: 7.6em 14px minmax(0, 1fr); gap: 0 8px; }
      .addr { text-align: right; font-family: var(--mono); color: var(--ink-2); margin-top: -0.7em; line-height: 1.4; }
      .bar { border-inline: 1px solid var(--rule-2); border-top: 1px solid var(--rule-2); }
      .region .bar { background: var(--r); border-color: var(--r); }
      .gap .bar { border-inline-style: dotted; }
      .removed .bar { background: var(--hatch); border-color: var(--rule-2); }
      .text { display: flex; flex-wrap: wrap; align-content: center; align-items: baseline; gap: 0 10px; padding: 0 8px; margin-top: 1px; text-align: left; min-width: 0; width: 100%; border-radius: 0 3px 3px 0; }
      button.text:hover { background: var(--sunken); }
      .text .name { font-size: 0.8125rem; font-weight: 600; }
      .text .size { margin-left: auto; white-space: nowrap; font-variant-numeric: tabular-nums; }
      .from { flex-basis: 100%; font-family: var(--mono); color: var(--ink-2); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; direction: ltr; }
      .gap .text { color: var(--ink-2); }
      .limit { flex-basis: 100%; border-top: 1px dashed var(--ink-2); margin-top: 2px; }
      li.end { height: 18px; } .end .bar { border-inline: 0; }
    `,
  ];

  protected override get marks(): string {
    return ".added, .edited, .removed";
  }

  override render() {
    const cpu = this.scene.tables.cpu?.["cpu0"];
    const touched = this.scene.step?.changes?.some((c) => c.table === "cpu") ?? false;
    const slots = memoryMap(this.marked("memory"));
    const last = slots.at(-1);
    return html`<div .style="--c:${this.colour}">
      ${cpu ? html`<div class="cpu"><span class="quiet">${this.say("memory.mode")}</span><ol class="modes ${touched ? "touched" : ""}">${modes.map((m) => html`<li aria-current=${m === cpu["mode"] ? "true" : nothing}>${
          this.say(`memory.mode.${m}`)}</li>`)}</ol><span>${this.say("memory.runs", { what: term(this.lang, cpu["what"] ?? "") })}</span></div>` : nothing}
      ${slots.length === 0 ? html`<p class="now">${this.say("memory.empty")}</p>` : html`<ol class="map">${slots.map((s) => this.#slot(s))}
        ${last ? html`<li class="end"><span class="addr">${address(last.start + last.size)}</span><span class="bar"></span></li>` : nothing}</ol>`}</div>`;
  }

  #slot(s: Slot) {
    if (s.is === "gap") {
      return html`<li class="gap" .style="min-height:${s.height}px"><span class="addr">${address(s.start)}</span><span class="bar"></span><span class="text">
        <span>${this.say("memory.gap")}</span><span class="size" title=${format.exact(s.size, this.lang)}>${format.size(s.size)}</span>
        ${this.#limit(s)}</span></li>`;
    }
    const origin = this.origin("memory", s.id);
    return html`<li class="region ${s.mark === "removed" ? "removed" : ""}" .style="min-height:${s.height}px;--r:${stageColour(origin?.stage ?? "kernel")}">
      <span class="addr">${address(s.start)}</span><span class="bar"></span>
      <button class="text ${s.mark}" title=${this.titleOf(origin)} @click=${() => this.go(origin)}><span class="name">${term(this.lang, s.what)}</span>${
        s.mark ? html`<span class="tag">${this.tag(s.mark)}</span>` : nothing}<span class="size" title=${format.exact(s.size, this.lang)}>${format.size(s.size)}</span>${
        s.from && s.height > 32 ? html`<span class="from" title=${s.from}>${s.from}</span>` : nothing}${this.#limit(s)}</button></li>`;
  }

  /** What real mode reaches ends in this slot. */
  #limit(s: Slot) {
    return s.limits.includes(realModeLimit) ? html`<span class="limit">${this.say("memory.limit.real")}</span>` : nothing;
  }
}

const address = (n: number) => format.hex(n, 8);

define("bp-memory", BpMemory);
