package vmdk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
)

// Beside opens the file of that name which lies beside a descriptor.
type Beside func(name string) (*blob.Blob, error)

// OpenDisk opens an image of one file like [Open], and one whose descriptor names others, whose extents it
// lays side by side: flat ones are the disk's bytes, sparse ones have a header of their own. Section "The
// Extent Description".
func OpenDisk(r io.ReaderAt, size int64, beside Beside) (disk.Virtual, []string, error) {
	if isMagic(r) || !isDescriptor(r) {
		im, err := Open(r, size)
		if err != nil {
			return nil, nil, err
		}
		return im, im.Notes, nil
	}
	d, err := readDescriptor(r, 0, size)
	if err != nil {
		return nil, nil, err
	}
	if beside == nil || !d.split() {
		return nil, nil, d.refuse(false)
	}
	s := &Split{}
	for _, e := range d.Extents {
		if err := s.add(r, e, beside); err != nil {
			return nil, nil, err
		}
	}
	if s.size == 0 {
		return nil, nil, fmt.Errorf("vmdk descriptor of type %q without extents: %w", d.CreateType, decode.ErrUnsupported)
	}
	return s, []string{fmt.Sprintf("vmdk: a disk of type %s in %s", d.CreateType, d.files())}, nil
}

func isMagic(r io.ReaderAt) bool {
	var head [4]byte
	n, _ := r.ReadAt(head[:], 0)
	return n == len(head) && string(head[:]) == magic
}

// split tells whether nothing but its several files keeps the disk from being read.
func (d *Descriptor) split() bool {
	return !d.Encrypted && (d.ParentCID == "" || d.ParentCID == "ffffffff")
}

// Split is a disk whose extents lie in files of their own.
type Split struct {
	parts []part
	size  int64
}

// part is an extent; r is nil for zeros.
type part struct {
	off, n int64
	r      disk.Virtual
	at     int64 // of the extent in r
}

// add lays an extent behind those before.
func (s *Split) add(r io.ReaderAt, e Extent, beside Beside) error {
	if e.Sectors <= 0 || e.Sectors > capacityMax || s.size/sectorSize+e.Sectors > capacityMax {
		return decode.Errorf(r, 0, 1, "vmdk descriptor: extent "+e.File, fmt.Sprintf("1 to %d sectors", int64(capacityMax)), "%d", e.Sectors)
	}
	p := part{off: s.size, n: e.Sectors * sectorSize}
	s.size += p.n
	if e.Type == "ZERO" || e.Access == "NOACCESS" {
		s.parts = append(s.parts, p)
		return nil
	}
	b, err := beside(e.base())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("vmdk descriptor: its extent %q is missing, give all files together: %w", e.File, decode.ErrUnsupported)
	}
	if err != nil {
		return err
	}
	switch e.Type {
	case "FLAT", "VMFS":
		p.at = e.Offset * sectorSize
		if e.Offset < 0 || e.Offset > capacityMax || b.Size() < p.at+p.n {
			return decode.Errorf(b, b.Size(), 1, "vmdk extent "+e.File, fmt.Sprintf("%d bytes from %d on", p.n, p.at), "a file of %d", b.Size())
		}
		p.r = disk.Raw(b)
	case "SPARSE":
		im, err := Open(b, b.Size())
		if err != nil {
			return err
		}
		if im.Size() < p.n {
			return im.Record.Errorf(&im.Header.Capacity, fmt.Sprintf("%d sectors, as its descriptor says", e.Sectors), "%d", im.Header.Capacity)
		}
		p.r = im
	default:
		return fmt.Errorf("vmdk extent %q of type %s: %w", e.File, e.Type, decode.ErrUnsupported)
	}
	s.parts = append(s.parts, p)
	return nil
}

// base is the file's name without the directories of the machine that wrote it.
func (e Extent) base() string {
	return e.File[strings.LastIndexAny(e.File, `/\`)+1:]
}

// Size is the length of the disk in bytes.
func (s *Split) Size() int64 { return s.size }

// each calls fn for the parts that [off, off+n) lies in, with the range inside the extent.
func (s *Split) each(off, n int64, fn func(p part, at, n int64) error) error {
	i := sort.Search(len(s.parts), func(i int) bool { return s.parts[i].off+s.parts[i].n > off })
	for ; n > 0 && i < len(s.parts); i++ {
		p := s.parts[i]
		run := min(n, p.off+p.n-off)
		if err := fn(p, off-p.off+p.at, run); err != nil {
			return err
		}
		off, n = off+run, n-run
	}
	return nil
}

// ReadAt implements [io.ReaderAt].
func (s *Split) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= s.size {
		return 0, io.EOF
	}
	var eof error
	if int64(len(p)) > s.size-off {
		p, eof = p[:s.size-off], io.EOF
	}
	done := 0
	err := s.each(off, int64(len(p)), func(e part, at, n int64) error {
		q := p[done : done+int(n)]
		if e.r == nil {
			clear(q)
		} else if got, err := e.r.ReadAt(q, at); got < len(q) {
			done += got
			return err
		}
		done += len(q)
		return nil
	})
	if err != nil {
		return done, err
	}
	return done, eof
}

// From tells which bytes of which files hold [off, off+n) of the disk.
func (s *Split) From(off, n int64) []blob.Span {
	var spans []blob.Span
	if off < 0 || off >= s.size {
		return nil
	}
	s.each(off, min(n, s.size-off), func(e part, at, n int64) error {
		if e.r != nil {
			spans = append(spans, e.r.From(at, n)...)
		}
		if len(spans) > spansMax {
			return io.ErrShortBuffer // ends the walk
		}
		return nil
	})
	return blob.Join(spans)
}

const spansMax = 1 << 16
