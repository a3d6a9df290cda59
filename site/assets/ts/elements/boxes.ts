import { css, html, nothing } from "lit";
import { house, type Box, type Inmate } from "../views/boxes";
import { shortPath, type Key } from "../words";
import { define } from "./base";
import { View } from "./view";

/** One kernel, and inside it the walls that namespaces are: who lives where, and what passes through. */
export class BpBoxes extends View {
  static override styles = [
    ...View.styles,
    css`
      .kernel { margin: 12px 16px 0; border: 2px solid var(--stage-kernel); border-radius: 6px; padding: 8px 12px 12px; }
      .kernel > header { display: flex; flex-wrap: wrap; gap: 0 10px; align-items: baseline; margin-bottom: 8px; }
      header b { font-size: 0.8125rem; font-weight: 650; }
      .kernel > header b { color: var(--stage-kernel); }
      .people { display: flex; flex-wrap: wrap; gap: 4px 6px; }
      .who { display: inline-flex; gap: 6px; align-items: baseline; border: 1px solid var(--rule-2); border-radius: 3px; padding: 0 7px; min-height: 24px; line-height: 22px; font-family: var(--mono); background: var(--raised); }
      .who .pid { color: var(--ink-2); }
      .who.removed { background: none; }
      .host { padding-bottom: 10px; }
      .boxes { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); }
      .box { border: 2px solid var(--stage-mounts); border-radius: 4px; padding: 0 10px 10px; background: color-mix(in oklab, var(--stage-mounts) 5%, var(--paper)); }
      .walls { display: flex; flex-wrap: wrap; gap: 4px; margin: 0 -10px 8px; padding: 5px 10px; background: color-mix(in oklab, var(--stage-mounts) 14%, var(--paper)); border-bottom: 1px solid var(--stage-mounts); align-items: center; }
      .wall { border: 1px solid var(--stage-mounts); border-radius: 3px; padding: 0 6px; line-height: 20px; font-family: var(--mono); background: var(--paper); }
      .wall.added { font-weight: 700; background: var(--stage-mounts); color: var(--on-stage); box-shadow: none; }
      dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 3px 10px; margin-top: 10px; }
      dt { color: var(--ink-2); }
      dd { font-family: var(--mono); overflow-wrap: anywhere; }
      dd.words { font-family: var(--sans); }
      .arrow { color: var(--ink-2); }
    `,
  ];

  protected override get marks(): string {
    return ".added, .edited, .removed";
  }

  override render() {
    const h = house(this.marked("namespaces"), this.marked("processes"), this.marked("mounts"), this.marked("cgroups"));
    if (h.host.length + h.boxes.length === 0) return html`<p class="now">${this.say("state.empty")}</p>`;
    const version = this.scene.facts?.kernel ?? "";
    return html`<section class="kernel" .style="--c:${this.colour}"><header><b>${this.say("boxes.kernel", { version })}</b><span class="quiet">${this.say("boxes.kernel.note")}</span></header>
      <div class="host people">${h.host.map((p) => this.#who(p))}</div>
      ${h.boxes.length === 0 ? html`<p class="quiet">${this.say("boxes.none")}</p>` : html`<div class="boxes">${h.boxes.map((b) => this.#box(b))}</div>`}</section>`;
  }

  #who(p: Inmate) {
    const origin = this.origin("processes", p.pid);
    return html`<button class="who ${p.mark}" title=${this.titleOf(origin)} @click=${() => this.go(origin)}><span class="name">${p.comm}</span><span class="pid">${
      p.inside ? this.say("boxes.pid.both", { inside: p.inside, outside: p.pid }) : p.pid}</span>${p.mark === "added" || p.mark === "removed" ? html`<span class="tag">${this.tag(p.mark)}</span>` : nothing}</button>`;
  }

  #box(b: Box) {
    const word = (type: string) => this.say(`boxes.ns.${type}` as Key);
    const limits = b.cgroups.filter((c) => c.path);
    return html`<section class="box"><div class="walls"><span class="quiet">${this.say("boxes.walls")}</span>${b.walls.map((w) => html`<span class="wall ${w.mark === "added" ? "added" : ""}" title="${w.id} · ${word(w.type)}">${w.type}</span>`)}</div>
      <div class="people">${b.inmates.map((p) => this.#who(p))}</div>
      <dl>
        ${b.root ? html`<dt>${this.say("boxes.root")}</dt><dd>${b.root}</dd>` : nothing}
        ${b.shared.length ? html`<dt>${this.say("boxes.shared")}</dt><dd class="words">${b.shared.map((t, i) => html`${i ? ", " : ""}<span class="mono">${t}</span> <span class="quiet">${word(t)}</span>`)}</dd>` : nothing}
        ${b.passages.length ? html`<dt>${this.say("boxes.passes")}</dt><dd>${b.passages.map((p) => html`<div title="${p.source} → ${p.target}">${shortPath(p.source)} <span class="arrow">→</span> ${shortPath(p.target)}</div>`)}</dd>` : nothing}
        ${limits.length ? html`<dt>${this.say("boxes.cgroup")}</dt><dd>${limits.map((c) => html`<div>${c.path}${c.limits ? html` · ${c.limits}` : nothing}</div>`)}</dd>` : nothing}
      </dl></section>`;
  }
}

define("bp-boxes", BpBoxes);
