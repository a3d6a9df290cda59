// Physical memory as a column: regions in the order of their addresses, each tall enough to read, and the
// free room between them shortened. A step of height is a doubling of size, so that a boot sector and an
// initramfs of 13 MiB stand in one picture.
import type { Mark, Marked } from "./changes";

export interface Region {
  id: string;
  start: number;
  size: number;
  what: string;
  from: string; // path in the image, or the name of a blob
  mark: Mark;
  height: number; // px
  limits: number[];
}

export interface Gap {
  start: number;
  size: number;
  height: number;
  /** Addresses that matter to the processor and lie in here, or where it ends. */
  limits: number[];
}

export type Slot = ({ is: "region" } & Region) | ({ is: "gap" } & Gap);

const px = { least: 24, most: 64, gap: 14, limit: 14, doubling: 2.4 };
const grain = 512; // bytes; smaller regions are no lower

/** What real mode reaches: 20 address bits and the 64 KiB above that a carry gives (Intel SDM vol. 3, 21.1.1). */
export const realModeLimit = 0x100000;
const limits = [realModeLimit];

const height = (size: number) => Math.min(px.most, px.least + px.doubling * Math.max(0, Math.log2(Math.max(size, 1) / grain)));

/** The column from address 0 to the last region. */
export function memoryMap(memory: Marked): Slot[] {
  const regions = Object.entries(memory.rows)
    .map(([id, r]): Region => {
      const size = Number(r["size"] ?? 0) || 0;
      return { id, start: Number(r["start"] ?? id) || 0, size, what: r["what"] ?? "", from: r["from"] ?? "", mark: memory.of(id).mark, height: height(size), limits: [] };
    })
    .sort((a, b) => a.start - b.start);
  const out: Slot[] = [];
  let end = 0;
  for (const r of regions) {
    if (r.start > end) out.push(gap(end, r.start));
    out.push({ is: "region", ...r });
    end = Math.max(end, r.start + r.size);
  }
  for (const limit of limits) {
    const slot = out.find((s) => s.start < limit && limit <= s.start + s.size);
    slot?.limits.push(limit);
    if (slot) slot.height += px.limit;
  }
  return out;
}

const gap = (from: number, to: number): Slot => ({ is: "gap", start: from, size: to - from, height: px.gap, limits: [] });

export const modes = ["real", "protected", "long"] as const;
export type Mode = (typeof modes)[number];
