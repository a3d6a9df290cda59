// Works out the samples' runs:  node traces.mjs BOOTPATH SAMPLES OUT
// Each becomes OUT/ID.json, { inspection, run }: the answers that the engine would give, ready made.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [bootpath, samples, out] = process.argv.slice(2);
const ask = (command, file, ...flags) => JSON.parse(execFileSync(bootpath, [command, "--json", ...flags, file], { maxBuffer: 1 << 28 }));
/** A sample's settings as the command's switches: { secure_boot: true } is --secure-boot=true. */
const flags = (settings = {}) => Object.entries(settings).map(([k, v]) => `--${k.replaceAll("_", "-")}=${v}`);
for (const s of JSON.parse(readFileSync(join(samples, "index.json"), "utf8"))) {
  const file = join(samples, s.file);
  const target = join(out, `${s.id}.json`);
  if (!existsSync(file)) throw new Error(`${s.id}: ${file} is missing`);
  rmSync(target, { force: true });
  const inspection = ask("inspect", file);
  writeFileSync(target, JSON.stringify({ inspection, run: inspection.kind === "other" ? null : ask("run", file, ...flags(s.settings)) }));
}
