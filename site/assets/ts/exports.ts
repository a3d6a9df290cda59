// What is shown as files for other programs: the console for asciinema, the steps for Chrome's and Perfetto's trace
// viewers, the text form that tests/golden keeps, a view's picture, the image's slice, and all of it in one page.
import { inlined } from "./assets";
import { onePage } from "./onepage";
import { pngOf, svgOf } from "./picture";
import type { Place } from "./place";
import type { Export } from "./requests";
import type { Reason, RunResult, Step } from "./wire.gen";

/** What a player shows, as far as it can be saved. */
export interface Shown {
  name: string; // of the image
  steps: readonly Step[];
  result: RunResult | null;
  title(s: Step): string;
  base: string; // where bootpath.html lies
  place: Place & { view: string };
  view(): HTMLElement;
  slice(): Promise<Uint8Array>;
}

/** The content of a file and what its name ends in. */
export async function exported(what: Export, shown: Shown): Promise<[Blob, string]> {
  const text = (s: string, type: string) => new Blob([s], { type });
  const { name, steps, place } = shown;
  switch (what) {
    case "cast": return [text(asciicast(steps, name), "application/x-asciicast"), ".cast"];
    case "events": return [text(traceEvents(steps, name, shown.title), "application/json"), ".trace.json"];
    case "golden": return [text(shown.result ? golden(shown.result) : "", "text/plain"), ".txt"];
    case "svg": return [text(svgOf(shown.view()).svg, "image/svg+xml"), `.${place.view}.svg`];
    case "png": return [await pngOf(shown.view()), `.${place.view}.png`];
    case "slice": return [new Blob([(await shown.slice()) as BlobPart]), ".slice"];
    case "page": {
      const template = inlined ? document.documentElement.outerHTML : await (await fetch(new URL("bootpath.html", shown.base))).text();
      return [text(await onePage(template, `${name}.slice`, place, await shown.slice()), "text/html"), ".html"];
    }
    default: { const never: never = what; return never; }
  }
}

/** asciicast v2 (docs.asciinema.org/manual/asciicast/v2): a header, then one event for each piece of output. */
export function asciicast(steps: readonly Step[], title: string): string {
  const header = { version: 2, width: 100, height: 30, title, env: { TERM: "xterm-256color" } };
  const events = steps.filter((s) => s.console).map((s) => [s.at / 1e9, "o", (s.console ?? "").replace(/\r?\n/g, "\r\n")]);
  return [header, ...events].map((l) => JSON.stringify(l)).join("\n") + "\n";
}

/** Trace Event Format, JSON object form: a row for each actor and one for the stages, times in microseconds. */
export function traceEvents(steps: readonly Step[], title: string, name: (s: Step) => string): string {
  const actors = [...new Set(steps.map((s) => s.actor))];
  const tid = (actor: string) => actors.indexOf(actor) + 2;
  const meta = (id: number, thread: string) => ({ ph: "M", name: "thread_name", pid: 1, tid: id, args: { name: thread } });
  const events: object[] = [{ ph: "M", name: "process_name", pid: 1, args: { name: title } }, meta(1, "stages"), ...actors.map((a) => meta(tid(a), a))];
  steps.forEach((s, i) => {
    const next = steps[i + 1]?.at ?? s.at;
    if (s.stage !== steps[i - 1]?.stage) {
      const after = steps.find((t) => t.seq > s.seq && t.stage !== s.stage)?.at ?? steps.at(-1)?.at ?? s.at;
      events.push({ ph: "X", name: s.stage, cat: "stage", pid: 1, tid: 1, ts: s.at / 1e3, dur: (after - s.at) / 1e3 });
    }
    events.push({ ph: "X", name: name(s), cat: s.kind, pid: 1, tid: tid(s.actor), ts: s.at / 1e3, dur: (next - s.at) / 1e3, args: { step: s.seq, kind: s.kind, ...s.args, ...(s.rule ? { rule: s.rule } : {}) } });
  });
  return JSON.stringify({ displayTimeUnit: "ns", traceEvents: events });
}

/** The golden form: sim/trace's Line for each step, the outcome, the console. */
export function golden(run: RunResult): string {
  const o = run.outcome;
  const console = run.console.map((l) => `| ${l}\n`).join("");
  return `${run.steps.map((s) => `${line(s)}\n`).join("")}\n${o.verdict} ${o.stage}: ${o.message}${reason(o.unknown)}\n\n${console}`;
}

/** A reason in no language: its kind and values, as sim/trace writes it. */
function reason(r: Reason | null | undefined): string {
  return r ? `${r.kind}${values(r.args)}${r.because ? ` because ${reason(r.because)}` : ""}` : "";
}

const values = (args: Step["args"]) => Object.entries(args ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => ` ${k}=${quoted(v)}`).join("");

function line(s: Step): string {
  const args = values(s.args) + (s.assumed ?? []).map((r) => ` assumed(${reason(r)})`).join("");
  const [first, ...more] = s.cites ?? [];
  const cites = first ? ` [${first.blob}[0x${first.off.toString(16)}:+${first.len}]${more.length ? ` and ${more.length} more` : ""}]` : "";
  return `${String(s.seq).padStart(5)} ${(s.at / 1e9).toFixed(3).padStart(8)}s ${s.actor.padEnd(14)} ${s.kind}${args}${cites}${s.rule ? ` {${s.rule}}` : ""}`;
}

const escapes: { [c: string]: string } = { "\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\", "\x07": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v" };

/** As Go's %q writes it, where a value has blanks or quotes. */
function quoted(v: string): string {
  if (v !== "" && !/[ \n\t"]/.test(v)) return v;
  return `"${v.replace(/["\\\x00-\x1f\x7f]/g, (c) => escapes[c] ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`)}"`;
}
