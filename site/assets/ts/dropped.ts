// What a hand lets go over the page or picks in a dialog: files that belong together, and the files of folders.

/** A file and its base name, or its path when it came in a folder. */
export interface Part {
  name: string;
  file: File;
}

// The engine refuses a folder of so many; no more are looked for.
const maxParts = 20_000;

/** The files of a drop. The browser shows its folders only until the event has been handled, so this is asked at once. */
export async function dropped(data: DataTransfer | null): Promise<Part[]> {
  const items = [...(data?.items ?? [])].filter((i) => i.kind === "file");
  const roots = items.map((i) => i.webkitGetAsEntry() ?? i.getAsFile());
  const parts: Part[] = [];
  for (const root of roots) {
    if (root instanceof File) parts.push({ name: root.name, file: root });
    else if (root) await collect(root, parts);
  }
  return parts;
}

async function collect(entry: FileSystemEntry, parts: Part[]): Promise<void> {
  if (parts.length > maxParts) return;
  if (entry.isFile) {
    const file = await new Promise<File>((ok, no) => (entry as FileSystemFileEntry).file(ok, no));
    parts.push({ name: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const some = () => new Promise<FileSystemEntry[]>((ok, no) => reader.readEntries(ok, no));
  // Each call gives the next hundred or so, and none at the end.
  for (let entries = await some(); entries.length > 0; entries = await some()) {
    for (const e of entries) await collect(e, parts);
  }
}

/** The files chosen in a dialog. */
export function chosen(files: FileList | null): Part[] {
  return [...(files ?? [])].map((file) => ({ name: file.webkitRelativePath || file.name, file }));
}

/** What people call these files: the folder that they came in, or the first. */
export function nameOf(parts: readonly Part[]): string {
  const first = parts[0]?.name ?? "";
  const folder = first.slice(0, first.indexOf("/") + 1);
  return folder && parts.every((p) => p.name.startsWith(folder)) ? folder.slice(0, -1) : first;
}
