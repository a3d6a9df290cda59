// Without a network: the site after one visit, a newer version of it, the one-file page, the archive.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { scenes, serve } from "./browser.mjs";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const { unzipSync } = createRequire(new URL("../../site/package.json", import.meta.url))("fflate");
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
  await page.getByRole("link", { name: "Step 22: unshare: mnt, uts, ipc, pid, net" }).first().click(); // a claim's proof
  await page.waitForFunction(() => document.querySelector("boot-path").position === 21);

  await page.goto(`${server.base}zh/lab/#v1&src=busybox-iso`);
  await answered(page);
  assert.equal((await outcome(page, {})).verdict, "works");
  assert.equal((await outcome(page, { remove: ["/boot/vmlinuz"] })).verdict, "stops");

  for (const [lang, term, words] of [["en", "whiteout", "overwritten zeros"], ["zh", "引导程序", "控制权 报错"]]) {
    await page.goto(`${server.base}${lang}/lessons/`);
    await page.keyboard.press("Control+k");
    for (const [query, found] of [[term, /\/glossary\/#/], [words, /\/lessons\/bios\//]]) {
      await page.locator("#search input").fill(query);
      await page.waitForFunction((found) => [...document.querySelectorAll("#search li a")].some((a) => new RegExp(found).test(a.href)), found.source);
    }
  }
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

for (const lang of ["en", "zh"]) {
  scene(`bootpath.html, in ${lang}: a start, a break, another sample`, {}, async (page) => {
    await page.context().setOffline(true);
    await page.goto(`${pathToFileURL(join(dist, "bootpath.html")).href}#v1&src=debian-bios&step=grub.load-kernel&lang=${lang}`);
    await answered(page);
    await page.locator("bp-card h2", { hasText: lang === "en" ? "GRUB loads the kernel" : "GRUB 装入内核" }).waitFor();
    const broken = await outcome(page, { remove: ["/boot/grub/grub.cfg"] });
    assert.equal(broken.verdict, "stops");
    assert.equal(broken.stage, "bootloader");
    await page.locator("boot-path").evaluate((e) => e.open("alpine"));
    assert.equal((await outcome(page, {})).verdict, "works");
  });

  scene(`the archive, unpacked, in ${lang}: a lesson, the Lab, a break`, {}, async (page) => {
    const folder = mkdtempSync(join(tmpdir(), "bootpath-"));
    for (const [path, bytes] of Object.entries(unzipSync(readFileSync(join(dist, "bootpath-offline.zip"))))) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), bytes);
    }
    const server = await serve(join(folder, "bootpath"));
    const elsewhere = [];
    page.on("request", (r) => /^https?:/.test(r.url()) && !r.url().startsWith(server.base) && elsewhere.push(r.url()));
    await page.goto(`${server.base}${lang}/lessons/bios/`);
    await answered(page);
    await page.locator("form.ask input[data-right]").first().check();
    await page.locator("form.ask details[open]").first().waitFor();
    await page.goto(`${server.base}${lang}/lab/#v1&src=hello-scratch`);
    await answered(page);
    assert.equal((await outcome(page, {})).verdict, "works");
    assert.equal((await outcome(page, { remove: ["/hello"] })).verdict, "stops");
    assert.deepEqual(elsewhere, []);
    server.close();
    rmSync(folder, { recursive: true });
  });
}

scene("the site can be installed: manifest, icons, screenshots, and the browser agrees", {}, async (page) => {
  const server = await serve();
  await page.goto(`${server.base}en/`);
  const address = await page.locator("link[rel=manifest]").evaluate((l) => l.href);
  const manifest = await (await fetch(address)).json();
  assert.equal(new URL(manifest.start_url, address).href, server.base);
  assert.equal(new URL(manifest.scope, address).href, server.base);
  assert.equal(manifest.display, "standalone");

  const size = async ({ src }) => { // of a PNG, from its IHDR chunk
    const b = Buffer.from(await (await fetch(new URL(src, address))).arrayBuffer());
    assert.equal(b.toString("latin1", 1, 4), "PNG", src);
    return `${b.readUInt32BE(16)}x${b.readUInt32BE(20)}`;
  };
  const pictures = [...manifest.icons, ...manifest.screenshots].filter((p) => p.type === "image/png");
  for (const p of pictures) assert.equal(await size(p), p.sizes, p.src);
  const icons = (purpose) => manifest.icons.filter((i) => (i.purpose ?? "any") === purpose).map((i) => i.sizes);
  assert.deepEqual(icons("any"), ["any", "192x192", "512x512"]);
  assert.deepEqual(icons("maskable"), ["512x512"]);
  assert.deepEqual(manifest.screenshots.map((s) => s.form_factor), ["wide", "narrow"]);

  await kept(page);
  const cdp = await page.context().newCDPSession(page);
  assert.deepEqual((await cdp.send("Page.getAppManifest")).errors, []);
  const { installabilityErrors } = await cdp.send("Page.getInstallabilityErrors");
  assert.deepEqual(installabilityErrors.filter((e) => e.errorId !== "in-incognito"), []); // where tests run
  server.close();
});

test("no file is larger than 20 MB", () => {
  const walk = (dir) => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(join(dir, e.name)) : [join(dir, e.name)]));
  for (const p of walk(dist)) assert.ok(statSync(p).size <= 20e6, `${p}: ${statSync(p).size}`);
});

test("the archive holds the site, file for file", () => {
  const held = unzipSync(readFileSync(join(dist, "bootpath-offline.zip")));
  const walk = (dir) => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(join(dir, e.name)) : [relative(dist, join(dir, e.name))]));
  const files = walk(dist).filter((p) => !["bootpath-offline.zip", "bootpath.html"].includes(p) && !/^traces\/(first|part|view|values)\//.test(p)); // they spare a download
  assert.deepEqual(Object.keys(held).sort(), files.map((p) => `bootpath/${p}`).sort());
  for (const p of files) assert.deepEqual(Buffer.from(held[`bootpath/${p}`]), readFileSync(join(dist, p)), p);
});
