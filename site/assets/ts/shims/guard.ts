import type { Shared } from "../shared";

export const { guard } = (globalThis as unknown as { bootpathShared: Shared }).bootpathShared;
