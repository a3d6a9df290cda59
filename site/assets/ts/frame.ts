// frame.js, for pages that embed frames: gives each frame of this site the height that it asks for.
const home = new URL(".", document.currentScript instanceof HTMLScriptElement ? document.currentScript.src : location.href);

addEventListener("message", (e: MessageEvent<{ bootpath?: number; event?: string; height?: number } | null>) => {
  const m = e.data;
  if (e.origin !== home.origin || m?.bootpath !== 1 || m.event !== "resize" || typeof m.height !== "number") return;
  for (const frame of document.querySelectorAll("iframe")) {
    if (frame.contentWindow === e.source) frame.style.height = `${Math.min(Math.max(m.height, 240), 1200)}px`;
  }
});
