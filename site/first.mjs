// What a reader needs of a run before pressing play; site/assets/ts/ready.ts reads it.

const partOf = 16; // steps
const drawn = new Set(["namespaces", "processes", "mounts", "cgroups"]); // tables, by the views that are seen before play
const screenful = 25; // lines

/** The names that a sentence's title puts in. */
const named = (title) => [...title.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);

/**
 * A step as a line of the list, without what its place and its title do not show. Most follow from the step before
 * them, so only another cause is named. What went wrong stays, since the player counts it.
 */
function line(step, titles) {
  const shown = new Set(titles.flatMap((t) => named(t[step.kind]?.title ?? "")));
  const args = Object.entries(step.args ?? {}).filter(([name, value]) => shown.has(name) || (name === "result" && /^E[A-Z0-9]+$/.test(value)));
  const failed = (step.changes ?? []).filter((c) => c.table === "units" && c.after?.state === "failed");
  const cause = step.cause === step.seq - 1 ? {} : { cause: step.cause };
  return { at: step.at, stage: step.stage, kind: step.kind, ...cause, ...(args.length > 0 ? { args: Object.fromEntries(args) } : {}), ...(failed.length > 0 ? { changes: failed } : {}) };
}

/** The step that stands for itself and all before it: the rows that are drawn, as they then are, and the end of the screen. */
function standIn(steps, n, titles) {
  const rows = new Map();
  let screen = "";
  for (const s of steps.slice(0, n + 1)) {
    screen += s.console ?? "";
    for (const { table, id, after } of s.changes ?? []) {
      if (!drawn.has(table)) continue;
      if (after) rows.set(`${table} ${id}`, { table, id, after });
      else rows.delete(`${table} ${id}`);
    }
  }
  const lines = screen.split("\n").slice(-screenful).join("\n");
  return { seq: n, cause: steps[n].cause, actor: steps[n].actor, ...line(steps[n], titles), changes: [...rows.values()], ...(lines ? { console: lines } : {}) };
}

/** Where a run's parts begin; its first step is with the list. */
export const partsOf = (steps) => Array.from({ length: Math.ceil((steps.length - 1) / partOf) }, (_, i) => 1 + i * partOf);

/** The steps from one of these places on, after the one that stands for those before. */
export const part = (steps, from, titles) => [standIn(steps, from - 1, titles), ...steps.slice(from, from + partOf)];

/** The kinds of a reason and of what lies behind it. */
const kindsOf = (reason) => (reason ? [reason.kind, ...kindsOf(reason.because)] : []);

/** Every step as a line, the first one whole, with the sentences of one language. titles: of every language. */
export function first({ inspection, run }, messages, titles) {
  const { units, unit_runs, ...facts } = run.facts;
  const kinds = new Set([...run.steps.flatMap((s) => [s.kind, ...(s.assumed ?? []).flatMap(kindsOf)]), ...kindsOf(run.outcome.unknown)]);
  return {
    inspection,
    run: { ...run, facts, console: [], steps: run.steps.map((s, i) => (i === 0 ? s : line(s, titles))) },
    messages: Object.fromEntries(Object.entries(messages).filter(([kind]) => kinds.has(kind))),
    tables: [...new Set(run.steps.flatMap((s) => (s.changes ?? []).map((c) => c.table)))],
    prints: run.steps.some((s) => s.console),
  };
}
