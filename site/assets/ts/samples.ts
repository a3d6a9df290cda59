// The samples shipped with the site: content/samples/index.json.
import type { RunSettings } from "./wire.gen";
import type { Lang } from "./words";

export interface Sample {
  id: string;
  file: string;
  kind: "application" | "system" | "rootfs" | "other";
  title: { [L in Lang]: string };
  text?: { [L in Lang]: string };
  settings?: RunSettings; // as it is usually started
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
