package gpt

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/tests/fixture"
)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(Header), 92))
	require.NoError(t, decode.CheckLayout(new(Entry), 128))
}

func TestTablesAreWhatSfdiskPrints(t *testing.T) {
	for name, notes := range map[string][]string{
		"plain":   nil,
		"backup":  {"GPT: the backup at sector 131071 is used, because the primary is damaged: GPT header: HeaderCRC32: at disk0[0x210:+4]: want "},
		"entries": {"GPT: the backup at sector 131071 is used, because the primary is damaged: GPT header: EntriesCRC32: at disk0[0x258:+4]: want "},
		"noback":  {"GPT: the backup header at sector 131071 is damaged, the primary is used"},
	} {
		t.Run(name, func(t *testing.T) {
			var want struct{ PartitionTable fixture.SFDisk }
			fixture.JSON(t, "testdata/"+name+".json", &want)
			b := fixture.Blob("disk0", fixture.Zst(t, "testdata/"+name+".img.zst"))
			got, err := Read(b, b.Size())
			require.NoError(t, err)
			want.PartitionTable.Equal(t, got)
			require.Len(t, got.Notes, len(notes))
			for i := range notes {
				require.Contains(t, got.Notes[i], notes[i])
			}
		})
	}
}

func TestAPartitionIsCited(t *testing.T) {
	b := fixture.Blob("disk0", fixture.Zst(t, "testdata/plain.img.zst"))
	got, err := Read(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, []blob.Cite{
		{Span: blob.Span{Blob: "disk0", Off: 0x400, Len: 16}, Name: "Type", Value: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"},
		{Span: blob.Span{Blob: "disk0", Off: 0x410, Len: 16}, Name: "ID", Value: "B0070003-0000-4000-8000-0000000000E5"},
		{Span: blob.Span{Blob: "disk0", Off: 0x420, Len: 8}, Name: "First", Value: "0x800"},
		{Span: blob.Span{Blob: "disk0", Off: 0x428, Len: 8}, Name: "Last", Value: "0xa7ff"},
		{Span: blob.Span{Blob: "disk0", Off: 0x430, Len: 8}, Name: "Attributes", Value: "0x0"},
		{Span: blob.Span{Blob: "disk0", Off: 0x438, Len: 72}, Name: "Name", Value: `"ESP"`},
	}, got.Partitions[0].Cites)
}

func TestDamage(t *testing.T) {
	plain := fixture.Zst(t, "testdata/plain.img.zst")
	last := int64(len(plain) - 512)
	zero := make([]byte, 512)
	for name, tt := range map[string]struct {
		patches []blob.Patch
		format  bool
		want    string
	}{
		"no protective entry":    {[]blob.Patch{{Off: 0x1c2, Data: []byte{0x83}}}, true, "want 0xee in one of the entries, got 0x83"},
		"no boot signature":      {[]blob.Patch{{Off: 0x1fe, Data: []byte{0}}}, true, "want 0xaa55, got 0xaa00"},
		"both headers gone":      {[]blob.Patch{{Off: 512, Data: zero}, {Off: last, Data: zero}}, true, `want "EFI PART"`},
		"both headers damaged":   {[]blob.Patch{{Off: 520, Data: []byte{9}}, {Off: last + 8, Data: []byte{9}}}, false, "GPT header: HeaderCRC32: at disk0[0x210:+4]"},
		"header of a mad length": {[]blob.Patch{{Off: 524, Data: []byte{0xff, 0xff}}, {Off: last, Data: zero}}, false, "GPT header: HeaderSize: at disk0[0x20c:+4]: want 92 to 512, got 65535"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(blob.Overlay(fixture.Blob("disk0", plain), tt.patches...), int64(len(plain)))
			require.ErrorContains(t, err, tt.want)
			require.Equal(t, tt.format, errors.Is(err, decode.ErrFormat))
			var bad *decode.Error
			require.ErrorAs(t, err, &bad)
		})
	}
	// A hybrid MBR whose protective entry does not start at sector 1: sfdisk takes it, Linux does not.
	got, err := Read(blob.Overlay(fixture.Blob("disk0", plain), blob.Patch{Off: 0x1c6, Data: []byte{2}}), int64(len(plain)))
	require.NoError(t, err)
	require.Equal(t, []string{"GPT: the protective MBR entry does not start at sector 1: UEFI and Linux do not accept it"}, got.Notes)
	// A disk that was cut: the backup is behind its end.
	got, err = Read(fixture.Blob("disk0", plain[:len(plain)-16896]), int64(len(plain)-16896))
	require.NoError(t, err)
	require.Equal(t, []string{"GPT: the backup header lies at sector 131071, behind the end of the disk at 131038"}, got.Notes)
}

func TestPeers(t *testing.T) {
	n := 0
	for _, p := range fixture.Peers(t) {
		if kind, _ := p.Expected.Blkid["PTTYPE"].(string); kind != "gpt" {
			continue
		}
		n++
		t.Run(p.File, func(t *testing.T) {
			b := fixture.Blob("disk0", p.Unpack(t))
			got, err := Read(b, b.Size())
			require.NoError(t, err)
			var want fixture.SFDisk
			require.NoError(t, json.Unmarshal(p.Expected.SFDisk, &want))
			want.Equal(t, got)
		})
	}
	require.NotZero(t, n)
}

func FuzzRead(f *testing.F) {
	plain := fixture.Zst(f, "testdata/plain.img.zst")
	f.Add(plain[512:1024], plain[1024:2048])
	f.Fuzz(func(t *testing.T, header, entries []byte) {
		if len(header) > 512 || len(entries) > 4096 {
			return
		}
		data := make([]byte, 64<<10)
		copy(data, plain[:512])
		copy(data[512:], header)
		copy(data[1024:], entries)
		fix(data)
		b := fixture.Blob("disk0", data)
		got, err := Read(b, b.Size())
		if err != nil {
			return
		}
		for _, p := range got.Partitions {
			require.Positive(t, p.Size)
			fixture.Cited(t, b.Size(), p.Cites...)
		}
	})
}

// fix repairs the checksums, so that fuzzing gets behind them.
func fix(data []byte) {
	le, h := binary.LittleEndian, data[512:1024]
	from := le.Uint64(h[0x48:]) * 512
	n := uint64(le.Uint32(h[0x50:])) * uint64(le.Uint32(h[0x54:]))
	if from < uint64(len(data)) && n <= uint64(len(data))-from {
		le.PutUint32(h[0x58:], crc32.ChecksumIEEE(data[from:from+n]))
	}
	if size := le.Uint32(h[12:]); size >= 92 && size <= 512 {
		le.PutUint32(h[16:], headerSum(h[:size]))
	}
}
