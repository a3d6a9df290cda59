import { css, html, nothing } from "lit";
import * as format from "../format";
import type { Facts, Inspection, Outcome, RunSettings } from "../wire.gen";
import { icon, Part } from "./base";
import { firmwares, underFirmware, type Firmware } from "../firmware";

/** What the image is, where its kernel comes from and on which bytes that rests; and how it is started. */
export class BpImageBar extends Part {
  static override properties = {
    ...Part.properties,
    name: { attribute: false }, inspection: { attribute: false }, facts: { attribute: false }, settings: { attribute: false }, read: { attribute: false }, patches: { attribute: false }, tried: { attribute: false }, compare: { attribute: false },
  };
  declare name: string;
  declare inspection: Inspection | null;
  declare facts: Facts | null;
  declare settings: RunSettings;
  declare read: number; // bytes
  declare patches: number; // that are on
  declare tried: { readonly [F in Firmware]?: Outcome };
  declare compare: string; // the address of its comparison; "" for a file of this machine

  constructor() {
    super();
    this.name = this.compare = "";
    this.inspection = null;
    this.facts = null;
    this.settings = {};
    this.read = this.patches = 0;
    this.tried = {};
  }

  static override styles = [
    ...Part.styles,
    css`
      :host { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 24px; padding: 8px 16px; }
      .what { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 14px; flex: 1 1 420px; min-width: 0; }
      .name { font-weight: 650; display: inline-flex; align-items: center; gap: 5px; min-height: 26px; font-size: 1rem; overflow-wrap: anywhere; max-width: 100%; }
      .name svg { color: var(--ink-2); }
      .kind { font-weight: 600; }
      .cite { display: inline-grid; margin-left: 2px; vertical-align: -4px; min-width: 24px; height: 22px; }
      .second { flex-basis: 100%; font-size: var(--t1); color: var(--ink-2); display: flex; flex-wrap: wrap; gap: 0 14px; font-variant-numeric: tabular-nums; }
      @media (max-width: 560px) { .more { display: none; } .how { gap: 6px; } }
      @media (max-width: 359px) { .cond { display: none; } }
      details { display: inline-block; position: relative; }
      summary { cursor: pointer; min-height: 20px; list-style: none; text-decoration: underline; text-decoration-color: var(--rule-2); text-underline-offset: 3px; }
      summary::-webkit-details-marker { display: none; }
      details ul { position: absolute; z-index: 5; left: 0; top: 100%; min-width: 320px; max-width: 60ch; background: var(--raised); border: 1px solid var(--rule-2); border-radius: 4px; padding: 8px 12px; color: var(--ink); display: grid; gap: 4px; overflow-wrap: anywhere; }
      .how { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; }
      .seg { display: inline-flex; border: 1px solid var(--rule-2); border-radius: 4px; overflow: hidden; }
      .seg button { padding: 2px 10px; min-height: 26px; border-left: 1px solid var(--rule-2); font-size: var(--t1); }
      .seg button:first-child { border-left: 0; }
      .seg button:hover { background: var(--sunken); }
      .seg button[aria-pressed="true"] { background: var(--ink); color: var(--paper); }
      .seg button:focus-visible { outline-offset: -3px; }
      .mark { margin-left: 6px; font-size: 11px; font-weight: 650; } .mark.stops { color: var(--stop); } [aria-pressed="true"] .mark.stops { color: inherit; text-decoration: underline; }
      a.push { color: inherit; text-decoration: none; display: inline-flex; align-items: center; }
      .push.on { border-color: var(--ink); font-weight: 650; }
      label { font-size: var(--t1); color: var(--ink-2); display: inline-flex; gap: 6px; align-items: center; }
      select { border: 1px solid var(--rule-2); border-radius: 4px; background: var(--raised); color: var(--ink); min-height: 28px; padding: 0 4px; max-width: 24ch; }
    `,
  ];

  override render() {
    const i = this.inspection;
    return html`<div class="what">
        <button class="name" title=${this.say("bar.open")} @click=${() => this.ask({ do: "opener", on: true })}>${this.name}${icon("down", 12)}</button>
        ${i ? html`<span class="kind">${this.say(`bar.${i.kind}`)}</span>${this.#kernel(i)}${this.#program(i)}` : nothing}
        <span class="second">${i ? html`<span title=${`${format.exact(this.read, this.lang)} / ${format.exact(i.size, this.lang)}`}>${
          this.say("bar.read", { read: format.size(this.read), of: format.size(i.origin?.size ?? i.size), size: format.size(i.origin?.size ?? i.size) })} · ${this.say("bar.uploaded")}</span>${i.origin ? html`<span class="more">${this.say("bar.slice", { name: i.origin.name })}</span>` : nothing}
          <span class="more">${i.formats.join(" → ")}</span>${i.os?.pretty_name ? html`<span class="more">${i.os.pretty_name}</span>` : nothing}${this.#notes(i)}` : nothing}</span>
      </div>
      ${i ? html`<div class="how">${this.compare ? html`<a class="push" href=${this.compare}>${this.say("bar.compare")}</a>` : nothing}${i.kind === "system" ? this.#firmware() : i.kind === "application" ? this.#container(i) : nothing}${
        i.kind === "other" ? nothing : html`<button class="push cond" @click=${() => this.ask({ do: "view", view: "conditions" })}>${this.say(i.kind === "application" ? "bar.docker" : "conditions.title")}</button><button class="push ${this.patches > 0 ? "on" : ""}"
        @click=${() => this.ask({ do: "view", view: "change" })}>${this.patches > 0 ? this.say("bar.broken", { n: this.patches }) : this.say("bar.break")}</button>`}</div>` : nothing}`;
  }

  #kernel(i: Inspection) {
    const k = i.kernels[0];
    if (i.kernel_from === "inside" && k) {
      return html`<span>${this.say("bar.kernel.inside", { version: `Linux ${k.version}` })}${i.kernel_evidence?.length ? html`<button class="icon cite"
        title=${this.say("bar.kernel.evidence")} aria-label=${this.say("bar.kernel.evidence")} @click=${() => this.ask({ do: "kernel-evidence" })}>${icon("cite", 14)}</button>` : nothing}</span>`;
    }
    const searched = i.kernel_searched?.length ? this.say("bar.kernel.searched", { places: i.kernel_searched.join(", ") }) : nothing;
    const key = i.kernel_from === "inside" ? "none" : i.kernel_from;
    return html`<span title=${searched}>${key === "host" && k ? this.say("bar.kernel.host.file", { path: `/${k.path.replace(/^\//, "")}` }) : this.say(`bar.kernel.${key}`)}</span>`;
  }

  #program(i: Inspection) {
    if (i.kind === "application") {
      const argv = this.facts?.argv ?? [...(i.images[0]?.entrypoint ?? []), ...(i.images[0]?.cmd ?? [])];
      return argv.length ? html`<span>${this.say("bar.program", { argv: argv.join(" ") })}</span>` : nothing;
    }
    return i.init ? html`<span>${this.say("bar.init", { init: i.init.kind === "other" ? i.init.path : i.init.kind })}</span>` : nothing;
  }

  #notes(i: Inspection) {
    const notes = [...(i.notes ?? []), ...i.filesystems.flatMap((f) => f.notes ?? [])];
    return notes.length === 0 ? nothing : html`<details><summary>${this.say("bar.notes", { n: notes.length })}</summary><ul lang="en">${notes.map((n) => html`<li>${n}</li>`)}</ul></details>`;
  }

  #change(part: RunSettings): void {
    this.ask({ do: "settings", settings: { ...this.settings, ...part } });
  }

  #firmware() {
    const s = this.settings;
    const auto = this.inspection?.bootloaders ?? [];
    const usual = auto.some((b) => b.firmware === "uefi") && !auto.some((b) => b.firmware === "bios") ? "uefi" : "bios";
    const now = s.secure_boot ? "secureboot" : s.firmware || usual;
    const mark = (f: Firmware) => {
      const o = this.tried[f];
      return o ? html`<span class="mark ${o.verdict}" title=${[this.say(`verdict.${o.verdict}`), o.message].filter(Boolean).join(": ")}>${this.say(`verdict.${o.verdict}`)}</span>` : nothing;
    };
    return html`<div class="seg" role="group" aria-label=${this.say("run.firmware")}>${firmwares.map((f) => html`<button aria-pressed=${now === f} @click=${() => this.#change(underFirmware(f))}>${this.say(`run.${f}`)}${mark(f)}</button>`)}</div>`;
  }

  #container(i: Inspection) {
    const s = this.settings;
    const refs = [...new Set(i.images.map((m) => m.ref).filter(Boolean))];
    const platforms = [...new Set(i.images.map((m) => m.platform).filter(Boolean))];
    const pick = (label: string, values: string[], now: string, set: (v: string) => RunSettings) => html`<label>${label}<select @change=${(e: Event) =>
      this.#change(set((e.target as HTMLSelectElement).value))}>${values.map((v) => html`<option value=${v} ?selected=${v === now}>${v}</option>`)}</select></label>`;
    return html`${pick(this.say("run.engine"), ["docker", "podman", "runc", "crun"], s.engine ?? "docker", (v) => ({ engine: v as RunSettings["engine"] }))}
      ${refs.length > 1 ? pick(this.say("run.image"), refs, s.ref ?? refs[0] ?? "", (v) => ({ ref: v })) : nothing}
      ${platforms.length > 1 ? pick(this.say("run.platform"), platforms, s.platform ?? platforms[0] ?? "", (v) => ({ platform: v })) : nothing}`;
  }
}

customElements.define("bp-image-bar", BpImageBar);
