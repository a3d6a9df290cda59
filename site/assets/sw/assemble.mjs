// bootpath.html, the Lab in one file, out of the site's files: its scripts, fonts, samples, sentences and engine stand
// inside onefile.html. The build does it (site/offline.mjs), and the service worker for a reader without a network.

/** Which files the page carries, of all that there are. */
export const carried = (paths) => paths.filter((p) => /^(engine|samples|traces|scenarios|i18n)\//.test(p));

/** A script's text as it may stand inside <script>. */
const inside = (script) => script.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");

/** Replaces what a pattern finds by what is worked out for it, one after another. */
async function replaced(text, pattern, work) {
  let out = "";
  let from = 0;
  for (const found of text.matchAll(pattern)) {
    out += text.slice(from, found.index) + (await work(found));
    from = found.index + found[0].length;
  }
  return out + text.slice(from);
}

/**
 * paths: the site's files. text and base64 give a file's content; packed gives it as gzip in base64, of what is
 * packed already (.pack) as it is.
 */
export async function assemble(paths, { text, base64, packed }) {
  const fonts = (css) => replaced(css, /url\("?\/?([^")]+\.woff2)"?\)/g, async ([, font]) => `url(data:font/woff2;base64,${await base64(font)})`);
  let page = await text("onefile.html");
  page = await replaced(page, /<link rel="?stylesheet"? href="?([^" >]+)"?>/g, async ([, href]) => `<style>${await fonts(await text(href))}</style>`);
  page = await replaced(page, /<!--files-->/g, async () => {
    const files = [];
    for (const path of carried(paths)) files.push(`<script type="text/plain" data-file="${path}">${await packed(path)}</script>`);
    return files.join("\n");
  });
  return replaced(page, /<script type="?module"? src="?([^" >]+)"?><\/script>/g, async ([, src]) => `<script type="module">${inside(await text(src))}</script>`);
}
