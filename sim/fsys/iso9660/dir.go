package iso9660

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// entry is a file or a directory with its name.
type entry struct {
	name   string
	ext    []blob.Extent
	size   int64
	mtime  time.Time
	stat   fsys.Stat
	target string // of a symbolic link
	err    error  // why its content cannot be read
	ident  string // the identifier on the medium: parts of one file share it
}

func (e *entry) dir() bool { return e.stat.Mode&fsys.S_IFMT == fsys.S_IFDIR }

// start is the byte where the content lies, negative for none.
func (e *entry) start() int64 {
	if len(e.ext) == 0 {
		return -1
	}
	return e.ext[0].Phys
}

type directory struct {
	entries []*entry
	err     error // why it ends early
}

// rootEntry makes the root of its record in a volume descriptor.
func (f *FS) rootEntry(rec *dirRecord, cites []blob.Cite) *entry {
	e := &entry{name: ".", mtime: recordTime(rec.Date[:]), size: int64(rec.DataLen)}
	e.ext = f.extent(rec, 0)
	e.stat = fsys.Stat{Ino: uint64(max(e.start(), 0)) >> 5, Mode: fsys.S_IFDIR | 0o555, Nlink: 2, Cites: cites}
	return e
}

// extent is where the data of a record lie; off is their offset in the file.
func (f *FS) extent(rec *dirRecord, off int64) []blob.Extent {
	if rec.DataLen == 0 {
		return nil
	}
	phys := (int64(rec.Extent) + int64(rec.ExtAttrLen)) * f.block
	return []blob.Extent{{Off: off, Len: int64(rec.DataLen), Phys: phys}}
}

// directory reads a directory; what precedes damage is there beside the error.
func (f *FS) directory(e *entry) *directory {
	if d := f.dirs[e]; d != nil {
		return d
	}
	d := new(directory)
	if len(e.ext) > 0 {
		d.err = f.parse(e, d)
	}
	if len(f.dirs) >= dirsMax {
		clear(f.dirs)
	}
	f.dirs[e] = d
	return d
}

func (f *FS) parse(e *entry, d *directory) error {
	off, n := e.ext[0].Phys, e.ext[0].Len
	if n > dirMax || off+n > f.size {
		return decode.Errorf(f.r, off, 1, "directory", fmt.Sprintf("at most %d bytes inside the medium", dirMax), "%d", n)
	}
	w, err := blob.Window(f.r, off, n)
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	f.left = max(n, sectorSize) * continuationRatio
	var open *entry // a file of several extents, not complete
	return f.records(w, off, func(rec *dirRecord, cite *decode.Record, name string, su []byte) error {
		if name == "\x00" || name == "\x01" || rec.Flags&flagAssociated != 0 {
			return nil
		}
		if open != nil && open.ident == name {
			open.ext = append(open.ext, f.extent(rec, open.size)...)
			open.size += int64(rec.DataLen)
			open.stat.Cites = append(open.stat.Cites, cite.Cite(&rec.Extent, &rec.DataLen)...)
			if rec.Flags&flagMultiExtent == 0 {
				open = nil
			}
			return nil
		}
		open = nil
		child := f.entry(rec, cite, name, su)
		if child == nil {
			return nil
		}
		d.entries = append(d.entries, child)
		if rec.Flags&flagMultiExtent != 0 {
			open = child
		}
		return nil
	})
}

// records calls fn for the records of a directory at off, with identifier and system use area. A record
// does not cross a sector; zeros fill the rest of one. ECMA-119 section 6.8.1.
func (f *FS) records(w *blob.WindowReader, off int64, fn func(rec *dirRecord, cite *decode.Record, name string, su []byte) error) error {
	data := w.Bytes()
	for at := int64(0); at < int64(len(data)); {
		n := int64(data[at])
		if n == 0 {
			at = (at/sectorSize + 1) * sectorSize
			continue
		}
		rec := new(dirRecord)
		cite, err := decode.Read(w, off+at, binary.LittleEndian, "directory record", rec)
		if err != nil {
			return err
		}
		nameEnd := recordSize + int64(rec.NameLen)
		if nameEnd > n || at+n > int64(len(data)) {
			return cite.Errorf(&rec.Len, fmt.Sprintf("at least %d, inside the directory", nameEnd), "%d", n)
		}
		su := min(nameEnd+nameEnd&1, n) // the area starts at an even offset
		if err := fn(rec, cite, string(data[at+recordSize:at+nameEnd]), data[at+su:at+n]); err != nil {
			return err
		}
		at += n
	}
	return nil
}

const recordSize = 33

// entry makes a file of a record; nil when it is not shown or has a name that no path can hold.
func (f *FS) entry(rec *dirRecord, cite *decode.Record, ident string, su []byte) *entry {
	e := &entry{ident: ident, mtime: recordTime(rec.Date[:]), size: int64(rec.DataLen), ext: f.extent(rec, 0)}
	e.stat.Mode, e.stat.Nlink = fsys.S_IFREG|0o555, 1 // Linux: everybody reads, nobody writes
	if rec.Flags&flagDir != 0 {
		e.stat.Mode, e.stat.Nlink = fsys.S_IFDIR|0o555, 2
	}
	e.stat.Cites = cite.Cite(&rec.Extent, &rec.DataLen, &rec.Flags)
	if at := blob.Locate(f.r, cite.Off()+recordSize, int64(rec.NameLen)); len(at) > 0 {
		e.stat.Cites = append(e.stat.Cites, blob.Cite{Span: at[0], Name: "FileIdentifier", Value: strconv.Quote(ident)})
	}
	// Linux numbers an inode by the place of its record. Several names of one content keep their own.
	e.stat.Ino = uint64(cite.Off()) >> 5
	if rec.UnitSize != 0 || rec.GapSize != 0 {
		e.err = fmt.Errorf("interleaved file: %w", decode.ErrUnsupported)
	}
	switch f.names {
	case joliet:
		e.name = jolietName(ident)
	case plain:
		e.name = plainName(ident)
	case rockRidge:
		if e.name = plainName(ident); !f.rock(e, rec, su) {
			return nil
		}
	}
	if !fs.ValidPath(e.name) || e.name == "." || strings.ContainsAny(e.name, "/\x00") {
		return nil
	}
	return e
}

// plainName is the name as Linux's map=normal shows it (fs/isofs/dir.c, isofs_name_translate): lower case,
// without ";1" or ".;1" at the end, other ';' and any '/' replaced by '.'.
func plainName(ident string) string {
	ident, _, _ = strings.Cut(ident, "\x00")
	if s, ok := strings.CutSuffix(ident, ".;1"); ok {
		ident = s
	} else {
		ident = strings.TrimSuffix(ident, ";1")
	}
	out := []byte(ident)
	for i, c := range out {
		switch {
		case 'A' <= c && c <= 'Z':
			out[i] = c | 0x20
		case c == ';' || c == '/':
			out[i] = '.'
		}
	}
	return string(out)
}

// jolietName is the name as Linux shows it (fs/isofs/joliet.c): without version and trailing periods.
func jolietName(ident string) string {
	units := make([]uint16, len(ident)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16([]byte(ident[2*i:]))
	}
	name := string(utf16.Decode(units))
	if len(name) > 2 {
		name = strings.TrimSuffix(name, ";1")
	}
	for len(name) >= 2 && strings.HasSuffix(name, ".") {
		name = name[:len(name)-1]
	}
	return name
}

// lookup walks a path of io/fs.
func (f *FS) lookup(op, name string) (*entry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at := f.root
	if name == "." {
		return at, nil
	}
	above := []int64{at.start()}
	for part := range strings.SplitSeq(name, "/") {
		if !at.dir() {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		d := f.directory(at)
		next := f.find(d, part)
		if next == nil {
			err := d.err
			if err == nil {
				err = fs.ErrNotExist
			}
			return nil, &fs.PathError{Op: op, Path: name, Err: err}
		}
		if next.dir() && next.start() >= 0 {
			for _, off := range above {
				if off == next.start() {
					err := decode.Errorf(f.r, off, 1, "directory "+part, "an extent of its own", "that of a directory above")
					return nil, &fs.PathError{Op: op, Path: name, Err: err}
				}
			}
			above = append(above, next.start())
		}
		at = next
	}
	return at, nil
}

// find takes the name as it is written; Joliet names are found whatever their case, Linux's check=relaxed.
func (f *FS) find(d *directory, name string) *entry {
	for _, e := range d.entries {
		if e.name == name {
			return e
		}
	}
	if f.names == joliet {
		for _, e := range d.entries {
			if strings.EqualFold(e.name, name) {
				return e
			}
		}
	}
	return nil
}

// PathAt returns the path of the regular file whose content starts at that 2048-byte block of the medium:
// what an El Torito entry loads. "" when none does; at most 65536 entries are looked at.
func (f *FS) PathAt(lba uint32) string {
	type place struct {
		e    *entry
		path string
	}
	want := int64(lba) * sectorSize
	seen := map[int64]bool{}
	left := walkMax
	for todo := []place{{f.root, ""}}; len(todo) > 0; {
		at := todo[0]
		todo = todo[1:]
		if seen[at.e.start()] {
			continue
		}
		seen[at.e.start()] = true
		for _, e := range f.directory(at.e).entries {
			if left--; left < 0 {
				return ""
			}
			switch {
			case e.dir():
				todo = append(todo, place{e, at.path + e.name + "/"})
			case e.size > 0 && e.start() == want:
				return at.path + e.name
			}
		}
	}
	return ""
}
