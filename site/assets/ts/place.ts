// A place in the Lab as a URL hash, versioned: image, settings, step. Of the image's content it holds nothing but
// what the learner put there.
//
//	#v1&src=deb-bios&step=40&firmware=uefi&secure_boot:=true
//
// A setting that is not a string is written name:=JSON. "off" holds patches that are switched off.
import type { Patched } from "./patches";
import type { RunSettings } from "./wire.gen";

export interface Place {
  src?: string; // sample id or address
  step?: string; // as selector.ts names it
  end?: string; // of an embed: where playing stops
  view?: string;
  field?: string; // of the step's evidence, by its name
  scenario?: string;
  lang?: string; // of an embed; pages have it in their path
  theme?: string;
  settings: RunSettings;
  off?: Patched;
}

const own = ["src", "step", "end", "view", "field", "scenario", "lang", "theme"] as const;

export function encode(p: Place): string {
  const parts = ["v1"];
  const add = (k: string, v: string) => parts.push(`${k}=${encodeURIComponent(v).replace(/%2F/g, "/").replace(/%3A/g, ":")}`);
  for (const k of own) if (p[k]) add(k, p[k]);
  for (const [k, v] of Object.entries(p.settings).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (v === undefined || v === false || v === "") continue;
    if (typeof v === "string") add(k, v);
    else add(`${k}:`, JSON.stringify(v));
  }
  if (p.off && Object.keys(p.off).length > 0) add("off:", JSON.stringify(p.off));
  return parts.join("&");
}

/** Reads a hash; null when it is none of ours or of a version that this page does not know. */
export function decode(hash: string): Place | null {
  const [version, ...parts] = hash.replace(/^#/, "").split("&");
  if (version !== "v1") return null;
  const place: Place = { settings: {} };
  for (const part of parts) {
    const [, name, json, raw] = /^([a-z0-9_]+)(:?)=(.*)$/.exec(part) ?? [];
    if (name === undefined || raw === undefined) continue;
    try {
      const text = decodeURIComponent(raw);
      if ((own as readonly string[]).includes(name)) place[name as (typeof own)[number]] = text;
      else if (name === "off") place.off = JSON.parse(text) as Patched;
      else Object.assign(place.settings, { [name]: json ? (JSON.parse(text) as unknown) : text });
    } catch {
      // A damaged part is left out; the rest of the link still leads somewhere.
    }
  }
  return place;
}
