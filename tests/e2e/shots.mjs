// Screenshots to be looked at:  node shots.mjs [--real] [NAME…]
// With hand-written runs, or with the samples and the engine that are in dist/.
import { launch, newPage, out, serve, useFake } from "./browser.mjs";

const real = process.argv.includes("--real");
const wanted = process.argv.slice(2).filter((a) => a !== "--real");
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
for (const [name, path, options] of real ? engine : byHand) {
  if (wanted.length && !wanted.some((w) => name.includes(w))) continue;
  const page = await newPage(browser, options);
  if (!real) await useFake(page);
  await page.goto(server.base + path);
  await page.waitForTimeout(real ? 4000 : 900);
  await page.screenshot({ path: `${out}${name}.png` });
  if (page.wrong.length) console.log(name, page.wrong);
  await page.context().close();
}
await browser.close();
server.close();
