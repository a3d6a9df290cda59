// What the elements of the player ask for. They never act themselves: one bubbling event carries a
// request up, and state comes down as properties.
import type { Part } from "./dropped";
import type { Slot } from "./layout";
import type { Patch } from "./patches";
import type { View } from "./views/catalog";
import type { LibraryEntry, RunSettings } from "./wire.gen";

export const exported = ["cast", "events", "golden", "svg", "png", "slice", "page"] as const;
export type Export = (typeof exported)[number];

export type PlayerRequest =
  | { do: "seek"; to: number }
  | { do: "step"; by: 1 | -1 }
  | { do: "stage"; direction: 1 | -1 }
  | { do: "failure" }
  | { do: "play"; on: boolean }
  | { do: "speed"; factor: number }
  | { do: "open"; what: string | readonly Part[] }
  | { do: "library"; entry: LibraryEntry }
  | { do: "forget"; entry: LibraryEntry }
  | { do: "settings"; settings: RunSettings }
  | { do: "cancel" }
  | { do: "dismiss" }
  | { do: "view"; view: View | "follow" | "none"; slot?: Slot }
  | { do: "file"; path: string; layer?: number }
  | { do: "tree"; path: string }
  | { do: "changes"; layer: number }
  | { do: "patches"; patches: readonly Patch[] }
  | { do: "poke"; off: number; data: string }
  | { do: "edit"; path: string }
  | { do: "try-firmware" }
  | { do: "command"; line: string }
  | { do: "cite"; index: number }
  | { do: "kernel-evidence" }
  | { do: "bytes"; blob: string; off: number; len: number }
  | { do: "opener"; on: boolean }
  | { do: "list"; on: boolean }
  | { do: "link" }
  | { do: "export"; what: Export }
  | { do: "wake" } // the reader wants what is not loaded without a press
  | { do: "help" };

export class RequestEvent extends Event {
  static readonly type = "bootpath-request";
  constructor(readonly request: PlayerRequest) {
    super(RequestEvent.type, { bubbles: true, composed: true });
  }
}

export function ask(from: EventTarget, request: PlayerRequest): void {
  from.dispatchEvent(new RequestEvent(request));
}
