// The gallery's box for a message from a terminal: the engine ranks what could have printed it, the cards on
// this page say what it means.
import { Engine } from "./engine";
import { areaOf, langOf, loadMessages, loadStrings, say } from "./words";
import type { Candidate } from "./wire.gen";

const base = new URL(".", import.meta.url).href;
const lang = langOf(document.documentElement.lang);
const form = document.querySelector("#paste") as HTMLFormElement;
const message = form.querySelector("textarea") as HTMLTextAreaElement;
const found = form.querySelector("#found") as HTMLElement;
const engine = new Engine(base);

function entry(c: Candidate, kinds: Awaited<ReturnType<typeof loadMessages>>): HTMLElement {
  const li = document.createElement("li");
  const card = c.scenario ? document.getElementById(c.scenario) : null;
  const title = card?.querySelector("h3")?.textContent ?? kinds[c.kind]?.title ?? c.kind;
  const name = document.createElement(card ? "a" : "b");
  name.textContent = title;
  if (card) name.setAttribute("href", `#${card.id}`);
  const line = document.createElement("span");
  line.textContent = c.known;
  line.lang = "en";
  li.append(name, line);
  return li;
}

async function find(): Promise<void> {
  const text = message.value.trim();
  if (!text) return;
  found.textContent = say(lang, "scenarios.finding");
  try {
    const candidates = await engine.recognise(text);
    const kinds = await loadMessages(base, lang, new Set(candidates.map((c) => areaOf(c.kind))));
    if (candidates.length === 0) {
      found.textContent = say(lang, "scenarios.none");
      return;
    }
    const list = document.createElement("ol");
    list.append(...candidates.map((c) => entry(c, kinds)));
    found.replaceChildren(list);
  } catch (e) {
    found.textContent = say(lang, "scenarios.failed", { message: e instanceof Error ? e.message : String(e) });
  }
}

await loadStrings(base, lang, "more");
form.hidden = false;
form.addEventListener("submit", (e) => {
  e.preventDefault();
  void find();
});
message.addEventListener("keydown", (e) => {
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
    e.preventDefault();
    void find();
  }
});
