// The search of the site: an index made when the site was built, searched in the page.
import MiniSearch, { type SearchResult } from "minisearch";

interface Entry {
  url: string; // from the root of the site
  page: string;
  title: string;
  text: string;
}

const dialog = document.querySelector<HTMLDialogElement>("#search");
const button = document.querySelector<HTMLButtonElement>("#search-open");
const field = dialog?.querySelector("input");
const list = dialog?.querySelector("ol");
const none = dialog?.querySelector<HTMLElement>("[role=status]");
const root = new URL(document.documentElement.dataset["root"] ?? ".", location.href);
const lang = document.documentElement.lang;

/** Words of a text: Chinese has no spaces, so the browser's own segmenter cuts it where there is one. */
const segmenter = "Segmenter" in Intl ? new Intl.Segmenter(lang, { granularity: "word" }) : null;
const words = (text: string): string[] =>
  segmenter ? [...segmenter.segment(text)].filter((s) => s.isWordLike).map((s) => s.segment) : text.split(/[^\p{L}\p{N}_./-]+/u);

let index: Promise<MiniSearch<Entry>> | null = null;

async function load(): Promise<MiniSearch<Entry>> {
  const r = await fetch(new URL(`search.${lang.startsWith("zh") ? "zh" : "en"}.json`, root));
  const entries = (await r.json()) as Entry[];
  const search = new MiniSearch<Entry>({
    idField: "url", fields: ["title", "page", "text"], storeFields: ["page", "title", "text"], tokenize: words,
    searchOptions: { boost: { title: 4, page: 2 }, prefix: true, fuzzy: (term) => (term.length > 4 && /^[a-z]/i.test(term) ? 0.2 : false), combineWith: "AND" },
  });
  search.addAll(entries);
  return search;
}

/** The text around the first hit. */
function excerpt(text: string, terms: readonly string[]): string {
  const lower = text.toLowerCase();
  const at = Math.min(...terms.map((t) => lower.indexOf(t.toLowerCase())).filter((i) => i >= 0), text.length);
  const from = at === text.length ? 0 : Math.max(0, at - 40);
  return (from > 0 ? "…" : "") + text.slice(from, from + 130).trim() + (from + 130 < text.length ? "…" : "");
}

function item(hit: SearchResult): HTMLLIElement {
  const li = document.createElement("li");
  const a = li.appendChild(document.createElement("a"));
  a.href = new URL(hit.id as string, root).href;
  a.appendChild(document.createElement("b")).textContent = hit["title"] || hit["page"];
  if (hit["title"]) a.appendChild(document.createElement("span")).textContent = hit["page"];
  a.appendChild(document.createElement("p")).textContent = excerpt(hit["text"], hit.terms);
  return li;
}

async function search(): Promise<void> {
  if (!field || !list || !none) return;
  const query = field.value.trim();
  const found = query ? (await (index ??= load())).search(query).slice(0, 12) : [];
  if (query !== field.value.trim()) return; // typed on meanwhile
  list.replaceChildren(...found.map(item));
  none.textContent = query && found.length === 0 ? (none.dataset["none"] ?? "").replace("{query}", query) : "";
}

function open(): void {
  dialog?.showModal();
  field?.select();
  void (index ??= load()).catch(() => (index = null));
}

button?.addEventListener("click", open);
field?.addEventListener("input", () => void search());
field?.addEventListener("keydown", (e) => {
  if (e.key === "ArrowDown") list?.querySelector("a")?.focus();
  else if (e.key === "Enter") list?.querySelector("a")?.click();
  else return;
  e.preventDefault();
});
list?.addEventListener("keydown", (e) => {
  const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
  if (step === 0) return;
  e.preventDefault();
  const links = [...list.querySelectorAll("a")];
  const next = links[links.indexOf(document.activeElement as HTMLAnchorElement) + step];
  (next ?? (step < 0 ? field : null))?.focus();
});
list?.addEventListener("click", () => dialog?.close());
dialog?.addEventListener("click", (e) => e.target === dialog && dialog.close());
document.addEventListener("keydown", (e) => {
  if ((e.key === "k" && (e.ctrlKey || e.metaKey)) || (e.key === "/" && e.target === document.body)) {
    e.preventDefault();
    open();
  }
});
