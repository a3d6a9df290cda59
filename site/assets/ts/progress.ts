// What a learner has done, kept in this browser: one record in a database of its own.
import { createStore, del, get, set, type UseStore } from "idb-keyval";

export interface Progress {
  lessons: { [name: string]: string }; // date of the day on which the last question was answered, YYYY-MM-DD
  answers: { [question: string]: true }; // "LESSON/QUESTION", answered rightly
  exercises: { [exercise: string]: boolean }; // "SAMPLE/SEED" or "SAMPLE/next/KIND": right at the first try
}

let store: UseStore | null = null;
const open = () => (store ??= createStore("bootpath-course", "progress"));

/** What is kept, or nothing: a browser may refuse to keep anything (private windows, blocked storage). */
export async function remembered(): Promise<Progress> {
  const kept = await attempt(() => get<Partial<Progress>>("progress", open()));
  return { lessons: kept?.lessons ?? {}, answers: kept?.answers ?? {}, exercises: kept?.exercises ?? {} };
}

export async function remember(p: Progress): Promise<void> {
  await attempt(() => set("progress", p, open()));
}

export async function forget(): Promise<void> {
  await attempt(() => del("progress", open()));
}

async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
  }
}
