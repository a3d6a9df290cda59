package xfs

import (
	"encoding/binary"
	"errors"

	"bootpath/sim/decode"
)

// logSector is BBSIZE, the unit of the log.
const logSector = 512

// unmountFlag is XLOG_UNMOUNT_TRANS in the flags of a log operation.
const unmountFlag = 0x20

// recordMax is how many sectors the last record can be long: 256 KiB, its headers, and a stripe unit.
const recordMax = 1100

var errLog = errors.New("the log's newest record was not found")

// describeLog notes what the log can hide.
func (f *FS) describeLog() {
	if f.sb.Sb_logstart == 0 {
		f.note("the log is on another device: whether it needs recovery is not known")
		return
	}
	switch clean, err := f.logClean(); {
	case err != nil:
		f.note("log not checked, it may need recovery: %v", err)
	case !clean:
		f.note("log needs recovery: what it holds is not replayed here")
	}
}

// logClean tells whether the newest record of the log says that the volume was unmounted: the simple case of
// the kernel's xlog_find_tail. After an unmount nothing is in flight, so no window before the head needs to
// be searched for torn writes; a log that was torn is not clean by any reading.
func (f *FS) logClean() (bool, error) {
	s := &f.sb
	start, err := f.blockOff(s.Sb_logstart, uint64(s.Sb_logblocks))
	if err != nil || s.Sb_logblocks == 0 {
		return false, f.rec.Errorf(&s.Sb_logstart, "a log inside one allocation group", "%d, %d blocks", s.Sb_logstart, s.Sb_logblocks)
	}
	l := logReader{f, start, int64(s.Sb_logblocks) * f.blockSize / logSector}
	head, err := l.head()
	if err != nil || head < 0 {
		return err == nil, err
	}
	for back := int64(1); back <= min(recordMax, l.n); back++ {
		at := (head - back + l.n) % l.n
		b, err := l.sector(at)
		if err != nil {
			return false, err
		}
		if binary.BigEndian.Uint32(b) == logMagic {
			return l.unmounted(at, back)
		}
	}
	return false, errLog
}

// logReader reads the n sectors of the log at byte off.
type logReader struct {
	f      *FS
	off, n int64
}

func (l logReader) sector(i int64) ([]byte, error) {
	b := make([]byte, logSector)
	n, err := l.f.r.ReadAt(b, l.off+i*logSector)
	if n < len(b) && err != nil {
		return nil, err
	}
	return b, nil
}

// cycle is the number of the pass over the log in which sector i was written: xlog_get_cycle.
func (l logReader) cycle(i int64) (uint32, error) {
	b, err := l.sector(i)
	if err != nil {
		return 0, err
	}
	if v := binary.BigEndian.Uint32(b); v != logMagic {
		return v, nil
	}
	return binary.BigEndian.Uint32(b[4:]), nil
}

// head is the sector that the next record will be written to: the first that was last written in the pass
// before. It is negative when the log holds nothing.
func (l logReader) head() (int64, error) {
	first, err := l.cycle(0)
	if err != nil || first == 0 {
		return -1, err
	}
	lo, hi := int64(0), l.n
	for lo+1 < hi { // sector lo is of the newest pass, hi is not or is the end
		mid := (lo + hi) / 2
		c, err := l.cycle(mid)
		if err != nil {
			return 0, err
		}
		if c == first {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi % l.n, nil
}

// unmounted tells whether the record at sector at, which ends size sectors later, is one of an unmount:
// xlog_check_unmount_rec.
func (l logReader) unmounted(at, size int64) (bool, error) {
	var h LogRecord
	if _, err := decode.Read(l.f.r, l.off+at*logSector, binary.BigEndian, "xfs log record", &h); err != nil {
		return false, err
	}
	headers := int64(1)
	const perHeader = 32 << 10
	if l.f.sb.Sb_versionnum&versionLogV2 != 0 && h.H_version&2 != 0 && h.H_size > perHeader {
		headers = (int64(h.H_size) + perHeader - 1) / perHeader
	}
	if headers+(int64(h.H_len)+logSector-1)/logSector != size || h.H_num_logops != 1 {
		return false, nil
	}
	b, err := l.sector((at + headers) % l.n)
	if err != nil {
		return false, err
	}
	return b[9]&unmountFlag != 0, nil // oh_flags of struct xlog_op_header
}
