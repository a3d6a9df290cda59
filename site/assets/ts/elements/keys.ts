import { css, html } from "lit";
import type { Key } from "../words";
import { define, Part } from "./base";

/** The list of the player's keys, shown when it is asked for. */
export class BpKeys extends Part {
  static override styles = [
    ...Part.styles,
    css`
      dialog { border: 1px solid var(--rule-2); border-radius: 6px; background: var(--raised); color: var(--ink); padding: 20px 24px; }
      dialog::backdrop { background: rgb(0 0 0 / 0.35); }
      h2 { font-size: var(--t3); font-weight: 650; }
      dl { display: grid; grid-template-columns: auto 1fr; gap: 8px 20px; margin: 14px 0; align-items: baseline; }
      form { margin-top: 14px; text-align: right; }
      kbd { font: 400 var(--t1) var(--mono); border: 1px solid var(--rule-2); border-radius: 3px; padding: 1px 6px; margin-right: 4px; }
    `,
  ];

  show(): void {
    void this.updateComplete.then(() => this.renderRoot.querySelector("dialog")?.showModal());
  }

  override render() {
    const row = (keys: string[], text: Key) => html`<dt>${keys.map((k) => html`<kbd>${k}</kbd>`)}</dt><dd>${this.say(text)}</dd>`;
    return html`<dialog id="keys" aria-labelledby="keys-title"><h2 id="keys-title">${this.say("keys.title")}</h2><dl>
      ${row(["Space"], "keys.space")}${row(["←", "→"], "keys.arrows")}${row(["Home", "End"], "keys.ends")}${row(["J", "K"], "keys.stages")}${row(["N"], "keys.failure")}${row(["+", "−", "0"], "keys.zoom")}${row(["?"], "keys.help")}</dl>
      <p class="quiet">${this.say("keys.note")}</p><form method="dialog"><button class="push">${this.say("drop.close")}</button></form></dialog>`;
  }
}

define("bp-keys", BpKeys);
