// What the browser keeps: saved as one file, deleted at once, taken in again.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { drop, scenes, serve } from "./browser.mjs";

let server;
before(async () => { server = await serve(); });
after(() => server.close());

const scene = scenes();

/** A disk with a boot signature and nothing else: small, and a system image. */
function disk() {
  const b = Buffer.alloc(1 << 20);
  b.set([0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0], 446); // one partition entry
  b.set([0x55, 0xaa], 510);
  return b;
}

const counted = (page, text) => page.locator("#kept [data-lessons]", { hasText: text }).waitFor();

scene("images and progress are saved, deleted, and taken in again", {}, async (page) => {
  await page.goto(`${server.base}en/lab/`);
  await page.locator("bp-opener").waitFor();
  await drop(page, "mine.img", disk());
  await page.waitForFunction(() => document.querySelector("boot-path").outcome);
  await page.waitForFunction(async () => (await indexedDB.databases()).some((d) => d.name === "bootpath")); // the library has taken it
  await page.goto(`${server.base}en/lessons/bios/`);
  for (const form of await page.locator("form.ask").all()) await form.locator("input[data-right]").check();
  await page.locator(".contents li.done").waitFor({ state: "attached" });

  await page.goto(`${server.base}en/reference/`);
  await counted(page, "Images: 1. Lessons done: 1.");
  await page.locator("#kept li", { hasText: "mine.img" }).waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#kept [data-do=save]")]);
  const file = await download.path();
  assert.equal(readFileSync(file).subarray(0, 2).toString(), "PK");

  await page.click("#kept [data-do=delete]");
  await page.getByText("Deleted, with the copy").waitFor();
  await counted(page, "Images: 0. Lessons done: 0.");

  await page.locator("#kept input[type=file]").setInputFiles({ name: "broken.zip", mimeType: "application/zip", buffer: Buffer.from("no zip") });
  await page.getByText("That did not work").waitFor();
  await page.locator("#kept input[type=file]").setInputFiles(file);
  await page.getByText("Taken in.").waitFor();
  await counted(page, "Images: 1. Lessons done: 1.");

  // The engine opens what was taken in.
  await page.goto(`${server.base}en/lab/`);
  await page.locator("bp-opener").getByText("mine.img").first().click();
  await page.waitForFunction(() => document.querySelector("boot-path").outcome);
});
