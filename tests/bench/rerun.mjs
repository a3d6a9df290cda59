// rerun.mjs DISK [DIST]: how long a run with one thing changed takes in Chromium, from the player's request to its
// answer, and how long an exercise. Each change is tried several times, with another one in between. Beside the
// wall clock stands the CPU time of the engine's thread: on a busy machine only that means something.
import { readdirSync, readFileSync } from "node:fs";
import { launch, newPage, serve } from "../e2e/browser.mjs";

const [disk, dist] = process.argv.slice(2);
if (!disk) throw new Error("usage: node tests/bench/rerun.mjs DISK [DIST]");
const times = Number(process.env.RUNS ?? 7);
const reading = 600; // milliseconds that somebody looks at a run, at least, before the next change; the engine tidies up meanwhile
const changes = [
  { memory_mib: 2048 },
  { remove: ["/etc/hostname"] },
  { write: { "/etc/fstab": "# empty\n" } },
  { remove: ["/sbin/init"] },
  { set: { cmdline: "root=/dev/vda9 ro" } },
  { patch: [{ off: 510, data: "0000" }] },
];

/** CPU milliseconds of all workers of the browsers that this process started. */
function engineTime() {
  const below = new Set([String(process.pid)]);
  const stat = (path) => { try { return readFileSync(path, "utf8"); } catch { return ""; } };
  const all = readdirSync("/proc").filter((p) => /^\d+$/.test(p)).sort((a, b) => a - b);
  let ms = 0;
  for (const p of all) {
    const parent = stat(`/proc/${p}/stat`).split(") ").at(-1).split(" ")[1];
    if (!below.has(parent)) continue;
    below.add(p);
    if (!stat(`/proc/${p}/cmdline`).includes("type=renderer")) continue;
    for (const t of readdirSync(`/proc/${p}/task`)) {
      if (stat(`/proc/${p}/task/${t}/comm`).startsWith("DedicatedWorker")) ms += Number(stat(`/proc/${p}/task/${t}/schedstat`).split(" ")[0]) / 1e6;
    }
  }
  return ms;
}

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const row = (what, wall, cpu) => console.log(what.padEnd(44), `${Math.round(wall)} ms`.padStart(9), `${Math.round(cpu)} ms CPU`.padStart(12));

const browser = await launch();
const site = await serve(dist);
const page = await newPage(browser);
page.setDefaultTimeout(120_000);
await page.goto(`${site.base}en/lab/`);

/** Runs fn(arg, player) in the page and tells how long it took. */
const timed = async (fn, arg) => {
  const before = engineTime();
  const wall = await page.evaluate(`(async (arg) => { const player = document.querySelector("boot-path"); const t = performance.now(); await (${fn})(arg, player); return performance.now() - t; })(${JSON.stringify(arg)})`);
  return { wall, cpu: engineTime() - before };
};

await page.locator("bp-opener input[type=file]").first().setInputFiles(disk);
await page.waitForFunction(() => { const p = document.querySelector("boot-path"); return p.outcome && !p.shadowRoot.querySelector(".working"); });
for (const settings of changes) {
  const wall = [];
  const cpu = [];
  for (let i = 0; i < times; i++) {
    await page.evaluate(() => document.querySelector("boot-path").run({}));
    await page.waitForTimeout(reading);
    const t = await timed((s, player) => player.run(s), settings);
    wall.push(t.wall);
    cpu.push(t.cpu);
  }
  row(JSON.stringify(settings), median(wall), median(cpu));
}
await browser.close();
site.close();
