// embed.html: a <boot-path> in a frame. Its state is in the frame's own hash; it never registers a service
// worker. Messages to and from the page around it carry { bootpath: 1 }, the version of this interface:
//
//	page → frame   { bootpath: 1, do: "seek", step } · "play" · "pause" · "open", src | scenario · "run", settings
//	frame → page   { bootpath: 1, event: "ready" | "stepchange" | "outcome" | "error" | "resize", … }
//
// Only the page around the frame is listened to. With origin=… in the hash it must be of that origin, and
// nothing is told to any other. A message that asks for something unknown is not answered.
import type { BootPath } from "./boot-path";
import { decode, type Place } from "./place";
import type { Outcome, RunSettings } from "./wire.gen";
import { htmlLang, langOf, loadStrings, say, type Lang } from "./words";

interface Command {
  bootpath?: number;
  do?: string;
  step?: number;
  src?: string;
  scenario?: string;
  settings?: RunSettings;
}

type Detail = { position?: number; outcome?: Outcome; title?: string; message?: string };

const player = document.querySelector("boot-path") as BootPath;
const full = document.querySelector("a") as HTMLAnchorElement;
let lang: Lang = "en";
let origin = "*";

function show(): void {
  const place = decode(location.hash);
  lang = langOf(place?.lang ?? navigator.language);
  origin = /[#&]origin=([^&]+)/.exec(location.hash)?.[1] ?? "*";
  document.documentElement.lang = htmlLang(lang);
  const here = lang;
  void loadStrings(new URL(".", import.meta.url).href, here).then(() => (full.textContent = say(here, "embed.full")));
  player.lang = lang;
  if (place) open(place);
}

function open(place: Place): void {
  if (place.theme) document.documentElement.dataset["theme"] = place.theme;
  player.theme = place.theme ?? null;
  player.settings = place.settings;
  player.view = place.view ?? null;
  player.field = place.field ?? null;
  player.step = place.step ?? null;
  player.end = place.end ?? null;
  player.scenario = place.scenario ?? null;
  player.src = place.src ?? null;
}

function link(): void {
  full.href = player.link || `${lang}/lab/`;
}

function tell(event: string, detail: object): void {
  if (parent !== window) parent.postMessage({ bootpath: 1, event, ...detail }, origin === "*" ? "*" : decodeURIComponent(origin));
}

/** What of an element's event goes to the page around: little, and nothing of the image. */
function worth(type: string, d: Detail): object {
  switch (type) {
    case "stepchange": return { position: d.position, steps: player.steps.length };
    case "outcome": return { outcome: d.outcome };
    case "error": return { title: d.title, message: d.message };
    default: return {};
  }
}

function obey(m: Command): void {
  switch (m.do) {
    case "seek": if (typeof m.step === "number") player.seek(m.step); return;
    case "play": return player.play();
    case "pause": return player.pause();
    case "open": if (typeof m.src === "string" || typeof m.scenario === "string") open({ src: m.src, scenario: m.scenario, settings: m.settings ?? {} }); return;
    case "run": if (typeof m.settings === "object") void player.run(m.settings); return;
  }
}

// Before the element begins to speak; the other script defines it.
player.setAttribute("lang", langOf(decode(location.hash)?.lang ?? navigator.language));

await customElements.whenDefined("boot-path");
for (const type of ["ready", "stepchange", "outcome", "error"]) {
  player.addEventListener(type, (e) => {
    link();
    tell(type, worth(type, (e as CustomEvent<Detail>).detail));
  });
}
addEventListener("hashchange", show);
addEventListener("message", (e: MessageEvent<Command | null>) => {
  if (e.source !== parent || e.data?.bootpath !== 1) return;
  if (origin === "*" || e.origin === decodeURIComponent(origin)) obey(e.data);
});
show();
link();
// Narrow frames need more height, since their parts stand below one another. It does not follow the text of each
// step: a page around should not jump while its reader steps. The page's frame.js obeys.
new ResizeObserver(([e]) => tell("resize", { height: (e?.contentRect.width ?? 0) < 480 ? 680 : 620 })).observe(document.body);
