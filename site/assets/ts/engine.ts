// The page's side of the engine: a Web Worker that answers numbered JSON requests, bytes beside them.
// A worker that was cancelled or died is replaced; the image is opened again when it is next needed.
import type { Chunk, Inspection, LibraryEntry, ProgressReport, Request, Response, RunResult, RunSettings, Failure } from "./wire.gen";

/** A file of the learner, the bytes of a slice, or the address of either. */
export type Input = File | Uint8Array | string;

export type OnProgress = (p: ProgressReport) => void;

/** An answer that is a refusal: what was expected, what was found, where. */
export class EngineError extends Error {
  constructor(readonly failure: Failure | { code: "crash" | "engine"; message: string }) {
    super(failure.message);
  }
}

/** The request was given up by the page. */
export class Cancelled extends Error {}

interface Pending {
  resolve(r: { response: Response; bytes?: Uint8Array }): void;
  reject(e: Error): void;
  onProgress?: OnProgress;
}

export type WorkerMessage = { json?: string; bytes?: Uint8Array; fatal?: string; unloadable?: string };

export class Engine {
  #worker: Worker | null = null;
  #pending = new Map<number, Pending>();
  #next = 1;
  #input: { name: string; data: Input } | null = null;
  #open = false; // the worker holds #input
  #settings: RunSettings = {};

  constructor(readonly base: string) {}

  async open(name: string, data: Input, onProgress?: OnProgress): Promise<Inspection> {
    this.#input = { name, data };
    this.#settings = {};
    this.#open = false;
    return this.#reopen(onProgress);
  }

  async #reopen(onProgress?: OnProgress): Promise<Inspection> {
    const { name, data } = this.#input ?? { name: "", data: "" };
    const { response } = await this.#ask({ method: "open", name: typeof data === "string" ? data : name }, data, onProgress);
    if (!response.inspection) throw new EngineError({ code: "internal", message: "open: no inspection" });
    this.#open = true;
    return response.inspection;
  }

  async run(settings: RunSettings, onProgress?: OnProgress): Promise<RunResult> {
    if (!this.#open) await this.#reopen(onProgress);
    const { response } = await this.#ask({ method: "run", settings }, undefined, onProgress);
    if (!response.run) throw new EngineError({ code: "internal", message: "run: no result" });
    this.#settings = settings;
    return response.run;
  }

  async bytes(blob: string, off: number, len: number): Promise<{ chunk: Chunk; bytes: Uint8Array }> {
    if (!this.#open) await this.run(this.#settings);
    const { response, bytes } = await this.#ask({ method: "bytes", name: blob, off, len });
    if (!response.chunk) throw new EngineError({ code: "internal", message: "bytes: no chunk" });
    return { chunk: response.chunk, bytes: bytes ?? new Uint8Array() };
  }

  async slice(): Promise<Uint8Array> {
    if (!this.#open) await this.run(this.#settings);
    return (await this.#ask({ method: "slice" })).bytes ?? new Uint8Array();
  }

  async library(): Promise<LibraryEntry[]> {
    return (await this.#ask({ method: "library" })).response.library ?? [];
  }

  async forget(key: string): Promise<void> {
    await this.#ask({ method: "forget", name: key });
  }

  /** Stops whatever the worker does; the next request starts a new one. */
  cancel(): void {
    this.#replace(new Cancelled("cancelled"));
  }

  #ask(request: Omit<Request, "id">, data?: Input, onProgress?: OnProgress) {
    const id = this.#next++;
    const worker = (this.#worker ??= this.#start());
    return new Promise<{ response: Response; bytes?: Uint8Array }>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onProgress });
      worker.postMessage({
        base: this.base,
        json: JSON.stringify({ id, ...request }),
        files: data instanceof File ? [data] : undefined,
        bytes: data instanceof Uint8Array ? data : undefined,
      });
    });
  }

  #start(): Worker {
    const url = new URL("engine/worker.js", this.base).href;
    // A page may only start workers of its own origin; elsewhere a local stub loads the script.
    const local = new URL(url).origin === location.origin;
    const stub = local ? url : URL.createObjectURL(new Blob([`importScripts(${JSON.stringify(url)})`], { type: "text/javascript" }));
    const worker = new Worker(stub);
    worker.onmessage = (e: MessageEvent<WorkerMessage>) => {
      const m = e.data;
      if (m.fatal !== undefined) this.#replace(new EngineError({ code: "crash", message: m.fatal }));
      else if (m.unloadable !== undefined) this.#replace(new EngineError({ code: "engine", message: m.unloadable }));
      else if (m.json !== undefined) this.#answer(JSON.parse(m.json) as Response, m.bytes);
    };
    worker.onerror = (e) => {
      e.preventDefault();
      this.#replace(new EngineError({ code: e.message ? "crash" : "engine", message: e.message || url }));
    };
    return worker;
  }

  #answer(response: Response, bytes?: Uint8Array): void {
    const p = this.#pending.get(response.id);
    if (!p) return;
    if (response.progress) {
      p.onProgress?.(response.progress);
      return;
    }
    this.#pending.delete(response.id);
    if (response.failure) p.reject(new EngineError(response.failure));
    else p.resolve({ response, bytes });
  }

  #replace(why: Error): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#open = false;
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const p of waiting) p.reject(why);
  }
}
