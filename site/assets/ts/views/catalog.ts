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

/** What to look at beside the evidence while a stage runs. */
export function usual(stage: string, among: readonly View[]): View {
  const wish: { [stage: string]: View[] } = {
    firmware: ["memory"], bootloader: ["memory"], kernel: ["memory", "processes"], initramfs: ["mounts"], init: ["services", "processes"], userspace: ["services", "processes"],
    resolve: ["layers"], create: ["boxes"], mounts: ["mounts", "boxes"], exec: ["boxes"], process: ["boxes"],
  };
  return wish[stage]?.find((v) => among.includes(v)) ?? "state";
}
