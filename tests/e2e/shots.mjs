// Screenshots of the page with hand-written runs, to be looked at:  node shots.mjs [NAME…]
import { launch, newPage, out, serve, useFake } from "./browser.mjs";

const wanted = process.argv.slice(2);
const views = [
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
for (const [name, path, options] of views) {
  if (wanted.length && !wanted.some((w) => name.includes(w))) continue;
  const page = await newPage(browser, options);
  await useFake(page);
  await page.goto(server.base + path);
  await page.waitForTimeout(900);
  await page.screenshot({ path: `${out}${name}.png` });
  if (page.wrong.length) console.log(name, page.wrong);
  await page.context().close();
}
await browser.close();
server.close();
