import type { Shared } from "../shared";

export const { define, icon, Part, sharedStyles, stageColour } = (globalThis as unknown as { bootpathShared: Shared }).bootpathShared.base;
