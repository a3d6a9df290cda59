import { css, html, nothing, type TemplateResult } from "lit";
import * as format from "../format";
import { hexBytes, patchedBytes, type Patch } from "../patches";
import type { Chunk, Cite, Span } from "../wire.gen";
import { define, icon, Part, stageColour } from "./base";

/** Bytes that the player fetched for a range this element asked for. */
export interface Fetched {
  blob: string;
  off: number;
  len: number;
  chunk?: Chunk;
  bytes?: Uint8Array;
  error?: string;
}

type View = "hex" | "text";

const before = 64; // bytes shown ahead of a citation
const shownMax = 1024; // of a citation; a kernel is cited as a whole
const grow = 256;

/** The bytes that decided the step: as hexadecimal with decoded fields, or as text; and where they came from. */
export class BpEvidence extends Part {
  static override properties = {
    ...Part.properties,
    cites: { attribute: false }, index: { attribute: false }, stage: { attribute: false }, fetched: { attribute: false }, engine: { attribute: false }, offered: { attribute: false }, writable: { attribute: false }, patches: { attribute: false }, poking: { state: true }, pokeAt: { state: true }, wrong: { state: true },
    parent: { state: true }, extraBefore: { state: true }, extraAfter: { state: true }, chosen: { state: true }, columns: { state: true },
  };
  declare cites: readonly Cite[];
  declare index: number;
  declare stage: string;
  declare fetched: Fetched | null;
  declare engine: boolean; // the engine holds the image: bytes can be asked for
  declare offered: boolean; // bytes can be had, at the price of loading the engine
  declare writable: string; // the blob whose bytes may be changed: the disk or the archive
  declare patches: readonly Patch[]; // of these bytes among others
  declare poking: boolean;
  declare pokeAt: number; // offset of the byte that was pointed at, -1: the citation's first
  declare wrong: boolean; // what was typed is no bytes
  declare parent: Span | null; // what was followed into the parent blob
  declare extraBefore: number;
  declare extraAfter: number;
  declare chosen: View | null;
  declare columns: number;
  #asked = "";
  #observer = new ResizeObserver(([e]) => (this.columns = (e?.contentRect.width ?? 0) < 545 ? 8 : 16));

  constructor() {
    super();
    this.cites = [];
    this.index = 0;
    this.stage = "kernel";
    this.fetched = null;
    this.engine = this.offered = false;
    this.writable = "";
    this.patches = [];
    this.poking = this.wrong = false;
    this.pokeAt = -1;
    this.parent = null;
    this.extraBefore = 0;
    this.extraAfter = 0;
    this.chosen = null;
    this.columns = 16;
  }

  static override styles = [
    ...Part.styles,
    css`
      :host { display: block; }
      .where { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 8px; padding: 8px 16px 6px; }
      .where .blob { font-weight: 600; overflow-wrap: anywhere; font-family: var(--mono); font-size: var(--t1); }
      .views { margin-left: auto; display: flex; align-items: center; }
      .views button { min-height: 24px; padding: 0 8px; font-size: var(--t1); color: var(--ink-2); border-radius: 3px; }
      .views button[aria-pressed="true"] { color: var(--ink); font-weight: 650; text-decoration: underline; text-underline-offset: 4px; text-decoration-thickness: 2px; text-decoration-color: var(--c); }
      .views .icon { min-width: 24px; height: 24px; padding: 0; color: var(--ink); }
      .note { padding: 0 16px 8px; color: var(--ink-2); font-size: var(--t1); }
      .dump { font: 400 0.75rem/1.55 var(--mono); font-variant-ligatures: none; padding: 4px 16px; overflow-x: auto; background: var(--sunken); border-block: 1px solid var(--rule); }
      .row { display: flex; white-space: pre; width: max-content; }
      .off { color: var(--ink-2); padding-right: 1.2em; user-select: none; }
      .b { padding: 0 0.25em; }
      .b:nth-child(8n + 2):not(:nth-child(2)) { margin-left: 0.6em; }
      .asc { padding-left: 1em; }
      .now { font-weight: 700; text-decoration: underline; text-decoration-thickness: 2px; text-underline-offset: 3px; }
      .changed { display: flex; flex-wrap: wrap; align-items: center; gap: 0 8px; padding: 0 16px 6px; font-size: var(--t1); } .changed code { font-family: var(--mono); } .changed button { min-height: 24px; }
      .z { color: var(--ink-2); font-weight: 300; }
      .in.z { color: inherit; }
      .in { background: color-mix(in oklab, var(--c) 16%, transparent); }
      .in.sel { background: color-mix(in oklab, var(--c) 30%, transparent); }
      .in.sel.few { background: var(--c); color: var(--on-stage); }
      .poking .b { cursor: pointer; } .poking .b:hover, .poked { outline: 1.5px solid var(--ink); }
      .poke { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; padding: 0 16px 8px; font-size: var(--t1); }
      .poke label { font-family: var(--mono); display: inline-flex; align-items: center; gap: 8px; flex: 1 1 240px; }
      .poke input { flex: 1; min-width: 0; border: 1px solid var(--rule-2); border-radius: 4px; background: var(--raised); padding: 2px 8px; min-height: 28px; font: 400 0.8125rem var(--mono); }
      .more { display: block; width: 100%; font-size: var(--t1); color: var(--ink-2); padding: 2px 0; min-height: 24px; font-family: var(--sans); }
      .more:hover { color: var(--ink); }
      .dump pre { margin: 0; font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; }
      table { width: 100%; border-collapse: collapse; font-size: var(--t1); }
      th { text-align: left; font-weight: 600; color: var(--ink-2); padding: 6px 8px 4px 0; }
      td { padding: 0 8px 0 0; border-top: 1px solid var(--rule); vertical-align: baseline; height: 24px; }
      td:first-child, th:first-child { padding-left: 16px; width: 1%; }
      td:last-child, th:last-child { padding-right: 16px; }
      td.v { font-family: var(--mono); overflow-wrap: anywhere; }
      tr.sel td { background: color-mix(in oklab, var(--c) 12%, var(--paper)); }
      tr.other { cursor: pointer; } tr.other:hover td { background: var(--sunken); }
      td button { min-height: 24px; font-family: var(--mono); }
      .from { padding: 10px 16px 14px; font-size: var(--t1); }
      .from li { min-height: 24px; }
      .from button { font-family: var(--mono); min-height: 24px; }
      .back { display: flex; align-items: center; gap: 4px; padding: 8px 16px 0; min-height: 24px; font-size: var(--t1); }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    this.#observer.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
  }

  /** What is looked at: the citation, or the parent's bytes that were followed. */
  get #span(): Span | undefined {
    return this.parent ?? this.cites[this.index];
  }

  get #range(): { blob: string; off: number; len: number } | null {
    const s = this.#span;
    if (!s) return null;
    const from = Math.max(0, Math.floor((s.off - before - this.extraBefore) / 16) * 16);
    const to = Math.ceil((s.off + Math.min(s.len, shownMax) + before * 2 + this.extraAfter) / 16) * 16;
    return { blob: s.blob, off: from, len: to - from };
  }

  override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("cites") || changed.has("index")) {
      this.parent = null;
      this.extraBefore = this.extraAfter = 0;
      this.chosen = null;
      this.pokeAt = -1;
      this.wrong = false;
    }
  }

  override updated(): void {
    const r = this.#range;
    const key = r && this.engine ? JSON.stringify(r) : "";
    if (key === this.#asked) return;
    this.#asked = key;
    if (r && this.engine) this.ask({ do: "bytes", ...r });
  }

  override render() {
    const s = this.#span;
    if (!s) return html`<p class="note" .style=${"padding-top:12px"}>${this.say("evidence.none")}</p>`;
    const f = this.fetched;
    const have = f && f.blob === s.blob && f.off === this.#range?.off ? f : null;
    const view = this.chosen ?? (have?.bytes && looksLikeText(have.bytes, s, have.off) ? "text" : "hex");
    return html`<div .style="--c:${stageColour(this.stage)}">
      ${this.parent ? html`<button class="back link" @click=${() => this.#follow(null)}>${icon("left", 12)}${this.say("evidence.back", { blob: this.cites[this.index]?.blob ?? "" })}</button>` : nothing}
      <div class="where">
        <span class="blob">${s.blob}</span>
        <span class="mono" title=${format.exact(s.off, this.lang)}>${format.hex(s.off, 8)}</span>
        <span class="mono quiet" title=${format.exact(s.len, this.lang)}>+${s.len < 4096 ? s.len : format.size(s.len)}</span>
        <span class="views">
          ${(["hex", "text"] as const).map((v) => html`<button aria-pressed=${v === view} @click=${() => (this.chosen = v)}>${this.say(`evidence.${v}`)}</button>`)}
          ${this.writable === s.blob && this.engine ? html`<button aria-pressed=${this.poking} @click=${() => { this.poking = !this.poking; if (this.poking) this.chosen = "hex"; }}>${this.say("evidence.poke")}</button>` : nothing}
          ${this.cites.length > 1 ? this.#pager() : nothing}
        </span>
      </div>
      ${s.len > shownMax ? html`<p class="note">${this.say("evidence.first", { n: format.size(shownMax), of: format.size(s.len) })}</p>` : nothing}
      ${this.poking && this.writable === s.blob ? this.#poke(have, s) : nothing}
      ${this.#changed(have)}
      <div class="dump ${this.poking ? "poking" : ""}" @click=${this.#point} tabindex="0" role="group" aria-label=${this.say("evidence.title")}>${this.#dump(have, s, view)}</div>
      ${this.#fields()}
      ${this.#from(have?.chunk)}
    </div>`;
  }

  #pager() {
    const n = this.cites.length;
    const go = (d: number) => this.ask({ do: "cite", index: (this.index + d + n) % n });
    return html`<button class="icon" aria-label=${this.say("evidence.previous")} title=${this.say("evidence.previous")} @click=${() => go(-1)}>${icon("left", 12)}</button><span
      class="mono">${this.index + 1}/${n}</span><button class="icon" aria-label=${this.say("evidence.next")} title=${this.say("evidence.next")} @click=${() => go(1)}>${icon("right", 12)}</button>`;
  }

  #dump(f: Fetched | null, s: Span, view: View): TemplateResult {
    if (f?.error) return html`<p class="quiet">${this.say("evidence.failed", { message: f.error })}</p>`;
    if (!f?.bytes && !this.engine && this.offered) return html`<button class="push" @click=${() => this.ask({ do: "wake" })}>${this.say("evidence.read")}</button>`;
    if (!f?.bytes || !f.chunk) return html`<p class="quiet">${this.say(this.engine ? "evidence.loading" : "evidence.waiting")}</p>`;
    const end = f.off + f.bytes.length;
    return html`
      ${f.off > 0 ? html`<button class="more" @click=${() => (this.extraBefore += grow)}>↑ ${this.say("evidence.earlier")}</button>` : nothing}
      ${view === "hex" ? this.#hex(this.#seen(f), f.off, s, f.bytes) : this.#text(this.#seen(f), f.off, s)}
      ${end < f.chunk.size ? html`<button class="more" @click=${() => (this.extraAfter += grow)}>↓ ${this.say("evidence.later")}</button>` : nothing}`;
  }

  /** 2: the byte belongs to what is looked at; 1: to another citation of the step; 0: to none. */
  #mark(at: number, s: Span): 0 | 1 | 2 {
    if (at >= s.off && at < s.off + s.len) return 2;
    return !this.parent && this.cites.some((c) => c.blob === s.blob && at >= c.off && at < c.off + c.len) ? 1 : 0;
  }

  /** The bytes as the run had them. */
  #seen(f: { blob: string; off: number; bytes?: Uint8Array }): Uint8Array {
    return f.bytes && f.blob === this.writable ? patchedBytes(f.bytes, f.off, this.patches) : (f.bytes ?? new Uint8Array());
  }

  /** What was changed among the bytes shown, each with a way back. */
  #changed(f: Fetched | null) {
    if (!f?.bytes || f.blob !== this.writable) return nothing;
    const bytes = f.bytes;
    const here = this.patches.filter((p): p is Patch & { is: "bytes" } => p.is === "bytes" && p.on && p.off < f.off + bytes.length && p.off + p.data.length / 2 > f.off);
    const spaced = (b: Iterable<number>) => [...b].map((x) => x.toString(16).padStart(2, "0")).join(" ");
    return here.map((p) => html`<p class="changed">${format.hex(p.off)} <del><code>${spaced(bytes.subarray(Math.max(0, p.off - f.off), p.off - f.off + p.data.length / 2))}</code></del> <code>${p.data.replace(/(..)(?=.)/g, "$1 ")}</code>
      <button class="link" @click=${() => this.ask({ do: "patches", patches: this.patches.map((q) => (q === p ? { ...q, on: false } : q)) })}>${this.say("files.off")}</button></p>`);
  }

  /** was: the bytes without changes. */
  #hex(bytes: Uint8Array, off: number, s: Span, was: Uint8Array) {
    const digits = Math.max(8, (off + bytes.length).toString(16).length);
    const out: TemplateResult[] = [];
    const marks = ["", "in", s.len <= 64 ? "in sel few" : "in sel"];
    for (let r = 0; r < bytes.length; r += this.columns) {
      const row = [...bytes.subarray(r, r + this.columns)];
      const cells = row.map((b, i) => html`<span data-at=${off + r + i} class="b ${marks[this.#mark(off + r + i, s)]} ${b === 0 ? "z" : ""} ${b !== was[r + i] ? "now" : ""} ${this.poking && off + r + i === this.pokeAt ? "poked" : ""}">${b.toString(16).padStart(2, "0")}</span>`);
      const chars = row.map((b, i) => html`<span class="${marks[this.#mark(off + r + i, s)]} ${b < 32 || b > 126 ? "z" : ""}">${b < 32 || b > 126 ? "·" : String.fromCharCode(b)}</span>`);
      const pad = (row.length < this.columns ? " ".repeat((this.columns - row.length) * 2) : "");
      out.push(html`<div class="row"><span class="off">${(off + r).toString(16).padStart(digits, "0")}</span>${cells}${pad}<span class="asc" aria-hidden="true">${chars}</span></div>`);
    }
    return out;
  }

  /** A form that puts other bytes where the citation, or the byte that was pointed at, lies. */
  #poke(f: Fetched | null, s: Span) {
    const at = this.pokeAt >= 0 ? this.pokeAt : s.off;
    const len = this.pokeAt >= 0 ? 1 : Math.min(s.len, 16);
    const now = f?.bytes ? [...this.#seen(f).subarray(at - f.off, at - f.off + len)].map((b) => b.toString(16).padStart(2, "0")).join(" ") : "";
    return html`<form class="poke" @submit=${(e: SubmitEvent) => this.#put(e, at)}><label>${format.hex(at, 8)} <input name="data" .value=${now} spellcheck="false" autocomplete="off" aria-label=${this.say("change.hex")} /></label>
      <button class="push">${this.say("evidence.poke.do")}</button><span class="quiet">${this.say(this.wrong ? "change.bytes.wrong" : "evidence.poke.hint")}</span></form>`;
  }

  #point(e: Event): void {
    const at = (e.target as HTMLElement).dataset?.["at"];
    if (this.poking && at !== undefined) this.pokeAt = Number(at);
  }

  #put(e: SubmitEvent, off: number): void {
    e.preventDefault();
    const data = hexBytes(String(new FormData(e.target as HTMLFormElement).get("data") ?? ""));
    this.wrong = data === null;
    if (data === null) return;
    this.poking = false;
    this.ask({ do: "poke", off, data });
  }

  #text(bytes: Uint8Array, off: number, s: Span) {
    const d = new TextDecoder();
    const a = Math.max(0, s.off - off);
    const z = Math.min(bytes.length, s.off + s.len - off);
    const clean = (b: Uint8Array) => d.decode(b).replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "·");
    return html`<pre>${clean(bytes.subarray(0, a))}<span class="in sel ${s.len <= 64 ? "few" : ""}">${clean(bytes.subarray(a, z))}</span>${clean(bytes.subarray(z))}</pre>`;
  }

  #fields() {
    if (this.parent || !this.cites.some((c) => c.name || c.value) && this.cites.length < 2) return nothing;
    const blobs = new Set(this.cites.map((c) => c.blob)).size > 1;
    return html`<table><thead><tr><th class="num">${this.say("evidence.offset")}</th><th>${this.say("evidence.field")}</th><th>${this.say("evidence.value")}</th></tr></thead><tbody>${
      this.cites.map((c, i) => html`<tr class=${i === this.index ? "sel" : "other"} @click=${() => this.ask({ do: "cite", index: i })}>
        <td class="num mono"><button class="link" aria-pressed=${i === this.index}>${format.hex(c.off)}</button></td>
        <td>${blobs ? html`<span class="quiet">${c.blob} </span>` : nothing}${c.name ?? ""}</td><td class="v">${c.value ?? ""}</td></tr>`)}</tbody></table>`;
  }

  #from(chunk: Chunk | undefined) {
    if (!chunk?.from?.length) return nothing;
    const shown = chunk.from.slice(0, 6);
    return html`<div class="from"><h3 class="head">${this.say("evidence.from")}</h3><ul>${shown.map((s) => html`<li><button class="link" @click=${() => this.#follow(s)}>${
      s.blob} ${format.hex(s.off)} +${s.len < 4096 ? s.len : format.size(s.len)}</button></li>`)}</ul>${chunk.from.length > shown.length ? html`<span class="quiet">+${chunk.from.length - shown.length}</span>` : nothing}</div>`;
  }

  #follow(s: Span | null): void {
    this.parent = s;
    this.extraBefore = this.extraAfter = 0;
    this.chosen = null;
  }
}

function looksLikeText(bytes: Uint8Array, s: Span, off: number): boolean {
  const a = Math.max(0, s.off - off);
  const part = bytes.subarray(a, Math.min(bytes.length, a + Math.min(s.len, 512)));
  if (part.length < 8) return false;
  return part.every((b) => b === 9 || b === 10 || b === 13 || (b >= 32 && b !== 127)) && part.some((b) => b === 10 || b === 32);
}

define("bp-evidence", BpEvidence);
