// bootpath.html: the Lab in one file that opens from a folder. Both languages are inside; the place is kept in
// the hash. A page saved from the Lab carries its image as a slice in data-file="start.slice" and where to
// begin in #start.
import { asset } from "./assets";
import type { BootPath } from "./boot-path";
import { decode, type Place } from "./place";
import { htmlLang, langOf, type Lang } from "./words";

interface Start {
  name: string; // of the image
  place: Place;
}

const player = document.querySelector("boot-path") as BootPath;

function speak(lang: Lang): void {
  document.documentElement.lang = htmlLang(lang);
  player.lang = lang;
  for (const b of document.querySelectorAll<HTMLButtonElement>("[data-lang]")) b.setAttribute("aria-pressed", String(b.dataset["lang"] === lang));
}

function show(place: Place | null): void {
  if (!place) return;
  player.settings = place.settings;
  player.off = place.off ?? {};
  player.step = place.step ?? null;
  player.view = place.view ?? null;
  player.field = place.field ?? null;
  player.scenario = place.scenario ?? null;
  if (place.src) player.src = place.src;
}

for (const b of document.querySelectorAll<HTMLButtonElement>("[data-lang]")) b.addEventListener("click", () => speak(langOf(b.dataset["lang"])));
addEventListener("hashchange", () => show(decode(location.hash)));

await customElements.whenDefined("boot-path");
const start = JSON.parse(document.querySelector("#start")?.textContent ?? "null") as Start | null;
const place = decode(location.hash) ?? start?.place ?? null;
speak(langOf(place?.lang ?? navigator.language));
show(place);
if (start && !place?.src) {
  const slice = await (await asset("", "start.slice")).blob();
  await player.open(new File([slice], start.name));
}
