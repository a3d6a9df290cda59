// What this browser keeps, in one IndexedDB database that pages and the engine share (wasm/library.go opens the same
// version and makes the same stores):
//
//	entries    an image's key → its LibraryEntry as JSON
//	slices     the same key → its bytes
//	progress   "lessons/NAME", "answers/LESSON/QUESTION" or "exercises/EXERCISE" → what progress.ts has
//
// It is open only as long as something is read or written, so no tab stands in the way of another.
import { openDB, type DBSchema, type IDBPTransaction } from "idb";

interface Schema extends DBSchema {
  entries: { key: string; value: string };
  slices: { key: string; value: Uint8Array };
  progress: { key: string; value: string | boolean };
}

export const databaseName = "bootpath";
const version = 2;
const stores = ["entries", "slices", "progress"] as const;
type Store = (typeof stores)[number];

/** Runs work in one transaction over some of the stores, and waits until it is written. */
export async function within<T, M extends IDBTransactionMode>(mode: M, names: Store[], work: (t: IDBPTransaction<Schema, Store[], M>) => Promise<T>): Promise<T> {
  const db = await openDB<Schema>(databaseName, version, {
    upgrade: (db) => {
      for (const s of stores) if (!db.objectStoreNames.contains(s)) db.createObjectStore(s);
    },
    blocking: (_now, _wanted, e) => (e.target as IDBDatabase).close(), // another tab deletes or renews it
  });
  try {
    const t = db.transaction(names, mode);
    const [result] = await Promise.all([work(t), t.done]);
    return result;
  } finally {
    db.close();
  }
}

/** How many images are in the library. */
export const imagesKept = (): Promise<number> => within("readonly", ["entries"], (t) => t.objectStore("entries").count());

/** Why something was not kept: there is no more room, or this browser keeps nothing (private windows, blocked storage). */
export type Unkept = "full" | "refused";

export const unkept = (e: unknown): Unkept => (e instanceof DOMException && e.name === "QuotaExceededError" ? "full" : "refused");
