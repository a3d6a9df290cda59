// Parts of the page that need no browser, bundled as the page bundles them.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../../", import.meta.url));

export async function load(module) {
  const ui = { name: "ui", setup: (b) => b.onResolve({ filter: /\/ui\/[a-z]+\.json$/ }, (a) => ({ path: `${root}content/ui/${a.path.split("/").at(-1)}` })) };
  const out = await build({ entryPoints: [`${root}site/assets/ts/${module}.ts`], bundle: true, format: "esm", write: false, plugins: [ui], target: "es2022" });
  return import(`data:text/javascript;base64,${Buffer.from(out.outputFiles[0].contents).toString("base64")}`);
}
