// What every page of the site has: the theme switch, and a language switch that keeps the place.
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
