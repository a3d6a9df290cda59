// The Web Worker around the engine: it loads Go's wasm_exec.js and the module and relays messages.
// The module is shipped as gzip under a name that servers do not unpack: every static server sends the 4.7 MB
// instead of the 18.
//
//   page → worker  { module }                          the unpacked module, from a page that may not fetch
//   page → worker  { base, json, files?, bytes? }      a wire.Request and what belongs to it
//   worker → page  { json, bytes? }                    a wire.Response
//                  { fatal }                           the engine died; the page replaces this worker
//                  { unloadable }                      the engine could not be loaded

interface Inward {
  module?: ArrayBuffer;
  base: string;
  json: string;
  files?: Part[];
  bytes?: Uint8Array;
}

/** A file and the name or path that it was given under. */
interface Part {
  name: string;
  file: File;
}

interface GoRuntime {
  importObject: WebAssembly.Imports;
  run(instance: WebAssembly.Instance): Promise<void>;
}

interface Scope {
  Go: new () => GoRuntime;
  bootpathRequest?: (json: string, payload: Part[] | Uint8Array | undefined, reply: (json: string, bytes?: Uint8Array) => void) => void;
  importScripts(url: string): void;
  postMessage(message: object, transfer?: Transferable[]): void;
  onmessage: ((e: MessageEvent<Inward>) => void) | null;
}

const scope = self as unknown as Scope;

// What the Go runtime prints before it dies is the explanation.
const printed: string[] = [];
for (const name of ["log", "error"] as const) {
  const original = console[name].bind(console);
  console[name] = (...args: unknown[]) => {
    printed.push(args.map(String).join(" "));
    if (printed.length > 40) printed.shift();
    original(...args);
  };
}

let loading: Promise<void> | null = null;

async function fetched(url: string, imports: WebAssembly.Imports): Promise<WebAssembly.Instance> {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  const unpacked = response.body.pipeThrough(new DecompressionStream("gzip"));
  const typed = new Response(unpacked, { headers: { "content-type": "application/wasm" } });
  return (await WebAssembly.instantiateStreaming(typed, imports)).instance;
}

async function load(base: string, module?: ArrayBuffer): Promise<void> {
  if (!module) scope.importScripts(new URL("engine/wasm_exec.js", base).href);
  const go = new scope.Go();
  const instance = module
    ? (await WebAssembly.instantiate(module, go.importObject)).instance
    : await fetched(new URL("engine/engine.wasm.pack", base).href, go.importObject);
  const why = () => printed.find((l) => /^(panic|fatal error|runtime:)/.test(l)) ?? printed.at(-1) ?? "the engine ended";
  go.run(instance).then(
    () => scope.postMessage({ fatal: why() }),
    (e: unknown) => scope.postMessage({ fatal: `${String(e)} ${printed.at(-1) ?? ""}`.trim() }),
  );
  if (!scope.bootpathRequest) throw new Error("the engine does not install bootpathRequest");
}

scope.onmessage = async (e) => {
  const { module, base, json, files, bytes } = e.data;
  try {
    await (loading ??= load(base, module));
  } catch (err) {
    scope.postMessage({ unloadable: err instanceof Error ? err.message : String(err) });
    return;
  }
  if (module) return;
  scope.bootpathRequest?.(json, files ?? bytes, (answer, out) => {
    scope.postMessage(out ? { json: answer, bytes: out } : { json: answer }, out ? [out.buffer] : []);
  });
};
