// Works out the samples' and scenarios' runs:  node traces.mjs BOOTPATH CONTENT OUT
// Each becomes OUT/ID.json or OUT/scenario-NAME.json, { inspection, run }: the answers that the engine would
// give, ready made. OUT/compare.json is the comparison that the comparison page begins with.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [bootpath, content, out] = process.argv.slice(2);
const read = (...path) => JSON.parse(readFileSync(join(content, ...path), "utf8"));
const ask = (command, file, ...flags) => JSON.parse(execFileSync(bootpath, [command, "--json", ...flags, file], { maxBuffer: 1 << 28 }));
/** A sample's settings as the command's switches: { secure_boot: true } is --secure-boot=true. */
const flags = (settings = {}) => Object.entries(settings).map(([k, v]) => `--${k.replaceAll("_", "-")}=${v}`);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const inspections = {};
const files = {};
for (const s of read("samples", "index.json")) {
  files[s.id] = join(content, "samples", s.file);
  if (!existsSync(files[s.id])) throw new Error(`${s.id}: ${files[s.id]} is missing`);
  const inspection = (inspections[s.id] = ask("inspect", files[s.id]));
  writeFileSync(join(out, `${s.id}.json`), JSON.stringify({ inspection, run: inspection.kind === "other" ? null : ask("run", files[s.id], ...flags(s.settings)) }));
}
for (const name of read("scenarios", "index.json").flatMap((theme) => theme.scenarios)) {
  const { src } = read("scenarios", `${name}.json`);
  if (!files[src]) throw new Error(`scenario ${name}: there is no sample ${src}`);
  writeFileSync(join(out, `scenario-${name}.json`), JSON.stringify({ inspection: inspections[src], run: ask("run", files[src], "--scenario", name) }));
}

const [left, right] = ["debian-slim", "debian-bios"]; // as "usual" in assets/ts/pair.ts
writeFileSync(join(out, "compare.json"), execFileSync(bootpath, ["compare", "--json", files[left], files[right]], { maxBuffer: 1 << 28 }));
