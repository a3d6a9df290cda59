// What a learner has done, kept in this browser. Each fact is a row of its own that is written once, so tabs that
// are open side by side lose nothing of each other; each hears what the others have written.
import { unkept, within, type Unkept } from "./database";

export interface Progress {
  lessons: { [name: string]: string }; // the day on which the last question was answered, YYYY-MM-DD
  answers: { [question: string]: boolean }; // "LESSON/QUESTION", true: answered rightly
  exercises: { [exercise: string]: boolean }; // "SAMPLE/SEED" or "SAMPLE/next/KIND": right at the first try
}

export const noProgress = (): Progress => ({ lessons: {}, answers: {}, exercises: {} });

/** What is kept; nothing in a browser that refuses to keep anything. */
export async function remembered(): Promise<Progress> {
  const progress = noProgress();
  const rows = await within("readonly", ["progress"], async (t) => {
    const store = t.objectStore("progress");
    const [keys, values] = await Promise.all([store.getAllKeys(), store.getAll()]);
    return keys.map((key, i) => [key, values[i]] as const);
  }).catch(() => []);
  for (const [key, value] of rows) {
    const [, what, name = ""] = /^(\w+)\/(.+)$/.exec(key) ?? [];
    if (what === "lessons" && typeof value === "string") progress.lessons[name] = value;
    else if ((what === "answers" || what === "exercises") && typeof value === "boolean") progress[what][name] = value;
  }
  return progress;
}

/** Writes what is new; of what was written before the first stays. It tells when it could not be kept, and why. */
export async function note(news: Partial<Progress>): Promise<Unkept | null> {
  try {
    await write(news);
    return null;
  } catch (e) {
    return unkept(e);
  }
}

/** As note, but throws what prevents it. */
export async function write(news: Partial<Progress>): Promise<void> {
  await within("readwrite", ["progress"], async (t) => {
    const store = t.objectStore("progress");
    for (const [what, facts] of Object.entries(news)) {
      for (const [name, value] of Object.entries(facts)) {
        const key = `${what}/${name}`;
        if ((await store.getKey(key)) === undefined) await store.put(value, key);
      }
    }
  });
  tell();
}

export async function forget(): Promise<void> {
  await within("readwrite", ["progress"], (t) => t.objectStore("progress").clear()).catch(() => undefined);
  tell();
}

const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("bootpath-progress");
const tell = () => channel?.postMessage("changed");

/** Calls back with what is kept when another tab has changed it. */
export function onElsewhere(changed: (now: Progress) => void): void {
  channel?.addEventListener("message", () => void remembered().then(changed));
}
