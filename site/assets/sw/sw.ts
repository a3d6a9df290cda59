// The service worker of the site: after the first visit every page, sample and lesson works without a network.
// The build writes the list of files before this script (site/offline.mjs), so a new build is a new worker.
// Files are kept under their hash: two versions share what did not change, and an open page goes on with
// the version it was loaded with until its reader asks for the new one, in this tab or in another.
import { assemble } from "./assemble.mjs";

type Files = { [path: string]: string }; // path from the site's root → hash of the content

const scope = self as unknown as ServiceWorkerGlobalScope & { bootpath: { files: Files } };
const { files } = scope.bootpath;
const keep = "bootpath-files";
const root = new URL("./", scope.location.href);

const keyOf = (path: string, list = files) => new URL(`${path}?kept=${list[path]}`, root).href;
const activeKey = new URL("?list", root).href; // the list of the version that answers
const pageKey = (client: string) => new URL(`?list-of=${client}`, root).href; // of a page that is older

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

/** Lets the pages that are open go on with the list of the version before, and drops what no list names any more. */
async function takeOver(): Promise<void> {
  const cache = await caches.open(keep);
  const before = await cache.match(activeKey);
  const known = new Set([activeKey, ...Object.keys(files).map((path) => keyOf(path))]);
  for (const { id } of await scope.clients.matchAll({ includeUncontrolled: true, type: "all" })) {
    const list = (await cache.match(pageKey(id))) ?? before?.clone();
    if (!list) continue; // the first version
    await cache.put(pageKey(id), list.clone());
    const older = (await list.json()) as Files;
    for (const key of [pageKey(id), ...Object.keys(older).map((path) => keyOf(path, older))]) known.add(key);
  }
  await cache.put(activeKey, new Response(JSON.stringify(files)));
  for (const request of await cache.keys()) if (!known.has(request.url)) await cache.delete(request);
  await scope.clients.claim();
}

const lists = new Map<string, Promise<Files>>(); // by page

/** The list of the version that a page was loaded with. */
function listOf(client: string): Promise<Files> {
  let list = lists.get(client);
  if (!list) {
    list = caches.open(keep).then(async (cache) => ((await (await cache.match(pageKey(client)))?.json()) as Files | undefined) ?? files);
    lists.set(client, list);
  }
  return list;
}

async function answer(request: Request, client: string): Promise<Response> {
  const list = request.mode === "navigate" ? files : await listOf(client);
  let path = decodeURIComponent(new URL(request.url).pathname.slice(root.pathname.length));
  if (path === "" || path.endsWith("/")) path += "index.html";
  if (path === "bootpath.html") return fetch(request).catch(onePage);
  // Parts of runs spare a download; whoever has the site here has the runs whole.
  if (/^traces\/(first|part|view|values)\//.test(path)) return new Response(null, { status: 404 });
  const kept = path in list ? await (await caches.open(keep)).match(keyOf(path, list)) : undefined;
  if (!kept) return fetch(request);
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  return range ? part(kept, Number(range[1]), range[2]) : kept;
}

/** bootpath.html is as large as all the rest, so it is not kept; without a network it is put together again. */
async function onePage(): Promise<Response> {
  const kept = async (path: string) => (await (await caches.open(keep)).match(keyOf(path))) ?? fetch(new URL(path, root));
  const page = await assemble(Object.keys(files), {
    text: async (path) => (await kept(path)).text(),
    base64: async (path) => base64(await (await kept(path)).blob()),
    packed: async (path) => {
      const response = await kept(path);
      if (path.endsWith(".pack") || !response.body) return base64(await response.blob());
      return base64(await new Response(response.body.pipeThrough(new CompressionStream("gzip"))).blob());
    },
  });
  return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
}

async function base64(data: Blob): Promise<string> {
  const url = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error("cannot be read"));
    reader.readAsDataURL(data);
  });
  return url.slice(url.indexOf(",") + 1);
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
scope.addEventListener("activate", (e) => {
  lists.clear();
  e.waitUntil(takeOver());
});
scope.addEventListener("fetch", (e) => {
  if (e.request.method === "GET" && e.request.url.startsWith(root.href)) e.respondWith(answer(e.request, e.clientId));
});
scope.addEventListener("message", (e) => {
  if (e.data === "use") void scope.skipWaiting();
});
