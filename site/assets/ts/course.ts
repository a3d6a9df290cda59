// What the lessons add to their pages: answers to questions, and which lessons are done. Nothing leaves the
// browser; one that keeps nothing forgets when the page is closed.
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
