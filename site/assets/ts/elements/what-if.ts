import { css, html, nothing, type TemplateResult } from "lit";
import type { Facts, RunSettings } from "../wire.gen";
import type { Key } from "../words";
import { icon, Part } from "./base";

/** The settings that another control of the bar owns. */
const elsewhere = new Set(["firmware", "secure_boot", "engine", "platform", "ref"]);

/** What a learner may change before the image is started again. */
export class BpWhatIf extends Part {
  static override properties = { ...Part.properties, kind: { attribute: false }, settings: { attribute: false }, facts: { attribute: false } };
  declare kind: "application" | "system" | "rootfs";
  declare settings: RunSettings;
  declare facts: Facts | null;

  constructor() {
    super();
    this.kind = "system";
    this.settings = {};
    this.facts = null;
  }

  static override styles = [
    ...Part.styles,
    css`
      details { position: relative; }
      summary { list-style: none; cursor: pointer; display: inline-flex; align-items: center; gap: 5px; }
      summary::-webkit-details-marker { display: none; }
      summary.on { border-color: var(--ink); font-weight: 650; }
      form { position: absolute; z-index: 10; right: 0; top: calc(100% + 6px); width: min(440px, calc(100vw - 32px)); max-height: 70vh; overflow: auto; background: var(--raised); border: 1px solid var(--rule-2);
        border-radius: 6px; padding: 16px; display: grid; gap: 12px; box-shadow: 0 8px 24px rgb(0 0 0 / 0.12); }
      @media (max-width: 720px) { form { left: 0; right: auto; } }
      label { display: grid; gap: 3px; font-size: var(--t1); font-weight: 600; }
      label .quiet { font-weight: 400; }
      input[type="text"], input[type="number"], textarea, select { border: 1px solid var(--rule-2); border-radius: 4px; background: var(--paper); padding: 4px 8px; min-height: 30px; font: 400 0.8125rem var(--mono); width: 100%; }
      textarea { resize: vertical; min-height: 52px; }
      .check { display: flex; align-items: center; gap: 8px; font-weight: 400; font-size: var(--t2); min-height: 24px; }
      .end { display: flex; gap: 8px; justify-content: flex-end; }
    `,
  ];

  override render() {
    const n = Object.keys(this.settings).filter((k) => !elsewhere.has(k)).length;
    return html`<details @keydown=${(e: KeyboardEvent) => e.key === "Escape" && this.#close()}>
      <summary class="push ${n > 0 ? "on" : ""}">${n > 0 ? this.say("run.whatif.on", { n }) : this.say("run.whatif")}${icon("down", 12)}</summary>
      <form @submit=${this.#apply}>
        ${this.kind === "system" ? this.#system() : this.#container()}
        ${this.#area("run.remove", "remove", (this.settings.remove ?? []).join("\n"), "run.remove.hint")}
        ${this.#line("run.write.path", "write_path", Object.keys(this.settings.write ?? {})[0] ?? "", "/etc/fstab")}
        ${this.#area("run.write.content", "write_content", Object.values(this.settings.write ?? {})[0] ?? "")}
        <div class="end"><button type="button" class="push" @click=${this.#reset}>${this.say("run.reset")}</button><button class="push main">${this.say("run.apply")}</button></div>
      </form></details>`;
  }

  #line(label: Key, name: string, value: string, placeholder = "", hint?: Key): TemplateResult {
    return html`<label><span>${this.say(label)}${hint ? html` <span class="quiet">${this.say(hint)}</span>` : nothing}</span><input type="text" name=${name} .value=${value} placeholder=${placeholder} autocomplete="off" spellcheck="false" /></label>`;
  }

  #area(label: Key, name: string, value: string, hint?: Key): TemplateResult {
    return html`<label><span>${this.say(label)}${hint ? html` <span class="quiet">${this.say(hint)}</span>` : nothing}</span><textarea name=${name} rows="2" spellcheck="false" .value=${value}></textarea></label>`;
  }

  #check(label: Key, name: string, on: boolean | undefined): TemplateResult {
    return html`<label class="check"><input type="checkbox" name=${name} .checked=${on ?? false} />${this.say(label)}</label>`;
  }

  #system() {
    const s = this.settings;
    return html`${this.#line("run.cmdline", "cmdline", s.set?.["cmdline"] ?? "", this.facts?.cmdline ?? "", "run.cmdline.hint")}
      <label>${this.say("run.memory")}<input type="number" name="memory_mib" min="1" .value=${s.memory_mib ? String(s.memory_mib) : ""} /></label>
      <label>${this.say("run.device")}<select name="device">${(["", "disk", "cdrom", "floppy"] as const).map((v) =>
        html`<option value=${v} ?selected=${v === (s.device ?? "")}>${this.say(`run.device.${v || "auto"}`)}</option>`)}</select></label>`;
  }

  #container() {
    const s = this.settings;
    return html`${this.#line("run.entrypoint", "entrypoint", s.entrypoint ?? "", this.facts?.argv?.[0] ?? "")}
      ${this.#line("run.command", "command", (s.command ?? []).join(" "), (this.facts?.argv ?? []).slice(1).join(" "))}
      ${this.#line("run.user", "user", s.user ?? "", this.facts?.user ?? "")}
      ${this.#line("run.workdir", "workdir", s.workdir ?? "", this.facts?.cwd ?? "")}
      ${this.#area("run.env", "env", (s.env ?? []).join("\n"), "run.env.hint")}
      <label>${this.say("run.hostarch")}<select name="host_arch">${["", "amd64", "arm64"].map((v) => html`<option value=${v} ?selected=${v === (s.host_arch ?? "")}>${v || "—"}</option>`)}</select></label>
      ${this.#check("run.readonly", "read_only", s.read_only)}${this.#check("run.privileged", "privileged", s.privileged)}`;
  }

  #apply(e: SubmitEvent): void {
    e.preventDefault();
    const data = new FormData(e.target as HTMLFormElement);
    const text = (k: string) => String(data.get(k) ?? "").trim();
    const lines = (k: string) => text(k).split("\n").map((l) => l.trim()).filter(Boolean);
    const out: RunSettings = {};
    for (const [k, v] of Object.entries(this.settings)) if (elsewhere.has(k)) Object.assign(out, { [k]: v });
    const put = <K extends keyof RunSettings>(k: K, v: RunSettings[K], wanted: unknown) => wanted && (out[k] = v);
    put("set", { cmdline: text("cmdline") }, text("cmdline"));
    put("memory_mib", Number(text("memory_mib")), text("memory_mib"));
    put("device", text("device") as RunSettings["device"], text("device"));
    put("entrypoint", text("entrypoint"), text("entrypoint"));
    put("command", words(text("command")), text("command"));
    put("user", text("user"), text("user"));
    put("workdir", text("workdir"), text("workdir"));
    put("env", lines("env"), text("env"));
    put("host_arch", text("host_arch"), text("host_arch"));
    put("read_only", true, data.has("read_only"));
    put("privileged", true, data.has("privileged"));
    put("remove", lines("remove"), text("remove"));
    put("write", { [text("write_path")]: String(data.get("write_content") ?? "") }, text("write_path"));
    this.#close();
    this.ask({ do: "settings", settings: out });
  }

  #reset(): void {
    this.#close();
    const kept = Object.fromEntries(Object.entries(this.settings).filter(([k]) => elsewhere.has(k)));
    this.ask({ do: "settings", settings: kept });
  }

  #close(): void {
    const d = this.renderRoot.querySelector("details");
    if (d) d.open = false;
    this.renderRoot.querySelector("summary")?.focus();
  }
}

/** Splits a command line at blanks, quotes kept together; no expansion happens. */
export function words(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map((m) => m[1]?.replace(/\\(.)/g, "$1") ?? m[2] ?? m[3] ?? "");
}

customElements.define("bp-what-if", BpWhatIf);
