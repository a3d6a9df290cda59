import { css, html, nothing } from "lit";
import * as format from "../format";
import { ofPath, type Patch } from "../patches";
import type { Chunk, FileCopy, TreeEntry, TreeListing } from "../wire.gen";
import { icon } from "./base";
import { View } from "./view";

/** A file that the player fetched; its start, when it is long. */
export interface OpenFile {
  path: string;
  layer: number; // -1: as it is seen, -2: as the image came
  chunk?: Chunk;
  bytes?: Uint8Array;
  error?: string;
}

/** The files of the image: what is seen, which layer it comes from, and what layers hide. */
export class BpFiles extends View {
  static override properties = { ...View.properties, listing: { attribute: false }, problem: { attribute: false }, file: { attribute: false }, patches: { attribute: false } };
  declare listing: TreeListing | null;
  declare problem: string;
  declare file: OpenFile | null;
  declare patches: readonly Patch[];

  constructor() {
    super();
    this.listing = this.file = null;
    this.problem = "";
    this.patches = [];
  }

  static override styles = [
    ...View.styles,
    css`
      nav { display: flex; flex-wrap: wrap; align-items: center; padding: 6px 12px; gap: 0 2px; border-bottom: 1px solid var(--rule); position: sticky; top: 0; background: var(--paper); z-index: 1; }
      nav button { min-height: 24px; padding: 0 4px; font-family: var(--mono); border-radius: 3px; } nav button:hover { background: var(--sunken); }
      li { display: grid; grid-template-columns: minmax(0, 1fr) auto auto auto; gap: 0 12px; align-items: center; padding: 0 12px 0 16px; min-height: 25px; border-bottom: 1px solid var(--rule); }
      li .name { min-height: 24px; font-family: var(--mono); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
      li.folder .name { font-weight: 650; }
      li.gone { background: var(--hatch-soft, none); } li.gone .name { text-decoration: line-through; color: var(--ink-2); }
      .mode, .layer { color: var(--ink-2); white-space: nowrap; } .mode { font-family: var(--mono); }
      .still { grid-column: 1 / -1; padding: 0 0 5px 12px; color: var(--ink); }
      .still button { min-height: 24px; }
      .file { border-bottom: 1px solid var(--rule); }
      .file header { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; padding: 8px 12px 6px 16px; }
      .file header b { font-family: var(--mono); overflow-wrap: anywhere; margin-right: auto; }
      pre { margin: 0; padding: 6px 16px 10px; background: var(--sunken); font: 400 0.75rem/1.55 var(--mono); overflow: auto; max-height: 40vh; white-space: pre-wrap; overflow-wrap: anywhere; }
      .tag { margin-left: 6px; white-space: nowrap; } .tag button { min-height: 24px; font-weight: 400; }
      li.written, li.added { box-shadow: inset 3px 0 var(--c, var(--ink)); }
      .versions button { min-height: 24px; padding: 0 6px; color: var(--ink-2); }
      .versions button[aria-pressed="true"] { color: var(--ink); font-weight: 650; text-decoration: underline; text-underline-offset: 4px; text-decoration-thickness: 2px; }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.listing) queueMicrotask(() => this.ask({ do: "tree", path: "/" }));
  }

  override render() {
    const l = this.listing;
    return html`${this.file ? this.#file(this.file) : nothing}
      <nav aria-label=${this.say("files.path")}>${this.#crumbs(l?.path ?? "/")}</nav>
      ${this.problem ? html`<p class="now">${this.say("files.problem", { message: this.problem })}</p>` : !l ? html`<p class="now">${this.say("files.loading")}</p>` : html`<ul>${l.entries.map((e) => this.#entry(l.path, e))}</ul>
        ${l.total > l.entries.length ? html`<p class="now">${this.say("files.more", { n: l.total - l.entries.length })}</p>` : nothing}`}`;
  }

  #crumbs(path: string) {
    const parts = path.split("/").filter(Boolean);
    return ["", ...parts].map((p, i) => html`<button @click=${() => this.ask({ do: "tree", path: `/${parts.slice(0, i).join("/")}` })}>${p || "/"}</button>${i > 0 && i < parts.length ? "/" : ""}`);
  }

  #entry(folder: string, e: TreeEntry) {
    const path = `${folder === "/" ? "" : folder}/${e.name}`;
    const top = e.copies[0];
    if (!top) return nothing;
    const patch = ofPath(this.patches, path);
    const did = e.patched ?? (patch ? (patch.is === "remove" ? "removed" : "written") : "");
    const layers = (this.scene.inspection?.images.length ?? 0) > 0;
    const open = () => this.ask(top.type === "directory" && !e.gone ? { do: "tree", path } : { do: "file", path, layer: did === "removed" ? -2 : e.gone ? top.layer : -1 });
    return html`<li class="${top.type === "directory" ? "folder" : ""} ${e.gone || did === "removed" ? "gone" : ""} ${did}"><button class="name" title=${path} @click=${open}>${e.name}${top.type === "directory" ? "/" : ""}${top.link ? html` <span class="quiet">→ ${top.link}</span>` : nothing}</button>
      <span class="tag">${did ? this.say(`files.${did as "removed" | "written" | "added"}`) : ""}${did ? this.#off(path, true) : nothing}</span><span class="mode">${top.mode} ${top.uid}:${top.gid}</span><span class="num" title=${format.exact(top.size, this.lang)}>${top.type === "file" ? format.size(top.size) : ""}${layers ? html` <span class="layer">${
        this.say("files.layer", { n: e.copies.map((c) => c.layer + 1).join("+") })}</span>` : nothing}</span>
      ${e.gone && did !== "removed" ? this.#still(path, top) : nothing}</li>`;
  }

  /** A button that takes the change of this path back. */
  #off(path: string, loosely = false) {
    const patch = ofPath(this.patches, path, loosely);
    if (!patch) return nothing;
    return html` <button class="link" aria-label="${this.say("files.off")}: ${path}" @click=${() => this.ask({ do: "patches", patches: this.patches.map((p) => (p === patch ? { ...p, on: false } : p)) })}>${this.say("files.off")}</button>`;
  }

  /** Deleting in a later layer hides a file; its bytes are shipped all the same. */
  #still(path: string, c: FileCopy) {
    return html`<span class="still">${this.say("files.still", { by: c.hidden_by + 1, n: c.layer + 1 })}
      ${c.type === "file" ? html`<button class="link" @click=${() => this.ask({ do: "file", path, layer: c.layer })}>${this.say("files.show")}</button>` : nothing}</span>`;
  }

  #file(f: OpenFile) {
    const text = f.bytes ? readable(f.bytes) : null;
    const size = f.chunk?.size ?? 0;
    const gaps = (f.chunk?.gaps?.length ?? 0) > 0;
    return html`<section class="file"><header><b>${f.path}</b>${f.layer >= 0 ? html`<span class="quiet">${this.say("files.layer", { n: f.layer + 1 })}</span>` : nothing}<span class="quiet" title=${format.exact(size, this.lang)}>${format.size(size)}</span>
      ${ofPath(this.patches, f.path)?.is === "write" && f.layer < 0 ? html`<span class="versions">${([-1, -2] as const).map((layer) => html`<button aria-pressed=${f.layer === layer} @click=${() => this.ask({ do: "file", path: f.path, layer })}>${this.say(layer === -1 ? "files.now" : "files.came")}</button>`)}</span>` : nothing}
      ${f.layer < 0 ? this.#off(f.path) : nothing}
      ${f.layer === -1 && !f.error ? html`<button class="push" @click=${() => this.ask({ do: "edit", path: f.path })}>${this.say("change.edit")}</button>
      <button class="push" @click=${() => this.#remove(f.path)}>${this.say("change.remove")}</button>` : nothing}
      <button class="icon" title=${this.say("drop.close")} aria-label=${this.say("drop.close")} @click=${() => this.ask({ do: "file", path: "" })}>${icon("close", 12)}</button></header>
      ${f.error ? html`<p class="now">${f.error}</p>` : !f.bytes ? html`<p class="now">${this.say("evidence.loading")}</p>` : gaps ? html`<p class="now">${this.say("files.gap")}</p>`
        : html`<pre tabindex="0" role="group" aria-label=${f.path}>${text ?? dump(f.bytes)}</pre>${size > f.bytes.length ? html`<p class="now">${this.say("evidence.first", { n: format.size(f.bytes.length), of: format.size(size) })}</p>` : nothing}`}</section>`;
  }

  #remove(path: string): void {
    this.ask({ do: "patches", patches: [...this.patches.filter((p) => !((p.is === "remove" || p.is === "write") && p.path === path)), { is: "remove", path, on: true }] });
  }
}

/** The text of a file, or null for bytes that are none. */
export function readable(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return /[\x00-\x08\x0e-\x1a\x1c-\x1f]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

const dumped = 512; // bytes

function dump(bytes: Uint8Array): string {
  const rows = [];
  for (let i = 0; i < Math.min(bytes.length, dumped); i += 16) {
    const row = [...bytes.subarray(i, i + 16)];
    rows.push(`${i.toString(16).padStart(6, "0")}  ${row.map((b) => b.toString(16).padStart(2, "0")).join(" ").padEnd(48)} ${row.map((b) => (b < 32 || b > 126 ? "·" : String.fromCharCode(b))).join("")}`);
  }
  return rows.join("\n");
}

customElements.define("bp-files", BpFiles);
