// Names of steps. A name by kind stays true when a run gains or loses steps, so texts use nothing else:
//
//	kernel.mount                    the first of its kind
//	kernel.mount[3]                 the third
//	kernel.mount[target=/proc]      the first with this value; more of them narrow it down: [target=/proc][2]
//	end                             the last step
//	40                              a number from 0, for links to one run
import type { Step } from "./wire.gen";

/** The step's number, or -1 when there is none such. */
export function find(steps: readonly Step[], name: string): number {
  if (name === "end") return steps.length - 1;
  if (/^\d+$/.test(name)) return Math.min(Number(name), steps.length - 1);
  const [, kind, brackets] = /^#?([a-z0-9.-]+)((?:\[[^\]]+\])*)$/.exec(name) ?? [];
  if (kind === undefined || brackets === undefined) return -1;
  let nth = 1;
  const wanted: [string, string][] = [];
  for (const [, inside = ""] of brackets.matchAll(/\[([^\]]+)\]/g)) {
    const [, arg, value = ""] = /^(\w+)=(.*)$/.exec(inside) ?? [];
    if (arg !== undefined) wanted.push([arg, value]);
    else if (/^[1-9]\d*$/.test(inside)) nth = Number(inside);
    else return -1;
  }
  const found = steps.filter((s) => s.kind === kind && wanted.every(([arg, value]) => s.args?.[arg] === value));
  return found[nth - 1]?.seq ?? -1;
}
