// The comparison and the exercises: there before the engine and without scripts, every fact with its evidence,
// reproduced by their addresses, and accessible in both languages and both themes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch, newPage, serve } from "./browser.mjs";

const axe = readFileSync(fileURLToPath(new URL("node_modules/axe-core/axe.min.js", import.meta.url)), "utf8");
const slow = { timeout: 90_000 };
let server;
let browser;
before(async () => {
  server = await serve();
  browser = await launch();
});
after(async () => {
  await browser.close();
  server.close();
});

async function accessible(page) {
  await page.evaluate(axe);
  assert.deepEqual(await page.evaluate(async () => (await window.axe.run()).violations.map((v) => `${v.id}: ${v.nodes[0].html}`)), []);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "scrolls sideways");
  assert.deepEqual(page.wrong, []);
}

test("the usual comparison is a table without scripts", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${server.base}en/compare/`);
  assert.equal(await page.locator(".facts tbody tr").count(), 13);
  assert.match(await page.locator(".facts tbody").innerText(), /Inside: Linux 6\.1/);
  await context.close();
});

for (const [lang, options] of [["en", {}], ["zh", { zh: true, dark: true, width: 320, height: 800 }]]) {
  test(`comparison in ${lang}: there before the engine, stepped by keys`, async () => {
    const page = await newPage(browser, options);
    await page.route("**/engine.wasm.pack", (r) => r.abort());
    await page.goto(`${server.base}${lang}/compare/`);
    const cursor = page.locator(".cursor");
    await cursor.waitFor();
    await cursor.press("Home");
    assert.equal(await cursor.getAttribute("aria-valuenow"), "1");
    await cursor.press("ArrowRight");
    assert.equal(await cursor.getAttribute("aria-valuenow"), "2");
    assert.equal(await page.locator(".exec a").count(), 2);
    await accessible(page);
    await page.context().close();
  });
}

test("a fact of the right image opens its bytes", async () => {
  const page = await newPage(browser);
  await page.goto(`${server.base}en/compare/`);
  await page.locator(".facts tr", { hasText: "Where the Linux kernel" }).locator("td").nth(1).locator("button.cite").click();
  const dump = page.locator("bp-bytes-dialog bp-evidence .row").first();
  await dump.waitFor(slow);
  await page.locator("bp-bytes-dialog td.v", { hasText: '"HdrS"' }).waitFor();
  await page.context().close();
});

test("one image under two conditions: the address says which, the place where the runs part is explained", async () => {
  const page = await newPage(browser);
  await page.goto(`${server.base}en/compare/#v1&left=debian-slim&as=amd64-arm64`);
  await page.locator(".parting .step").nth(1).waitFor(slow);
  assert.match(await page.locator(".lane.right .verdict").innerText(), /Stops here/);
  await page.getByRole("button", { name: "Boot my container" }).click();
  await page.locator(".needs li.lacks").first().waitFor(slow);
  assert.equal(await page.evaluate(() => location.hash), "#v1&left=debian-slim&as=boot-container");
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("an exercise is diagnosed and proved", async () => {
  const page = await newPage(browser, { zh: true, dark: true, width: 320, height: 800 });
  await page.goto(`${server.base}zh/practice/#v1&src=hello-scratch&seed=2`);
  const choices = page.locator("form.ask input");
  await choices.first().waitFor(slow);
  assert.equal(await choices.count(), 4);
  await accessible(page);
  for (let i = 0; i < 4 && (await page.locator(".proof").count()) === 0; i++) await choices.nth(i).check();
  await page.locator(".proof .step").waitFor();
  assert.match(await page.locator(".proof .go a").getAttribute("href"), /\/zh\/lab\/#v1&src=hello-scratch/);
  await accessible(page);
  await page.context().close();
});

test("a start is foreseen step by step", async () => {
  const page = await newPage(browser);
  await page.goto(`${server.base}en/practice/#v1&src=hello-scratch&mode=predict`);
  await page.locator("form.ask input").first().waitFor(slow);
  await accessible(page);
  for (let i = 0; i < 20 && (await page.locator(".over").count()) === 0; i++) {
    await page.locator("form.ask input").first().check();
    await page.locator("form.ask .go button").click();
  }
  await page.locator(".over h2").waitFor();
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});
