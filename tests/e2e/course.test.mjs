// The course: questions, progress, search, the glossary; every kind of page is accessible in both languages.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { scenes, serve } from "./browser.mjs";

const axe = readFileSync(fileURLToPath(new URL("node_modules/axe-core/axe.min.js", import.meta.url)), "utf8");
let server;
before(async () => { server = await serve(); });
after(() => server.close());

const scene = scenes();

scene("a lesson is done when its questions are answered; the overview remembers, and forgets when told", {}, async (page) => {
  await page.goto(`${server.base}en/lessons/bios/`);
  const first = page.locator("form.ask").first();
  await first.locator("input:not([data-right])").first().check();
  assert.match(await first.locator("output").innerText(), /Not this one/);
  assert.equal(await first.locator("details[open]").count(), 0);
  for (const form of await page.locator("form.ask").all()) await form.locator("input[data-right]").check();
  assert.equal(await page.locator("form.ask details[open]").count(), await page.locator("form.ask").count());
  await page.locator(".contents li.done a[aria-current]").waitFor({ state: "attached" });

  await page.goto(`${server.base}zh/lessons/`);
  await page.locator("li.done[data-lesson=bios]").waitFor();
  await page.click("#course-forget");
  await page.locator("li.done").waitFor({ state: "detached" });
  await page.reload();
  assert.equal(await page.locator("li.done").count(), 0);
});

scene("what runs inside a lesson begins where the text says, and the Lab continues there", {}, async (page) => {
  await page.goto(`${server.base}en/lessons/bios/`);
  const start = page.locator("boot-path[scenario=boot-signature-gone]");
  await page.waitForFunction(() => document.querySelector("boot-path[scenario=boot-signature-gone]")?.outcome);
  assert.equal((await start.evaluate((e) => e.outcome)).message, "No bootable device.");
  await page.locator("figure.sim", { has: page.locator("boot-path[scenario=boot-signature-gone]") }).locator("figcaption a").click();
  await page.waitForFunction(() => document.querySelector("boot-path")?.outcome?.verdict === "stops");
});

scene("a mark moves the lesson's own start to the step or the bytes that prove its words, and Back returns to them", {}, async (page) => {
  await page.goto(`${server.base}en/lessons/bios/`);
  const start = page.locator("boot-path[src=debian-bios]").first();
  await page.waitForFunction(() => document.querySelector("boot-path[src=debian-bios]")?.outcome);
  const jump = page.getByRole("link", { name: "Step 4: The BIOS jumps to 0000:7c00" });
  await jump.focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("boot-path[src=debian-bios]").position === 3);
  assert.match(page.url(), /lessons\/bios\/#start-\d+$/);
  await page.goBack();
  await page.waitForFunction(() => { const { top, bottom } = document.querySelector("#from").getBoundingClientRect(); return top >= 0 && bottom <= innerHeight; });

  const second = page.locator("boot-path[src=debian-bios]:not([scenario])").nth(1);
  await second.evaluate((e) => e.seek(20));
  await page.getByRole("link", { name: "Bytes 0x5C of disk0: LBA = 0x1" }).click();
  await second.locator("tr.sel", { hasText: "LBA" }).waitFor();
  assert.equal(await second.evaluate((e) => e.position), 4);
  assert.equal(await start.evaluate((e) => e.position), 3, "the nearer start moves");
});

scene("a source is a numbered line with its address, and has a way back", { zh: true, width: 390, height: 844 }, async (page) => {
  await page.goto(`${server.base}zh/lessons/bios/`);
  await page.getByRole("link", { name: "资料 2：BIOS Boot Specification 1.01" }).click();
  const source = page.locator(".sources li:target");
  assert.match(await source.innerText(), /^BIOS Boot Specification 1\.01/);
  await source.getByRole("link", { name: "回到正文" }).click();
  await page.waitForFunction(() => document.querySelector(".proof a:target")?.textContent === "2");
  const list = await page.locator(".sources li").evaluateAll((all) => all.map((li) => `#${li.id}`));
  const used = await page.locator(".proof .source").evaluateAll((all) => all.map((a) => [a.getAttribute("href"), Number(a.textContent)]));
  for (const [to, n] of used) assert.equal(list.indexOf(to), n - 1);
});

scene("a mark whose run the lesson does not show opens the Lab at its bytes", {}, async (page) => {
  await page.goto(`${server.base}en/lessons/base-images/`);
  await page.getByRole("link", { name: /PT_INTERP = \/lib\/ld-musl/ }).click();
  await page.waitForURL(/\/lab\/#v1&src=alpine/);
  await page.waitForFunction(() => document.querySelector("boot-path")?.outcome);
  await page.locator("boot-path tr.sel td", { hasText: "PT_INTERP" }).waitFor();
  await page.waitForURL(/field=PT_INTERP/);
});

scene("search finds lessons and terms, in Chinese too, and leads there by keyboard", {}, async (page) => {
  await page.goto(`${server.base}en/lessons/`);
  await page.keyboard.press("/");
  await page.locator("#search input").fill("whiteout");
  await page.locator("#search li").first().waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForURL(/whiteout|layers/);

  await page.goto(`${server.base}zh/glossary/`);
  await page.click("#search-open");
  await page.locator("#search input").fill("引导程序");
  await page.locator("#search li").first().waitFor();
  await page.locator("#search input").fill("没有这样的词组合zzzz");
  await page.getByText("没有找到").waitFor();
});

const places = ["lessons/", "lessons/execve/", "glossary/", "embed/", "scenarios/init-missing/", "reference/"];
for (const [lang, options] of [["en", { dark: true }], ["zh", { zh: true, width: 320, height: 800 }]]) {
  scene(`no violations and no sideways scrolling in ${lang}`, options, async (page) => {
    for (const place of places) {
      await page.goto(`${server.base}${lang}/${place}`);
      await page.waitForFunction(() => [...document.querySelectorAll("boot-path[src], boot-path[scenario]")].every((e) => e.outcome));
      await page.evaluate(axe);
      const found = await page.evaluate(async () => (await window.axe.run()).violations.map((v) => `${v.id}: ${v.nodes[0].html} ${v.nodes[0].failureSummary}`));
      assert.deepEqual(found, [], place);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${place} is wider than the screen`);
    }
  });
}
