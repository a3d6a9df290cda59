package lvm

import (
	"encoding/binary"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/tests/fixture"
)

const (
	chunkSize = 64 << 10
	poolSize  = 2048 * chunkSize
)

// pool is a group with a thin pool on one disk: its metadata, of size bytes, then its data.
func pool(size int64) (*Group, []Member) {
	g := &Group{UUID: "g", ExtentSize: chunkSize, Members: []GroupMember{{Name: "pv0", UUID: "u", Extents: size/chunkSize + 2048}}}
	g.Logical = []Logical{
		{Name: "meta", Segments: []Segment{{Count: size / chunkSize, Type: "striped", Stripes: 1, Member: "pv0"}}},
		{Name: "data", Segments: []Segment{{Count: 2048, Type: "striped", Stripes: 1, Member: "pv0", First: size / chunkSize}}},
		{Name: "pool", Segments: []Segment{{Count: 2048, Type: "thin-pool", Parts: []string{"meta", "data"}, Chunk: chunkSize}}},
	}
	return g, []Member{{PV: &PV{UUID: "u", Group: g}}}
}

// mapped is where the chunks of a volume of the pool lie.
func mapped(b *blob.Blob, device int64) ([]blob.Extent, error) {
	g, members := pool(b.Size())
	return g.thin(b, members, Segment{Count: 1200, Type: "thin", Parts: []string{"pool"}, Device: device})
}

func TestThinVolumesAreWhatThinDumpPrints(t *testing.T) {
	var want struct {
		Device []struct {
			ID     int64 `xml:"dev_id,attr"`
			Single []struct {
				From int64 `xml:"origin_block,attr"`
				At   int64 `xml:"data_block,attr"`
			} `xml:"single_mapping"`
			Range []struct {
				From int64 `xml:"origin_begin,attr"`
				At   int64 `xml:"data_begin,attr"`
				Len  int64 `xml:"length,attr"`
			} `xml:"range_mapping"`
		} `xml:"device"`
	}
	require.NoError(t, xml.Unmarshal(fixture.Zst(t, "testdata/thin.xml.zst"), &want))
	b := fixture.Blob("disk0", fixture.Zst(t, "testdata/thin.img.zst"))
	require.Len(t, want.Device, 2)
	for _, d := range want.Device {
		var ext []blob.Extent
		for _, m := range d.Range {
			ext = append(ext, blob.Extent{Off: m.From * chunkSize, Len: m.Len * chunkSize, Phys: b.Size() + m.At*chunkSize})
		}
		for _, m := range d.Single {
			ext = append(ext, blob.Extent{Off: m.From * chunkSize, Len: chunkSize, Phys: b.Size() + m.At*chunkSize})
		}
		got, err := mapped(b, d.ID)
		require.NoError(t, err)
		require.Equal(t, ext, got)
	}
	_, err := mapped(b, 2)
	require.EqualError(t, err, "the thin pool has no volume 2")
}

// seal gives the blocks of a pool's metadata the checksums of what they hold.
func seal(data []byte) {
	for at := 0; at+metaBlock <= len(data); at += metaBlock {
		salt := uint32(nodeSalt)
		if at == 0 {
			salt = superSalt
		}
		binary.LittleEndian.PutUint32(data[at:], blockSum(data[at:at+metaBlock], salt))
	}
}

// The fixture's blocks: 7 is the tree of the volumes, a leaf; the tree of volume 7 starts with an inner node.
func TestDamagedThinPools(t *testing.T) {
	data := fixture.Zst(t, "testdata/thin.img.zst")
	root := binary.LittleEndian.Uint64(data[0x140:]) * metaBlock
	values := root + 32 + uint64(binary.LittleEndian.Uint32(data[root+0x14:]))*8
	inner := binary.LittleEndian.Uint64(data[values+8:]) * metaBlock
	require.EqualValues(t, innerNode, data[inner+4])
	children := inner + 32 + uint64(binary.LittleEndian.Uint32(data[inner+0x14:]))*8
	word := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
	for _, c := range []struct {
		name string
		at   uint64
		with []byte
		want string
	}{
		{"another magic", 0x20, word(1), "thin pool superblock: Magic: at disk0[0x20:+8]: want 27022010, got 1"},
		{"metadata to check", 4, []byte{1}, "thin pool superblock: Flags"},
		{"other chunks", 0x150, []byte{64}, "want chunks of 65536 bytes, got 64 sectors"},
		{"a root outside", 0x140, word(1 << 40), "thin pool metadata: block: at disk0[0x140:+8]: want less than 128, got 1099511627776"},
		{"a root behind the end", 0x140, word(128), "want less than 128, got 128"},
		{"a block that says it is another", root + 8, word(9), "Blocknr"},
		{"a node of neither kind", inner + 4, []byte{3}, "Flags: at"},
		{"more entries than fit", inner + 0x10, word(0xffff_0000_ffff), "NrEntries: at"},
		{"large values", inner + 0x18, []byte{24}, "NrEntries: at"},
		{"a node that leads to itself", children, word(inner / metaBlock), "want a tree of at most 9 levels and 100000 nodes in all, got more"},
		{"a leaf twice", children + 8, data[children : children+8], "key: at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			broken := append([]byte(nil), data...)
			copy(broken[c.at:], c.with)
			_, err := mapped(fixture.Blob("disk0", broken), 7)
			if c.at != 0x20 { // by which blocks are known for what they are
				require.ErrorContains(t, err, "the checksum of the block")
			}
			seal(broken)
			_, err = mapped(fixture.Blob("disk0", broken), 7)
			require.ErrorContains(t, err, c.want)
			require.ErrorAs(t, err, new(*decode.Error))
		})
	}
}

func FuzzThin(f *testing.F) {
	data := fixture.Zst(f, "testdata/thin.img.zst")
	root := binary.LittleEndian.Uint32(data[0x140:])
	f.Add(uint32(0x140), uint64(root), uint32(root*metaBlock+0x10), uint64(9))
	f.Add(root*metaBlock+4, uint64(1), root*metaBlock+32, uint64(root))
	f.Fuzz(func(t *testing.T, at uint32, word uint64, at2 uint32, word2 uint64) {
		broken := append([]byte(nil), data...)
		binary.LittleEndian.PutUint64(broken[at%uint32(len(data)-8):], word)
		binary.LittleEndian.PutUint64(broken[at2%uint32(len(data)-8):], word2)
		seal(broken)
		b := fixture.Blob("disk0", broken)
		for _, device := range []int64{1, 7} {
			ext, err := mapped(b, device)
			if err != nil {
				continue
			}
			var end int64
			for _, e := range ext {
				require.True(t, e.Off >= end && e.Len > 0 && e.Phys >= b.Size() && e.Phys+e.Len <= b.Size()+poolSize)
				end = e.Off + e.Len
			}
		}
	})
}

// mirror is the two physical volumes of a RAID1 one behind the other, each cut behind its superblock of dm-raid.
func mirror(t testing.TB) (data []byte, members []Member) {
	for _, name := range []string{"raid0", "raid1"} {
		pv := fixture.Zst(t, "testdata/"+name+".img.zst")
		p, err := ReadPV(fixture.Blob("disk0", pv), 100<<20)
		require.NoError(t, err)
		require.NoError(t, p.Err)
		members = append(members, Member{p, int64(len(data))})
		data = append(data, pv...)
	}
	return data, members
}

func TestAMirrorOfLVM(t *testing.T) {
	data, members := mirror(t)
	var names []string
	for _, v := range Open(fixture.Blob("disk0", data), members) {
		name := v.Name[len("vg3/"):]
		if !v.Visible {
			name = "[" + name + "]"
		}
		names = append(names, name)
		require.NoError(t, v.Err)
	}
	var want []string
	for _, line := range fixture.Lines(t, "testdata/raid.lvs") {
		want = append(want, strings.Fields(line)[0])
	}
	require.ElementsMatch(t, want, names)

	g := members[0].PV.Group
	root := g.logical("root").Segments[0]
	first, second := int64(1<<20)+g.ExtentSize, members[1].Off+1<<20+g.ExtentSize
	whereSB := [2]int64{1 << 20, members[1].Off + 1<<20}
	for name, c := range map[string]struct {
		patch []blob.Patch
		at    int64
		err   string
	}{
		"both are whole":          {nil, first, ""},
		"the second is newer":     {[]blob.Patch{{Off: whereSB[1] + 0x10, Data: []byte{4}}}, second, ""},
		"the first is rebuilt":    {[]blob.Patch{{Off: whereSB[0] + 0x20, Data: make([]byte, 8)}}, second, ""},
		"the first failed":        {[]blob.Patch{{Off: whereSB[0] + 0x18, Data: []byte{1}}}, second, ""},
		"the first is no member":  {[]blob.Patch{{Off: whereSB[0], Data: []byte{0}}}, second, ""},
		"both are being rebuilt":  {[]blob.Patch{{Off: whereSB[0] + 0x20, Data: []byte{0}}, {Off: whereSB[1] + 0x20, Data: []byte{0}}}, 0, "no image of the mirror is whole"},
		"neither has superblocks": {[]blob.Patch{{Off: whereSB[0], Data: []byte{0}}, {Off: whereSB[1], Data: []byte{0}}}, 0, "root_rmeta_1 has no superblock of dm-raid"},
	} {
		ext, err := g.leg(blob.Overlay(fixture.Blob("disk0", data), c.patch...), members, root)
		if c.err != "" {
			require.EqualError(t, err, c.err, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, []blob.Extent{{Len: 48 << 20, Phys: c.at}}, ext, name)
	}
}

func FuzzMirror(f *testing.F) {
	data, members := mirror(f)
	f.Add(data[1<<20:1<<20+48], data[len(data)-4096:len(data)-4096+48])
	f.Fuzz(func(t *testing.T, one, two []byte) {
		copyOf := append([]byte(nil), data...)
		copy(copyOf[1<<20:members[1].Off], one)
		copy(copyOf[members[1].Off+1<<20:], two)
		b := fixture.Blob("disk0", copyOf)
		for _, v := range Open(b, members) {
			require.Equal(t, v.Err == nil, v.R != nil)
			fixture.Cited(t, b.Size(), v.Cites...)
		}
	})
}
