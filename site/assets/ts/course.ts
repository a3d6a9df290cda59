// What the lessons add to their pages: answers to questions, and which lessons are done. Nothing leaves the
// browser; one that keeps nothing forgets when the page is closed.
import type { BootPath } from "./boot-path";
import { decode, type Place } from "./place";
import { forget, noProgress, note, onElsewhere, remembered, type Progress } from "./progress";

let progress: Progress = await remembered();

function mark(): void {
  const items = document.querySelectorAll<HTMLElement>("li[data-lesson]");
  for (const li of items) li.classList.toggle("done", progress.lessons[li.dataset["lesson"] ?? ""] !== undefined);
  const line = document.querySelector<HTMLElement>("#course-progress");
  if (!line) return;
  const done = Object.keys(progress.lessons).length;
  line.textContent = done === 0 ? line.dataset["none"] ?? "" : (line.dataset["some"] ?? "").replace("{n}", String(done)).replace("{of}", String(items.length));
  const button = document.querySelector<HTMLButtonElement>("#course-forget");
  if (button) button.hidden = done === 0;
}

/** A lesson is done when each of its questions was answered rightly once, in this tab or in another. */
async function answered(form: HTMLFormElement): Promise<void> {
  const lesson = form.closest<HTMLElement>("article[data-lesson]");
  const name = lesson?.dataset["lesson"];
  if (!lesson || !name) return;
  const question = (f: HTMLFormElement) => `${name}/${f.dataset["ask"]}`;
  let problem = await note({ answers: { [question(form)]: true } });
  Object.assign(progress.answers, (await remembered()).answers, { [question(form)]: true });
  if ([...lesson.querySelectorAll<HTMLFormElement>("form.ask")].every((f) => progress.answers[question(f)])) {
    progress.lessons[name] ??= new Date().toISOString().slice(0, 10);
    problem = (await note({ lessons: { [name]: progress.lessons[name] } })) ?? problem;
  }
  mark();
  const output = form.querySelector("output");
  if (output && problem) output.textContent += ` ${form.dataset[problem] ?? ""}`;
}

for (const form of document.querySelectorAll<HTMLFormElement>("form.ask")) {
  const output = form.querySelector("output");
  const why = form.querySelector("details");
  form.addEventListener("submit", (e) => e.preventDefault());
  form.addEventListener("change", (e) => {
    const chosen = e.target as HTMLInputElement;
    const right = chosen.dataset["right"] !== undefined;
    for (const label of form.querySelectorAll("label")) label.classList.remove("right", "wrong");
    chosen.closest("label")?.classList.add(right ? "right" : "wrong");
    if (output) output.textContent = (right ? form.dataset["right"] : form.dataset["wrong"]) ?? "";
    if (!right) return;
    if (why) why.open = true;
    void answered(form);
  });
}

/** The start inside this lesson that a mark's place is in: the nearest one. */
function startOf(mark: Element, place: Place): BootPath | undefined {
  const at = mark.getBoundingClientRect();
  const away = (p: Element) => { const r = p.getBoundingClientRect(); return Math.max(r.top - at.bottom, at.top - r.bottom); };
  const same = [...document.querySelectorAll<BootPath>("article boot-path")].filter((p) =>
    place.scenario ? p.getAttribute("scenario") === place.scenario : !p.hasAttribute("scenario") && p.getAttribute("src") === place.src);
  return same.sort((a, b) => away(a) - away(b))[0];
}

/** A mark moves the lesson's own start to its step; where the lesson has none of this run, its link opens the Lab. */
function follow(e: MouseEvent, mark: HTMLAnchorElement): void {
  const place = decode(mark.hash);
  const player = place && startOf(mark, place);
  const figure = player?.closest("figure");
  if (!place || !player || !figure || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
  e.preventDefault();
  if (place.view) {
    player.view = null; // the reader may have turned to another view since
    player.view = place.view;
  }
  player.field = place.field ?? null;
  player.step = place.step ?? null;
  for (const f of document.querySelectorAll(".sim.shown")) f.classList.remove("shown");
  figure.classList.add("shown");
  const { top, bottom } = player.getBoundingClientRect();
  if (top >= 0 && bottom <= innerHeight) return;
  history.replaceState(null, "", address(mark, "from")); // the browser's Back returns to the words
  location.hash = figure.id;
}

/** Gives the mark an address of its own, which another may have had before. */
function address(mark: HTMLElement, id: string): string {
  document.getElementById(id)?.removeAttribute("id");
  mark.id = id;
  return `#${id}`;
}

/** From a source there is a way back to the words that named it. */
function backTo(mark: HTMLAnchorElement): void {
  const source = document.querySelector(mark.hash);
  if (!source) return;
  const back = source.querySelector<HTMLAnchorElement>(".back") ?? source.appendChild(document.createElement("a"));
  back.className = "back";
  back.href = address(mark, `${source.id}-named`);
  back.textContent = "↩";
  back.ariaLabel = back.title = source.closest<HTMLElement>(".sources")?.dataset["back"] ?? "";
}

document.addEventListener("click", (e) => {
  const mark = (e.target as Element).closest<HTMLAnchorElement>(".proof a");
  if (mark?.matches(".source")) backTo(mark);
  else if (mark) follow(e, mark);
});

document.querySelector("#course-forget")?.addEventListener("click", () => {
  progress = noProgress();
  mark();
  void forget();
});

onElsewhere((now) => {
  progress = now;
  mark();
});

mark();
