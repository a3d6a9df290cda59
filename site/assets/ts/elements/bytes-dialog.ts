import { css, html, LitElement, nothing, unsafeCSS } from "lit";
import tokens from "../../css/tokens.css";
import type { Engine } from "../engine";
import { RequestEvent } from "../requests";
import type { Cite } from "../wire.gen";
import { say, type Lang } from "../words";
import { icon, sharedStyles } from "./base";
import type { Fetched } from "./evidence";
import "./evidence";

/** Citations to look at, and the engine that has their bytes. */
export interface Shown {
  title: string;
  cites: readonly Cite[];
  stage: string;
  side: "left" | "right";
  engine: Promise<Engine>;
}

/** The bytes behind a fact, over the page that states it. */
export class BpBytesDialog extends LitElement {
  static override properties = { lang: { attribute: false }, shown: { state: true }, index: { state: true }, fetched: { state: true } };
  declare lang: Lang;
  declare shown: Shown | null;
  declare index: number;
  declare fetched: Fetched | null;

  constructor() {
    super();
    this.lang = "en";
    this.shown = null;
    this.index = 0;
    this.fetched = null;
    this.addEventListener(RequestEvent.type, (e) => this.#asked(e as RequestEvent));
  }

  static override styles = [
    ...sharedStyles,
    unsafeCSS(tokens),
    css`
      dialog { width: min(760px, calc(100vw - 16px)); max-height: 86dvh; padding: 0; border: 1px solid var(--rule-2); border-radius: 6px; background: var(--paper); color: inherit; overflow: auto; }
      dialog::backdrop { background: color-mix(in srgb, #101418 45%, transparent); }
      header { position: sticky; top: 0; z-index: 1; display: flex; gap: 12px; align-items: center; padding: 8px 8px 8px 16px; background: var(--paper); border-bottom: 1px solid var(--rule); }
      h2 { flex: 1; min-width: 0; font-weight: 650; overflow-wrap: anywhere; }
    `,
  ];

  show(shown: Shown): void {
    this.shown = shown;
    this.index = 0;
    this.fetched = null;
    void this.updateComplete.then(() => this.#dialog?.showModal());
  }

  get #dialog(): HTMLDialogElement | null {
    return this.renderRoot.querySelector("dialog");
  }

  override render() {
    const s = this.shown;
    return html`<dialog aria-labelledby="title" @close=${() => (this.shown = null)} @click=${(e: Event) => e.target === this.#dialog && this.#dialog?.close()}>
      <header><h2 id="title">${s?.title ?? ""}</h2><button class="icon" aria-label=${say(this.lang, "search.close")} title=${say(this.lang, "search.close")} @click=${() => this.#dialog?.close()}>${icon("close")}</button></header>
      ${s ? html`<bp-evidence .lang=${this.lang} .cites=${s.cites} .index=${this.index} .stage=${s.stage} .fetched=${this.fetched} .engine=${true}></bp-evidence>` : nothing}
    </dialog>`;
  }

  async #asked(e: RequestEvent): Promise<void> {
    e.stopPropagation();
    const r = e.request;
    const s = this.shown;
    if (r.do === "cite") this.index = r.index;
    if (r.do !== "bytes" || !s) return;
    const range = { blob: r.blob, off: r.off, len: r.len };
    try {
      const answer = await (await s.engine).bytes(r.blob, r.off, r.len, s.side);
      if (this.shown === s) this.fetched = { ...range, ...answer };
    } catch (err) {
      if (this.shown === s) this.fetched = { ...range, error: err instanceof Error ? err.message : String(err) };
    }
  }
}

customElements.define("bp-bytes-dialog", BpBytesDialog);
