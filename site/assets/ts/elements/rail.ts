import { css, html, nothing, svg } from "lit";
import { guard } from "lit/directives/guard.js";
import * as format from "../format";
import type { Segment } from "../tape";
import { Timeline, type Scale } from "../timeline";
import type { Outcome, Step } from "../wire.gen";
import { icon, Part, stageColour } from "./base";

const rowStep = 5; // px between stacked marks
const rows = 4;
const mark = 4; // px

/** The run as a whole: stages as bands, steps as marks, time below; dragging or arrows move in it. */
export class BpRail extends Part {
  static override properties = {
    ...Part.properties,
    steps: { attribute: false }, segs: { attribute: false }, at: { attribute: false }, outcome: { attribute: false },
    label: { attribute: false }, scale: { state: true }, width: { state: true },
  };
  declare steps: readonly Step[];
  declare segs: readonly Segment[];
  declare at: number;
  declare outcome: Outcome | null;
  declare label: string; // the current step in words
  declare scale: Scale;
  declare width: number;
  #line: Timeline | null = null;
  #observer = new ResizeObserver(([e]) => (this.width = Math.round(e?.contentRect.width ?? 0)));

  constructor() {
    super();
    this.steps = [];
    this.segs = [];
    this.at = 0;
    this.outcome = null;
    this.label = "";
    this.scale = "steps";
    this.width = 0;
  }

  static override styles = [
    ...Part.styles,
    css`
      :host { display: block; position: relative; padding: 8px 16px 0; user-select: none; -webkit-user-select: none; }
      .track { position: relative; height: 63px; cursor: crosshair; touch-action: pan-y; }
      .band { position: absolute; top: 0; height: 18px; border-radius: 2px; color: var(--on-stage); font-size: var(--t1); line-height: 18px;
        font-weight: 600; text-indent: 5px; overflow: hidden; white-space: nowrap; background: var(--c); }
      .band.ahead { background: color-mix(in oklab, var(--c) 20%, var(--paper)); color: var(--ink); font-weight: 400; }
      svg.marks { position: absolute; left: 0; top: 22px; overflow: visible; }
      .axis { position: absolute; left: 0; right: 0; top: 45px; border-top: 1px solid var(--rule); height: 16px; font-size: 11px; color: var(--ink-2); }
      .tick { position: absolute; top: 0; padding-left: 3px; border-left: 1px solid var(--rule); line-height: 16px; white-space: nowrap; font-variant-numeric: tabular-nums; }
      .cursor { position: absolute; top: -3px; height: 50px; width: 0; border-left: 2px solid var(--ink); margin-left: -1px; pointer-events: none; }
      .cursor::before { content: ""; position: absolute; left: -5px; top: -3px; border: 4px solid transparent; border-top: 6px solid var(--ink); border-bottom: 0; }
      .flag { position: absolute; top: 24px; pointer-events: none; }
      .flag.stops { color: var(--stop); }
      .scale { position: absolute; right: 16px; bottom: -3px; font-size: 11px; color: var(--ink-2); line-height: 24px; min-height: 24px; }
      .scale:hover { color: var(--ink); }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    this.#observer.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
  }

  override willUpdate(changed: Map<string, unknown>): void {
    if (["steps", "segs", "scale", "width"].some((k) => changed.has(k)) && this.steps.length > 0) {
      this.#line = new Timeline(this.steps, this.segs, this.scale, 56 / Math.max(this.#inner(), 100), 180 / Math.max(this.#inner(), 100));
    }
  }

  #inner(): number {
    return Math.max(this.width, 1);
  }

  override render() {
    const line = this.#line;
    if (!line || this.steps.length === 0) return nothing;
    const pct = (x: number) => `${(x * 100).toFixed(3)}%`;
    return html`
      <div class="track" part="track" role="slider" tabindex="0" aria-label=${this.say("rail.label")} aria-valuemin="1" aria-valuemax=${this.steps.length}
        aria-valuenow=${this.at + 1} aria-valuetext=${this.label} @pointerdown=${this.#grab} @pointermove=${this.#drag}>
        ${line.bands.map((b) => {
          const state = this.at > b.to ? "done" : this.at >= b.from ? "now" : "ahead";
          const name = this.say(`stage.${b.stage}`);
          return html`<div class="band ${state} moves" title=${name}
            style="left:${pct(b.left)};width:max(3px, ${pct(b.right - b.left)} - 1px);--c:${stageColour(b.stage)}">${this.#fits(name, b.right - b.left) ? name : ""}</div>`;
        })}
        ${guard([line, this.width], () => this.#marks(line))}
        <div class="axis" aria-hidden="true">${line.ticks.map((t) => html`<span class="tick" style="left:${pct(t.at)}">${format.time(t.ns)}</span>`)}</div>
        ${this.#flag(line)}
        <div class="cursor" style="left:${pct(line.x(this.at))}"></div>
      </div>
      <button class="scale" @click=${() => (this.scale = this.scale === "steps" ? "time" : "steps")}>${
          this.say(`rail.scale.${this.scale}`)}</button>`;
  }

  #fits(name: string, fraction: number): boolean {
    const wide = [...name].reduce((n, c) => n + (c > "\u2e80" ? 12.5 : 6.6), 0);
    return wide + 8 <= fraction * this.#inner();
  }

  /** Steps at one place are stacked, so that every step is seen. One path for a stage keeps thousands cheap. */
  #marks(line: Timeline) {
    const taken = new Map<number, number>();
    const paths = new Map<string, string>();
    for (const s of this.steps) {
      const column = Math.round((line.x(s.seq) * this.#inner()) / (mark + 1));
      const row = Math.min(taken.get(column) ?? 0, rows - 1);
      taken.set(column, row + 1);
      const x = column * (mark + 1) - 1;
      paths.set(s.stage, `${paths.get(s.stage) ?? ""}M${x} ${rows * rowStep - row * rowStep}h${mark}v-${mark}h-${mark}z`);
    }
    return html`<svg class="marks" aria-hidden="true" width="1" height="22">${[...paths].map(
      ([stage, d]) => svg`<path d=${d} style="fill:${stageColour(stage)}" />`,
    )}</svg>`;
  }

  #flag(line: Timeline) {
    if (!this.outcome || this.outcome.verdict === "works") return nothing;
    return html`<span class="flag ${this.outcome.verdict}" style="left:calc(${line.x(this.outcome.step) * 100}% - 3px)">${icon("flag", 14)}</span>`;
  }

  #to(e: PointerEvent): void {
    const box = (this.renderRoot.querySelector(".track") as HTMLElement).getBoundingClientRect();
    if (this.#line) this.ask({ do: "seek", to: this.#line.nearest((e.clientX - box.left) / box.width) });
  }

  #grab(e: PointerEvent): void {
    if (e.button !== 0) return;
    (e.currentTarget as HTMLElement).setPointerCapture(e.pointerId);
    this.#to(e);
  }

  #drag(e: PointerEvent): void {
    if ((e.currentTarget as HTMLElement).hasPointerCapture(e.pointerId)) this.#to(e);
  }
}

customElements.define("bp-rail", BpRail);
