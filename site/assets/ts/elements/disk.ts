import { css, html, nothing, svg } from "lit";
import * as format from "../format";
import { covered, diskName, parts, places, type Part, type Place } from "../views/disk-strip";
import type { Inspection, Step } from "../wire.gen";
import { define, stageColour } from "./base";
import { View } from "./view";

const shownMax = 40; // places of one step

/** The disk as a strip with its partitions, and the places that the steps up to here rest on. */
export class BpDisk extends View {
  #of: { steps: readonly Step[]; inspection: Inspection | null } | null = null;
  #disk = "";
  #parts: Part[] = [];
  #places: Place[] = [];

  static override styles = [
    ...View.styles,
    css`
      .strip { position: relative; height: 76px; margin: 10px 16px 0; }
      .part { position: absolute; top: 0; height: 34px; border: 1px solid var(--rule-2); border-right-width: 0; background: var(--raised); overflow: hidden; padding: 1px 6px; line-height: 16px; white-space: nowrap; }
      .part:last-of-type { border-right-width: 1px; }
      .part.room { background: var(--sunken); border-style: dashed; border-right-width: 0; color: var(--ink-2); padding: 1px 2px; }
      .part b { font-weight: 600; display: block; overflow: hidden; text-overflow: ellipsis; }
      .part span { color: var(--ink-2); display: block; overflow: hidden; text-overflow: ellipsis; }
      svg { position: absolute; left: 0; top: 36px; width: 100%; height: 40px; overflow: visible; }
      .base { stroke: var(--rule-2); }
      table { width: 100%; border-collapse: collapse; }
      th { text-align: left; font-weight: 400; color: var(--ink-2); padding: 4px 12px 2px 0; white-space: nowrap; }
      td { border-top: 1px solid var(--rule); padding: 0 12px 0 0; height: 24px; vertical-align: middle; }
      th:first-child, td:first-child { padding-left: 16px; }
      td button { min-height: 24px; font-family: var(--mono); }
      td.what { width: 99%; overflow-wrap: anywhere; }
      .num { white-space: nowrap; }
    `,
  ];

  override willUpdate(): void {
    const { steps, inspection } = this.scene;
    if (!inspection || (this.#of?.steps === steps && this.#of.inspection === inspection)) return;
    this.#of = { steps, inspection };
    this.#disk = diskName(inspection, steps);
    this.#parts = parts(inspection);
    this.#places = places(this.#parts, steps, this.#disk);
  }

  override render() {
    const before = this.#places.filter((p) => p.seq < this.scene.at);
    const now = this.#places.filter((p) => p.seq === this.scene.at);
    return html`<div .style="--c:${this.colour}">
      <div class="strip" role="img" aria-label=${this.say("disk.label", { n: before.length + now.length, size: format.size(covered([...before, ...now])) })}>
        ${this.#parts.map((p) => this.#part(p))}
        <svg preserveAspectRatio="none" viewBox="0 0 1000 40" aria-hidden="true"><path class="base" vector-effect="non-scaling-stroke" d="M0 .5H1000" />
          ${[...lines(before)].map(([stage, d]) => svg`<path d=${d} vector-effect="non-scaling-stroke" .style="stroke:${stageColour(stage)};stroke-width:1.5;opacity:.75" />`)}
          ${now.map((p) => svg`<path d="M${p.x * 1000} 0V34" vector-effect="non-scaling-stroke" .style=${"stroke:var(--ink);stroke-width:2.5"} />`)}</svg>
      </div>
      <p class="now">${this.say("disk.sum", { n: before.length + now.length, size: format.size(covered([...before, ...now])) })}</p>
      ${now.length === 0 ? html`<p class="now">${this.say("disk.none")}</p>` : this.#table(now)}</div>`;
  }

  #part(p: Part) {
    const f = p.filesystem;
    const name = p.number > 0 ? this.say("disk.partition", { n: p.number }) : p.number === 0 ? this.#disk : "";
    const type = [f?.type, f?.label || p.name].filter(Boolean).join(" · ");
    const title = [name || this.say("disk.room"), type, `${format.hex(p.start)} +${format.size(p.size)}`].filter(Boolean).join(" · ");
    return html`<div class="part ${p.number < 0 ? "room" : ""}" title=${title} .style="left:${p.left * 100}%;width:${p.width * 100}%">${
      p.number < 0 ? html`<b>&nbsp;</b>` : html`<b>${name}${type ? html` · ${type}` : nothing}</b>`}<span>${format.size(p.size)}</span></div>`;
  }

  #table(now: readonly Place[]) {
    return html`<table><thead><tr><th class="num">${this.say("evidence.offset")}</th><th class="num">${this.say("evidence.length")}</th><th>${this.say("disk.where")}</th><th>${this.say("evidence.field")}</th></tr></thead><tbody>${
      now.slice(0, shownMax).map((p) => {
        const part = this.#parts.findLast((q) => q.start <= p.off);
        const index = this.scene.step?.cites?.findIndex((c) => c.blob === this.#disk && c.off === p.off && c.len === p.len) ?? 0;
        return html`<tr><td class="num"><button class="link" @click=${() => this.ask({ do: "cite", index })}>${format.hex(p.off, 8)}</button></td><td class="num mono" title=${format.exact(p.len, this.lang)}>${
          format.size(p.len)}</td><td class="num">${part && part.number > 0 ? this.say("disk.within", { n: part.number, off: format.hex(p.off - part.start) }) : ""}</td><td class="what">${p.name}</td></tr>`;
      })}</tbody></table>${now.length > shownMax ? html`<p class="now">+${now.length - shownMax}</p>` : nothing}`;
  }
}

/** Marks of one stage as one path. */
function lines(list: readonly Place[]): Map<string, string> {
  const out = new Map<string, string>();
  for (const p of list) out.set(p.stage, `${out.get(p.stage) ?? ""}M${(p.x * 1000).toFixed(1)} 0V20`);
  return out;
}

define("bp-disk", BpDisk);
