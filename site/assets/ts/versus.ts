// The comparison page: two images, or one under two conditions, on one clock and in one table. The usual pair
// was worked out when the site was built; the engine is loaded when something else is asked for.
import { html, LitElement, nothing, type TemplateResult } from "lit";
import { asset } from "./assets";
import { chosen as chosenFiles, dropped, nameOf, type Part } from "./dropped";
import { Engine, type Input } from "./engine";
import type { BpBytesDialog } from "./elements/bytes-dialog";
import "./elements/bytes-dialog";
import { icon, stageColour } from "./elements/base";
import { sides } from "./elements/versus-race";
import "./elements/versus-race";
import { conditionNames, conditions, decode, encode, usual, type As, type Pair } from "./pair";
import { encode as encodePlace } from "./place";
import { loadSamples, type Sample } from "./samples";
import { fill, langOf, loadMessages, loadPageStrings, say, sentence, why, type Args, type Messages } from "./words";
import type { Cite, Comparison, Finding, Need, Parting, RunResult, RunSettings, Stage, Step } from "./wire.gen";

type Side = (typeof sides)[number];

const base = new URL(".", import.meta.url).href;
const lang = langOf(document.documentElement.lang);
const unsaid = { title: "", text: "" };

/** What stands on a side: a sample, or files of the reader. */
interface Chosen {
  id: string; // of a sample, or the files' name
  parts?: readonly Part[];
}

class BpVersus extends LitElement {
  static override properties = {
    comparison: { state: true }, left: { state: true }, right: { state: true }, as: { state: true }, samples: { state: true }, messages: { state: true },
    working: { state: true }, problem: { state: true }, over: { state: true },
  };
  declare comparison: Comparison | null;
  declare left: Chosen;
  declare right: Chosen;
  declare as: As | null;
  declare samples: readonly Sample[];
  declare messages: Messages;
  declare working: boolean;
  declare problem: string;
  declare over: Side | null; // a file hangs over this half
  #engine: Engine | null = null;
  #opened: Chosen | null = null; // what the engine holds on the left
  #ready: Promise<Engine> | null = null; // the engine, with what is shown
  #two: [Chosen, Chosen] = [{ id: usual.left }, { id: usual.right }]; // to come back to from a condition
  #turn = 0;

  constructor() {
    super();
    this.comparison = null;
    this.left = { id: usual.left };
    this.right = { id: usual.right };
    this.as = null;
    this.samples = [];
    this.messages = {};
    this.working = false;
    this.problem = "";
    this.over = null;
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("hashchange", this.#place);
    for (const type of ["dragover", "dragleave", "drop"] as const) document.addEventListener(type, this.#dropping);
    void this.#begin();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("hashchange", this.#place);
    for (const type of ["dragover", "dragleave", "drop"] as const) document.removeEventListener(type, this.#dropping);
  }

  /** The page as it was built stays until there is something to put in its place. */
  protected override shouldUpdate(): boolean {
    return this.comparison !== null || this.problem !== "" || this.working;
  }

  protected override willUpdate(): void {
    if (!this.hasUpdated) this.replaceChildren();
  }

  async #begin(): Promise<void> {
    [this.samples, this.messages] = await Promise.all([loadSamples(base), loadMessages(base, lang), loadPageStrings(base, lang)]);
    const pair = decode(location.hash) ?? usual;
    if (encode(pair) === encode(usual) && (await this.#prepared())) return;
    this.#take(pair);
  }

  /** The usual pair as the site was built with it. */
  async #prepared(): Promise<boolean> {
    try {
      const files = await Promise.all(["compare", usual.left, usual.right].map(async (n) => (await asset(base, `traces/${n}.json`)).json() as Promise<unknown>));
      const [comparison, left, right] = files as [Comparison, { run: RunResult }, { run: RunResult }];
      comparison.left.run = left.run;
      comparison.right.run = right.run;
      this.comparison = comparison;
      return true;
    } catch {
      return false; // then the engine works it out
    }
  }

  #place = (): void => {
    const pair = decode(location.hash);
    if (pair && encode(pair) !== this.#hash()) this.#take(pair);
  };

  #take(pair: Pair): void {
    this.as = pair.as ?? null;
    this.left = { id: pair.left };
    this.right = { id: pair.right };
    if (!pair.as) this.#two = [this.left, this.right];
    void this.#compare();
  }

  #hash(): string {
    return encode({ left: this.left.id, right: this.right.id, ...(this.as ? { as: this.as } : {}) });
  }

  // ---- what is compared -------------------------------------------------------------------------------

  #sample(c: Chosen): Sample | undefined {
    return c.parts ? undefined : this.samples.find((s) => s.id === c.id);
  }

  #name(side: Side): string {
    const c = this[side];
    const name = this.#sample(c)?.title[lang] ?? c.id;
    return this.as ? `${name} · ${say(lang, `versus.as.${this.as}.${side}`)}` : name;
  }

  #settings(side: Side): RunSettings {
    const own = this.#sample(this[side])?.settings ?? {};
    return this.as ? { ...own, ...conditions[this.as][side] } : own;
  }

  #input(c: Chosen): { name: string; data: Input } {
    if (c.parts) return { name: c.id, data: c.parts };
    const sample = this.#sample(c);
    if (sample) return { name: sample.file, data: new URL(`samples/${sample.file}`, base).href };
    return { name: c.id, data: new URL(c.id, location.href).href };
  }

  async #compare(): Promise<void> {
    const turn = ++this.#turn;
    this.working = true;
    this.problem = "";
    if (!this.left.parts && !this.right.parts) history.replaceState(null, "", `#${this.#hash()}`);
    const ready = (this.#ready = this.#start());
    try {
      await ready;
    } catch (e) {
      if (turn === this.#turn) this.problem = e instanceof Error ? e.message : String(e);
    }
    if (turn === this.#turn) this.working = false;
  }

  /** Has the engine compare what is chosen; the engine that then holds both sides. */
  async #start(): Promise<Engine> {
    const turn = this.#turn;
    const engine = (this.#engine ??= new Engine(base));
    const { left, right } = this;
    const settings = { left: this.#settings("left"), right: this.#settings("right") };
    if (this.#opened !== left) {
      const { name, data } = this.#input(left);
      await engine.open(name, data);
      this.#opened = left;
    }
    const comparison = await engine.compare(settings.left, settings.right, this.as ? null : this.#input(right));
    if (turn === this.#turn) this.comparison = comparison;
    return engine;
  }

  #choose(side: Side, c: Chosen): void {
    if (this.as) this.left = this.right = c;
    else this[side] = c;
    if (!this.as) this.#two = [this.left, this.right];
    void this.#compare();
  }

  /** A condition applies to the image of its kind that is shown, or to a sample. */
  #under(as: As | null): void {
    if (as === this.as) return;
    if (!as) [this.left, this.right] = this.#two;
    else {
      const kind = conditions[as].kind;
      const shown = sides.find((s) => this.comparison?.[s].kind === kind);
      this.left = this.right = shown ? this[shown] : this.#two.find((c) => this.#sample(c)?.kind === kind) ?? { id: kind === "system" ? usual.right : usual.left };
    }
    this.as = as;
    void this.#compare();
  }

  #dropping = (e: DragEvent): void => {
    if (!e.dataTransfer?.types.includes("Files")) return;
    e.preventDefault();
    const side = e.clientX < innerWidth / 2 ? "left" : "right";
    this.over = e.type === "dragover" ? side : null;
    if (e.type === "drop") void dropped(e.dataTransfer).then((parts) => this.#given(side, parts));
  };

  // ---- drawing ----------------------------------------------------------------------------------------

  protected override render() {
    const c = this.comparison;
    return html`
      <div class="images ${this.as ? "one" : ""}">${(this.as ? ["left"] as const : sides).map((s) => this.#image(s))}</div>
      ${this.#conditions()}
      <p class="status" role="status">${this.problem ? html`<span class="stop">${say(lang, "versus.failed", { message: this.problem })}</span>` : this.working ? say(lang, "versus.working") : ""}</p>
      ${c ? html`<div class="results ${this.working ? "old" : ""}">
        <bp-versus-race .lang=${lang} .messages=${this.messages} .comparison=${c} .names=${{ left: this.#name("left"), right: this.#name("right") }} .places=${{ left: this.#lab("left"), right: this.#lab("right") }}></bp-versus-race>
        ${this.#difference(c)}
        ${sides.map((s) => this.#needs(s, c[s].run?.needs ?? []))}
        ${this.#table(c)}
      </div>` : nothing}
      <bp-bytes-dialog .lang=${lang}></bp-bytes-dialog>`;
  }

  #image(side: Side) {
    const chosen = this[side];
    const c = this.comparison?.[side];
    const label = this.as ? say(lang, "versus.image") : say(lang, `versus.${side}`);
    const finding = this.comparison?.rows.find((r) => r.dimension === "kernel")?.[side];
    return html`<section class="image ${this.over === side ? "over" : ""}">
      <div class="pick"><label><span>${label}</span> <select @change=${(e: Event) => this.#picked(side, e)}>
        ${chosen.parts || !this.#sample(chosen) ? html`<option selected value="">${chosen.id}</option>` : nothing}
        ${this.samples.filter((s) => s.kind !== "other").map((s) => html`<option value=${s.id} ?selected=${!chosen.parts && s.id === chosen.id}>${s.title[lang]}</option>`)}
      </select></label>
      <button type="button" class="push" @click=${(e: Event) => (e.currentTarget as HTMLElement).parentElement?.querySelector("input")?.click()}>${say(lang, "drop.choose")}</button>
      <input type="file" multiple class="hide" tabindex="-1" aria-label=${say(lang, "drop.choose")} @change=${(e: Event) => this.#file(side, e)} /></div>
      ${c && finding ? html`<p class="badge ${c.kernel_from}"><i aria-hidden="true"></i> <b>${say(lang, `versus.kernel.${c.kernel_from}`)}</b> ${this.#evidence(side, finding, this.#says(finding).title, "kernel")}</p>` : nothing}
    </section>`;
  }

  #picked(side: Side, e: Event): void {
    const id = (e.target as HTMLSelectElement).value;
    if (id) this.#choose(side, { id });
  }

  #file(side: Side, e: Event): void {
    const input = e.target as HTMLInputElement;
    const parts = chosenFiles(input.files);
    input.value = "";
    this.#given(side, parts);
  }

  #given(side: Side, parts: readonly Part[]): void {
    if (parts.length > 0) this.#choose(side, { id: nameOf(parts), parts });
  }

  #conditions() {
    const chip = (as: As | null) => html`<button type="button" aria-pressed=${as === this.as} @click=${() => this.#under(as)}>${say(lang, as ? `versus.as.${as}` : "versus.two")}</button>`;
    const other: readonly As[] = ["boot-container", "load-disk"];
    return html`<div class="under"><div role="group" aria-label=${say(lang, "versus.what")}>${chip(null)}</div>
      <div role="group" aria-labelledby="under-conditions"><span id="under-conditions">${say(lang, "versus.under")}</span>${conditionNames.filter((n) => !other.includes(n)).map(chip)}</div>
      <div role="group" aria-labelledby="under-other"><span id="under-other">${say(lang, "versus.otherway")}</span>${other.map(chip)}</div></div>`;
  }

  /** The address of a step in the Lab. */
  #lab(side: Side): ((step: number) => string) | null {
    const c = this[side];
    if (c.parts) return null;
    const settings = this.#settings(side);
    return (step) => `${base}${lang}/lab/#${encodePlace({ src: c.id, step: String(step), settings })}`;
  }

  #says(f: { key: string; args?: { [name: string]: string } }) {
    const m = this.messages[f.key] ?? unsaid;
    const stage = f.args?.["stage"];
    const args: Args = { ...f.args, ...(stage ? { stage: say(lang, `stage.${stage as Stage}`) } : {}) };
    return { title: fill(m.title, args, lang), text: fill(m.text, args, lang) };
  }

  #table(c: Comparison) {
    return html`<table class="facts" role="table"><caption>${say(lang, "versus.table")}</caption>
      <thead><tr role="row"><td></td>${sides.map((s) => html`<th scope="col" role="columnheader">${this.#name(s)}</th>`)}</tr></thead>
      <tbody role="rowgroup">${c.rows.map((r) => {
        const d = this.messages[`compare.dimension-${r.dimension}`] ?? unsaid;
        return html`<tr role="row"><th scope="row" role="rowheader">${d.title}<small>${d.text}</small></th>${sides.map((s) => this.#cell(s, r[s]))}</tr>`;
      })}</tbody></table>`;
  }

  #cell(side: Side, f: Finding) {
    const { title, text } = this.#says(f);
    const place = f.step === undefined ? null : this.#lab(side)?.(f.step);
    return html`<td role="cell" class=${f.unknown ? "unknown" : ""} data-side=${this.#name(side)}><b>${title}</b><p>${text}</p>
      ${f.unknown ? html`<p class="missing"><b>${say(lang, "verdict.unknown")}</b> ${say(lang, "versus.missing")} ${why(lang, f.unknown)}</p>` : nothing}
      <p class="why">${this.#evidence(side, f, title, "kernel", true)}${f.rule ? html`<span class="rule" lang="en">${f.rule}</span>` : nothing}${place ? html`<a href=${place}>${say(lang, "verdict.step", { n: (f.step ?? 0) + 1 })}</a>` : nothing}</p></td>`;
  }

  /** A button that opens the bytes: it shows the first of them, or the words it is given. */
  #evidence(side: Side, f: { cites?: Finding["cites"] }, title: string, stage: string, short = false): TemplateResult {
    const cites = distinct(f.cites ?? []);
    const first = cites[0];
    if (!first) return short ? html`` : html`<span>${title}</span>`;
    const value = [first.name, first.value].filter(Boolean).join(" ");
    return html`<button type="button" class="cite" title=${`${say(lang, "versus.bytes")}: ${value}`} @click=${() => this.#bytes(side, cites, title, stage)}>${icon("cite", 14)}<span>${
      short ? html`<code lang="en">${value || first.blob}</code>${cites.length > 1 ? ` +${cites.length - 1}` : ""}` : title}</span></button>`;
  }

  #bytes(side: Side, cites: NonNullable<Finding["cites"]>, title: string, stage: string): void {
    this.#ready ??= this.#start();
    this.querySelector<BpBytesDialog>("bp-bytes-dialog")?.show({ title: `${this.#name(side)}: ${title}`, cites, stage, side, engine: this.#ready });
  }

  // ---- where two runs part ----------------------------------------------------------------------------

  #difference(c: Comparison) {
    const d = c.difference;
    if (!d) return nothing;
    if (d.same) return html`<section class="parting"><h2>${say(lang, "versus.alike")}</h2></section>`;
    const place = d.parting ?? d.values;
    if (!place) return html`<section class="parting"><h2>${say(lang, "versus.alike")}</h2></section>`;
    return html`<section class="parting"><h2>${say(lang, d.parting ? "versus.parting" : "versus.values")}</h2>
      <p>${this.#parts(place, c)}</p>
      <div class="two">${sides.map((s) => this.#step(s, place[s], c))}</div>
      ${this.#because(place.because ?? (d.parting ? d.values : undefined), c)}
      ${place.differs?.length ? this.#differs(place) : nothing}</section>`;
  }

  /** The sentence of a parting, with the steps' titles for their kinds. */
  #parts(p: Parting, c: Comparison): string {
    const title = (s: Side) => {
      const step = c[s].run?.steps[p[s]];
      return step && p[s] >= 0 ? `“${sentence(step, this.messages, lang).title}”` : p.args[s] ?? "";
    };
    return fill((this.messages[p.key] ?? unsaid).text, { ...p.args, left: title("left"), right: title("right") }, lang);
  }

  #step(side: Side, n: number, c: Comparison) {
    const step: Step | undefined = n >= 0 ? c[side].run?.steps[n] : undefined;
    if (!step) return html`<div class="step"><p class="which">${this.#name(side)}</p><p class="quiet">${say(lang, "versus.ended")}</p></div>`;
    const s = sentence(step, this.messages, lang);
    const place = this.#lab(side)?.(n);
    const which = say(lang, "verdict.step", { n: n + 1 });
    return html`<div class="step" style="--c:${stageColour(step.stage)}"><p class="which">${this.#name(side)} · <span class="stage">${say(lang, `stage.${step.stage}`)}</span> ${place ? html`<a href=${place}>${which}</a>` : which}</p>
      <p><b>${s.title}</b></p><p>${s.text}</p><p class="why">${this.#evidence(side, step, s.title, step.stage, true)}${step.rule ? html`<span class="rule" lang="en">${step.rule}</span>` : nothing}</p></div>`;
  }

  #because(p: Parting | undefined, c: Comparison) {
    if (!p) return nothing;
    return html`<p class="because">${say(lang, "versus.because", { n: p.left + 1 })} ${this.#parts(p, c)}</p>`;
  }

  #differs(p: Parting) {
    return html`<table class="values"><thead><tr><th scope="col">${say(lang, "card.values")}</th>${sides.map((s) => html`<th scope="col">${this.#name(s)}</th>`)}</tr></thead>
      <tbody>${p.differs.map((d) => html`<tr><th scope="row" lang="en">${d.name}</th><td lang="en">${d.left || "–"}</td><td lang="en">${d.right || "–"}</td></tr>`)}</tbody></table>`;
  }

  // ---- what the other way would need ------------------------------------------------------------------

  #needs(side: Side, needs: readonly Need[]) {
    if (needs.length === 0) return nothing;
    const state = (n: Need) => (n.unknown ? "unknown" : n.have ? "have" : "lacks");
    return html`<section class="needs"><h2>${say(lang, this.as === "load-disk" ? "versus.needs.container" : "versus.needs.system")}</h2>
      <ul>${needs.map((n) => {
        const { title, text } = this.#says(n);
        return html`<li class=${state(n)}><span class="state">${say(lang, `versus.need.${state(n)}`)}</span><div><b>${title}</b>${n.have ? nothing : html`<p>${text}</p>`}
          ${n.unknown ? html`<p class="missing">${say(lang, "versus.missing")} ${why(lang, n.unknown)}</p>` : nothing}<p class="why">${this.#evidence(side, n, title, "kernel", true)}</p></div></li>`;
      })}</ul></section>`;
  }
}

/** Two rules may rest on the same bytes. */
function distinct(cites: readonly Cite[]): Cite[] {
  const seen = new Set<string>();
  return cites.filter((c) => {
    const key = JSON.stringify([c.blob, c.off, c.len, c.name]);
    return !seen.has(key) && seen.add(key);
  });
}

customElements.define("bp-versus", BpVersus);
