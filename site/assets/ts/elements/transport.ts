import { css, html, nothing } from "lit";
import * as format from "../format";
import { exported } from "../requests";
import { icon, Part } from "./base";

export const speeds = [0.5, 1, 2, 4] as const;

/** The buttons that move in the run, and where one is. */
export class BpTransport extends Part {
  static override properties = {
    ...Part.properties,
    at: { attribute: false }, count: { attribute: false }, time: { attribute: false }, playing: { attribute: false }, speed: { attribute: false },
    compact: { type: Boolean, reflect: true }, tools: { attribute: false }, failures: { attribute: false }, link: { attribute: false }, linked: { attribute: false },
  };
  declare at: number;
  declare count: number;
  declare time: number;
  declare playing: boolean;
  declare speed: number;
  declare compact: boolean;
  declare tools: boolean; // link, export: only where the player owns its image
  declare failures: number; // how many steps went wrong
  declare link: boolean; // there is an address for this place
  declare linked: boolean;

  constructor() {
    super();
    this.at = 0;
    this.count = 0;
    this.time = 0;
    this.playing = false;
    this.speed = 1;
    this.compact = false;
    this.tools = false;
    this.linked = this.link = false;
    this.failures = 0;
  }

  static override styles = [
    ...Part.styles,
    css`
      :host { display: flex; align-items: center; gap: 2px; padding: 6px 12px; }
      .play { background: var(--ink); color: var(--paper); margin: 0 4px; border-radius: 50%; min-width: 34px; height: 34px; }
      .play:hover:not(:disabled) { background: var(--ink-2); }
      select { margin-left: 6px; border: 0; background: none; font-size: var(--t1); min-height: 28px; padding: 0 2px; border-radius: 4px; font-variant-numeric: tabular-nums; }
      option { background: var(--raised); }
      .pos { margin-left: 16px; font-variant-numeric: tabular-nums; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
      .failure { display: inline-flex; align-items: center; gap: 4px; min-height: 28px; margin-left: 8px; padding: 0 6px; border-radius: 4px; color: var(--ink-2); white-space: nowrap; font-size: var(--t1); } .failure:hover { background: var(--sunken); }
      .right { margin-left: auto; display: flex; align-items: center; gap: 2px; }
      .right .icon { min-width: 28px; height: 28px; color: var(--ink-2); }
      .right .icon:hover { color: var(--ink); }
      .linked { font-size: var(--t1); color: var(--ink-2); padding-right: 4px; }
      details { position: relative; }
      summary { list-style: none; cursor: pointer; } summary::-webkit-details-marker { display: none; }
      .menu { position: absolute; right: 0; bottom: calc(100% + 8px); z-index: 10; min-width: 290px; background: var(--raised); border: 1px solid var(--rule-2); border-radius: 6px; padding: 4px; box-shadow: 0 8px 24px rgb(0 0 0 / 0.12); }
      .menu button { width: 100%; min-height: 30px; padding: 3px 10px; border-radius: 3px; } .menu button:hover, .menu button:focus-visible { background: var(--sunken); }
      :host([compact]) { padding: 6px 8px; gap: 0; }
      :host([compact]) .icon { min-width: 40px; height: 40px; }
      :host([compact]) .play { min-width: 44px; height: 44px; margin: 0 2px; }
      :host([compact]) .pos { margin-left: auto; padding-right: 4px; font-size: var(--t1); text-align: right; line-height: 1.3; white-space: normal; word-break: keep-all; text-wrap: balance; }
      :host([compact]) .pos .quiet { display: block; }
    `,
  ];

  override render() {
    const end = this.count - 1;
    const button = (name: "first" | "stageback" | "back" | "forward" | "stage" | "last", act: () => void, off: boolean) => html`<button class="icon" ?disabled=${off}
      title=${this.say(`go.${name}`)} aria-label=${this.say(`go.${name}`)} @click=${act}>${icon(name)}</button>`;
    const play = this.playing ? "pause" : "play";
    return html`
      ${button("first", () => this.ask({ do: "seek", to: 0 }), this.at <= 0)}
      ${this.compact ? nothing : button("stageback", () => this.ask({ do: "stage", direction: -1 }), this.at <= 0)}
      ${button("back", () => this.ask({ do: "step", by: -1 }), this.at <= 0)}
      <button class="icon play" title=${this.say(`go.${play}`)} aria-label=${this.say(`go.${play}`)} @click=${() => this.ask({ do: "play", on: !this.playing })}>${icon(play)}</button>
      ${button("forward", () => this.ask({ do: "step", by: 1 }), this.at >= end)}
      ${this.compact ? nothing : button("stage", () => this.ask({ do: "stage", direction: 1 }), this.at >= end)}
      ${button("last", () => this.ask({ do: "seek", to: end }), this.at >= end)}
      ${this.compact ? nothing : html`<select aria-label=${this.say("go.speed")} title=${this.say("go.speed")} @change=${(e: Event) =>
        this.ask({ do: "speed", factor: Number((e.target as HTMLSelectElement).value) })}>${speeds.map((s) => html`<option value=${s} ?selected=${s === this.speed}>${s}×</option>`)}</select>`}
      ${this.failures > 0 && !this.compact ? html`<button class="failure" title=${this.say("go.failure")} @click=${() => this.ask({ do: "failure" })}>${icon("flag", 14)}${this.say("go.failures", { n: this.failures })}</button>` : nothing}
      <span class="pos">${this.say("go.position", { n: this.at + 1, of: this.count })}<span class="quiet">${this.compact ? nothing : " · "}${this.say("go.time", { time: format.time(this.time) })}</span></span>
      ${this.compact ? nothing : html`<span class="right">
        <span class="linked" role="status">${this.linked ? this.say("go.linked") : ""}</span>
        ${this.tools ? html`<button class="icon" ?disabled=${!this.link} title=${this.say("go.link")} aria-label=${this.say("go.link")} @click=${() => this.ask({ do: "link" })}>${icon("link")}</button>
        ${this.#menu()}` : nothing}
        <button class="icon" title=${this.say("go.help")} aria-label=${this.say("go.help")} @click=${() => this.ask({ do: "help" })}>?</button></span>`}`;
  }

  #menu() {
    return html`<details @toggle=${this.#opened} @focusout=${(e: FocusEvent) => !(e.currentTarget as HTMLElement).contains(e.relatedTarget as Node | null) && this.#close()} @keydown=${(e: KeyboardEvent) => e.key === "Escape" && this.#close(true)}>
      <summary class="icon" title=${this.say("go.export")} aria-label=${this.say("go.export")}>${icon("save")}</summary>
      <ul class="menu">${exported.map((what) => html`<li><button @click=${() => { this.#close(true); this.ask({ do: "export", what }); }}>${this.say(`export.${what}`)}</button></li>`)}
        ${this.link ? html`<li><button @click=${() => { this.#close(true); this.ask({ do: "link" }); }}>${this.say("go.link")}</button></li>` : nothing}</ul></details>`;
  }

  #opened(e: Event): void {
    const d = e.currentTarget as HTMLDetailsElement;
    if (d.open) d.querySelector<HTMLElement>("li button")?.focus();
  }

  #close(back = false): void {
    const d = this.renderRoot.querySelector("details");
    if (!d?.open) return;
    d.open = false;
    if (back) d.querySelector("summary")?.focus();
  }
}

customElements.define("bp-transport", BpTransport);
