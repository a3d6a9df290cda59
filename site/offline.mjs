// What makes the built site work without a network:  node offline.mjs DIST
//
//	sw.js                 the service worker, with the list of files and their hashes
//	bootpath.html         the Lab as one file: scripts, fonts, samples, sentences and engine inside
//	bootpath-offline.zip  the whole site, for any static server
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { assemble } from "./assets/sw/assemble.mjs";

const limit = 20e6; // bytes that no file may exceed
const dist = process.argv[2];
const made = ["sw.js", "bootpath.html", "bootpath-offline.zip"];

const walk = (dir) => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(join(dir, e.name)) : [relative(dist, join(dir, e.name))]));
const read = (path) => readFileSync(join(dist, path));

for (const name of made.slice(1)) rmSync(join(dist, name), { force: true });
const all = walk(dist).filter((p) => !made.includes(p)).sort();
/** What is kept for reading without a network: not the parts of runs, which are there whole (assets/ts/ready.ts). */
const paths = all.filter((p) => !/^traces\/(first|part|view|values)\//.test(p));

const hashes = Object.fromEntries(paths.map((p) => [p, createHash("sha256").update(read(p)).digest("hex").slice(0, 16)]));
const worker = read("sw.js").toString().replace(/^self\.bootpath=.*;\n/, "");
writeFileSync(join(dist, "sw.js"), `self.bootpath=${JSON.stringify({ files: hashes })};\n${worker}`);

writeFileSync(join(dist, "bootpath.html"), await assemble(paths, {
  text: async (path) => read(path).toString(),
  base64: async (path) => read(path).toString("base64"),
  packed: async (path) => (path.endsWith(".pack") ? read(path) : gzipSync(read(path), { level: 9 })).toString("base64"),
}));

const archive = zipSync(Object.fromEntries([...paths, "sw.js"].map((p) => [`bootpath/${p}`, new Uint8Array(read(p))])), { level: 9, mtime: "1980-01-01" });
writeFileSync(join(dist, "bootpath-offline.zip"), archive);

for (const p of [...all, ...made]) {
  const { size } = statSync(join(dist, p));
  if (size > limit) throw new Error(`${p}: ${size} bytes, limit ${limit}`);
}
