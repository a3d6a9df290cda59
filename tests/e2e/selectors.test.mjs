// Every step that a lesson, a scenario or another page names is there, and is the one that its text means: the
// title that fixtures/named-steps.json gives. A name that fits more than one step must say which.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { load } from "./load.mjs";

const { find } = await load("selector");
const { sentence } = await load("words");

const root = new URL("../../", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");
const meant = new URL("fixtures/named-steps.json", import.meta.url);

const messages = Object.assign({}, ...readdirSync(new URL("content/messages/", root)).filter((f) => f.endsWith(".en.json")).map((f) => JSON.parse(read(`content/messages/${f}`))));
const traces = new Map();
const stepsOf = (id) => traces.get(id) ?? traces.set(id, JSON.parse(read(`dist/traces/${id}.json`)).run.steps).get(id);

const lessons = ["en", "zh"].flatMap((lang) => readdirSync(new URL(`content/${lang}/lessons/`, root)).filter((f) => f !== "_index.md").map((f) => `${lang}/lessons/${f}`));

/** The places that a lesson names: where its starts begin and end, and where its links and marks lead. */
const starts = (markdown) => [...markdown.matchAll(/\{\{< start ([^>]*)>\}\}/g)].map(([, attributes]) => Object.fromEntries([...attributes.matchAll(/(\w+)="([^"]*)"/g)].map((m) => m.slice(1))));
const links = (markdown) => [...markdown.matchAll(/\]\(lab:([^)]*)\)/g)].map(([, place]) => Object.fromEntries(new URLSearchParams(place)));
const run = (p) => (p.scenario ? `scenario-${p.scenario}` : p.src);
/** Their names of steps: [trace, name]. */
const named = (places) => places.flatMap((p) => [p.step, p.end].filter(Boolean).map((name) => [run(p), name]));

const described = (id, name) => {
  const step = stepsOf(id)[find(stepsOf(id), name)];
  return step ? sentence(step, messages, "en").title : null;
};

test("every field that a lesson names is in the evidence of its step", () => {
  for (const file of lessons) {
    for (const p of links(read(`content/${file}`)).filter((p) => p.field)) {
      const steps = stepsOf(run(p));
      const fields = (steps[find(steps, p.step)]?.cites ?? []).map((c) => c.name);
      assert.ok(fields.includes(p.field), `${file}: ${run(p)} ${p.step}: ${p.field} is none of ${fields}`);
    }
  }
});

test("names of steps: kind, which of its kind, values, the end, numbers", () => {
  const steps = [["a.b", { x: "/proc" }], ["c"], ["a.b", { x: "/sys", y: "1" }], ["a.b", { x: "/proc", y: "2" }]].map(([kind, args], seq) => ({ seq, kind, args }));
  const cases = { "a.b": 0, "#a.b": 0, "a.b[2]": 2, "a.b[3]": 3, "a.b[4]": -1, "a.b[x=/sys]": 2, "a.b[x=/proc][2]": 3, "a.b[x=/proc][y=2]": 3, "a.b[y=3]": -1, end: 3, 1: 1, 99: 3, d: -1, "a.b[0]": -1, "a.b[x]": -1, "a.b]": -1, "": -1 };
  for (const [name, want] of Object.entries(cases)) assert.equal(find(steps, name), want, name);
  assert.equal(find([], "end"), -1);
});

test("every step that a lesson names is the one it means", () => {
  const now = {};
  for (const file of lessons) {
    const text = read(`content/${file}`);
    for (const [id, name] of named([...starts(text), ...links(text)])) {
      const title = described(id, name);
      assert.ok(title, `${file}: ${id} has no step ${name}`);
      assert.doesNotMatch(name, /^[1-9]\d*$/, `${file}: a number does not last`);
      (now[file.replace(/.*\/|\.md/g, "")] ??= {})[`${id} ${name}`] = title;
    }
  }
  if (process.env.UPDATE) writeFileSync(meant, `${JSON.stringify(now, null, 1)}\n`);
  assert.deepEqual(now, JSON.parse(readFileSync(meant, "utf8")), "look at each change; UPDATE=1 accepts it");
});

test("every step that a scenario names is there", () => {
  for (const name of JSON.parse(read("dist/scenarios/index.json")).flatMap((theme) => theme.scenarios)) {
    const { step } = JSON.parse(read(`dist/scenarios/${name}.json`));
    if (step) assert.ok(described(`scenario-${name}`, step), `${name}: ${step}`);
  }
});

test("the list of a run names the same steps as the whole, wherever a start begins or ends", () => {
  for (const [id, name] of lessons.flatMap((file) => named(starts(read(`content/${file}`))))) {
    const list = JSON.parse(read(`dist/traces/first/${id}.en.json`)).run.steps.map((s, seq) => ({ seq, ...s }));
    const found = find(list, name);
    assert.equal(found, find(stepsOf(id), name), `${id} ${name}: what tells it from others is not in its title, so the whole run is loaded`);
  }
});
