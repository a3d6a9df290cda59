import { css, html, nothing } from "lit";
import { guard } from "lit/directives/guard.js";
import { pieces, plain } from "../ansi";
import type { Step } from "../wire.gen";
import { define, icon, Part, stageColour } from "./base";

const blockSize = 32; // steps

/** What a screen or serial port would show up to the current step. Plain text: it can be selected and copied. */
export class BpConsole extends Part {
  static override properties = { ...Part.properties, steps: { attribute: false }, at: { attribute: false }, copied: { state: true } };
  declare steps: readonly Step[];
  declare at: number;
  declare copied: boolean;
  #printing: readonly Step[] = []; // the steps that print
  #blocks: readonly (readonly Step[])[] = []; // the same
  #follows = true; // until its reader scrolls
  #observer = new ResizeObserver(() => this.#toEnd()); // the card above grows and shrinks

  constructor() {
    super();
    this.steps = [];
    this.at = 0;
    this.copied = false;
  }

  static override styles = [
    ...Part.styles,
    css`
      :host { display: flex; flex-direction: column; min-height: 0; position: relative; background: var(--sunken); }
      .copy { position: absolute; right: 14px; top: 4px; min-width: 28px; height: 26px; color: var(--ink-2); background: var(--sunken); z-index: 1; }
      .out { flex: 1; min-height: 0; overflow: auto; padding: 6px 0 12px; overscroll-behavior: contain; }
      pre { margin: 0; font: 400 0.8125rem/1.5 var(--mono); font-variant-ligatures: none; white-space: pre-wrap; overflow-wrap: anywhere; padding: 0 20px; tab-size: 8; color: var(--ink); }
      .block { content-visibility: auto; contain-intrinsic-size: auto 40px; }
      .chunk.now { background: var(--raised); box-shadow: -3px 0 var(--c); -webkit-box-decoration-break: clone; box-decoration-break: clone; }
      .page { display: block; border-top: 1px dashed var(--rule-2); margin: 8px 0; }
      .empty { padding: 10px 20px; color: var(--ink-2); }
      .bold { font-weight: 700; } .italic { font-style: italic; } .underline { text-decoration: underline; } .dim { color: var(--ink-2); } .reverse { background: var(--ink); color: var(--sunken); }
      .ansi-black, .ansi-bright-black { color: var(--ink-2); }
      .ansi-red, .ansi-bright-red { color: var(--stop); }
      .ansi-green, .ansi-bright-green { color: var(--stage-init); }
      .ansi-yellow, .ansi-bright-yellow { color: var(--stage-bootloader); }
      .ansi-blue, .ansi-bright-blue { color: var(--stage-kernel); }
      .ansi-magenta, .ansi-bright-magenta { color: var(--stage-firmware); }
      .ansi-cyan, .ansi-bright-cyan { color: var(--stage-mounts); }
      .ansi-black-bg, .ansi-blue-bg, .ansi-cyan-bg { background: var(--rule); }
      .ansi-white-bg, .ansi-bright-white-bg { background: var(--ink); color: var(--sunken); }
      .ansi-red-bg { background: var(--stop); color: var(--on-stage); }
    `,
  ];

  override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("steps")) return;
    this.#printing = this.steps.filter((s) => s.console);
    this.#blocks = cut(this.#printing);
  }

  override render() {
    const empty = (this.#printing[0]?.seq ?? Infinity) > this.at;
    return html`<button class="icon copy" ?hidden=${empty} title=${this.say(this.copied ? "console.copied" : "console.copy")} aria-label=${this.say(this.copied ? "console.copied" : "console.copy")}
        @click=${this.#copy}>${this.copied ? "✓" : icon("copy", 14)}</button>
      ${empty ? html`<p class="empty">${this.say("console.empty")}</p>` : nothing}
      <div class="out" role="group" tabindex="0" aria-label=${this.say("console.title")} ?hidden=${empty} @wheel=${this.#let} @touchmove=${this.#let} @keydown=${this.#let} @pointerdown=${this.#let}>
        <pre lang="en">${this.#shown()}</pre>
      </div>`;
  }

  /** A step of a long run lays out its block, and not thousands of lines. */
  #shown() {
    const out = [];
    for (const block of this.#blocks) {
      if ((block[0]?.seq ?? 0) > this.at) break;
      const last = block.findLastIndex((s) => s.seq <= this.at);
      const now = block[last]?.seq === this.at ? last : -1;
      out.push(html`<div class="block">${guard([block, last, now], () => block.slice(0, last + 1).map((s, i) => guard([s, i === now], () => this.#chunk(s))))}</div>`);
    }
    return out;
  }

  #chunk(s: Step) {
    return html`<span class="chunk ${s.seq === this.at ? "now" : ""}" .style="--c:${stageColour(s.stage)}" @click=${() => this.#pick(s)}>${
      pieces(s.console ?? "").map((p) => p.text.split("\f").map((t, i) => html`${i > 0 ? html`<span class="page"></span>` : nothing}${p.classes ? html`<span class=${p.classes}>${t}</span>` : t}`))}</span>`;
  }

  /** A click goes to the step that printed the line, unless it ends a selection. */
  #pick(s: Step): void {
    const selection = (this.shadowRoot as ShadowRoot & { getSelection?(): Selection | null }).getSelection?.() ?? document.getSelection();
    if (selection?.type !== "Range") this.ask({ do: "seek", to: s.seq });
  }

  override firstUpdated(): void {
    // Blocks get their height when they come into view; then the end is elsewhere.
    const pre = this.renderRoot.querySelector("pre");
    if (pre) this.#observer.observe(pre);
  }

  override updated(changed: Map<string, unknown>): void {
    if (!changed.has("at") && !changed.has("steps")) return;
    this.#follows = true;
    this.#toEnd();
  }

  #let = (): void => {
    this.#follows = false;
  };

  #toEnd(): void {
    const out = this.renderRoot.querySelector(".out");
    if (out && this.#follows) out.scrollTop = out.scrollHeight;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#observer.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
  }

  async #copy(): Promise<void> {
    const text = this.#printing.filter((s) => s.seq <= this.at).map((s) => plain(s.console ?? "")).join("");
    await navigator.clipboard.writeText(text);
    this.copied = true;
    setTimeout(() => (this.copied = false), 1500);
  }
}

/** Cuts what was printed into blocks, between lines only. */
function cut(printing: readonly Step[]): Step[][] {
  const out: Step[][] = [];
  let open = false;
  for (const s of printing) {
    if (open) out.at(-1)?.push(s);
    else out.push([s]);
    open = (out.at(-1)?.length ?? 0) < blockSize || !s.console?.endsWith("\n");
  }
  return out;
}

define("bp-console", BpConsole);
