// What a terminal would show, as far as text that starts a machine needs it: colours (by anser), carriage
// returns, and a cleared screen, which here starts a new page and keeps the old one readable.
import Anser from "anser";

export interface Piece {
  text: string;
  classes: string;
}

/** Escape sequences other than colours: cursor moves, modes, titles, character sets. */
const others = /\x1b\[[0-9;?]*[A-LN-Za-ln-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-9A-B]|\x1b[=>78cDEHM]/g;
const clear = /\x1b\[[0-3]?J|\x1bc/g;
const controls = /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]/g;

/** Cuts console text into coloured pieces; "\f" stands for a cleared screen. */
export function pieces(text: string): Piece[] {
  const plain = text
    .replace(clear, "\f")
    .replace(others, "")
    .replace(/\r+\n/g, "\n")
    .replace(/[^\n\f]*\r(?=[^\n])/g, "")
    .replace(/\r/g, "")
    .replace(controls, "")
    .replace(/\f(\s*\f)+/g, "\f");
  return Anser.ansiToJson(plain, { use_classes: true, remove_empty: true }).map((p) => ({
    text: p.content,
    classes: [p.fg, p.bg && `${p.bg}-bg`, ...p.decorations].filter(Boolean).join(" "),
  }));
}

/** The same without colours: what a copy holds. */
export const plain = (text: string) => pieces(text).map((p) => p.text).join("").replace(/\f/g, "\n");
