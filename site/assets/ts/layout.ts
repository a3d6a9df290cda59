// Which views stand where in the wide Lab. The choice is remembered for each kind of image in this browser.
import { isView, type View } from "./views/catalog";

export type Slot = "mid" | "side" | "low";

export interface Layout {
  mid: View;
  side: View;
  /** The second panel of the side: a view, the one that suits the stage, or closed. */
  low: View | "follow" | "none";
}

export const usualLayout: Layout = { mid: "console", side: "evidence", low: "follow" };

const key = (kind: string) => `bootpath-views-${kind}`;

/** What was chosen before. A browser that keeps nothing, or something else under our name, gives nothing. */
export function remembered(kind: string): Partial<Layout> {
  try {
    const kept = JSON.parse(localStorage.getItem(key(kind)) ?? "{}") as { [S in Slot]?: string };
    const out: Partial<Layout> = {};
    if (isView(kept.mid)) out.mid = kept.mid;
    if (isView(kept.side)) out.side = kept.side;
    if (isView(kept.low) || kept.low === "none" || kept.low === "follow") out.low = kept.low;
    return out;
  } catch {
    return {};
  }
}

export function remember(kind: string, layout: Layout): void {
  try {
    localStorage.setItem(key(kind), JSON.stringify(layout));
  } catch {
    // Private windows and full shelves: the choice lasts as long as the page.
  }
}
