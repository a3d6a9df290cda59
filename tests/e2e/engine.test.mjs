// The page with its real engine: the samples, files made here and dropped, bad input. The command's answers,
// worked out when the site was built, are the measure: in the browser the same steps must come out.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { drop, dropPaths, out, scenes, serve } from "./browser.mjs";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const samples = JSON.parse(readFileSync(`${dist}samples/index.json`, "utf8"));
let server;
before(async () => { server = await serve(); });
after(() => server.close());

const scene = scenes();
const player = (page) => page.locator("boot-path");

async function lab(page, hash = "", lang = "en") {
  await page.goto(`${server.base}${lang}/lab/${hash}`);
  await player(page).locator("bp-opener, bp-card").first().waitFor();
}

/** Waits for the engine's own answer, not the one that was worked out in advance. */
const settled = (page) => page.waitForFunction(() => {
  const p = document.querySelector("boot-path");
  return p.outcome && !p.shadowRoot.querySelector(".working");
});

const answer = (page) => player(page).evaluate((e) => ({ outcome: e.outcome, steps: e.steps, facts: e.facts }));

for (const s of samples) {
  scene(`sample ${s.id}: the browser's steps are the command's`, {}, async (page) => {
    await page.route("**/traces/**", (r) => r.fulfill({ status: 404 }));
    await lab(page, `#v1&src=${s.id}`);
    await settled(page);
    const want = JSON.parse(readFileSync(`${dist}traces/${s.id}.json`, "utf8")).run;
    const got = await answer(page);
    assert.deepEqual(got.outcome, want.outcome);
    assert.equal(got.steps.length, want.steps.length);
    assert.deepEqual(got.steps, want.steps);
    assert.deepEqual(got.facts, want.facts);
  });
}

scene("every kind of step of every sample has its sentence in both languages", {}, async () => {
  for (const lang of ["en", "zh"]) {
    const messages = JSON.parse(readFileSync(`${dist}i18n/messages.${lang}.json`, "utf8"));
    const missing = new Set();
    for (const s of samples) {
      for (const step of JSON.parse(readFileSync(`${dist}traces/${s.id}.json`, "utf8")).run?.steps ?? []) {
        const m = messages[step.kind];
        if (!m) missing.add(step.kind);
        else for (const [, name] of `${m.title} ${m.text}`.matchAll(/\{(\w+)\}/g)) if (!(name in (step.args ?? {}))) missing.add(`${step.kind}: {${name}}`);
      }
    }
    assert.deepEqual([...missing].sort(), [], lang);
  }
});

scene("every citation of a sample's steps can be looked at", {}, async (page) => {
  const id = samples.find((s) => s.kind === "system").id;
  await lab(page, `#v1&src=${id}`);
  await settled(page);
  const total = await player(page).evaluate((e) => e.steps.length);
  for (let n = 0; n < total; n += Math.max(1, Math.floor(total / 25))) {
    await player(page).evaluate((e, n) => e.seek(n), n);
    const cites = await player(page).evaluate((e, n) => e.steps[n].cites?.length ?? 0, n);
    if (cites === 0) continue;
    await page.locator("bp-evidence .in.sel").first().waitFor();
    assert.equal(await page.locator("bp-evidence .dump").getByText(/cannot be shown/).count(), 0, `step ${n}`);
  }
});

scene("a what-if: without /sbin/init the start does not end as before", {}, async (page) => {
  const id = samples.find((s) => s.kind === "system").id;
  await lab(page, `#v1&src=${id}&remove:=["/sbin/init"]`);
  await settled(page);
  const before = JSON.parse(readFileSync(`${dist}traces/${id}.json`, "utf8")).run;
  const got = await answer(page);
  assert.notDeepEqual(got.outcome, before.outcome);
  assert.ok(got.steps.some((s) => /No such file or directory/.test(s.console ?? "")), "the console says what is missing");
});

scene("files and bytes are shown as they were changed, each with a way back", {}, async (page) => {
  await lab(page, '#v1&src=debian-bios&remove:=["/etc/hostname"]&write:={"/etc/fstab":"# empty\\n"}&view=files');
  await settled(page);
  const files = page.locator("bp-files");
  await files.getByRole("button", { name: "etc/", exact: true }).click();
  const row = (name) => files.locator("li").filter({ has: page.getByRole("button", { name, exact: true }) });
  await row("hostname").getByText("removed").waitFor();
  await row("fstab").getByText("edited").waitFor();
  await row("fstab").getByRole("button", { name: "fstab", exact: true }).click();
  await files.locator("pre", { hasText: "# empty" }).waitFor();
  await files.getByRole("button", { name: "As it came" }).click();
  await files.locator("pre", { hasText: "UUID=" }).waitFor();
  await row("hostname").getByRole("button", { name: "Switch off" }).click();
  await files.locator("li.removed").waitFor({ state: "detached" });
  assert.deepEqual(await player(page).evaluate((e) => e.settings.remove ?? []), []);
});

scene("break it: a file is removed in the page; the first step that differs and the real message are shown", {}, async (page) => {
  const id = samples.find((s) => s.id === "debian-bios")?.id ?? samples.find((s) => s.kind === "system").id;
  await lab(page, `#v1&src=${id}`);
  await settled(page);
  await page.getByRole("button", { name: "Break it" }).click();
  const change = page.locator("bp-change");
  await change.getByLabel("Path in the image").fill("/sbin/init");
  await change.getByRole("button", { name: "Remove" }).click();
  await change.getByText("Here the runs part:").waitFor();
  await change.locator(".result.stops, .result.unknown").waitFor();
  const n = await player(page).evaluate((e) => e.position);
  const before = JSON.parse(readFileSync(`${dist}traces/${id}.json`, "utf8")).run.steps;
  assert.notEqual((await answer(page)).steps[n].kind + (await answer(page)).steps[n].console, before[n].kind + before[n].console);
  await change.getByRole("checkbox").click();
  await settled(page);
  assert.equal((await answer(page)).steps.length, before.length);
});

scene("a byte is flipped in the hex view, and switched off there: the run is again the one before", {}, async (page) => {
  await lab(page, "#v1&src=debian-bios&step=bios.boot-signature&view=evidence");
  await settled(page);
  const before = JSON.parse(readFileSync(`${dist}traces/debian-bios.json`, "utf8")).run;
  const evidence = page.locator("bp-panel.side bp-evidence");
  await evidence.getByRole("button", { name: "Change", exact: true }).click();
  await evidence.locator(".b[data-at='511']").click();
  assert.equal(await evidence.getByLabel("Bytes in hexadecimal").inputValue(), "aa");
  await evidence.getByLabel("Bytes in hexadecimal").fill("ab");
  await evidence.getByRole("button", { name: "Put and start again" }).click();
  const change = page.locator("bp-change");
  await change.getByText("Here the runs part:").waitFor();
  await change.locator(".list li", { hasText: "0x01ff" }).waitFor();
  assert.equal((await answer(page)).outcome.verdict, "stops");
  assert.match(await change.locator(".result pre").innerText(), /No bootable device|Boot failed/);

  await player(page).evaluate((e) => e.seek(e.steps.findIndex((s) => s.cites?.some((c) => c.off <= 511 && c.off + c.len > 511))));
  await page.locator("bp-panel.side").getByRole("tab", { name: /^Evidence/ }).click();
  const changed = evidence.locator(".changed", { hasText: "0x01ff" });
  assert.match(await changed.innerText(), /aa\s+ab/);
  await evidence.locator(".b.now", { hasText: "ab" }).waitFor();
  await changed.getByRole("button", { name: "Switch off" }).click();
  await changed.waitFor({ state: "detached" });
  await settled(page);
  assert.deepEqual((await answer(page)).steps, before.steps);
  await evidence.locator(".b[data-at='511']:not(.now)", { hasText: "aa" }).waitFor();
  // It stays in the list, and its box brings it back.
  await page.getByRole("button", { name: "Break it" }).click();
  assert.equal(await change.getByRole("checkbox").isChecked(), false);
  await change.getByRole("checkbox").click();
  await change.locator(".result.stops").waitFor();
});

scene("the three firmwares, each with its verdict", {}, async (page) => {
  await lab(page, `#v1&src=${samples.find((s) => s.id === "debian-uefi")?.id ?? samples[0].id}&view=conditions`);
  await settled(page);
  await page.getByRole("button", { name: "Try all three" }).click();
  await page.waitForFunction(() => Object.keys(document.querySelector("boot-path").shadowRoot.querySelector("bp-conditions").tried).length === 3);
  assert.match(await page.locator("bp-conditions .three").innerText(), /UEFI\s+Works/);
});

scene("other conditions show where the run parts, and there is one way back", {}, async (page) => {
  const cases = { "debian-bios": [["memory_mib", "16"], ["arch", "arm64"]], busybox: [["host_arch", "arm64"], ["memory", "4m"], ["cap_add", "NOPE"], ["user", "nobodyhere"], ["entrypoint", "/nope"]], "busybox-rootfs": [["host_arch", "arm64"]] };
  for (const [id, changes] of Object.entries(cases)) {
    await lab(page, `#v1&src=${id}&view=conditions`);
    await settled(page);
    const before = await answer(page);
    const c = page.locator("bp-conditions");
    for (const [name, value] of changes) {
      const field = c.locator(`[name=${name}]`);
      if (await field.evaluate((e) => e instanceof HTMLSelectElement)) await field.selectOption(value);
      else await field.fill(value).then(() => field.press("Tab"));
      await c.locator(".answer.stops pre").waitFor();
      await c.getByText("Here the runs part:").waitFor();
      const now = await answer(page);
      const n = await player(page).evaluate((e) => e.position);
      assert.ok(n === 0 || now.steps.slice(0, n).some((s, i) => s.kind === before.steps[i].kind), `${id} ${name}`);
      assert.notDeepEqual(now.steps[n], before.steps[n], `${id} ${name}: the step that is shown is one that differs`);
      await c.getByRole("button", { name: "As at first" }).click();
      await c.locator(".answer.works").waitFor();
      assert.deepEqual((await answer(page)).steps, before.steps, `${id} ${name}`);
    }
  }
});

scene("a docker run line is parsed, played and written again", {}, async (page) => {
  await lab(page, `#v1&src=${samples.find((s) => s.kind === "application").id}&view=conditions`);
  await settled(page);
  const c = page.locator("bp-conditions");
  await c.getByLabel("A docker run command to take over").fill("docker run --rm --user 1000 --read-only --entrypoint /nope image");
  await c.getByRole("button", { name: "Use it" }).click();
  await c.locator(".answer.stops pre").waitFor();
  assert.match(await c.locator(".line code").innerText(), /--user 1000 --read-only --rm --entrypoint \/nope/);
  assert.match(await c.locator(".answer pre").innerText(), /no such file or directory/);
});

scene("on a slow connection the first step is there before the engine, and nothing moves", {}, async (page) => {
  const slow = await page.context().newCDPSession(page);
  await slow.send("Network.enable");
  await slow.send("Network.emulateNetworkConditions", { offline: false, latency: 40, downloadThroughput: 10e6 / 8, uploadThroughput: 10e6 / 8 });
  await page.addInitScript(() => {
    window.shift = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((e) => { if (!e.hadRecentInput) window.shift += e.value; })).observe({ type: "layout-shift", buffered: true });
  });
  let engine = false;
  page.on("requestfinished", (r) => { engine ||= r.url().endsWith("engine.wasm.pack"); });
  await page.goto(`${server.base}en/lab/#v1&src=${samples[0].id}`, { waitUntil: "commit" });
  await page.locator("bp-card h2").waitFor();
  assert.equal(engine, false, "the steps came with the engine, not before it");
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  console.log(`first paint after ${Math.round(paint)} ms at 10 Mbit/s and 40 ms`);
  await settled(page);
  assert.ok((await page.evaluate(() => window.shift)) < 0.01, "the layout moved");
});

// ---- files made here ---------------------------------------------------------------------------------

const sha256 = (b) => createHash("sha256").update(b).digest("hex");

/** One tar entry: header and content, padded to 512 bytes (POSIX ustar). */
function tarEntry(name, content, { mode = 0o644, type = "0", link = "" } = {}) {
  const h = Buffer.alloc(512);
  const octal = (n, len) => n.toString(8).padStart(len - 1, "0") + "\0";
  h.write(name, 0);
  h.write(octal(mode, 8), 100);
  h.write(octal(0, 8), 108);
  h.write(octal(0, 8), 116);
  h.write(octal(content.length, 12), 124);
  h.write(octal(1700000000, 12), 136);
  h.write("        ", 148);
  h.write(type, 156);
  h.write(link, 157);
  h.write("ustar\x0000", 257);
  h.write(`${h.reduce((a, b) => a + b, 0).toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([h, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

const tar = (...entries) => Buffer.concat([...entries, Buffer.alloc(1024)]);

/** The smallest static x86-64 ELF executable that a loader accepts: one header, one segment. */
function staticELF(machine = 62) {
  const b = Buffer.alloc(0x78 + 16);
  b.write("\x7fELF\x02\x01\x01", 0, "latin1");
  b.writeUInt16LE(2, 16); // ET_EXEC
  b.writeUInt16LE(machine, 18);
  b.writeUInt32LE(1, 20);
  b.writeBigUInt64LE(0x400078n, 24); // e_entry
  b.writeBigUInt64LE(64n, 32); // e_phoff
  b.writeUInt16LE(64, 52);
  b.writeUInt16LE(56, 54);
  b.writeUInt16LE(1, 56);
  b.writeUInt32LE(1, 64); // PT_LOAD
  b.writeUInt32LE(5, 68);
  b.writeBigUInt64LE(0x400000n, 80);
  b.writeBigUInt64LE(0x400000n, 88);
  b.writeBigUInt64LE(BigInt(b.length), 96);
  b.writeBigUInt64LE(BigInt(b.length), 104);
  b.writeBigUInt64LE(0x1000n, 112);
  return b;
}

/** What `docker save` writes for an image of one layer. */
function dockerArchive(files, config) {
  const layer = tar(...files);
  const json = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", config, rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] } }));
  const name = `${sha256(json)}.json`;
  const manifest = Buffer.from(JSON.stringify([{ Config: name, RepoTags: ["example.test/hello:1"], Layers: ["layer.tar"] }]));
  return tar(tarEntry("layer.tar", layer), tarEntry(name, json), tarEntry("manifest.json", manifest));
}

scene("a dropped docker archive runs to its program", {}, async (page) => {
  await lab(page);
  await drop(page, "hello.tar", dockerArchive([tarEntry("hello", staticELF(), { mode: 0o755 })], { Entrypoint: ["/hello"] }));
  await settled(page);
  const { outcome, facts } = await answer(page);
  assert.equal(outcome.verdict, "works", JSON.stringify(outcome));
  assert.deepEqual(facts.argv, ["/hello"]);
  await page.locator("bp-image-bar", { hasText: "no kernel inside: the host’s kernel runs it" }).waitFor();
});

scene("a dropped docker archive, gzipped, whose entrypoint is missing stops with the engine's words", {}, async (page) => {
  await lab(page);
  await drop(page, "broken.tar.gz", gzipSync(dockerArchive([tarEntry("hello", staticELF(), { mode: 0o755 })], { Entrypoint: ["/nope"] })));
  await settled(page);
  const { outcome } = await answer(page);
  assert.equal(outcome.verdict, "stops", JSON.stringify(outcome));
  assert.match(outcome.message, /exec: "\/nope": stat \/nope: no such file or directory/);
  assert.equal(await player(page).evaluate((e) => e.position), outcome.step, "shown where it stops");
});

scene("a dropped disk with a partition table and no boot code stops at its boot sector", {}, async (page) => {
  await lab(page);
  // A DOS partition table with one Linux partition, and no code before it.
  const disk = Buffer.alloc(4 << 20);
  disk.write("\x00\x20\x21\x00\x83\x20\x21\x00\x00\x08\x00\x00\x00\x18\x00\x00", 446, "latin1");
  disk.writeUInt16LE(0xaa55, 510);
  await drop(page, "empty.img", disk);
  await page.waitForFunction(() => !document.querySelector("boot-path").shadowRoot.querySelector(".working"));
  const { outcome } = await answer(page);
  assert.equal(outcome?.verdict, "stops", JSON.stringify(outcome));
  assert.equal(outcome.message, "Booting from Hard Disk...");
});

scene("what cannot be known is said in the page's language", {}, async (page) => {
  const disk = Buffer.alloc(1 << 20);
  disk.write("\xfa\xf4 LILO boot:", 0, "latin1");
  disk.writeUInt16LE(0xaa55, 510);
  const kept = JSON.parse(readFileSync(`${dist}i18n/unknown.zh.json`, "utf8"))["unknown.boot-code-named"];
  const words = `${kept.title}：${kept.text}`.replace("{where}", "lilo.img").replace("{program}", "LILO");
  assert.match(words, /\p{Script=Han}.*LILO/u);
  await lab(page, "", "zh");
  await drop(page, "lilo.img", disk);
  await page.locator("bp-verdict", { hasText: words }).waitFor();
  assert.equal((await answer(page)).outcome.unknown.kind, "unknown.boot-code-named");
});

/** Runs fn in a folder that is gone afterwards. */
async function inFolder(fn) {
  const dir = mkdtempSync(join(tmpdir(), "bootpath-"));
  try {
    await fn(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** A disk whose boot sector prints an X and halts; without qemu-img there is none. */
function diskThatStops(dir) {
  const disk = Buffer.alloc(1 << 20);
  Buffer.from("b8580ecd10f4ebfd", "hex").copy(disk); // mov ax, 0x0e58; int 0x10; hlt; jmp
  disk.writeUInt16LE(0xaa55, 510);
  writeFileSync(join(dir, "base.raw"), disk);
}

const qemuImg = (dir, ...args) => execFileSync("qemu-img", args, { cwd: dir, stdio: "pipe" });
let hasQemu = true;
try { qemuImg(".", "--version"); } catch { hasQemu = false; }
const withQemu = (name, fn) => (hasQemu ? scene(name, {}, fn) : test(name, { skip: "qemu-img is not installed" }));

const inspection = (page) => page.waitForFunction(() => {
  const root = document.querySelector("boot-path").shadowRoot;
  return !root.querySelector(".working") && (document.querySelector("boot-path").inspection ?? root.querySelector(".problem")?.innerText);
}).then((h) => h.jsonValue());

withQemu("a split VMDK's parts, dropped together, are one disk", (page) => inFolder(async (dir) => {
  diskThatStops(dir);
  qemuImg(dir, "convert", "-O", "vmdk", "-o", "subformat=monolithicFlat", "base.raw", "split.vmdk");
  await lab(page);
  await dropPaths(page, join(dir, "split-flat.vmdk"), join(dir, "split.vmdk"));
  const seen = await inspection(page);
  assert.equal(seen.name, "split.vmdk", JSON.stringify(seen));
  assert.equal(seen.virtual_size, 1 << 20);
  assert.equal(seen.kind, "system");
}));

withQemu("an overlay finds its backing file in the drop, alone it says what is missing", (page) => inFolder(async (dir) => {
  diskThatStops(dir);
  qemuImg(dir, "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "overlay.qcow2");
  await lab(page);
  await dropPaths(page, join(dir, "overlay.qcow2"));
  assert.match(await inspection(page), /base\.raw/);
  await dropPaths(page, join(dir, "base.raw"), join(dir, "overlay.qcow2"));
  await page.waitForFunction(() => document.querySelector("boot-path").inspection);
  const seen = await inspection(page);
  assert.equal(seen.name, "overlay.qcow2", JSON.stringify(seen));
  assert.equal(seen.virtual_size, 1 << 20);
  // The same by the button: all files of the dialog belong together.
  await page.reload();
  await player(page).locator("bp-opener").waitFor();
  await page.locator("input[type=file]").first().setInputFiles([join(dir, "base.raw"), join(dir, "overlay.qcow2")]);
  assert.equal((await inspection(page)).name, "overlay.qcow2");
}));

scene("an OCI image layout is dropped as a folder", {}, (page) => inFolder(async (dir) => {
  const store = (b) => {
    writeFileSync(join(dir, "layout/blobs/sha256", sha256(b)), b);
    return { digest: `sha256:${sha256(b)}`, size: b.length };
  };
  const json = (v) => Buffer.from(JSON.stringify(v));
  mkdirSync(join(dir, "layout/blobs/sha256"), { recursive: true });
  const layer = tar(tarEntry("hello", staticELF(), { mode: 0o755 }));
  const config = store(json({ architecture: "amd64", os: "linux", config: { Entrypoint: ["/hello"] }, rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] } }));
  const type = (what) => `application/vnd.oci.image.${what}`;
  const manifest = store(json({ schemaVersion: 2, mediaType: type("manifest.v1+json"), config: { mediaType: type("config.v1+json"), ...config }, layers: [{ mediaType: type("layer.v1.tar"), ...store(layer) }] }));
  writeFileSync(join(dir, "layout/oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(join(dir, "layout/index.json"), json({ schemaVersion: 2, manifests: [{ mediaType: type("manifest.v1+json"), ...manifest }] }));
  await lab(page);
  await dropPaths(page, join(dir, "layout"));
  await settled(page);
  const { outcome, facts } = await answer(page);
  assert.equal(outcome.verdict, "works", JSON.stringify(outcome));
  assert.deepEqual(facts.argv, ["/hello"]);
  assert.deepEqual((await inspection(page)).formats, ["folder", "oci-archive"]);
}));

scene("a file that is no image is named, and the page goes on", {}, async (page) => {
  await lab(page);
  await drop(page, "notes.txt", Buffer.from("nothing that starts\n".repeat(100)));
  await page.waitForFunction(() => {
    const root = document.querySelector("boot-path").shadowRoot;
    return !root.querySelector(".working") && (root.querySelector(".problem") || root.querySelector("bp-image-bar")?.inspection);
  });
  await page.screenshot({ path: `${out}bad-input.png` });
  await drop(page, "cut.tar", dockerArchive([tarEntry("hello", staticELF())], { Entrypoint: ["/hello"] }).subarray(0, 900));
  await page.waitForFunction(() => !document.querySelector("boot-path").shadowRoot.querySelector(".working"));
  await drop(page, "hello.tar", dockerArchive([tarEntry("hello", staticELF(), { mode: 0o755 })], { Entrypoint: ["/hello"] }));
  await settled(page);
  assert.equal((await answer(page)).outcome.verdict, "works");
});

scene("an opened file is in the library of the next visit", {}, async (page) => {
  await lab(page);
  await drop(page, "kept.tar", dockerArchive([tarEntry("hello", staticELF(), { mode: 0o755 })], { Entrypoint: ["/hello"] }));
  await settled(page);
  const want = await answer(page);
  await page.waitForFunction(async () => {
    if (!(await indexedDB.databases()).some((d) => d.name === "bootpath")) return false; // opening it would create it
    const db = await new Promise((ok) => { indexedDB.open("bootpath").onsuccess = (e) => ok(e.target.result); });
    const n = await new Promise((ok) => { db.transaction("entries").objectStore("entries").count().onsuccess = (e) => ok(e.target.result); });
    db.close();
    return n > 0;
  });
  await page.reload();
  await page.locator("bp-opener").getByRole("button", { name: /^kept\.tar/ }).click();
  await settled(page);
  assert.deepEqual((await answer(page)).steps, want.steps);
});

scene("the image's slice can be saved and opened", {}, async (page) => {
  await lab(page);
  await drop(page, "hello.tar", dockerArchive([tarEntry("hello", staticELF(), { mode: 0o755 })], { Entrypoint: ["/hello"] }));
  await settled(page);
  const want = await answer(page);
  const waiting = page.waitForEvent("download");
  await page.locator("bp-transport summary").click();
  await page.getByRole("button", { name: /The image’s slice/ }).click();
  const file = await (await waiting).path();
  await drop(page, "hello.tar.slice", readFileSync(file));
  await page.waitForFunction(() => document.querySelector("boot-path").shadowRoot.querySelector("bp-image-bar").name === "hello.tar.slice");
  await settled(page);
  assert.deepEqual((await answer(page)).steps, want.steps);
});

for (const [name, lang, options] of [["wide-light-en", "en", {}], ["wide-dark-zh", "zh", { dark: true, zh: true }], ["390-light-zh", "zh", { width: 390, height: 844, zh: true }], ["390-dark-en", "en", { width: 390, height: 844, dark: true }]]) {
  scene(`screenshot ${name}`, options, async (page) => {
    for (const kind of ["system", "application"]) {
      await page.goto("about:blank");
      await lab(page, `#v1&src=${samples.find((s) => s.kind === kind).id}&step=kernel.execve`, lang);
      await settled(page);
      await page.locator("bp-evidence .in.sel, bp-console, bp-state section, bp-boxes .kernel").first().waitFor();
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the page");
      await page.screenshot({ path: `${out}${kind}-${name}.png` });
    }
  });
}
