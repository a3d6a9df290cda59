// A whole visit without a mouse, what a screen reader is given, and what a thumb can hit.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { scenes, serve } from "./browser.mjs";

let server;
before(async () => { server = await serve(); });
after(() => server.close());
const scene = scenes();

/** What has the focus, through shadow trees: its name as a reader hears it, as near as text and labels tell. */
const focused = (page) => page.evaluate(() => {
  let e = document.activeElement;
  while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
  const label = e?.labels?.[0]?.textContent;
  return { name: (e?.getAttribute("aria-label") ?? label ?? e?.textContent ?? "").replace(/\s+/g, " ").trim(), tag: e?.localName, outline: e ? getComputedStyle(e).outlineStyle : "none" };
});

/** Presses Tab until the focus is on what the words match; nothing else moves it. */
async function tabTo(page, words, key = "Tab") {
  for (let n = 0; n < 400; n++) {
    await page.keyboard.press(key);
    const f = await focused(page);
    if (words.test(f.name)) return f;
  }
  assert.fail(`Tab never comes to ${words}`);
}

const player = (page) => page.locator("boot-path");
const verdict = (page) => player(page).evaluate((e) => e.outcome?.verdict);
const settled = (page) => page.waitForFunction(() => {
  const p = document.querySelector("boot-path");
  return p?.outcome && !p.shadowRoot.querySelector(".working");
});

scene("open, step, break, mend, compare and change the language with the keyboard alone", {}, async (page) => {
  await page.goto(`${server.base}en/lab/`);
  await page.locator("bp-opener h2").waitFor();
  assert.notEqual((await tabTo(page, /^Debian 12 disk, BIOS/)).outline, "none", "the focus is seen");
  await page.keyboard.press("Enter");
  await settled(page);
  assert.equal(await verdict(page), "works");

  await tabTo(page, /^Step forward/);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("boot-path").position === 1);

  await tabTo(page, /^Break it/, "Shift+Tab");
  await page.keyboard.press("Enter");
  await tabTo(page, /^Kernel command line$/);
  await page.keyboard.press("Control+A");
  await page.keyboard.type("root=/dev/nowhere ro console=ttyS0");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("boot-path").outcome?.verdict === "stops");
  await settled(page);

  assert.equal((await tabTo(page, /root=\/dev\/nowhere/)).tag, "input");
  await page.keyboard.press(" ");
  await page.waitForFunction(() => document.querySelector("boot-path").outcome?.verdict === "works");

  await tabTo(page, /^Compare$/, "Shift+Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/en/compare/**");
  await page.locator("table").first().waitFor();

  await tabTo(page, /^中文$/);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/zh/compare/**");
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
});

scene("steps are an ordered list, the current one is told, and one polite sentence follows", {}, async (page) => {
  await page.goto(`${server.base}en/lab/#v1&src=debian-bios&step=5`);
  await settled(page);
  const list = await page.locator("bp-steps").evaluate((e) => [...e.shadowRoot.querySelectorAll("ol")].map((o) => ({ hidden: o.closest("[aria-hidden=true]") !== null, items: o.querySelectorAll(":scope > li").length })));
  assert.ok(list.length > 0 && list.every((o) => !o.hidden && o.items > 0), JSON.stringify(list));
  assert.equal(await page.locator("bp-steps li[aria-current]").count(), 1);
  assert.equal(await page.locator("[aria-live=polite]").count(), 1);
  const said = await page.locator("[aria-live=polite]").evaluateHandle((e) => {
    const heard = [];
    new MutationObserver(() => heard.push(e.textContent.trim())).observe(e, { childList: true, characterData: true, subtree: true });
    return heard;
  });
  for (const n of [6, 7]) {
    await player(page).evaluate((e, to) => e.seek(to), n);
    await page.locator("[aria-live=polite]", { hasText: `Step ${n + 1} of ` }).waitFor({ state: "attached" });
  }
  assert.equal(new Set((await said.jsonValue()).filter(Boolean)).size, 2, "one sentence a step");
});

const places = ["", "lab/", "lab/#v1&src=debian-bios", "lab/#v1&src=alpine&view=layers", "lab/#v1&src=debian-bios&view=change", "compare/", "practice/", "scenarios/", "scenarios/init-missing/", "lessons/", "lessons/bios/", "embed/", "reference/", "glossary/"];

for (const [lang, zh] of [["en", false], ["zh", true]]) {
  scene(`a phone of 320 px: nothing is wider than the screen, everything can be hit, ${lang}`, { width: 320, height: 700, zh, touch: true }, async (page) => {
    for (const place of places) {
      await page.goto("about:blank");
      await page.goto(`${server.base}${lang}/${place}`);
      if (place.includes("src=")) await settled(page);
      else await page.waitForLoadState("networkidle");
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${place}: ${wide} px too wide`);
      assert.deepEqual(await page.evaluate(small), [], `${place}: smaller than 24 px with a neighbour too near`);
    }
  });
}

/** WCAG 2.5.8: a target has 24 by 24 px, or a circle of that size around its centre meets no other; a link in a text need not. */
function small() {
  const targets = [];
  const walk = (root) => {
    for (const e of root.querySelectorAll("*")) {
      if (e.shadowRoot) walk(e.shadowRoot);
      if (!e.matches("a[href], button, input, select, summary, textarea, [role=slider]") || e.disabled || !e.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      if (e.localName === "input" && e.labels?.length) continue; // the label is hit as well
      if (e.localName === "a" && getComputedStyle(e).display === "inline") continue;
      const r = e.getBoundingClientRect();
      if (r.width > 1 && r.height > 1) targets.push({ e, r, x: r.x + r.width / 2, y: r.y + r.height / 2 });
    }
  };
  walk(document);
  const away = (t, r) => Math.hypot(Math.max(r.left - t.x, 0, t.x - r.right), Math.max(r.top - t.y, 0, t.y - r.bottom));
  return targets.filter((t) => t.r.width < 23.5 || t.r.height < 23.5)
    .filter((t) => targets.some((o) => o !== t && !o.e.contains(t.e) && !t.e.contains(o.e) && away(t, o.r) < 12))
    .map((t) => `${t.e.localName}.${t.e.className} "${(t.e.textContent || t.e.getAttribute("aria-label") || "").trim().slice(0, 30)}" ${Math.round(t.r.width)}×${Math.round(t.r.height)}`);
}

scene("whoever wants no motion sees none", {}, async (page) => {
  await page.goto(`${server.base}en/lab/#v1&src=debian-bios&view=memory`);
  await settled(page);
  await page.keyboard.press("Tab");
  await player(page).evaluate((e) => e.seek(8));
  assert.deepEqual(await page.evaluate(() => document.getAnimations().filter((a) => Number(a.effect?.getComputedTiming().duration) > 1).map((a) => a.animationName ?? a.transitionProperty)), []);
});
