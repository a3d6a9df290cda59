// The files beside the script: samples, sentences, traces, the engine. The one-file page, which may fetch
// nothing, carries them in <script type="text/plain" data-file="PATH"> as gzip in base64.

/** True in the one-file page. */
export const inlined = typeof document !== "undefined" && document.querySelector("script[data-file]") !== null;

export async function asset(base: string, path: string): Promise<Response> {
  if (!inlined) return fetch(new URL(path, base));
  const text = document.querySelector(`script[data-file="${CSS.escape(path)}"]`)?.textContent;
  if (!text) return new Response(null, { status: 404 });
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip")));
}
