package mbr

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/tests/fixture"
)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(Entry), 16))
	require.NoError(t, decode.CheckLayout(new(BootSector), 512))
}

func TestTablesAreWhatSfdiskPrints(t *testing.T) {
	for _, name := range []string{"primary", "logical", "empty", "protective"} {
		t.Run(name, func(t *testing.T) {
			var want struct{ PartitionTable fixture.SFDisk }
			fixture.JSON(t, "testdata/"+name+".json", &want)
			b := fixture.Blob("disk0", fixture.Zst(t, "testdata/"+name+".img.zst"))
			got, err := Read(b, b.Size())
			require.NoError(t, err)
			want.PartitionTable.Equal(t, got)
			fixture.Cited(t, b.Size(), got.Cites...)
			if name == "protective" {
				require.Equal(t, []string{"partition table: the table is protective, but no GPT was found"}, got.Notes)
			} else {
				require.Empty(t, got.Notes)
			}
		})
	}
}

func TestALogicalPartitionIsCitedInItsExtendedBootRecord(t *testing.T) {
	b := fixture.Blob("disk0", fixture.Zst(t, "testdata/logical.img.zst"))
	got, err := Read(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, 5, got.Partitions[3].Number)
	// sfdisk put the first record at the start of the extended partition, sector 22528.
	require.Equal(t, blob.Cite{Span: blob.Span{Blob: "disk0", Off: 22528*512 + 0x1be + 8, Len: 4}, Name: "Entries[0].Start", Value: "0x800"},
		got.Partitions[3].Cites[2])
}

func TestDamage(t *testing.T) {
	logical := fixture.Zst(t, "testdata/logical.img.zst")
	ebr := int64(22528 * 512)
	for name, tt := range map[string]struct {
		patch blob.Patch
		want  string // of the error, or of the only note
		parts int
	}{
		"signature cleared":            {blob.Patch{Off: 510, Data: []byte{0}}, "not this format: boot sector: Signature: at disk0[0x1fe:+2]: want 0xaa55, got 0xaa00", 0},
		"boot indicator 0x12":          {blob.Patch{Off: 0x1be, Data: []byte{0x12}}, "not this format: boot sector: Entries[0].BootIndicator: at disk0[0x1be:+1]: want 0 or 0x80, got 0x12", 0},
		"first extended record zeroed": {blob.Patch{Off: ebr, Data: make([]byte, 512)}, "partition table: extended boot record: Signature: at disk0[0xb001fe:+2]: want 0xaa55, got 0x0", 3},
		"chain leads to itself":        {blob.Patch{Off: ebr + 0x1ce + 8, Data: make([]byte, 4)}, "partition table: more than 100 extended boot records: a loop", 3 + 100},
		"partition behind the end":     {blob.Patch{Off: 0x1be + 12, Data: []byte{0, 0, 0, 1}}, "partition table: partition 1 ends at sector 16779264, the disk at 131072", 6},
	} {
		t.Run(name, func(t *testing.T) {
			r := blob.Overlay(fixture.Blob("disk0", logical), tt.patch)
			got, err := Read(r, int64(len(logical)))
			if tt.parts == 0 {
				require.ErrorIs(t, err, decode.ErrFormat)
				require.EqualError(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []string{tt.want}, got.Notes)
			require.Len(t, got.Partitions, tt.parts)
		})
	}
}

func TestABootSectorIsReadEvenWithoutSignature(t *testing.T) {
	sector := make([]byte, 512)
	copy(sector, "\xeb\x63")
	bs, rec, err := ReadBootSector(fixture.Blob("disk0", sector))
	require.NoError(t, err)
	require.Equal(t, byte(0xeb), bs.Code[0])
	require.Equal(t, "disk0[0x1fe:+2]", rec.Cite(&bs.Signature)[0].String())
	require.False(t, bs.Protective())

	_, _, err = ReadBootSector(fixture.Blob("disk0", sector[:100]))
	require.EqualError(t, err, "boot sector: at disk0[0x0:+100]: want 512 bytes, got end after 100")
}

func TestOnlyAnEntryThatStartsAtSectorOneIsProtective(t *testing.T) {
	bs := BootSector{Signature: Signature}
	bs.Entries[2] = Entry{Type: TypeProtective, Start: 1}
	require.True(t, bs.Protective())
	bs.Entries[2].Start = 0
	require.False(t, bs.Protective())
}

// blkid takes what follows for file systems, not for tables.
func TestPeers(t *testing.T) {
	n := 0
	for _, p := range fixture.Peers(t) {
		kind, _ := p.Expected.Blkid["TYPE"].(string)
		if p.Kind != "pt" && kind != "vfat" && kind != "ntfs" && kind != "exfat" {
			continue
		}
		n++
		t.Run(p.File, func(t *testing.T) {
			b := fixture.Blob("disk0", p.Unpack(t))
			got, err := Read(b, b.Size())
			if kind, _ := p.Expected.Blkid["PTTYPE"].(string); kind != "dos" {
				if err == nil && p.Kind == "pt" { // sfdisk or blkid knows the table under another name
					require.NotEmpty(t, got.Notes, "%v", p.Expected.Blkid)
					return
				}
				require.ErrorIs(t, err, decode.ErrFormat)
				return
			}
			var want fixture.SFDisk
			require.NoError(t, json.Unmarshal(p.Expected.SFDisk, &want))
			require.NoError(t, err)
			want.Equal(t, got)
		})
	}
	require.NotZero(t, n)
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"logical", "protective"} {
		data := fixture.Zst(f, "testdata/"+name+".img.zst")
		f.Add(data[:512], data[22528*512%len(data):][:512])
	}
	f.Fuzz(func(t *testing.T, first, ebr []byte) {
		if len(first) > 4096 || len(ebr) > 4096 {
			return
		}
		data := make([]byte, 64<<10)
		copy(data, first)
		for off := 4096; off < len(data); off += 4096 {
			copy(data[off:], ebr)
		}
		b := fixture.Blob("disk0", data)
		got, err := Read(b, b.Size())
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(got.Partitions), partitionsMax)
		for _, p := range got.Partitions {
			fixture.Cited(t, b.Size(), p.Cites...)
		}
	})
}

// Floppies that others published: blkid sees no table on the first and an empty one on the second, where
// sfdisk takes the text of FreeDOS's boot sector for partitions.
func TestFloppies(t *testing.T) {
	b := fixture.File(t, fixture.Truth(t, "real", "freedos722.img"))
	_, err := Read(b, b.Size())
	require.ErrorIs(t, err, decode.ErrFormat)
	b = fixture.File(t, fixture.Truth(t, "real", "openbsd.img"))
	got, err := Read(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, "0x00000000", got.ID)
	require.Empty(t, got.Partitions)
}

// What looks like FAT but has a usable first entry is a table, as libblkid has it.
func TestATableBehindAFATBootSector(t *testing.T) {
	fat12 := fixture.Zst(t, "../../fsys/fat/testdata/fat12.img.zst")
	b := fixture.Blob("disk0", fat12)
	_, err := Read(b, b.Size())
	require.ErrorIs(t, err, decode.ErrFormat)
	got, err := Read(blob.Overlay(b, blob.Patch{Off: 0x1be, Data: []byte{0x80, 0, 0, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0}}), b.Size())
	require.NoError(t, err)
	require.Len(t, got.Partitions, 1)
}
