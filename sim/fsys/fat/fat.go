// Package fat reads FAT12, FAT16 and FAT32 with long names: the file systems of EFI system partitions,
// floppies and memory sticks. It reads the first FAT only and repairs nothing.
//
// Specification: "Microsoft FAT Specification", 2005. Where it is silent, Linux's vfat driver with its
// default options decides (fs/fat): names are found whatever their case, code page 437, no time zone.
package fat

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// FS is an opened volume. It implements [fsys.FS]; names are found whatever their case.
type FS struct {
	*fsys.Tree[*entry, *entry]
	r    io.ReaderAt
	bpb  *BPB
	rec  *decode.Record
	ext  *ext32 // of FAT32, else nil
	info fsys.Info

	kind     int   // 12, 16 or 32
	fatOff   int64 // bytes from the start of the volume
	fatLen   int64
	dataOff  int64
	cluster  int64 // bytes
	clusters int64
	pages    map[int64][]byte
	dirs     map[*entry]*directory
	root     *entry
}

const (
	pageSize = 16 << 10 // the FAT is read in such parts
	pagesMax = 512
	dirsMax  = 1024    // directories kept parsed
	dirMax   = 2 << 20 // bytes of a directory: 65536 entries, section 6
)

// Open reads the boot sector of a volume of size bytes.
func Open(r io.ReaderAt, size int64) (*FS, error) {
	b, rec, err := ReadBPB(r)
	if err != nil {
		return nil, err
	}
	f := &FS{r: r, bpb: b, rec: rec, pages: map[int64][]byte{}, dirs: map[*entry]*directory{}}
	f.info = fsys.Info{Type: "vfat", Size: b.totalSectors() * int64(b.BytesPerSector)}
	fatSize := int64(b.FATSize16)
	if fatSize == 0 {
		f.ext = new(ext32)
		extRec, err := decode.Read(r, 0, binary.LittleEndian, "FAT32 boot sector", f.ext)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
		}
		if err := f.checkFSInfo(extRec); err != nil {
			return nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
		}
		fatSize = int64(f.ext.FATSize32)
		f.identify(f.ext.VolumeID, extRec.Cite(&f.ext.VolumeID))
	} else {
		x := new(ext16)
		extRec, err := decode.Read(r, 0, binary.LittleEndian, "FAT boot sector", x)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
		}
		f.identify(x.VolumeID, extRec.Cite(&x.VolumeID))
	}
	f.layout(fatSize, size)
	f.root = &entry{fs: f, name: ".", root: true, stat: fsys.Stat{Ino: rootIno, Mode: fsys.S_IFDIR | 0o755, Nlink: 2}}
	if f.ext != nil {
		f.root.first = f.ext.RootCluster
	}
	f.Tree = f.tree()
	f.label()
	return f, nil
}

func (f *FS) identify(id VolumeID, cites []blob.Cite) {
	if id != (VolumeID{}) { // libblkid prints no UUID of zeros
		f.info.UUID = id.String()
	}
	f.info.Cites = append(f.info.Cites, cites...)
}

// layout computes where things lie and which kind it is.
func (f *FS) layout(fatSize, size int64) {
	b, sector := f.bpb, int64(f.bpb.BytesPerSector)
	f.clusters = b.clusters(fatSize)
	f.kind = f.kindOf()
	f.cluster = int64(b.SectorsPerClus) * sector
	f.fatOff = int64(b.Reserved) * sector
	f.fatLen = fatSize * sector
	f.dataOff = b.dataSector(fatSize) * sector
	if f.ext != nil && f.ext.ExtFlags&0x80 != 0 { // mirroring is off: one FAT is active. Section 3.3
		f.fatOff += int64(f.ext.ExtFlags&0xf) * f.fatLen
	}
	// More clusters than the FAT has entries, or than the volume has bytes, do not exist.
	f.clusters = min(f.clusters, f.fatLen*8/int64(f.kind)-2, max(size-f.dataOff, 0)/f.cluster+1)
	f.info.Cites = append(f.info.Cites, f.rec.Cite(&b.BytesPerSector, &b.SectorsPerClus)...)
	if f.info.Size > size {
		f.info.Notes = append(f.info.Notes, fmt.Sprintf("FAT: the boot sector counts %d bytes, the volume has %d", f.info.Size, size))
	}
}

// kindOf tells 12, 16 or 32. The count of clusters decides (section 3.5), but a volume without a 16-bit
// FAT size is FAT32 for Linux, GRUB and EDK2 however small it is.
func (f *FS) kindOf() int {
	byCount := 32
	switch {
	case f.clusters < 4085:
		byCount = 12
	case f.clusters < 65525:
		byCount = 16
	}
	if f.ext == nil {
		return byCount // never 32: ReadBPB refuses more clusters than FAT16 can have
	}
	if byCount != 32 {
		f.info.Notes = append(f.info.Notes, fmt.Sprintf("FAT: a FAT32 of only %d clusters, which the specification calls FAT%d", f.clusters, byCount))
	}
	return 32
}

// checkFSInfo demands the signatures of the FSInfo sector, or zeros, as libblkid does. Section 5.
func (f *FS) checkFSInfo(rec *decode.Record) error {
	if f.ext.FSInfo == 0 {
		return nil
	}
	off := int64(f.ext.FSInfo) * int64(f.bpb.BytesPerSector)
	w, err := blob.Window(f.r, off, 512)
	if err != nil {
		return err
	}
	s := w.Bytes()
	if len(s) < 512 {
		return rec.Errorf(&f.ext.FSInfo, "a sector inside the volume", "%d", f.ext.FSInfo)
	}
	zero := make([]byte, 4)
	if lead := s[0:4]; string(lead) != "RRaA" && string(lead) != "RRdA" && !bytes.Equal(lead, zero) {
		return decode.Errorf(w, off, 4, "FSInfo: lead signature", `"RRaA"`, "%q", lead)
	}
	if sig := s[0x1e4:0x1e8]; string(sig) != "rrAa" && !bytes.Equal(sig, zero) {
		return decode.Errorf(w, off+0x1e4, 4, "FSInfo: structure signature", `"rrAa"`, "%q", sig)
	}
	return nil
}

// label finds the volume label: the entry in the root directory, as blkid does. The one in the boot
// sector (LABEL_FATBOOT) may be stale and is not a label.
func (f *FS) label() {
	d := f.directory(f.root)
	if d.err != nil {
		f.info.Notes = append(f.info.Notes, "FAT: "+d.err.Error())
	}
	if d.label != nil {
		f.info.Label = strings.TrimRight(oemText(d.label.Name[:]), " ")
		f.info.Cites = append(f.info.Cites, d.labelRec.Cite(&d.label.Name)...)
	}
}

// Info implements [fsys.FS].
func (f *FS) Info() fsys.Info { return f.info }

// Kind is 12, 16 or 32.
func (f *FS) Kind() int { return f.kind }

// BootSector returns the BIOS parameter block and its record.
func (f *FS) BootSector() (*BPB, *decode.Record) { return f.bpb, f.rec }

// next returns the entry of the FAT for a cluster: the next cluster, or end. Values are widened so that
// the reserved ones are the same for all kinds. Section 4.
func (f *FS) next(cluster uint32) (uint32, error) {
	switch f.kind {
	case 12:
		v, err := f.fatBytes(int64(cluster)+int64(cluster)/2, 2)
		if err != nil {
			return 0, err
		}
		n := uint32(binary.LittleEndian.Uint16(v[:]))
		if cluster&1 != 0 {
			n >>= 4
		}
		return widen(n&0xfff, 0xff7), nil
	case 16:
		v, err := f.fatBytes(int64(cluster)*2, 2)
		return widen(uint32(binary.LittleEndian.Uint16(v[:])), 0xfff7), err
	}
	v, err := f.fatBytes(int64(cluster)*4, 4)
	return widen(binary.LittleEndian.Uint32(v[:])&0x0fffffff, 0x0ffffff7), err
}

const (
	badCluster = 0x0ffffff7
	endOfChain = 0x0fffffff
)

func widen(n, bad uint32) uint32 {
	switch {
	case n == bad:
		return badCluster
	case n > bad:
		return endOfChain
	}
	return n
}

// fatBytes reads n ≤ 4 bytes at off of the FAT; they may lie on two pages.
func (f *FS) fatBytes(off, n int64) (v [4]byte, err error) {
	for i := range n {
		page, err := f.page((off + i) / pageSize)
		if err != nil {
			return v, err
		}
		if at := (off + i) % pageSize; at < int64(len(page)) {
			v[i] = page[at]
		} else {
			return v, decode.Errorf(f.r, f.fatOff+off, n, "FAT", fmt.Sprintf("%d bytes", n), "the end of the FAT")
		}
	}
	return v, nil
}

func (f *FS) page(i int64) ([]byte, error) {
	if p, ok := f.pages[i]; ok {
		return p, nil
	}
	off := i * pageSize
	if off >= f.fatLen {
		return nil, nil
	}
	w, err := blob.Window(f.r, f.fatOff+off, min(pageSize, f.fatLen-off))
	if err != nil {
		return nil, fmt.Errorf("FAT: %w", err)
	}
	if len(f.pages) >= pagesMax {
		clear(f.pages)
	}
	f.pages[i] = w.Bytes()
	return w.Bytes(), nil
}

// chain returns the extents of the chain of clusters that starts at first, as many as n bytes need (all
// of them when n is negative), and how many bytes they hold. A chain that ends early, leaves the volume
// or comes back to itself gives an error beside what is there.
func (f *FS) chain(first uint32, n int64) (ext []blob.Extent, length int64, err error) {
	c, count := first, int64(0)
	for n < 0 || length < n {
		if c == endOfChain && n < 0 {
			return ext, length, nil
		}
		if c < 2 || int64(c-2) >= f.clusters {
			return ext, length, f.broken(c, fmt.Sprintf("cluster %d of a chain from %d", count, first))
		}
		if count++; count > f.clusters {
			return ext, length, f.broken(c, fmt.Sprintf("end of the chain from %d, which is a loop", first))
		}
		phys := f.dataOff + int64(c-2)*f.cluster
		if k := len(ext) - 1; k >= 0 && ext[k].Phys+ext[k].Len == phys {
			ext[k].Len += f.cluster
		} else {
			ext = append(ext, blob.Extent{Off: length, Len: f.cluster, Phys: phys})
		}
		length += f.cluster
		if n >= 0 && length >= n {
			break
		}
		if n < 0 && length >= dirMax {
			return ext, length, f.broken(c, "the end of a directory, which has at most 2 MiB")
		}
		if c, err = f.next(c); err != nil {
			return ext, length, err
		}
	}
	return ext, length, nil
}

func (f *FS) broken(c uint32, want string) error {
	got := fmt.Sprintf("cluster %d of %d", c, f.clusters+2)
	switch c {
	case 0:
		got = "a free cluster"
	case badCluster:
		got = "a bad cluster"
	case endOfChain:
		got = "the end of the chain"
	}
	return decode.Errorf(f.r, f.fatOff, 0, "FAT", want, "%s", got)
}
