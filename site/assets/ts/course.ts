// What the lessons add to their pages: answers to questions, and which lessons are done. Nothing leaves the
// browser; one that keeps nothing forgets when the page is closed.
import { forget, remember, remembered, type Progress } from "./progress";

const progress: Progress = await remembered();

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

/** A lesson is done when each of its questions was answered rightly once. */
async function answered(form: HTMLFormElement): Promise<void> {
  const lesson = form.closest<HTMLElement>("article[data-lesson]");
  const name = lesson?.dataset["lesson"];
  if (!lesson || !name) return;
  progress.answers[`${name}/${form.dataset["ask"]}`] = true;
  const all = [...lesson.querySelectorAll<HTMLFormElement>("form.ask")];
  if (all.every((f) => progress.answers[`${name}/${f.dataset["ask"]}`])) progress.lessons[name] ??= new Date().toISOString().slice(0, 10);
  mark();
  await remember(progress);
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

document.querySelector("#course-forget")?.addEventListener("click", () => {
  progress.lessons = {};
  progress.answers = {};
  progress.exercises = {};
  mark();
  void forget();
});

mark();
