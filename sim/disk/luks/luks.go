// Package luks reads the header of a LUKS volume: what is encrypted how, and how many key slots there are.
// What the volume holds cannot be known without a passphrase.
//
// Specifications: "LUKS1 On-Disk Format Specification" 1.2.3 and "LUKS2 On-Disk Format Specification" 1.1.1.
package luks

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// Header1 is the header of LUKS1, big-endian: section 2.3.
type Header1 struct {
	Magic      [6]byte     `at:"0x00"`
	Version    uint16      `at:"0x06"`
	CipherName [32]byte    `at:"0x08"`
	CipherMode [32]byte    `at:"0x28"`
	Hash       [32]byte    `at:"0x48"`
	Payload    uint32      `at:"0x68"` // sectors
	KeyBytes   uint32      `at:"0x6c"`
	Digest     [20]byte    `at:"0x70"`
	Salt       [32]byte    `at:"0x84"`
	Iterations uint32      `at:"0xa4"`
	UUID       [40]byte    `at:"0xa8"`
	Slots      [8]KeySlot1 `at:"0xd0"`
}

// KeySlot1 is a key slot of LUKS1.
type KeySlot1 struct {
	State      uint32   `at:"0x00"`
	Iterations uint32   `at:"0x04"`
	Salt       [32]byte `at:"0x08"`
	Material   uint32   `at:"0x28"` // sectors
	Stripes    uint32   `at:"0x2c"`
}

// Header2 is the binary header of LUKS2, big-endian: section 2.1. JSON follows it.
type Header2 struct {
	Magic     [6]byte    `at:"0x00"`
	Version   uint16     `at:"0x06"`
	Size      uint64     `at:"0x08"` // bytes, with the JSON
	Seqid     uint64     `at:"0x10"`
	Label     [48]byte   `at:"0x18"`
	CsumAlg   [32]byte   `at:"0x48"`
	Salt      [64]byte   `at:"0x68"`
	UUID      [40]byte   `at:"0xa8"`
	Subsystem [48]byte   `at:"0xd0"`
	Offset    uint64     `at:"0x100"`
	Padding   [184]byte  `at:"0x108"`
	Csum      [64]byte   `at:"0x1c0"`
	Padding4k [3584]byte `at:"0x200"`
}

const (
	magic      = "LUKS\xba\xbe"
	slotActive = 0x00ac71f3
	maxHeader  = 4 << 20 // bytes: the largest size that the specification allows
)

// Header is what both versions say.
type Header struct {
	Version  int
	UUID     string
	Label    string // LUKS2 only
	Cipher   string // "aes-xts-plain64"; "" when a LUKS2 header has no such segment
	KeySlots int    // in use
	Cites    []blob.Cite
}

// Read reads the header at the start of r. The error wraps [decode.ErrFormat] when there is none and
// [decode.ErrUnsupported] for a version other than 1 and 2. Of a damaged LUKS2 header the second copy is
// not looked for.
func Read(r io.ReaderAt) (*Header, error) {
	var start struct {
		Magic   [6]byte `at:"0x00"`
		Version uint16  `at:"0x06"`
	}
	rec, err := decode.Read(r, 0, binary.BigEndian, "LUKS header", &start)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
	}
	if string(start.Magic[:]) != magic {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, rec.Errorf(&start.Magic, fmt.Sprintf("%q", magic), "%q", start.Magic[:]))
	}
	switch start.Version {
	case 1:
		return read1(r)
	case 2:
		return read2(r)
	}
	return nil, fmt.Errorf("%w: %w", decode.ErrUnsupported, rec.Errorf(&start.Version, "1 or 2", "%d", start.Version))
}

func read1(r io.ReaderAt) (*Header, error) {
	var h Header1
	rec, err := decode.Read(r, 0, binary.BigEndian, "LUKS header", &h)
	if err != nil {
		return nil, err
	}
	out := &Header{Version: 1, UUID: text(h.UUID[:]), Cipher: text(h.CipherName[:]) + "-" + text(h.CipherMode[:])}
	out.Cites = rec.Cite(&h.Magic, &h.Version, &h.CipherName, &h.CipherMode, &h.UUID)
	for i := range h.Slots {
		if h.Slots[i].State == slotActive {
			out.KeySlots++
			out.Cites = append(out.Cites, rec.Cite(&h.Slots[i].State)...)
		}
	}
	return out, nil
}

func read2(r io.ReaderAt) (*Header, error) {
	var h Header2
	rec, err := decode.Read(r, 0, binary.BigEndian, "LUKS2 header", &h)
	if err != nil {
		return nil, err
	}
	size := decode.Size(&h)
	if h.Size <= uint64(size) || h.Size > maxHeader {
		return nil, rec.Errorf(&h.Size, "more than 4096 and at most 4194304", "%d", h.Size)
	}
	data := make([]byte, h.Size)
	if n, err := r.ReadAt(data, 0); n < len(data) {
		return nil, fmt.Errorf("LUKS2 header of %d bytes: %w", h.Size, err)
	}
	out := &Header{Version: 2, UUID: text(h.UUID[:]), Label: text(h.Label[:])}
	out.Cites = rec.Cite(&h.Magic, &h.Version, &h.UUID, &h.Label)
	if text(h.CsumAlg[:]) == "sha256" {
		clear(data[0x1c0:0x200])
		if sum := sha256.Sum256(data); !bytes.Equal(sum[:], h.Csum[:len(sum)]) {
			return nil, rec.Errorf(&h.Csum, fmt.Sprintf("% x", sum), "% x", h.Csum[:len(sum)])
		}
	}
	body := data[size:]
	if i := bytes.IndexByte(body, 0); i >= 0 {
		body = body[:i]
	}
	var meta struct {
		KeySlots map[string]struct{} `json:"keyslots"`
		Segments map[string]struct {
			Type       string `json:"type"`
			Encryption string `json:"encryption"`
		} `json:"segments"`
	}
	if err := json.Unmarshal(body, &meta); err != nil {
		return nil, decode.Errorf(r, size, int64(max(len(body), 1)), "LUKS2 metadata", "JSON", "%v", err)
	}
	out.KeySlots = len(meta.KeySlots)
	if s := meta.Segments["0"]; s.Type == "crypt" {
		out.Cipher = s.Encryption
	}
	for _, span := range blob.Locate(r, size, int64(len(body))) {
		out.Cites = append(out.Cites, blob.Cite{Span: span, Name: "JSON", Value: fmt.Sprintf("%d key slots, %s", out.KeySlots, out.Cipher)})
	}
	return out, nil
}

// String says what the volume is: "LUKS2, aes-xts-plain64, 1 key slot".
func (h *Header) String() string {
	slots := "key slots"
	if h.KeySlots == 1 {
		slots = "key slot"
	}
	return fmt.Sprintf("LUKS%d, %s, %d %s", h.Version, h.Cipher, h.KeySlots, slots)
}

func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
