// A view as a picture: what its shadow tree shows, with its styles, inside an SVG that any browser draws.

/** The element's rendered content as SVG, in the colours that it has now. */
export function svgOf(element: HTMLElement): { svg: string; width: number; height: number } {
  const root = element.shadowRoot;
  const width = Math.ceil(Math.max(element.clientWidth, ...[...(root?.children ?? [])].map((c) => c.scrollWidth)));
  const height = Math.ceil(element.scrollHeight);
  const sheets = (root?.adoptedStyleSheets ?? []).map((s) => [...s.cssRules].map((r) => r.cssText).join("\n")).join("\n").replace(/:host\(([^)]*)\)/g, ".host$1").replaceAll(":host", ".host");
  const dark = getComputedStyle(element).getPropertyValue("color-scheme");
  const box = document.createElement("div");
  box.className = "host";
  box.setAttribute("style", `color-scheme: ${dark.includes("light") && dark.includes("dark") ? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") : dark}; background: var(--paper); width: ${width}px; min-height: ${height}px`);
  for (const child of root?.childNodes ?? []) if (!(child instanceof HTMLStyleElement)) box.append(child.cloneNode(true));
  const style = document.createElement("style");
  style.textContent = sheets;
  box.prepend(style);
  const body = new XMLSerializer().serializeToString(box).replace(/<!--.*?-->/gs, "");
  return { width, height, svg: `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><foreignObject width="100%" height="100%">${body}</foreignObject></svg>` };
}

/** The same as PNG, twice as fine. */
export async function pngOf(element: HTMLElement): Promise<Blob> {
  const { svg, width, height } = svgOf(element);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = new OffscreenCanvas(width * 2, height * 2);
  const draw = canvas.getContext("2d");
  if (!draw) throw new Error("this browser draws no canvas");
  draw.scale(2, 2);
  draw.drawImage(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
