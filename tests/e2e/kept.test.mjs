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

const answer = (page, n) => page.locator("form.ask").nth(n).locator("input[data-right]").check();

scene("two tabs lose nothing of each other, and each hears what the other did", {}, async (page) => {
  const other = await page.context().newPage();
  const tabs = [page, other];
  await Promise.all(tabs.map((t) => t.goto(`${server.base}en/lessons/bios/`)));
  const questions = await page.locator("form.ask").count();
  // Neither tab answers all of them, and both write at once.
  for (let n = 0; n < questions; n += 2) await Promise.all(tabs.map((t, i) => n + i < questions && answer(t, n + i)));
  await Promise.all(tabs.map((t) => t.locator(".contents li.done").waitFor({ state: "attached" })));
  await page.goto(`${server.base}en/reference/`);
  await counted(page, "Lessons done: 1.");

  await page.click("#kept [data-do=delete]");
  await page.getByText("Deleted, with the copy").waitFor();
  await other.waitForFunction(() => !document.querySelector(".contents li.done")); // the other tab has heard of it
  await answer(other, 0);
  await other.waitForFunction(() => !document.querySelector(".contents li.done"), "what was deleted does not come back");
});

scene("a full browser: the page says so once, and goes on", {}, async (page) => {
  const cdp = await page.context().newCDPSession(page);
  await page.goto(`${server.base}en/lessons/bios/`);
  await cdp.send("Storage.overrideQuotaForOrigin", { origin: new URL(server.base).origin, quotaSize: 1 });
  await answer(page, 0);
  await page.locator("form.ask output", { hasText: "no more room" }).waitFor();
  await answer(page, 1);
  await page.locator("form.ask output").nth(1).filter({ hasText: "no more room" }).waitFor();

  await page.goto(`${server.base}zh/lab/`);
  await page.locator("bp-opener").waitFor();
  await drop(page, "mine.img", disk());
  await page.waitForFunction(() => document.querySelector("boot-path").outcome);
  const banner = page.locator("boot-path .banner", { hasText: "没能为下次访问保存 mine.img" });
  await banner.waitFor();
  await banner.getByRole("button").click();
  assert.equal(await banner.count(), 0);
  await cdp.send("Storage.overrideQuotaForOrigin", { origin: new URL(server.base).origin });
});

scene("a browser that keeps nothing says so, and the lesson goes on", {}, async (page) => {
  await page.addInitScript(() => { IDBFactory.prototype.open = () => { throw new DOMException("denied", "SecurityError"); }; });
  await page.goto(`${server.base}en/lessons/bios/`);
  const questions = await page.locator("form.ask").count();
  for (let n = 0; n < questions; n++) await answer(page, n);
  await page.locator("form.ask output", { hasText: "keeps nothing here" }).first().waitFor();
  await page.locator(".contents li.done").waitFor({ state: "attached" }); // as long as the page is open
  await page.goto(`${server.base}en/reference/`);
  assert.equal(await page.locator("#kept").isVisible(), true);
});

scene("an older database is taken over as it is", {}, async (page) => {
  await page.goto(`${server.base}embed.html`);
  await page.evaluate(() => new Promise((ok, no) => {
    const r = indexedDB.open("bootpath", 1);
    r.onupgradeneeded = () => { for (const s of ["entries", "slices"]) r.result.createObjectStore(s); };
    r.onsuccess = () => {
      const t = r.result.transaction(["entries", "slices"], "readwrite");
      t.objectStore("entries").put(JSON.stringify({ key: "old.img:1", origin: { name: "old.img" }, kind: "system", size: 3 }), "old.img:1");
      t.objectStore("slices").put(new Uint8Array(3), "old.img:1");
      t.oncomplete = () => { r.result.close(); ok(); };
      t.onabort = () => no(t.error);
    };
  }));
  await page.goto(`${server.base}en/lessons/bios/`);
  await answer(page, 0);
  await page.goto(`${server.base}en/reference/`);
  await counted(page, "Images: 1.");
});
