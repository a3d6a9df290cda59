// What every page of the site has: the theme switch, a language switch that keeps the place, and the service
// worker that makes the next visit work without a network.
const themes = ["auto", "light", "dark"] as const;
const root = document.documentElement;
const button = document.querySelector<HTMLButtonElement>("#theme");

function current(): (typeof themes)[number] {
  const t = root.dataset["theme"];
  return t === "light" || t === "dark" ? t : "auto";
}

function label(): void {
  if (!button) return;
  const text = button.dataset[current()] ?? "";
  button.title = text;
  button.setAttribute("aria-label", text);
}

button?.addEventListener("click", () => {
  const next = themes[(themes.indexOf(current()) + 1) % themes.length] ?? "auto";
  if (next === "auto") delete root.dataset["theme"];
  else root.dataset["theme"] = next;
  try {
    localStorage.setItem("bootpath-theme", next);
  } catch {
    // A browser that stores nothing shows the theme of the system next time.
  }
  label();
});
label();

for (const a of document.querySelectorAll<HTMLAnchorElement>("a[data-lang]")) {
  a.addEventListener("click", () => {
    a.hash = location.hash;
    try {
      localStorage.setItem("bootpath-lang", a.dataset["lang"] ?? "");
    } catch {
      // The choice then lasts for this visit.
    }
  });
}

/** Offers the newer version; the page that is open goes on with its own until it is asked. */
function offer(registration: ServiceWorkerRegistration): void {
  const notice = document.querySelector<HTMLElement>("#update");
  if (!notice || !registration.waiting || !navigator.serviceWorker.controller) return;
  notice.hidden = false;
  notice.querySelector("button")?.addEventListener("click", () => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    registration.waiting?.postMessage("use");
  });
}

async function keepOffline(): Promise<void> {
  const script = new URL("sw.js", new URL(root.dataset["root"] ?? ".", location.href));
  const registration = await navigator.serviceWorker.register(script);
  offer(registration);
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", () => offer(registration));
  });
}

// Not before the page has what it needs itself; a browser without service workers goes on with the network.
if ("serviceWorker" in navigator && isSecureContext) addEventListener("load", () => void keepOffline().catch(() => undefined));
