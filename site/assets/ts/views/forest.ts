// Trees folded from flat tables: processes by their parents, mounts by their targets, control groups by path.
import type { Row } from "../wire.gen";
import type { Mark, Marked } from "./changes";

export interface Node {
  id: string;
  label: string;
  /** What stands beside the label, in columns of the view. */
  cells: string[];
  mark: Mark;
  was: string; // what the label or a cell was before the step, where it changed
  note: string; // "hidden" for a mount that another one covers
  children: Node[];
}

const natural = new Intl.Collator("en", { numeric: true });

/** What changed in the cells of an edited row, in the order of the cells. */
function before(fields: readonly string[], row: Row, was: Row | undefined): string {
  if (!was) return "";
  return fields.filter((f) => (was[f] ?? "") !== (row[f] ?? "")).map((f) => was[f] ?? "").filter(Boolean).join(" ");
}

/** Builds the tree; a row whose parent is not there becomes a root, and so does one in a circle. */
function grow(nodes: Map<string, Node>, parentOf: (id: string) => string | undefined): Node[] {
  const roots: Node[] = [];
  const below = (id: string, root: string): boolean => {
    const seen = new Set<string>();
    for (let p: string | undefined = id; p !== undefined && nodes.has(p) && !seen.has(p); p = parentOf(p)) {
      if (p === root) return true;
      seen.add(p);
    }
    return false;
  };
  for (const [id, node] of nodes) {
    const parent = parentOf(id);
    const above = parent === undefined || parent === id ? undefined : nodes.get(parent);
    if (above && !below(parent ?? "", id)) above.children.push(node);
    else roots.push(node);
  }
  return roots;
}

const node = (id: string, label: string, cells: string[], mark: Mark, was: string, note = ""): Node => ({ id, label, cells, mark, was, note, children: [] });

/** Cells: process id, its id inside, program, user. */
export function processForest(processes: Marked): Node[] {
  const nodes = new Map<string, Node>();
  const fields = ["comm", "exe", "uid", "state"];
  for (const [id, r] of Object.entries(processes.rows).sort(([a], [b]) => natural.compare(a, b))) {
    const inside = r["ns_pid"] && r["ns_pid"] !== r["pid"] ? r["ns_pid"] : "";
    const user = r["uid"] === undefined ? "" : r["gid"] === undefined || r["gid"] === r["uid"] ? r["uid"] : `${r["uid"]}:${r["gid"]}`;
    const { mark, was } = processes.of(id);
    nodes.set(id, node(id, r["comm"] ?? id, [r["pid"] ?? id, inside, r["exe"] ?? "", user], mark, before(fields, r, was), r["state"] === "running" ? "" : (r["state"] ?? "")));
  }
  return grow(nodes, (id) => processes.rows[id]?.["ppid"]);
}

export interface MountSpace {
  ns: string;
  roots: Node[];
  count: number;
  touched: number;
}

/** The mounts of each mount namespace. Cells: file system, source, options. */
export function mountForest(mounts: Marked): MountSpace[] {
  const spaces = new Map<string, [string, Row][]>();
  for (const [id, r] of Object.entries(mounts.rows).sort(([a], [b]) => natural.compare(a, b))) {
    const ns = r["ns"] ?? "";
    spaces.set(ns, [...(spaces.get(ns) ?? []), [id, r]]);
  }
  return [...spaces].sort(([a], [b]) => natural.compare(a, b)).map(([ns, list]) => {
    const nodes = new Map<string, Node>();
    const fields = ["target", "source", "fstype", "options"];
    for (const [id, r] of list) {
      const { mark, was } = mounts.of(id);
      const target = r["target"] ?? "";
      const covers = list.some(([other, o]) => o["target"] === target && natural.compare(other, id) > 0 && mounts.of(other).mark !== "removed");
      nodes.set(id, node(id, target, [r["fstype"] ?? "", r["source"] ?? "", r["options"] ?? ""], mark, before(fields, r, was), covers ? "hidden" : ""));
    }
    const parent = (id: string) => holder(list, id);
    return { ns, roots: grow(nodes, parent), count: list.length, touched: list.filter(([id]) => mounts.of(id).mark !== "").length };
  });
}

/** The mount that holds another's target: the nearest directory above, the latest mounted there. */
function holder(list: readonly [string, Row][], id: string): string | undefined {
  const target = list.find(([i]) => i === id)?.[1]["target"] ?? "";
  let best: string | undefined;
  let length = -1;
  for (const [other, r] of list) {
    const t = r["target"] ?? "";
    if (other === id || t === target || !under(target, t) || t.length < length) continue;
    best = other;
    length = t.length;
  }
  return best;
}

const under = (path: string, folder: string) => folder === "/" ? path.startsWith("/") : path.startsWith(`${folder}/`);

/** Control groups by path. Cells: limits, processes by name. */
export function cgroupForest(cgroups: Marked, processes: Marked): Node[] {
  const nodes = new Map<string, Node>();
  for (const [id, r] of Object.entries(cgroups.rows).sort(([a], [b]) => natural.compare(a, b))) {
    const { mark, was } = cgroups.of(id);
    const members = (r["procs"] ?? "").split(",").filter(Boolean).map((p) => `${processes.rows[p]?.["comm"] ?? ""} ${p}`.trim()).join(", ");
    nodes.set(id, node(id, id, [r["limits"] ?? "", members], mark, before(["limits"], r, was)));
  }
  const above = (id: string) => [...nodes.keys()].filter((k) => k !== id && under(id, k)).sort((a, b) => b.length - a.length)[0];
  const roots = grow(nodes, above);
  const shorten = (n: Node, parent: string) => {
    for (const c of n.children) shorten(c, n.id);
    if (parent) n.label = n.id.slice(parent === "/" ? 1 : parent.length + 1);
  };
  for (const r of roots) shorten(r, "");
  return roots;
}

/** Every node in the order of reading, with its depth and whether each of its ancestors has a later sibling. */
export function flatten(roots: readonly Node[]): { node: Node; depth: number; last: boolean; rails: boolean[] }[] {
  const out: { node: Node; depth: number; last: boolean; rails: boolean[] }[] = [];
  const walk = (list: readonly Node[], rails: boolean[]) => list.forEach((n, i) => {
    const last = i === list.length - 1;
    out.push({ node: n, depth: rails.length, last, rails });
    walk(n.children, [...rails, !last]);
  });
  walk(roots, []);
  return out;
}
