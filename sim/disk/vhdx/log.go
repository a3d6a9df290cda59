package vhdx

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk/gpt"
)

// LogEntryHeader starts an entry of the log, at a multiple of 4 KiB. Section 2.3.1.1.
type LogEntryHeader struct {
	Signature         [4]byte  `at:"0x00"` // "loge"
	Checksum          uint32   `at:"0x04"` // CRC-32C of the entry with this field zero
	EntryLength       uint32   `at:"0x08"` // bytes, whole sectors of 4 KiB
	Tail              uint32   `at:"0x0c"` // offset in the log of the oldest entry still needed
	SequenceNumber    uint64   `at:"0x10"`
	DescriptorCount   uint32   `at:"0x18"`
	Reserved          uint32   `at:"0x1c"`
	LogGUID           gpt.GUID `at:"0x20"`
	FlushedFileOffset uint64   `at:"0x30"` // the file is at least this long
	LastFileOffset    uint64   `at:"0x38"` // and is to be this long after the replay
}

// Descriptor is a data or a zero descriptor. Sections 2.3.1.2 and 2.3.1.3.
type Descriptor struct {
	Signature      [4]byte `at:"0x00"` // "desc" or "zero"
	TrailingBytes  [4]byte `at:"0x04"` // of data: the last 4 of its 4096 bytes
	LeadingBytes   [8]byte `at:"0x08"` // of data: the first 8; of zeros: how many
	FileOffset     uint64  `at:"0x10"`
	SequenceNumber uint64  `at:"0x18"`
}

// DataSector holds the bytes of a data descriptor. Section 2.3.1.4.
type DataSector struct {
	Signature    [4]byte    `at:"0x00"` // "data"
	SequenceHigh uint32     `at:"0x04"`
	Data         [4084]byte `at:"0x08"`
	SequenceLow  uint32     `at:"0xffc"`
}

const (
	logSector  = 4096
	logMax     = 16 << 20 // bytes of a log that is replayed
	zeroMax    = 16 << 20 // bytes that its zero descriptors may cover
	logEntry   = 64       // bytes of a log entry's header
	descriptor = 32
	scansMax   = 8 // times that the log is gone through: a log that was written needs two
)

// entry is a valid log entry.
type entry struct {
	LogEntryHeader
	pos         int64 // in the log
	descriptors []Descriptor
	data        []DataSector
}

// replay computes what the active sequence of the log would write. Section 2.3.3: "the implementation MUST
// replay the log before performing any I/O to the file other than reading the VHDX header and the log".
func (im *Image) replay() ([]blob.Patch, error) {
	h := &im.Header
	if h.LogLength > logMax {
		return nil, fmt.Errorf("vhdx image with a log of %d bytes to replay: %w", h.LogLength, decode.ErrUnsupported)
	}
	if h.LogLength == 0 || h.LogLength%(1<<20) != 0 || h.LogOffset < 1<<20 || h.LogOffset%(1<<20) != 0 || h.LogOffset >= uint64(im.fileSize) {
		return nil, im.Record.Errorf(&h.LogOffset, "a log of whole MiB inside the file", "%d bytes at %#x", h.LogLength, h.LogOffset)
	}
	w, err := blob.Window(im.r, int64(h.LogOffset), int64(h.LogLength))
	if err != nil {
		return nil, fmt.Errorf("vhdx log: %w", err)
	}
	if len(w.Bytes()) < int(h.LogLength) {
		return nil, decode.Errorf(im.r, int64(h.LogOffset), int64(h.LogLength), "vhdx log", fmt.Sprintf("%d bytes", h.LogLength), "end after %d", len(w.Bytes()))
	}
	active := activeSequence(w.Bytes(), h.LogGUID)
	if len(active) == 0 {
		return nil, im.Record.Errorf(&h.LogGUID, "a valid sequence of entries in the log, or zero", "%s and no such entry", h.LogGUID)
	}
	head := active[len(active)-1]
	if head.FlushedFileOffset > uint64(im.fileSize) {
		return nil, decode.Errorf(im.r, int64(h.LogOffset)+head.pos+0x30, 8, "vhdx log entry: FlushedFileOffset", fmt.Sprintf("at most the file's %d bytes", im.fileSize), "%d: the file is cut off", head.FlushedFileOffset)
	}
	im.Notes = append(im.Notes, fmt.Sprintf("vhdx: its last writer did not close it, %d log entries are replayed", len(active)))
	return im.patches(active)
}

// activeSequence follows the steps of section 2.3.3 and returns the entries from the tail that the newest
// one names.
func activeSequence(log []byte, guid gpt.GUID) []entry {
	var best []entry
	size := int64(len(log))
	budget := scansMax * size
	for tail := int64(0); tail < size && budget > 0; {
		var current []entry
		next := tail
		// An entry takes a sector at least, so a sequence cannot be longer than the log.
		for used := int64(0); used < size && budget > 0; {
			e, ok := readEntry(log, next, guid)
			budget -= min(int64(e.EntryLength), size)
			if !ok || len(current) > 0 && e.SequenceNumber != current[len(current)-1].SequenceNumber+1 {
				break
			}
			if used += int64(e.EntryLength); used > size {
				break
			}
			current = append(current, e)
			next = (next + int64(e.EntryLength)) % size
		}
		valid := false
		if n := len(current); n > 0 {
			head := current[n-1]
			for i, e := range current {
				if e.pos == int64(head.Tail) {
					valid = true
					if len(best) == 0 || head.SequenceNumber > best[len(best)-1].SequenceNumber {
						best = current[i:]
					}
					break
				}
			}
		}
		switch {
		case !valid:
			tail += logSector
		case next <= tail:
			return best // wrapped: all was looked at
		default:
			tail = next
		}
	}
	return best
}

// readEntry reads the entry at pos of the log, a ring.
func readEntry(log []byte, pos int64, guid gpt.GUID) (entry, bool) {
	e := entry{pos: pos}
	if string(log[pos:pos+4]) != "loge" {
		return e, false
	}
	le := binary.LittleEndian
	if _, err := decode.Read(bytes.NewReader(log), pos, le, "vhdx log entry", &e.LogEntryHeader); err != nil {
		return e, false
	}
	n, count := int64(e.EntryLength), int64(e.DescriptorCount)
	sectors := (logEntry + count*descriptor + logSector - 1) / logSector // that hold the descriptors
	if n < logSector || n%logSector != 0 || n > int64(len(log)) || sectors*logSector > n || e.LogGUID != guid || e.SequenceNumber == 0 || e.Tail%logSector != 0 {
		return e, false
	}
	data := log[pos:min(pos+n, int64(len(log)))]
	if rest := n - int64(len(data)); rest > 0 {
		data = append(bytes.Clone(data), log[:rest]...)
	}
	if checksum(data) != e.Checksum {
		return e, false
	}
	r, at := bytes.NewReader(data), sectors*logSector
	for i := range count {
		var d Descriptor
		if _, err := decode.Read(r, logEntry+i*descriptor, le, "vhdx log descriptor", &d); err != nil || d.SequenceNumber != e.SequenceNumber || d.FileOffset%logSector != 0 {
			return e, false
		}
		switch string(d.Signature[:]) {
		case "zero":
		case "desc":
			var s DataSector
			if _, err := decode.Read(r, at, le, "vhdx log data sector", &s); err != nil || string(s.Signature[:]) != "data" || uint64(s.SequenceHigh)<<32|uint64(s.SequenceLow) != e.SequenceNumber {
				return e, false
			}
			e.data = append(e.data, s)
			at += logSector
		default:
			return e, false
		}
		e.descriptors = append(e.descriptors, d)
	}
	return e, true
}

// patches are the writes of a sequence, in order; the file grows to where its head says.
func (im *Image) patches(active []entry) ([]blob.Patch, error) {
	var out []blob.Patch
	zeros := uint64(0)
	for _, e := range active {
		data := e.data
		for _, d := range e.descriptors {
			p := blob.Patch{Off: int64(d.FileOffset)}
			if string(d.Signature[:]) == "zero" {
				n := binary.LittleEndian.Uint64(d.LeadingBytes[:])
				if zeros += n; n > zeroMax || zeros > zeroMax {
					return nil, fmt.Errorf("vhdx image with a log that zeroes over %d bytes: %w", zeroMax, decode.ErrUnsupported)
				}
				p.Data = make([]byte, n)
			} else {
				p.Data = append(append(bytes.Clone(d.LeadingBytes[:]), data[0].Data[:]...), d.TrailingBytes[:]...)
				data = data[1:]
			}
			if d.FileOffset > uint64(im.fileSize) || p.Off+int64(len(p.Data)) > im.fileSize {
				return nil, fmt.Errorf("vhdx image with a log that writes behind the end of the file: %w", decode.ErrUnsupported)
			}
			out = append(out, p)
		}
	}
	if last := active[len(active)-1].LastFileOffset; last < 1<<62 {
		im.fileSize = max(im.fileSize, int64(last))
	}
	return out, nil
}
