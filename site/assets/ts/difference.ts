// Where two runs of one image go apart. Up to the parting both make the same kinds of steps, so positions
// are comparable; behind it they are not.
import type { Step } from "./wire.gen";

export interface Value {
  name: string;
  before: string;
  after: string;
}

export interface Difference {
  /** The first step that both make with other values, and which; -1 for none. */
  values: number;
  differs: Value[];
  /** The first step that only one of them makes, in the numbers of the later run; -1 when both make the same steps. */
  parting: number;
}

/** What a step says that a reader can compare. */
function said(s: Step): { [name: string]: string } {
  return { ...s.args, ...(s.console ? { console: s.console.trim() } : {}), ...(s.rule ? { rule: s.rule } : {}) };
}

function differing(a: Step, b: Step): Value[] {
  const before = said(a);
  const after = said(b);
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((n) => before[n] !== after[n]);
  return names.map((name) => ({ name, before: before[name] ?? "", after: after[name] ?? "" }));
}

/** Whether two values of a run are the same throughout; what differs is seen at the first place that does. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((n) => same(a[n as keyof typeof a], b[n as keyof typeof b]));
}

export function difference(before: readonly Step[], after: readonly Step[]): Difference {
  const out: Difference = { values: -1, differs: [], parting: -1 };
  const both = Math.min(before.length, after.length);
  for (let i = 0; i < both; i++) {
    const a = before[i] as Step;
    const b = after[i] as Step;
    if (a.kind !== b.kind || a.actor !== b.actor) return { ...out, parting: i };
    if (out.values >= 0) continue;
    const differs = differing(a, b);
    if (differs.length > 0) Object.assign(out, { values: i, differs });
  }
  if (before.length !== after.length) out.parting = Math.min(both, after.length - 1);
  return out;
}
