// The parts of the page that need no browser, bundled as the page bundles them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as fake from "./fixtures/fake.mjs";
import { load } from "./load.mjs";

const { Tape, failures } = await load("tape");
const { Timeline, whole, zoom, pan, follow } = await load("timeline");
const { encode, decode } = await load("place");
const { fill, say, shortPath, useStrings } = await load("words");
for (const lang of ["en", "zh"]) useStrings(lang, JSON.parse(readFileSync(new URL(`../../content/ui/${lang}.json`, import.meta.url), "utf8")));
const { pieces, plain } = await load("ansi");
const format = await load("format");

test("tables folded back are the tables folded forward", () => {
  const { steps } = fake.system().run;
  const forward = steps.map((_, n) => { const t = new Tape(steps); t.seek(n); return t.tables; });
  const tape = new Tape(steps);
  tape.seek(steps.length - 1);
  for (let n = steps.length - 1; n >= 0; n--) {
    tape.seek(n);
    const rows = (t) => Object.fromEntries(Object.entries(t).filter(([, r]) => Object.keys(r).length));
    assert.deepEqual(rows(tape.tables), rows(forward[n]), `step ${n}`);
  }
});

test("a table that a move does not touch keeps its identity", () => {
  const { steps } = fake.system().run;
  const tape = new Tape(steps);
  tape.seek(8);
  const before = tape.tables;
  tape.seek(9); // shows the menu: no changes
  assert.equal(tape.tables, before);
});

test("stages: the next one, the start of this one, the previous one", () => {
  const tape = new Tape(fake.system().run.steps);
  const [firmware, bootloader, kernel] = tape.segments;
  assert.equal(tape.stageFrom(bootloader.from + 2, 1), kernel.from);
  assert.equal(tape.stageFrom(bootloader.from + 2, -1), bootloader.from);
  assert.equal(tape.stageFrom(bootloader.from, -1), firmware.from);
  assert.equal(tape.stageFrom(0, -1), 0);
  assert.equal(tape.stageFrom(tape.steps.length - 1, 1), tape.steps.length - 1);
});

for (const scale of ["steps", "time"]) {
  test(`rail, scale ${scale}: places never go back, bands follow each other, every step is found at its place`, () => {
    for (const run of [fake.system().run, fake.application().run]) {
      const tape = new Tape(run.steps);
      const line = new Timeline(tape.steps, tape.segments, scale);
      run.steps.forEach((s, i) => {
        const x = line.x(i);
        assert.ok(x >= 0 && x <= 1 && (i === 0 || x >= line.x(i - 1)), `step ${i} at ${x}`);
        assert.equal(line.x(line.nearest(x)), x);
      });
      line.bands.forEach((b, i) => assert.equal(b.left, i === 0 ? 0 : line.bands[i - 1].right));
      assert.equal(line.bands.at(-1).right, 1);
    }
  });
}

test("rail of one step and of none", () => {
  for (const steps of [[], fake.system().run.steps.slice(0, 1)]) {
    const tape = new Tape(steps);
    for (const scale of ["steps", "time"]) new Timeline(tape.steps, tape.segments, scale);
  }
});

test("rail: a window goes down to a microsecond, keeps the place under it and stays on the rail", () => {
  const tape = new Tape(fake.system().run.steps);
  const line = new Timeline(tape.steps, tape.segments, "time");
  const end = tape.steps.at(-1).at;
  let w = whole;
  for (let i = 0; i < 60; i++) w = zoom(w, 0.25, 0.5, line.least);
  assert.ok(Math.abs((w.to - w.from) * end * 1.01 - 1000) < 1, "one microsecond");
  assert.ok(w.from <= 0.25 && w.to >= 0.25);
  const ticks = line.ticks(w, 0.05, 0.1);
  assert.ok(ticks.length > 3 && ticks.every((t) => t.at >= -1e-3 && t.at <= 1), JSON.stringify(ticks));
  assert.equal(new Set(ticks.map((t) => t.label)).size, ticks.length, "labels tell ticks apart");
  assert.deepEqual(zoom(w, 0.25, 1e9, line.least), whole);
  assert.deepEqual(pan(whole, 5), whole);
  const moved = follow({ from: 0, to: 0.1 }, 0.95);
  assert.ok(moved.from <= 0.95 && moved.to >= 0.95 && moved.to <= 1 + 1e-9);
});

test("failures: a call's error, a failed unit, what decided a stop", () => {
  const s = (seq, more) => ({ seq, at: 0, actor: "a", stage: "init", kind: "k", cause: -1, ...more });
  const steps = [s(0, { args: { result: "0" } }), s(1, { args: { result: "ENOENT" } }), s(2, { changes: [{ table: "units", id: "a.service", after: { state: "failed" } }] }), s(3, {})];
  assert.deepEqual(failures(steps, { verdict: "stops", step: 3 }), [1, 2, 3]);
  assert.deepEqual(failures(steps, { verdict: "works", step: 3 }), [1, 2]);
});

test("a place survives its hash", () => {
  const place = { src: "deb bios", step: "41", settings: { firmware: "uefi", secure_boot: true, command: ["/bin/sh", "-c", "echo 'a&b=c'"], set: { cmdline: "root=/dev/vda1 quiet" }, hostname: "true" } };
  assert.deepEqual(decode(`#${encode(place)}`), place);
});

test("a hash that is not ours, or of another version, is left alone; a damaged part is skipped", () => {
  assert.equal(decode("#intro"), null);
  assert.equal(decode("#v2&src=a"), null);
  assert.deepEqual(decode("#v1&src=a&set:=%7Bbroken&step=%E0%A4%A&firmware=uefi"), { src: "a", settings: { firmware: "uefi" } });
});

test("sentences: placeholders, plurals, unknown names stay visible", () => {
  assert.equal(fill("GRUB reads {path} ({size})", { path: "/boot/vmlinuz", size: "7.7 MiB" }, "en"), "GRUB reads /boot/vmlinuz (7.7 MiB)");
  assert.equal(fill("{nothing}", {}, "en"), "{nothing}");
  assert.equal(say("en", "bar.layers", { n: 1 }), "1 layer");
  assert.equal(say("en", "bar.layers", { n: 12 }), "12 layers");
  assert.equal(say("zh", "bar.layers", { n: 12 }), "12 层");
});

test("of a long path a title shows the end", () => {
  assert.equal(shortPath("/var/lib/docker/overlay2/41ab4eb44dda/merged/dev/stdout"), "…/merged/dev/stdout");
  assert.equal(shortPath("/boot/vmlinuz-6.1"), "/boot/vmlinuz-6.1");
  assert.equal(shortPath("a text that is long and has no path in it at all"), "a text that is long and has no path in it at all");
});

test("console text: colours become classes, cursor moves vanish, a cleared screen is a new page", () => {
  assert.deepEqual(pieces("[  \x1b[0;32mOK\x1b[0m  ] Started\r\n").map((p) => [p.text, p.classes]), [["[  ", ""], ["OK", "ansi-green"], ["  ] Started\n", ""]]);
  assert.equal(plain("a\x1b[2J\x1b[1;1Hb"), "a\nb");
  assert.equal(plain("10%\r20%\rdone\n"), "done\n");
  assert.equal(plain("\x1b]0;title\x07x\x1b[?25l\x07"), "x");
});

test("numbers", () => {
  assert.equal(format.size(0), "0 B");
  assert.equal(format.size(1023), "1023 B");
  assert.equal(format.size(32505856), "31 MiB");
  assert.equal(format.size(2.1 * 2 ** 30), "2.1 GiB");
  assert.equal(format.hex(0x1fe), "0x01fe");
  assert.equal(format.time(0), "0 s");
  assert.equal(format.time(340_000), "340 µs");
  assert.equal(format.time(2_181_000_000), "2.18 s");
  assert.equal(format.moment(20_790_123_456, 1000), "20.790123 s");
  assert.equal(format.time(92e9), "1 min 32 s");
});
