package stream

import (
	"encoding/binary"
	"io"
)

// parts passes on exactly one frame of its input, so that a decoder that reads ahead cannot take what lies
// behind. next reads the head of the next part and says how many bytes follow it; a negative count ends
// the frame. Only lengths are looked at: whether the bytes make sense is the decoder's business.
type parts struct {
	in   *input
	next func(in *input) (head []byte, body int64, err error)
	head []byte
	body int64
	err  error
}

func (s *parts) Read(p []byte) (int, error) {
	for len(s.head) == 0 && s.body == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.head, s.body, s.err = s.next(s.in)
	}
	if len(s.head) > 0 {
		n := copy(p, s.head)
		s.head = s.head[n:]
		return n, nil
	}
	n, err := s.in.Read(p[:min(int64(len(p)), s.body)])
	s.body -= int64(n)
	if err != nil {
		s.head, s.body, s.err = nil, 0, err
	}
	return n, err
}

// take reads n bytes and appends them to b.
func take(in *input, b []byte, n int) ([]byte, error) {
	at := len(b)
	b = append(b, make([]byte, n)...)
	got, err := io.ReadFull(in, b[at:])
	return b[:at+got], err
}

// zstdWalk walks the blocks of one Zstandard frame; RFC 8878, section 3.1.1.
type zstdWalk struct {
	begun, last, checksum bool
}

func (w *zstdWalk) next(in *input) ([]byte, int64, error) {
	if w.last {
		return nil, 0, io.EOF
	}
	if !w.begun {
		w.begun = true
		head, err := take(in, nil, 5) // magic, Frame_Header_Descriptor
		if err != nil {
			return head, 0, err
		}
		const (
			singleSegment = 1 << 5
			hasChecksum   = 1 << 2
		)
		desc := head[4]
		w.checksum = desc&hasChecksum != 0
		size := [4]int64{0, 1, 2, 4}[desc&3] + [4]int64{0, 2, 4, 8}[desc>>6] // Dictionary_ID, Frame_Content_Size
		if desc&singleSegment == 0 {
			size++ // Window_Descriptor
		} else if desc>>6 == 0 {
			size++
		}
		return head, size, nil
	}
	head, err := take(in, nil, 3) // Block_Header
	if err != nil {
		return head, 0, err
	}
	v := uint32(head[0]) | uint32(head[1])<<8 | uint32(head[2])<<16
	size := int64(v >> 3)
	if v>>1&3 == 1 { // RLE_Block: one byte stands for all
		size = 1
	}
	if w.last = v&1 != 0; w.last && w.checksum {
		size += 4
	}
	return head, size, nil
}

// lz4Walk walks the blocks of one LZ4 frame; "LZ4 Frame Format Description", "General structure".
type lz4Walk struct {
	begun, last                    bool
	blockChecksum, contentChecksum bool
}

func (w *lz4Walk) next(in *input) ([]byte, int64, error) {
	if w.last {
		return nil, 0, io.EOF
	}
	const checksum = 4
	if !w.begun {
		w.begun = true
		head, err := take(in, nil, 6) // magic, FLG, BD
		if err != nil {
			return head, 0, err
		}
		flags, size := head[4], int64(1) // HC
		w.blockChecksum, w.contentChecksum = flags&(1<<4) != 0, flags&(1<<2) != 0
		if flags&(1<<3) != 0 {
			size += 8 // content size
		}
		if flags&1 != 0 {
			size += 4 // dictionary
		}
		return head, size, nil
	}
	head, err := take(in, nil, 4)
	if err != nil {
		return head, 0, err
	}
	size := int64(binary.LittleEndian.Uint32(head) & 0x7fffffff) // the high bit: not compressed
	switch {
	case size == 0: // EndMark
		if w.last = true; w.contentChecksum {
			size = checksum
		}
	case w.blockChecksum:
		size += checksum
	}
	return head, size, nil
}

// xzWalk walks the parts of one .xz stream: header, blocks of LZMA2 chunks, index, footer.
type xzWalk struct {
	state xzState
	check int   // bytes of a block's check
	used  int64 // bytes of the block at hand, for its padding
}

type xzState int

const (
	xzHeader xzState = iota
	xzBlock
	xzChunk
	xzEnd
)

func (w *xzWalk) next(in *input) ([]byte, int64, error) {
	switch w.state {
	case xzHeader:
		head, err := take(in, nil, 12)
		if err != nil {
			return head, 0, err
		}
		// Sizes of the checks by ID: section 2.1.1.2 of the specification.
		w.check = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[head[7]&15]
		w.state = xzBlock
		return head, 0, nil
	case xzBlock:
		head, err := take(in, nil, 1)
		if err != nil {
			return head, 0, err
		}
		if head[0] == 0 {
			w.state = xzEnd
			return w.index(in, head)
		}
		w.state, w.used = xzChunk, 0
		return head, int64(head[0])*4 + 3, nil // Block Header Size counts words, itself included
	case xzChunk:
		return w.chunk(in)
	}
	return nil, 0, io.EOF
}

// chunk walks one LZMA2 chunk: a control byte, sizes, data.
func (w *xzWalk) chunk(in *input) ([]byte, int64, error) {
	head, err := take(in, nil, 1)
	if err != nil {
		return head, 0, err
	}
	control := head[0]
	if control == 0 { // the last; padding to a multiple of four and the check follow
		w.state = xzBlock
		pad := (4 - (w.used+1)%4) % 4
		return head, pad + int64(w.check), nil
	}
	n := 2 // uncompressed: its size
	switch {
	case control >= 0xc0:
		n = 5 // sizes of both forms, properties
	case control >= 0x80:
		n = 4
	}
	if head, err = take(in, head, n); err != nil {
		return head, 0, err
	}
	size := int64(binary.BigEndian.Uint16(head[1:])) + 1
	if control >= 0x80 {
		size = int64(binary.BigEndian.Uint16(head[3:])) + 1
	}
	w.used += int64(len(head)) + size
	return head, size, nil
}

// index walks the index, whose length is only known by reading it, up to the stream's footer.
func (w *xzWalk) index(in *input, b []byte) ([]byte, int64, error) {
	varint := func() (v uint64, err error) {
		for shift := 0; shift < 63; shift += 7 {
			if b, err = take(in, b, 1); err != nil {
				return 0, err
			}
			c := b[len(b)-1]
			v |= uint64(c&0x7f) << shift
			if c&0x80 == 0 {
				break
			}
		}
		return v, nil
	}
	records, err := varint()
	const recordsMax = 1 << 20
	for i := uint64(0); err == nil && i < min(records, recordsMax)*2; i++ {
		_, err = varint()
	}
	if err != nil {
		return b, 0, err
	}
	const crc, footer = 4, 12
	return b, int64((4-len(b)%4)%4) + crc + footer, nil
}
