// What the comparison puts beside each other: two images, or one image under two conditions; and its place in
// the URL hash, versioned:
//
//	#v1&left=debian-slim&right=debian-bios
//	#v1&left=debian-uefi&as=uefi-secureboot
import type { RunSettings } from "./wire.gen";

interface Condition {
  kind: "application" | "system";
  left: RunSettings;
  right: RunSettings;
}

export const conditions = {
  "bios-uefi": { kind: "system", left: { firmware: "bios" }, right: { firmware: "uefi" } },
  "uefi-secureboot": { kind: "system", left: { firmware: "uefi" }, right: { firmware: "uefi", secure_boot: true } },
  "amd64-arm64": { kind: "application", left: { host_arch: "amd64" }, right: { host_arch: "arm64" } },
  "runc-crun": { kind: "application", left: { engine: "runc" }, right: { engine: "crun" } },
  "old-new": { kind: "application", left: { host_kernel: "2.6.32" }, right: { host_kernel: "6.12.0" } },
  "boot-container": { kind: "application", left: {}, right: { path: "system" } },
  "load-disk": { kind: "system", left: {}, right: { path: "container" } },
} as const satisfies { [name: string]: Condition };

export type As = keyof typeof conditions;

export const conditionNames = Object.keys(conditions) as As[];

export interface Pair {
  left: string; // sample ids
  right: string; // the same image again when "as" is set
  as?: As;
}

export const usual: Pair = { left: "debian-slim", right: "debian-bios" };

export function encode(p: Pair): string {
  const id = encodeURIComponent;
  return p.as ? `v1&left=${id(p.left)}&as=${p.as}` : `v1&left=${id(p.left)}&right=${id(p.right)}`;
}

/** Reads a hash; null when it is none of ours or of a version that this page does not know. */
export function decode(hash: string): Pair | null {
  const [version, ...parts] = hash.replace(/^#/, "").split("&");
  if (version !== "v1") return null;
  const named = new URLSearchParams(parts.join("&"));
  const as = conditionNames.find((n) => n === named.get("as"));
  const left = named.get("left") || (as && conditions[as].kind === "system" ? usual.right : usual.left);
  return as ? { left, right: left, as } : { left, right: named.get("right") || usual.right };
}
