// One clock for several runs: where a moment lies on the common axis. When one run is over long before the
// other, the axis is logarithmic, so that both have room.
import * as format from "./format";
import type { Stage, Step } from "./wire.gen";

export type Scale = "log" | "linear";

/** A band of one stage in a lane; places are fractions of the axis. */
export interface Band {
  stage: Stage;
  from: number;
  to: number;
}

const decades = 7000; // the logarithm starts to bend at this part of the whole
const apart = 0.11; // fractions between two ticks

export class Clock {
  readonly #unit: number;
  readonly #whole: number;

  constructor(readonly end: number, readonly scale: Scale) {
    this.#unit = Math.max(1, end / decades);
    this.#whole = Math.log1p(Math.max(1, end) / this.#unit);
  }

  x(ns: number): number {
    return this.scale === "log" ? Math.log1p(ns / this.#unit) / this.#whole : ns / Math.max(1, this.end);
  }

  ticks(): { x: number; label: string }[] {
    const out: { x: number; label: string }[] = [];
    const step = nice(this.end / 6);
    const all = this.scale === "log" ? Array.from({ length: 12 }, (_, n) => 10 ** n) : Array.from({ length: 8 }, (_, n) => (n + 1) * step);
    for (const ns of all) {
      const x = this.x(ns);
      if (x < 0.97 && x - (out.at(-1)?.x ?? -1) >= apart && x > 0.02) out.push({ x, label: format.time(ns) });
    }
    return out;
  }

  bands(steps: readonly Step[]): Band[] {
    const out: Band[] = [];
    for (const s of steps) {
      const last = out.at(-1);
      if (last) last.to = this.x(s.at);
      if (last?.stage !== s.stage) out.push({ stage: s.stage, from: this.x(s.at), to: this.x(s.at) });
    }
    return out;
  }
}

/** A logarithm is needed when the shorter run would be a sliver on the axis of the longer. */
export function scaleFor(ends: readonly number[]): Scale {
  const some = ends.filter((e) => e > 0);
  return some.length > 1 && Math.min(...some) < Math.max(...some) / 8 ? "log" : "linear";
}

function nice(ns: number): number {
  const ten = 10 ** Math.floor(Math.log10(Math.max(1, ns)));
  return ([1, 2, 5].find((n) => n * ten >= ns) ?? 10) * ten;
}
