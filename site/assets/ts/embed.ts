// embed.html: a <boot-path> in a frame. Its state is in the frame's own hash; it never registers a service
// worker. Messages to and from the parent carry { bootpath: 1 }:
//
//	parent → frame   { bootpath: 1, do: "seek", step }, { bootpath: 1, do: "play" | "pause" }
//	frame → parent   { bootpath: 1, event: "ready" | "stepchange" | "outcome", … }
import type { BootPath } from "./boot-path";
import { decode } from "./place";
import { langOf, say, type Lang } from "./words";

const player = document.querySelector("boot-path") as BootPath;
const full = document.querySelector("a") as HTMLAnchorElement;
let lang: Lang = "en";

function show(): void {
  const place = decode(location.hash);
  lang = langOf(place?.lang ?? navigator.language);
  document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
  full.textContent = say(lang, "embed.full");
  player.lang = lang;
  if (!place) return;
  if (place.theme) document.documentElement.dataset["theme"] = place.theme;
  player.theme = place.theme ?? null;
  player.settings = place.settings;
  player.view = place.view ?? null;
  player.step = place.step ?? null;
  player.scenario = place.scenario ?? null;
  player.src = place.src ?? null;
}

function link(): void {
  full.href = player.link || `${lang}/lab/`;
}

const tell = (event: string, detail: object) => {
  if (parent !== window) parent.postMessage({ bootpath: 1, event, ...detail }, "*"); // nothing in it is secret
};

await customElements.whenDefined("boot-path");
for (const type of ["ready", "stepchange", "outcome"]) {
  player.addEventListener(type, (e) => {
    link();
    const d = (e as CustomEvent<{ position?: number; outcome?: object }>).detail;
    tell(type, type === "stepchange" ? { position: d.position } : type === "outcome" ? { outcome: d.outcome } : {});
  });
}
addEventListener("hashchange", show);
addEventListener("message", (e: MessageEvent<{ bootpath?: number; do?: string; step?: number } | null>) => {
  const m = e.data;
  if (e.source !== parent || m?.bootpath !== 1) return;
  if (m.do === "seek" && typeof m.step === "number") player.seek(m.step);
  else if (m.do === "play") player.play();
  else if (m.do === "pause") player.pause();
});
show();
link();
