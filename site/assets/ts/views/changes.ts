// What the current step did to the rows of one table: the same question for every view.
import type { Rows, Tables } from "../tape";
import type { Row, Step, Table } from "../wire.gen";

export type Mark = "" | "added" | "edited" | "removed";

export interface Touched {
  mark: Mark;
  was: Row | undefined; // before the step
}

const untouched: Touched = { mark: "", was: undefined };

/** The rows of a table as they are after a step, with those that the step took away, and what it did to each. */
export class Marked {
  readonly rows: Rows;
  readonly #touched = new Map<string, Touched>();

  constructor(tables: Tables, step: Step | undefined, table: Table) {
    const rows: { [id: string]: Row } = { ...tables[table] };
    const before = new Map<string, Row | undefined>(); // as each row was ahead of the step
    for (const c of step?.changes ?? []) if (c.table === table && !before.has(c.id)) before.set(c.id, c.before);
    for (const [id, was] of before) {
      const now = tables[table]?.[id];
      if (!was && !now) continue; // came and went within the step
      this.#touched.set(id, { mark: !was ? "added" : !now ? "removed" : "edited", was });
      if (!now && was) rows[id] = was;
    }
    this.rows = rows;
  }

  of(id: string): Touched {
    return this.#touched.get(id) ?? untouched;
  }

  get count(): number {
    return this.#touched.size;
  }
}

/** For every row of every table the steps that touched it, so that a view can say where it came from. */
export class History {
  readonly #steps = new Map<string, number[]>();

  /** tables: touched by steps whose changes are not there yet. */
  constructor(steps: readonly Step[], private readonly tables: readonly Table[] = []) {
    for (const s of steps) {
      for (const c of s.changes ?? []) {
        const key = `${c.table} ${c.id}`;
        const list = this.#steps.get(key);
        if (!list) this.#steps.set(key, [s.seq]);
        else if (list.at(-1) !== s.seq) list.push(s.seq);
      }
    }
  }

  /** The latest step up to n that touched the row, or -1. */
  latest(table: Table, id: string, n: number): number {
    return this.#steps.get(`${table} ${id}`)?.findLast((s) => s <= n) ?? -1;
  }

  /** Whether any step of the run touches the table. */
  has(table: Table): boolean {
    for (const key of this.#steps.keys()) if (key.startsWith(`${table} `)) return true;
    return this.tables.includes(table);
  }
}

const natural = new Intl.Collator("en", { numeric: true });

/** The order of a table's rows: addresses and numbers by their value, names with the numbers in them as one counts. */
export const byId = (a: string, b: string): number => Number(a) - Number(b) || natural.compare(a, b);
