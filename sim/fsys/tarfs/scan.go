package tarfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// Limits on what an archive may make us keep.
const (
	maxEntries = 1_000_000
	maxNames   = 256 << 20 // bytes of all names and link targets together
	maxPath    = 4096      // bytes of one name: PATH_MAX, limits.h
	maxSpecial = 1 << 20   // bytes of a pax header or a long name, as archive/tar has it
	maxRegions = 1 << 16   // of one sparse file
)

// Entry is one member of the archive as its headers have it.
type Entry struct {
	Name      string // as written
	Linkname  string
	Size      int64 // of the content, holes included
	HeaderOff int64 // of the header block
	DataOff   int64 // where the content starts

	seconds  int64 // of the modification time, since 1970
	start    int64 // of its first header: one of those that only say more of it, or HeaderOff
	nanos    uint32
	Mode     uint32 // permission bits, 07777
	UID, GID uint32
	Major    uint32 // of devices
	Minor    uint32
	*rare

	Type   byte // TypeReg, TypeDir, …; old and sparse forms of a regular file are TypeReg
	prefix bool // the name starts in the header's Prefix field
}

// rare is what few entries have.
type rare struct {
	sparse     []blob.Extent // nil for a file stored in one piece
	over       []record      // pax records and GNU long names that replace header fields
	capability []byte
}

// uncommon makes room for what few entries have.
func (e *Entry) uncommon() *rare {
	if e.rare == nil {
		e.rare = &rare{}
	}
	return e.rare
}

// ModTime is the modification time, in UTC.
func (e *Entry) ModTime() time.Time { return time.Unix(e.seconds, int64(e.nanos)).UTC() }

// Capability is the security.capability attribute, nil without one.
func (e *Entry) Capability() []byte {
	if e.rare == nil {
		return nil
	}
	return e.capability
}

// Contiguous tells whether the content lies in one piece at DataOff.
func (e *Entry) Contiguous() bool { return e.rare == nil || e.sparse == nil }

// Content is the entry's content as a view of the archive r.
func (e *Entry) Content(r io.ReaderAt) fsys.Content {
	if !e.Contiguous() {
		return blob.Mapped(r, e.Size, e.sparse)
	}
	return blob.Section(r, e.DataOff, e.Size)
}

// Cites gives the header fields of the entry in the archive r. A field that a pax record or a GNU long
// name replaces is cited there. Nothing is read: the entry has the values, the layout the places.
func (e *Entry) Cites(r io.ReaderAt) []blob.Cite {
	fields := []struct {
		name     string
		off, len int64
		pax      string
		value    string
	}{
		{"Prefix", 345, 155, "", strconv.Quote(e.Name)},
		{"Name", 0, 100, "path", strconv.Quote(e.Name)},
		{"Typeflag", 156, 1, "", strconv.QuoteRune(rune(e.Type))},
		{"Mode", 100, 8, "", fmt.Sprintf("%04o", e.Mode)},
		{"UID", 108, 8, "uid", fmt.Sprint(e.UID)},
		{"GID", 116, 8, "gid", fmt.Sprint(e.GID)},
		{"Size", 124, 12, "size", fmt.Sprint(e.Size)},
		{"Mtime", 136, 12, "mtime", e.ModTime().Format(time.RFC3339)},
		{"Linkname", 157, 100, "linkpath", strconv.Quote(e.Linkname)},
		{"Devmajor", 329, 8, "", fmt.Sprint(e.Major)},
		{"Devminor", 337, 8, "", fmt.Sprint(e.Minor)},
		{"security.capability", 0, 0, capabilityKey, fmt.Sprintf("% x", e.Capability())},
	}
	var over []record
	if e.rare != nil {
		over = e.over
	}
	var out []blob.Cite
	for _, f := range fields {
		dev := e.Type == TypeChar || e.Type == TypeBlock
		switch {
		case f.name == "Prefix" && !e.prefix, f.name == "Linkname" && e.Linkname == "", strings.HasPrefix(f.name, "Dev") && !dev:
			continue
		}
		off, n := e.HeaderOff+f.off, f.len
		for _, o := range over {
			if o.key == f.pax {
				off, n = o.off, int64(len(o.value))
			}
		}
		for _, s := range blob.Locate(r, off, n) {
			out = append(out, blob.Cite{Span: s, Name: f.name, Value: f.value})
		}
	}
	return out
}

const capabilityKey = "SCHILY.xattr.security.capability"

// Scan reads the headers of the archive r in order and calls fn for each entry until it returns false.
// Contents are skipped, not read. A stream that does not start with a tar header gives an error that
// wraps [decode.ErrFormat]; damage further on gives a [*decode.Error].
func Scan(r io.ReaderAt, fn func(*Entry) bool) error {
	s := scanner{r: r}
	for n := 0; ; n++ {
		e, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if s.names += len(e.Name) + len(e.Linkname); n >= maxEntries || s.names > maxNames {
			return fmt.Errorf("tar: more than %d entries or %d bytes of names: %w", maxEntries, maxNames, blob.ErrTooLarge)
		}
		if !fn(e) {
			return nil
		}
	}
}

type scanner struct {
	r     io.ReaderAt
	off   int64  // of the next header
	last  string // name of the entry before, for messages
	names int
	buf   [blockSize]byte
	head  Header

	dataOff, stored int64 // of the entry before
}

// block reads the header block at off; io.EOF at the end of the archive.
func (s *scanner) block() error {
	n, err := s.r.ReadAt(s.buf[:], s.off)
	if n < blockSize {
		if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("tar header at %#x: %w", s.off, err)
		}
		return s.end(n)
	}
	if !zero(s.buf[:]) {
		return nil
	}
	// "At the end of the archive file there shall be two 512-octet logical records filled with binary
	// zeros" - POSIX.1-2017, pax. Go's archive/tar, which the engines use, accepts one at the very end.
	if n, _ := s.r.ReadAt(s.buf[:], s.off+blockSize); n == blockSize && !zero(s.buf[:]) {
		return decode.Errorf(s.r, s.off+blockSize, blockSize, "tar", "a second block of zeros at the end", "other bytes")
	}
	if s.off == 0 {
		// An archive without entries is valid, but a file of zeros is not evidence for one.
		return fmt.Errorf("tar: no header, only zeros: %w", decode.ErrFormat)
	}
	return io.EOF
}

// end judges an input that ends n bytes into the block at off.
func (s *scanner) end(n int) error {
	if s.off == 0 {
		return fmt.Errorf("tar: %d bytes, a header needs %d: %w", n, blockSize, decode.ErrFormat)
	}
	if z, ok := s.r.(blob.Sized); ok && z.Size() < s.dataOff+s.stored {
		return decode.Errorf(s.r, s.dataOff, 1, "tar entry "+s.name()+": content", fmt.Sprintf("%d bytes", s.stored),
			"the end after %d", max(0, z.Size()-s.dataOff))
	}
	if n > 0 {
		return decode.Errorf(s.r, s.off, int64(n), "tar header after "+s.name(), fmt.Sprintf("%d bytes", blockSize), "the end after %d", n)
	}
	return io.EOF
}

// header reads and checks the header at off.
func (s *scanner) header() (*Header, error) {
	if err := s.block(); err != nil {
		return nil, err
	}
	h := &s.head
	h.fill(s.buf[:])
	want, ok := number(h.Chksum[:])
	unsigned, signed := sum(s.buf[:])
	if !ok || (want != unsigned && want != signed) {
		if s.off == 0 {
			return nil, fmt.Errorf("tar: no header: checksum %#o, field %q: %w", unsigned, text(h.Chksum[:]), decode.ErrFormat)
		}
		return nil, decode.Errorf(s.r, s.off+148, 8, "tar header after "+s.name()+": Chksum", fmt.Sprintf("%#o", unsigned), "%q", text(h.Chksum[:]))
	}
	return h, nil
}

// name is for messages.
func (s *scanner) name() string {
	if s.last == "" {
		return ""
	}
	return strconv.Quote(clip(s.last))
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// next returns the next entry; the headers before it that only carry its names and attributes are
// folded in.
func (s *scanner) next() (*Entry, error) {
	var over []record
	for start := s.off; ; {
		h, err := s.header()
		if err != nil {
			return nil, err
		}
		switch h.Typeflag[0] {
		case typePax, typeLongName, typeLongLink, typeGlobal:
			more, err := s.special(h)
			if err != nil {
				return nil, err
			}
			over = supersede(over, more, h.Typeflag[0])
			if len(over) > maxRegions {
				return nil, decode.Errorf(s.r, s.off, 1, "tar", "the entry that extended headers announced", "yet more of them")
			}
		default:
			e, err := s.entry(h, over)
			if err == nil {
				e.start = start
			}
			return e, err
		}
	}
}

// supersede adds the records of one more header before the same entry. A second pax header replaces the
// first whole; long names of GNU tar stay last, so that they count.
func supersede(over, more []record, typ byte) []record {
	if typ == typePax {
		over = slices.DeleteFunc(over, func(r record) bool { return !r.gnu })
		return append(more, over...)
	}
	return append(over, more...)
}

// special reads a header whose data describes the next entry.
func (s *scanner) special(h *Header) ([]record, error) {
	size, ok := number(h.Size[:])
	if !ok || size < 0 || size > maxSpecial {
		return nil, decode.Errorf(s.r, s.off+124, 12, "tar extended header: Size", fmt.Sprintf("at most %d", maxSpecial), "%q", text(h.Size[:]))
	}
	off := s.off + blockSize
	s.off = off + pad(size)
	if h.Typeflag[0] == typeGlobal { // archive/tar hands it to its caller, and no engine looks at it
		return nil, nil
	}
	data := make([]byte, size)
	if n, err := s.r.ReadAt(data, off); int64(n) < size {
		return nil, truncated(s.r, "tar extended header", off, size, n, err)
	}
	switch h.Typeflag[0] {
	case typeLongName:
		return []record{{"path", text(data), off, true}}, nil
	case typeLongLink:
		return []record{{"linkpath", text(data), off, true}}, nil
	}
	return paxRecords(s.r, data, off)
}

func truncated(r io.ReaderAt, what string, off, size int64, n int, err error) error {
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s at %#x: %w", what, off, err)
	}
	return decode.Errorf(r, off, int64(max(n, 1)), what, fmt.Sprintf("%d bytes", size), "the end after %d", n)
}

func pad(n int64) int64 { return (n + blockSize - 1) / blockSize * blockSize }

// entry makes the entry of the header at off and moves behind its data.
func (s *scanner) entry(h *Header, over []record) (*Entry, error) {
	e := &Entry{Linkname: text(h.Linkname[:]), Type: h.Typeflag[0], HeaderOff: s.off, DataOff: s.off + blockSize}
	e.Name, e.prefix = name(h)
	s.last = e.Name
	numbers := []struct {
		field []byte
		name  string
		set   func(int64)
	}{
		{h.Mode[:], "Mode", func(n int64) { e.Mode = uint32(n) & 0o7777 }},
		{h.UID[:], "UID", func(n int64) { e.UID = uint32(n) }},
		{h.GID[:], "GID", func(n int64) { e.GID = uint32(n) }},
		{h.Size[:], "Size", func(n int64) { e.Size = n }},
		{h.Mtime[:], "Mtime", func(n int64) { e.seconds = n }},
		{h.Devmajor[:], "Devmajor", func(n int64) { e.Major = uint32(n) }},
		{h.Devminor[:], "Devminor", func(n int64) { e.Minor = uint32(n) }},
	}
	ustar := strings.HasPrefix(string(h.Magic[:]), "ustar")
	for i, n := range numbers {
		if i >= 5 && !ustar { // the oldest headers have no device numbers
			break
		}
		v, ok := number(n.field)
		if !ok {
			return nil, decode.Errorf(s.r, s.off, blockSize, "tar header of "+s.name()+": "+n.name, "an octal number", "%q", text(n.field))
		}
		n.set(v)
	}
	sp, err := e.override(s.r, over)
	if err != nil {
		return nil, err
	}
	s.last = e.Name
	if e.Size < 0 || len(e.Name) > maxPath || len(e.Linkname) > maxPath {
		return nil, decode.Errorf(s.r, s.off, blockSize, "tar header of "+s.name(), fmt.Sprintf("a size and names up to %d bytes", maxPath),
			"size %d, names of %d and %d bytes", e.Size, len(e.Name), len(e.Linkname))
	}
	stored := e.Size
	switch e.Type {
	case TypeLink, TypeSymlink, TypeChar, TypeBlock, TypeDir, TypeFifo: // whatever the size field says
		stored, e.Size = 0, 0
	}
	if stored > 1<<62-s.off {
		return nil, decode.Errorf(s.r, s.off+124, 12, "tar header of "+s.name()+": Size", "a size that a file can have", "%d", stored)
	}
	if err := e.layOut(s.r, sp, stored); err != nil {
		return nil, err
	}
	s.dataOff, s.stored = e.DataOff, stored
	if sp.inData {
		s.dataOff = s.off + blockSize
	}
	s.off = s.dataOff + pad(stored)
	return e, nil
}

// name joins the prefix and name fields; only POSIX headers have a prefix.
func name(h *Header) (name string, prefixed bool) {
	prefix := h.Prefix[:]
	switch {
	case string(h.Magic[:]) == "ustar " && prefix[0] != 0 && !isNumber(prefix[:12]):
		// Go before 1.8 wrote GNU headers with a prefix; here GNU tar keeps a time.
	case string(h.Magic[:]) != "ustar\x00":
		prefix = nil
	case string(h.Pad[8:]) == "tar\x00": // star keeps times behind a shorter prefix
		prefix = prefix[:131]
	}
	if p := text(prefix); p != "" {
		return p + "/" + text(h.Name[:]), true
	}
	return text(h.Name[:]), false
}

func isNumber(b []byte) bool {
	_, ok := number(b)
	return ok
}

// sparsity is what pax records say of a sparse file; GNU tar manual, "Storing Sparse Files".
type sparsity struct {
	pairs  [][2]int64
	size   int64
	inData bool // form 1.0: the map comes before the data
	set    bool
}

// override applies pax records and long names.
func (e *Entry) override(r io.ReaderAt, over []record) (sparsity, error) {
	var sp sparsity
	var half int64
	for i, o := range over {
		bad := func(want string) error {
			return decode.Errorf(r, o.off, max(1, int64(len(o.value))), "pax record "+clip(o.key), want, "%q", clip(o.value))
		}
		if o.value == "" && !strings.HasPrefix(o.key, "SCHILY.") { // an empty value takes an earlier one back
			continue
		}
		n, err := strconv.ParseInt(o.value, 10, 64)
		numeric := err == nil && n >= 0
		switch o.key {
		case "path", "GNU.sparse.name":
			e.Name, e.prefix = o.value, false
			over[i].key = "path"
		case "linkpath":
			e.Linkname = o.value
		case "size", "GNU.sparse.size", "GNU.sparse.realsize", "uid", "gid", "GNU.sparse.offset", "GNU.sparse.numbytes":
			if !numeric {
				return sp, bad("a decimal number")
			}
			switch o.key {
			case "size":
				e.Size = n
			case "uid":
				e.UID = uint32(n)
			case "gid":
				e.GID = uint32(n)
			case "GNU.sparse.offset":
				half = n
			case "GNU.sparse.numbytes":
				sp.pairs, sp.set = append(sp.pairs, [2]int64{half, n}), true
			default:
				sp.size = n
			}
		case "mtime":
			t, ok := paxTime(o.value)
			if !ok {
				return sp, bad("seconds")
			}
			e.seconds, e.nanos = t.Unix(), uint32(t.Nanosecond())
		case "GNU.sparse.map":
			pairs, ok := paxMap(o.value)
			if !ok {
				return sp, bad("pairs of decimal numbers")
			}
			sp.pairs, sp.set = pairs, true
		case "GNU.sparse.major":
			sp.inData = o.value == "1"
			sp.set = sp.set || sp.inData
		case capabilityKey:
			e.uncommon().capability = []byte(o.value)
		}
	}
	if len(over) > 0 {
		e.uncommon().over = over
	}
	return sp, nil
}

// paxTime reads seconds with an optional fraction (POSIX.1-2017, pax, "pax Extended Header File Times").
func paxTime(s string) (time.Time, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	ns, err := strconv.ParseUint((frac + "000000000")[:9], 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	if strings.HasPrefix(s, "-") {
		return time.Unix(sec, -int64(ns)).UTC(), true
	}
	return time.Unix(sec, int64(ns)).UTC(), true
}

// paxMap reads form 0.1's "offset,length,offset,length".
func paxMap(s string) ([][2]int64, bool) {
	parts := strings.Split(s, ",")
	if len(parts)%2 != 0 || len(parts) > 2*maxRegions {
		return nil, false
	}
	var out [][2]int64
	for i := 0; i < len(parts); i += 2 {
		off, err1 := strconv.ParseInt(parts[i], 10, 64)
		n, err2 := strconv.ParseInt(parts[i+1], 10, 64)
		if err1 != nil || err2 != nil {
			return nil, false
		}
		out = append(out, [2]int64{off, n})
	}
	return out, true
}

// layOut finds where the content lies and gives old forms of a regular file the plain type.
func (e *Entry) layOut(r io.ReaderAt, sp sparsity, stored int64) error {
	pairs, size, off := sp.pairs, sp.size, e.DataOff
	var err error
	switch {
	case e.Type == typeSparse:
		pairs, size, e.DataOff, err = gnuSparse(r, e.HeaderOff)
		off = e.DataOff
	case sp.inData:
		var used int64
		if pairs, used, err = mapInData(r, off, stored); err == nil {
			off, stored = off+used, stored-used
		}
		e.DataOff = off
	case !sp.set:
		switch e.Type {
		case typeRegV7:
			e.Type = TypeReg
			if strings.HasSuffix(e.Name, "/") { // how the oldest tars wrote a directory
				e.Type, e.Size = TypeDir, 0
			}
		case TypeCont:
			e.Type = TypeReg
		}
		return nil
	}
	if err != nil {
		return err
	}
	e.Type, e.Size = TypeReg, size
	x := e.uncommon()
	x.sparse, err = extents(r, strconv.Quote(clip(e.Name)), pairs, size, off, stored)
	if x.sparse == nil {
		x.sparse = []blob.Extent{}
	}
	return err
}

// mapInData reads form 1.0's map: decimal lines, the number of regions first, padded to a block.
func mapInData(r io.ReaderAt, off, stored int64) (pairs [][2]int64, used int64, err error) {
	in := bufio.NewReaderSize(io.NewSectionReader(r, off, stored), blockSize)
	line := func() (int64, error) {
		s, err := in.ReadSlice('\n')
		used += int64(len(s))
		if err != nil {
			return 0, decode.Errorf(r, off, 1, "GNU sparse map", "decimal lines", "%q", clip(string(s)))
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(string(s), "\n"), 10, 64)
		if err != nil || n < 0 {
			return 0, decode.Errorf(r, off, 1, "GNU sparse map", "decimal lines", "%q", clip(string(s)))
		}
		return n, nil
	}
	n, err := line()
	if err == nil && n > maxRegions {
		err = decode.Errorf(r, off, 1, "GNU sparse map", fmt.Sprintf("at most %d regions", maxRegions), "%d", n)
	}
	for range n {
		if err != nil {
			break
		}
		var p [2]int64
		if p[0], err = line(); err == nil {
			p[1], err = line()
		}
		pairs = append(pairs, p)
	}
	return pairs, min(pad(used), stored), err
}
