import type { Shared } from "../shared";

export const { exact, hex, moment, size, time } = (globalThis as unknown as { bootpathShared: Shared }).bootpathShared.format;
