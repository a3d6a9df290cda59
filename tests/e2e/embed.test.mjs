// <boot-path> on other people's pages: a strict content security policy, several on one page, the builder's
// snippets, the messages of a frame, and what a reader downloads before pressing play.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import MarkdownIt from "markdown-it";
import { scenes, serve } from "./browser.mjs";
import { load } from "./load.mjs";

const { ready } = await load("ready");
const { views } = await load("views/catalog");
const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
let site;
let host; // another origin, with the page under test
let html = "";
let headers = {};
before(async () => {
  site = await serve();
  const server = createServer((req, res) => {
    // A page that serves the element itself: what is not the page comes from dist/.
    if (req.url === "/") { res.writeHead(200, { "content-type": "text/html; charset=utf-8", ...headers }); res.end(html); return; }
    fetch(new URL(req.url.slice(1), site.base), { headers: req.headers.range ? { range: req.headers.range } : {} }).then(async (r) => {
      res.writeHead(r.status, { "content-type": r.headers.get("content-type") ?? "", ...(r.headers.get("content-range") ? { "content-range": r.headers.get("content-range") } : {}) });
      res.end(Buffer.from(await r.arrayBuffer()));
    });
  });
  await new Promise((ok) => server.listen(0, "127.0.0.1", ok));
  host = { base: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
});
after(() => {
  host.close();
  site.close();
});

const scene = scenes(async (page) => {
  page.setDefaultTimeout(60_000);
  headers = {};
});

const outcomes = (page) => page.waitForFunction(() => [...document.querySelectorAll("boot-path")].every((e) => e.outcome));

scene("a page whose policy allows no inline style and no eval", {}, async (page) => {
  headers = { "content-security-policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; font-src 'self'; connect-src 'self'; worker-src 'self'" };
  html = `<!doctype html><html lang="en"><title>strict</title><script type="module" src="/bootpath.js"></script><boot-path src="hello-scratch" view="evidence" step="kernel.execve"></boot-path>`;
  await page.goto(host.base);
  await outcomes(page);
  await page.locator("bp-evidence table").first().waitFor(); // the engine has read the bytes
  const verdict = await page.evaluate(async () => { const e = document.querySelector("boot-path"); await e.run({ entrypoint: "/nope" }); return e.outcome.verdict; });
  assert.equal(verdict, "stops");
  const colour = await page.locator("bp-card").evaluate((e) => getComputedStyle(e.renderRoot.querySelector("[lang]")).getPropertyValue("--c"));
  assert.notEqual(colour, "", "colours of stages arrive without inline styles");
});

scene("a page whose policy allows the script of another origin, and nothing but what the text asks for", {}, async (page) => {
  const from = new URL(site.base).origin;
  const policy = `default-src 'none'; script-src ${from} 'wasm-unsafe-eval'; connect-src ${from}; worker-src blob:`;
  html = `<!doctype html><html lang="en"><title>strict</title><script type="module" src="${site.base}bootpath.js"></script><boot-path src="hello-scratch"></boot-path>`;
  const verdict = async (headersOfPage) => {
    headers = { "content-security-policy": headersOfPage };
    await page.goto(host.base);
    await outcomes(page);
    return page.evaluate(async () => { const e = document.querySelector("boot-path"); await e.run({ entrypoint: "/nope" }); return e.renderRoot.querySelector(".problem") ? "refused" : e.outcome.verdict; });
  };
  assert.equal(await verdict(policy), "stops");
  assert.deepEqual(page.wrong, [], "nothing that the policy forbids was tried");
  // The same page shows that the policy is in force: without one of its words the engine does not start.
  assert.equal(await verdict(policy.replace(" 'wasm-unsafe-eval'", "")), "refused");
  assert.equal(await verdict(policy.replace("; worker-src blob:", "")), "refused");
  page.wrong = [];
});

scene("three on one page share one worker, which starts when bytes are asked for", {}, async (page) => {
  let engines = 0;
  page.on("request", (r) => { if (r.url().endsWith("/engine.wasm.pack")) engines++; });
  html = `<!doctype html><html lang="en"><title>three</title><script type="module" src="${site.base}bootpath.js"></script>
    <boot-path src="hello-scratch"></boot-path><boot-path scenario="init-missing"></boot-path><boot-path src="busybox" lang="zh"></boot-path>`;
  await page.goto(host.base);
  await outcomes(page);
  assert.equal(engines, 0, "steps that were worked out in advance need no engine");
  const verdicts = await page.evaluate(async () => {
    const [a, b, c] = document.querySelectorAll("boot-path");
    await Promise.all([a.run({ host_arch: "arm64" }), c.run({})]);
    return [a.outcome.verdict, b.outcome.verdict, c.outcome.verdict];
  });
  assert.deepEqual(verdicts, ["stops", "stops", "works"]);
  assert.equal(engines, 1);
  assert.equal(page.workers().length, 1);
});

scene("a frame obeys the page around it, and only the origin that it was bound to", {}, async (page) => {
  const frame = (origin) => `<!doctype html><html lang="en"><title>frames</title><iframe id="f" src="${site.base}embed.html#v1&src=hello-scratch&origin=${encodeURIComponent(origin)}" width="700" height="300" title="start"></iframe><script src="${site.base}frame.js"></script>
    <script>window.heard = []; addEventListener("message", (e) => { if (e.data && e.data.bootpath === 1) heard.push(e.data); });</script>`;
  html = frame(new URL(host.base).origin);
  await page.goto(host.base);
  await page.waitForFunction(() => window.heard.some((m) => m.event === "outcome"));
  await page.evaluate(() => document.getElementById("f").contentWindow.postMessage({ bootpath: 1, do: "seek", step: 5 }, "*"));
  await page.waitForFunction(() => window.heard.some((m) => m.event === "stepchange" && m.position === 5));
  await page.evaluate(() => document.getElementById("f").contentWindow.postMessage({ bootpath: 1, do: "run", settings: { entrypoint: "/nope" } }, "*"));
  await page.waitForFunction(() => window.heard.some((m) => m.event === "outcome" && m.outcome.verdict === "stops"));
  await page.waitForFunction(() => document.getElementById("f").offsetHeight > 400); // frame.js gave it its height

  html = frame("https://elsewhere.example");
  await page.goto(host.base);
  const inner = page.frames().find((f) => f.url().includes("embed.html"));
  await inner.waitForFunction(() => document.querySelector("boot-path").outcome);
  await page.evaluate(() => document.getElementById("f").contentWindow.postMessage({ bootpath: 1, do: "seek", step: 5 }, "*"));
  await inner.evaluate(() => new Promise((ok) => setTimeout(ok))); // messages before this one have been handled
  assert.equal(await inner.evaluate(() => document.querySelector("boot-path").position), 0);
  assert.deepEqual(await page.evaluate(() => window.heard), []);
  page.wrong = page.wrong.filter((w) => !/target origin/.test(w)); // the browser reports what was not delivered
});

scene("the builder's snippets work where they are pasted", {}, async (page) => {
  for (const form of ["frame", "element"]) {
    await page.goto(`${site.base}en/embed/`);
    await page.selectOption("select[name=what]", "scenario=exec-format-error");
    await page.check(`input[value=${form}]`);
    html = `<!doctype html><html lang="en"><title>pasted</title>${await page.locator(".snippet code").textContent()}`;
    await page.goto(host.base);
    const where = form === "frame" ? await (await page.waitForSelector("iframe")).contentFrame() : page;
    await where.waitForFunction(() => document.querySelector("boot-path")?.outcome?.verdict === "stops");
  }
});

/** Makes a page of a Markdown text as sites do: markdown-it (Eleventy, VitePress) and Hugo, both told to let HTML pass. */
const generators = {
  "markdown-it": (text) => `<!doctype html><html lang="en"><title>post</title>${new MarkdownIt({ html: true }).render(text)}`,
  Hugo: (text) => {
    const folder = mkdtempSync(join(tmpdir(), "bootpath-"));
    const file = (path, content) => { mkdirSync(dirname(join(folder, path)), { recursive: true }); writeFileSync(join(folder, path), content); };
    file("hugo.toml", 'baseURL = "/"\ndisableKinds = ["taxonomy", "term", "RSS", "sitemap"]\n[markup.goldmark.renderer]\nunsafe = true\n');
    file("layouts/index.html", '<!doctype html><html lang="en"><title>post</title>{{ .Content }}');
    file("content/_index.md", text);
    execFileSync("go", ["tool", "hugo", "--quiet", "--source", folder], { cwd: fileURLToPath(new URL("../../site/", import.meta.url)), env: { ...process.env, CGO_ENABLED: "0" } });
    const page = readFileSync(join(folder, "public/index.html"), "utf8");
    rmSync(folder, { recursive: true });
    return page;
  },
};

for (const [name, generate] of Object.entries(generators)) {
  scene(`the builder's snippets survive ${name}, between two paragraphs`, {}, async (page) => {
    for (const form of ["frame", "element"]) {
      await page.goto(`${site.base}zh/embed/`);
      await page.selectOption("select[name=what]", "src=debian-bios");
      await page.fill("input[name=step]", "kernel.mount[fstype=ext4]");
      await page.check(`input[value=${form}]`);
      html = generate(`# A post\n\nText *before*.\n\n${await page.locator(".snippet code").textContent()}\n\nText *after*.\n`);
      await page.goto(host.base);
      const where = form === "frame" ? await (await page.waitForSelector("iframe")).contentFrame() : page;
      await where.waitForFunction(() => document.querySelector("boot-path")?.outcome?.verdict === "works");
      assert.equal(await where.evaluate(() => { const e = document.querySelector("boot-path"); return e.steps[e.position].kind; }), "kernel.mount");
      assert.deepEqual(await page.locator("p > em").allTextContents(), ["before", "after"]);
      assert.doesNotMatch(await page.locator("body").innerText(), /<(script|iframe|boot-path)/, "nothing of the snippet is shown as text");
    }
  });
}

scene("playing goes from the first step that was asked for to the last, and again", {}, async (page) => {
  html = `<!doctype html><html lang="en"><title>part</title><script type="module" src="${site.base}bootpath.js"></script><boot-path src="hello-scratch" step="20" end="22"></boot-path>`;
  await page.goto(host.base);
  await outcomes(page);
  const positions = () => page.evaluate(() => new Promise((ok) => {
    const e = document.querySelector("boot-path");
    const seen = [e.position];
    e.addEventListener("stepchange", (c) => { seen.push(c.detail.position); if (c.detail.position === 22) ok(seen); });
    e.play();
  }));
  assert.deepEqual(await positions(), [20, 21, 22]);
  assert.deepEqual(await positions(), [22, 20, 21, 22]);
});

const limit = 60_000; // bytes, packed, before play
const packed = new Map(); // path → bytes
const weigh = (path) => packed.get(path) ?? packed.set(path, gzipSync(readFileSync(dist + path.slice(1)), { level: 9 }).length).get(path);

/** Opens a page with one start; the files that it loads until nothing is under way any more. */
async function loads(page, body) {
  const paths = new Set();
  const under = new Set();
  const asked = (r) => { if (r.url().startsWith(site.base)) { under.add(r); paths.add(new URL(r.url()).pathname); } };
  const done = (r) => under.delete(r);
  page.on("request", asked).on("requestfinished", done).on("requestfailed", done);
  html = `<!doctype html><html lang="en"><title>size</title><script type="module" src="${site.base}bootpath.js"></script>${body}`;
  await page.goto(host.base);
  const where = body.startsWith("<iframe") ? await (await page.waitForSelector("iframe")).contentFrame() : page;
  await where.waitForFunction(() => document.querySelector("boot-path")?.outcome);
  await where.locator("bp-card h2").waitFor();
  do await where.evaluate(() => new Promise((ok) => requestAnimationFrame(() => requestAnimationFrame(ok)))); while (under.size > 0);
  page.off("request", asked).off("requestfinished", done).off("requestfailed", done);
  return [...paths];
}

const weight = (paths) => paths.reduce((sum, p) => sum + weigh(p), 0);
const read = (path) => JSON.parse(readFileSync(dist + path, "utf8"));
const starts = [
  ...read("samples/index.json").filter((s) => s.kind !== "other").map((s) => ({ id: s.id, attribute: `src="${s.id}"`, more: [] })),
  ...read("scenarios/index.json").flatMap((theme) => theme.scenarios).map((name) => ({ id: `scenario-${name}`, attribute: `scenario="${name}"`, more: [`/scenarios/${name}.json`] })),
];
const shown = [null, ...views];

/** The files of a run that are loaded for a view and a place: the page's own module works them out, here without a browser. */
async function filesOf(id, lang, step, view) {
  const paths = new Set();
  const network = globalThis.fetch;
  globalThis.fetch = async (url) => {
    const path = new URL(url).pathname;
    if (!existsSync(dist + path)) return new Response(null, { status: 404 });
    paths.add(path);
    return new Response(readFileSync(dist + path));
  };
  try {
    await ready("http://dist/", id, lang, step, view);
  } finally {
    globalThis.fetch = network;
  }
  return [...paths];
}

scene("before play a reader downloads at most 60 kB, in any view of any sample and scenario, at any step, as an element or in a frame", {}, async (page) => {
  // The scripts and words of a view: what a browser loads that is not of the run.
  const shell = new Map();
  for (const id of ["debian-uefi", "alpine"]) {
    for (const view of shown) {
      const paths = await loads(page, `<boot-path src="${id}" lang="zh" step="end" ${view === null ? "" : `view="${view}"`} style="width: 900px"></boot-path>`);
      assert.deepEqual(paths.filter((p) => /^\/(engine\/|more\.)|\.woff2$/.test(p)), [], `${id} ${view}: what nobody asked for`);
      const run = paths.filter((p) => p.startsWith("/traces/"));
      assert.deepEqual(run.sort(), (await filesOf(id, "zh", "end", view)).sort(), `${id} ${view}`);
      shell.set(view, Math.max(shell.get(view) ?? 0, weight(paths) - weight(run)));
    }
  }
  const [bare, framed] = [
    await loads(page, `<boot-path src="alpine" lang="zh" style="width: 900px"></boot-path>`),
    await loads(page, `<iframe src="${site.base}embed.html#v1&src=alpine&lang=zh" width="900" height="620" title="start"></iframe>`),
  ];
  assert.deepEqual(bare.filter((p) => !framed.includes(p)), []);
  assert.deepEqual(framed.filter((p) => /\.en\./.test(p)), [], "one language");
  const frame = weight(framed) - weight(bare);

  let largest = { bytes: 0 };
  for (const { id, more } of starts) {
    for (const lang of ["en", "zh"]) {
      const part = (n) => weigh(`/traces/part/${id}.${n}.${lang}.json`);
      const [step = 0] = (read(`traces/first/${id}.${lang}.json`).parts ?? []).sort((a, b) => part(b) - part(a)); // the place that costs most
      for (const view of shown) {
        const paths = [...more, ...(await filesOf(id, lang, String(step), view))];
        const bytes = shell.get(view) + frame + weight(paths);
        if (bytes > largest.bytes) largest = { bytes, id, lang, view, step, paths: paths.map((p) => `${p} ${weigh(p)}`) };
      }
    }
  }
  console.log(`largest: ${largest.id} at ${largest.step}, ${largest.view}, ${largest.bytes} bytes`);
  assert.ok(largest.bytes <= limit, JSON.stringify(largest, null, 1));
});

scene("no sample and no scenario needs the engine to be looked at", {}, async (page) => {
  for (const { id, attribute } of starts) {
    const paths = await loads(page, `<boot-path ${attribute} lang="zh" step="end" style="width: 900px"></boot-path>`);
    assert.ok(paths.includes("/bootpath.js"), "something was counted");
    assert.deepEqual(paths.filter((p) => /^\/(engine\/|more\.)/.test(p)), [], id);
  }
});

scene("evidence waits for a press before it loads the engine, unless it is told to be eager", {}, async (page) => {
  const at = (more) => `<boot-path src="debian-bios" step="bios.boot-signature" view="evidence" ${more} lang="en" style="width: 900px"></boot-path>`;
  const paths = await loads(page, at(""));
  assert.deepEqual(paths.filter((p) => p.startsWith("/engine/")), []);
  await page.locator("bp-evidence td", { hasText: "0x" }).first().waitFor(); // which bytes they are is known
  await page.getByRole("button", { name: "Show these bytes" }).click();
  await page.locator("bp-evidence .in.sel").first().waitFor();

  await page.goto("about:blank");
  html = `<!doctype html><html lang="en"><title>eager</title><script type="module" src="${site.base}bootpath.js"></script>${at("eager")}`;
  await page.goto(host.base);
  await page.locator("bp-evidence .in.sel").first().waitFor();
});

scene("a long start that begins in its middle shows what the whole one shows there", {}, async (page) => {
  for (const step of ["initramfs.start", "systemd.welcome", "systemd.slice[3]", "end"]) {
    const seen = [];
    for (const whole of [false, true]) {
      if (whole) await page.route("**/traces/first/**", (r) => r.fulfill({ status: 404 }));
      await loads(page, `<boot-path src="debian-bios" step="${step}" style="width: 900px"></boot-path>`);
      seen.push(await page.evaluate(() => {
        const text = (tag) => document.querySelector("boot-path").renderRoot.querySelector(tag).renderRoot.textContent;
        const rows = [...document.querySelector("boot-path").renderRoot.querySelector("bp-steps").renderRoot.querySelectorAll(".t")].map((t) => t.textContent);
        return { card: text("bp-card"), rows, tabs: text("bp-panel"), screen: text("bp-console").trim().split("\n").slice(-10) };
      }));
      await page.unroute("**/traces/first/**");
    }
    assert.deepEqual(seen[0], seen[1], step);
  }
});

scene("the rest of a start comes when it is played, and moves nothing", {}, async (page) => {
  await loads(page, `<boot-path src="debian-bios" step="systemd.welcome" style="width: 900px"></boot-path>`);
  const of = (steps) => steps.filter((s) => s.rule || s.cites).length;
  const before = of(await page.evaluate(() => document.querySelector("boot-path").steps));
  const shifts = await page.evaluate(async () => {
    const moved = [];
    const observer = new PerformanceObserver((l) => moved.push(...l.getEntries()));
    observer.observe({ type: "layout-shift" });
    await document.querySelector("boot-path").complete();
    await new Promise((ok) => requestAnimationFrame(() => requestAnimationFrame(ok)));
    return [...moved, ...observer.takeRecords()].length;
  });
  assert.equal(shifts, 0);
  assert.ok(of(await page.evaluate(() => document.querySelector("boot-path").steps)) > 3 * before);

  await loads(page, `<boot-path src="debian-bios" step="systemd.welcome" style="width: 900px"></boot-path>`);
  const places = await page.evaluate(async () => {
    const e = document.querySelector("boot-path");
    const begin = e.position;
    e.seek(3); // known only as a line so far
    const waits = e.position === begin;
    await e.complete();
    return { waits, at: e.position };
  });
  assert.deepEqual(places, { waits: true, at: 3 });
});

scene("a start whose rest cannot be loaded says so and stays where it is", {}, async (page) => {
  await page.route("**/traces/debian-bios.json", (r) => r.abort());
  await loads(page, `<boot-path src="debian-bios" style="width: 900px"></boot-path>`);
  const at = await page.evaluate(async () => { const e = document.querySelector("boot-path"); e.seek(9); await e.complete(); return e.position; });
  assert.equal(at, 0);
  await page.locator("boot-path .problem").waitFor();
  page.wrong = page.wrong.filter((w) => !/ERR_FAILED/.test(w));
});
