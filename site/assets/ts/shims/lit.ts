import type { Shared } from "../shared";

export const { css, html, LitElement, nothing, svg, unsafeCSS } = (globalThis as unknown as { bootpathShared: Shared }).bootpathShared.lit;
