// What an embedded start does not need at first, the engine's side of a player among it: loaded when it is wanted.
import "./elements/change";
import "./elements/conditions";
import "./elements/disk";
import "./elements/evidence";
import "./elements/files";
import "./elements/image-bar";
import "./elements/layers";
import "./elements/memory";
import "./elements/opener";
import "./elements/services";
import "./elements/state";
import "./elements/trees";
import { imagesKept } from "./database";
import { Engine } from "./engine";
import { asciicast, golden, traceEvents } from "./exports";
import { onePage } from "./onepage";
import { pngOf, svgOf } from "./picture";

export const tools = { Engine, imagesKept, asciicast, golden, traceEvents, onePage, pngOf, svgOf };

// The one-file page cannot import by address: there this script is run, and leaves its tools here.
(globalThis as { bootpathTools?: typeof tools }).bootpathTools = tools;
