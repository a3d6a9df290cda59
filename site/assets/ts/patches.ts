// What the learner changed in the image: a list of patches, each with a switch. The engine gets those that
// are on as settings; those that are off stay in the list and in the address.
import type { RunSettings } from "./wire.gen";

export type Patch =
  | { is: "remove"; path: string; on: boolean }
  | { is: "write"; path: string; content: string; on: boolean }
  | { is: "set"; key: string; value: string; on: boolean }
  | { is: "bytes"; off: number; data: string; on: boolean };

/** What settings hold of patches; everything else in them is a condition. */
export type Patched = Pick<RunSettings, "remove" | "write" | "set" | "patch">;

const keys = ["remove", "write", "set", "patch"] as const;

const list = (s: Patched, on: boolean): Patch[] => [
  ...Object.entries(s.set ?? {}).map(([key, value]): Patch => ({ is: "set", key, value, on })),
  ...(s.remove ?? []).map((path): Patch => ({ is: "remove", path, on })),
  ...Object.entries(s.write ?? {}).map(([path, content]): Patch => ({ is: "write", path, content, on })),
  ...(s.patch ?? []).map((p): Patch => ({ is: "bytes", off: p.off, data: p.data, on })),
];

/** The patches of settings, and those that are switched off. */
export const patchesOf = (settings: RunSettings, off: Patched): Patch[] => [...list(settings, true), ...list(off, false)];

function pack(patches: readonly Patch[]): Patched {
  const out: Patched = {};
  for (const p of patches) {
    switch (p.is) {
      case "remove": (out.remove ??= []).push(p.path); break;
      case "write": (out.write ??= {})[p.path] = p.content; break;
      case "set": (out.set ??= {})[p.key] = p.value; break;
      case "bytes": (out.patch ??= []).push({ off: p.off, data: p.data }); break;
      default: { const never: never = p; return never; }
    }
  }
  return out;
}

/** The conditions of settings: what is left without patches. */
export function conditions(settings: RunSettings): RunSettings {
  return Object.fromEntries(Object.entries(settings).filter(([k]) => !(keys as readonly string[]).includes(k)));
}

export const isPatched = (settings: RunSettings): boolean => keys.some((k) => settings[k] !== undefined);

/** Settings with these patches: those that are on take effect. */
export function withPatches(settings: RunSettings, patches: readonly Patch[]): { settings: RunSettings; off: Patched } {
  return { settings: { ...conditions(settings), ...pack(patches.filter((p) => p.on)) }, off: pack(patches.filter((p) => !p.on)) };
}

const same = (a: Patch, b: Patch): boolean =>
  (a.is === "set" && b.is === "set" && a.key === b.key) || (a.is === "bytes" && b.is === "bytes" && a.off === b.off)
  || ((a.is === "remove" || a.is === "write") && (b.is === "remove" || b.is === "write") && a.path === b.path);

/** The list with one more; it takes the place of what it contradicts. */
export const added = (patches: readonly Patch[], p: Patch): Patch[] => [...patches.filter((q) => !same(p, q)), p];

/** The change that is on and decides about a path. Through links the learner may have got there by another path: loosely, the last name tells. */
export function ofPath(patches: readonly Patch[], path: string, loosely = false): (Patch & { is: "remove" | "write" }) | undefined {
  const files = patches.filter((p): p is Patch & { is: "remove" | "write" } => p.on && (p.is === "remove" || p.is === "write"));
  const base = (p: string) => p.slice(p.lastIndexOf("/") + 1);
  return files.find((p) => p.path === path) ?? (loosely ? files.find((p) => base(p.path) === base(path)) : undefined);
}

/** Bytes at off as they are with the changes that are on. */
export function patchedBytes(bytes: Uint8Array, off: number, patches: readonly Patch[]): Uint8Array {
  const out = bytes.slice();
  for (const p of patches) {
    if (p.is !== "bytes" || !p.on) continue;
    for (let i = 0; i < p.data.length / 2; i++) {
      const at = p.off + i - off;
      if (at >= 0 && at < out.length) out[at] = parseInt(p.data.slice(2 * i, 2 * i + 2), 16);
    }
  }
  return out;
}

/** Reads hexadecimal bytes as people write them; null when it is something else. */
export function hexBytes(text: string): string | null {
  const hex = text.replace(/0x|[\s,:]/gi, "").toLowerCase();
  return hex.length > 0 && hex.length % 2 === 0 && /^[0-9a-f]+$/.test(hex) ? hex : null;
}
