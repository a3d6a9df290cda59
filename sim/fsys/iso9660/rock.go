package iso9660

import (
	"encoding/binary"
	"fmt"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// A system use area is a sequence of fields: two letters, length, version, data. IEEE P1281 section 4.
const (
	fieldHeader     = 4
	continuationMax = 32 // CE fields that are followed, as in Linux (rock.c, RR_MAX_CE_ENTRIES)
	nameMax         = 254

	// Records may share continuations, so a small medium could make a reader parse without end. What real
	// records put there is shorter than they are.
	continuationRatio = 8
)

// areas calls fn for the fields of a system use area and of its continuations, until it returns false.
func (f *FS) areas(su []byte, fn func(sig string, data []byte) bool) error {
	for range continuationMax {
		var next []byte
		for len(su) >= fieldHeader {
			n := int(su[2])
			if n < fieldHeader || n > len(su) {
				break // padding or rubbish: Linux too shows what came before
			}
			sig, data := string(su[:2]), su[fieldHeader:n]
			su = su[n:]
			if sig == "ST" {
				break
			}
			if sig == "CE" {
				var err error
				if next, err = f.continuation(data); err != nil {
					return err
				}
				continue
			}
			if !fn(sig, data) {
				return nil
			}
		}
		if next == nil {
			return nil
		}
		su = next
	}
	return fmt.Errorf("Rock Ridge: more than %d continuations", continuationMax)
}

// continuation reads where a CE field points: block, offset, length, each in both byte orders. P1281
// section 5.1.
func (f *FS) continuation(data []byte) ([]byte, error) {
	if len(data) < 24 {
		return nil, fmt.Errorf("Rock Ridge: CE field of %d bytes", len(data))
	}
	le := binary.LittleEndian
	block, off, n := le.Uint32(data), int64(le.Uint32(data[8:])), int64(le.Uint32(data[16:]))
	at := int64(block) * f.block
	if off+n > f.block || at+off+n > f.size {
		return nil, decode.Errorf(f.r, at, 1, "Rock Ridge: CE", "an area inside a block of the medium", "block %d, %d bytes at %d", block, n, off)
	}
	if f.left -= n; f.left < 0 {
		return nil, decode.Errorf(f.r, at, 1, "Rock Ridge: CE", "less in continuations than eight times the directory", "more")
	}
	w := f.blocks[block]
	if w == nil {
		var err error
		if w, err = blob.Window(f.r, at, f.block); err != nil {
			return nil, fmt.Errorf("Rock Ridge: CE: %w", err)
		}
		if len(f.blocks) >= dirsMax {
			clear(f.blocks)
		}
		f.blocks[block] = w
	}
	if off+n > int64(len(w.Bytes())) {
		return nil, nil
	}
	return w.Bytes()[off : off+n], nil
}

// findRockRidge looks at the first record of the root: SP announces the sharing protocol, ER the Rock
// Ridge extension. Linux wants both (rock.c, s_rock).
func (f *FS) findRockRidge() {
	if len(f.root.ext) == 0 {
		return
	}
	off := f.root.ext[0].Phys
	w, err := blob.Window(f.r, off, sectorSize)
	if err != nil {
		return
	}
	f.left = sectorSize * continuationRatio
	rec := new(dirRecord)
	if _, err := decode.Read(w, off, binary.LittleEndian, "directory record", rec); err != nil {
		return
	}
	start := recordSize + int(rec.NameLen)
	start += start & 1
	if end := int(rec.Len); start < end && end <= len(w.Bytes()) {
		sp, er := false, false
		f.areas(w.Bytes()[start:end], func(sig string, data []byte) bool {
			switch {
			case sig == "SP" && len(data) >= 3 && data[0] == 0xbe && data[1] == 0xef:
				sp, f.skip = true, int(data[2])
			case sig == "ER":
				er = true
			}
			return true
		})
		if sp && er {
			f.names = rockRidge
			f.rock(f.root, rec, w.Bytes()[start:end])
			f.root.name = "."
		}
	}
}

// rockFields is what the fields of one record add up to.
type rockFields struct {
	name    strings.Builder
	link    link
	hidden  bool
	child   int64 // block of the directory that was moved elsewhere, negative for none
	zisofs  string
	realLen int64
}

// rock applies the Rock Ridge fields to e. It is false for a directory that is shown elsewhere (RE).
func (f *FS) rock(e *entry, rec *dirRecord, su []byte) bool {
	if e != f.root {
		su = su[min(f.skip, len(su)):]
	}
	got := rockFields{child: -1}
	err := f.areas(su, func(sig string, data []byte) bool { return got.field(e, sig, data) })
	if err != nil && e.err == nil {
		e.err = err
	}
	if got.hidden {
		return false
	}
	if got.name.Len() > 0 {
		e.name = got.name.String()
	}
	switch e.stat.Mode & fsys.S_IFMT {
	case fsys.S_IFLNK:
		e.target = got.link.String()
		e.size, e.ext = int64(len(e.target)), nil
	case fsys.S_IFREG, fsys.S_IFDIR:
	default:
		e.size, e.ext = 0, nil
	}
	if got.zisofs != "" {
		e.size = got.realLen
		e.err = fmt.Errorf("compressed with zisofs (%s): %w", got.zisofs, decode.ErrUnsupported)
	}
	if got.child >= 0 {
		f.moved(e, got.child)
	}
	return true
}

// field takes one field; P1282 section 4.1. Numbers are stored in both byte orders.
func (g *rockFields) field(e *entry, sig string, data []byte) bool {
	le := binary.LittleEndian
	switch {
	case sig == "NM" && len(data) >= 1: // flags 2 and 4 are "." and ".."
		if data[0]&6 == 0 && g.name.Len()+len(data)-1 < nameMax {
			g.name.Write(data[1:])
		}
	case sig == "PX" && len(data) >= 32:
		if mode := le.Uint32(data); mode&fsys.S_IFMT != 0 {
			e.stat.Mode = mode
		}
		e.stat.Nlink = le.Uint32(data[8:])
		e.stat.UID, e.stat.GID = le.Uint32(data[16:]), le.Uint32(data[24:])
	case sig == "PN" && len(data) >= 16:
		high, low := le.Uint32(data), le.Uint32(data[8:])
		if low&^0xff != 0 && high == 0 { // the whole number in the low field
			high, low = low>>8, low&0xff
		}
		e.stat.Rdev = high<<8 | low
	case sig == "TF" && len(data) >= 1:
		g.times(e, data[0], data[1:])
	case sig == "SL" && len(data) >= 1:
		g.link.add(data[0], data[1:])
	case sig == "RE":
		g.hidden = true
		return false
	case sig == "CL" && len(data) >= 4:
		g.child = int64(le.Uint32(data))
	case sig == "ZF" && len(data) >= 8:
		g.zisofs, g.realLen = string(data[:2]), int64(le.Uint32(data[4:]))
	}
	return true
}

// times reads the modification time; bit 0 of flags says that one of creation precedes it, bit 7 that
// they have seventeen bytes. P1282 section 4.1.6.
func (g *rockFields) times(e *entry, flags uint8, data []byte) {
	const creation, modify, long = 1, 2, 0x80
	n := 7
	if flags&long != 0 {
		return // nobody writes it; Linux reads only the short form
	}
	if flags&creation != 0 {
		data = data[min(n, len(data)):]
	}
	if flags&modify != 0 && len(data) >= n {
		e.mtime = recordTime(data[:n])
	}
}

// moved makes e the directory at block: the tree was too deep for ISO 9660 and a part lies elsewhere.
// P1282 section 4.1.5.1. Its own "." record has the attributes.
func (f *FS) moved(e *entry, block int64) {
	off := block * f.block
	w, err := blob.Window(f.r, off, f.block)
	rec := new(dirRecord)
	if err == nil {
		_, err = decode.Read(w, off, binary.LittleEndian, "directory record", rec)
	}
	if err != nil {
		e.err = err
		return
	}
	e.ext, e.size = f.extent(rec, 0), int64(rec.DataLen)
	e.stat.Mode = fsys.S_IFDIR | 0o555
	start := recordSize + int(rec.NameLen)
	start += start & 1
	start += f.skip
	if end := int(rec.Len); start < end && end <= len(w.Bytes()) {
		dot := rockFields{child: -1}
		if err := f.areas(w.Bytes()[start:end], func(sig string, data []byte) bool {
			return sig == "CL" || dot.field(e, sig, data)
		}); err != nil {
			e.err = err
		}
	}
	if e.stat.Mode&fsys.S_IFMT != fsys.S_IFDIR {
		e.stat.Mode = fsys.S_IFDIR | 0o555
	}
}

// link is a symbolic link's target while it is put together. P1282 section 4.1.3.
type link struct {
	text strings.Builder
	open bool // the last component continues in the next
	root bool // the last component was the root
}

// Component flags.
const (
	partContinues = 1
	partCurrent   = 2
	partParent    = 4
	partRoot      = 8
)

const linkMax = 4095 // PATH_MAX of Linux

func (l *link) add(_ uint8, data []byte) {
	for len(data) >= 2 {
		flags, n := data[0], int(data[1])
		if 2+n > len(data) || l.text.Len()+n > linkMax {
			return
		}
		if l.text.Len() > 0 && !l.open && !l.root {
			l.text.WriteByte('/')
		}
		l.root = false
		switch {
		case flags&partRoot != 0:
			l.text.WriteByte('/')
			l.root = true
		case flags&partParent != 0:
			l.text.WriteString("..")
		case flags&partCurrent != 0:
			l.text.WriteByte('.')
		default:
			l.text.Write(data[2 : 2+n])
		}
		l.open = flags&partContinues != 0
		data = data[2+n:]
	}
}

// String is the target.
func (l *link) String() string { return l.text.String() }
