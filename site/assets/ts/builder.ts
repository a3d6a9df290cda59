// The widget builder of the embed page: choices in, a snippet and its preview out.
const form = document.querySelector<HTMLFormElement>("form.builder");

function attribute(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
}

/** The element or frame of the choices, as HTML to paste. */
export function snippet(home: string, chosen: { [name: string]: string }, title: string): string {
  const place = Object.entries(chosen).filter(([, v]) => v !== "");
  if (chosen["form"] === "element") {
    const attributes = place.filter(([k]) => k !== "form").map(([k, v]) => ` ${k}="${attribute(v)}"`);
    return `<script type="module" src="${home}bootpath.js"></script>\n<boot-path${attributes.join("")} style="height: 600px"></boot-path>`;
  }
  return `<iframe src="${attribute(address(home, chosen))}"\n        title="${attribute(title)}" width="100%" height="620" style="border: 0" loading="lazy"></iframe>\n<script src="${home}frame.js" async></script>`;
}

function address(home: string, chosen: { [name: string]: string }): string {
  const parts = Object.entries(chosen).filter(([k, v]) => k !== "form" && v !== "").map(([k, v]) => `${k}=${encodeURIComponent(v)}`);
  return `${home}embed.html#${["v1", ...parts].join("&")}`;
}

function update(form: HTMLFormElement): void {
  const data = new FormData(form);
  const [kind = "src", name = ""] = String(data.get("what")).split("=");
  const chosen: { [name: string]: string } = { [kind]: name };
  for (const field of ["step", "view", "lang", "theme", "form"]) chosen[field] = String(data.get(field) ?? "").trim();
  const home = new URL(form.dataset["home"] ?? ".", location.href).href;
  const selected = form.querySelector<HTMLSelectElement>("[name=what]")?.selectedOptions[0]?.textContent ?? "";
  const code = form.querySelector("code");
  if (code) code.textContent = snippet(home, chosen, (form.dataset["frameTitle"] ?? "").replace("{title}", selected));
  const frame = form.querySelector("iframe");
  const preview = address(home, chosen);
  if (frame && frame.src !== preview) frame.src = preview;
}

if (form) {
  form.addEventListener("input", () => update(form));
  form.addEventListener("submit", (e) => e.preventDefault());
  form.querySelector<HTMLButtonElement>(".snippet button")?.addEventListener("click", async (e) => {
    const button = e.currentTarget as HTMLButtonElement;
    await navigator.clipboard.writeText(form.querySelector("code")?.textContent ?? "");
    const label = button.textContent;
    button.textContent = button.dataset["copied"] ?? "";
    setTimeout(() => (button.textContent = label), 1500);
  });
  update(form);
}
