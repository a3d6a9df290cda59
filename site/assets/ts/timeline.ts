// Where a moment lies on the rail. Two scales: "steps" gives every step a place and shrinks pauses
// logarithmically, so that microseconds of firmware and seconds of a boot menu both have room; "time" is
// modelled time as it is. A window is the part of the rail that is looked at, down to a microsecond.
import * as format from "./format";
import type { Segment } from "./tape";
import type { Step } from "./wire.gen";

export type Scale = "steps" | "time";

/** Fractions of the whole rail. */
export interface Window {
  from: number;
  to: number;
}

export const whole: Window = { from: 0, to: 1 };

export interface Band extends Segment {
  left: number; // fractions of the rail's width
  right: number;
}

export interface Tick {
  at: number; // fraction of the window
  label: string;
}

/** Pauses of this part of the run or less count hardly more than a step. */
const shortPause = 1 / 1000;
/** How much a doubling of a pause widens it, in steps. */
const perDoubling = 0.9;
const leastTime = 1000; // ns that a window shows at least
const leastSteps = 3;

export class Timeline {
  readonly bands: Band[];
  /** The narrowest window. */
  readonly least: number;
  readonly #x: number[];
  readonly #full: number; // of the axis, in ns or in places

  constructor(readonly steps: readonly Step[], segs: readonly Segment[], readonly scale: Scale) {
    const end = steps.at(-1)?.at ?? 0;
    if (end === 0) this.scale = "steps";
    const places = this.scale === "time" ? steps.map((s) => s.at) : unfold(steps, end);
    this.#full = this.scale === "time" ? end * 1.01 : (places.at(-1) ?? 0) + 1;
    this.#x = places.map((p) => p / this.#full);
    this.least = Math.min(1, (this.scale === "time" ? leastTime : leastSteps) / this.#full);
    this.bands = segs.map((s, i) => {
      const next = segs[i + 1];
      return { ...s, left: this.x(s.from), right: next ? this.x(next.from) : 1 };
    });
  }

  /** The place of step n, a fraction of the rail's width. */
  x(n: number): number {
    return this.#x[n] ?? 0;
  }

  /** The first step at or after a place. */
  from(x: number): number {
    let lo = 0;
    let hi = this.#x.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if ((this.#x[mid] ?? 0) < x) lo = mid + 1;
      else hi = mid;
    }
    return lo;
  }

  /** The step nearest to a place. */
  nearest(x: number): number {
    const n = Math.min(this.from(x), this.#x.length - 1);
    return n > 0 && x - this.x(n - 1) < this.x(n) - x ? n - 1 : n;
  }

  /** Ticks keep a gap from each other, and the last part of the axis is kept free of them; both are fractions. */
  ticks(w: Window, gap: number, kept: number): Tick[] {
    const wide = w.to - w.from;
    if (this.scale === "time") {
      const a = w.from * this.#full;
      const step = nice((wide * this.#full) / 10);
      const first = Math.ceil(a / step);
      const many = Math.floor((w.to * this.#full) / step) - first + 1;
      const all = Array.from({ length: Math.max(0, Math.min(many, 40)) }, (_, i) => {
        const ns = (first + i) * step;
        return { at: (ns / this.#full - w.from) / wide, label: i > 0 && step < ns / 10_000 ? `+${format.time(i * step)}` : format.moment(ns, step) };
      });
      return spread(all, gap, kept);
    }
    const seqs = wide === 1 ? this.bands.map((b) => b.from) : Array.from({ length: this.from(w.to) - this.from(w.from) }, (_, i) => this.from(w.from) + i);
    return spread(seqs.map((n) => ({ at: (this.x(n) - w.from) / wide, label: format.time(this.steps[n]?.at ?? 0) })), gap, kept);
  }
}

function spread(all: readonly Tick[], gap: number, kept: number): Tick[] {
  const out: Tick[] = [];
  let last = -1;
  for (const t of all) {
    if (t.at - last < gap || t.at > 1 - kept) continue;
    out.push(t);
    last = t.at + Math.max(0, t.label.length - 8) * (gap / 9); // a long label takes more room
  }
  return out;
}

function unfold(steps: readonly Step[], end: number): number[] {
  let x = 0;
  return steps.map((s, i) => {
    const before = steps[i - 1];
    if (before) x += 1 + perDoubling * Math.log2(1 + (s.at - before.at) / Math.max(end * shortPause, 1));
    return x;
  });
}

/** The round number next above. */
export function nice(n: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(n, 1e-9)));
  return [1, 2, 5, 10].map((f) => f * power).find((s) => s >= n) ?? n;
}

/** A window of another width around a place that keeps its position. */
export function zoom(w: Window, about: number, factor: number, least: number): Window {
  const wide = Math.min(1, Math.max(least, (w.to - w.from) * factor));
  const keep = w.to === w.from ? 0.5 : (about - w.from) / (w.to - w.from);
  return shift(about - wide * keep, wide);
}

export const pan = (w: Window, by: number): Window => shift(w.from + by, w.to - w.from);

/** The window, moved if a place would lie outside. */
export function follow(w: Window, x: number): Window {
  return x >= w.from && x <= w.to ? w : shift(x - (w.to - w.from) / 2, w.to - w.from);
}

function shift(from: number, wide: number): Window {
  const a = Math.min(Math.max(0, from), 1 - wide);
  return { from: a, to: a + wide };
}
