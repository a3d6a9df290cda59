package vhdx

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk/gpt"
)

// ParentLocator is a metadata item. Section 2.6.2.6.1.
type ParentLocator struct {
	LocatorType   gpt.GUID `at:"0x00"`
	Reserved      uint16   `at:"0x10"`
	KeyValueCount uint16   `at:"0x12"`
}

// LocatorEntry follows the parent locator; offsets are from its start. Section 2.6.2.6.2.
type LocatorEntry struct {
	KeyOffset   uint32 `at:"0x00"`
	ValueOffset uint32 `at:"0x04"`
	KeyLength   uint16 `at:"0x08"` // bytes of UTF-16
	ValueLength uint16 `at:"0x0a"`
}

const (
	locatorMax     = 1 << 20
	locatorEntries = 64
)

// parentName is the parent's file as the locator's first path names it, quoted; "" when none does.
func (im *Image) parentName(items []MetadataEntry) string {
	for _, item := range items {
		off := int64(im.metadata.FileOffset) + int64(item.Offset)
		w, err := blob.Window(im.r, off, min(int64(item.Length), locatorMax))
		if err != nil {
			continue
		}
		l := new(ParentLocator)
		if _, err := decode.Read(w, off, binary.LittleEndian, "vhdx parent locator", l); err != nil {
			continue
		}
		paths := map[string]string{}
		for i := range int64(min(l.KeyValueCount, locatorEntries)) {
			e := new(LocatorEntry)
			if _, err := decode.Read(w, off+20+i*12, binary.LittleEndian, "vhdx parent locator entry", e); err != nil {
				break
			}
			paths[text(w, off+int64(e.KeyOffset), e.KeyLength)] = text(w, off+int64(e.ValueOffset), e.ValueLength)
		}
		for _, key := range []string{"relative_path", "absolute_win32_path", "volume_path"} {
			if paths[key] != "" {
				return fmt.Sprintf(" %q", paths[key])
			}
		}
	}
	return ""
}

func text(w *blob.WindowReader, off int64, n uint16) string {
	b := make([]byte, n)
	got, _ := w.ReadAt(b, off)
	var units []uint16
	for b = b[:got]; len(b) >= 2; b = b[2:] {
		units = append(units, binary.LittleEndian.Uint16(b))
	}
	return strings.ToValidUTF8(string(utf16.Decode(units)), "?")
}
