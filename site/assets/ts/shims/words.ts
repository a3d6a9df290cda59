import type { Shared } from "../shared";

export const { areaOf, canSay, fill, htmlLang, langOf, loadMessages, loadPageStrings, loadStrings, say, sentence, shortPath, term, unknownArea, useReasons, useStrings, why } = (globalThis as unknown as { bootpathShared: Shared }).bootpathShared.words;
