// The start of services as a chart: for each unit when it was queued, when it began and when it was there.
// It is read off the changes of the table of units; reasons come from the steps' own values, what a unit
// waited for from the facts of the run.
import type { Step, UnitRun } from "../wire.gen";

export interface Bar {
  unit: string;
  description: string;
  state: string; // its last
  begin: number; // ns; when it began to start, or was there at once
  end: number; // when it was there, or failed
  from: number; // the step that began it
  to: number; // the step that ended it
  file: string;
  why: string;
  by: string;
  waited: string; // the unit ordered before it that was ready last
  condition: string; // that was not met
}

const starting = new Set(["activating", "reloading"]);

/** One bar for each unit that left the queue, in the order in which they began. */
export function unitBars(steps: readonly Step[], runs: readonly UnitRun[] = []): Bar[] {
  const bars = new Map<string, Bar>();
  for (const s of steps) {
    for (const c of s.changes ?? []) {
      if (c.table !== "units" || !c.after) continue;
      const state = c.after["state"] ?? "";
      if (state === "queued") continue;
      let b = bars.get(c.id);
      if (!b) {
        b = { unit: c.id, description: c.after["description"] ?? "", state, begin: s.at, end: s.at, from: s.seq, to: s.seq, file: "", why: "", by: "", waited: "", condition: "" };
        bars.set(c.id, b);
      }
      b.state = state;
      b.end = s.at;
      b.to = s.seq;
      if (s.args?.["unit"] === c.id) {
        b.file ||= s.args["file"] ?? "";
        b.why ||= s.args["why"] ?? "";
        b.by ||= s.args["by"] ?? "";
      }
    }
  }
  for (const r of runs) {
    const b = bars.get(r.name);
    if (!b) continue;
    b.file ||= r.file ?? "";
    b.by ||= r.pulled_in_by ?? "";
    b.waited = r.waited_for ?? "";
    b.condition = r.condition ?? "";
  }
  return [...bars.values()].sort((a, b) => a.begin - b.begin || a.from - b.from);
}

export type Progress = "ahead" | "starting" | "there" | "failed" | "skipped";

/** How far a unit is at step n. */
export function progress(b: Bar, n: number): Progress {
  if (n < b.from) return "ahead";
  if (n < b.to) return "starting";
  if (starting.has(b.state)) return "starting";
  return b.state === "failed" ? "failed" : b.state === "skipped" ? "skipped" : "there";
}

/** The span of time that the chart shows. */
export function span(bars: readonly Bar[], end: number): { from: number; to: number } {
  const from = Math.min(...bars.map((b) => b.begin), end);
  return { from, to: Math.max(end, ...bars.map((b) => b.end), from + 1) };
}
