// Where a moment lies on the rail. Two scales: "steps" gives every step a place and shrinks pauses
// logarithmically, so that microseconds of firmware and seconds of a boot menu both have room; "time" is
// modelled time as it is.
import type { Segment } from "./tape";
import type { Step } from "./wire.gen";

export type Scale = "steps" | "time";

export interface Band extends Segment {
  left: number; // fractions of the rail's width
  right: number;
}

export interface Tick {
  at: number; // fraction
  ns: number;
}

/** Pauses of this part of the run or less count hardly more than a step. */
const shortPause = 1 / 1000;
/** How much a doubling of a pause widens it, in steps. */
const perDoubling = 0.9;

export class Timeline {
  readonly bands: Band[];
  readonly ticks: Tick[];
  readonly #x: number[];

  /** Ticks keep a gap from each other, and the last part of the axis is kept free of them; both are fractions. */
  constructor(steps: readonly Step[], segs: readonly Segment[], scale: Scale, gap: number, kept: number) {
    const end = steps.at(-1)?.at ?? 0;
    const places = scale === "time" && end > 0 ? steps.map((s) => s.at) : unfold(steps, end);
    const full = scale === "time" && end > 0 ? end * 1.01 : (places.at(-1) ?? 0) + 1;
    this.#x = places.map((p) => p / full);
    this.bands = segs.map((s, i) => {
      const next = segs[i + 1];
      return { ...s, left: this.x(s.from), right: next ? this.x(next.from) : 1 };
    });
    const wanted = scale === "time" ? round(end).map((ns) => ({ at: ns / full, ns })) : this.bands.map((b) => ({ at: b.left, ns: steps[b.from]?.at ?? 0 }));
    this.ticks = [];
    for (const t of wanted) if (t.at - (this.ticks.at(-1)?.at ?? -1) >= gap && t.at <= 1 - kept) this.ticks.push(t);
  }

  /** The place of step n, a fraction of the rail's width. */
  x(n: number): number {
    return this.#x[n] ?? 0;
  }

  /** The step nearest to a place. */
  nearest(x: number): number {
    let lo = 0;
    let hi = this.#x.length - 1;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if ((this.#x[mid] ?? 0) < x) lo = mid + 1;
      else hi = mid;
    }
    return lo > 0 && x - (this.#x[lo - 1] ?? 0) < (this.#x[lo] ?? 0) - x ? lo - 1 : lo;
  }
}

function unfold(steps: readonly Step[], end: number): number[] {
  let x = 0.5;
  return steps.map((s, i) => {
    const before = steps[i - 1];
    if (before) x += 1 + perDoubling * Math.log2(1 + (s.at - before.at) / Math.max(end * shortPause, 1));
    return x - (i === 0 ? 0.5 : 0);
  });
}

/** Round moments between 0 and end, about ten of them. */
function round(end: number): number[] {
  if (end <= 0) return [];
  const power = 10 ** Math.floor(Math.log10(end / 8));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => end / s <= 10) ?? end;
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => i * step);
}
