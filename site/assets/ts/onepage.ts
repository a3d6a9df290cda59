// A start saved as one page: bootpath.html with the image's slice and the place inside (onefile.ts opens it).
import type { Place } from "./place";

async function gzip(bytes: Uint8Array): Promise<string> {
  const packed = new Response(new Blob([bytes as BlobPart]).stream().pipeThrough(new CompressionStream("gzip")));
  const url = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error("the slice cannot be read"));
    void packed.blob().then((b) => reader.readAsDataURL(b));
  });
  return url.slice(url.indexOf(",") + 1);
}

/** template is the text of bootpath.html; name is the image's. */
export async function onePage(template: string, name: string, place: Place, slice: Uint8Array): Promise<string> {
  const mark = "<!--start-->";
  if (!template.includes(mark)) throw new Error(`bootpath.html has no place for a start: ${mark}`);
  const start = JSON.stringify({ name, place }).replaceAll("<", "\\u003c");
  const inside = `<script type="application/json" id="start">${start}</script>\n<script type="text/plain" data-file="start.slice">${await gzip(slice)}</script>`;
  return template.replace(mark, () => mark + inside); // the mark stays: a saved page can be saved again
}
