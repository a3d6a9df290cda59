import { css, html, nothing } from "lit";
import { chosen } from "../dropped";
import * as format from "../format";
import type { Sample } from "../samples";
import type { LibraryEntry } from "../wire.gen";
import { icon, Part } from "./base";

/** Where an image comes from: a drop, a file, a sample, or what this browser kept. */
export class BpOpener extends Part {
  static override properties = {
    ...Part.properties,
    samples: { attribute: false }, library: { attribute: false }, over: { attribute: false }, closable: { attribute: false },
  };
  declare samples: readonly Sample[];
  declare library: readonly LibraryEntry[];
  declare over: boolean; // a file hangs over the page
  declare closable: boolean;

  constructor() {
    super();
    this.samples = [];
    this.library = [];
    this.over = false;
    this.closable = false;
  }

  static override styles = [
    ...Part.styles,
    css`
      :host { display: block; overflow: auto; padding: 24px 16px; }
      .in { max-width: var(--opener-width, 760px); margin: 0 auto; display: grid; gap: 24px; position: relative; }
      .zone { border: 1.5px dashed var(--rule-2); border-radius: 6px; padding: 36px 24px; display: grid; gap: 10px; justify-items: center; text-align: center; background: var(--raised); }
      .zone.over { border-style: solid; border-color: var(--focus); background: color-mix(in oklab, var(--focus) 8%, var(--raised)); }
      .zone h2 { font-size: var(--t4); font-weight: 600; line-height: 1.2; }
      .zone p { max-width: 52ch; color: var(--ink-2); text-wrap: pretty; }
      .zone .push { margin-top: 6px; padding: 6px 18px; }
      h3 { margin-bottom: 6px; }
      ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 0 24px; }
      li { display: flex; align-items: stretch; border-top: 1px solid var(--rule); }
      .pick { flex: 1; min-width: 0; display: grid; grid-template-columns: 1fr auto; gap: 0 12px; padding: 8px 4px; min-height: 40px; align-items: baseline; align-content: start; }
      .pick:hover { background: var(--sunken); }
      .pick b { font-weight: 600; }
      .pick .quiet { font-size: var(--t1); }
      .pick .note { grid-column: 1 / -1; font-size: var(--t1); color: var(--ink-2); }
      .close { position: absolute; right: 0; top: 0; }
    `,
  ];

  override render() {
    return html`<div class="in">
      <div class="zone ${this.over ? "over" : ""}">
        <h2>${this.say(this.over ? "drop.over" : "drop.title")}</h2>
        <p>${this.say("drop.hint")}</p>
        <button class="push main" @click=${() => this.renderRoot.querySelector("input")?.click()}>${this.say("drop.choose")}</button>
        <input type="file" multiple class="sr" tabindex="-1" aria-label=${this.say("drop.choose")} @change=${this.#chosen} />
      </div>
      ${this.closable ? html`<button class="icon close" title=${this.say("drop.close")} aria-label=${this.say("drop.close")} @click=${() => this.ask({ do: "opener", on: false })}>${icon("close")}</button>` : nothing}
      ${this.samples.length > 0 ? html`<section><h3 class="head">${this.say("drop.samples")}</h3><ul>${this.samples.map((s) => html`<li><button class="pick" @click=${
        () => this.ask({ do: "open", what: s.id })}><b>${s.title[this.lang]}</b><span class="quiet">${this.say(`bar.${s.kind}`)}</span><span class="note">${this.say(`sample.${s.id}`)}</span></button></li>`)}</ul></section>` : nothing}
      ${this.library.length > 0 ? html`<section><h3 class="head">${this.say("drop.library")}</h3><ul>${this.library.map((e) => html`<li><button class="pick" @click=${
        () => this.ask({ do: "library", entry: e })}><b>${e.origin.name}</b><span class="quiet">${format.size(e.origin.size)}</span></button><button class="icon" title=${
        this.say("drop.forget", { name: e.origin.name })} aria-label=${this.say("drop.forget", { name: e.origin.name })} @click=${() => this.ask({ do: "forget", entry: e })}>${icon("close", 12)}</button></li>`)}</ul></section>` : nothing}
    </div>`;
  }

  #chosen(e: Event): void {
    const input = e.target as HTMLInputElement;
    const what = chosen(input.files);
    if (what.length > 0) this.ask({ do: "open", what });
    input.value = "";
  }
}

customElements.define("bp-opener", BpOpener);
