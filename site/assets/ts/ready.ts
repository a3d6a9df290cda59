// Runs that were worked out when the site was built, as site/traces.mjs leaves them in traces/. A reader who only
// looks downloads little: every step as a line of the list, and whole the first, or those around the place where it
// begins, with what of the others the view that is shown draws. The rest comes when it is asked for.
import { asset } from "./assets";
import { find } from "./selector";
import { available, drawsAll, usualScreen, type View } from "./views/catalog";
import { History } from "./views/changes";
import type { Inspection, RunResult, Step, Table } from "./wire.gen";
import { areaOf, type Lang, type Messages } from "./words";

/** A step as far as a list shows it. */
type Line = Pick<Step, "at" | "stage" | "kind" | "args" | "changes"> & { cause?: number };

/** traces/first/ID.LANG.json */
interface First {
  inspection: Inspection;
  run: Omit<RunResult, "steps"> & { steps: (Step | Line)[] };
  messages: Messages; // of its kinds; of a long run titles only, and the sentence of the first step
  parts?: number[]; // of a long run: where the parts in traces/part/ID.N.LANG.json begin
  tables: Table[]; // that its steps change
  prints: boolean;
}

/** traces/part/ID.N.LANG.json */
interface Part {
  steps: Step[]; // the first stands for all before it
  messages: Messages;
}

/** traces/ID.json */
interface Whole {
  inspection: Inspection;
  run: RunResult | null;
}

export interface Ready {
  inspection: Inspection;
  run: RunResult | null;
  messages: Messages | null; // null: those of its areas are wanted
  outline: Outline | null; // null: every step is whole
}

/** traces/view/ID.VIEW.json, what a view draws of steps, and traces/values/ID.AREA.json: by their numbers. */
type Drawn = { [seq: number]: Pick<Step, "args" | "changes" | "cites"> };

/** What is known of a run whose steps are not all whole. */
export interface Outline {
  from: number; // of the steps that are whole
  to: number; // exclusive
  tables: readonly Table[];
  prints: boolean;
  drawn: View | null; // the view for which enough is known of every step
  /** Loads the whole run, without the sentences. */
  rest(): Promise<RunResult>;
}

async function json<T>(base: string, path: string): Promise<T | null> {
  const r = await asset(base, `traces/${path}.json`).catch(() => null);
  return r?.ok ? ((await r.json()) as T) : null;
}

/** The run called id, beginning at the step of that name, for a view or the usual one; null when none was worked out. */
export async function ready(base: string, id: string, lang: Lang, begin: string, view: View | null): Promise<Ready | null> {
  const first = await json<First>(base, `first/${id}.${lang}`);
  if (!first) {
    const whole = await json<Whole>(base, id); // the one-file page has no other; a sample may have no run
    return whole && { ...whole, messages: null, outline: null };
  }
  const { inspection, messages, tables, prints, parts } = first;
  const run: RunResult = { ...first.run, steps: first.run.steps.map((s, seq) => ({ seq, cause: seq - 1, actor: "", ...s })) };
  const rest = async () => {
    const whole = await json<Whole>(base, id);
    if (!whole?.run) throw new Error(`traces/${id}.json`);
    return whole.run;
  };
  let place = find(run.steps, begin);
  if (place < 0 && parts) {
    // Its name has a value that no line shows.
    const values = await json<Drawn>(base, `values/${id}.${areaOf(begin.replace("#", ""))}`);
    if (values) run.steps = run.steps.map((s) => merged(s, values[s.seq]));
    place = Math.max(0, find(run.steps, begin)); // or there is no such step
  }
  const views = available(new History([], tables), inspection, false);
  const shown = view && views.includes(view) ? view : usualScreen(views, prints);
  const draws = drawsAll.includes(shown);
  const outline: Outline = { from: 0, to: 1, tables, prints, drawn: draws ? shown : null, rest };
  if (place === 0 && !draws) return { inspection, run, messages, outline };
  const from = parts?.findLast((n) => n <= place);
  const [drawn, part] = await Promise.all([
    draws && parts ? json<Drawn>(base, `view/${id}.${shown}`) : null,
    from === undefined ? null : json<Part>(base, `part/${id}.${from}.${lang}`),
  ]);
  if ((draws && !drawn) || (place !== 0 && !part)) return { inspection, run: await rest(), messages: parts ? null : messages, outline: null };
  if (drawn) run.steps = run.steps.map((s) => merged(s, drawn[s.seq]));
  if (!part || from === undefined) return { inspection, run, messages, outline };
  const [before, ...whole] = part.steps;
  if (before) run.steps[from - 1] = merged(before, drawn?.[from - 1]);
  run.steps.splice(from, whole.length, ...whole);
  return { inspection, run, messages: { ...messages, ...part.messages }, outline: { ...outline, from, to: from + whole.length } };
}

/** A step with more of it known. */
function merged(s: Step, more: Drawn[number] | undefined): Step {
  const changes = [...(more?.changes ?? []), ...(s.changes ?? [])];
  return more ? { ...s, ...more, args: { ...s.args, ...more.args }, ...(changes.length > 0 ? { changes } : {}) } : s;
}
