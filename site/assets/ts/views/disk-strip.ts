// The disk as a strip: partitions, what lies between them, and the places that steps rest on. Parts are
// widened so that a boot sector can be seen beside a partition of gigabytes; inside a part the scale is linear.
import type { Filesystem, Inspection, Stage, Step } from "../wire.gen";

export interface Part {
  number: number; // of the partition; 0 for room outside partitions or a disk without a table
  start: number; // bytes
  size: number;
  type: string;
  name: string;
  filesystem: Filesystem | undefined;
  left: number; // fractions of the strip
  width: number;
}

export interface Place {
  seq: number; // the step
  stage: Stage;
  off: number;
  len: number;
  x: number; // fraction
  name: string; // what was read there, as far as the step says
}

const sector = 512;
const least = 0.06; // of the strip, so that each part can be seen

/** The parts of the disk in order, gaps included. */
export function parts(i: Inspection): Part[] {
  const whole = i.virtual_size || i.size;
  const table = (i.partition_table?.partitions ?? []).filter((p) => p.size > 0).toSorted((a, b) => a.start - b.start);
  const fs = (n: number) => i.filesystems.find((f) => f.partition === n);
  const out: Part[] = [];
  const add = (number: number, start: number, size: number, type: string, name: string) =>
    size > 0 && out.push({ number, start, size, type, name, filesystem: fs(number), left: 0, width: 0 });
  if (table.length === 0) add(0, 0, whole, "", "");
  let end = 0;
  for (const p of table) {
    const start = p.start * sector;
    add(-1, end, start - end, "", "");
    add(p.number, start, p.size * sector, p.type, p.name);
    end = Math.max(end, start + p.size * sector);
  }
  if (table.length > 0) add(-1, end, whole - end, "", "");
  place(out);
  return out;
}

/** Widths: half of the strip is shared by size, the rest alike; nothing is narrower than it takes to see it. */
function place(list: Part[]): void {
  const total = list.reduce((n, p) => n + p.size, 0);
  const rest = 1 - least * list.length;
  let left = 0;
  for (const p of list) {
    p.left = left;
    p.width = least + Math.max(rest, 0) * (p.size / total);
    left += p.width;
  }
  for (const p of list) {
    p.left /= left;
    p.width /= left;
  }
}

/** Where an offset of the disk lies on the strip. */
export function at(list: readonly Part[], off: number): number {
  const p = list.findLast((q) => q.start <= off);
  return p ? p.left + p.width * Math.min(1, (off - p.start) / p.size) : 0;
}

/** The name that the engine gives the disk inside this file: a raw image is its own disk. */
export function diskName(i: Inspection, steps: readonly Step[]): string {
  const cited = new Set(steps.flatMap((s) => (s.cites ?? []).map((c) => c.blob)));
  return cited.has("disk0") ? "disk0" : i.name;
}

/** The places on the disk that each step rests on, in the order of the steps. */
export function places(list: readonly Part[], steps: readonly Step[], disk: string): Place[] {
  return steps.flatMap((s) =>
    (s.cites ?? []).filter((c) => c.blob === disk).map((c) => ({ seq: s.seq, stage: s.stage, off: c.off, len: c.len, x: at(list, c.off), name: c.name ?? "" })));
}

/** Bytes covered by places, each counted once. */
export function covered(list: readonly Place[]): number {
  let end = -1;
  let sum = 0;
  for (const p of list.toSorted((a, b) => a.off - b.off)) {
    const from = Math.max(p.off, end);
    const to = p.off + p.len;
    if (to > from) sum += to - from;
    end = Math.max(end, to);
  }
  return sum;
}
