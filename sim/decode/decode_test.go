package decode

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
)

type inner struct {
	A uint8  `at:"0x00"`
	B uint16 `at:"0x02"`
}

type header struct {
	Magic [4]byte  `at:"0x00"`
	Count uint32   `at:"0x04"`
	In    inner    `at:"0x08"`
	List  [2]inner `at:"0x0c"`
	Nums  [2]int16 `at:"0x14"`
}

var raw = []byte{'M', 'A', 'G', 0, 2, 0, 0, 0, 7, 0, 9, 0, 1, 0, 2, 0, 3, 0, 4, 0, 0xff, 0xff, 5, 0}

func TestAFieldPointerKnowsItsBytes(t *testing.T) {
	b := blob.New("b", bytes.NewReader(append(make([]byte, 100), raw...)), 124, nil)
	var h header
	rec, err := Read(b, 100, binary.LittleEndian, "header", &h)
	require.NoError(t, err)
	require.Equal(t, header{[4]byte{'M', 'A', 'G', 0}, 2, inner{7, 9}, [2]inner{{1, 2}, {3, 4}}, [2]int16{-1, 5}}, h)

	for _, tt := range []struct {
		ptr  any
		want blob.Cite
	}{
		{&h.Magic, blob.Cite{Span: blob.Span{Blob: "b", Off: 100, Len: 4}, Name: "Magic", Value: `"MAG"`}},
		{&h.Count, blob.Cite{Span: blob.Span{Blob: "b", Off: 104, Len: 4}, Name: "Count", Value: "0x2"}},
		{&h.In.B, blob.Cite{Span: blob.Span{Blob: "b", Off: 110, Len: 2}, Name: "In.B", Value: "0x9"}},
		{&h.List[1].B, blob.Cite{Span: blob.Span{Blob: "b", Off: 118, Len: 2}, Name: "List[1].B", Value: "0x4"}},
		{&h.Nums[1], blob.Cite{Span: blob.Span{Blob: "b", Off: 122, Len: 2}, Name: "Nums[1]", Value: "0x5"}},
	} {
		require.Equal(t, []blob.Cite{tt.want}, rec.Cite(tt.ptr))
	}
	require.Panics(t, func() { var other uint32; rec.Cite(&other) })
	require.NoError(t, CheckLayout(&h, 24))
	require.Error(t, CheckLayout(&h, 23))
	require.Len(t, rec.CiteAll(), 6)
}

func TestAShortReaderIsAnErrorThatSaysWhere(t *testing.T) {
	b := blob.New("b", bytes.NewReader(raw[:10]), 10, nil)
	_, err := Read(b, 4, binary.LittleEndian, "header", new(header))
	require.EqualError(t, err, "header: at b[0x4:+6]: want 24 bytes, got end after 6")
}
