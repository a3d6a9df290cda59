import { css, html, nothing } from "lit";
import * as format from "../format";
import { causes } from "../tape";
import type { Change, Step } from "../wire.gen";
import { htmlLang, sentence, type Messages } from "../words";
import { viewOf } from "../views/catalog";
import { icon, Part, stageColour } from "./base";

const depths = ["plain", "exact"] as const;
type Depth = (typeof depths)[number];
const depthKey = "bootpath-depth";

/** How deep the reader wants it, as this browser remembers. */
function kept(): Depth {
  try {
    return localStorage.getItem(depthKey) === "plain" ? "plain" : "exact";
  } catch {
    return "exact";
  }
}

/** The current step in words: what happens, why, by which rule, decided by which bytes. */
export class BpCard extends Part {
  static override properties = {
    ...Part.properties,
    step: { attribute: false }, steps: { attribute: false }, depth: { state: true }, chain: { state: true }, messages: { attribute: false }, cite: { attribute: false }, brief: { attribute: false },
  };
  declare step: Step | undefined;
  declare steps: readonly Step[];
  declare depth: Depth;
  declare chain: boolean; // all causes are listed
  declare messages: Messages;
  declare cite: number;
  declare brief: boolean; // evidence and state are named elsewhere

  constructor() {
    super();
    this.step = undefined;
    this.steps = [];
    this.depth = kept();
    this.chain = false;
    this.messages = {};
    this.cite = 0;
    this.brief = false;
  }

  static override styles = [
    ...Part.styles,
    css`
      :host { display: block; padding: 14px 20px 14px; overflow: auto; }
      .over { display: flex; gap: 10px; align-items: baseline; font-size: var(--t1); color: var(--ink-2); }
      .stage { color: var(--c); font-weight: 650; }
      .over .mono { margin-left: auto; }
      h2 { font-size: var(--t3); font-weight: 650; line-height: 1.3; margin: 4px 0 4px; text-wrap: balance; overflow-wrap: anywhere; }
      .text { font-size: 1rem; line-height: 1.5; max-width: 68ch; overflow-wrap: anywhere; }
      .missing { font-family: var(--mono); font-size: var(--t2); }
      dl { display: grid; grid-template-columns: auto 1fr; gap: 4px 12px; margin-top: 12px; }
      dt { font-size: var(--t1); color: var(--ink-2); line-height: 20px; min-width: 3.2em; }
      dd { min-width: 0; line-height: 20px; overflow-wrap: anywhere; }
      .cites { display: flex; flex-wrap: wrap; gap: 2px 6px; }
      .chip { display: inline-flex; align-items: center; gap: 5px; padding: 0 6px 0 4px; min-height: 24px; border: 1px solid var(--rule); border-radius: 3px; max-width: 100%; }
      .chip svg { flex: none; color: var(--c); }
      .chip span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
      .chip[aria-pressed="true"] { border-color: var(--c); background: color-mix(in oklab, var(--c) 12%, var(--paper)); }
      .depth { display: inline-flex; border: 1px solid var(--rule-2); border-radius: 4px; overflow: hidden; align-self: center; flex: none; }
      .depth button { min-height: 24px; padding: 0 8px; } .depth button + button { border-left: 1px solid var(--rule-2); }
      .depth button[aria-pressed="true"] { background: var(--sunken); color: var(--ink); font-weight: 600; } .depth button:focus-visible { outline-offset: -2px; }
      .chain.all { max-height: 168px; overflow: auto; border-left: 2px solid var(--rule); padding-left: 8px; margin-left: 2px; }
      .chain button, .more { min-height: 24px; } .more { font-size: var(--t1); color: var(--ink-2); }
      summary { cursor: pointer; min-height: 24px; font-size: var(--t1); }
      table { border-collapse: collapse; font-size: var(--t1); } th { text-align: left; font-weight: 400; color: var(--ink-2); padding: 1px 12px 1px 0; vertical-align: top; white-space: nowrap; } td { font-family: var(--mono); overflow-wrap: anywhere; }
      .sign { color: var(--c); font-family: var(--mono); }
    `,
  ];

  override render() {
    const s = this.step;
    if (!s) return nothing;
    const w = sentence(s, this.messages, this.lang);
    return html`<div .style="--c:${stageColour(s.stage)}" lang=${htmlLang(this.lang)}>
      <p class="over"><span class="stage">${this.say(`stage.${s.stage}`)}</span><span>${s.actor}</span><span class="mono" title="${format.exact(s.at, this.lang)} ns">${this.say("card.at", { time: format.time(s.at) })}</span>
        <span class="depth" role="group" aria-label=${this.say("card.depth")}>${depths.map((d) => html`<button aria-pressed=${d === this.depth} @click=${() => this.#deepen(d)}>${this.say(`card.${d}`)}</button>`)}</span></p>
      <h2>${w.title}</h2>
      <p class="text ${w.missing ? "missing" : ""}">${w.text}</p>
      <dl>${this.#why(s)}${this.#assumed(s)}${this.depth === "exact" && s.rule ? html`<dt>${this.say("card.rule")}</dt><dd lang="en">${s.rule}</dd>` : nothing}${this.brief ? nothing : html`${this.depth === "exact" ? this.#cites(s) : nothing}${this.#changes(s.changes ?? [])}`}${
        this.depth === "exact" && !this.brief ? this.#values(s) : nothing}</dl>
    </div>`;
  }

  #deepen(d: Depth): void {
    this.depth = d;
    try {
      localStorage.setItem(depthKey, d);
    } catch {
      // Not remembered; it holds as long as the page.
    }
  }

  #why(s: Step) {
    const all = causes(this.steps, s.seq);
    if (all.length === 0) return nothing;
    const shown = this.chain ? all : all.slice(0, 1);
    return html`<dt>${this.say("card.why")}</dt><dd><ol class="chain ${this.chain ? "all" : ""}">${shown.map((c) => html`<li><button class="link" @click=${() => this.ask({ do: "seek", to: c.seq })}>${
      this.say("verdict.step", { n: c.seq + 1 })}</button> <span class="quiet">${sentence(c, this.messages, this.lang).title}</span></li>`)}</ol>${
      all.length > 1 ? html`<button class="link more" aria-expanded=${this.chain} @click=${() => (this.chain = !this.chain)}>${this.chain ? this.say("card.chain.less") : this.say("card.chain", { n: all.length })}</button>` : nothing}</dd>`;
  }

  /** What cannot be known and was taken to be well. */
  #assumed(s: Step) {
    if (!s.assumed?.length) return nothing;
    const shown = s.assumed.slice(0, 6);
    return html`<dt>${this.say("card.assumed")}</dt><dd>${shown.map((r) => html`<div>${this.why(r)}</div>`)}${s.assumed.length > shown.length ? html`<span class="quiet">+${s.assumed.length - shown.length}</span>` : nothing}</dd>`;
  }

  #values(s: Step) {
    const args = Object.entries(s.args ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    return html`<dt>${this.say("card.kind.name")}</dt><dd class="mono" lang="en">${s.kind}</dd>${args.length === 0 ? nothing : html`<dt>${this.say("card.values")}</dt><dd><details><summary>${this.say("card.values.n", { n: args.length })}</summary><table lang="en">${
      args.map(([k, v]) => html`<tr><th scope="row">${k}</th><td>${v}</td></tr>`)}</table></details></dd>`}`;
  }

  #cites(s: Step) {
    if (!s.cites?.length) return nothing;
    const shown = s.cites.slice(0, 4);
    return html`<dt>${this.say("card.bytes")}</dt><dd class="cites">${shown.map((c, i) => html`<button class="chip mono" aria-pressed=${i === this.cite}
      title="${c.blob} ${format.hex(c.off)} +${c.len}" @click=${() => this.ask({ do: "cite", index: i })}>${icon("cite", 12)}<span>${
        c.name ? html`${c.name}${c.value ? html` = ${c.value}` : nothing}` : html`${c.blob} ${format.hex(c.off)}`}</span></button>`)}${
      s.cites.length > shown.length ? html`<button class="chip mono" @click=${() => this.ask({ do: "view", view: "evidence" })}>+${s.cites.length - shown.length}</button>` : nothing}</dd>`;
  }

  #changes(changes: readonly Change[]) {
    if (changes.length === 0) return nothing;
    const shown = changes.slice(0, 4);
    const sign = (c: Change) => (!c.before ? "+" : !c.after ? "−" : "~");
    return html`<dt>${this.say("card.changes")}</dt><dd>${shown.map((c) => html`<div><span class="sign">${sign(c)}</span> <button class="link" @click=${
      () => this.ask({ do: "view", view: viewOf[c.table] })}>${this.say(`table.${c.table}`)}</button> <span class="mono">${c.id}</span></div>`)}${
      changes.length > shown.length ? html`<span class="quiet">+${changes.length - shown.length}</span>` : nothing}</dd>`;
  }
}

customElements.define("bp-card", BpCard);
