// The samples shipped with the site: content/samples/index.json.
import type { Lang } from "./words";

export interface Sample {
  id: string;
  file: string;
  kind: "application" | "system" | "rootfs" | "other";
  title: { [L in Lang]: string };
  note?: { [L in Lang]: string };
}

const loaded = new Map<string, Promise<Sample[]>>();

export function loadSamples(base: string): Promise<Sample[]> {
  const url = new URL("samples/index.json", base).href;
  let p = loaded.get(url);
  if (!p) {
    p = fetch(url).then((r) => (r.ok ? (r.json() as Promise<Sample[]>) : []), () => []);
    loaded.set(url, p);
  }
  return p;
}
