// What the browser tests share: a server for dist/, a Chromium, and pages whose errors fail the test.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import * as fake from "./fixtures/fake.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
export const out = fileURLToPath(new URL("out/", import.meta.url));
mkdirSync(out, { recursive: true });
const sirv = createRequire(new URL("../../site/package.json", import.meta.url))("sirv");

export async function serve(folder = `${root}dist`) {
  const files = sirv(folder, { dev: true, setHeaders: (res) => res.setHeader("access-control-allow-origin", "*") });
  const server = createServer((req, res) => files(req, res, () => { res.statusCode = 404; res.end(); }));
  await new Promise((ok) => server.listen(0, "127.0.0.1", ok));
  return { base: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-color-profile=srgb"],
});

/** Opens a page; what goes wrong inside it is collected in page.wrong. */
export async function newPage(browser, { width = 1440, height = 900, dark = false, zh = false, touch = false } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? "dark" : "light", locale: zh ? "zh-CN" : "en-GB", hasTouch: touch, reducedMotion: "reduce", permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.wrong = [];
  page.on("pageerror", (e) => page.wrong.push(String(e)));
  page.on("console", (m) => m.type() === "error" && !/404/.test(m.text()) && page.wrong.push(m.text()));
  return page;
}

/** The tests of a file: each gets a fresh page of one browser, and an error inside the page fails it. */
export function scenes(prepare = async (page) => page.setDefaultTimeout(60_000)) {
  let browser;
  before(async () => { browser = await launch(); });
  after(() => browser.close());
  return (name, options, fn) => test(name, async () => {
    const page = await newPage(browser, options);
    await prepare(page);
    try {
      await fn(page);
      assert.deepEqual(page.wrong, []);
    } finally {
      await page.context().close();
    }
  });
}

/** Puts hand-written runs in the place of engine, samples and sentences. */
export async function useFake(page) {
  const json = (body) => ({ contentType: "application/json", body: JSON.stringify(body) });
  await page.context().route("**/samples/index.json", (r) => r.fulfill(json(fake.index)));
  await page.context().route("**/traces/**", (r) => r.fulfill({ status: 404 }));
  await page.context().route("**/engine/worker.js", (r) => r.fulfill({ contentType: "text/javascript", body: fake.worker(byName()) }));
  for (const lang of ["en", "zh"]) await page.context().route(new RegExp(`/i18n/(?!ui|more)\\w+\\.${lang}\\.json$`), (r) => r.fulfill(json(fake.messages[lang])));
}

function byName() {
  const cases = fake.cases();
  return Object.fromEntries(fake.index.map((s) => [s.file, cases[s.id]]));
}

/** Drops files and folders of this machine onto the player: the browser itself carries the drop. */
export async function dropPaths(page, ...paths) {
  const { x, y, width, height } = await page.locator("boot-path").boundingBox();
  const cdp = await page.context().newCDPSession(page);
  const at = { x: x + width / 2, y: y + height / 2, data: { items: [], files: paths, dragOperationsMask: 1 } };
  for (const type of ["dragEnter", "dragOver", "drop"]) await cdp.send("Input.dispatchDragEvent", { type, ...at });
  await cdp.detach();
}

/** Drops a file onto the player, as a hand would. */
export async function drop(page, name, bytes) {
  const data = await page.evaluateHandle(async ([name, base64]) => {
    const d = new DataTransfer();
    d.items.add(new File([await (await fetch(`data:application/octet-stream;base64,${base64}`)).arrayBuffer()], name));
    return d;
  }, [name, Buffer.from(bytes).toString("base64")]);
  for (const type of ["dragenter", "dragover", "drop"]) await page.dispatchEvent("boot-path", type, { dataTransfer: data });
}
