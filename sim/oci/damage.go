package oci

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"bootpath/sim/blob"
)

// Damage is what is wrong with the bytes of a layer. What an engine says about it, and whether it minds, is
// the engine's affair.
type Damage struct {
	Layer   int    // from 0
	Missing string // the member of the archive that should have it
	Digest  string // of the stored bytes, when it is not the one that was promised
	Stream  string // why they cannot be unpacked: "gzip: invalid checksum"
	Cut     bool   // they only end too early
	Tar     string // why the unpacked tar ends too early, in the words of archive/tar
}

func (d Damage) none() bool {
	return d.Missing == "" && d.Digest == "" && d.Stream == "" && d.Tar == ""
}

// Damage finds the lowest layer whose bytes are damaged. false: there is none, or the image is too large to
// tell, or a slice has not kept the answer.
func (im *Image) Damage() (Damage, bool) {
	total := int64(0)
	for i := range im.Layers {
		l := &im.Layers[i]
		if name, ok := l.Missing(); ok {
			return Damage{Layer: i, Missing: name}, true
		}
		if total += l.member.size; total > verifyMax {
			return Damage{}, false
		}
		if d := l.damage(); !d.none() {
			d.Layer = i
			return d, true
		}
	}
	return Damage{}, false
}

// damage remembers its answer under a name, so that a slice keeps the answer and not the layer.
func (l *Layer) damage() Damage {
	a, name := l.image.archive, l.Name()+" damage"
	if a.store.FromSlice() && a.store.Kept(name) == nil {
		return Damage{}
	}
	from := blob.Locate(a.section(l.member), 0, l.member.size)
	b := a.store.Derive(name, func() (io.Reader, error) {
		text, err := json.Marshal(l.examine())
		return strings.NewReader(string(text)), err
	}, refusalMax, from)
	var d Damage
	if text, err := blob.ReadAll(b, refusalMax); err == nil {
		json.Unmarshal(text, &d)
	}
	return d
}

// examine reads the stored bytes, what they unpack to, and the tar in it, in one pass.
func (l *Layer) examine() Damage {
	var d Damage
	c, err := l.Compression()
	if err != nil {
		return d
	}
	stored := io.NewSectionReader(blob.Raw(l.image.archive.input), l.member.off, l.member.size)
	sum := sha256.New()
	raw := io.TeeReader(stored, sum)
	r, err := unpack(c, raw)
	if err == nil {
		limited := &io.LimitedReader{R: r, N: verifyMax}
		d.Tar, err = tarEnd(limited)
		if limited.N == 0 {
			return Damage{} // more than anyone wants to wait for
		}
	}
	if err != nil {
		d.Stream, d.Cut, d.Tar = err.Error(), errors.Is(err, io.ErrUnexpectedEOF), ""
	}
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return Damage{}
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); l.Digest != "" && got != l.Digest {
		d.Digest = got
	}
	return d
}

// tarEnd reads a tar to its end and what follows it. It gives the reason why archive/tar stops early, and the
// error of the stream below.
func tarEnd(r io.Reader) (why string, err error) {
	below := &watched{r: r}
	t := tar.NewReader(below)
	for n := 0; n < maxTarMembers && why == ""; n++ {
		_, next := t.Next()
		if errors.Is(next, io.EOF) {
			break
		}
		if next != nil {
			why = next.Error()
		}
	}
	if _, err := io.Copy(io.Discard, below); err != nil {
		return why, err
	}
	return why, below.err
}

// maxTarMembers bounds how far archive/tar is followed.
const maxTarMembers = 1_000_000

// watched remembers the first error of a reader that is not its end.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF && w.err == nil {
		w.err = err
	}
	return n, err
}
