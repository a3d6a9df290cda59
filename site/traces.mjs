// Works out the samples' and scenarios' runs:  node traces.mjs BOOTPATH CONTENT OUT
// Each becomes OUT/ID.json or OUT/scenario-NAME.json, { inspection, run }: the answers that the engine would
// give, ready made. OUT/first/ID.LANG.json has of it what is seen before play, and of a long run OUT/part/ID.N.LANG.json
// what is seen when it begins at step N. There OUT/view/ID.VIEW.json has what a view draws of all its
// steps, and OUT/values/ID.AREA.json the values by which a step of an area may be named. OUT/compare.json is the comparison that the comparison page begins with.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { drawn, first, part, partsOf, values } from "./first.mjs";

const long = 5_000; // bytes: a longer run, packed, is not loaded whole to show one of its steps

const [bootpath, content, out] = process.argv.slice(2);
const read = (...path) => JSON.parse(readFileSync(join(content, ...path), "utf8"));
const ask = (command, file, ...flags) => JSON.parse(execFileSync(bootpath, [command, "--json", ...flags, file], { maxBuffer: 1 << 28 }));
/** A sample's settings as the command's switches: { secure_boot: true } is --secure-boot=true. */
const flags = (settings = {}) => Object.entries(settings).map(([k, v]) => `--${k.replaceAll("_", "-")}=${v}`);

const messages = Object.fromEntries(["en", "zh"].map((lang) => [lang, Object.assign({}, ...readdirSync(join(content, "messages"))
  .filter((f) => f.endsWith(`.${lang}.json`)).map((f) => read("messages", f)))]));
const titles = Object.values(messages);

/** Leaves a run in its three forms. */
function leave(id, inspection, run) {
  const write = (path, value) => writeFileSync(join(out, path), JSON.stringify(value));
  const whole = JSON.stringify({ inspection, run });
  writeFileSync(join(out, `${id}.json`), whole);
  if (!run) return;
  const parts = gzipSync(whole).length > long ? partsOf(run.steps) : null;
  for (const [lang, words] of Object.entries(messages)) {
    write(`first/${id}.${lang}.json`, first({ inspection, run }, words, titles, parts));
    for (const from of parts ?? []) write(`part/${id}.${from}.${lang}.json`, part(run.steps, from, words, titles));
  }
  if (!parts) return;
  for (const [view, steps] of Object.entries(drawn(run.steps, inspection.name))) write(`view/${id}.${view}.json`, steps);
  for (const [area, steps] of Object.entries(values(run.steps, titles))) write(`values/${id}.${area}.json`, steps);
}

rmSync(out, { recursive: true, force: true });
for (const folder of ["first", "part", "view", "values"]) mkdirSync(join(out, folder), { recursive: true });
const inspections = {};
const files = {};
for (const s of read("samples", "index.json")) {
  files[s.id] = join(content, "samples", s.file);
  if (!existsSync(files[s.id])) throw new Error(`${s.id}: ${files[s.id]} is missing`);
  const inspection = (inspections[s.id] = ask("inspect", files[s.id]));
  leave(s.id, inspection, inspection.kind === "other" ? null : ask("run", files[s.id], ...flags(s.settings)));
}
for (const name of read("scenarios", "index.json").flatMap((theme) => theme.scenarios)) {
  const { src } = read("scenarios", `${name}.json`);
  if (!files[src]) throw new Error(`scenario ${name}: there is no sample ${src}`);
  leave(`scenario-${name}`, inspections[src], ask("run", files[src], "--scenario", name));
}

const [left, right] = ["debian-slim", "debian-bios"]; // as "usual" in assets/ts/pair.ts
writeFileSync(join(out, "compare.json"), execFileSync(bootpath, ["compare", "--json", files[left], files[right]], { maxBuffer: 1 << 28 }));
