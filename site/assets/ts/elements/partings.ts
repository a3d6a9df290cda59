import { html, nothing } from "lit";
import type { Difference } from "../difference";
import { ask } from "../requests";
import { say, sentence, type Key } from "../words";
import type { Part } from "./base";
import type { Scene } from "./view";

const cut = (v: string) => (v.length > 60 ? `${v.slice(0, 57)}…` : v || "—");

/** Where a run goes apart from the one before, as links to its steps. */
export function partings(from: Part, d: Difference, scene: Scene) {
  const link = (to: number, key: Key) => {
    const step = scene.steps[to];
    return html`<p>${say(from.lang, key)} <button class="link" @click=${() => ask(from, { do: "seek", to })}>${say(from.lang, "verdict.step", { n: to + 1 })}</button> ${step ? sentence(step, scene.messages, from.lang).title : ""}</p>`;
  };
  if (d.values < 0 && d.parting < 0) return html`<p>${say(from.lang, "change.same")}</p>`;
  return html`${d.values >= 0 && d.values !== d.parting ? html`${link(d.values, "change.values")}<p class="mono">${d.differs.slice(0, 3).map((x) => html`${x.name}: <del>${cut(x.before)}</del> → ${cut(x.after)}<br />`)}</p>` : nothing}
    ${d.parting >= 0 ? link(d.parting, "change.parting") : nothing}`;
}
