// Screenshots to be looked at:  node shots.mjs [--real | --site] [NAME…]
// With hand-written runs, or with the samples and the engine that are in dist/. --site makes the pictures that the
// site itself shows when it is installed (manifest.webmanifest).
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launch, newPage, out, serve, useFake } from "./browser.mjs";

const own = process.argv.includes("--site");
const real = own || process.argv.includes("--real");
const wanted = process.argv.slice(2).filter((a) => !a.startsWith("--"));
const folder = own ? fileURLToPath(new URL("../../site/static/", import.meta.url)) : out;
// Of a maskable icon only the middle is sure to be seen: a circle of 40 % (W3C App Manifest, section 5.5).
const icon = readFileSync(new URL("../../site/static/icon.svg", import.meta.url), "utf8");
const maskable = `data:text/html,${encodeURIComponent(`<body style="margin:0;display:grid;place-items:center;height:100vh;background:#fbfbf9">${icon.replace("<svg", '<svg width="80%"')}`)}`;
const site = [
  ["icon-maskable-512", maskable, { width: 512, height: 512 }],
  ["screenshot-wide", "en/lab/#v1&src=debian-bios&step=grub.load-kernel", { width: 1280, height: 720 }],
  ["screenshot-narrow", "en/lab/#v1&src=debian-bios&step=grub.load-kernel", { width: 390, height: 844 }],
];
const engine = [
  ["real-bios-en", "en/lab/#v1&src=debian-bios&step=grub.load-kernel", {}],
  ["real-bios-zh-dark", "zh/lab/#v1&src=debian-bios&step=end", { dark: true, zh: true }],
  ["real-uefi-zh", "zh/lab/#v1&src=debian-uefi&step=5", { zh: true }],
  ["real-alpine-en", "en/lab/#v1&src=alpine&step=kernel.pivot-root", {}],
  ["real-alpine-narrow-zh", "zh/lab/#v1&src=alpine&step=end&view=state", { width: 390, height: 844, zh: true }],
  ["real-iso-narrow-dark", "en/lab/#v1&src=busybox-iso&step=20&view=evidence", { width: 390, height: 844, dark: true }],
  ["real-broken-en", "en/lab/#v1&src=debian-bios&remove:=%5B%22/sbin/init%22%5D", {}],
  ["real-home-en", "en/", { height: 1300 }],
  ["real-home-zh-dark", "zh/", { height: 1300, dark: true, zh: true }],
  ["real-home-narrow", "en/", { width: 390, height: 1300 }],
  ["real-embed", "embed.html#v1&src=alpine&lang=en&step=kernel.execve", { width: 640, height: 560 }],
];
const byHand = [
  ["lab-en", "en/lab/#v1&src=deb&step=11", {}],
  ["lab-zh-dark", "zh/lab/#v1&src=deb&step=38", { dark: true, zh: true }],
  ["app-en", "en/lab/#v1&src=alpine&step=15", {}],
  ["stop-en", "en/lab/#v1&src=broken", {}],
  ["unknown-zh", "zh/lab/#v1&src=locked&step=30", { zh: true }],
  ["empty-en", "en/lab/", {}],
  ["narrow-en", "en/lab/#v1&src=deb&step=11", { width: 390, height: 844 }],
  ["narrow-zh-dark", "zh/lab/#v1&src=deb&step=36", { width: 390, height: 844, dark: true, zh: true }],
  ["medium-en", "en/lab/#v1&src=deb&step=18", { width: 900, height: 800 }],
  ["home-en", "en/", {}],
  ["home-zh", "zh/", { zh: true, width: 390, height: 844 }],
  ["home-dark", "zh/", { zh: true, dark: true }],
  ["embed-zh", "embed.html#v1&src=alpine&lang=zh&step=15", { width: 640, height: 560 }],
];
const server = await serve();
const browser = await launch();
for (const [name, path, options] of own ? site : real ? engine : byHand) {
  if (wanted.length && !wanted.some((w) => name.includes(w))) continue;
  const page = await newPage(browser, options);
  if (!real) await useFake(page);
  await page.goto(new URL(path, server.base).href);
  if (own) await page.waitForFunction(() => { const e = document.querySelector("boot-path"); return !e || (e.outcome && !e.renderRoot.querySelector(".working")); }, null, { timeout: 120_000 });
  await page.waitForTimeout(real ? 4000 : 900);
  await page.screenshot({ path: `${folder}${name}.png` });
  if (page.wrong.length) console.log(name, page.wrong);
  await page.context().close();
}
await browser.close();
server.close();
