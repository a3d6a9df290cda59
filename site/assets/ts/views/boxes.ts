// Namespaces as boxes inside the one kernel: processes that share every namespace with the host stand in the
// host's box; others stand behind walls, one for each namespace of their own.
import type { Row } from "../wire.gen";
import type { Mark, Marked } from "./changes";

export interface Inmate {
  pid: string;
  inside: string; // its id in its own process namespace, "" when that is the host's
  comm: string;
  mark: Mark;
}

export interface Wall {
  type: string; // pid, mnt, net …
  id: string;
  mark: Mark;
}

export interface Passage {
  target: string;
  source: string; // of the host
}

export interface Box {
  key: string; // the namespaces that differ from the host's
  walls: Wall[];
  shared: string[]; // types that the host and the box have in common
  inmates: Inmate[];
  root: string; // what / is: file system and source
  passages: Passage[];
  cgroups: { path: string; limits: string }[];
}

export interface House {
  host: Inmate[];
  boxes: Box[];
  types: string[];
}

const order = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"];

export function house(namespaces: Marked, processes: Marked, mounts: Marked, cgroups: Marked): House {
  const spaces = Object.entries(namespaces.rows).map(([id, r]) => ({ id, type: r["type"] ?? id.split(":")[0] ?? id, members: new Set((r["members"] ?? "").split(",").filter(Boolean)) }));
  const types = [...new Set(spaces.map((s) => s.type))].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  const pids = Object.keys(processes.rows).sort((a, b) => Number(a) - Number(b));
  const of = (pid: string) => new Map(spaces.filter((s) => s.members.has(pid)).map((s) => [s.type, s.id]));
  const first = of(pids[0] ?? "");
  const host: Inmate[] = [];
  const boxes = new Map<string, Box>();
  for (const pid of pids) {
    const own = of(pid);
    const different = types.filter((t) => own.has(t) && first.has(t) && own.get(t) !== first.get(t));
    const inmate = person(pid, processes.rows[pid] ?? {}, processes.of(pid).mark, different.includes("pid"));
    if (different.length === 0) {
      host.push(inmate);
      continue;
    }
    const key = different.map((t) => own.get(t)).join(" ");
    let box = boxes.get(key);
    if (!box) boxes.set(key, (box = furnish(key, different, own, types, namespaces, mounts)));
    box.inmates.push(inmate);
  }
  for (const b of boxes.values()) b.cgroups = groups(b.inmates, cgroups);
  return { host, boxes: [...boxes.values()], types };
}

const person = (pid: string, r: Row, mark: Mark, inside: boolean): Inmate => ({ pid, comm: r["comm"] ?? pid, inside: inside ? (r["ns_pid"] ?? "") : "", mark });

function furnish(key: string, different: readonly string[], own: ReadonlyMap<string, string>, types: readonly string[], namespaces: Marked, mounts: Marked): Box {
  const walls = different.map((type) => ({ type, id: own.get(type) ?? "", mark: namespaces.of(own.get(type) ?? "").mark }));
  const inside = different.includes("mnt") ? Object.values(mounts.rows).filter((m) => m["ns"] === own.get("mnt")) : [];
  const root = inside.findLast((m) => m["target"] === "/");
  // A bind mount's source names what of a file system is seen: "/dev/sda1[/etc/hosts]" (findmnt(8)).
  const bound = inside.filter((m) => /^\/dev\/[^[]+\[/.test(m["source"] ?? "") && m["target"] !== "/");
  return {
    key, walls, shared: types.filter((t) => !different.includes(t)), inmates: [], cgroups: [],
    root: root ? [...new Set([root["fstype"], root["source"]])].filter(Boolean).join(" ") : "",
    passages: bound.map((m) => ({ target: m["target"] ?? "", source: /\[(.*)\]$/.exec(m["source"] ?? "")?.[1] ?? m["source"] ?? "" })),
  };
}

function groups(inmates: readonly Inmate[], cgroups: Marked): Box["cgroups"] {
  return Object.entries(cgroups.rows)
    .filter(([, r]) => (r["procs"] ?? "").split(",").some((p) => inmates.some((i) => i.pid === p)))
    .map(([path, r]) => ({ path, limits: r["limits"] ?? "" }));
}
