// Numbers as people read them; the exact value goes into a tooltip.
import type { Lang } from "./words";

const units = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A size in binary units with up to three digits: 31 MiB, 2.1 GiB. */
export function size(bytes: number): string {
  let n = bytes;
  let u = 0;
  while (n >= 1024 && u < units.length - 1) {
    n /= 1024;
    u++;
  }
  return `${u === 0 || n >= 100 ? Math.round(n) : Number(n.toPrecision(3))} ${units[u]}`;
}

export const exact = (n: number, lang: Lang) => n.toLocaleString(lang);

/** An offset, lower-case and padded to an even number of digits. */
export function hex(n: number, digits = 0): string {
  const s = n.toString(16);
  return "0x" + s.padStart(Math.max(digits, s.length + (s.length % 2)), "0");
}

/** A virtual time given in nanoseconds: 0 s, 340 µs, 18.2 ms, 2.18 s, 1 min 32 s. */
export function time(ns: number): string {
  if (ns === 0) return "0 s";
  const three = (x: number) => String(Number(x.toPrecision(3)));
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${three(ns / 1e3)} µs`;
  if (ns < 1e9) return `${three(ns / 1e6)} ms`;
  if (ns < 60e9) return `${three(ns / 1e9)} s`;
  return `${Math.floor(ns / 60e9)} min ${Math.round((ns % 60e9) / 1e9)} s`;
}

/** A virtual time with as many decimals as it takes to tell neighbours of a step apart: 20.790123 s. */
export function moment(ns: number, step: number): string {
  if (ns === 0) return "0 s";
  const [unit, name] = ns < 1e3 ? [1, "ns"] as const : ns < 1e6 ? [1e3, "µs"] as const : ns < 1e9 ? [1e6, "ms"] as const : [1e9, "s"] as const;
  return `${(ns / unit).toFixed(Math.max(0, Math.ceil(Math.log10(unit / step) - 1e-9)))} ${name}`;
}
