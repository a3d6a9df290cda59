import { css, html, nothing, type TemplateResult } from "lit";
import type { Difference } from "../difference";
import * as format from "../format";
import { added, hexBytes, type Patch } from "../patches";
import type { Outcome, TreeListing } from "../wire.gen";
import { fill } from "../words";
import { icon } from "./base";
import { readable, type OpenFile } from "./files";
import { partings } from "./partings";
import { View } from "./view";

/** "Break it": what is changed in the image, each change with its switch, and where the start then parts from before. */
export class BpChange extends View {
  static override properties = {
    ...View.properties,
    patches: { attribute: false }, difference: { attribute: false }, outcome: { attribute: false }, was: { attribute: false }, listing: { attribute: false }, file: { attribute: false }, editing: { attribute: false },
    path: { state: true }, draft: { state: true }, wrong: { state: true },
  };
  declare patches: readonly Patch[];
  declare difference: Difference | null;
  declare outcome: Outcome | null;
  declare was: Outcome | null; // without the changes
  declare listing: TreeListing | null;
  declare file: OpenFile | null;
  declare editing: string; // path of the file that is edited
  declare path: string;
  declare draft: string | null;
  declare wrong: string;

  constructor() {
    super();
    this.patches = [];
    this.difference = this.outcome = this.was = this.listing = this.file = null;
    this.editing = this.path = this.wrong = "";
    this.draft = null;
  }

  static override styles = [
    ...View.styles,
    css`
      section { padding: 10px 16px 4px; }
      h3 { font-weight: 650; margin-bottom: 4px; font-size: var(--t1); }
      .row { display: flex; gap: 6px; align-items: center; flex-wrap: wrap; }
      input[type="text"], textarea { border: 1px solid var(--rule-2); border-radius: 4px; background: var(--raised); padding: 3px 8px; min-height: 28px; font: 400 0.8125rem var(--mono); flex: 1 1 220px; min-width: 0; }
      textarea { width: 100%; min-height: 130px; resize: vertical; line-height: 1.5; margin: 6px 0; white-space: pre; }
      .short { flex: 0 1 130px !important; }
      ul.list li { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 8px; align-items: center; border-top: 1px solid var(--rule); min-height: 30px; }
      ul.list label { display: contents; cursor: pointer; }
      ul.list .off { color: var(--ink-2); text-decoration: line-through; }
      ul.list span { overflow-wrap: anywhere; }
      input[type="checkbox"] { width: 18px; height: 18px; margin: 3px; }
      .result { border-left: 4px solid var(--ink); margin: 10px 16px 0; padding: 4px 0 4px 12px; font-size: 0.8125rem; }
      .result.stops { border-color: var(--stop); } .result.unknown { border-left-style: dashed; }
      .result pre { margin: 4px 0 6px; font: 400 0.8125rem/1.45 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; }
      .result.stops b { color: var(--stop); }
      .result p + p { margin-top: 4px; } .result button { min-height: 24px; }
      .wrong { color: var(--stop); padding-top: 4px; }
      .note { color: var(--ink-2); padding-top: 4px; }
      details > summary { cursor: pointer; min-height: 24px; }
    `,
  ];

  override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("editing")) {
      this.draft = null;
      if (this.editing) this.path = this.editing;
    }
  }

  override render() {
    const system = this.scene.inspection?.kind !== "application";
    return html`${this.patches.length > 0 ? this.#result() : nothing}
      <section><h3>${this.say("change.list")}</h3>${this.patches.length === 0 ? html`<p class="quiet">${this.say("change.none")}</p>` : html`<ul class="list">${this.patches.map((p, i) => this.#patch(p, i))}</ul>`}</section>
      <section><h3>${this.say("change.file")}</h3>${this.#files(system)}</section>
      ${system ? html`<section><h3>${this.say("run.cmdline")}</h3>${this.#cmdline()}</section>` : nothing}
      <section><h3>${this.say("change.bytes")}</h3>${this.#bytes()}</section>`;
  }

  // ---- what came of it ----------------------------------------------------------------------------------

  #result() {
    const o = this.outcome;
    if (!o || !this.patches.some((p) => p.on)) return nothing;
    return html`<div class="result ${o.verdict}" role="status"><p><b>${this.say(`verdict.${o.verdict}`)}</b> ${this.say(`verdict.${o.verdict}.text`, { stage: this.say(`stage.${o.stage}`), missing: this.why(o.unknown) })}
        ${this.was && this.was.verdict !== o.verdict ? html`<span class="quiet">${this.say("change.was", { verdict: this.say(`verdict.${this.was.verdict}`) })}</span>` : nothing}</p>
      ${o.message ? html`<pre lang="en">${o.message}</pre>` : nothing}
      ${this.difference ? partings(this, this.difference, this.scene) : nothing}
    </div>`;
  }

  // ---- the list -----------------------------------------------------------------------------------------

  #change(patches: readonly Patch[]): void {
    this.ask({ do: "patches", patches });
  }

  #patch(p: Patch, i: number) {
    const words = this.#describe(p);
    return html`<li><label><input type="checkbox" .checked=${p.on} @change=${() => this.#change(this.patches.map((q, j) => (j === i ? { ...q, on: !q.on } : q)))} /><span class=${p.on ? "" : "off"}>${words}</span></label>
      <button class="icon" title=${this.say("change.forget")} aria-label="${this.say("change.forget")}: ${words}" @click=${() => this.#change(this.patches.filter((_, j) => j !== i))}>${icon("close", 12)}</button></li>`;
  }

  #describe(p: Patch): string {
    switch (p.is) {
      case "remove": return this.say("change.removed", { path: p.path });
      case "write": return this.say("change.written", { path: p.path, n: p.content.split("\n").length - (p.content.endsWith("\n") ? 1 : 0) });
      case "set": return fill("{key} = {value}", { key: p.key === "cmdline" ? this.say("run.cmdline") : p.key, value: p.value }, this.lang);
      case "bytes": return this.say("change.patched", { off: format.hex(p.off), data: p.data.replace(/(..)(?=.)/g, "$1 ") });
      default: { const never: never = p; return never; }
    }
  }

  // ---- ways to change -------------------------------------------------------------------------------------

  #files(system: boolean) {
    const usual = system ? ["/sbin/init", "/etc/fstab", "/boot/grub/grub.cfg"] : (this.scene.facts?.argv ?? []).slice(0, 1).filter((p) => p.startsWith("/"));
    const folder = this.listing?.path === "/" ? "" : (this.listing?.path ?? "");
    return html`<div class="row"><input type="text" list="paths" .value=${this.path} placeholder="/etc/fstab" aria-label=${this.say("change.path")} spellcheck="false" autocomplete="off" autocapitalize="off" @input=${this.#typed} />
        <datalist id="paths">${(this.path === "" ? usual : this.#names().map((n) => `${folder}/${n}`)).map((v) => html`<option value=${v}></option>`)}</datalist>
        <button class="push" ?disabled=${!this.path} @click=${() => this.#change(added(this.patches, { is: "remove", path: absolute(this.path), on: true }))}>${this.say("change.remove")}</button>
        <button class="push" ?disabled=${!this.path} @click=${() => this.ask({ do: "edit", path: absolute(this.path) })}>${this.say("change.edit")}</button></div>
      ${this.editing ? this.#editor() : nothing}`;
  }

  /** What the listed folder has, on the root file system and on the others: a change reaches all of them. */
  #names(): string[] {
    const l = this.listing;
    const here = (l?.entries ?? []).filter((e) => !e.gone).map((e) => `${e.name}${e.copies[0]?.type === "directory" ? "/" : ""}`);
    return [...new Set([...here, ...(l?.elsewhere ?? [])])];
  }

  #typed(e: Event): void {
    this.path = (e.target as HTMLInputElement).value;
    const folder = absolute(this.path).replace(/\/[^/]*$/, "") || "/";
    if (folder !== this.listing?.path) this.ask({ do: "tree", path: folder });
  }

  #editor(): TemplateResult {
    const written = this.patches.find((p) => p.is === "write" && p.path === this.editing);
    const f = this.file?.path === this.editing ? this.file : null;
    const original = f?.bytes && f.chunk && f.bytes.length === f.chunk.size && !f.chunk.gaps?.length ? readable(f.bytes) : null;
    const content = this.draft ?? (written?.is === "write" ? written.content : original);
    if (content === null && f && !f.error && !f.bytes) return html`<p class="note">${this.say("evidence.loading")}</p>`;
    const note = f?.error ? this.say("change.new", { path: this.editing }) : f?.bytes && original === null ? this.say(f.chunk?.gaps?.length ? "files.gap" : "change.binary") : "";
    return html`${note ? html`<p class="note">${note}</p>` : nothing}<textarea spellcheck="false" autocapitalize="off" aria-label=${this.editing} .value=${content ?? ""} @input=${(e: Event) => (this.draft = (e.target as HTMLTextAreaElement).value)}></textarea>
      <div class="row"><button class="push main" @click=${() => this.#save(content ?? "")}>${this.say("run.apply")}</button><button class="push" @click=${() => this.ask({ do: "edit", path: "" })}>${this.say("work.cancel")}</button></div>`;
  }

  #save(content: string): void {
    const path = this.editing;
    this.ask({ do: "edit", path: "" });
    this.#change(added(this.patches, { is: "write", path, content, on: true }));
  }

  #cmdline() {
    const now = this.patches.find((p) => p.is === "set" && p.key === "cmdline");
    const value = now?.is === "set" ? now.value : (this.scene.facts?.cmdline ?? "").replace(/^BOOT_IMAGE=\S+ /, "");
    return html`<form class="row" @submit=${(e: SubmitEvent) => {
      e.preventDefault();
      const v = String(new FormData(e.target as HTMLFormElement).get("cmdline") ?? "").trim();
      this.#change(added(this.patches, { is: "set", key: "cmdline", value: v, on: true }));
    }}><input type="text" name="cmdline" .value=${value} aria-label=${this.say("run.cmdline")} spellcheck="false" autocomplete="off" /><button class="push">${this.say("run.apply")}</button></form>`;
  }

  #bytes() {
    return html`<form class="row" @submit=${this.#patchBytes}><input class="short" type="text" name="off" placeholder="0x1fe" aria-label=${this.say("evidence.offset")} spellcheck="false" autocomplete="off" />
      <input type="text" name="data" placeholder="00 00" aria-label=${this.say("change.hex")} spellcheck="false" autocomplete="off" /><button class="push">${this.say("run.apply")}</button></form>
      ${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : nothing}<p class="note">${this.say("change.bytes.note")}</p>`;
  }

  #patchBytes(e: SubmitEvent): void {
    e.preventDefault();
    const form = new FormData(e.target as HTMLFormElement);
    const off = Number(String(form.get("off")).trim() || "x");
    const data = hexBytes(String(form.get("data")));
    const ok = Number.isSafeInteger(off) && off >= 0 && data !== null;
    this.wrong = ok ? "" : this.say("change.bytes.wrong");
    if (ok) this.#change(added(this.patches, { is: "bytes", off, data, on: true }));
  }
}

const absolute = (path: string) => (path.startsWith("/") ? path : `/${path}`);

customElements.define("bp-change", BpChange);
