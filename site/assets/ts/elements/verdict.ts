import { css, html, nothing } from "lit";
import type { Outcome } from "../wire.gen";
import { Part } from "./base";

/** The answer: works, stops here with this message, or cannot know and what is missing. */
export class BpVerdict extends Part {
  static override properties = { ...Part.properties, outcome: { attribute: false }, here: { attribute: false } };
  declare outcome: Outcome | null;
  declare here: boolean; // the deciding step is shown

  constructor() {
    super();
    this.outcome = null;
    this.here = false;
  }

  static override styles = [
    ...Part.styles,
    css`
      :host { display: block; }
      .v { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; padding: 6px 16px 6px 12px; border-left: 8px solid var(--ink); border-bottom: 1px solid var(--rule); }
      .stops { border-left-color: var(--stop); background: color-mix(in oklab, var(--stop) 8%, var(--paper)); }
      .stops b { color: var(--stop); }
      .unknown { border-left: 0; padding-left: 20px; position: relative; background: var(--sunken); }
      .unknown::before { content: ""; position: absolute; left: 0; top: 0; bottom: 0; width: 8px; background: var(--hatch); }
      b { font-weight: 700; white-space: nowrap; }
      .message { font-family: var(--mono); font-size: 0.8125rem; overflow-wrap: anywhere; min-width: 0; }
      .go { margin-left: auto; white-space: nowrap; min-height: 24px; }
    `,
  ];

  override render() {
    const o = this.outcome;
    if (!o) return nothing;
    const stage = this.say(`stage.${o.stage}`);
    return html`<div class="v ${o.verdict}">
      <b>${this.say(`verdict.${o.verdict}`)}</b>
      <span>${this.say(`verdict.${o.verdict}.text`, { stage, missing: this.why(o.unknown) })}</span>
      ${o.message ? html`<span class="message" lang="en">${o.message}</span>` : nothing}
      ${o.exit_code !== undefined && o.exit_code !== null ? html`<span class="quiet">${this.say("verdict.exit", { code: o.exit_code })}</span>` : nothing}
      ${this.here ? nothing : html`<button class="go link" @click=${() => this.ask({ do: "seek", to: o.step })}>${this.say("verdict.step", { n: o.step + 1 })}</button>`}
    </div>`;
  }
}

customElements.define("bp-verdict", BpVerdict);
