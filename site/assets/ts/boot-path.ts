// <boot-path>: the player. It alone talks to the engine; its parts get state as properties and ask by events.
import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { asset, inlined } from "./assets";
import type { Engine, Input } from "./engine";
import { icon, sharedStyles } from "./elements/base";
import "./elements/card";
import type { BpConsole } from "./elements/console";
import type { Fetched } from "./elements/evidence";
import type { BpKeys } from "./elements/keys";
import type { OpenFile } from "./elements/files";
import "./elements/panel";
import "./elements/rail";
import type { BpRail } from "./elements/rail";
import "./elements/steps";
import "./elements/transport";
import "./elements/verdict";
import type { Scene } from "./elements/view";
import { same, type Difference } from "./difference";
import { dropped, nameOf, type Part } from "./dropped";
import type { Firmware } from "./firmware";
import * as format from "./format";
import { remember, remembered, usualLayout, type Layout, type Slot } from "./layout";
import type { tools } from "./more";
import { added, conditions, isPatched, patchesOf, withPatches, type Patch, type Patched } from "./patches";
import { encode } from "./place";
import { ready, type Outline } from "./ready";
import { engineFailure, wasCancelled } from "./refusals";
import { RequestEvent, type Export, type PlayerRequest } from "./requests";
import { loadSamples, type Sample } from "./samples";
import { find } from "./selector";
import "./shared";
import { failures, Tape } from "./tape";
import { available, drawsAll, isView, scriptOf, suits, touches, usual, usualScreen, viewOf, type View } from "./views/catalog";
import { History } from "./views/changes";
import { diskName } from "./views/disk-strip";
import type { ChangeListing, Cite, Command, Facts, Inspection, LibraryEntry, Outcome, RunResult, RunSettings, Step, TreeListing } from "./wire.gen";
import { areaOf, canSay, htmlLang, langOf, loadMessages, loadStrings, say, sentence, unknownArea, useReasons, why, type Args, type Key, type Lang, type Messages } from "./words";

/** Where this script was loaded from: samples, sentences and the engine lie beside it. */
const home = new URL(".", import.meta.url).href;

const narrowBelow = 720; // px
const wideFrom = 1040;
const dwell = 900; // ms a step stays while playing at speed 1
const fileShown = 64 << 10; // bytes of a file that are fetched
const announceAfter = 350; // ms a step must stay before it is spoken

interface Work {
  what: "opening" | "running";
  name: string;
  read: number;
}

interface Problem {
  title: string;
  message: string;
  want?: string;
  got?: string;
  where?: string;
}

/** What an image is opened from. */
type Source = { id?: string; name: string; data: Input; usual?: RunSettings };

export class BootPath extends LitElement {
  static override properties = {
    src: { reflect: true }, scenario: { reflect: true }, step: {}, end: {}, view: {}, field: {}, lang: {}, theme: { reflect: true }, controls: { reflect: true }, base: {},
    settings: { attribute: false }, off: { attribute: false },
    language: { state: true }, messages: { state: true }, samples: { state: true }, library: { state: true }, at: { state: true }, playing: { state: true },
    speed: { state: true }, panes: { state: true }, cite: { state: true }, kernelCites: { state: true }, fetched: { state: true }, work: { state: true }, problem: { state: true },
    inspection: { state: true }, result: { state: true }, engineHolds: { state: true }, opener: { state: true }, list: { state: true }, over: { state: true },
    layout: { state: true, attribute: false }, listing: { state: true }, layerChanges: { state: true }, listingProblem: { state: true }, file: { state: true }, editing: { state: true }, difference: { state: true }, outcomeBefore: { state: true },
    eager: { type: Boolean }, awake: { state: true }, tried: { state: true }, trying: { state: true }, command: { state: true }, commandProblem: { state: true }, linked: { state: true }, cancelled: { state: true }, unkept: { state: true }, said: { state: true },
  };

  /** A sample's id, or the address of an image or a slice. */
  declare src: string | null;
  /** A prepared scenario by name. */
  declare scenario: string | null;
  /** The step to begin at, named as selector.ts says: its kind, which of that kind, its number, or "end". */
  declare step: string | null;
  /** The step at which playing stops, named as step is; otherwise the last. */
  declare end: string | null;
  /** The view that is shown first, or alone where there is room for one: console, evidence, memory, … */
  declare view: string | null;
  /** The field of the step's evidence whose bytes are shown, by its name. */
  declare field: string | null;
  declare lang: string;
  /** light or dark; otherwise as the page. */
  declare theme: string | null;
  /** "lab": with the image bar and opening of files; "none": without buttons. */
  declare controls: string | null;
  /** Nothing waits for a press: all steps are loaded at once, and the bytes that a view shows. */
  declare eager: boolean;
  /** Address of the folder with engine, samples and sentences; by default the script's own. */
  declare base: string | null;
  /** The settings of the next and of the latest run. */
  declare settings: RunSettings;
  /** Patches that are switched off: they stay in the list and in the link. */
  declare off: Patched;

  declare private language: Lang;
  declare private messages: Messages;
  declare private samples: readonly Sample[];
  declare private library: readonly LibraryEntry[];
  declare private at: number;
  declare private playing: boolean;
  declare private speed: number;
  declare private panes: Layout;
  declare private cite: number;
  declare private kernelCites: readonly Cite[] | null; // shown instead of the step's, when asked for
  declare private fetched: Fetched | null;
  declare private work: Work | null;
  declare private problem: Problem | null;
  declare private inspection: Inspection | null;
  declare private result: RunResult | null;
  declare private engineHolds: boolean;
  declare private awake: boolean; // somebody asked for something: bytes may cost the engine
  declare private opener: boolean;
  declare private list: boolean;
  declare private over: boolean;
  declare private layout: "wide" | "medium" | "narrow";
  declare private listing: TreeListing | null;
  declare private layerChanges: ChangeListing | null;
  declare private listingProblem: string;
  declare private file: OpenFile | null;
  declare private editing: string; // path
  declare private difference: Difference | null; // of the latest run to the one without patches
  declare private outcomeBefore: Outcome | null;
  declare private tried: { readonly [F in Firmware]?: Outcome };
  declare private trying: boolean;
  declare private command: Command | null;
  declare private commandProblem: string;
  declare private linked: boolean;
  declare private cancelled: boolean;
  declare private unkept: string; // name of an image that the library has no room for
  declare private said: string;

  #engine: Engine | null = null;
  #unasked: { source: Source; settings: RunSettings } | null = null; // what the engine has not been told of yet
  #source: Source | null = null;
  #tape = new Tape([]);
  #history = new History([]);
  #outline: Outline | null = null; // of a run that was worked out in advance, until all its steps are whole
  #completing: Promise<void> | null = null;
  #failures: readonly number[] = [];
  #arranged: Source | null = null; // the image that the views were laid out for
  #unpatched: { key: string; run: RunResult } | null = null; // the latest run of this image as it came
  #views: readonly View[] = [];
  #job = 0; // the latest open or run; answers to earlier ones are dropped
  #timer = 0;
  #speaker = 0;
  #from = 0; // the step that this run was shown at first
  #speaks: Lang | null = null; // the language of the latest drawing
  #prepared: { name: string; settings: string } | null = null; // the scenario, and its settings as JSON
  #opened: string | null = null; // the src that was opened
  #observer = new ResizeObserver(([e]) => this.#resize(e?.contentRect.width ?? 0));

  constructor() {
    super();
    this.src = this.scenario = this.step = this.end = this.view = this.field = this.theme = this.controls = this.base = null;
    this.settings = {};
    this.off = {};
    this.language = "en";
    this.messages = {};
    this.samples = [];
    this.library = [];
    this.at = -1;
    this.playing = false;
    this.speed = 1;
    this.panes = { ...usualLayout, side: "console" };
    this.cite = 0;
    this.kernelCites = this.fetched = this.work = this.problem = this.inspection = this.result = null;
    this.eager = this.awake = this.engineHolds = this.opener = this.list = this.over = this.linked = this.cancelled = false;
    this.listing = this.layerChanges = this.file = this.difference = this.outcomeBefore = this.command = null;
    this.listingProblem = this.editing = this.commandProblem = this.unkept = "";
    this.tried = {};
    this.trying = false;
    this.layout = "narrow";
    this.said = "";
    this.addEventListener(RequestEvent.type, (e) => {
      e.stopPropagation();
      this.#do((e as RequestEvent).request);
    });
    this.addEventListener("keydown", (e) => this.#key(e));
    this.addEventListener("dragover", (e) => this.#drag(e, true));
    this.addEventListener("dragleave", (e) => this.#drag(e, false));
    this.addEventListener("drop", (e) => this.#drop(e));
  }

  // ---- the public interface -------------------------------------------------------------------------

  get outcome(): Outcome | null {
    return this.result?.outcome ?? null;
  }

  get steps(): readonly Step[] {
    return this.#tape.steps;
  }

  get facts(): Facts | null {
    return this.result?.facts ?? null;
  }

  /** The current step's number from 0, or -1. */
  get position(): number {
    return this.at;
  }

  get bytesRead(): number {
    return Math.max(this.result?.bytes_read ?? 0, this.inspection?.bytes_read ?? 0, this.work?.read ?? 0);
  }

  /** Opens a file, files that belong together, a sample by its id, or an address, and starts it. */
  async open(what: File | readonly Part[] | string): Promise<void> {
    const parts = what instanceof File ? [{ name: what.name, file: what }] : what;
    const source = typeof parts === "string" ? await this.#named(parts) : { name: nameOf(parts), data: parts };
    await this.#open(source);
  }

  /** Starts the opened image again under other settings. */
  async run(settings: RunSettings): Promise<void> {
    this.settings = settings;
    const job = this.#begin("running", this.#source?.name ?? "");
    try {
      await this.#run(job, true);
    } catch (e) {
      this.#fail(job, e, "settings");
    }
  }

  /** Goes to a step; to one that has only been listed so far as soon as it is there. */
  seek(n: number): void {
    if (this.steps.length === 0) return;
    const o = this.#outline;
    if (o && (n < o.from || n >= o.to)) return void this.complete().then(() => this.#outline ?? this.seek(n));
    const at = this.#tape.seek(n);
    const moved = at !== this.at;
    if (!moved && !this.field) return;
    this.at = at;
    this.cite = Math.max(0, this.#cites.findIndex((c) => c.name === this.field));
    this.field = this.kernelCites = null;
    if (!moved) return;
    if (at === this.#until) this.pause();
    this.#emit("stepchange", { position: at, step: this.#tape.step });
    this.#speakSoon();
  }

  /** The bytes that decided the current step. */
  get #cites(): readonly Cite[] {
    return this.#tape.step?.cites ?? [];
  }

  /** Loads what is left out of a run that was worked out in advance until somebody plays it: then steps are whole. */
  complete(): Promise<void> {
    this.awake = true;
    return this.#whole();
  }

  #whole(): Promise<void> {
    const o = this.#outline;
    if (!o) return Promise.resolve();
    return (this.#completing ??= o.rest().then(
      async (run) => {
        const messages = await this.#sentences(this.language, run.steps, [run.outcome]);
        if (this.#outline !== o) return;
        this.messages = { ...this.messages, ...messages };
        this.#show(run);
      },
      (e: unknown) => this.#outline === o && this.#fail(this.#job, e),
    ).then(() => void (this.#completing = null)));
  }

  play(): void {
    if (this.steps.length === 0 || this.playing) return;
    void this.complete();
    if (this.at >= this.#until) this.seek(this.#from < this.#until ? this.#from : 0);
    this.playing = true;
    this.#tick();
  }

  /** Where playing stops. */
  get #until(): number {
    const end = this.end ? find(this.steps, this.end) : -1;
    return end >= 0 ? end : this.steps.length - 1;
  }

  pause(): void {
    this.playing = false;
    clearTimeout(this.#timer);
  }

  /** A link to this place in the Lab, or "" when the image is a file of this machine. */
  get link(): string {
    const src = this.#source?.id ?? (typeof this.#source?.data === "string" ? this.#source.data : "");
    if (!src) return "";
    return new URL(`${this.language}/lab/#${encode({ src, step: String(this.at), ...this.#looksAt, settings: this.settings, off: this.off })}`, this.#base).href;
  }

  /** The view beside the step, as a link names it; of evidence the field, unless it is the first. */
  get #looksAt(): { view?: string; field?: string } {
    const field = this.cite > 0 && !this.kernelCites ? this.#cites[this.cite]?.name : undefined;
    if (this.panes.side === "evidence") return field ? { view: "evidence", field } : {};
    return this.panes.side === "console" ? {} : { view: this.panes.side };
  }

  // ---- views -----------------------------------------------------------------------------------------

  /** Where a run's views stand at first: as this browser remembers, or as suits what it has to show. */
  #arrange(result: RunResult): void {
    if (this.#arranged === this.#source) return; // started again: the views stay as they are
    this.#arranged = this.#source;
    const lab = this.controls === "lab";
    const screen = usualScreen(this.#views, this.#outline?.prints ?? result.steps.some((s) => s.console));
    this.panes = { ...usualLayout, mid: screen, low: lab ? "follow" : "none", ...(lab ? remembered(this.inspection?.kind ?? "") : {}) };
    if (isView(this.view) && this.#views.includes(this.view)) this.panes = { ...this.panes, side: this.view };
    else if (this.layout !== "wide") this.panes = { ...this.panes, side: screen };
  }

  #place(slot: Slot, view: View | "follow" | "none", keep = true): void {
    // A view that already stands elsewhere is not shown twice: the two change places.
    const panes = { ...this.panes };
    if (view === "follow" || view === "none") panes.low = view;
    else {
      const other = (["mid", "side", "low"] as const).find((s) => s !== slot && this.panes[s] === view);
      if (other && this.layout === "wide") panes[other] = this.panes[slot] as View;
      panes[slot] = view;
    }
    this.panes = panes;
    this.#emit("viewchange", { view: panes.side });
    if (keep && this.controls === "lab" && this.layout === "wide") remember(this.inspection?.kind ?? "", panes);
  }

  // ---- opening and running --------------------------------------------------------------------------

  get #base(): string {
    return this.base ? new URL(this.base, document.baseURI).href : home;
  }

  /** The engine's side of this player. It is loaded when something is asked of it. */
  async #asked(): Promise<Engine> {
    this.awake = true;
    const { Engine } = await this.#more();
    const engine = (this.#engine ??= new Engine(this.#base, (name) => (this.unkept = name)));
    if (this.#unasked) engine.prepare(this.#unasked.source.name, this.#unasked.source.data, this.#unasked.settings);
    this.#unasked = null;
    return engine;
  }

  async #named(what: string): Promise<Source> {
    this.samples = await loadSamples(this.#base);
    const sample = this.samples.find((s) => s.id === what);
    if (sample) {
      // What will most likely be seen comes together with the steps.
      const machine = sample.kind === "system";
      if (this.controls !== "lab") void this.#load(isView(this.view) && suits(this.view, machine) ? this.view : machine ? "console" : "boxes");
      const file = `samples/${sample.file}`;
      const data = inlined ? new Uint8Array(await (await asset(this.#base, file)).arrayBuffer()) : new URL(file, this.#base).href;
      return { id: sample.id, name: sample.title[this.language], data, usual: sample.settings };
    }
    const url = new URL(what, document.baseURI);
    return { name: url.pathname.split("/").at(-1) || url.host, data: url.href };
  }

  #begin(what: Work["what"], name: string): number {
    if (this.work) this.#engine?.cancel();
    this.pause();
    this.work = { what, name, read: 0 };
    this.problem = null;
    this.cancelled = false;
    this.unkept = "";
    this.opener = false;
    return ++this.#job;
  }

  async #open(source: Source): Promise<void> {
    const job = this.#begin("opening", source.name);
    this.#source = source;
    this.#unpatched = this.#unasked = null;
    this.engineHolds = this.awake = false;
    this.listing = this.layerChanges = this.file = this.difference = this.outcomeBefore = this.command = null;
    this.listingProblem = this.editing = this.commandProblem = "";
    this.tried = {};
    this.fetched = null;
    if (Object.keys(this.settings).length === 0) this.settings = { ...source.usual };
    try {
      const ready = this.#inAdvance(source);
      if (ready) {
        const shown = this.#showPrecomputed(ready, job);
        // An embedded start needs the engine only when somebody asks for bytes or changes a setting.
        if (this.controls !== "lab" && (await shown)) {
          this.#unasked = { source, settings: this.settings };
          this.work = null;
          this.engineHolds = true;
          return;
        }
      }
      const inspection = await (await this.#asked()).open(source.name, source.data, (p) => this.#progress(job, p.bytes_read));
      if (job !== this.#job) return;
      this.inspection = inspection;
      this.#emit("ready", { inspection });
      if (inspection.kind === "other") {
        this.work = null;
        this.#show(null);
        return;
      }
      this.work = { what: "running", name: source.name, read: inspection.bytes_read };
      await this.#run(job);
    } catch (e) {
      this.#fail(job, e);
    }
  }

  /** again: the image has been started before. */
  async #run(job: number, again = false): Promise<void> {
    const lab = this.controls === "lab";
    const patched = lab && isPatched(this.settings);
    const shown = lab && again && !this.#outline ? this.result : null;
    // A change is compared with the image as it came; other conditions, and a change taken back, with what was shown.
    const before = patched ? await this.#before(job) : shown;
    const result = await (await this.#asked()).run(this.settings, (p) => this.#progress(job, p.bytes_read));
    const messages = await this.#sentences(this.language, result.steps, [result.outcome]);
    if (job === this.#job) {
      this.messages = { ...this.messages, ...messages };
      this.difference = before ? (this.#tools?.difference(before.steps, result.steps) ?? null) : null;
      this.outcomeBefore = before?.outcome ?? null;
      if (!patched) this.#unpatched = { key: JSON.stringify(this.settings), run: result };
    }
    if (job !== this.#job) return;
    this.work = null;
    this.engineHolds = true;
    this.#show(result);
    if (this.listing) void this.#list(this.listing.path);
    if (this.file && this.file.layer < 0) void this.#openFile(this.file.path, -1, false);
  }

  /** Which run, worked out when the site was built, is the one of these settings: the sample's, the scenario's, or none. */
  #inAdvance(source: Source): string | null {
    const settings = JSON.stringify(this.settings);
    if (source.id && settings === JSON.stringify(source.usual ?? {})) return source.id;
    return source.id && settings === this.#prepared?.settings ? `scenario-${this.#prepared.name}` : null;
  }

  /** The run under the same conditions without the learner's changes: the one before, or made for this. */
  async #before(job: number): Promise<RunResult> {
    const settings = conditions(this.settings);
    const key = JSON.stringify(settings);
    if (this.#unpatched?.key !== key) this.#unpatched = { key, run: await (await this.#asked()).run(settings, (p) => this.#progress(job, p.bytes_read)) };
    return this.#unpatched.run;
  }

  /** Steps worked out in advance are shown before the engine is there. */
  async #showPrecomputed(id: string, job: number): Promise<boolean> {
    const found = await ready(this.#base, id, this.language, this.step ?? "0", this.controls === "lab" ? "console" : isView(this.view) ? this.view : null).catch(() => null);
    if (!found || job !== this.#job) return false;
    const messages = found.messages ? useReasons(this.language, found.messages) : await this.#sentences(this.language, found.run?.steps ?? [], [found.run?.outcome]);
    if (job !== this.#job || this.engineHolds) return false;
    this.messages = { ...this.messages, ...messages };
    this.inspection = found.inspection;
    if (this.controls !== "lab") this.#emit("ready", { inspection: found.inspection });
    this.#show(found.run, found.outline);
    if (this.controls === "lab" || this.eager) void this.complete();
    return true;
  }

  /** outline: what is known of the run when its steps are not all whole. */
  #show(result: RunResult | null, outline: Outline | null = null): void {
    const listed = this.#outline !== null;
    const before = this.result?.steps;
    this.result = result;
    this.#outline = outline;
    if (result && before && (listed ? sameList(before, result.steps) : same(before, result.steps))) {
      if (listed) this.#take(result, this.at);
      this.#emitOutcome(result);
      return;
    }
    this.#take(result, -1);
    if (!result) return;
    this.#arrange(result);
    this.#from = this.#first(result);
    this.seek(this.#from);
    this.step = null;
    this.#emitOutcome(result);
  }

  #emitOutcome({ outcome, facts }: RunResult): void {
    const missing = outcome.unknown ? { missing: why(this.language, outcome.unknown) } : {};
    this.#emit("outcome", { outcome: { ...outcome, ...missing }, facts });
  }

  /** Works out what is drawn from a run's steps. */
  #take(result: RunResult | null, at: number): void {
    this.#tape = new Tape(result?.steps ?? []);
    this.#history = new History(this.steps, this.#outline?.tables);
    this.#failures = failures(this.steps, this.outcome);
    this.#views = available(this.#history, this.inspection, this.controls === "lab");
    this.at = at < 0 ? -1 : this.#tape.seek(at);
    this.kernelCites = null;
  }

  /** Where to begin: as asked, or at a failure, since that is what its owner came for. */
  #first(result: RunResult): number {
    const asked = this.step ? find(result.steps, this.step) : -1;
    if (asked >= 0) return asked;
    // What was changed shows where the run parts from the one before.
    const d = this.difference;
    if (d && (d.parting >= 0 || d.values >= 0)) return d.parting >= 0 ? d.parting : d.values;
    return result.outcome.verdict === "stops" && this.controls === "lab" ? result.outcome.step : 0;
  }

  /** To the step of that name, which may need more to be found than its line of the list has. */
  #goTo(name: string): void {
    if (this.#outline && find(this.steps, name) < 0) return void this.complete().then(() => this.#outline ?? this.#goTo(name));
    this.step = name;
    if (this.result) this.seek(this.#first(this.result));
    this.step = null;
  }

  #progress(job: number, read: number): void {
    if (job !== this.#job || !this.work) return;
    this.work = { ...this.work, read };
    this.#emit("progress", { stage: this.work.what, bytesRead: read });
  }

  #fail(job: number, e: unknown, context: "settings" | "" = ""): void {
    if (job !== this.#job || wasCancelled(e)) return;
    this.work = null;
    const name = this.#source?.name ?? "";
    const f = engineFailure(e);
    if (f) {
      const key: Key = context === "settings" && f.code === "read" ? "fail.settings" : `fail.${f.code}`;
      this.problem = { title: this.#say(key, { name }), message: "want" in f && f.want ? f.message.split(": at ")[0] ?? "" : f.message, ...("want" in f ? { want: f.want, got: f.got, where: f.where } : {}) };
    } else {
      this.problem = { title: this.#say("fail.internal"), message: e instanceof Error ? e.message : String(e) };
    }
    this.#emit("error", { ...this.problem });
  }

  async #bytes(blob: string, off: number, len: number): Promise<void> {
    try {
      const { chunk, bytes } = await (await this.#asked()).bytes(blob, off, len);
      this.fetched = { blob, off, len, chunk, bytes };
    } catch (e) {
      if (!wasCancelled(e)) this.fetched = { blob, off, len, error: e instanceof Error ? e.message : String(e) };
    }
  }

  /** The image whose files are shown: the one that was started. */
  get #image(): number {
    const images = this.inspection?.images ?? [];
    const chosen = this.facts?.image ?? "";
    return Math.max(0, images.findIndex((i) => chosen === `${i.ref} ${i.platform}`));
  }

  async #list(path: string): Promise<void> {
    try {
      this.listing = await (await this.#asked()).tree(path, this.#image);
      this.listingProblem = "";
    } catch (e) {
      if (!wasCancelled(e)) this.listingProblem = e instanceof Error ? e.message : String(e);
    }
  }

  /** Reads a file's start; an empty path closes it. */
  async #openFile(path: string, layer: number, show = true): Promise<void> {
    this.file = path ? { path, layer } : null;
    if (!path) return;
    if (show) this.#place("side", "files", false);
    const file = { path, layer };
    try {
      Object.assign(file, await (await this.#asked()).file(path, fileShown, this.#image, layer));
    } catch (e) {
      if (wasCancelled(e)) return;
      Object.assign(file, { error: e instanceof Error ? e.message : String(e) });
    }
    if (this.file?.path === path) this.file = file;
  }

  async #layerChanges(layer: number): Promise<void> {
    try {
      this.layerChanges = await (await this.#asked()).changes(layer, this.#image);
    } catch (e) {
      if (!wasCancelled(e)) this.layerChanges = { layer, path: "/", total: 0, off: 0, changes: [] };
    }
  }

  get #patches(): Patch[] {
    return patchesOf(this.settings, this.off);
  }

  async #patch(patches: readonly Patch[]): Promise<void> {
    const { settings, off } = withPatches(this.settings, patches);
    this.off = off;
    await this.run(settings);
  }

  /** The same image under each firmware; the latest run is again the one that is shown. */
  async #tryFirmware(): Promise<void> {
    this.trying = true;
    const shown = this.settings;
    try {
      const tried: { [F in Firmware]?: Outcome } = {};
      const engine = await this.#asked();
      const { firmwares, underFirmware } = await this.#more();
      for (const f of firmwares) tried[f] = (await engine.run({ ...shown, ...underFirmware(f) })).outcome;
      await engine.run(shown);
      await this.#sentences(this.language, [], Object.values(tried));
      this.tried = tried;
    } catch (e) {
      this.#fail(this.#job, e, "settings");
    }
    this.trying = false;
  }

  async #parse(line: string): Promise<void> {
    this.commandProblem = "";
    try {
      this.command = await (await this.#asked()).parseCommand(line);
      await this.run({ ...pick(this.settings, ["set", "remove", "write", "patch"]), ...this.command.settings });
    } catch (e) {
      if (!wasCancelled(e)) this.commandProblem = e instanceof Error ? e.message : String(e);
    }
  }

  /** Asking the library loads the engine, so only a browser that kept something is asked without being told to. */
  async #rememberLibrary(): Promise<void> {
    const { imagesKept } = await this.#more();
    if ((await imagesKept().catch(() => 0)) > 0) await this.#refreshLibrary();
  }

  async #refreshLibrary(): Promise<void> {
    if (this.controls !== "lab") return;
    this.library = await (await this.#asked()).library().catch(() => []);
  }

  // ---- requests of the parts, keys, files ----------------------------------------------------------

  #do(r: PlayerRequest): void {
    void this.complete(); // who asks for something reads on
    switch (r.do) {
      case "seek": this.pause(); this.list = false; return this.seek(r.to);
      case "step": this.pause(); return this.seek(this.at + r.by);
      case "stage": this.pause(); return this.seek(this.#tape.stageFrom(this.at, r.direction));
      case "failure": this.pause(); return this.#nextFailure();
      case "play": return r.on ? this.play() : this.pause();
      case "speed": this.speed = r.factor; return;
      case "open": this.settings = {}; this.off = {}; this.step = null; void this.open(r.what); return;
      case "library": this.settings = {}; this.off = {}; void this.#open({ name: r.entry.origin.name, data: `library:${r.entry.key}` }); return;
      case "forget": void this.#asked().then((engine) => engine.forget(r.entry.key)).then(() => this.#refreshLibrary()); return;
      case "settings": void this.run(r.settings); return;
      case "cancel": return this.#cancel();
      case "dismiss": this.problem = null; return;
      case "view": return this.#place(r.slot ?? "side", r.view);
      case "cite": this.cite = r.index; return this.#place("side", "evidence", false);
      case "kernel-evidence": this.kernelCites = this.inspection?.kernel_evidence ?? []; this.cite = 0; return this.#place("side", "evidence", false);
      case "file": return void this.#openFile(r.path, r.layer ?? -1);
      case "tree": return void this.#list(r.path);
      case "changes": return void this.#layerChanges(r.layer);
      case "edit": this.editing = r.path; this.#place("side", "change", false); if (r.path) void this.#openFile(r.path, -1, false); return;
      case "patches": return void this.#patch(r.patches);
      case "poke": this.#place("side", "change", false); return void this.#patch(added(this.#patches, { is: "bytes", off: r.off, data: r.data, on: true }));
      case "try-firmware": return void this.#tryFirmware();
      case "command": return void this.#parse(r.line);
      case "bytes": void this.#bytes(r.blob, r.off, r.len); return;
      case "opener": this.opener = r.on; if (r.on) void this.#refreshLibrary(); return;
      case "list": this.list = r.on; return;
      case "link": void this.#copyLink(); return;
      case "export": void this.#export(r.what); return;
      case "wake": return;
      case "help": void this.#more().then(() => this.renderRoot.querySelector("bp-keys")?.show()); return;
      default: { const never: never = r; return never; }
    }
  }

  /** The next step that went wrong; after the last the first again. */
  #nextFailure(): void {
    const all = this.#failures;
    const to = all.find((n) => n > this.at) ?? all[0];
    if (to !== undefined) this.seek(to);
  }

  #cancel(): void {
    this.#job++;
    this.#engine?.cancel();
    this.work = null;
    this.cancelled = true;
  }

  async #copyLink(): Promise<void> {
    await navigator.clipboard.writeText(this.link);
    this.linked = true;
    setTimeout(() => (this.linked = false), 1500);
  }

  async #export(what: Export): Promise<void> {
    try {
      const name = this.inspection?.origin?.name ?? this.inspection?.name ?? "image";
      const tools = await this.#more();
      const [content, ending] = await tools.exported(what, {
        name, steps: this.steps, result: this.result, title: (s) => sentence(s, this.messages, this.language).title, base: this.#base,
        place: { lang: this.language, step: String(this.at), view: this.panes.side, settings: this.settings, off: this.off },
        // The picture is of the view that a reader chose: the first at the side.
        view: () => this.renderRoot.querySelector<HTMLElement>("bp-panel.side .pane > *") ?? this,
        slice: async () => (await this.#asked()).slice(),
      });
      const a = document.createElement("a");
      a.href = URL.createObjectURL(content);
      a.download = `${name}${ending}`;
      a.click();
      setTimeout(() => URL.revokeObjectURL(a.href), 10_000);
    } catch (e) {
      this.#fail(this.#job, e);
    }
  }

  #key(e: KeyboardEvent): void {
    const target = e.composedPath()[0] as HTMLElement;
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || this.steps.length === 0) return;
    if (target.closest("input, textarea, select, dialog, form")) return;
    // A button keeps its own Space; the buttons of the list only lead to their step.
    if (e.key === " " && target.closest("button, summary") && !target.closest(".go")) return;
    const nearer = { "+": 0.5, "=": 0.5, "-": 2, "0": 0 }[e.key];
    if (nearer !== undefined) {
      e.preventDefault();
      this.renderRoot.querySelector("bp-rail")?.zoom(nearer);
      return;
    }
    const request = (
      {
        " ": { do: "play", on: !this.playing }, ArrowRight: { do: "step", by: 1 }, ArrowLeft: { do: "step", by: -1 },
        Home: { do: "seek", to: 0 }, End: { do: "seek", to: this.steps.length - 1 },
        j: { do: "stage", direction: 1 }, J: { do: "stage", direction: 1 }, k: { do: "stage", direction: -1 }, K: { do: "stage", direction: -1 }, n: { do: "failure" }, N: { do: "failure" }, "?": { do: "help" },
      } as { [key: string]: PlayerRequest }
    )[e.key];
    if (!request) return;
    e.preventDefault();
    this.#do(request);
  }

  get #takesFiles(): boolean {
    return this.controls === "lab";
  }

  #drag(e: DragEvent, over: boolean): void {
    if (!this.#takesFiles || !e.dataTransfer?.types.includes("Files")) return;
    e.preventDefault();
    this.over = over;
  }

  #drop(e: DragEvent): void {
    this.over = false;
    if (!this.#takesFiles || !e.dataTransfer?.types.includes("Files")) return;
    e.preventDefault();
    void dropped(e.dataTransfer).then((what) => what.length > 0 && this.#do({ do: "open", what }));
  }

  #tick(): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      if (!this.playing) return;
      this.seek(this.at + 1);
      if (this.playing) this.#tick();
    }, dwell / this.speed);
  }

  // ---- life and rendering ---------------------------------------------------------------------------

  override connectedCallback(): void {
    super.connectedCallback();
    this.#resize(this.getBoundingClientRect().width);
    this.#observer.observe(this);
    if (this.controls === "lab") {
      void loadSamples(this.#base).then((s) => (this.samples = s));
      void this.#rememberLibrary();
    }
    if (isView(this.view)) this.#place("side", this.view, false);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
    this.pause();
  }

  get #wantedLanguage(): Lang {
    return langOf(this.lang || (this.closest("[lang]") as HTMLElement | null)?.lang || navigator.language);
  }

  /** Nothing is drawn without words: another language waits until it can be spoken. */
  override async scheduleUpdate(): Promise<void> {
    const lang = this.#wantedLanguage;
    if (lang !== this.#speaks) {
      await Promise.all([loadStrings(this.#base, lang), (this.controls === "lab" || this.#tools) && loadStrings(this.#base, lang, "more")]);
      const messages = await this.#sentences(lang, this.steps, [this.outcome, ...Object.values(this.tried)]);
      this.#speaks = this.language = lang;
      this.messages = messages;
    }
    super.scheduleUpdate();
  }

  /** The sentences of the areas that steps are of, and of reasons where there are some. */
  #sentences(lang: Lang, steps: readonly Step[], outcomes: readonly (Outcome | null | undefined)[]): Promise<Messages> {
    const reasons = outcomes.some((o) => o?.unknown) || steps.some((s) => s.assumed);
    return loadMessages(this.#base, lang, new Set([...steps.map((s) => areaOf(s.kind)), ...(reasons ? [unknownArea] : [])]));
  }

  override willUpdate(changed: PropertyValues): void {
    if (changed.has("view") && isView(this.view)) this.#place("side", this.view, false);
    if (changed.has("step") && this.step && this.result) this.#goTo(this.step);
  }

  override updated(): void {
    this.toggleAttribute("filled", this.inspection !== null || this.steps.length > 0);
    const wanted = this.src ?? (this.scenario ? `scenario:${this.scenario}` : null);
    if (wanted !== this.#opened) {
      this.#opened = wanted;
      if (wanted) void this.#start();
    }
    const sheet = this.#dialog("sheet");
    if (sheet && this.list !== sheet.open) this.list ? sheet.showModal() : sheet.close();
  }

  async #start(): Promise<void> {
    if (this.scenario) {
      const r = await asset(this.#base, `scenarios/${this.scenario}.json`).catch(() => null);
      const s = r?.ok ? ((await r.json()) as { src: string; settings?: RunSettings; step?: string }) : null;
      if (s) {
        this.#prepared = { name: this.scenario, settings: JSON.stringify(s.settings ?? {}) };
        this.settings = { ...s.settings, ...this.settings };
        this.step ??= s.step ?? null;
        this.#opened = this.src ??= s.src;
      }
    }
    if (this.src) await this.open(this.src);
  }

  #resize(width: number): void {
    this.layout = width >= wideFrom && this.controls === "lab" ? "wide" : width >= narrowBelow ? "medium" : "narrow";
  }

  #say(key: Key, args?: Args): string {
    return say(this.language, key, args);
  }

  #emit(type: string, detail: object): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #dialog(id: string): HTMLDialogElement | null {
    return this.renderRoot.querySelector<HTMLDialogElement>(`#${id}`);
  }

  #speakSoon(): void {
    clearTimeout(this.#speaker);
    this.#speaker = window.setTimeout(() => {
      const s = this.#tape.step;
      if (!s) return;
      const w = sentence(s, this.messages, this.language);
      this.said = this.#say("live.step", { n: s.seq + 1, of: this.steps.length, title: w.title, text: w.text });
    }, announceAfter);
  }

  override render() {
    const lang = this.language;
    const lab = this.controls === "lab";
    if (lab) void this.#more();
    const empty = this.steps.length === 0;
    const opener = lab && (this.opener || (empty && !this.work && !this.inspection));
    return html`<div class="frame ${this.layout}" lang=${htmlLang(lang)}>
      ${lab && (this.inspection || this.#source) ? html`<bp-image-bar class="ruled" .lang=${lang} .name=${this.#source?.name ?? ""} .inspection=${this.inspection} .facts=${this.facts}
        .settings=${this.settings} .read=${this.bytesRead} .patches=${this.#patches.filter((p) => p.on).length} .tried=${this.tried}
        .compare=${this.#source?.id && !inlined ? new URL(`${lang}/compare/#v1&left=${this.#source.id}`, this.#base).href : ""}></bp-image-bar>` : nothing}
      ${this.#banner()}
      ${opener ? html`<bp-opener .lang=${lang} .samples=${this.samples} .library=${this.library} .over=${this.over} .closable=${!empty}></bp-opener>` : empty ? html`<div class="blank"></div>` : this.#player()}
      ${this.over && !opener ? html`<div class="veil">${this.#say("drop.over")}</div>` : nothing}
      <p class="sr" role="status" aria-live="polite">${this.said}</p>
      <bp-keys .lang=${lang}></bp-keys>
    </div>`;
  }

  #banner() {
    const w = this.work;
    const p = this.problem;
    const ask = (request: PlayerRequest) => () => this.#do(request);
    if (p) {
      const row = (key: Key, v: string | undefined) => (v ? html`<dt>${this.#say(key)}</dt><dd class="mono">${v}</dd>` : nothing);
      return html`<div class="banner problem" role="alert"><div><b>${p.title}</b><p class="mono" lang="en">${p.message}</p>
        ${p.want || p.got || p.where ? html`<dl lang="en">${row("fail.want", p.want)}${row("fail.got", p.got)}${row("fail.where", p.where)}</dl>` : nothing}</div>
        <span class="acts">${this.#takesFiles ? html`<button class="push" @click=${ask({ do: "opener", on: true })}>${this.#say("fail.again")}</button>` : nothing}<button
          class="push" @click=${ask({ do: "dismiss" })}>${this.#say("fail.dismiss")}</button></span></div>`;
    }
    if (w) {
      const precomputed = this.steps.length > 0 && w.what === "opening";
      return html`<div class="banner working over" role="status"><span>${precomputed ? this.#say("work.engine") : this.#say(`work.${w.what}`, { name: w.name })}</span>
        <span class="quiet">${w.read > 0 ? this.#say("work.read", { read: format.size(w.read) }) : ""}</span>
        <span class="acts"><button class="push" @click=${ask({ do: "cancel" })}>${this.#say("work.cancel")}</button></span><i class="bar"></i></div>`;
    }
    if (this.cancelled) return html`<div class="banner" role="status"><span>${this.#say("work.cancelled")}</span></div>`;
    return this.unkept ? html`<div class="banner" role="status"><span>${this.#say("bar.unkept", { name: this.unkept })}</span><span class="acts"><button class="push" @click=${() => (this.unkept = "")}>${this.#say("fail.dismiss")}</button></span></div>` : nothing;
  }

  #player() {
    const lang = this.language;
    const tape = this.#tape;
    const step = tape.step;
    const steps = tape.steps;
    const words = step ? sentence(step, this.messages, lang) : { title: "", text: "" };
    const wide = this.layout === "wide";
    const narrow = this.layout === "narrow";
    const cites = this.kernelCites ?? step?.cites ?? [];
    const scene: Scene = { steps, at: this.at, step, tables: tape.tables, history: this.#history, inspection: this.inspection, facts: this.facts, settings: this.settings, messages: this.messages };
    const list = html`<bp-steps .lang=${lang} .steps=${steps} .segs=${tape.segments} .at=${this.at} .outcome=${this.outcome} .messages=${this.messages}></bp-steps>`;
    const card = html`<bp-card .lang=${lang} .step=${step} .steps=${steps} .messages=${this.messages} .cite=${this.kernelCites ? -1 : this.cite} .brief=${narrow}></bp-card>`;
    const all = this.#views;
    const counts = Object.fromEntries(all.map((v) => [v, v === "evidence" ? cites.length : touches(v, step)]));
    const shown: { [S in Slot]: View } = { mid: this.#fit(this.panes.mid, all), side: this.#fit(this.panes.side, all), low: this.#fit(this.panes.low === "none" ? "state" : this.panes.low, all, step) };
    const panel = (slot: Slot, menu: boolean, views: readonly View[]) => html`<bp-panel class="${slot} ${["files", "change", "conditions"].includes(shown[slot]) ? "roomy" : ""}" .lang=${lang} .slotName=${slot} .views=${views} .view=${shown[slot]} .chosen=${slot === "low" ? (this.panes.low as View) : shown[slot]}
      .counts=${counts} ?menu=${menu} .closable=${slot === "low"} .splittable=${slot === "side" && wide && this.panes.low === "none"}>
      ${slot === "side" && narrow ? html`<button slot="acts" class="open-list" @click=${() => (this.list = true)}>${icon("list")}${this.#say("steps.open")}</button>` : nothing}
      <div class="pane" role=${menu ? "region" : "tabpanel"} tabindex="0" aria-label=${this.#say(`${shown[slot]}.title` as Key)}>${this.#view(shown[slot], scene, cites)}</div></bp-panel>`;
    const side = panel("side", false, wide ? all.filter((v) => v !== shown.mid) : all);
    const transport = this.controls === "none" ? nothing : html`<bp-transport ?compact=${narrow} .lang=${lang} .at=${this.at} .count=${steps.length} .time=${step?.at ?? 0} .playing=${this.playing}
      .speed=${this.speed} .tools=${this.link !== "" || this.controls === "lab"} .link=${this.link !== ""} .linked=${this.linked} .failures=${this.#failures.length}></bp-transport>`;
    return html`
      <bp-verdict .lang=${lang} .outcome=${this.outcome} .here=${this.at === this.outcome?.step}></bp-verdict>
      <bp-rail class="ruled" .lang=${lang} .steps=${steps} .segs=${tape.segments} .at=${this.at} .outcome=${this.outcome} .label=${words.title} .messages=${this.messages}></bp-rail>
      ${wide ? html`<div class="main">${list}<div class="mid">${card}${panel("mid", true, all)}</div><div class="aside">${side}${this.panes.low === "none" ? nothing : panel("low", true, all)}</div></div>`
        : narrow ? html`<div class="main">${side}<div class="mid">${card}</div></div>`
        : html`<div class="main">${list}<div class="mid">${card}${side}</div></div>`}
      ${transport}
      ${narrow ? html`<dialog id="sheet" aria-label=${this.#say("steps.title")} @close=${() => (this.list = false)} @click=${(e: Event) => e.target === e.currentTarget && (this.list = false)}>
        <div class="sheet"><div class="grip"><b>${this.#say("steps.title")}</b><button class="icon" aria-label=${this.#say("steps.close")} @click=${() => (this.list = false)}>${icon("close")}</button></div>${list}</div></dialog>` : nothing}`;
  }

  /** The view for a slot: as chosen, if this run has it. */
  #fit(wanted: View | "follow", all: readonly View[], step?: Step): View {
    if (wanted !== "follow") return all.includes(wanted) ? wanted : "state";
    // What suits the stage if the step changes it, else what the step changes, else what suits; nothing twice.
    const changed: View[] = [...new Set((step?.changes ?? []).map((c) => viewOf[c.table]))].filter((v) => v !== "state");
    const suits = usual(step?.stage ?? "kernel", all);
    const order: View[] = [...(changed.includes(suits) ? [suits] : []), ...changed, suits, "evidence", "state"];
    return order.find((v) => all.includes(v) && v !== this.panes.mid && v !== this.panes.side) ?? "state";
  }

  /** Loads the parts that are not in this script; elements that wait for them become themselves. */
  async #more(): Promise<typeof tools> {
    await loadStrings(this.#base, this.language, "more");
    if (!this.#tools) await (inlined ? customElements.whenDefined("bp-state") : import(new URL("more.js", this.#base).href));
    return this.#tools as typeof tools;
  }

  /** Loads the element of a view. */
  async #load(v: View): Promise<void> {
    const script = scriptOf[v];
    if (script === undefined || this.controls === "lab" || inlined || this.#tools) return void (await this.#more());
    await import(new URL(`view/${script}.js`, this.#base).href);
  }

  get #tools(): typeof tools | undefined {
    return (globalThis as { bootpathTools?: typeof tools }).bootpathTools;
  }

  #view(v: View, scene: Scene, cites: readonly Cite[]) {
    const lang = this.language;
    const words = this.controls !== "lab" || canSay(lang, "more");
    void this.#load(v).then(() => words || this.requestUpdate());
    if (!words) return nothing;
    if (v === "evidence") void this.#load("state"); // it stands below
    if (drawsAll.includes(v) && this.#outline?.drawn !== v) void this.#whole();
    switch (v) {
      case "console": return html`<bp-console .lang=${lang} .steps=${scene.steps} .at=${this.at}></bp-console>`;
      case "evidence": return html`<bp-evidence .lang=${lang} .cites=${cites} .index=${this.cite} .stage=${scene.step?.stage ?? "kernel"} .fetched=${this.fetched} .engine=${this.engineHolds && this.awake} .offered=${this.engineHolds} .patches=${this.#patches} .writable=${this.controls === "lab" && this.inspection ? (this.inspection.kind === "system" ? diskName(this.inspection, scene.steps) : this.inspection.name) : ""}></bp-evidence>
        ${this.kernelCites || (this.layout === "wide" && this.panes.low !== "none") ? nothing : html`<bp-state .lang=${lang} .tables=${scene.tables} .step=${scene.step} .only=${true}></bp-state>`}`;
      case "memory": return html`<bp-memory .lang=${lang} .scene=${scene}></bp-memory>`;
      case "disk": return html`<bp-disk .lang=${lang} .scene=${scene}></bp-disk>`;
      case "boxes": return html`<bp-boxes .lang=${lang} .scene=${scene}></bp-boxes>`;
      case "layers": return html`<bp-layers .lang=${lang} .scene=${scene} .changes=${this.layerChanges}></bp-layers>`;
      case "services": return html`<bp-services .lang=${lang} .scene=${scene}></bp-services>`;
      case "mounts": return html`<bp-mounts .lang=${lang} .scene=${scene}></bp-mounts>`;
      case "processes": return html`<bp-processes .lang=${lang} .scene=${scene}></bp-processes>`;
      case "cgroups": return html`<bp-cgroups .lang=${lang} .scene=${scene}></bp-cgroups>`;
      case "variables": return html`<bp-state .lang=${lang} .tables=${scene.tables} .step=${scene.step} .table=${"variables"}></bp-state>`;
      case "files": return html`<bp-files .lang=${lang} .scene=${scene} .listing=${this.listing} .problem=${this.listingProblem} .file=${this.file} .patches=${this.#patches}></bp-files>`;
      case "change": return html`<bp-change .lang=${lang} .scene=${scene} .patches=${this.#patches} .difference=${this.difference} .outcome=${this.outcome} .was=${this.outcomeBefore} .listing=${this.listing} .file=${this.file} .editing=${this.editing}></bp-change>`;
      case "conditions": return html`<bp-conditions .lang=${lang} .scene=${scene} .outcome=${this.outcome} .tried=${this.tried} .trying=${this.trying} .usual=${this.#source?.usual ?? {}} .difference=${this.difference} .command=${this.command} .problem=${this.commandProblem}></bp-conditions>`;
      case "state": return html`<bp-state .lang=${lang} .tables=${scene.tables} .step=${scene.step}></bp-state>`;
      default: { const never: never = v; return never; }
    }
  }

  static override styles = [
    ...sharedStyles,
    css`
      :host { display: block; height: 560px; background: var(--paper); position: relative; color-scheme: inherit; overflow: hidden; }
      :host([theme="light"]) { color-scheme: light; }
      :host([theme="dark"]) { color-scheme: dark; }
      .frame { height: 100%; display: flex; flex-direction: column; min-height: 0; }
      .ruled { border-bottom: 1px solid var(--rule); }
      bp-rail, bp-verdict, bp-image-bar, bp-transport { flex: none; }
      bp-opener, .blank { flex: 1; min-height: 0; }
      .main { flex: 1; min-height: 0; display: grid; }
      .wide .main { grid-template-columns: minmax(230px, 0.52fr) minmax(360px, 1fr) minmax(400px, 1.06fr); }
      .medium .main { grid-template-columns: 240px minmax(0, 1fr); }
      .main > * { min-width: 0; min-height: 0; }
      .main > * + * { border-left: 1px solid var(--rule); }
      .mid { display: flex; flex-direction: column; min-height: 0; }
      .mid bp-card { flex: 0 1 auto; max-height: 62%; }
      .mid bp-panel { flex: 1 1 0; min-height: 120px; border-top: 1px solid var(--rule); }
      .aside { display: flex; flex-direction: column; min-height: 0; }
      .aside bp-panel { flex: 1 1 0; }
      .aside .roomy { flex-grow: 2; }
      .narrow .side.roomy { min-height: 62%; }
      .aside .low { border-top: 1px solid var(--rule); flex-grow: 1.1; }
      .pane:focus-visible { outline-offset: -3px; }
      .pane { flex: 1; min-height: 0; overflow: auto; overscroll-behavior: contain; display: flex; flex-direction: column; }
      .pane > * { flex: none; }
      .pane > bp-console { flex: 1 1 auto; }
      .open-list { display: inline-flex; align-items: center; gap: 6px; min-height: 32px; padding: 0 6px; color: var(--ink-2); }
      .narrow .main { display: flex; flex-direction: column; }
      .narrow .side { flex: 1 1 0; min-height: 36%; }
      .narrow .main > * + * { border-left: 0; border-top: 1px solid var(--rule); }
      .narrow .mid { flex: 0 1 auto; }
      .narrow .mid bp-card { max-height: none; min-height: 0; }
      bp-transport { border-top: 1px solid var(--rule); }
      .banner { position: relative; display: flex; flex-wrap: wrap; align-items: center; gap: 4px 14px; padding: 8px 16px; border-bottom: 1px solid var(--rule); background: var(--sunken); flex: none; overflow-wrap: anywhere; }
      /* Work on what is shown already moves nothing. */
      .banner.over { position: absolute; left: 0; right: 0; bottom: 47px; z-index: 15; border-top: 1px solid var(--rule); }
      .banner .acts { margin-left: auto; display: flex; gap: 8px; }
      .banner.problem { border-left: 8px solid var(--stop); background: color-mix(in oklab, var(--stop) 8%, var(--paper)); align-items: flex-start; }
      .problem b { color: var(--stop); }
      .problem dl { display: grid; grid-template-columns: auto 1fr; gap: 0 12px; margin-top: 4px; }
      .problem dt { color: var(--ink-2); font-size: var(--t1); }
      .bar { position: absolute; left: 0; bottom: -1px; height: 2px; width: 100%; background: var(--hatch); }
      @media (prefers-reduced-motion: no-preference) { .bar { background: linear-gradient(var(--ink), var(--ink)) no-repeat 0 0 / 25% 100%; animation: go 1.4s linear infinite; } @keyframes go { to { background-position-x: 133%; } from { background-position-x: -33%; } } }
      .veil { position: absolute; inset: 8px; display: grid; place-items: center; font-size: var(--t4); border: 2px solid var(--focus); border-radius: 6px; background: color-mix(in oklab, var(--paper) 88%, transparent); pointer-events: none; z-index: 20; }
      dialog { border: 1px solid var(--rule-2); border-radius: 6px; background: var(--raised); color: var(--ink); padding: 20px 24px; }
      dialog::backdrop { background: rgb(0 0 0 / 0.35); }
      #sheet { margin: auto 0 0; width: 100%; max-width: none; max-height: 75dvh; height: 75dvh; padding: 0; border-radius: 8px 8px 0 0; border-width: 1px 0 0; background: var(--paper); }
      .sheet { display: flex; flex-direction: column; height: 100%; }
      .sheet bp-steps { flex: 1; min-height: 0; }
      .grip { display: flex; align-items: center; justify-content: space-between; padding: 6px 8px 6px 16px; border-bottom: 1px solid var(--rule); }
    `,
  ];
}

const pick = <K extends keyof RunSettings>(s: RunSettings, keys: readonly K[]): RunSettings => Object.fromEntries(keys.filter((k) => s[k] !== undefined).map((k) => [k, s[k]]));

/** Whether two runs have the same steps, as far as a list of them tells. */
const sameList = (a: readonly Step[], b: readonly Step[]) => a.length === b.length && a.every((s, i) => s.kind === b[i]?.kind && s.at === b[i]?.at);

customElements.define("boot-path", BootPath);

declare global {
  interface HTMLElementTagNameMap {
    "boot-path": BootPath;
    "bp-console": BpConsole;
    "bp-keys": BpKeys;
    "bp-rail": BpRail;
  }
}
