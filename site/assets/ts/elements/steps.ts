import { css, html, nothing } from "lit";
import { guard } from "lit/directives/guard.js";
import type { Segment } from "../tape";
import type { Outcome, Step } from "../wire.gen";
import { sentence, type Messages } from "../words";
import { icon, Part, stageColour } from "./base";

/** All steps as an ordered list, grouped by stage. Only the current one is in the tab order. */
export class BpSteps extends Part {
  static override properties = {
    ...Part.properties,
    steps: { attribute: false }, segs: { attribute: false }, at: { attribute: false }, outcome: { attribute: false },
    messages: { attribute: false }, folded: { state: true },
  };
  declare steps: readonly Step[];
  declare segs: readonly Segment[];
  declare at: number;
  declare outcome: Outcome | null;
  declare messages: Messages;
  declare folded: ReadonlySet<number>; // first steps of the segments that are folded

  constructor() {
    super();
    this.steps = [];
    this.segs = [];
    this.at = 0;
    this.outcome = null;
    this.messages = {};
    this.folded = new Set();
  }

  static override styles = [
    ...Part.styles,
    css`
      :host { display: block; overflow: auto; overscroll-behavior: contain; position: relative; }
      .stage { position: sticky; top: 0; z-index: 1; display: flex; align-items: center; gap: 8px; width: 100%; min-height: 28px; padding: 4px 12px 4px 12px;
        background: var(--paper); font-size: var(--t1); font-weight: 650; color: var(--c); }
      .stage svg { transition: transform 100ms; }
      .stage[aria-expanded="false"] svg { transform: rotate(-90deg); }
      .stage .n { margin-left: auto; color: var(--ink-2); font-weight: 400; font-variant-numeric: tabular-nums; }
      /* What is out of sight is neither laid out nor painted, and yet there for readers of screens and for a search in the page. */
      li.step { content-visibility: auto; contain-intrinsic-size: auto 25px; }
      .go { display: grid; grid-template-columns: 44px 1fr; width: 100%; min-height: 25px; padding: 2px 12px 2px 0; line-height: 1.4; align-items: baseline; border-left: 3px solid transparent; }
      .go .n { text-align: right; padding-right: 10px; font-size: var(--t1); color: var(--ink-2); font-variant-numeric: tabular-nums; }
      .t { min-width: 0; overflow-wrap: anywhere; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; line-clamp: 2; overflow: hidden; }
      .go:hover { background: var(--sunken); }
      .go:focus-visible { outline-offset: -2px; }
      li[aria-current] .go { background: color-mix(in oklab, var(--c) 14%, var(--paper)); border-left-color: var(--c); font-weight: 600; }
      li.stops .go { color: var(--stop); }
      li.unknown .go .t::after { content: ""; display: inline-block; width: 10px; height: 10px; margin-left: 6px; background: var(--hatch); border: 1px solid var(--rule-2); }
      .raw { font-family: var(--mono); font-size: var(--t1); overflow-wrap: anywhere; }
      @media (prefers-reduced-motion: reduce) { .stage svg { transition: none; } }
    `,
  ];

  override render() {
    return guard([this.steps, this.segs, this.messages, this.lang, this.folded, this.outcome], () =>
      html`<ol @keydown=${this.#keys}>${this.segs.map((g) => this.#group(g))}</ol>`);
  }

  #group(g: Segment) {
    const folded = this.folded.has(g.from);
    const name = this.say(`stage.${g.stage}`);
    return html`<li .style="--c:${stageColour(g.stage)}">
      <button class="stage" tabindex="-1" aria-expanded=${!folded}
        @click=${() => this.#fold(g.from)}>${icon("down", 10)}${name}<span class="n">${g.to - g.from + 1}</span></button>
      ${folded ? nothing : html`<ol start=${g.from + 1}>${this.steps.slice(g.from, g.to + 1).map((s) => this.#step(s))}</ol>`}
    </li>`;
  }

  #step(s: Step) {
    const w = sentence(s, this.messages, this.lang);
    const o = this.outcome;
    const end = o && o.step === s.seq && o.verdict !== "works" ? o.verdict : "";
    return html`<li class="step ${end}" data-n=${s.seq}><button class="go" tabindex="-1" @click=${() => this.ask({ do: "seek", to: s.seq })}>
      <span class="n">${s.seq + 1}</span><span class="t ${w.missing ? "raw" : ""}">${w.title}</span></button></li>`;
  }

  #fold(from: number): void {
    const next = new Set(this.folded);
    if (!next.delete(from)) next.add(from);
    this.folded = next;
  }

  #now: HTMLElement | null = null; // the current step; marking it by hand leaves thousands of others alone

  // Fonts and neighbours settle after the first rendering; the current step stays in view.
  #observer = new ResizeObserver(() => {
    if (this.#now) this.#reveal(this.#now);
  });

  override firstUpdated(): void {
    this.#observer.observe(this);
    const list = this.renderRoot.querySelector("ol");
    if (list) this.#observer.observe(list);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
  }

  override updated(changed: Map<string, unknown>): void {
    this.#now?.removeAttribute("aria-current");
    this.#now?.querySelector("button")?.setAttribute("tabindex", "-1");
    const now = this.renderRoot.querySelector<HTMLElement>(`li[data-n="${this.at}"]`);
    this.#now = now;
    if (!now) return;
    now.setAttribute("aria-current", "step");
    const button = now.querySelector("button");
    button?.setAttribute("tabindex", "0");
    if (["at", "steps", "messages"].some((k) => changed.has(k))) this.#reveal(now);
    // Arrow keys in the list take the focus along.
    if (this.shadowRoot?.activeElement?.classList.contains("go")) button?.focus({ preventScroll: true });
  }

  /** Scrolls this list only, never the page. */
  #reveal(li: HTMLElement): void {
    const list = this.getBoundingClientRect();
    const box = li.getBoundingClientRect();
    if (box.top < list.top + 32) this.scrollTop += box.top - list.top - 60;
    else if (box.bottom > list.bottom - 28) this.scrollTop += box.bottom - list.bottom + 60;
  }

  #keys(e: KeyboardEvent): void {
    const by = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
    if (by === 0) return;
    e.preventDefault();
    this.ask({ do: "step", by });
  }
}

customElements.define("bp-steps", BpSteps);
