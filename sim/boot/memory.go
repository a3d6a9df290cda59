package boot

import (
	"slices"

	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// The memory of a PC after SeaBIOS, as the kernels of the recorded boots list it (BIOS-e820, ACPI lines) and as the IBM PC
// fixed it: interrupt vectors at 0, data area at 0x400, video memory from 0xa0000.
const (
	biosVectors, biosVectorsSize = 0x00000, 0x400
	biosData, biosDataSize       = 0x00400, 0x100
	biosExtended, biosExtendedSz = 0x9fc00, 0x400
	biosVideo, biosVideoSize     = 0xa0000, 0x20000
	biosROM, biosROMSize         = 0xf0000, 0x10000
	biosTables                   = 0x23000 // at the end of memory: ACPI tables, among others
	recordedMiB                  = 1024    // the only size for which the place of the tables was recorded
)

// The owners of rows of the memory table that outlive boot loaders.
const (
	whatInitramfs = "initramfs"
	whatKernel    = "kernel"
	whatParams    = "boot parameters (zero page)"
	whatCmdline   = "kernel command line"
)

// biosRows is what firmware itself occupies.
func (s *start) biosRows() []machine.Set {
	rows := []machine.Set{
		memoryRow(biosVectors, biosVectorsSize, "interrupt vectors", "SeaBIOS"),
		memoryRow(biosData, biosDataSize, "BIOS data area", "SeaBIOS"),
		memoryRow(biosExtended, biosExtendedSz, "extended BIOS data area", "SeaBIOS"),
		memoryRow(biosVideo, biosVideoSize, "video memory", ""),
		memoryRow(biosROM, biosROMSize, "BIOS", "SeaBIOS"),
	}
	if s.c.MemoryMiB == recordedMiB {
		rows = append(rows, memoryRow(recordedMiB<<20-biosTables, biosTables, "reserved by firmware: ACPI tables", "SeaBIOS"))
	}
	return rows
}

// leftBehind are the rows of boot loaders, removed: once the kernel runs their memory is free. The initramfs, the boot
// parameters and what firmware occupies stay.
func (x *linux) leftBehind() []machine.Set {
	var out []machine.Set
	for _, id := range x.memoryIDs() {
		switch row := x.m.Row(trace.Memory, id); {
		case row["from"] == "SeaBIOS" || row["what"] == "video memory":
		case row["what"] == whatInitramfs || row["what"] == whatParams || row["what"] == whatCmdline || row["what"] == whatKernel:
		default:
			out = append(out, machine.Set{Table: trace.Memory, ID: id})
		}
	}
	return out
}

// copied are the rows of the boot parameters, removed: copy_bootdata of arch/x86/kernel/head64.c.
func (x *linux) copied() []machine.Set {
	var out []machine.Set
	for _, id := range x.memoryIDs() {
		if what := x.m.Row(trace.Memory, id)["what"]; what == whatParams || what == whatCmdline {
			out = append(out, machine.Set{Table: trace.Memory, ID: id})
		}
	}
	return out
}

func (x *linux) memoryIDs() []string {
	var ids []string
	for id := range x.m.Rows(trace.Memory) {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
