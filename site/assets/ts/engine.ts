// The page's side of the engine: a Web Worker that answers numbered JSON requests, bytes beside them.
// All players of a page share one worker; it holds one image at a time, and a player whose image it does not
// hold has it opened again. A worker that was cancelled or died is replaced.
import { asset, inlined } from "./assets";
import type { Part } from "./dropped";
import { Cancelled, EngineError } from "./refusals";
import type { Candidate, ChangeListing, Chunk, Command, Comparison, Exercise, Inspection, Kind, LibraryEntry, ProgressReport, Request, Response, RunResult, RunSettings, TreeListing } from "./wire.gen";

/** The files of the learner, the bytes of a slice, or the address of either. */
export type Input = readonly Part[] | Uint8Array | string;

export type OnProgress = (p: ProgressReport) => void;

interface Pending {
  id: number;
  resolve(r: { response: Response; bytes?: Uint8Array }): void;
  reject(e: Error): void;
  onProgress?: OnProgress;
}

export type WorkerMessage = { json?: string; bytes?: Uint8Array; fatal?: string; unloadable?: string };

/** The worker of one base address, and whose turn it is. */
class Host {
  #worker: Worker | null = null;
  #pending: Pending | null = null;
  #next = 1;
  #turn: { owner: Engine } | null = null;
  #waiting: { owner: Engine; start(): void; reject(e: Error): void }[] = [];
  /** The player whose image the worker holds. */
  holds: Engine | null = null;

  constructor(readonly base: string) {}

  /** Runs work alone: requests of different players do not mix. */
  async alone<T>(owner: Engine, work: () => Promise<T>): Promise<T> {
    if (this.#turn) await new Promise<void>((start, reject) => this.#waiting.push({ owner, start, reject }));
    this.#turn = { owner };
    try {
      return await work();
    } finally {
      this.#turn = null;
      this.#waiting.shift()?.start();
    }
  }

  async ask(request: Omit<Request, "id">, data?: Input, onProgress?: OnProgress) {
    const id = this.#next++;
    const worker = (this.#worker ??= await this.#start());
    return new Promise<{ response: Response; bytes?: Uint8Array }>((resolve, reject) => {
      this.#pending = { id, resolve, reject, onProgress };
      worker.postMessage({
        base: this.base,
        json: JSON.stringify({ id, ...request }),
        files: Array.isArray(data) ? data : undefined,
        bytes: data instanceof Uint8Array ? data : undefined,
      });
    });
  }

  /** Gives up what owner waits for, and stops the worker if it works for owner. */
  cancel(owner: Engine): void {
    const mine = this.#waiting.filter((w) => w.owner === owner);
    this.#waiting = this.#waiting.filter((w) => w.owner !== owner);
    for (const w of mine) w.reject(new Cancelled("cancelled"));
    if (this.#turn?.owner === owner) this.#replace(new Cancelled("cancelled"));
  }

  async #start(): Promise<Worker> {
    const worker = inlined ? await oneFileWorker() : new Worker(workerURL(this.base));
    worker.onmessage = (e: MessageEvent<WorkerMessage>) => {
      const m = e.data;
      if (m.fatal !== undefined) this.#replace(new EngineError({ code: "crash", message: m.fatal }));
      else if (m.unloadable !== undefined) this.#replace(new EngineError({ code: "engine", message: m.unloadable }));
      else if (m.json !== undefined) this.#answer(JSON.parse(m.json) as Response, m.bytes);
    };
    worker.onerror = (e) => {
      e.preventDefault();
      this.#replace(new EngineError({ code: e.message ? "crash" : "engine", message: e.message || this.base }));
    };
    return worker;
  }

  #answer(response: Response, bytes?: Uint8Array): void {
    if (response.unkept) {
      this.holds?.onUnkept(response.unkept);
      return;
    }
    const p = this.#pending;
    if (p?.id !== response.id) return;
    if (response.progress) {
      p.onProgress?.(response.progress);
      return;
    }
    this.#pending = null;
    if (response.failure) p.reject(new EngineError(response.failure));
    else p.resolve({ response, bytes });
  }

  #replace(why: Error): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.holds = null;
    const p = this.#pending;
    this.#pending = null;
    p?.reject(why);
  }
}

/** A page may only start workers of its own origin; elsewhere a local stub loads the script. */
function workerURL(base: string): string {
  const url = new URL("engine/worker.js", base);
  if (url.origin === location.origin) return url.href;
  return URL.createObjectURL(new Blob([`importScripts(${JSON.stringify(url.href)})`], { type: "text/javascript" }));
}

/** In the one-file page the worker's scripts and the engine come from the page itself. */
async function oneFileWorker(): Promise<Worker> {
  const scripts = await Promise.all(["engine/wasm_exec.js", "engine/worker.js"].map(async (f) => (await asset("", f)).blob()));
  const worker = new Worker(URL.createObjectURL(new Blob(scripts, { type: "text/javascript" })));
  const module = await (await asset("", "engine/engine.wasm.pack")).arrayBuffer();
  worker.postMessage({ module }, [module]);
  return worker;
}

const hosts = new Map<string, Host>();

function hostOf(base: string): Host {
  let host = hosts.get(base);
  if (!host) hosts.set(base, (host = new Host(base)));
  return host;
}

/** One player's engine: its image and its latest settings. */
export class Engine {
  #host: Host;
  #input: { name: string; data: Input } | null = null;
  #settings: RunSettings | null = null; // of the latest run
  #compared: (() => Promise<Comparison>) | null = null; // asks for the latest comparison again

  /** onUnkept hears of an image that the library of this browser has no room for. */
  constructor(base: string, readonly onUnkept: (name: string) => void = () => undefined) {
    this.#host = hostOf(base);
  }

  /** Names the image without opening it; it is opened when something is asked of it. */
  prepare(name: string, data: Input, settings: RunSettings): void {
    this.#input = { name, data };
    this.#settings = settings;
    if (this.#host.holds === this) this.#host.holds = null;
  }

  open(name: string, data: Input, onProgress?: OnProgress): Promise<Inspection> {
    return this.#host.alone(this, () => {
      this.#input = { name, data };
      this.#settings = null;
      this.#compared = null;
      return this.#reopen(onProgress);
    });
  }

  run(settings: RunSettings, onProgress?: OnProgress): Promise<RunResult> {
    return this.#host.alone(this, async () => {
      if (this.#host.holds !== this) await this.#reopen(onProgress);
      return this.#run(settings, onProgress);
    });
  }

  /** Bytes of the open image, or of the right side of the latest comparison. */
  bytes(blob: string, off: number, len: number, side: "left" | "right" = "left"): Promise<{ chunk: Chunk; bytes: Uint8Array }> {
    return this.#host.alone(this, async () => {
      await this.#ready();
      const { response, bytes } = await this.#host.ask({ method: "bytes", name: blob, off, len, ...(side === "right" ? { side } : {}) });
      if (!response.chunk) throw new EngineError({ code: "internal", message: "bytes: no chunk" });
      return { chunk: response.chunk, bytes: bytes ?? new Uint8Array() };
    });
  }

  /** A directory as a container or a running system sees it. */
  tree(path: string, image: number): Promise<TreeListing> {
    return this.#answer({ method: "tree", name: path, image }, (r) => r.tree);
  }

  /** What one layer does at and below a path. */
  changes(layer: number, image: number): Promise<ChangeListing> {
    return this.#answer({ method: "changes", name: "/", layer, image }, (r) => r.changes);
  }

  /** The start of a file; layer -1 is what the container sees. */
  file(path: string, len: number, image: number, layer: number): Promise<{ chunk: Chunk; bytes: Uint8Array }> {
    return this.#host.alone(this, async () => {
      await this.#ready();
      const { response, bytes } = await this.#host.ask({ method: "file", name: path, off: 0, len, image, layer });
      if (!response.chunk) throw new EngineError({ code: "internal", message: "file: no chunk" });
      return { chunk: response.chunk, bytes: bytes ?? new Uint8Array() };
    });
  }

  parseCommand(command: string): Promise<Command> {
    return this.#answer({ method: "parse-command", command }, (r) => r.command);
  }

  #answer<T>(request: Omit<Request, "id">, of: (r: Response) => T | undefined): Promise<T> {
    return this.#host.alone(this, async () => {
      await this.#ready();
      const answer = of((await this.#host.ask(request)).response);
      if (answer === undefined) throw new EngineError({ code: "internal", message: `${request.method}: no answer` });
      return answer;
    });
  }

  slice(): Promise<Uint8Array> {
    return this.#host.alone(this, async () => {
      await this.#ready();
      return (await this.#host.ask({ method: "slice" })).bytes ?? new Uint8Array();
    });
  }

  /** Starts the open image and another one beside it, or the open one a second time under other settings. */
  compare(settings: RunSettings, other: RunSettings, right: { name: string; data: Input } | null, onProgress?: OnProgress): Promise<Comparison> {
    const name = typeof right?.data === "string" ? right.data : right?.name;
    const compared = async () => {
      const { response } = await this.#host.ask({ method: "compare", settings, other, ...(name ? { name } : {}) }, right?.data, onProgress);
      if (!response.comparison) throw new EngineError({ code: "internal", message: "compare: no comparison" });
      return response.comparison;
    };
    return this.#host.alone(this, async () => {
      this.#compared = null;
      await this.#ready();
      const answer = await compared();
      this.#compared = compared;
      return answer;
    });
  }

  /** Breaks the open image in one place, chosen by the seed. */
  exercise(seed: number, settings: RunSettings): Promise<Exercise> {
    return this.#answer({ method: "exercise", seed, settings }, (r) => r.exercise);
  }

  /** Other kinds that might come at a step of the latest run. */
  predict(step: number): Promise<Kind[]> {
    return this.#answer({ method: "predict", off: step }, (r) => r.kinds ?? []);
  }

  /** What could have printed a message; no image is needed for it. */
  recognise(text: string): Promise<Candidate[]> {
    return this.#host.alone(this, async () => (await this.#host.ask({ method: "recognise", text })).response.candidates ?? []);
  }

  library(): Promise<LibraryEntry[]> {
    return this.#host.alone(this, async () => (await this.#host.ask({ method: "library" })).response.library ?? []);
  }

  forget(key: string): Promise<void> {
    return this.#host.alone(this, async () => void (await this.#host.ask({ method: "forget", name: key })));
  }

  /** Stops whatever is done for this player; the next request starts anew. */
  cancel(): void {
    this.#host.cancel(this);
  }

  async #reopen(onProgress?: OnProgress): Promise<Inspection> {
    const { name, data } = this.#input ?? { name: "", data: "" };
    this.#host.holds = null;
    const { response } = await this.#host.ask({ method: "open", name: typeof data === "string" ? data : name }, data, onProgress);
    if (!response.inspection) throw new EngineError({ code: "internal", message: "open: no inspection" });
    this.#host.holds = this;
    return response.inspection;
  }

  async #run(settings: RunSettings, onProgress?: OnProgress): Promise<RunResult> {
    const { response } = await this.#host.ask({ method: "run", settings }, undefined, onProgress);
    if (!response.run) throw new EngineError({ code: "internal", message: "run: no result" });
    this.#settings = settings;
    return response.run;
  }

  /** The worker holds this player's image as it was after its latest run. */
  async #ready(): Promise<void> {
    if (this.#host.holds === this) return;
    await this.#reopen();
    if (this.#settings) await this.#run(this.#settings);
    await this.#compared?.();
  }
}
