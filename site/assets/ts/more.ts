// What an embedded start does not need at first, the engine's side of a player among it: loaded when it is wanted.
// It has the views too, which the Lab shows side by side.
import "./elements/boxes";
import "./elements/change";
import "./elements/conditions";
import "./elements/console";
import "./elements/disk";
import "./elements/evidence";
import "./elements/files";
import "./elements/image-bar";
import "./elements/keys";
import "./elements/layers";
import "./elements/memory";
import "./elements/opener";
import "./elements/services";
import "./elements/state";
import "./elements/trees";
import { imagesKept } from "./database";
import { difference } from "./difference";
import { Engine } from "./engine";
import { exported } from "./exports";
import { firmwares, underFirmware } from "./firmware";

export const tools = { Engine, imagesKept, difference, exported, firmwares, underFirmware };

// The one-file page cannot import by address: there this script is run, and leaves its tools here.
(globalThis as { bootpathTools?: typeof tools }).bootpathTools = tools;
