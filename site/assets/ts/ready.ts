// Runs that were worked out when the site was built, as site/traces.mjs leaves them in traces/. A reader who only
// looks downloads little: every step as a line of the list, and whole the first, or those around the place where it
// begins. The rest comes when it is asked for.
import { asset } from "./assets";
import { find } from "./selector";
import type { Inspection, RunResult, Step, Table } from "./wire.gen";
import type { Lang, Messages } from "./words";

/** A step as far as a list shows it. */
type Line = Pick<Step, "at" | "stage" | "kind" | "args" | "changes"> & { cause?: number };

/** traces/first/ID.LANG.json */
interface First {
  inspection: Inspection;
  run: Omit<RunResult, "steps"> & { steps: (Step | Line)[] };
  messages: Messages; // the sentences of its kinds
  parts?: number[]; // of a long run: where the parts in traces/part/ID.N.json begin
  tables: Table[]; // that its steps change
  prints: boolean;
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

/** What is known of a run whose steps are not all whole. */
export interface Outline {
  from: number; // of the steps that are whole
  to: number; // exclusive
  tables: readonly Table[];
  prints: boolean;
  /** Loads the whole run. */
  rest(): Promise<RunResult>;
}

async function json<T>(base: string, path: string): Promise<T | null> {
  const r = await asset(base, `traces/${path}.json`).catch(() => null);
  return r?.ok ? ((await r.json()) as T) : null;
}

/** The run called id, beginning at the step of that name; null when none was worked out. */
export async function ready(base: string, id: string, lang: Lang, begin: string): Promise<Ready | null> {
  const rest = async () => {
    const whole = await json<Whole>(base, id);
    if (!whole?.run) throw new Error(`traces/${id}.json`);
    return whole.run;
  };
  const first = await json<First>(base, `first/${id}.${lang}`);
  if (!first) {
    const whole = await json<Whole>(base, id); // the one-file page has no other; a sample may have no run
    return whole && { ...whole, messages: null, outline: null };
  }
  const { inspection, messages } = first;
  const run: RunResult = { ...first.run, steps: first.run.steps.map((s, seq) => ({ seq, cause: seq - 1, actor: "", ...s })) };
  const place = find(run.steps, begin);
  const outline: Outline = { from: 0, to: 1, tables: first.tables, prints: first.prints, rest };
  if (place === 0) return { inspection, run, messages, outline };
  const from = first.parts?.findLast((n) => n <= place);
  const part = from === undefined ? null : await json<Step[]>(base, `part/${id}.${from}`);
  if (!part || from === undefined) return { inspection, run: await rest(), messages, outline: null };
  run.steps.splice(from - 1, part.length, ...part); // the first of a part stands for all before it
  return { inspection, run, messages, outline: { ...outline, from, to: from - 1 + part.length } };
}
