import { css, html, nothing, type TemplateResult } from "lit";
import type { Difference } from "../difference";
import { conditions } from "../patches";
import type { Command, Outcome, RunSettings } from "../wire.gen";
import type { Key } from "../words";
import { icon } from "./base";
import { partings } from "./partings";
import { View } from "./view";
import { firmwares, underFirmware, type Firmware } from "../firmware";

type Strings = { [K in keyof RunSettings]-?: NonNullable<RunSettings[K]> extends string ? K : never }[keyof RunSettings];
type Lists = { [K in keyof RunSettings]-?: NonNullable<RunSettings[K]> extends string[] ? K : never }[keyof RunSettings];
type Flags = { [K in keyof RunSettings]-?: NonNullable<RunSettings[K]> extends boolean ? K : never }[keyof RunSettings];

/** Under which conditions the image starts: a machine's firmware and memory, or what docker run is told. */
export class BpConditions extends View {
  static override properties = {
    ...View.properties, outcome: { attribute: false }, tried: { attribute: false }, trying: { attribute: false }, usual: { attribute: false }, difference: { attribute: false }, command: { attribute: false }, problem: { attribute: false }, copied: { state: true }, line: { state: true },
  };
  declare outcome: Outcome | null;
  declare tried: { readonly [F in Firmware]?: Outcome };
  declare trying: boolean;
  declare usual: RunSettings; // as the image is started at first
  declare difference: Difference | null; // to the run that was shown before
  declare command: Command | null; // the latest line that was pasted and understood
  declare problem: string; // what is wrong with the pasted line
  declare copied: boolean;
  declare line: string;

  constructor() {
    super();
    this.outcome = this.difference = this.command = null;
    this.usual = {};
    this.tried = {};
    this.trying = this.copied = false;
    this.problem = this.line = "";
  }

  static override styles = [
    ...View.styles,
    css`
      section { padding: 10px 16px 2px; }
      h3 { font-weight: 650; margin-bottom: 4px; font-size: var(--t1); }
      .fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 8px 16px; }
      label { display: grid; gap: 2px; color: var(--ink-2); align-content: start; }
      input:not([type="checkbox"]), select, textarea { border: 1px solid var(--rule-2); border-radius: 4px; background: var(--raised); color: var(--ink); padding: 2px 8px; min-height: 28px; font: 400 0.8125rem var(--mono); width: 100%; min-width: 0; }
      textarea { resize: vertical; min-height: 48px; }
      .flags { display: flex; flex-wrap: wrap; gap: 2px 18px; padding-top: 8px; }
      .flags label { display: inline-flex; align-items: center; gap: 6px; min-height: 26px; color: var(--ink); }
      input[type="checkbox"] { width: 18px; height: 18px; margin: 0; }
      .line { display: flex; align-items: flex-start; gap: 8px; background: var(--sunken); border: 1px solid var(--rule); border-radius: 4px; padding: 6px 6px 6px 10px; }
      .line code { font: 400 0.8125rem/1.5 var(--mono); overflow-wrap: anywhere; white-space: pre-wrap; flex: 1; }
      .answer { border-left: 4px solid var(--ink); padding: 2px 0 2px 10px; margin-top: 8px; font-size: 0.8125rem; }
      .answer.stops { border-color: var(--stop); } .answer.stops b { color: var(--stop); } .answer.unknown { border-left-style: dashed; }
      .answer pre { margin: 2px 0 0; font: 400 0.8125rem/1.45 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; }
      .three li { display: grid; grid-template-columns: 8em 8em minmax(0, 1fr); gap: 0 10px; align-items: baseline; border-top: 1px solid var(--rule); min-height: 28px; padding: 3px 0; }
      .three button { min-height: 24px; text-align: left; } .three .mono { overflow-wrap: anywhere; }
      .three .stops b { color: var(--stop); }
      .wrong { color: var(--stop); padding-top: 4px; } .note { color: var(--ink-2); padding-top: 4px; }
      .paste { display: flex; gap: 6px; align-items: flex-start; margin-top: 8px; } .paste textarea { flex: 1; }
    `,
  ];

  get #s(): RunSettings {
    return this.scene.settings;
  }

  /** Another value; an empty one leaves the default. */
  #put(part: RunSettings): void {
    const next: RunSettings = { ...this.#s, ...part };
    for (const [k, v] of Object.entries(next)) if (v === "" || v === undefined || v === false || (Array.isArray(v) && v.length === 0)) delete next[k as keyof RunSettings];
    this.ask({ do: "settings", settings: next });
  }

  override render() {
    return html`${this.scene.inspection?.kind === "system" ? this.#machine() : this.#container()}`;
  }

  #text(key: Key, name: Strings, placeholder = "", list: readonly string[] = []): TemplateResult {
    return html`<label>${this.say(key)}<input type="text" name=${name} .value=${this.#s[name] ?? ""} placeholder=${placeholder} list=${list.length ? `of-${name}` : nothing} spellcheck="false" autocomplete="off" autocapitalize="off"
      @change=${(e: Event) => this.#put({ [name]: (e.target as HTMLInputElement).value.trim() })} />${list.length ? html`<datalist id="of-${name}">${list.map((v) => html`<option value=${v}></option>`)}</datalist>` : nothing}</label>`;
  }

  #pick(key: Key, name: Strings, values: readonly string[]): TemplateResult {
    const now = this.#s[name] ?? "";
    return html`<label>${this.say(key)}<select name=${name} @change=${(e: Event) => this.#put({ [name]: (e.target as HTMLSelectElement).value })}>${["", ...values].map((v) => html`<option value=${v} ?selected=${v === now}>${v || this.say("run.default")}</option>`)}</select></label>`;
  }

  #lines(key: Key, name: Lists, placeholder = ""): TemplateResult {
    return html`<label>${this.say(key)}<textarea name=${name} rows="2" placeholder=${placeholder} spellcheck="false" autocapitalize="off" .value=${(this.#s[name] ?? []).join("\n")}
      @change=${(e: Event) => this.#put({ [name]: (e.target as HTMLTextAreaElement).value.split("\n").map((l) => l.trim()).filter(Boolean) })}></textarea></label>`;
  }

  #flag(key: Key, name: Flags): TemplateResult {
    return html`<label><input type="checkbox" name=${name} .checked=${this.#s[name] ?? false} @change=${(e: Event) => this.#put({ [name]: (e.target as HTMLInputElement).checked })} />${this.say(key)}</label>`;
  }

  #answer() {
    const o = this.outcome;
    if (!o) return nothing;
    return html`<div class="answer ${o.verdict}"><b>${this.say(`verdict.${o.verdict}`)}</b> ${this.say(`verdict.${o.verdict}.text`, { stage: this.say(`stage.${o.stage}`), missing: this.why(o.unknown) })}
      ${o.exit_code ? this.say("verdict.exit", { code: o.exit_code }) : ""}${o.message ? html`<pre lang="en">${o.message}</pre>` : nothing}
      ${this.difference ? partings(this, this.difference, this.scene) : nothing}${this.#back()}</div>`;
  }

  /** The way back to the conditions that the image came with; its changes stay. */
  #back() {
    const now = conditions(this.#s);
    if (JSON.stringify(now) === JSON.stringify(this.usual)) return nothing;
    const patches = Object.fromEntries(Object.entries(this.#s).filter(([k]) => !(k in now)));
    return html`<button class="push" @click=${() => this.ask({ do: "settings", settings: { ...this.usual, ...patches } })}>${this.say("conditions.usual")}</button>`;
  }

  // ---- a container ------------------------------------------------------------------------------------

  #container() {
    const f = this.scene.facts;
    const platforms = [...new Set((this.scene.inspection?.images ?? []).map((i) => i.platform).filter(Boolean))];
    return html`<section><h3>${this.say("docker.line")}</h3>
        <div class="line"><code lang="en">${f?.docker_run ?? "docker run"}</code><button class="icon" title=${this.say(this.copied ? "console.copied" : "docker.copy")} aria-label=${this.say(this.copied ? "console.copied" : "docker.copy")} @click=${this.#copy}>${this.copied ? "✓" : icon("copy", 14)}</button></div>
        ${this.#answer()}
        <form class="paste" @submit=${this.#paste}><textarea name="line" rows="1" spellcheck="false" autocapitalize="off" placeholder="docker run --rm -it --user 1000 --read-only alpine sh" aria-label=${this.say("docker.paste")}></textarea><button class="push">${this.say("docker.take")}</button></form>
        ${this.problem ? html`<p class="wrong" role="alert">${this.problem}</p>` : nothing}
        ${this.command && this.command.ignored.length ? html`<p class="note">${this.say("docker.ignored", { what: this.command.ignored.join(" ") })}</p>` : nothing}
        ${this.command && this.command.assumed.length ? html`<p class="note">${this.say("docker.assumed", { what: this.command.assumed.join(", ") })}</p>` : nothing}</section>
      <section><h3>${this.say("docker.program")}</h3><div class="fields">${this.#text("run.entrypoint", "entrypoint", f?.argv?.[0] ?? "")}
        <label>${this.say("run.command")}<input type="text" name="command" .value=${(this.#s.command ?? []).map(quote).join(" ")} placeholder=${(f?.argv ?? []).slice(1).join(" ")} spellcheck="false" autocomplete="off" autocapitalize="off" @change=${(e: Event) =>
          this.#put({ command: words((e.target as HTMLInputElement).value) })} /></label>
        ${this.#text("run.user", "user", f?.user ?? "")}${this.#text("run.workdir", "workdir", f?.cwd ?? "")}${this.#lines("run.env", "env", "NAME=value")}</div></section>
      <section><h3>${this.say("docker.limits")}</h3><div class="fields">${this.#text("docker.memory", "memory", "512m")}${this.#text("docker.touches", "touches", "300m")}${this.#text("docker.pids", "pids_limit", "100")}
        ${this.#text("docker.network", "network", "bridge", ["bridge", "host", "none"])}${this.#lines("docker.volume", "volume", "/srv/data:/data:ro")}${this.#lines("docker.tmpfs", "tmpfs", "/run:size=64m")}
        ${this.#lines("docker.capadd", "cap_add", "NET_ADMIN")}${this.#lines("docker.capdrop", "cap_drop", "ALL")}</div>
        <div class="flags">${this.#flag("run.readonly", "read_only")}${this.#flag("docker.init", "init")}${this.#flag("run.privileged", "privileged")}</div></section>
      <section><h3>${this.say("docker.host")}</h3><div class="fields">${this.#pick("run.engine", "engine", ["docker", "podman", "runc", "crun"])}${platforms.length > 1 ? this.#pick("run.platform", "platform", platforms) : this.#text("run.platform", "platform", platforms[0] ?? "linux/amd64")}
        ${this.#text("docker.kernel", "host_kernel", f?.kernel ?? "", ["3.10.0", "4.19.0", "5.15.0", "6.1.0"])}${this.#pick("run.hostarch", "host_arch", ["amd64", "arm64"])}${this.#pick("docker.cgroup", "cgroup", ["v1", "v2"])}</div></section>`;
  }

  #paste(e: SubmitEvent): void {
    e.preventDefault();
    const line = String(new FormData(e.target as HTMLFormElement).get("line") ?? "").trim();
    if (line) this.ask({ do: "command", line });
  }

  async #copy(): Promise<void> {
    await navigator.clipboard.writeText(this.scene.facts?.docker_run ?? "");
    this.copied = true;
    setTimeout(() => (this.copied = false), 1500);
  }

  // ---- a machine --------------------------------------------------------------------------------------

  #machine() {
    const s = this.#s;
    return html`<section><h3>${this.say("run.firmware")}</h3><ul class="three">${firmwares.map((f) => {
        const o = this.tried[f];
        return html`<li class=${o?.verdict ?? ""}><button class="link" @click=${() => this.#put(underFirmware(f))}>${this.say(`run.${f}`)}</button><b>${o ? this.say(`verdict.${o.verdict}`) : "—"}</b>${o?.message ? html`<span class="mono" lang="en">${o.message}</span>` : html`<span>${this.why(o?.unknown)}</span>`}</li>`;
      })}</ul><button class="push" .style=${"margin-top:8px"} ?disabled=${this.trying} @click=${() => this.ask({ do: "try-firmware" })}>${this.say("run.three")}</button></section>
      <section><h3>${this.say("conditions.machine")}</h3><div class="fields">
        <label>${this.say("run.memory")}<input type="number" name="memory_mib" min="1" .value=${s.memory_mib ? String(s.memory_mib) : ""} placeholder="1024" @change=${(e: Event) => this.#put({ memory_mib: Number((e.target as HTMLInputElement).value) || undefined } as RunSettings)} /></label>
        <label>${this.say("run.device")}<select name="device" @change=${(e: Event) => this.#put({ device: (e.target as HTMLSelectElement).value } as RunSettings)}>${(["", "disk", "cdrom", "floppy"] as const).map((v) =>
          html`<option value=${v} ?selected=${v === (s.device ?? "")}>${this.say(`run.device.${v || "auto"}`)}</option>`)}</select></label>
        ${this.#pick("run.arch", "arch", ["amd64", "arm64", "386", "riscv64"])}</div>${this.#answer()}</section>`;
  }
}

const quote = (w: string) => (/^[\w@%+=:,./-]+$/.test(w) ? w : `'${w.replaceAll("'", `'\\''`)}'`);

/** Splits a command line at blanks, quotes kept together; no expansion happens. */
export function words(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map((m) => m[1]?.replace(/\\(.)/g, "$1") ?? m[2] ?? m[3] ?? "");
}

customElements.define("bp-conditions", BpConditions);
