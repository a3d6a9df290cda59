import { html, LitElement, nothing, svg } from "lit";
import { Clock, scaleFor, type Scale } from "../clock";
import * as format from "../format";
import type { Comparison, Outcome, Step } from "../wire.gen";
import { say, sentence, type Key, type Lang, type Messages } from "../words";
import { icon, stageColour } from "./base";

const duration = 9000; // ms of a run through the whole axis

type Side = "left" | "right";
export const sides = ["left", "right"] as const;

/** A step on the common clock. */
interface Moment {
  side: Side;
  step: Step;
}

/**
 * Two starts on one clock. It can be scrubbed, stepped and played; nothing moves by itself. It draws into the
 * page and not into a tree of its own, so that the page without scripts can have the same markup.
 */
export class BpVersusRace extends LitElement {
  static override properties = {
    lang: { attribute: false }, messages: { attribute: false }, comparison: { attribute: false }, names: { attribute: false }, places: { attribute: false },
    at: { state: true }, x: { state: true }, playing: { state: true }, chosen: { state: true },
  };
  declare lang: Lang;
  declare messages: Messages;
  declare comparison: Comparison | null;
  declare names: { [S in Side]: string };
  /** Addresses of steps in the Lab; none for a file that the Lab does not have. */
  declare places: { [S in Side]: ((step: number) => string) | null };
  declare at: number; // of the moments
  declare x: number; // of the cursor, a fraction; between two moments while it plays
  declare playing: boolean;
  declare chosen: Scale | null;
  #moments: Moment[] = [];
  #clock = new Clock(1, "linear");
  #frame = 0;

  constructor() {
    super();
    this.lang = "en";
    this.messages = {};
    this.comparison = null;
    this.names = { left: "", right: "" };
    this.places = { left: null, right: null };
    this.at = 0;
    this.x = 1;
    this.playing = false;
    this.chosen = null;
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#pause();
  }

  #steps(side: Side): readonly Step[] {
    return this.comparison?.[side].run?.steps ?? [];
  }

  override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("comparison") && !changed.has("chosen")) return;
    const ends = sides.map((s) => this.#steps(s).at(-1)?.at ?? 0);
    this.#clock = new Clock(Math.max(...ends), this.chosen ?? scaleFor(ends));
    if (!changed.has("comparison")) {
      this.x = this.#place(this.at);
      return;
    }
    this.#pause();
    this.#moments = sides.flatMap((side) => this.#steps(side).map((step) => ({ side, step }))).sort((a, b) => a.step.at - b.step.at);
    this.#seek(this.#moments.length - 1);
  }

  #say(key: Key, args?: { [name: string]: string | number }): string {
    return say(this.lang, key, args);
  }

  // ---- moving -----------------------------------------------------------------------------------------

  #place(at: number): number {
    return this.#clock.x(this.#moments[at]?.step.at ?? 0);
  }

  #seek(at: number): void {
    this.at = Math.max(0, Math.min(at, this.#moments.length - 1));
    this.x = this.#place(this.at);
  }

  #toPlace(x: number): void {
    this.#seek(this.#moments.findLastIndex((m) => this.#clock.x(m.step.at) <= x));
  }

  #pause(): void {
    cancelAnimationFrame(this.#frame);
    this.playing = false;
  }

  #play(): void {
    if (this.playing) return this.#pause();
    const from = this.at >= this.#moments.length - 1 ? 0 : this.x;
    const began = performance.now();
    const frame = (now: number) => {
      const x = from + (now - began) / duration;
      this.#toPlace(Math.min(1, x));
      if (x >= 1) return this.#pause();
      this.x = x;
      this.#frame = requestAnimationFrame(frame);
    };
    this.playing = true;
    this.#frame = requestAnimationFrame(frame);
  }

  #go(at: number): void {
    this.#pause();
    this.#seek(at);
  }

  #key(e: KeyboardEvent): void {
    const to = { ArrowLeft: this.at - 1, ArrowDown: this.at - 1, ArrowRight: this.at + 1, ArrowUp: this.at + 1, Home: 0, End: this.#moments.length - 1, PageUp: this.at + 20, PageDown: this.at - 20 }[e.key];
    if (e.key === " ") this.#play();
    else if (to !== undefined) this.#go(to);
    else return;
    e.preventDefault();
  }

  #grab(e: PointerEvent): void {
    if (e.button !== 0 || (e.target as Element).closest("a")) return;
    (e.currentTarget as HTMLElement).setPointerCapture(e.pointerId);
    this.#drag(e);
  }

  #drag(e: PointerEvent): void {
    const track = e.currentTarget as HTMLElement;
    if (!track.hasPointerCapture(e.pointerId)) return;
    const box = track.getBoundingClientRect();
    this.#pause();
    this.#toPlace((e.clientX - box.left) / box.width);
  }

  // ---- drawing ----------------------------------------------------------------------------------------

  override render() {
    const c = this.comparison;
    if (!c || this.#moments.length === 0) return nothing;
    const marks = c.execve ? [this.#mark("left", c.execve.left_step), this.#mark("right", c.execve.right_step)] as const : null;
    return html`<div class="track ${marks ? "" : "apart"}" style="--t:${percent(this.x)}" @pointerdown=${this.#grab} @pointermove=${this.#drag}>
        ${this.#lane("left", c, marks?.[0] ?? null)}
        ${marks ? this.#join(marks[0], marks[1]) : html`<div class="join"></div>`}
        ${this.#lane("right", c, marks?.[1] ?? null)}
        <div class="axis" aria-hidden="true">${this.#clock.ticks().map((t) => html`<span style="left:${percent(t.x)}">${t.label}</span>`)}</div>
        <div class="cursor" role="slider" tabindex="0" aria-label=${this.#say("versus.clock")} aria-valuemin="1" aria-valuemax=${this.#moments.length} aria-valuenow=${this.at + 1}
          aria-valuetext=${this.#spoken()} style="left:${percent(this.x)}" @keydown=${this.#key}></div>
      </div>
      ${this.#tools()}
      <div class="now">${sides.map((s) => this.#now(s))}</div>`;
  }

  #mark(side: Side, n: number): number {
    return this.#clock.x(this.#steps(side)[n]?.at ?? 0);
  }

  #lane(side: Side, c: Comparison, mark: number | null) {
    const steps = this.#steps(side);
    const last = steps.at(-1);
    const who = html`<p class="who"><b>${this.names[side]}</b> ${verdict(c[side].outcome ?? null, this.lang)}${last ? html` <span class="quiet">${format.time(last.at)}</span>` : nothing}</p>`;
    const exec = html`<p class="exec">${mark === null || !c.execve ? nothing : this.#exec(side, side === "left" ? c.execve.left_step : c.execve.right_step, mark)}</p>`;
    const rail = html`<div class="rail" aria-hidden="true">${this.#clock.bands(steps).map((b) => html`<i title=${this.#say(`stage.${b.stage}`)}
        style="left:${percent(b.from)};width:max(3px, calc(${percent(b.to - b.from)} - 1px));--c:${stageColour(b.stage)}">${b.to - b.from > 0.075 ? this.#say(`stage.${b.stage}`) : ""}</i>`)}
        ${this.#parting(side, c)}${c[side].outcome && c[side].outcome.verdict !== "works" ? html`<b class="flag ${c[side].outcome.verdict}" style="left:${percent(this.#mark(side, c[side].outcome.step))}">${icon("flag", 14)}</b>` : nothing}</div>`;
    return side === "left" ? html`<div class="lane left">${who}${rail}${exec}</div>` : html`<div class="lane right">${exec}${rail}${who}</div>`;
  }

  #exec(side: Side, n: number, x: number) {
    const path = this.#steps(side)[n]?.args?.["path"] ?? "";
    const label = html`<code lang="en">execve("${path}")</code>`;
    const style = x < 0.5 ? `left:calc(${percent(x)} + 10px)` : `right:calc(100% - ${percent(x)} + 10px)`;
    const place = this.places[side]?.(n);
    return html`<i class="mark" style="left:${percent(x)}"></i>${place ? html`<a style=${style} href=${place} title=${this.#say("versus.open")}>${label}</a>` : html`<span style=${style}>${label}</span>`}`;
  }

  #parting(side: Side, c: Comparison) {
    const p = c.difference?.parting;
    const n = p?.[side] ?? -1;
    return p && n >= 0 ? html`<b class="parts" style="left:${percent(this.#mark(side, n))}"></b>` : nothing;
  }

  #join(a: number, b: number) {
    return html`<div class="join"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${svg`<path vector-effect="non-scaling-stroke" d=${`M${a * 100} 0C${a * 100} 5 ${b * 100} 5 ${b * 100} 10`} />`}</svg>
      <p>${this.#say("versus.same")}</p></div>`;
  }

  #tools() {
    const button = (name: "first" | "back" | "forward" | "last", key: Key, to: number, off: boolean) =>
      html`<button type="button" title=${this.#say(key)} aria-label=${this.#say(key)} ?disabled=${off} @click=${() => this.#go(to)}>${icon(name)}</button>`;
    const end = this.#moments.length - 1;
    const play = this.#say(this.playing ? "go.pause" : "go.play");
    return html`<div class="transport">
      ${button("first", "go.first", 0, this.at === 0)}${button("back", "go.back", this.at - 1, this.at === 0)}
      <button type="button" title=${play} aria-label=${play} @click=${this.#play}>${icon(this.playing ? "pause" : "play")}</button>
      ${button("forward", "go.forward", this.at + 1, this.at === end)}${button("last", "go.last", end, this.at === end)}
      <span class="time">${this.#say("go.time", { time: format.time(this.#moments[this.at]?.step.at ?? 0) })}</span>
      <button type="button" class="scale" @click=${() => (this.chosen = this.#clock.scale === "log" ? "linear" : "log")}>${this.#say(`versus.scale.${this.#clock.scale}`)}</button>
    </div>`;
  }

  /** The latest step of a side at the cursor. */
  #latest(side: Side): Step | undefined {
    for (let i = this.at; i >= 0; i--) if (this.#moments[i]?.side === side) return this.#moments[i]?.step;
    return undefined;
  }

  #now(side: Side) {
    const step = this.#latest(side);
    if (!step) return html`<div><p class="which">${this.names[side]}</p><p class="quiet">${this.#say("versus.before")}</p></div>`;
    const s = sentence(step, this.messages, this.lang);
    const place = this.places[side]?.(step.seq);
    const which = this.#say("verdict.step", { n: step.seq + 1 });
    return html`<div style="--c:${stageColour(step.stage)}"><p class="which"><span class="stage">${this.#say(`stage.${step.stage}`)}</span> ${place ? html`<a href=${place}>${which}</a>` : which}</p>
      <p><b>${s.title}</b></p><p class="text">${s.text}</p></div>`;
  }

  #spoken(): string {
    const time = this.#say("go.time", { time: format.time(this.#moments[this.at]?.step.at ?? 0) });
    return [time, ...sides.map((s) => {
      const step = this.#latest(s);
      return `${this.names[s]}: ${step ? sentence(step, this.messages, this.lang).title : this.#say("versus.before")}`;
    })].join(". ");
  }
}

const percent = (x: number) => `${(x * 100).toFixed(3)}%`;

/** How a start ended, in a few words. */
export function verdict(o: Outcome | null, lang: Lang) {
  if (!o) return nothing;
  return html`<span class="verdict ${o.verdict}">${say(lang, `verdict.${o.verdict}`)}</span> <span class="quiet">${say(lang, `stage.${o.stage}`)}</span>`;
}

customElements.define("bp-versus-race", BpVersusRace);
