// The three firmwares under which the Lab starts a system image.
import type { RunSettings } from "./wire.gen";

export const firmwares = ["bios", "uefi", "secureboot"] as const;
export type Firmware = (typeof firmwares)[number];

export const underFirmware = (f: Firmware): RunSettings => (f === "secureboot" ? { firmware: "uefi", secure_boot: true } : { firmware: f, secure_boot: false });
