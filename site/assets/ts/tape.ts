// The player's model: steps, the position among them and the state tables folded up to it. It repeats no
// rule of the engine: going forward puts a change's "after" row in place, going back its "before".
import type { Outcome, Row, Stage, Step, Table } from "./wire.gen";

export type Rows = { readonly [id: string]: Row };
export type Tables = { readonly [T in Table]?: Rows };

/** A run of neighbouring steps of one stage. */
export interface Segment {
  stage: Stage;
  from: number;
  to: number; // inclusive
}

export function segments(steps: readonly Step[]): Segment[] {
  const out: Segment[] = [];
  for (const s of steps) {
    const last = out.at(-1);
    if (last?.stage === s.stage) last.to = s.seq;
    else out.push({ stage: s.stage, from: s.seq, to: s.seq });
  }
  return out;
}

/** The steps at which something went wrong: what decided a stop, a call that gave an error, a unit that failed. */
export function failures(steps: readonly Step[], outcome: Outcome | null): number[] {
  const wrong = (s: Step) => (outcome !== null && outcome.verdict !== "works" && s.seq === outcome.step) || /^E[A-Z0-9]+$/.test(s.args?.["result"] ?? "")
    || (s.changes ?? []).some((c) => c.table === "units" && c.after?.["state"] === "failed");
  return steps.filter(wrong).map((s) => s.seq);
}

/** What led to step n, nearest first, back to power-on. */
export function causes(steps: readonly Step[], n: number): Step[] {
  const out: Step[] = [];
  for (let i = steps[n]?.cause ?? -1; i >= 0 && i < (out.at(-1)?.seq ?? n); i = steps[i]?.cause ?? -1) {
    const s = steps[i];
    if (s) out.push(s);
  }
  return out;
}

export class Tape {
  readonly segments: Segment[];
  #at = -1;
  #tables: { [T in Table]?: Rows } = {};

  constructor(readonly steps: readonly Step[]) {
    this.segments = segments(steps);
  }

  get at(): number {
    return this.#at;
  }

  get tables(): Tables {
    return this.#tables;
  }

  get step(): Step | undefined {
    return this.steps[this.#at];
  }

  /** Moves to step n and gives the position reached. Tables that do not change keep their identity. */
  seek(n: number): number {
    const to = Math.max(0, Math.min(n, this.steps.length - 1));
    const fresh = new Map<Table, { [id: string]: Row }>();
    const put = (table: Table, id: string, row: Row | undefined) => {
      let rows = fresh.get(table);
      if (!rows) {
        rows = { ...this.#tables[table] };
        fresh.set(table, rows);
      }
      if (row) rows[id] = row;
      else delete rows[id];
    };
    while (this.#at < to) {
      this.#at++;
      for (const c of this.steps[this.#at]?.changes ?? []) put(c.table, c.id, c.after);
    }
    while (this.#at > to) {
      for (const c of (this.steps[this.#at]?.changes ?? []).toReversed()) put(c.table, c.id, c.before);
      this.#at--;
    }
    if (fresh.size > 0) this.#tables = { ...this.#tables, ...Object.fromEntries(fresh) };
    return this.#at;
  }

  /** The first step of the next stage, or of this one and then the previous. */
  stageFrom(n: number, direction: 1 | -1): number {
    const i = this.segments.findIndex((s) => n >= s.from && n <= s.to);
    const here = this.segments[i];
    if (!here) return n;
    if (direction > 0) return this.segments[i + 1]?.from ?? this.steps.length - 1;
    return n > here.from ? here.from : (this.segments[i - 1]?.from ?? 0);
  }
}
