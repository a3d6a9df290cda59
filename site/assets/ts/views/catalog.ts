// Which views there are, which of them a run fills, and what a step changes in each.
import type { Inspection, Step, Table } from "../wire.gen";
import type { History } from "./changes";

export const views = ["console", "evidence", "memory", "disk", "boxes", "layers", "services", "mounts", "processes", "cgroups", "variables", "files", "state", "conditions", "change"] as const;
export type View = (typeof views)[number];

export const isView = (v: string | null | undefined): v is View => (views as readonly string[]).includes(v ?? "");

/** The tables that a view draws. */
const tables: { [V in View]?: readonly Table[] } = {
  memory: ["memory", "cpu"], boxes: ["namespaces"], services: ["units"], mounts: ["mounts"], processes: ["processes"], cgroups: ["cgroups"], variables: ["variables"],
};

/** The view that draws a table best. */
export const viewOf: { [T in Table]: View } = {
  memory: "memory", cpu: "memory", namespaces: "boxes", units: "services", mounts: "mounts", processes: "processes", cgroups: "cgroups", variables: "variables", devices: "state",
};

/** The script in view/ that has the element of a view. Those of the Lab alone are in more.js, as are all the others. */
export const scriptOf: { [V in View]?: string } = {
  console: "console", evidence: "evidence", memory: "memory", disk: "disk", boxes: "boxes", layers: "layers", services: "services",
  mounts: "trees", processes: "trees", cgroups: "trees", variables: "state", state: "state",
};

/** The views that draw from every step of the run. Of a run that was worked out in advance traces/view has this apart. */
export const drawsAll: readonly View[] = ["memory", "disk", "boxes", "services", "mounts", "processes", "cgroups", "variables", "state"];

/** Whether a start of this sort may fill a view, as far as can be told before anything of it is known. */
export const suits = (v: View, machine: boolean): boolean => !(machine ? ["layers", "cgroups"] : ["memory", "disk", "services", "variables"]).includes(v) && scriptOf[v] !== undefined;

/** The views that have something to show in this run. */
export function available(history: History, inspection: Inspection | null, lab = true): View[] {
  return views.filter((v) => {
    if (v === "conditions" || v === "change" || v === "files") return lab && inspection !== null && inspection.kind !== "other";

    if (v === "layers") return (inspection?.images.length ?? 0) > 0;
    if (v === "disk") return inspection?.kind === "system";
    const t = tables[v];
    return !t || t.some((x) => history.has(x));
  });
}

/** How many rows of a view a step changes; for the evidence how many places it cites. */
export function touches(v: View, step: Step | undefined): number {
  if (v === "evidence") return step?.cites?.length ?? 0;
  const changes = step?.changes ?? [];
  if (v === "state") return changes.length;
  const t = tables[v];
  return t ? new Set(changes.filter((c) => t.includes(c.table)).map((c) => `${c.table} ${c.id}`)).size : 0;
}

/** A container's start prints nothing before its program: its walls tell more than an empty screen. */
export const usualScreen = (among: readonly View[], prints: boolean): View => (prints || !among.includes("boxes") ? "console" : "boxes");

/** What to look at beside the evidence while a stage runs. */
export function usual(stage: string, among: readonly View[]): View {
  const wish: { [stage: string]: View[] } = {
    firmware: ["memory"], bootloader: ["memory"], kernel: ["memory", "processes"], initramfs: ["mounts"], init: ["services", "processes"], userspace: ["services", "processes"],
    resolve: ["layers"], create: ["boxes"], mounts: ["mounts", "boxes"], exec: ["boxes"], process: ["boxes"],
  };
  return wish[stage]?.find((v) => among.includes(v)) ?? "state";
}
