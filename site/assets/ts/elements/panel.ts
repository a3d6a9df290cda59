import { css, html, nothing } from "lit";
import type { Slot } from "../layout";
import type { View } from "../views/catalog";
import type { Key } from "../words";
import { icon, Part } from "./base";

/** A place for views: tabs, or a title that is a menu; what is chosen stands in its slot. */
export class BpPanel extends Part {
  static override properties = {
    ...Part.properties,
    slotName: { attribute: false }, views: { attribute: false }, view: { attribute: false }, counts: { attribute: false }, chosen: { attribute: false }, menu: { type: Boolean, reflect: true },
    closable: { attribute: false }, splittable: { attribute: false },
  };
  declare slotName: Slot;
  declare views: readonly View[];
  declare view: View; // what is shown
  declare chosen: View | "follow"; // what was asked for
  declare counts: { readonly [V in View]?: number }; // what the step changes in each
  declare menu: boolean;
  declare closable: boolean;
  declare splittable: boolean; // a second panel can be opened below

  constructor() {
    super();
    this.slotName = "side";
    this.views = [];
    this.view = this.chosen = "evidence";
    this.counts = {};
    this.menu = this.closable = this.splittable = false;
  }

  static override styles = [
    ...Part.styles,
    css`
      :host { display: flex; flex-direction: column; min-height: 0; min-width: 0; }
      .head { display: flex; align-items: stretch; border-bottom: 1px solid var(--rule); min-height: 34px; flex: none; padding: 0 6px 0 12px; font-size: var(--t2); font-weight: 400; color: var(--ink); }
      .tabs { display: flex; gap: 2px; overflow-x: auto; scrollbar-width: none; flex: 1; min-width: 0; overscroll-behavior: contain; }
      .tabs button { padding: 0 6px; min-height: 33px; color: var(--ink-2); border-bottom: 2px solid transparent; white-space: nowrap; flex: none; }
      .tabs button[aria-selected="true"] { color: var(--ink); font-weight: 650; border-bottom-color: var(--ink); }
      .tabs button:focus-visible { outline-offset: -3px; }
      .tabs button:hover { color: var(--ink); }
      .count { font-size: var(--t1); color: var(--ink-2); font-weight: 400; font-variant-numeric: tabular-nums; }
      .pick { display: flex; align-items: center; position: relative; }
      .pick svg { position: absolute; right: 6px; pointer-events: none; color: var(--ink-2); }
      select { appearance: none; field-sizing: content; border: 0; background: none; min-height: 28px; padding: 0 24px 0 4px; margin-left: -4px; border-radius: 4px; font-weight: 650; }
      :host(:not([menu])) select { position: absolute; inset: 0; width: 100%; opacity: 0; margin: 0; padding: 0; cursor: pointer; }
      :host(:not([menu])) .pick { width: 28px; justify-content: center; border-radius: 4px; margin: 3px 0; } :host(:not([menu])) .pick:hover { background: var(--sunken); }
      :host(:not([menu])) .pick:focus-within { outline: 2px solid var(--focus); }
      :host(:not([menu])) .pick svg { position: static; }
      option { background: var(--raised); color: var(--ink); font-weight: 400; }
      .note { align-self: center; color: var(--ink-2); font-size: var(--t1); padding-left: 6px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
      .acts { margin-left: auto; display: flex; align-items: center; flex: none; }
      .acts .icon { min-width: 28px; height: 28px; color: var(--ink-2); } .acts .icon:hover { color: var(--ink); }
    `,
  ];

  #name(v: View): string {
    return this.say(`${v}.title` as Key);
  }

  #show(view: View | "follow"): void {
    this.ask({ do: "view", view, slot: this.slotName });
  }

  override render() {
    return html`<div class="head">${this.menu ? nothing : this.#tabs()}
        <span class="pick"><select aria-label=${this.say("panel.choose")} title=${this.say("panel.choose")} @change=${(e: Event) => this.#show((e.target as HTMLSelectElement).value as View)}>
          ${this.menu ? html`<option value="follow" ?selected=${this.chosen === "follow"}>${this.chosen === "follow" ? this.#name(this.view) : this.say("panel.follow")}</option>` : nothing}
          ${this.views.map((v) => html`<option value=${v} ?selected=${v === this.chosen}>${this.#name(v)}${this.counts[v] && v !== this.chosen ? ` · ${this.counts[v]}` : ""}</option>`)}</select>${icon("down", 12)}</span>
        ${this.menu && this.chosen === "follow" ? html`<span class="note">${this.say("panel.follows")}</span>` : nothing}
        ${this.menu && this.view !== "evidence" && this.counts[this.view] ? html`<span class="note">${this.say("panel.changes", { n: this.counts[this.view] ?? 0 })}</span>` : nothing}
        <span class="acts">${this.splittable ? html`<button class="icon" title=${this.say("panel.split")} aria-label=${this.say("panel.split")} @click=${() => this.ask({ do: "view", view: "follow", slot: "low" })}>${icon("split", 14)}</button>` : nothing}${
          this.closable ? html`<button class="icon" title=${this.say("panel.close")} aria-label=${this.say("panel.close")} @click=${() => this.ask({ do: "view", view: "none", slot: this.slotName })}>${icon("close", 12)}</button>` : nothing}<slot name="acts"></slot></span></div>
      <slot></slot>`;
  }

  #tabs() {
    return html`<div class="tabs" role="tablist" aria-label=${this.say("panel.views")} @keydown=${this.#keys}>${this.views.map((v) => html`<button role="tab" id="tab-${v}"
      aria-selected=${v === this.view} tabindex=${v === this.view ? 0 : -1} @click=${() => this.#show(v)}>${this.#name(v)}${this.counts[v] ? html` <span class="count">${this.counts[v]}</span>` : nothing}</button>`)}</div>`;
  }

  #keys(e: KeyboardEvent): void {
    const by = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    e.preventDefault();
    const next = this.views[(this.views.indexOf(this.view) + by + this.views.length) % this.views.length];
    if (!next) return;
    this.#show(next);
    requestAnimationFrame(() => this.renderRoot.querySelector<HTMLElement>(`#tab-${next}`)?.focus());
  }

  override updated(changed: Map<string, unknown>): void {
    if (!changed.has("view")) return;
    const bar = this.renderRoot.querySelector<HTMLElement>(".tabs");
    const tab = this.renderRoot.querySelector<HTMLElement>("[aria-selected=true]");
    if (!bar || !tab) return;
    const left = tab.offsetLeft - bar.offsetLeft; // scrolls the bar only, never the page
    if (left < bar.scrollLeft) bar.scrollLeft = left - 24;
    else if (left + tab.offsetWidth > bar.scrollLeft + bar.clientWidth) bar.scrollLeft = left + tab.offsetWidth - bar.clientWidth + 24;
  }
}

customElements.define("bp-panel", BpPanel);
