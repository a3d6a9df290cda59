import { css, html, LitElement, svg, unsafeCSS, type CSSResultGroup, type PropertyDeclarations } from "lit";
import tokens from "../../css/tokens.css";
import { ask, type PlayerRequest } from "../requests";
import type { Reason } from "../wire.gen";
import { langOf, say, why, type Args, type Key, type Lang } from "../words";

const shared = [
  unsafeCSS(tokens),
  css`
    :host { box-sizing: border-box; font: 400 var(--t2) / 1.45 var(--sans); color: var(--ink); }
    :host([hidden]), [hidden] { display: none !important; }
    *, ::before, ::after { box-sizing: border-box; }
    button, select, input, textarea { font: inherit; color: inherit; }
    button { cursor: pointer; background: none; border: 0; padding: 0; text-align: inherit; }
    button:disabled { cursor: default; color: var(--rule-2); }
    :focus-visible { outline: 2px solid var(--focus); outline-offset: 1px; }
    h2, h3, p, ol, ul, dl, dd, figure { margin: 0; padding: 0; font-size: inherit; font-weight: inherit; }
    ol, ul { list-style: none; }
    .mono { font-family: var(--mono); font-size: var(--t1); font-variant-numeric: tabular-nums; }
    .num { text-align: right; font-variant-numeric: tabular-nums; }
    .quiet { color: var(--ink-2); }
    .link { text-decoration: underline; text-decoration-color: var(--rule-2); text-decoration-thickness: 1px; text-underline-offset: 0.2em; }
    .link:hover { text-decoration-color: currentColor; }
    .icon { display: inline-grid; place-items: center; min-width: 32px; height: 32px; border-radius: 4px; }
    .icon:hover:not(:disabled), .chip:hover:not(:disabled) { background: var(--sunken); }
    .push { padding: 3px 12px; border: 1px solid var(--rule-2); border-radius: 4px; background: var(--raised); min-height: 28px; }
    .push:hover { background: var(--sunken); }
    .push.main { background: var(--ink); border-color: var(--ink); color: var(--paper); }
    .head { font-size: var(--t1); color: var(--ink-2); font-weight: 600; }
    svg { display: block; fill: currentColor; }
    .sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
    @media (prefers-reduced-motion: no-preference) {
      .moves { transition: background-color 120ms, color 120ms, opacity 120ms; }
    }
  `,
];

/** A part of the player: it has a language and asks the player for things. */
export class Part extends LitElement {
  static override properties: PropertyDeclarations = { lang: { attribute: false } };
  static override styles: CSSResultGroup[] = [shared];
  declare lang: Lang;

  constructor() {
    super();
    this.lang = "en";
  }

  /** A part whose script came late was given its language when it was a plain element: as the attribute lang. */
  override connectedCallback(): void {
    super.connectedCallback();
    const tag = this.getAttribute("lang");
    if (!tag) return;
    this.removeAttribute("lang");
    this.lang = langOf(tag);
  }

  protected say(key: Key, args?: Args): string {
    return say(this.lang, key, args);
  }

  protected why(reason: Reason | null | undefined): string {
    return why(this.lang, reason);
  }

  protected ask(request: PlayerRequest): void {
    ask(this, request);
  }
}

export const sharedStyles = shared;

/** Makes an element known. A view's is in its own script and in more.js, of which a page may load both. */
export function define(tag: string, element: CustomElementConstructor): void {
  if (!customElements.get(tag)) customElements.define(tag, element);
}

/** Icons are drawn on a 16 px grid. */
const paths = {
  first: "M3 3h2v10H3zM13 3v10L6 8z",
  stageback: "M8 3v10L2.500 8zM14 3v10L8.500 8z",
  stage: "M2 3v10l5.500-5zM8 3v10l5.500-5z",
  back: "M11 3v10L4 8z",
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  forward: "M3 3v10l6-5zM11 3h2v10h-2z",
  last: "M3 3v10l7-5zM11 3h2v10h-2z",
  link: "M6.6 11.3 5.4 12.5a1.7 1.7 0 0 1-2.4-2.4l2.6-2.6a1.7 1.7 0 0 1 2.4 0l1-1a3.1 3.1 0 0 0-4.4 0L2 9.1A3.1 3.1 0 0 0 6.4 13.500l1.5-1.500zM9.400 4.700l1.200-1.200a1.700 1.700 0 0 1 2.400 2.400l-2.600 2.600a1.700 1.700 0 0 1-2.400 0l-1 1a3.100 3.100 0 0 0 4.400 0L14 6.900A3.100 3.100 0 0 0 9.600 2.500L8.100 4z",
  save: "M7 2h2v6h2.500L8 11.500 4.500 8H7zM3 12.500h10V14H3z",
  cite: "M7.250 1h1.500v2.060A5 5 0 0 1 12.940 7.250H15v1.500h-2.060a5 5 0 0 1-4.190 4.190V15h-1.500v-2.060a5 5 0 0 1-4.190-4.190H1v-1.500h2.060a5 5 0 0 1 4.190-4.190zM8 4.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM8 7a1 1 0 1 1 0 2 1 1 0 0 1 0-2z",
  down: "M3.500 6 8 10.500 12.500 6z",
  left: "M10.500 3.500 6 8l4.500 4.500z",
  right: "M5.500 3.500 10 8l-4.500 4.500z",
  close: "M4 3l4 4 4-4 1 1-4 4 4 4-1 1-4-4-4 4-1-1 4-4-4-4z",
  list: "M2 3h2v2H2zM6 3.250h8v1.500H6zM2 7h2v2H2zM6 7.250h8v1.500H6zM2 11h2v2H2zM6 11.250h8v1.500H6z",
  flag: "M3 1.500h1.500V15H3zM5.500 2H13l-2 3 2 3H5.500z",
  split: "M2 3h12v10H2zm1.200 1.200v3.200h9.600V4.200zm0 4.400v3.200h9.600V8.600z",
  plus: "M7.250 3h1.500v4.250H13v1.500H8.750V13h-1.500V8.750H3v-1.500h4.250z",
  minus: "M3 7.250h10v1.500H3z",
  fit: "M2 2h1.500v12H2zM12.500 2H14v12h-1.500zM4.500 8l3-3v2.250h1V5l3 3-3 3V8.750h-1V11z",
  lanes: "M2 3h6v2H2zM6 7h8v2H6zM4 11h7v2H4z",
  copy: "M5 2h8v9h-2v-1.200h.800V3.200H6.200V4H5zM3 5h7v9H3zm1.200 1.200v6.600h4.600V6.200z",
} as const;

export type Icon = keyof typeof paths;

export const icon = (name: Icon, size = 16) =>
  html`<svg viewBox="0 0 16 16" width=${size} height=${size} aria-hidden="true">${svg`<path d=${paths[name]} />`}</svg>`;

export const stageColour = (stage: string) => `var(--stage-${stage})`;
