// Every word of the page comes through here: UI strings (content/ui) and the sentences of steps
// (content/messages), fetched beside the script in one language, sentences by their area (grub, systemd …).
import { asset } from "./assets";
import type en from "./ui/en.json";
import type { Reason, Step } from "./wire.gen";

export type Lang = "en" | "zh";
export type Key = keyof typeof en | `sample.${string}`;
export type Args = { [name: string]: string | number };
export type Strings = { [K in Key]: string };

// The scripts of a page share what was loaded, whichever of them came first.
const shared = globalThis as { bootpathStrings?: { [L in Lang]?: Partial<Strings> }; bootpathReasons?: { [L in Lang]?: Messages } };
const strings = (shared.bootpathStrings ??= {});
const reasons = (shared.bootpathReasons ??= {});

const loading = new Map<string, Promise<object>>();

function load(base: string, path: string): Promise<object> {
  const url = new URL(path, base).href;
  let p = loading.get(url);
  if (!p) {
    p = asset(base, path).then((r) => (r.ok ? (r.json() as Promise<object>) : {}), () => ({}));
    loading.set(url, p);
  }
  return p;
}

/** The strings of a part of the page, and one by which it is seen that they are there. */
const parts = { ui: "go.play", more: "bar.layers" } as const satisfies { [part: string]: Key };

/** ui: of what an embedded start shows before its reader asks for more; more: of the other elements in more.js. */
export const canSay = (lang: Lang, part: keyof typeof parts = "ui"): boolean => Boolean(strings[lang]?.[parts[part]]);

export async function loadStrings(base: string, lang: Lang, part: keyof typeof parts = "ui"): Promise<void> {
  if (!canSay(lang, part)) useStrings(lang, (await load(base, `i18n/${part}.${lang}.json`)) as Partial<Strings>);
}

/** All strings, for the site's own pages. */
export async function loadPageStrings(base: string, lang: Lang): Promise<void> {
  useStrings(lang, (await load(base, `i18n/pages.${lang}.json`)) as Strings);
}

export function useStrings(lang: Lang, some: Partial<Strings>): void {
  strings[lang] = { ...strings[lang], ...some };
}

export const htmlLang = (lang: Lang) => (lang === "zh" ? "zh-CN" : "en");

/** Chooses one of our languages for a BCP 47 tag. */
export const langOf = (tag: string | null | undefined): Lang => (tag?.toLowerCase().startsWith("zh") ? "zh" : "en");

const plural = /\{(\w+), plural, one \{([^}]*)\} other \{([^}]*)\}\}/g;

/** Fills {name} and {n, plural, one {…} other {…}}; an unknown placeholder stays visible. */
export function fill(pattern: string, args: Args, lang: Lang): string {
  return pattern
    .replace(plural, (_, name: string, one: string, other: string) => {
      const n = Number(args[name]);
      const form = new Intl.PluralRules(lang).select(n) === "one" ? one : other;
      return form.replace("#", n.toLocaleString(lang));
    })
    .replace(/\{(\w+)\}/g, (whole, name: string) => (name in args ? String(args[name]) : whole));
}

export function say(lang: Lang, key: Key, args: Args = {}): string {
  return fill(strings[lang]?.[key] ?? key, args, lang);
}

/** What a reader calls a value or column that the engine names in English; as it is where it has no other name. */
export function term(lang: Lang, value: string, of: "term" | "column" = "term"): string {
  const known = strings[lang] as { [key: string]: string } | undefined;
  const [, what, x = ""] = /^(.+) (\S+)$/.exec(value) ?? []; // "boot sector at 0000:7c00"
  return fill(known?.[`${of}.${value}`] ?? known?.[`${of}.${what} {x}`] ?? value, { x }, lang);
}

/** The sentence of a kind of step. */
export interface Message {
  title: string;
  text: string;
}

export type Messages = { [kind: string]: Message };

/** The area of a kind of step is the file that its sentence is in. */
export const areaOf = (kind: string): string => kind.slice(0, kind.indexOf("."));

/** Loads the sentences of a language, of some areas or all; without them steps show their kinds. */
export async function loadMessages(base: string, lang: Lang, areas: Iterable<string> = ["messages"]): Promise<Messages> {
  const parts = await Promise.all([...areas].map((area) => load(base, `i18n/${area}.${lang}.json`)));
  return useReasons(lang, Object.assign({}, ...parts) as Messages);
}

/** Where the sentences are of what cannot be known; they do not belong to a step. */
export const unknownArea = "unknown";

/** Keeps of some sentences those of what cannot be known, for why. */
export function useReasons(lang: Lang, messages: Messages): Messages {
  const said = Object.entries(messages).filter(([kind]) => areaOf(kind) === unknownArea);
  if (said.length > 0) reasons[lang] = { ...reasons[lang], ...Object.fromEntries(said) };
  return messages;
}

/** What would have to be known, and why it is not; its kind when the sentences are not there. */
export function why(lang: Lang, reason: Reason | null | undefined): string {
  if (!reason) return "";
  const m = reasons[lang]?.[reason.kind];
  const args: Args = { ...reason.args, ...(reason.because ? { because: why(lang, reason.because) } : {}) };
  if (!m) return [reason.kind, ...Object.entries(args).map(([k, v]) => `${k}=${v}`)].join(" ");
  return `${fill(m.title, args, lang)}${lang === "zh" ? "：" : ": "}${fill(m.text, args, lang)}`;
}

export interface Sentence {
  title: string;
  text: string;
  missing: boolean;
}

/** How long a path may be in a title before only its end is shown. */
const TITLE_PATH = 30;

/** A title is for the eye: of a long path its end is what tells one step from the next. */
export function shortPath(value: string): string {
  if (!value.startsWith("/") || value.length <= TITLE_PATH || value.includes(" ")) return value;
  const cut = value.indexOf("/", value.length - TITLE_PATH);
  return `…${cut < 0 ? value.slice(-TITLE_PATH) : value.slice(cut)}`;
}

export function sentence(step: Step, messages: Messages, lang: Lang): Sentence {
  const m = messages[step.kind];
  if (!m) {
    const text = Object.entries(step.args ?? {}).map(([k, v]) => `${k}=${v}`).join(" ");
    return { title: step.kind, text, missing: true };
  }
  // A single word may be the name of something in the image; only phrases are the engine's own.
  const args = Object.fromEntries(Object.entries(step.args ?? {}).map(([k, v]) => [k, v.includes(" ") ? term(lang, v) : v]));
  const short = Object.fromEntries(Object.entries(args).map(([k, v]) => [k, shortPath(v)]));
  return { title: fill(m.title, short, lang), text: fill(m.text, args, lang), missing: false };
}
