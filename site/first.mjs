// What a reader needs of a run before pressing play; site/assets/ts/ready.ts reads it.

const partOf = 10; // steps
const screenful = 25; // lines

/** The names that a sentence's title puts in. */
const placeholders = (title) => [...title.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);

/**
 * A step as a line of the list, without what its place and its title do not show. Most follow from the step before
 * them, so only another cause is named. What went wrong stays, since the player counts it.
 */
function line(step, titles) {
  const shown = new Set(titles.flatMap((t) => placeholders(t[step.kind]?.title ?? "")));
  const args = Object.entries(step.args ?? {}).filter(([name, value]) => shown.has(name) || (name === "result" && /^E[A-Z0-9]+$/.test(value)));
  const failed = (step.changes ?? []).filter((c) => c.table === "units" && c.after?.state === "failed");
  const cause = step.cause === step.seq - 1 ? {} : { cause: step.cause };
  return { at: step.at, stage: step.stage, kind: step.kind, ...cause, ...(args.length > 0 ? { args: Object.fromEntries(args) } : {}), ...(failed.length > 0 ? { changes: failed } : {}) };
}

/** A step as a line, with the end of the screen as it then is: it stands for all before it. */
function standIn(steps, n, titles) {
  const screen = steps.slice(0, n + 1).map((s) => s.console ?? "").join("").split("\n").slice(-screenful).join("\n");
  return { seq: n, cause: steps[n].cause, actor: steps[n].actor, ...line(steps[n], titles), ...(screen ? { console: screen } : {}) };
}

/** The kinds of a reason and of what lies behind it. */
const kindsOf = (reason) => (reason ? [reason.kind, ...kindsOf(reason.because)] : []);

/** The sentences of some steps' kinds, of what they assume and of a reason. */
function sentences(steps, messages, reason) {
  const kinds = new Set([...steps.flatMap((s) => [s.kind, ...(s.assumed ?? []).flatMap(kindsOf)]), ...kindsOf(reason)]);
  return Object.fromEntries(Object.entries(messages).filter(([kind]) => kinds.has(kind)));
}

/** Where a run's parts begin; its first step is with the list. */
export const partsOf = (steps) => Array.from({ length: Math.ceil((steps.length - 1) / partOf) }, (_, i) => 1 + i * partOf);

/** The steps from one of these places on, after the one that stands for those before, with their sentences. */
export function part(steps, from, messages, titles) {
  const whole = steps.slice(from, from + partOf);
  return { steps: [standIn(steps, from - 1, titles), ...whole], messages: sentences(whole, messages) };
}

// null: all
const tables = { memory: ["memory", "cpu"], boxes: ["namespaces", "processes", "mounts", "cgroups"], services: ["units"], mounts: ["mounts", "namespaces", "processes"], processes: ["processes"], cgroups: ["cgroups", "processes"], variables: ["variables"], state: null };

/** What the views that draw from every step draw (drawsAll in assets/ts/views/catalog.ts): { view: { seq: part of the step } }. name: the image's. */
export function drawn(steps, name) {
  const of = (part) => Object.fromEntries(steps.map((s) => [s.seq, part(s)]).filter(([, p]) => p));
  const rows = (s, view) => (s.changes ?? []).filter((c) => tables[view]?.includes(c.table) ?? true).map(({ before, ...c }) => c);
  const views = Object.keys(tables).map((view) => [view, of((s) => rows(s, view).length > 0 && { changes: rows(s, view) })]);
  const strip = steps.some((s) => s.cites?.some((c) => c.blob === "disk0")) ? "disk0" : name; // as diskName in assets/ts/views/disk-strip.ts
  const places = (s) => (s.cites ?? []).filter((c) => c.blob === strip).map(({ blob, off, len, name }) => ({ blob, off, len, name }));
  const disk = of((s) => places(s).length > 0 && { cites: places(s) });
  return Object.fromEntries([...views, ["disk", disk]].filter(([, steps]) => Object.keys(steps).length > 0));
}

/** The values of steps that their lines do not have, by the area of their kinds: a place may be named by one. */
export function values(steps, titles) {
  const areas = {};
  for (const s of steps) {
    const known = line(s, titles).args ?? {};
    const args = Object.fromEntries(Object.entries(s.args ?? {}).filter(([name]) => !(name in known)));
    if (Object.keys(args).length > 0) (areas[s.kind.slice(0, s.kind.indexOf("."))] ??= {})[s.seq] = { args };
  }
  return areas;
}

/**
 * Every step as a line, the first one whole, with the sentences of one language; of a run in parts those of the other
 * steps come with the parts, and titles are enough. titles: of every language.
 */
export function first({ inspection, run }, messages, titles, parts) {
  const { units, unit_runs, ...facts } = run.facts;
  const short = Object.fromEntries(Object.entries(sentences(run.steps, messages)).map(([kind, m]) => [kind, parts ? { ...m, text: "" } : m]));
  return {
    inspection,
    run: { ...run, facts, console: [], steps: run.steps.map((s, i) => (i === 0 ? s : line(s, titles))) },
    messages: { ...short, ...sentences(run.steps.slice(0, 1), messages, run.outcome.unknown) },
    tables: [...new Set(run.steps.flatMap((s) => (s.changes ?? []).map((c) => c.table)))],
    prints: run.steps.some((s) => s.console),
    ...(parts ? { parts } : {}),
  };
}
