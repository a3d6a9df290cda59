// <boot-path> on other people's pages: a strict content security policy, several on one page, the builder's
// snippets, the messages of a frame, and what a reader downloads before pressing play.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import MarkdownIt from "markdown-it";
import { scenes, serve } from "./browser.mjs";

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

const starts = [
  ...JSON.parse(readFileSync(`${dist}samples/index.json`, "utf8")).filter((s) => s.kind !== "other").map((s) => ["src", s.id]),
  ...JSON.parse(readFileSync(`${dist}scenarios/index.json`, "utf8")).flatMap((theme) => theme.scenarios).map((name) => ["scenario", name]),
];

for (const [how, step, width] of [["at its beginning", "", 700], ["at its end", "end", 900]]) {
  scene(`before play a reader downloads at most 60 kB for any sample and scenario, ${how}`, {}, async (page) => {
    let largest = { bytes: 0 };
    for (const [attribute, name] of starts) {
      const paths = await loads(page, `<boot-path ${attribute}="${name}" lang="zh" ${step && `step="${step}"`} style="width: ${width}px"></boot-path>`);
      assert.ok(paths.includes("/bootpath.js"), "something was counted");
      assert.deepEqual(paths.filter((p) => /engine|more\.|\.woff2$/.test(p)), [], `${name}: what nobody asked for`);
      const bytes = paths.reduce((sum, p) => sum + weigh(p), 0);
      if (bytes > largest.bytes) largest = { bytes, name, paths: paths.map((p) => `${p} ${weigh(p)}`) };
    }
    console.log(`largest ${how}: ${largest.name}, ${largest.bytes} bytes`);
    assert.ok(largest.bytes <= limit, JSON.stringify(largest, null, 1));
  });
}

scene("a frame costs hardly more than an element", {}, async (page) => {
  const paths = await loads(page, `<iframe src="${site.base}embed.html#v1&src=debian-uefi&lang=zh&step=end" width="900" height="620" title="start"></iframe>`);
  const bytes = paths.reduce((sum, p) => sum + weigh(p), 0);
  assert.ok(paths.includes("/embed.html") && bytes <= limit, `${bytes}: ${paths.join(" ")}`);
  assert.deepEqual(paths.filter((p) => /\.en\./.test(p)), [], "one language");
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
