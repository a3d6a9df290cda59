// Without a network: the site after one visit, a newer version of it, the one-file page, the archive.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { scenes, serve } from "./browser.mjs";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const scene = scenes();

/** Waits until the service worker has everything and answers for the page. */
async function kept(page) {
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller) await new Promise((ok) => navigator.serviceWorker.addEventListener("controllerchange", ok, { once: true }));
  });
}

const outcome = (page, settings) => page.locator("boot-path").first().evaluate(async (e, settings) => {
  if (settings) await e.run(settings);
  return e.outcome;
}, settings);

const answered = (page) => page.waitForFunction(() => document.querySelector("boot-path")?.outcome);

scene("after one visit a lesson, a sample and a what-if work without a network", {}, async (page) => {
  const server = await serve();
  await page.goto(`${server.base}en/`);
  await kept(page);
  await page.context().setOffline(true);
  server.close();

  await page.goto(`${server.base}en/lessons/does-an-image-contain-an-os/`);
  await answered(page);
  await page.locator("form.ask input[data-right]").first().check();
  await page.locator("form.ask details[open]").first().waitFor();

  await page.goto(`${server.base}zh/lab/#v1&src=busybox-iso`);
  await answered(page);
  assert.equal((await outcome(page, {})).verdict, "works");
  assert.equal((await outcome(page, { remove: ["/boot/vmlinuz"] })).verdict, "stops");

  await page.keyboard.press("Control+k");
  await page.locator("#search input").fill("内核");
  await page.locator("#search li a").first().waitFor();
});

scene("without a network a start is saved as one page, and that page runs", {}, async (page) => {
  const server = await serve();
  await page.goto(`${server.base}zh/lab/#v1&src=hello-scratch`);
  await kept(page);
  await page.context().setOffline(true);
  server.close();
  await page.reload();
  await page.waitForFunction(() => { const e = document.querySelector("boot-path"); return e.outcome && !e.renderRoot.querySelector(".working"); });
  await page.locator("boot-path").evaluate((e) => e.run({ entrypoint: "/nope" }));
  await page.getByLabel("保存").click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: /\.html/ }).click()]);
  const saved = join(mkdtempSync(join(tmpdir(), "bootpath-")), "start.html");
  await download.saveAs(saved);

  await page.goto(pathToFileURL(saved).href);
  await answered(page);
  assert.equal((await outcome(page)).verdict, "stops");
  assert.equal((await outcome(page, { entrypoint: "/hello" })).verdict, "works");
  assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-CN");
});

scene("a newer version waits until the reader takes it; the open page goes on with its own", {}, async (page) => {
  const folder = mkdtempSync(join(tmpdir(), "bootpath-"));
  try {
    cpSync(dist, folder, { recursive: true });
    const server = await serve(folder);
    await page.goto(`${server.base}en/reference/`);
    await kept(page);

    const html = join(folder, "en/reference/index.html");
    writeFileSync(html, readFileSync(html, "utf8").replace("<h1>", "<h1>New: "));
    const sw = join(folder, "sw.js");
    writeFileSync(sw, readFileSync(sw, "utf8").replace(/"en\/reference\/index\.html":"[^"]+"/, '"en/reference/index.html":"changed"'));
    const other = await page.context().newPage();
    await other.goto(`${server.base}en/reference/`);
    await page.reload();
    assert.doesNotMatch(await page.locator("h1").innerText(), /New/);
    await page.locator("#update button").click();
    await page.getByRole("heading", { name: /New: / }).waitFor();

    // The other tab is older: what it loads from now on is of its own version, until it is loaded again itself.
    const loaded = () => other.evaluate(async () => /New: /.test(await (await fetch("./")).text()));
    assert.equal(await loaded(), false);
    await other.reload();
    assert.match(await other.locator("h1").innerText(), /New/);
    assert.equal(await loaded(), true);
    server.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

scene("bootpath.html works from a folder and asks no network for anything", {}, async (page) => {
  const asked = [];
  page.on("request", (r) => asked.push(r.url()));
  await page.context().setOffline(true);
  const address = pathToFileURL(join(dist, "bootpath.html")).href;
  await page.goto(`${address}#v1&src=hello-scratch&lang=zh`);
  await answered(page);
  assert.equal((await outcome(page, { entrypoint: "/nope" })).verdict, "stops");
  assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-CN");
  assert.deepEqual(asked.filter((u) => !u.startsWith("data:") && !u.startsWith("blob:")), [address]);
});

test("the archive holds the site, file for file", () => {
  const { unzipSync } = createRequire(new URL("../../site/package.json", import.meta.url))("fflate");
  const held = unzipSync(readFileSync(join(dist, "bootpath-offline.zip")));
  const walk = (dir) => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(join(dir, e.name)) : [relative(dist, join(dir, e.name))]));
  const files = walk(dist).filter((p) => !["bootpath-offline.zip", "bootpath.html"].includes(p) && !/^traces\/(first|part)\//.test(p)); // they spare a download
  assert.deepEqual(Object.keys(held).sort(), files.map((p) => `bootpath/${p}`).sort());
  for (const p of files) assert.deepEqual(Buffer.from(held[`bootpath/${p}`]), readFileSync(join(dist, p)), p);
});
