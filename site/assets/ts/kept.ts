// What this browser keeps of the site: images opened before (the engine's library, as slices), progress in the
// course and exercises, settings. It can be saved as one file, taken in again, and deleted at once.
import { strFromU8, strToU8, unzipSync, zipSync, type Unzipped } from "fflate";
import { deleteDB } from "idb";
import { databaseName, unkept, within } from "./database";
import { forget, remembered, write, type Progress } from "./progress";
import type { LibraryEntry } from "./wire.gen";

const settings = /^bootpath-/; // keys of localStorage

interface Kept {
  images: { entry: LibraryEntry; slice: Uint8Array }[];
  progress: Progress;
  settings: { [key: string]: string };
}

async function images(): Promise<Kept["images"]> {
  return within("readonly", ["entries", "slices"], async (t) => {
    const keys = await t.objectStore("entries").getAllKeys();
    const all = await Promise.all(keys.map(async (key) => ({ entry: await t.objectStore("entries").get(key), slice: await t.objectStore("slices").get(key) })));
    return all.flatMap(({ entry, slice }) => (entry && slice ? [{ entry: JSON.parse(entry) as LibraryEntry, slice }] : []));
  });
}

export async function kept(): Promise<Kept> {
  const own = Object.fromEntries(Object.entries(localStorage).filter(([k]) => settings.test(k))) as { [key: string]: string };
  return { images: await images(), progress: await remembered(), settings: own };
}

/** One zip: index.json and the slices that it names. */
export function pack(k: Kept): Uint8Array {
  const index = { bootpath: 1, images: k.images.map(({ entry }, i) => ({ entry, file: `${i}.slice` })), progress: k.progress, settings: k.settings };
  const slices = Object.fromEntries(k.images.map(({ slice }, i) => [`${i}.slice`, slice]));
  return zipSync({ "index.json": strToU8(JSON.stringify(index)), ...slices }, { level: 6 });
}

/** The opposite of pack; throws what is wrong with the file. */
export function unpack(file: Uint8Array): Kept {
  const files: Unzipped = unzipSync(file);
  const text = files["index.json"];
  const index = text ? (JSON.parse(strFromU8(text)) as { bootpath?: number; images?: { entry: LibraryEntry; file: string }[]; progress?: Partial<Progress>; settings?: Kept["settings"] }) : {};
  if (index.bootpath !== 1) throw new Error("index.json: version 1 of bootpath's own format is wanted");
  return {
    images: (index.images ?? []).flatMap(({ entry, file }) => (files[file] && typeof entry?.key === "string" ? [{ entry, slice: files[file] }] : [])),
    progress: { lessons: index.progress?.lessons ?? {}, answers: index.progress?.answers ?? {}, exercises: index.progress?.exercises ?? {} },
    settings: Object.fromEntries(Object.entries(index.settings ?? {}).filter(([k, v]) => settings.test(k) && typeof v === "string")),
  };
}

export async function take(k: Kept): Promise<void> {
  await within("readwrite", ["entries", "slices"], async (t) => {
    for (const { entry, slice } of k.images) {
      await t.objectStore("entries").put(JSON.stringify(entry), entry.key);
      await t.objectStore("slices").put(slice, entry.key);
    }
  });
  await write(k.progress);
  for (const [key, value] of Object.entries(k.settings)) localStorage.setItem(key, value);
}

/** Deletes all of it, also the copy of the site for reading without a network. */
export async function deleteAll(): Promise<void> {
  await forget();
  await deleteDB(databaseName, { blocked: () => undefined }); // a tab that writes at this moment closes it first
  for (const key of Object.keys(localStorage)) if (settings.test(key)) localStorage.removeItem(key);
  for (const key of await caches.keys()) if (key.startsWith("bootpath")) await caches.delete(key);
  for (const r of await navigator.serviceWorker?.getRegistrations() ?? []) await r.unregister();
}

// ---- the section of the reference page ------------------------------------------------------------------

const section = document.querySelector<HTMLElement>("#kept");

async function show(section: HTMLElement): Promise<void> {
  const k = await kept();
  const list = section.querySelector("ul");
  list?.replaceChildren(...k.images.map(({ entry, slice }) => {
    const li = document.createElement("li");
    li.textContent = `${entry.origin.name} · ${(slice.length / 1024).toFixed(0)} KiB`;
    return li;
  }));
  const lessons = section.querySelector<HTMLElement>("[data-lessons]");
  if (lessons) lessons.textContent = (lessons.dataset["lessons"] ?? "").replace("{images}", String(k.images.length)).replace("{lessons}", String(Object.keys(k.progress.lessons).length));
}

function act(section: HTMLElement): void {
  const said = section.querySelector<HTMLElement>("[role=status]");
  const tell = (key: string, message = "") => {
    if (said) said.textContent = (section.dataset[key] ?? "").replace("{message}", message);
  };
  const doing = (work: () => Promise<void>, done: string) => async () => {
    try {
      await work();
      tell(done);
    } catch (e) {
      if (unkept(e) === "full") tell("full");
      else tell("failed", e instanceof Error ? e.message : String(e));
    }
    await show(section);
  };
  section.querySelector("[data-do=save]")?.addEventListener("click", doing(async () => {
    const a = document.createElement("a");
    a.href = URL.createObjectURL(new Blob([pack(await kept()) as BlobPart], { type: "application/zip" }));
    a.download = "bootpath-kept.zip";
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 10_000);
  }, "saved"));
  section.querySelector("[data-do=delete]")?.addEventListener("click", doing(deleteAll, "deleted"));
  const input = section.querySelector<HTMLInputElement>("input[type=file]");
  input?.addEventListener("change", doing(async () => {
    const file = input.files?.[0];
    if (file) await take(unpack(new Uint8Array(await file.arrayBuffer())));
    input.value = "";
  }, "taken"));
}

if (section) {
  section.hidden = false;
  act(section);
  void show(section).catch(() => undefined); // a browser that keeps nothing has nothing to show
}
