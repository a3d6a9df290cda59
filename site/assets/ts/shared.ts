// What the player's script has in common with those that come later, more.js and view/*.js: those take it from here
// (shims/, put in place by layouts/_partials/script.html), so that it is neither loaded nor defined twice.
import { css, html, LitElement, nothing, svg, unsafeCSS } from "lit";
import { guard } from "lit/directives/guard.js";
import * as base from "./elements/base";
import * as format from "./format";
import * as words from "./words";

export interface Shared {
  lit: { css: typeof css; html: typeof html; LitElement: typeof LitElement; nothing: typeof nothing; svg: typeof svg; unsafeCSS: typeof unsafeCSS };
  guard: typeof guard;
  base: typeof base;
  format: typeof format;
  words: typeof words;
}

(globalThis as { bootpathShared?: Shared }).bootpathShared = { lit: { css, html, LitElement, nothing, svg, unsafeCSS }, guard, base, format, words };
