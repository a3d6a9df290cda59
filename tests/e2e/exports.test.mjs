// What is saved for other programs keeps to their formats, for every sample and scenario.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { load } from "./load.mjs";

const traces = fileURLToPath(new URL("../../dist/traces/", import.meta.url));
const { asciicast, traceEvents } = await load("exports");

const runs = readdirSync(traces).filter((f) => f.endsWith(".json"))
  .map((f) => [f, JSON.parse(readFileSync(traces + f, "utf8")).run]).filter(([, run]) => run?.steps?.length > 0);

// docs.asciinema.org/manual/asciicast/v2: a header with version, width and height; then [time, code, data], times in order.
test("asciicast v2", () => {
  assert.ok(runs.length > 10);
  for (const [file, run] of runs) {
    const text = asciicast(run.steps, file);
    assert.ok(text.endsWith("\n") && !text.includes("\r\n"), file);
    const [header, ...events] = text.trimEnd().split("\n").map((l) => JSON.parse(l));
    assert.equal(header.version, 2);
    assert.ok(Number.isInteger(header.width) && header.width > 0 && Number.isInteger(header.height) && header.height > 0);
    let last = 0;
    for (const [time, code, data] of events) {
      assert.ok(Number.isFinite(time) && time >= last, `${file}: time goes back to ${time}`);
      assert.ok(code === "o" && data !== "" && !/(^|[^\r])\n/.test(data), `${file}: ${JSON.stringify(data)}`);
      last = time;
    }
    assert.equal(events.map((e) => e[2]).join("").replaceAll("\r\n", "\n"), run.steps.map((s) => s.console ?? "").join("").replaceAll("\r\n", "\n"), file);
  }
});

// Trace Event Format: "X" has ts and dur in microseconds, and complete events of a thread nest or follow each other.
test("Trace Event Format", () => {
  for (const [file, run] of runs) {
    const { traceEvents: events, displayTimeUnit } = JSON.parse(traceEvents(run.steps, file, (s) => s.kind));
    assert.ok(["ms", "ns"].includes(displayTimeUnit));
    const named = new Set(events.filter((e) => e.ph === "M" && e.name === "thread_name").map((e) => e.tid));
    const open = new Map(); // thread to the ends of what is open, outermost first, nanoseconds
    for (const e of events.filter((e) => e.ph === "X").sort((a, b) => a.ts - b.ts || b.dur - a.dur)) {
      assert.ok(named.has(e.tid) && e.name && Number.isFinite(e.ts) && e.ts >= 0 && e.dur >= 0, `${file}: ${JSON.stringify(e)}`);
      const from = Math.round(e.ts * 1e3), to = from + Math.round(e.dur * 1e3);
      const ends = (open.get(e.tid) ?? []).filter((end) => end > from);
      assert.ok(ends.every((end) => to <= end), `${file}: ${e.name} at ${e.ts} overlaps what is open on its thread`);
      open.set(e.tid, [...ends, to]);
    }
    assert.equal(events.filter((e) => e.ph === "X" && e.cat !== "stage").length, run.steps.length, file);
  }
});
