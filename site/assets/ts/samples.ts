// The samples shipped with the site: content/samples/index.json. What is said about each is with the strings.
import { asset } from "./assets";
import type { RunSettings } from "./wire.gen";
import type { Lang } from "./words";

export interface Sample {
  id: string;
  file: string;
  kind: "application" | "system" | "rootfs" | "other";
  title: { [L in Lang]: string };
  settings?: RunSettings; // as it is usually started
}

const loaded = new Map<string, Promise<Sample[]>>();

export function loadSamples(base: string): Promise<Sample[]> {
  const path = "samples/index.json";
  const url = new URL(path, base).href;
  let p = loaded.get(url);
  if (!p) {
    p = asset(base, path).then((r) => (r.ok ? (r.json() as Promise<Sample[]>) : []), () => []);
    loaded.set(url, p);
  }
  return p;
}
