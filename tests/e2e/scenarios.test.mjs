// The gallery of scenarios: every card leads to a start that ends as the card says, a pasted message is found,
// and the page is accessible in both languages and both themes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { scenes, serve } from "./browser.mjs";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const themes = JSON.parse(readFileSync(`${dist}scenarios/index.json`, "utf8"));
const axe = readFileSync(fileURLToPath(new URL("node_modules/axe-core/axe.min.js", import.meta.url)), "utf8");
let server;
before(async () => { server = await serve(); });
after(() => server.close());

const scene = scenes();

for (const [lang, options] of [["en", {}], ["zh", { zh: true, dark: true, width: 320, height: 800 }]]) {
  scene(`gallery in ${lang}: all cards, no violations, no sideways scrolling`, options, async (page) => {
    await page.goto(`${server.base}${lang}/scenarios/`);
    assert.equal(await page.locator(".card").count(), themes.flatMap((t) => t.scenarios).length);
    await page.evaluate(axe);
    const found = await page.evaluate(async () => (await window.axe.run()).violations.map((v) => `${v.id}: ${v.nodes[0].html}`));
    assert.deepEqual(found, []);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  });
}

scene("a pasted message finds its card", {}, async (page) => {
  await page.goto(`${server.base}en/scenarios/`);
  await page.fill("#message", "docker: no matching manifest for linux/arm64/v8 in the manifest list entries.");
  await page.click("#paste button");
  const first = page.locator("#found li a").first();
  await first.waitFor({ timeout: 60_000 });
  assert.equal(await first.getAttribute("href"), "#no-matching-manifest");
  await page.fill("#message", "a sentence that no program prints");
  await page.click("#paste button");
  await page.waitForFunction(() => document.querySelector("#found").textContent === "Nothing here prints a message like this.");
});

// One of each theme: the link carries sample and settings, and the Lab's run ends as the card says.
for (const theme of themes) {
  const name = theme.scenarios[0];
  scene(`${name} opens in the Lab`, {}, async (page) => {
    const want = JSON.parse(readFileSync(`${dist}scenarios/${name}.json`, "utf8")).expect;
    await page.goto(`${server.base}en/scenarios/`);
    await page.locator(`#${name} .go a`).click();
    await page.waitForFunction(() => {
      const p = document.querySelector("boot-path");
      return p?.outcome && !p.shadowRoot.querySelector(".working");
    }, null, { timeout: 60_000 });
    const outcome = await page.evaluate(() => document.querySelector("boot-path").outcome);
    assert.equal(outcome.verdict, want.verdict);
    assert.equal(outcome.stage, want.stage);
    assert.equal(outcome.message, want.message ?? "");
  });
}
