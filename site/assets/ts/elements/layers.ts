import { css, html, nothing } from "lit";
import * as format from "../format";
import type { AppImage, Layer } from "../wire.gen";
import { View } from "./view";

/** The layers of the chosen image, the latest on top, as they lie over each other in the container. */
export class BpLayers extends View {
  static override styles = [
    ...View.styles,
    css`
      ol { padding: 10px 16px 0; display: grid; gap: 3px; }
      li { border: 1px solid var(--rule-2); border-radius: 3px; padding: 6px 10px; background: var(--raised); display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 12px; align-items: baseline; }
      li.upper { border-style: dashed; background: none; }
      .by { font-family: var(--mono); overflow-wrap: anywhere; }
      .digest { color: var(--ink-2); font-family: var(--mono); }
      .bar { grid-column: 1 / -1; height: 4px; margin-top: 5px; background: var(--rule); }
      .bar i { display: block; height: 4px; background: var(--stage-resolve); min-width: 2px; }
    `,
  ];

  get #image(): AppImage | undefined {
    const images = this.scene.inspection?.images ?? [];
    const chosen = this.scene.facts?.image ?? "";
    return images.find((i) => chosen === `${i.ref} ${i.platform}`) ?? images.find((i) => chosen.includes(i.platform)) ?? images[0];
  }

  override render() {
    const image = this.#image;
    if (!image) return html`<p class="now">${this.say("state.empty")}</p>`;
    const most = Math.max(1, ...image.layers.map((l) => l.size));
    const total = image.layers.reduce((n, l) => n + l.size, 0);
    return html`<p class="now">${this.say("layers.sum", { n: image.layers.length, size: format.size(total), ref: [image.ref, image.platform].filter(Boolean).join(" ") })}</p>
      <ol><li class="upper"><span>${this.say("layers.upper")}</span><span class="quiet">0 B</span></li>${image.layers.toReversed().map((l, i) => this.#layer(l, image.layers.length - i, most))}</ol>`;
  }

  #layer(l: Layer, n: number, most: number) {
    return html`<li><span class="by">${l.created_by || this.say("layers.unnamed")}</span><span class="num" title=${format.exact(l.size, this.lang)}>${format.size(l.size)}</span>
      <span class="digest" title=${l.digest}>${n} · ${l.digest.replace("sha256:", "").slice(0, 12)}</span>${nothing}
      <span class="bar"><i style="width:${(l.size / most) * 100}%"></i></span></li>`;
  }
}

customElements.define("bp-layers", BpLayers);
