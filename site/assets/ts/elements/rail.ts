import { css, html, nothing, svg } from "lit";
import { guard } from "lit/directives/guard.js";
import type { Segment } from "../tape";
import { follow, pan, Timeline, whole, zoom, type Scale, type Window } from "../timeline";
import type { Outcome, Step } from "../wire.gen";
import { sentence, type Messages } from "../words";
import { icon, Part, stageColour } from "./base";

const rowStep = 5; // px between stacked marks
const rows = 4;
const mark = 4; // px
const gutter = { wide: 150, narrow: 92 }; // px for the names of lanes
const labelFrom = 64; // px that a step's title needs at least
const labelsMost = 80;
const press = 1.6; // one press of a zoom button

/** The run as a whole: stages as bands; below, as near as wanted, steps as marks, together or in a lane for each actor. */
export class BpRail extends Part {
  static override properties = {
    ...Part.properties,
    steps: { attribute: false }, segs: { attribute: false }, at: { attribute: false }, outcome: { attribute: false }, messages: { attribute: false },
    label: { attribute: false }, scale: { state: true }, width: { state: true }, view: { state: true }, lanes: { state: true },
  };
  declare steps: readonly Step[];
  declare segs: readonly Segment[];
  declare at: number;
  declare outcome: Outcome | null;
  declare messages: Messages;
  declare label: string; // the current step in words
  declare scale: Scale;
  declare width: number;
  declare view: Window;
  declare lanes: boolean;
  #line: Timeline | null = null;
  #fingers = new Map<number, number>(); // pointers on the marks, their places on the screen
  #grabbed: "bands" | "marks" | null = null;
  #observer = new ResizeObserver(([e]) => (this.width = Math.round(e?.contentRect.width ?? 0)));

  constructor() {
    super();
    this.steps = [];
    this.segs = [];
    this.at = 0;
    this.outcome = null;
    this.messages = {};
    this.label = "";
    this.scale = "steps";
    this.width = 0;
    this.view = whole;
    this.lanes = false;
    this.addEventListener("wheel", (e) => this.#wheel(e), { passive: false });
  }

  static override styles = [
    ...Part.styles,
    css`
      :host { display: block; position: relative; padding: 8px 16px 0; user-select: none; -webkit-user-select: none; }
      .track { position: relative; cursor: crosshair; touch-action: pan-y; margin-left: var(--gutter, 0px); }
      .bands { position: relative; height: 18px; }
      .band { position: absolute; top: 0; height: 18px; border-radius: 2px; color: var(--on-stage); font-size: var(--t1); line-height: 18px;
        font-weight: 600; text-indent: 5px; overflow: hidden; white-space: nowrap; background: var(--c); }
      .band.ahead { background: color-mix(in oklab, var(--c) 20%, var(--paper)); color: var(--ink); font-weight: 400; }
      .window { position: absolute; top: -3px; bottom: -3px; border: 1.5px solid var(--ink); border-radius: 2px; pointer-events: none; min-width: 3px; }
      .wedge { display: block; width: 100%; height: 8px; overflow: visible; }
      .wedge path { fill: var(--sunken); stroke: var(--rule-2); }
      .marks { position: relative; height: 22px; margin-top: 4px; overflow: hidden; }
      .near .marks { margin-top: 0; border-inline: 1px solid var(--rule-2); background: var(--sunken); }
      .in-lanes .marks { height: auto; max-height: 162px; overflow: hidden auto; scrollbar-width: thin; }
      svg.dots { position: absolute; left: 0; top: 0; overflow: visible; pointer-events: none; }
      .lane { position: relative; height: 18px; border-bottom: 1px solid var(--rule); }
      .lane:last-of-type { border: 0; }
      .names { position: absolute; left: 16px; width: calc(var(--gutter) - 8px); font-size: var(--t1); overflow: hidden; }
      .names li { height: 18px; line-height: 18px; text-align: right; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; color: var(--ink-2); }
      .names li.now { color: var(--ink); font-weight: 650; }
      .title { position: absolute; line-height: 18px; font-size: 11px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; color: var(--ink-2); pointer-events: none; }
      .axis { position: relative; border-top: 1px solid var(--rule); height: 24px; font-size: 11px; color: var(--ink-2); overflow: hidden; }
      .tick { position: absolute; top: 0; padding-left: 3px; border-left: 1px solid var(--rule); line-height: 16px; white-space: nowrap; font-variant-numeric: tabular-nums; }
      .cursor { position: absolute; top: -3px; bottom: 22px; width: 0; border-left: 2px solid var(--ink); margin-left: -1px; pointer-events: none; z-index: 1; }
      .cursor::before { content: ""; position: absolute; left: -5px; top: -3px; border: 4px solid transparent; border-top: 6px solid var(--ink); border-bottom: 0; }
      .cursor.below { top: 0; bottom: 0; } .cursor.below::before { content: none; }
      .near .cursor:not(.below) { bottom: auto; height: 24px; }
      .flag { position: absolute; top: 2px; pointer-events: none; }
      .flag.stops { color: var(--stop); }
      .tools { position: absolute; right: 12px; bottom: 0; display: flex; align-items: center; background: var(--paper); padding-left: 8px; }
      .tools button { min-width: 24px; min-height: 24px; color: var(--ink-2); font-size: 11px; display: inline-grid; place-items: center; border-radius: 3px; }
      .tools .scale { padding: 0 4px; }
      .tools button:hover:not(:disabled) { color: var(--ink); background: var(--sunken); }
      .tools button[aria-pressed="true"] { color: var(--ink); background: var(--sunken); }
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
    if (this.steps.length === 0) return;
    if (["steps", "segs", "scale"].some((k) => changed.has(k)) || !this.#line) {
      this.#line = new Timeline(this.steps, this.segs, this.scale);
      this.view = whole;
    }
    if (changed.has("at") && !this.#grabbed) this.view = follow(this.view, this.#line.x(this.at));
  }

  /** Nearer (factor below 1) or farther, around the current step; 0 shows the whole run. */
  zoom(factor: number): void {
    if (!this.#line) return;
    this.view = factor === 0 ? whole : zoom(this.view, this.#line.x(this.at), factor, this.#line.least);
  }

  get #gutter(): number {
    return this.width < 520 ? gutter.narrow : gutter.wide;
  }

  get #inner(): number {
    return Math.max(this.width - (this.lanes ? this.#gutter : 0), 1);
  }

  override render() {
    const line = this.#line;
    if (!line || this.steps.length === 0) return nothing;
    const { from, to } = this.view;
    const near = to - from < 1;
    const here = (x: number) => `${(((x - from) / (to - from)) * 100).toFixed(3)}%`;
    const at = line.x(this.at);
    return html`
      ${this.lanes ? this.#names(near) : nothing}
      <div class="track ${near ? "near" : ""} ${this.lanes ? "in-lanes" : ""}" .style=${this.lanes ? `--gutter:${this.#gutter}px` : ""} part="track" role="slider" tabindex="0" aria-label=${this.say("rail.label")} aria-valuemin="1"
        aria-valuemax=${this.steps.length} aria-valuenow=${this.at + 1} aria-valuetext=${this.label} @pointerdown=${this.#grab} @pointermove=${this.#drag} @pointerup=${this.#release} @pointercancel=${this.#release}>
        <div class="bands">${line.bands.map((b) => {
          const state = this.at > b.to ? "done" : this.at >= b.from ? "now" : "ahead";
          const name = this.say(`stage.${b.stage}`);
          return html`<div class="band ${state} moves" title=${name}
            .style="left:${percent(b.left)};width:max(3px, ${percent(b.right - b.left)} - 1px);--c:${stageColour(b.stage)}">${this.#fits(name, b.right - b.left) ? name : ""}</div>`;
        })}${near ? html`<div class="window" .style="left:${percent(from)};width:${percent(to - from)}"></div>` : nothing}</div>
        ${near ? html`<svg class="wedge" viewBox="0 0 1000 8" preserveAspectRatio="none" aria-hidden="true"><path vector-effect="non-scaling-stroke" d="M${from * 1000} 0 L0 8 H1000 L${to * 1000} 0z" /></svg>` : nothing}
        <div class="marks">${guard([line, this.width, from, to, this.lanes, this.messages, this.lang], () => this.lanes ? this.#lanes(line) : this.#marks(line))}
          ${this.#flag(line, here)}<div class="cursor below" .style="left:${here(at)}"></div></div>
        <div class="axis" aria-hidden="true">${line.ticks(this.view, 56 / this.#inner, 250 / Math.max(this.#inner, 260)).map((t) => html`<span class="tick" .style="left:${percent(t.at)}">${t.label}</span>`)}</div>
        <div class="cursor" .style="left:${percent(at)}"></div>
      </div>
      ${this.#tools(line, near)}`;
  }

  #tools(line: Timeline, near: boolean) {
    const button = (key: "rail.in" | "rail.out" | "rail.whole", name: "plus" | "minus" | "fit", factor: number, off: boolean) =>
      html`<button title=${this.say(key)} aria-label=${this.say(key)} ?disabled=${off} @click=${() => this.zoom(factor)}>${icon(name, 14)}</button>`;
    return html`<span class="tools"><button aria-pressed=${this.lanes} title=${this.say("rail.lanes")} aria-label=${this.say("rail.lanes")} @click=${() => (this.lanes = !this.lanes)}>${icon("lanes", 14)}</button>
      ${button("rail.out", "minus", press, !near)}${button("rail.in", "plus", 1 / press, this.view.to - this.view.from <= line.least * 1.001)}${button("rail.whole", "fit", 0, !near)}
      <button class="scale" title=${this.say("rail.scale", { scale: this.say(`rail.scale.${this.scale}`) })} @click=${() => (this.scale = this.scale === "steps" ? "time" : "steps")}>${this.say(`rail.scale.${this.scale}`)}</button></span>`;
  }

  #fits(name: string, fraction: number): boolean {
    const wide = [...name].reduce((n, c) => n + (c > "\u2e80" ? 12.5 : 6.6), 0);
    return wide + 8 <= fraction * this.#inner;
  }

  /** The steps in the window, with their places in pixels. */
  #visible(line: Timeline): { step: Step; x: number }[] {
    const { from, to } = this.view;
    const out = [];
    for (let n = line.from(from); n < this.steps.length && line.x(n) <= to; n++) {
      const step = this.steps[n];
      if (step) out.push({ step, x: ((line.x(n) - from) / (to - from)) * this.#inner });
    }
    return out;
  }

  /** Steps at one place are stacked, so that every step is seen. One path for a stage keeps thousands cheap. */
  #marks(line: Timeline) {
    const taken = new Map<number, number>();
    const paths = new Map<string, string>();
    for (const { step, x } of this.#visible(line)) {
      const column = Math.round(x / (mark + 1));
      const row = Math.min(taken.get(column) ?? 0, rows - 1);
      taken.set(column, row + 1);
      add(paths, step.stage, column * (mark + 1) - 1, rows * rowStep - row * rowStep);
    }
    return dots(paths);
  }

  #actors(): string[] {
    return [...new Set(this.steps.map((s) => s.actor))];
  }

  #names(near: boolean) {
    const now = this.steps[this.at]?.actor;
    return html`<ul class="names" .style="--gutter:${this.#gutter}px;top:${8 + 18 + (near ? 8 : 4)}px;max-height:162px" aria-hidden="true">${this.#actors().map((a) => html`<li class=${a === now ? "now" : ""} title=${a}>${a}</li>`)}</ul>`;
  }

  #lanes(line: Timeline) {
    const visible = this.#visible(line);
    let labels = labelsMost;
    return this.#actors().map((actor) => {
      const mine = visible.filter((v) => v.step.actor === actor);
      const paths = new Map<string, string>();
      const taken = new Set<number>();
      for (const { step, x } of mine) {
        const column = Math.round(x);
        if (taken.has(column)) continue;
        taken.add(column);
        add(paths, step.stage, column - mark / 2, 11);
      }
      const titles = mine.flatMap(({ step, x }, i) => {
        const room = (mine[i + 1]?.x ?? this.#inner) - x - 10;
        return room < labelFrom || labels-- <= 0 ? [] : [html`<span class="title" .style="left:${x + 6}px;max-width:${room}px">${sentence(step, this.messages, this.lang).title}</span>`];
      });
      return html`<div class="lane">${dots(paths)}${titles}</div>`;
    });
  }

  #flag(line: Timeline, here: (x: number) => string) {
    if (!this.outcome || this.outcome.verdict === "works") return nothing;
    return html`<span class="flag ${this.outcome.verdict}" .style="left:calc(${here(line.x(this.outcome.step))} - 3px)">${icon("flag", 14)}</span>`;
  }

  // ---- hands ------------------------------------------------------------------------------------------

  #box(): DOMRect {
    return (this.renderRoot.querySelector(".track") as HTMLElement).getBoundingClientRect();
  }

  /** A place on the screen as a place on the rail: the bands show the whole run, the rest the window. */
  #place(clientX: number, on: "bands" | "marks"): number {
    const box = this.#box();
    const f = (clientX - box.left) / box.width;
    return on === "bands" ? f : this.view.from + f * (this.view.to - this.view.from);
  }

  #grab(e: PointerEvent): void {
    if (e.button !== 0) return;
    (e.currentTarget as HTMLElement).setPointerCapture(e.pointerId);
    this.#fingers.set(e.pointerId, e.clientX);
    this.#grabbed = e.clientY - this.#box().top < 20 ? "bands" : "marks";
    if (this.#fingers.size === 1) this.#seek(e.clientX);
  }

  #seek(clientX: number): void {
    if (!this.#line || !this.#grabbed) return;
    const n = this.#line.nearest(this.#place(clientX, this.#grabbed));
    if (this.#grabbed === "bands") this.view = follow(this.view, this.#line.x(n));
    this.ask({ do: "seek", to: n });
  }

  #drag(e: PointerEvent): void {
    const before = this.#fingers.get(e.pointerId);
    if (before === undefined) return;
    if (this.#fingers.size === 1) this.#seek(e.clientX);
    else this.#pinch(e, before);
    this.#fingers.set(e.pointerId, e.clientX);
  }

  /** Two fingers keep the places under them. */
  #pinch(e: PointerEvent, before: number): void {
    const other = [...this.#fingers].find(([id]) => id !== e.pointerId)?.[1];
    if (other === undefined || !this.#line) return;
    const factor = Math.max(8, Math.abs(before - other)) / Math.max(8, Math.abs(e.clientX - other));
    this.view = zoom(this.view, this.#place(other, "marks"), factor, this.#line.least);
  }

  #release(e: PointerEvent): void {
    this.#fingers.delete(e.pointerId);
    if (this.#fingers.size === 0) this.#grabbed = null;
  }

  #wheel(e: WheelEvent): void {
    // A page that scrolls keeps its wheel; a pinch on a touchpad comes with ctrl.
    const page = document.scrollingElement;
    if (!this.#line || (!e.ctrlKey && page !== null && page.scrollHeight > page.clientHeight)) return;
    const wide = this.view.to - this.view.from;
    if (Math.abs(e.deltaX) > Math.abs(e.deltaY) || e.shiftKey) {
      this.view = pan(this.view, (((e.deltaX || e.deltaY) / this.#inner) * wide));
    } else {
      if (e.composedPath().some((t) => t instanceof HTMLElement && t.matches(".in-lanes .marks") && t.scrollHeight > t.clientHeight) && !e.ctrlKey) return;
      this.view = zoom(this.view, Math.min(1, Math.max(0, this.#place(e.clientX, "marks"))), Math.exp(e.deltaY * (e.ctrlKey ? 0.01 : 0.002)), this.#line.least);
    }
    e.preventDefault();
  }
}

const percent = (x: number) => `${(x * 100).toFixed(3)}%`;

function add(paths: Map<string, string>, stage: string, x: number, y: number): void {
  paths.set(stage, `${paths.get(stage) ?? ""}M${x} ${y}h${mark}v-${mark}h-${mark}z`);
}

const dots = (paths: ReadonlyMap<string, string>) => html`<svg class="dots" aria-hidden="true" width="1" height="16">${[...paths].map(
  ([stage, d]) => svg`<path d=${d} .style="fill:${stageColour(stage)}" />`)}</svg>`;

customElements.define("bp-rail", BpRail);
