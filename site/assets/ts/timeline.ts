// Where a moment lies on the rail: logarithmic in modelled time, so that a firmware's microseconds and
// seconds of services both have room; a stage that would vanish is widened, and the axis with it.
import type { Segment } from "./tape";
import type { Step } from "./wire.gen";

export type Scale = "log" | "even";

export interface Band extends Segment {
  left: number; // fractions of the rail's width
  right: number;
}

export interface Tick {
  at: number; // fraction
  ns: number;
}

/** The part of a run's length below which time is shown linearly. */
const linear = 1 / 2000;

export class Timeline {
  readonly bands: Band[] = [];
  readonly ticks: Tick[] = [];
  readonly #x: number[];

  constructor(steps: readonly Step[], segs: readonly Segment[], scale: Scale, minimum: number, total?: number) {
    const end = total ?? steps.at(-1)?.at ?? 0;
    const even = scale === "even" || end === 0;
    const unit = Math.max(end * linear, 1);
    const raw = (i: number) =>
      even ? i / Math.max(1, steps.length) : Math.log1p((steps[i]?.at ?? end) / unit) / Math.log1p(end / unit);
    // Natural borders of the bands, then no band narrower than the minimum.
    const last = even ? 1 : raw(steps.length - 1);
    const border = segs.map((s) => raw(s.from)).concat(last);
    const widths = segs.map((_, i) => (border[i + 1] ?? last) - (border[i] ?? 0));
    const grown = widths.map((w) => Math.max(w, minimum));
    const shrink = last / Math.max(grown.reduce((a, b) => a + b, 0), Number.EPSILON);
    let x = 0;
    segs.forEach((s, i) => {
      const w = (grown[i] ?? 0) * shrink;
      this.bands.push({ ...s, left: x, right: x + w });
      x += w;
    });
    const place = (r: number, i: number): number => {
      const b = this.bands[i];
      const w = widths[i] ?? 0;
      if (!b) return 0;
      return b.left + (w > 0 ? Math.min(1, Math.max(0, (r - (border[i] ?? 0)) / w)) : 0) * (b.right - b.left);
    };
    this.#x = steps.map((s) => {
      const i = segs.findIndex((g) => s.seq <= g.to);
      const b = this.bands[i];
      const w = widths[i] ?? 0;
      if (b && w === 0) return b.left + ((s.seq - b.from + 0.5) / (b.to - b.from + 1)) * (b.right - b.left);
      return place(raw(s.seq), i);
    });
    if (even) return;
    for (let ns = 1e3; ns <= end; ns *= 10) {
      const r = Math.log1p(ns / unit) / Math.log1p(end / unit);
      const i = border.findIndex((b, k) => r >= b && r <= (border[k + 1] ?? 1));
      const at = place(r, Math.min(Math.max(i, 0), segs.length - 1));
      if (at > 0.02 && at < 0.99) this.ticks.push({ at, ns });
    }
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
