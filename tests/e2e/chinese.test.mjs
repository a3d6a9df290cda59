// A page in Chinese says nothing in English that is not a name, a program's own words, or code.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { load } from "./load.mjs";
import { scenes, serve } from "./browser.mjs";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const read = (path) => JSON.parse(readFileSync(`${dist}${path}`, "utf8"));
const { term, useStrings } = await load("words");

/** Values that a program printed or that a file of the image has: they stay as they are. */
const verbatim = new Set("message error text log prompt title command cmdline default argv description services made devices program opts options path line".split(" "));
const phrase = /[a-z]{2,} [a-z]{2,}/; // two English words beside each other
const names = /^(EFI|GNU|Debian) /;

test("values in Chinese sentences and tables are not the engine's English", () => {
  useStrings("zh", read("i18n/more.zh.json"));
  const sentences = read("i18n/messages.zh.json");
  const left = new Set();
  for (const file of readdirSync(`${dist}traces`).filter((f) => f.endsWith(".json"))) {
    for (const step of read(`traces/${file}`).run?.steps ?? []) {
      const m = sentences[step.kind];
      for (const [name, value] of Object.entries(step.args ?? {})) {
        if (m && `${m.title}${m.text}`.includes(`{${name}}`) && !verbatim.has(name) && phrase.test(term("zh", value))) left.add(`${step.kind} {${name}}: ${value}`);
      }
      for (const c of step.changes ?? []) {
        const what = c.after?.what ?? "";
        if ((c.table === "memory" || c.table === "cpu") && phrase.test(term("zh", what)) && !names.test(what)) left.add(`${c.table}: ${what}`);
      }
    }
  }
  assert.deepEqual([...left], []);
});

let server;
before(async () => { server = await serve(); });
after(() => server.close());
const scene = scenes();

/** The texts that a reader sees, without code, what is printed by programs, and what is marked as English. */
const seen = (page) => page.evaluate(() => {
  const out = new Set();
  const skip = "code, pre, kbd, samp, script, style, [lang=en], bp-console, select, .mono, .from, td:not(.prose)";
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return void (node.data.trim() && out.add(node.data.trim()));
    if (node.nodeType === Node.ELEMENT_NODE && (node.matches(skip) || !node.checkVisibility())) return;
    for (const child of (node.shadowRoot ?? node).childNodes) walk(child);
  };
  walk(document.body);
  return [...out];
});

for (const [src, views] of [["debian-bios", ["memory", "state", "disk", "conditions", "change"]], ["alpine", ["layers", "boxes", "mounts", "processes", "conditions", "change"]]]) {
  scene(`a Chinese Lab of ${src} has no English sentence`, { zh: true }, async (page) => {
    const left = new Set();
    for (const view of views) {
      await page.goto("about:blank");
      await page.goto(`${server.base}zh/lab/#v1&src=${src}&step=5&view=${view}`);
      await page.locator("boot-path bp-image-bar .push").first().waitFor();
      // A value of a step may stand alone, as its title: the test above looks at those.
      const values = await page.locator("boot-path").evaluate((e) => e.steps.flatMap((s) => Object.values(s.args ?? {})));
      for (const text of (await seen(page)).filter((t) => !values.some((v) => v.includes(t)))) if (/([a-z]{2,} ){3}[a-z]{2,}/.test(text)) left.add(`${view}: ${text}`);
    }
    assert.deepEqual([...left], []);
  });
}
