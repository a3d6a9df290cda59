// The Lab page: one <boot-path>, its place kept in the URL hash, and the whole window as a drop zone.
// It uses the element as any other page would.
import type { BootPath } from "./boot-path";
import { dropped } from "./dropped";
import { decode, encode } from "./place";

const player = document.querySelector("boot-path") as BootPath;
let source: string | undefined;
let timer = 0;

function show(): void {
  const place = decode(location.hash);
  if (!place) return;
  source = place.src;
  player.settings = place.settings;
  player.off = place.off ?? {};
  if (place.step) player.step = place.step;
  if (place.view) player.view = place.view;
  player.field = place.field ?? null;
  player.scenario = place.scenario ?? null;
  if (place.src) player.src = place.src;
}

/** Browsers limit how often the address may change; dragging along the rail changes the step much faster. */
function remember(): void {
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    const link = player.link;
    const hash = link ? new URL(link).hash : source ? `#${encode({ src: source, settings: player.settings, off: player.off })}` : "";
    if (hash !== location.hash) history.replaceState(null, "", hash || location.pathname);
  }, 300);
}

for (const type of ["ready", "stepchange", "outcome", "viewchange"]) player.addEventListener(type, remember);
addEventListener("hashchange", show);
for (const type of ["dragover", "drop"] as const) {
  document.addEventListener(type, (e) => {
    if (e.defaultPrevented || !e.dataTransfer?.types.includes("Files")) return;
    e.preventDefault();
    if (type !== "drop") return;
    void dropped(e.dataTransfer).then((parts) => {
      if (parts.length === 0) return;
      player.settings = {};
      player.off = {};
      void player.open(parts);
    });
  });
}
await customElements.whenDefined("boot-path");
show();
