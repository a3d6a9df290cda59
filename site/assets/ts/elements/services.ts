import { css, html, nothing } from "lit";
import { guard } from "lit/directives/guard.js";
import * as format from "../format";
import { nice } from "../timeline";
import { progress, span, unitBars, type Bar } from "../views/unit-chart";
import type { Step } from "../wire.gen";
import { define } from "./base";
import { View } from "./view";

/** The start of services on an axis of time, as systemd-analyze plot draws it. */
export class BpServices extends View {
  static override properties = { ...View.properties, open: { state: true } };
  declare open: string; // the unit whose file and reason are shown
  #of: readonly Step[] | null = null;
  #bars: Bar[] = [];
  #span = { from: 0, to: 1 };

  constructor() {
    super();
    this.open = "";
  }

  static override styles = [
    ...View.styles,
    css`
      :host { display: flex; flex-direction: column; min-height: 100%; }
      ol { position: relative; padding-bottom: 8px; }
      .axis { position: sticky; top: 0; z-index: 2; height: 22px; background: var(--paper); border-bottom: 1px solid var(--rule); margin-left: min(42%, 240px); font-size: 11px; color: var(--ink-2); }
      .axis { margin-right: 16px; } .axis span { position: absolute; line-height: 22px; white-space: nowrap; padding-left: 3px; border-left: 1px solid var(--rule); font-variant-numeric: tabular-nums; }
      .chart { position: relative; }
      .now-line { position: absolute; top: 0; bottom: 0; z-index: 1; width: 0; border-left: 1px solid var(--ink-2); pointer-events: none; }
      li { position: relative; content-visibility: auto; contain-intrinsic-size: auto 24px; }
      .row { display: grid; grid-template-columns: min(42%, 240px) minmax(0, 1fr); width: 100%; align-items: center; min-height: 24px; padding-right: 16px; }
      .row:hover { background: var(--sunken); }
      .row:focus-visible { outline-offset: -2px; }
      .unit { padding: 0 8px 0 16px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-family: var(--mono); }
      .lane { position: relative; height: 24px; border-left: 1px solid var(--rule); }
      .bar { position: absolute; top: 6px; height: 12px; border-radius: 2px; background: var(--stage-init); min-width: 4px; }
      .ahead .bar { background: none; border: 1px dashed var(--rule-2); }
      .ahead .unit { color: var(--ink-2); }
      .starting .bar { background: repeating-linear-gradient(90deg, var(--stage-init) 0 4px, color-mix(in oklab, var(--stage-init) 35%, var(--paper)) 4px 8px); }
      .failed .bar { background: var(--stop); } .failed .unit { color: var(--stop); }
      .skipped .bar { background: var(--hatch); border: 1px solid var(--rule-2); }
      .took { position: absolute; top: 0; line-height: 24px; padding: 0 6px; white-space: nowrap; color: var(--ink-2); font-variant-numeric: tabular-nums; }
      .now .unit { font-weight: 700; }
      li.now { padding: 0; background: color-mix(in oklab, var(--stage-init) 13%, var(--paper)); box-shadow: inset 3px 0 var(--stage-init); color: inherit; display: block; min-height: 0; }
      .detail { padding: 2px 16px 10px; display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 2px 12px; }
      .detail dt { color: var(--ink-2); }
      .detail dd { font-family: var(--mono); overflow-wrap: anywhere; }
      .detail button { min-height: 24px; }
    `,
  ];

  override willUpdate(): void {
    if (this.#of === this.scene.steps) return;
    this.#of = this.scene.steps;
    this.#bars = unitBars(this.scene.steps, this.scene.facts?.unit_runs);
    this.#span = span(this.#bars, this.scene.steps.at(-1)?.at ?? 1);
  }

  override render() {
    const { from, to } = this.#span;
    const { at } = this.scene;
    const touched = new Set((this.scene.step?.changes ?? []).filter((c) => c.table === "units").map((c) => c.id));
    const now = ((this.scene.step?.at ?? from) - from) / (to - from);
    return html`<div class="axis" aria-hidden="true">${this.#ticks().map((t) => html`<span .style="left:${((t - from) / (to - from)) * 100}%">${format.time(t)}</span>`)}</div>
      <div class="chart"><i class="now-line" aria-hidden="true" .style="left:calc(min(42%, 240px) + (100% - min(42%, 240px) - 16px) * ${Math.max(0, Math.min(1, now)).toFixed(5)})"></i><ol>${this.#bars.map((b) => {
        const p = progress(b, at);
        return html`<li class="${p} ${touched.has(b.unit) && p !== "ahead" ? "now" : ""}">${guard([b, p, touched.has(b.unit), this.open === b.unit, this.lang], () => this.#row(b, p))}</li>`;
      })}</ol></div>`;
  }

  /** Round moments, about four of them. */
  #ticks(): number[] {
    const { from, to } = this.#span;
    const step = nice((to - from) / 5);
    return Array.from({ length: Math.max(0, Math.floor(to / step) - Math.ceil(from / step) + 1) }, (_, i) => (Math.ceil(from / step) + i) * step).filter((t) => (t - from) / (to - from) < 0.88);
  }

  #row(b: Bar, p: string) {
    const { from, to } = this.#span;
    const x = ((b.begin - from) / (to - from)) * 100;
    const w = ((b.end - b.begin) / (to - from)) * 100;
    const open = this.open === b.unit;
    const took = b.end > b.begin ? format.time(b.end - b.begin) : "";
    return html`<button class="row" aria-expanded=${open} title=${b.description} @click=${() => this.#toggle(b.unit)}><span class="unit">${b.unit}</span><span class="lane">
      <span class="bar" .style="left:${x}%;width:${w}%"></span><span class="took" .style=${x + w > 70 ? `right:${100 - x}%` : `left:calc(${x + w}% + 4px)`}>${p === "starting" ? "" : took}${p === "ahead" || p === "there" ? "" : ` ${this.say(`services.${p}` as "services.failed")}`}</span></span></button>
      ${open ? this.#detail(b) : nothing}`;
  }

  #toggle(unit: string): void {
    this.open = this.open === unit ? "" : unit;
    this.ask({ do: "wake" }); // files and reasons are not there before
  }

  #detail(b: Bar) {
    return html`<dl class="detail"><dt>${this.say("services.what")}</dt><dd .style=${"font-family:var(--sans)"}>${b.description}</dd>
      ${b.file ? html`<dt>${this.say("services.file")}</dt><dd><button class="link" @click=${() => this.ask({ do: "file", path: b.file })}>${b.file}</button></dd>` : nothing}
      ${b.why ? html`<dt>${this.say("services.why")}</dt><dd>${b.why}</dd>` : nothing}
      ${b.waited ? html`<dt>${this.say("services.waited")}</dt><dd><button class="link" @click=${() => (this.open = b.waited)}>${b.waited}</button></dd>` : nothing}
      ${b.condition ? html`<dt>${this.say("services.condition")}</dt><dd>${b.condition}</dd>` : nothing}
      <dt>${this.say("services.steps")}</dt><dd .style=${"font-family:var(--sans)"}><button class="link" @click=${() => this.ask({ do: "seek", to: b.from })}>${this.say("verdict.step", { n: b.from + 1 })}</button>${
        b.to > b.from ? html` · <button class="link" @click=${() => this.ask({ do: "seek", to: b.to })}>${this.say("verdict.step", { n: b.to + 1 })}</button>` : nothing}</dd></dl>`;
  }

  protected override get marks(): string {
    return "li.now";
  }
}

define("bp-services", BpServices);
