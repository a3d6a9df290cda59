// The folds behind the views, bundled as the page bundles them.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import * as fake from "./fixtures/fake.mjs";
import { load } from "./load.mjs";

const { Tape } = await load("tape");
const { Marked, History, byId } = await load("views/changes");
const { memoryMap } = await load("views/memory-map");
const { parts, at, places, covered } = await load("views/disk-strip");
const { processForest, mountForest, cgroupForest, flatten } = await load("views/forest");
const { house } = await load("views/boxes");
const { unitBars, progress } = await load("views/unit-chart");
const { available, touches, usual } = await load("views/catalog");

const step = (changes, more = {}) => ({ seq: 0, at: 0, actor: "a", stage: "kernel", kind: "k", cause: -1, changes, ...more });
const marked = (table, rows, changes = []) => new Marked({ [table]: rows }, step(changes), table);

test("a row that a step takes away stays to be seen, marked; one that comes and goes within it does not", () => {
  const m = marked("memory", { b: { what: "kept" } }, [
    { table: "memory", id: "a", before: { what: "gone" } }, { table: "memory", id: "c", after: { what: "brief" } }, { table: "memory", id: "c", before: { what: "brief" } },
  ]);
  assert.deepEqual(Object.keys(m.rows).sort(), ["a", "b"]);
  assert.equal(m.of("a").mark, "removed");
  assert.equal(m.of("b").mark, "");
});

test("history: which step put a row there", () => {
  const steps = fake.system().run.steps;
  const h = new History(steps);
  const first = steps.find((s) => s.changes?.some((c) => c.table === "memory"));
  const id = first.changes.find((c) => c.table === "memory").id;
  assert.equal(h.latest("memory", id, steps.length), steps.findLast((s) => s.changes?.some((c) => c.table === "memory" && c.id === id)).seq);
  assert.equal(h.latest("memory", id, first.seq - 1), -1);
});

test("rows: addresses by their value, names with numbers as one counts", () => {
  const addresses = ["0x00000000", "0x00000400", "0x0009fc00", "0x000a0000", "0x3ffdd000", "0x100000000"];
  assert.deepEqual(addresses.toReversed().sort(byId), addresses);
  assert.deepEqual(["vda10", "vda2"].sort(byId), ["vda2", "vda10"]);
});

test("memory: in the order of addresses, gaps between, larger regions taller, the end of real mode named", () => {
  const slots = memoryMap(marked("memory", {
    "0x01000000": { start: "0x01000000", size: "8093696", what: "kernel", from: "/boot/vmlinuz" }, "0x00007c00": { start: "0x00007c00", size: "512", what: "boot sector", from: "disk0" },
  }));
  assert.deepEqual(slots.map((s) => [s.is, s.start, s.size]), [["gap", 0, 0x7c00], ["region", 0x7c00, 512], ["gap", 0x7e00, 0x1000000 - 0x7e00], ["region", 0x1000000, 8093696]]);
  assert.ok(slots[3].height > slots[1].height);
  assert.deepEqual(slots[2].limits, [0x100000]);
});

test("memory: hostile rows give no endless or negative heights", () => {
  for (const s of memoryMap(marked("memory", { x: { start: "nonsense", size: "-5" }, y: { start: "0xffffffffffff", size: "9e99" } }))) assert.ok(s.height > 0 && s.height < 200);
});

test("the line at 1 MiB is there whatever lies around it", () => {
  const limits = (rows) => memoryMap(marked("memory", rows)).flatMap((s) => s.limits);
  const low = { start: "0x7c00", size: "512", what: "boot sector" };
  const at = (start, size) => ({ start: `0x${start.toString(16)}`, size: String(size), what: "x" });
  for (const [name, rows] of Object.entries({
    "in a gap": { low, high: at(0x1000000, 4096) },
    "a region ends there": { low, mid: at(0x80000, 0x80000), high: at(0x1000000, 4096) },
    "a region begins there": { low, high: at(0x100000, 4096) },
    "regions meet there": { mid: at(0x80000, 0x80000), high: at(0x100000, 4096) },
    "inside a region": { low, mid: at(0x90000, 0x200000) },
  })) assert.deepEqual(limits(rows), [0x100000], name);
});

const disk = { kind: "system", name: "d.img", size: 1 << 30, virtual_size: 1 << 30, filesystems: [{ partition: 1, type: "ext4", label: "root" }], images: [],
  partition_table: { type: "dos", id: "", partitions: [{ number: 1, start: 2048, size: 2095104, type: "83", uuid: "", name: "", bootable: true }] } };

test("disk: parts cover the strip, small ones can be seen, places lie in their part", () => {
  const list = parts(disk);
  assert.deepEqual(list.map((p) => p.number), [-1, 1]);
  assert.ok(Math.abs(list.reduce((n, p) => n + p.width, 0) - 1) < 1e-9);
  assert.ok(list[0].width > 0.04);
  assert.equal(list[1].filesystem.label, "root");
  assert.ok(at(list, 0) === 0 && at(list, 1 << 20) === list[1].left && at(list, (1 << 30) - 1) <= 1);
  const found = places(list, [step([], { cites: [{ blob: "disk0", off: 0, len: 512 }, { blob: "core.img!", off: 0, len: 4 }, { blob: "disk0", off: 256, len: 512 }] })], "disk0");
  assert.equal(found.length, 2);
  assert.equal(covered(found), 768);
});

test("processes: by their parents; a circle or a missing parent loses nobody", () => {
  const rows = { 1: { pid: "1", ppid: "0", comm: "init" }, 2: { pid: "2", ppid: "1", comm: "sh", ns_pid: "1" }, 3: { pid: "3", ppid: "99", comm: "lost" }, 4: { pid: "4", ppid: "5" }, 5: { pid: "5", ppid: "4" } };
  const flat = flatten(processForest(marked("processes", rows)));
  assert.deepEqual(flat.map((f) => f.node.id).sort(), ["1", "2", "3", "4", "5"]);
  assert.equal(flat.find((f) => f.node.id === "2").depth, 1);
  assert.equal(flat.find((f) => f.node.id === "2").node.cells[1], "1");
});

test("mounts: by target within their namespace; what is covered says so", () => {
  const rows = { 1: { ns: "mnt:1", target: "/", fstype: "rootfs" }, 7: { ns: "mnt:1", target: "/", fstype: "ext4" }, 2: { ns: "mnt:1", target: "/sys" }, 3: { ns: "mnt:1", target: "/sys/fs/cgroup" }, 9: { ns: "mnt:2", target: "/" } };
  const [host, other] = mountForest(marked("mounts", rows));
  const flat = flatten(host.roots);
  assert.deepEqual(flat.map((f) => [f.node.id, f.depth]), [["1", 0], ["7", 0], ["2", 1], ["3", 2]]);
  assert.equal(flat[0].node.note, "hidden");
  assert.equal(other.count, 1);
});

test("control groups: by path, with limits and names of processes", () => {
  const roots = cgroupForest(marked("cgroups", { "/docker": { limits: "", procs: "" }, "/docker/7": { limits: "memory 64 MiB", procs: "5" } }), marked("processes", { 5: { comm: "sh" } }));
  assert.deepEqual(flatten(roots).map((f) => [f.node.label, f.depth, f.node.cells]), [["/docker", 0, ["", ""]], ["7", 1, ["memory 64 MiB", "sh 5"]]]);
});

test("boxes: whoever shares all with the host stands outside; walls, what is shared and what passes are named", () => {
  const ns = (type, members) => ({ type, owner: "1", members });
  const h = house(
    marked("namespaces", { "mnt:1": ns("mnt", "1"), "mnt:2": ns("mnt", "5"), "pid:1": ns("pid", "1,5"), "pid:2": ns("pid", "5"), "user:1": ns("user", "1,5") }),
    marked("processes", { 1: { comm: "systemd", pid: "1" }, 5: { comm: "sh", pid: "5", ns_pid: "1" } }),
    marked("mounts", { 1: { ns: "mnt:2", target: "/", fstype: "overlay", source: "overlay" }, 2: { ns: "mnt:2", target: "/etc/hosts", source: "/dev/sda1[/var/hosts]", fstype: "ext4" } }),
    marked("cgroups", { "/docker/7": { procs: "5", limits: "64 MiB" } }),
  );
  assert.deepEqual(h.host.map((p) => p.comm), ["systemd"]);
  const [box] = h.boxes;
  assert.deepEqual(box.walls.map((w) => w.id), ["mnt:2", "pid:2"]);
  assert.deepEqual(box.shared, ["user"]);
  assert.equal(box.inmates[0].inside, "1");
  assert.deepEqual(box.passages, [{ target: "/etc/hosts", source: "/var/hosts" }]);
  assert.equal(box.root, "overlay");
  assert.equal(box.cgroups[0].limits, "64 MiB");
});

test("services: queued is not begun; a bar goes from starting to there", () => {
  const unit = (seq, at, id, state, args) => ({ ...step([{ table: "units", id, after: { state, description: id } }], { seq, at, args }) });
  const bars = unitBars([unit(0, 0, "a.service", "queued"), unit(1, 5, "a.service", "activating", { unit: "a.service", file: "/lib/a" }), unit(2, 9, "a.service", "active"), unit(3, 9, "b.target", "queued")]);
  assert.deepEqual(bars.map((b) => [b.unit, b.begin, b.end, b.file]), [["a.service", 5, 9, "/lib/a"]]);
  assert.deepEqual([0, 1, 2].map((n) => progress(bars[0], n)), ["ahead", "starting", "there"]);
});

test("which views a run has, and what a step does to each", () => {
  const { inspection, run } = fake.system();
  const tape = new Tape(run.steps);
  const all = available(new History(tape.steps), inspection);
  assert.ok(all.includes("memory") && all.includes("disk") && !all.includes("layers"));
  const s = step([{ table: "memory", id: "a", after: {} }, { table: "cpu", id: "cpu0", after: {} }]);
  assert.equal(touches("memory", s), 2);
  assert.equal(touches("mounts", s), 0);
  assert.equal(usual("bootloader", all), "memory");
  assert.equal(usual("exec", ["evidence", "state"]), "state");
});

const { patchesOf, withPatches, added, hexBytes, conditions } = await load("patches");
const { encode, decode } = await load("place");

test("patches: settings and list are the same thing; what is off stays apart; a contradiction replaces", () => {
  const settings = { firmware: "uefi", set: { cmdline: "quiet" }, remove: ["/a"], write: { "/b": "x" }, patch: [{ off: 510, data: "00" }] };
  const list = patchesOf(settings, { remove: ["/c"] });
  assert.equal(list.length, 5);
  assert.deepEqual(withPatches(settings, list), { settings, off: { remove: ["/c"] } });
  assert.deepEqual(conditions(settings), { firmware: "uefi" });
  const edited = added(list, { is: "write", path: "/a", content: "new", on: true });
  assert.ok(!edited.some((p) => p.is === "remove" && p.path === "/a"));
  assert.equal(hexBytes("0x00 FF"), "00ff");
  assert.equal(hexBytes("0"), null);
  const place = { src: "a", settings, off: { remove: ["/c"] } };
  assert.deepEqual(decode(`#${encode(place)}`), place);
});

const { difference } = await load("difference");

test("difference: the first other value, and the first step of another kind", () => {
  const s = (kind, args, actor = "a") => ({ seq: 0, at: 0, actor, stage: "init", kind, cause: -1, args });
  const before = [s("a", { x: "1" }), s("b", { x: "1" }), s("c", {})];
  assert.deepEqual(difference(before, before), { values: -1, differs: [], parting: -1 });
  assert.deepEqual(difference(before, [s("a", { x: "1" }), s("b", { x: "2" }), s("d", {})]), { values: 1, differs: [{ name: "x", before: "1", after: "2" }], parting: 2 });
  assert.equal(difference(before, before.slice(0, 2)).parting, 1);
  assert.equal(difference(before, [...before, s("z", {})]).parting, 3);
});

const { golden } = await load("exports");
const { causes } = await load("tape");
const repo = new URL("../../", import.meta.url);

test("the text form of a run is the one that tests/golden keeps", (t) => {
  if (!existsSync(new URL("dist/traces/", repo))) return t.skip("dist/traces is not built");
  for (const file of readdirSync(new URL("dist/traces/", repo))) {
    const kept = new URL(`tests/golden/${file.replace(".json", ".golden")}`, repo);
    if (!existsSync(kept)) continue;
    const want = readFileSync(kept, "utf8").split("\n");
    const wrong = golden(JSON.parse(readFileSync(new URL(`dist/traces/${file}`, repo), "utf8")).run).split("\n").filter((l, i) => l !== want[i]);
    assert.deepEqual(wrong.slice(0, 1), [], `${file}: build the site again when the engine changed`);
  }
});

test("causes lead back to power-on, and a circle ends", () => {
  const s = (seq, cause) => ({ seq, cause });
  assert.deepEqual(causes([s(0, -1), s(1, 0), s(2, 0), s(3, 2)], 3).map((c) => c.seq), [2, 0]);
  assert.deepEqual(causes([s(0, 1), s(1, 0)], 1).map((c) => c.seq), [0]);
});
