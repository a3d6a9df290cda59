package fat

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// dirent is a directory entry with its short name. Section 6.
type dirent struct {
	Name       [11]byte `at:"0x00"`
	Attr       uint8    `at:"0x0b"`
	NTRes      uint8    `at:"0x0c"` // Windows NT and Linux: bit 3 name, bit 4 extension in lower case
	CrtTenth   uint8    `at:"0x0d"`
	CrtTime    uint16   `at:"0x0e"`
	CrtDate    uint16   `at:"0x10"`
	AccDate    uint16   `at:"0x12"`
	ClusterHi  uint16   `at:"0x14"` // FstClusHI; FAT32 only
	WrtTime    uint16   `at:"0x16"`
	WrtDate    uint16   `at:"0x18"`
	ClusterLow uint16   `at:"0x1a"` // FstClusLO
	FileSize   uint32   `at:"0x1c"`
}

// longent is a part of a long name; the parts precede the short entry, last part first. Section 7.
type longent struct {
	Ord      uint8     `at:"0x00"` // 1, 2, …; 0x40 marks the last part
	Name1    [5]uint16 `at:"0x01"`
	Attr     uint8     `at:"0x0b"`
	Type     uint8     `at:"0x0c"`
	Checksum uint8     `at:"0x0d"` // of the short name
	Name2    [6]uint16 `at:"0x0e"`
	Cluster  uint16    `at:"0x1a"`
	Name3    [2]uint16 `at:"0x1c"`
}

const entrySize = 32

// Attribute bits. Section 6.2.
const (
	attrReadOnly = 0x01
	attrVolume   = 0x08
	attrDir      = 0x10
	attrLong     = 0x0f
	attrMask     = 0x3f
)

const (
	deleted   = 0xe5
	kanjiE5   = 0x05 // stands for a first byte 0xe5
	lowerBase = 0x08
	lowerExt  = 0x10
)

// entry is a file or a directory with its name.
type entry struct {
	fs    *FS
	name  string
	short string // the 8.3 name; an alias when there is a long one
	up    *entry // the directory that it lies in; nil for the root
	root  bool
	first uint32 // cluster
	size  int64
	mtime time.Time
	stat  fsys.Stat
}

const rootIno = 1 // MSDOS_ROOT_INO

func (e *entry) dir() bool { return e.stat.Mode&fsys.S_IFMT == fsys.S_IFDIR }

// directory is what was read of one.
type directory struct {
	entries  []*entry
	label    *dirent
	labelRec *decode.Record
	err      error // why it ends early
}

// directory reads a directory; what precedes damage is there beside the error.
func (f *FS) directory(e *entry) *directory {
	if d := f.dirs[e]; d != nil {
		return d
	}
	d := new(directory)
	m, chainErr := f.dirReader(e)
	w, err := blob.Window(m, 0, m.Size())
	if d.err = f.parse(w, d); d.err == nil {
		d.err = err
	}
	if d.err == nil {
		d.err = chainErr
	}
	for _, child := range d.entries {
		child.up = e
	}
	if len(f.dirs) >= dirsMax {
		clear(f.dirs)
	}
	f.dirs[e] = d
	return d
}

// dirReader lays the clusters of a directory side by side. The root of FAT12 and FAT16 is a fixed area
// before the first cluster.
func (f *FS) dirReader(e *entry) (*blob.MappedReader, error) {
	if e.root && f.ext == nil {
		n := int64(f.bpb.RootEntries) * entrySize
		off := f.dataOff - f.bpb.rootSectors()*int64(f.bpb.BytesPerSector)
		return blob.Mapped(f.r, n, []blob.Extent{{Off: 0, Len: n, Phys: off}}), nil
	}
	ext, n, err := f.chain(e.first, -1)
	return blob.Mapped(f.r, n, ext), err
}

func (f *FS) parse(w *blob.WindowReader, d *directory) error {
	var long longName
	for off := int64(0); off+entrySize <= int64(len(w.Bytes())); off += entrySize {
		head := w.Bytes()[off:]
		if head[0] == 0 { // this entry and all that follow are free
			return nil
		}
		if head[0] == deleted {
			long = longName{}
			continue
		}
		if head[0x0b]&attrMask == attrLong {
			if err := long.add(w, off); err != nil {
				return err
			}
			continue
		}
		rec := new(dirent)
		cite, err := decode.Read(w, off, binary.LittleEndian, "directory entry", rec)
		if err != nil {
			return err
		}
		if rec.Attr&attrVolume != 0 {
			// libblkid takes the first that is no directory and has no cluster.
			if d.label == nil && rec.Attr&attrDir == 0 && rec.first() == 0 {
				d.label, d.labelRec = rec, cite
			}
		} else if e := f.entry(rec, cite, &long); e != nil {
			d.entries = append(d.entries, e)
		}
		long = longName{}
	}
	return nil
}

// entry makes a file of a directory entry; nil for "." and ".." and for names that no path can hold.
func (f *FS) entry(rec *dirent, cite *decode.Record, long *longName) *entry {
	e := &entry{fs: f, short: shortName(rec, false), name: shortName(rec, true)}
	cites := cite.Cite(&rec.Name)
	if name, ok := long.text(rec); ok {
		e.name = name
		for _, s := range long.spans {
			cites = append(cites, blob.Cite{Span: s, Name: "LongName", Value: strconv.Quote(name)})
		}
	}
	if !fsys.ValidPath(e.name) || e.name == "." || e.name == ".." || strings.ContainsAny(e.name, "/\x00") {
		return nil
	}
	e.first = rec.first()
	if f.ext == nil {
		e.first = uint32(rec.ClusterLow)
	}
	mode := uint32(0o755) // Linux: fmask and dmask are the umask, 022
	if rec.Attr&attrReadOnly != 0 {
		mode = 0o555
	}
	e.stat.Nlink = 1
	if rec.Attr&attrDir != 0 {
		mode |= fsys.S_IFDIR
		e.stat.Nlink = 2
	} else {
		mode |= fsys.S_IFREG
		e.size = int64(rec.FileSize)
	}
	e.stat.Mode = mode
	e.mtime = fatTime(rec.WrtDate, rec.WrtTime)
	e.stat.Cites = append(cites, cite.Cite(&rec.Attr, &rec.ClusterHi, &rec.ClusterLow, &rec.FileSize)...)
	// FAT has no inode numbers; the place of the entry is unique.
	if at := blob.Locate(f.r, 0, 1); len(at) > 0 && len(cites) > 0 {
		e.stat.Ino = uint64(cites[0].Off-at[0].Off)/entrySize + rootIno + 1
	}
	return e
}

func (d *dirent) first() uint32 { return uint32(d.ClusterHi)<<16 | uint32(d.ClusterLow) }

// shortName is the 8.3 name; cased applies the case flags, as Linux's shortname=mixed shows it.
func shortName(d *dirent, cased bool) string {
	base := strings.TrimRight(oemText(d.Name[:8]), " ")
	ext := strings.TrimRight(oemTail(d.Name[8:]), " ")
	if cased && d.NTRes&lowerBase != 0 {
		base = strings.ToLower(base)
	}
	if cased && d.NTRes&lowerExt != 0 {
		ext = strings.ToLower(ext)
	}
	if ext == "" {
		return base
	}
	return base + "." + ext
}

// oemText decodes a name whose first byte 0x05 stands for 0xe5. Section 6.1.
func oemText(b []byte) string {
	if len(b) > 0 && b[0] == kanjiE5 {
		return oemTail([]byte{deleted}) + oemTail(b[1:])
	}
	return oemTail(b)
}

// oemTail decodes code page 437, the default of Linux and DOS.
func oemTail(b []byte) string {
	var out strings.Builder
	high := []rune(cp437)
	for _, c := range b {
		if c < 0x80 {
			out.WriteByte(c)
		} else {
			out.WriteRune(high[c-0x80])
		}
	}
	return out.String()
}

// cp437 is the upper half of code page 437, from 0x80 on.
const cp437 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñ\u00d1\u00aa\u00ba¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
	"αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0"

// longName collects the parts of a long name.
type longName struct {
	left  int // parts still to come; they come in descending order
	total int
	sum   uint8
	units [20 * unitsPerPart]uint16
	spans []blob.Span
}

const (
	unitsPerPart = 13
	partsMax     = 20
	lastPart     = 0x40
)

// add takes the part at off. Parts that do not follow each other are orphans and dropped: the short name
// stays. Section 7.
func (l *longName) add(w *blob.WindowReader, off int64) error {
	p := new(longent)
	if _, err := decode.Read(w, off, binary.LittleEndian, "long name entry", p); err != nil {
		return err
	}
	n := int(p.Ord &^ lastPart)
	switch {
	case n == 0 || n > partsMax:
		*l = longName{}
		return nil
	case p.Ord&lastPart != 0:
		*l = longName{left: n, total: n, sum: p.Checksum}
	case l.total == 0 || n != l.left || p.Checksum != l.sum:
		*l = longName{}
		return nil
	}
	at := (n - 1) * unitsPerPart
	copy(l.units[at:], p.Name1[:])
	copy(l.units[at+5:], p.Name2[:])
	copy(l.units[at+11:], p.Name3[:])
	l.left = n - 1
	l.spans = append(l.spans, blob.Locate(w, off, entrySize)...)
	return nil
}

// text is the name, when all its parts are there and belong to the short name.
func (l *longName) text(d *dirent) (string, bool) {
	if l.total == 0 || l.left != 0 || l.sum != checksum(d.Name) {
		return "", false
	}
	units := l.units[:l.total*unitsPerPart]
	for i, u := range units {
		if u == 0 {
			units = units[:i]
			break
		}
	}
	return string(utf16.Decode(units)), len(units) > 0
}

// checksum is the sum of a short name that its long parts carry. Section 7.2.
func checksum(name [11]byte) uint8 {
	var sum uint8
	for _, c := range name {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

// fatTime reads a date and a time of two seconds' resolution. FAT stores no time zone; it is shown as
// if it were UTC. A month or day of zero counts as one, as in Linux (fs/fat/misc.c).
func fatTime(date, t uint16) time.Time {
	month, day := max(int(date>>5&0xf), 1), max(int(date&0x1f), 1)
	return time.Date(1980+int(date>>9), time.Month(month), day, int(t>>11), int(t>>5&0x3f), int(t&0x1f)*2, 0, time.UTC)
}

// find takes the name with that spelling, else one that differs only in case, else a short name.
func (d *directory) find(name string) *entry {
	for _, e := range d.entries {
		if e.name == name {
			return e
		}
	}
	for _, e := range d.entries {
		if strings.EqualFold(e.name, name) || strings.EqualFold(e.short, name) {
			return e
		}
	}
	return nil
}
