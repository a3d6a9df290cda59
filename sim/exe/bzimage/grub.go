package bzimage

import (
	"encoding/binary"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// CheckGRUB returns what GRUB's command linux says of a file that it does not take, "" when it takes it,
// and the bytes that decide. name is the file's name as given to the command. The checks and their order are
// those of grub-core/loader/i386/linux.c, grub_cmd_linux (2.06); on BIOS it points to linux16.
func CheckGRUB(r io.ReaderAt, size int64, name string, bios bool) (string, []blob.Cite) {
	var h SetupHeader
	const maxSetupSects = 64
	hint := ""
	if bios {
		hint = " (try with `linux16')"
	}
	rec, err := decode.Read(r, 0, binary.LittleEndian, "setup header", &h)
	switch {
	case err != nil:
		return "premature end of file " + name, nil
	case h.Boot_flag != bootFlag:
		return "invalid magic number", rec.Cite(&h.Boot_flag)
	case h.Setup_sects > maxSetupSects:
		return "too many setup sectors", rec.Cite(&h.Setup_sects)
	case string(h.Header[:]) != magicHdrS || h.Version < 0x203:
		return "version too old for 32-bit boot" + hint, rec.Cite(&h.Header, &h.Version)
	case h.Loadflags&LOADED_HIGH == 0:
		return "zImage doesn't support 32-bit boot" + hint, rec.Cite(&h.Loadflags)
	}
	return "", rec.Cite(&h.Boot_flag, &h.Header, &h.Version, &h.Loadflags)
}
