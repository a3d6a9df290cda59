// The practice page. "What was broken?": an image is broken by a seed, the reader sees how its start ends and
// chooses one of four diagnoses. "What comes next?": a healthy start is walked, and before a step that matters
// the reader says which it will be. Score and place are kept in this browser and in the address.
import { html, LitElement, nothing } from "lit";
import { plain } from "./ansi";
import { Clock, scaleFor } from "./clock";
import { Engine } from "./engine";
import type { BpBytesDialog } from "./elements/bytes-dialog";
import "./elements/bytes-dialog";
import { icon, stageColour } from "./elements/base";
import { encode as encodePlace } from "./place";
import type { Unkept } from "./database";
import { noProgress, note, onElsewhere, remembered, type Progress } from "./progress";
import { loadSamples, type Sample } from "./samples";
import { fill, langOf, loadMessages, loadPageStrings, say, sentence, type Messages } from "./words";
import type { Exercise, Kind, RunResult, RunSettings, Step } from "./wire.gen";

const base = new URL(".", import.meta.url).href;
const lang = langOf(document.documentElement.lang);
const questionsMost = 12;
const quick = "busybox-iso"; // the sample to begin with: the smallest that boots

type Mode = "diagnose" | "predict";

/** A step that is asked for: what might come, in the order shown. */
interface Question {
  step: number;
  kinds: Kind[];
}

class BpPractice extends LitElement {
  static override properties = {
    mode: { state: true }, sample: { state: true }, seed: { state: true }, samples: { state: true }, messages: { state: true }, working: { state: true }, problem: { state: true },
    exercise: { state: true }, run: { state: true }, chosen: { state: true }, questions: { state: true }, asked: { state: true }, answer: { state: true }, foreseen: { state: true }, progress: { state: true }, unkept: { state: true },
  };
  declare mode: Mode;
  declare sample: string;
  declare seed: number;
  declare samples: readonly Sample[];
  declare messages: Messages;
  declare working: boolean;
  declare problem: string;
  declare exercise: Exercise | null;
  declare run: RunResult | null; // of the broken image, or the one that is walked
  declare chosen: readonly number[]; // diagnoses, in order
  declare questions: readonly Question[];
  declare asked: number; // of the questions
  declare answer: Kind | null;
  declare foreseen: number;
  declare progress: Progress;
  declare unkept: Unkept | null;
  #engine: Engine | null = null;
  #opened = "";
  #turn = 0;

  constructor() {
    super();
    this.mode = "diagnose";
    this.sample = quick;
    this.seed = 1;
    this.samples = [];
    this.messages = {};
    this.working = false;
    this.problem = "";
    this.exercise = this.run = this.answer = null;
    this.chosen = [];
    this.questions = [];
    this.asked = this.foreseen = 0;
    this.progress = noProgress();
    this.unkept = null;
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("hashchange", this.#place);
    void this.#begin();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("hashchange", this.#place);
  }

  async #begin(): Promise<void> {
    const [samples, messages, progress] = await Promise.all([loadSamples(base), loadMessages(base, lang), remembered(), loadPageStrings(base, lang)]);
    // A sample that stops by itself, or that starts only in part, is nothing to break.
    this.samples = samples.filter((s) => (s.kind === "application" || s.kind === "system") && s.id !== "broken-programs");
    this.messages = messages;
    this.progress = progress;
    onElsewhere((now) => (this.progress = now));
    this.#place();
  }

  /** The page as it was built stays until there are words. */
  protected override shouldUpdate(): boolean {
    return this.samples.length > 0;
  }

  protected override willUpdate(): void {
    if (!this.hasUpdated) this.replaceChildren();
  }

  #place = (): void => {
    const [version, ...parts] = location.hash.slice(1).split("&");
    const named = new URLSearchParams(version === "v1" ? parts.join("&") : "");
    const seed = Number(named.get("seed"));
    this.mode = named.get("mode") === "predict" ? "predict" : "diagnose";
    this.sample = this.samples.find((s) => s.id === named.get("src"))?.id ?? quick;
    this.seed = Number.isSafeInteger(seed) && seed > 0 ? seed : 1;
    void this.#start();
  };

  #go(to: { mode?: Mode; sample?: string; seed?: number }): void {
    Object.assign(this, to);
    const seed = this.mode === "diagnose" ? `&seed=${this.seed}` : "";
    history.replaceState(null, "", `#v1&src=${this.sample}${seed}${this.mode === "predict" ? "&mode=predict" : ""}`);
    void this.#start();
  }

  get #settings(): RunSettings {
    return this.samples.find((s) => s.id === this.sample)?.settings ?? {};
  }

  // ---- asking the engine ------------------------------------------------------------------------------

  async #start(): Promise<void> {
    const turn = ++this.#turn;
    this.working = true;
    this.problem = "";
    this.exercise = this.run = this.answer = null;
    this.chosen = [];
    this.questions = [];
    this.asked = this.foreseen = 0;
    try {
      const engine = await this.#open();
      if (this.mode === "diagnose") {
        const exercise = await engine.exercise(this.seed, this.#settings);
        const run = await engine.run(exercise.settings);
        if (turn === this.#turn) Object.assign(this, { exercise, run });
      } else {
        const run = await engine.run(this.#settings);
        const questions = await ask(engine, run.steps);
        if (turn === this.#turn) Object.assign(this, { run, questions });
      }
    } catch (e) {
      if (turn === this.#turn) this.problem = e instanceof Error ? e.message : String(e);
    }
    if (turn === this.#turn) this.working = false;
  }

  async #open(): Promise<Engine> {
    const engine = (this.#engine ??= new Engine(base));
    const sample = this.samples.find((s) => s.id === this.sample);
    if (sample && this.#opened !== sample.id) {
      this.#opened = "";
      await engine.open(sample.file, new URL(`samples/${sample.file}`, base).href);
      this.#opened = sample.id;
    }
    return engine;
  }

  #keep(exercise: string, right: boolean): void {
    if (exercise in this.progress.exercises) return; // the first try counts
    this.progress = { ...this.progress, exercises: { ...this.progress.exercises, [exercise]: right } };
    void note({ exercises: { [exercise]: right } }).then((why) => (this.unkept = why));
  }

  // ---- drawing ----------------------------------------------------------------------------------------

  protected override render() {
    return html`<div class="under">
        <div role="group" aria-label=${say(lang, "practice.mode")}>${(["diagnose", "predict"] as const).map((m) => html`<button type="button" aria-pressed=${m === this.mode} @click=${() => m !== this.mode && this.#go({ mode: m })}>${say(lang, `practice.${m}`)}</button>`)}</div>
        <div class="pick"><label><span>${say(lang, "practice.sample")}</span> <select @change=${(e: Event) => this.#go({ sample: (e.target as HTMLSelectElement).value, seed: 1 })}>${
          this.samples.map((s) => html`<option value=${s.id} ?selected=${s.id === this.sample}>${s.title[lang]}</option>`)}</select></label>
        ${this.mode === "diagnose" ? html`<label><span>${say(lang, "practice.number")}</span> <input type="number" min="1" step="1" .value=${String(this.seed)} @change=${this.#numbered} /></label>
          <button type="button" class="push" @click=${() => this.#go({ seed: this.seed + 1 })}>${say(lang, "practice.another")}</button>` : nothing}</div>
      </div>
      <p class="status" role="status">${this.problem ? html`<span class="stop">${say(lang, "practice.failed", { message: this.problem })}</span>` : this.working ? say(lang, this.mode === "diagnose" ? "practice.making" : "practice.starting") : this.#score()}</p>
      ${this.exercise && this.run ? this.#diagnose(this.exercise, this.run) : nothing}
      ${this.mode === "predict" && this.run ? this.#predict(this.run) : nothing}
      <bp-bytes-dialog .lang=${lang}></bp-bytes-dialog>`;
  }

  #numbered = (e: Event): void => {
    const n = Number((e.target as HTMLInputElement).value);
    if (Number.isSafeInteger(n) && n > 0) this.#go({ seed: n });
  };

  #score(): string {
    const all = Object.values(this.progress.exercises);
    const score = all.length === 0 ? say(lang, "practice.score.none") : say(lang, "practice.score", { right: all.filter(Boolean).length, all: all.length });
    return this.unkept ? `${score} ${say(lang, `kept.${this.unkept}`)}` : score;
  }

  #rail(steps: readonly Step[], failed: boolean) {
    const end = steps.at(-1)?.at ?? 0;
    const clock = new Clock(end, scaleFor([end, steps.find((s) => s.stage !== steps[0]?.stage)?.at ?? end]));
    return html`<div class="track still" aria-hidden="true"><div class="rail">${clock.bands(steps).map((b) => html`<i style="left:${b.from * 94}%;width:max(3px, calc(${(b.to - b.from) * 94}% - 1px));--c:${stageColour(b.stage)}">${
      b.to - b.from > 0.1 ? say(lang, `stage.${b.stage}`) : ""}</i>`)}${failed ? html`<b class="flag" style="left:94%">${icon("flag", 14)}</b>` : nothing}</div></div>`;
  }

  // ---- what was broken? -------------------------------------------------------------------------------

  #diagnose(ex: Exercise, run: RunResult) {
    const solved = this.chosen.includes(ex.answer);
    const until = ex.symptom.verdict === "works" ? run.steps : run.steps.slice(0, ex.symptom.step + 1);
    const screen = plain(ex.console.join("\n")).trimEnd();
    return html`<section class="symptom"><h2>${say(lang, "practice.symptom")}</h2>
      <p class="ends"><span class="verdict ${ex.symptom.verdict}">${say(lang, `verdict.${ex.symptom.verdict}`)}</span> <span class="quiet">${say(lang, `stage.${ex.symptom.stage}`)}</span></p>
      ${this.#rail(until, ex.symptom.verdict !== "works")}
      ${screen ? html`<pre lang="en" tabindex="0" aria-label=${say(lang, "console.title")}>${screen}</pre>` : html`<p class="quiet">${say(lang, "practice.silent")}</p>`}
      ${ex.symptom.message && !screen.includes(ex.symptom.message) ? html`<pre lang="en" class="stop">${ex.symptom.message}</pre>` : nothing}</section>
      <form class="ask" @submit=${(e: Event) => e.preventDefault()}><fieldset ?disabled=${solved}><legend>${say(lang, "practice.choose")}</legend>
        ${ex.options.map((o, i) => {
          const m = this.messages[o.key] ?? { title: o.key, text: "" };
          const tried = this.chosen.includes(i) ? (i === ex.answer ? "right" : "wrong") : "";
          return html`<label class=${tried}><input type="radio" name="diagnosis" value=${i} .checked=${this.chosen.at(-1) === i} @change=${() => this.#diagnosed(ex, i)} /><span><b>${fill(m.title, o.args, lang)}</b> <small>${fill(m.text, o.args, lang)}</small></span></label>`;
        })}</fieldset>
      <output aria-live="polite">${this.#comment(ex)}</output></form>
      ${solved ? this.#proof(ex, run) : nothing}`;
  }

  #diagnosed(ex: Exercise, i: number): void {
    this.#keep(`${this.sample}/${this.seed}`, i === ex.answer);
    this.chosen = [...this.chosen, i];
  }

  #comment(ex: Exercise): string {
    const last = this.chosen.at(-1);
    if (last === undefined) return "";
    if (last === ex.answer) return say(lang, "practice.right");
    const other = ex.proof.others[last];
    if (!other || other.verdict === "works") return say(lang, "practice.wrong.works");
    return say(lang, "practice.wrong", { message: other.message || say(lang, `stage.${other.stage}`) });
  }

  #proof(ex: Exercise, run: RunResult) {
    const step = run.steps[ex.proof.deciding];
    const parting = ex.proof.parting;
    const title = (kind: string | undefined) => fill(this.messages[kind ?? ""]?.title ?? kind ?? "", {}, lang).replace(/\{\w+\}/g, "…");
    const place = `${base}${lang}/lab/#${encodePlace({ src: this.sample, step: String(ex.proof.deciding), settings: ex.settings })}`;
    return html`<section class="proof"><h2>${say(lang, "practice.proof")}</h2>
      ${parting?.args["left"] && parting.args["right"] && parting.args["left"] !== parting.args["right"] ? html`<p>${say(lang, "practice.parts", { left: title(parting.args["left"]), right: title(parting.args["right"]) })}</p>` : nothing}
      ${step ? html`<p>${say(lang, "practice.deciding")}</p>${this.#step(step)}` : nothing}
      <p class="go"><a href=${place}>${say(lang, "practice.lab")}</a> <button type="button" class="push" @click=${() => this.#go({ seed: this.seed + 1 })}>${say(lang, "practice.another")}</button></p></section>`;
  }

  #step(step: Step) {
    const s = sentence(step, this.messages, lang);
    const first = step.cites?.[0];
    return html`<div class="step" style="--c:${stageColour(step.stage)}"><p class="which"><span class="stage">${say(lang, `stage.${step.stage}`)}</span> ${say(lang, "verdict.step", { n: step.seq + 1 })}</p>
      <p><b>${s.title}</b></p><p>${s.text}</p><p class="why">${first ? html`<button type="button" class="cite" @click=${() => this.#bytes(step, s.title)}>${icon("cite", 14)}<span><code lang="en">${
        [first.name, first.value].filter(Boolean).join(" ") || first.blob}</code></span></button>` : nothing}${step.rule ? html`<span class="rule" lang="en">${step.rule}</span>` : nothing}</p></div>`;
  }

  #bytes(step: Step, title: string): void {
    this.querySelector<BpBytesDialog>("bp-bytes-dialog")?.show({ title, cites: step.cites ?? [], stage: step.stage, side: "left", engine: this.#open() });
  }

  // ---- what comes next? -------------------------------------------------------------------------------

  #predict(run: RunResult) {
    const q = this.questions[this.asked];
    if (!q) return this.#over(run);
    const before = run.steps.slice(0, q.step + (this.answer ? 1 : 0));
    const told = run.steps.slice(Math.max(0, q.step - 3), q.step);
    const since = q.step - (this.questions[this.asked - 1]?.step ?? -1) - 1 - told.length;
    const truth = run.steps[q.step];
    return html`<section><h2>${say(lang, "practice.so.far")}</h2>${this.#rail(before, false)}
      <ol class="told" start=${Math.max(0, q.step - 3) + 1}>${told.map((s) => { const t = sentence(s, this.messages, lang); return html`<li style="--c:${stageColour(s.stage)}"><b>${t.title}</b> <span class="quiet">${t.text}</span></li>`; })}</ol>
      ${since > 0 ? html`<p class="quiet small">${say(lang, "practice.between", { n: since })}</p>` : nothing}</section>
      <form class="ask" @submit=${(e: Event) => e.preventDefault()}><fieldset ?disabled=${this.answer !== null}><legend><small>${say(lang, "practice.question", { n: this.asked + 1, of: this.questions.length })}</small>${say(lang, "practice.predict")}</legend>
        ${q.kinds.map((k) => html`<label class=${this.answer === null ? "" : k === truth?.kind ? "right" : k === this.answer ? "wrong" : ""}><input type="radio" name="next" .checked=${this.answer === k} @change=${() => this.#guessed(k, truth?.kind)} /><span>${this.#kind(k)}</span></label>`)}</fieldset>
      <output aria-live="polite">${this.answer === null ? "" : say(lang, this.answer === truth?.kind ? "practice.guessed" : "practice.missed")}</output>
      ${this.answer !== null && truth ? html`${this.#step(truth)}<p class="go"><button type="button" class="push" @click=${this.#onward}>${say(lang, "practice.go")}</button></p>` : nothing}</form>`;
  }

  /** A kind without the values of its step: they would give it away. */
  #kind(kind: Kind): string {
    return (this.messages[kind]?.title ?? kind).replace(/\{\w+\}/g, "…");
  }

  #guessed(kind: Kind, truth: Kind | undefined): void {
    this.answer = kind;
    const right = kind === truth;
    if (right) this.foreseen++;
    this.#keep(`${this.sample}/next/${truth}`, right);
  }

  #onward = async (): Promise<void> => {
    this.asked++;
    this.answer = null;
    await this.updateComplete;
    (this.querySelector<HTMLElement>("form.ask input") ?? this.querySelector<HTMLElement>(".over button"))?.focus();
  };

  #over(run: RunResult) {
    if (this.working) return nothing;
    const last = run.steps.at(-1);
    return html`<section class="over"><h2>${say(lang, "practice.done", { right: this.foreseen, asked: this.questions.length })}</h2>${this.#rail(run.steps, false)}${last ? this.#step(last) : nothing}
      <p class="go"><button type="button" class="push" @click=${() => this.#go({})}>${say(lang, "practice.again")}</button></p></section>`;
  }
}

/** Chooses the steps that are worth a question, and has the engine say what else might come there. */
async function ask(engine: Engine, steps: readonly Step[]): Promise<Question[]> {
  const seen = new Set<Kind>();
  const worth = steps.filter((s, i) => {
    const fresh = !seen.has(s.kind);
    seen.add(s.kind);
    const before = steps[i - 1];
    return fresh && before !== undefined && (s.actor !== before.actor || s.stage !== before.stage || (s.changes?.length ?? 0) > 0);
  });
  const every = Math.max(1, worth.length / questionsMost);
  const out: Question[] = [];
  for (let i = 0; i < worth.length && out.length < questionsMost; i += every) {
    const step = worth[Math.floor(i)];
    if (!step) continue;
    const others = await engine.predict(step.seq);
    if (others.length < 2) continue;
    const at = (step.seq * 7 + step.kind.length) % (others.length + 1); // any place, the same each time
    out.push({ step: step.seq, kinds: others.toSpliced(at, 0, step.kind) });
  }
  return out;
}

customElements.define("bp-practice", BpPractice);
