// The service worker of the site: after the first visit every page, sample and lesson works without a network.
// The build writes the list of files before this script (site/offline.mjs), so a new build is a new worker.
// Files are kept under their hash: two versions share what did not change, and an open page goes on with
// the version it was loaded with until its reader asks for the new one.
interface Listed {
  files: { [path: string]: string }; // path from the site's root → hash of the content
}

const scope = self as unknown as ServiceWorkerGlobalScope & { bootpath: Listed };
const { files } = scope.bootpath;
const keep = "bootpath-files";
const root = new URL("./", scope.location.href);

const keyOf = (path: string) => new URL(`${path}?kept=${files[path]}`, root).href;

async function fill(): Promise<void> {
  const cache = await caches.open(keep);
  for (const path of Object.keys(files)) {
    const key = keyOf(path);
    if (await cache.match(key)) continue;
    const response = await fetch(new URL(path, root), { cache: "no-cache" });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    await cache.put(key, response);
  }
}

/** Drops what this version does not name; no page of an older one is open any more. */
async function tidy(): Promise<void> {
  const cache = await caches.open(keep);
  const known = new Set(Object.keys(files).map(keyOf));
  for (const request of await cache.keys()) if (!known.has(request.url)) await cache.delete(request);
  await scope.clients.claim();
}

/** The listed file that a request is for, or null: another origin, an unlisted file. */
function listed(request: Request): string | null {
  const url = new URL(request.url);
  if (request.method !== "GET" || !url.href.startsWith(root.href)) return null;
  let path = decodeURIComponent(url.pathname.slice(root.pathname.length));
  if (path === "" || path.endsWith("/")) path += "index.html";
  return path in files ? path : null;
}

async function answer(request: Request, path: string): Promise<Response> {
  const kept = await (await caches.open(keep)).match(keyOf(path));
  if (!kept) return fetch(request);
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  return range ? part(kept, Number(range[1]), range[2]) : kept;
}

/** What a server answers to a range request (RFC 9110 §14.4). */
async function part(whole: Response, from: number, to: string | undefined): Promise<Response> {
  const body = await whole.blob();
  if (from >= body.size) return new Response(null, { status: 416, headers: { "content-range": `bytes */${body.size}` } });
  const end = Math.min(to ? Number(to) + 1 : body.size, body.size);
  const headers = { "content-range": `bytes ${from}-${end - 1}/${body.size}`, "content-type": whole.headers.get("content-type") ?? "application/octet-stream" };
  return new Response(body.slice(from, end), { status: 206, headers });
}

scope.addEventListener("install", (e) => e.waitUntil(fill()));
scope.addEventListener("activate", (e) => e.waitUntil(tidy()));
/** Parts of runs spare a download; whoever has the site here has the runs whole, and of the page's own version. */
const spared = (request: Request) => request.url.startsWith(new URL("traces/first/", root).href) || request.url.startsWith(new URL("traces/part/", root).href);

scope.addEventListener("fetch", (e) => {
  const path = listed(e.request);
  if (path) e.respondWith(answer(e.request, path));
  else if (spared(e.request)) e.respondWith(new Response(null, { status: 404 }));
});
scope.addEventListener("message", (e) => {
  if (e.data === "use") void scope.skipWaiting();
});
