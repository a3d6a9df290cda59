import { css, html, nothing } from "lit";
import * as format from "../format";
import type { AppImage, ChangeListing, Layer, LayerChange } from "../wire.gen";
import { define, icon } from "./base";
import { View } from "./view";

/** The layers of the chosen image, the latest on top, as they lie over each other in the container. */
export class BpLayers extends View {
  static override properties = { ...View.properties, changes: { attribute: false }, open: { state: true } };
  declare changes: ChangeListing | null; // of the layer that was asked for last
  declare open: number; // the layer whose changes are shown

  constructor() {
    super();
    this.changes = null;
    this.open = -1;
  }

  static override styles = [
    ...View.styles,
    css`
      dl.sum { display: flex; flex-wrap: wrap; gap: 4px 24px; padding: 10px 16px 6px; }
      dl.sum div { display: grid; } dl.sum dt { color: var(--ink-2); } dl.sum dd { font-size: 0.9375rem; font-weight: 650; font-variant-numeric: tabular-nums; }
      ol.stack { padding: 4px 16px 0; display: grid; gap: 3px; }
      ol.stack > li { border: 1px solid var(--rule-2); border-radius: 3px; background: var(--raised); }
      li.upper { border-style: dashed !important; background: none !important; padding: 6px 10px; display: flex; justify-content: space-between; gap: 12px; }
      .layer { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 0 10px; align-items: baseline; padding: 6px 10px; width: 100%; }
      .layer:hover { background: var(--sunken); }
      .layer svg { align-self: center; color: var(--ink-2); } [aria-expanded="true"] svg { transform: rotate(180deg); }
      .by { font-family: var(--mono); overflow-wrap: anywhere; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; line-clamp: 2; overflow: hidden; }
      [aria-expanded="true"] .by { display: block; }
      .facts { grid-column: 2 / -1; color: var(--ink-2); display: flex; flex-wrap: wrap; gap: 0 14px; font-variant-numeric: tabular-nums; }
      .bar { grid-column: 2 / -1; display: flex; height: 6px; margin-top: 5px; background: var(--rule); }
      .bar i { display: block; height: 6px; background: var(--stage-mounts); min-width: 2px; }
      .bar i.hidden { background: var(--hatch); min-width: 0; outline: 1px solid var(--rule-2); }
      .changes { border-top: 1px solid var(--rule); padding: 4px 10px 8px 32px; max-height: 320px; overflow: auto; }
      .changes li { display: grid; grid-template-columns: 1.2em minmax(0, 1fr) auto; gap: 0 6px; line-height: 22px; }
      .changes .path { font-family: var(--mono); overflow-wrap: anywhere; min-height: 22px; }
      .sign { font-family: var(--mono); font-weight: 700; }
      .removed { box-shadow: none; } .removed .path { text-decoration: line-through; } .added { background: none; box-shadow: none; animation: none; }
    `,
  ];

  get #image(): AppImage | undefined {
    const images = this.scene.inspection?.images ?? [];
    const chosen = this.scene.facts?.image ?? "";
    return images.find((i) => chosen === `${i.ref} ${i.platform}`) ?? images[0];
  }

  override render() {
    const image = this.#image;
    if (!image) return html`<p class="now">${this.say("state.empty")}</p>`;
    const most = Math.max(1, ...image.layers.map(volume));
    const sum = (key: "layers.stored" | "layers.unpacked" | "layers.wasted" | "layers.hidden", n: number | undefined) => n === undefined ? nothing : html`<div><dt>${this.say(key)}</dt><dd title=${format.exact(n, this.lang)}>${format.size(n)}</dd></div>`;
    return html`<dl class="sum"><div><dt>${[image.ref, image.platform].filter(Boolean).join(" ")}</dt><dd>${this.say("bar.layers", { n: image.layers.length })}</dd></div>
        ${sum("layers.stored", image.layers.reduce((n, l) => n + (l.size ?? 0), 0))}${sum("layers.unpacked", image.unpacked_size || undefined)}${sum("layers.wasted", image.wasted_bytes)}${sum("layers.hidden", image.hidden_bytes)}
        ${image.efficiency === undefined ? nothing : html`<div><dt>${this.say("layers.efficiency")}</dt><dd>${(image.efficiency * 100).toFixed(image.efficiency === 1 ? 0 : 1)} %</dd></div>`}</dl>
      <ol class="stack" reversed><li class="upper"><span>${this.say("layers.upper")}</span></li>${image.layers.map((l, i) => this.#layer(l, i, most)).reverse()}</ol>
      ${this.#settings(image)}`;
  }

  /** Build steps that made no layer: they only changed the config. */
  #settings(image: AppImage) {
    const steps = (image.history ?? []).filter((h) => h.layer < 0);
    return steps.length === 0 ? nothing : html`<p class="now" .style=${"padding-bottom:0"}>${this.say("layers.config")}</p><ul .style=${"padding:2px 16px 0"}>${steps.map((h) => html`<li class="by mono">${h.created_by}</li>`)}</ul>`;
  }

  #layer(l: Layer, n: number, most: number) {
    const open = this.open === n;
    const share = (bytes: number) => `${(bytes / most) * 100}%`;
    const hidden = l.hidden_bytes ?? 0;
    return html`<li><button class="layer" aria-expanded=${open} @click=${() => this.#toggle(n)}><span class="quiet">${n + 1}</span><span class="by">${l.created_by || this.say("layers.unnamed")}</span>${icon("down", 12)}
      <span class="facts"><span title=${l.digest}>${l.digest.replace("sha256:", "").slice(0, 12)}</span><span title=${format.exact(volume(l), this.lang)}>${format.size(volume(l))}${l.compression ? html` (${format.size(l.size)} ${l.compression})` : nothing}</span>
        ${this.#count("layers.added", l.added)}${this.#count("layers.changed", l.changed)}${this.#count("layers.removed", l.removed)}${hidden > 0 ? html`<span>${this.say("layers.hides", { size: format.size(hidden) })}</span>` : nothing}</span>
      <span class="bar"><i .style="width:${share(volume(l) - hidden)}"></i><i class="hidden" .style="width:${share(hidden)}"></i></span></button>${open ? this.#changed(n) : nothing}</li>`;
  }

  #count(key: "layers.added" | "layers.changed" | "layers.removed", n: number | undefined) {
    return n ? html`<span>${this.say(key, { n })}</span>` : nothing;
  }

  #toggle(n: number): void {
    this.open = this.open === n ? -1 : n;
    if (this.open >= 0) this.ask({ do: "changes", layer: n });
  }

  #changed(n: number) {
    const c = this.changes;
    if (c?.layer !== n) return html`<p class="changes quiet">${this.say("files.loading")}</p>`;
    return html`<ul class="changes" tabindex="0" role="group" aria-label=${this.say("layers.changes", { n: n + 1 })}>${c.changes.filter((x) => x.copy?.type !== "directory" || x.action !== "changed").map((x) => this.#change(x, n))}${
      c.total > c.changes.length ? html`<li><span></span><span class="quiet">${this.say("files.more", { n: c.total - c.changes.length })}</span></li>` : nothing}</ul>`;
  }

  #change(x: LayerChange, n: number) {
    const sign = { added: "+", changed: "~", removed: "−" }[x.action];
    return html`<li class=${x.action}><span class="sign" title=${this.say(`state.${x.action === "changed" ? "edited" : x.action}`)}>${sign}</span>${x.copy?.type === "file" ? html`<button class="path link" @click=${() => this.ask({ do: "file", path: x.path, layer: n })}>${x.path}</button>`
      : html`<span class="path">${x.path}${x.copy?.type === "directory" ? "/" : ""}</span>`}<span class="num quiet">${x.bytes > 0 ? format.size(x.bytes) : ""}</span></li>`;
  }
}

/** What a layer weighs: unpacked, or as it is stored when it could not be unpacked. */
const volume = (l: Layer) => l.unpacked_size || l.size || 0;

define("bp-layers", BpLayers);
