package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zip"
	"github.com/mholt/archives"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// maxMembers bounds how many members of a zip are opened in search of an image.
const maxMembers = 10_000

// fromZip finds the one image in a zip.
func fromZip(store *blob.Store, b *blob.Blob) (inner *blob.Blob, err error) {
	defer caught("zip", &err)
	var found, others []candidate
	err = eachMember(b, b.Size(), func(f archives.FileInfo) error {
		if f.Size() < minSize || junk(f.NameInArchive) {
			return nil
		}
		r, err := openMember(f)
		if errors.Is(err, decode.ErrUnsupported) && !hasImageName(f.NameInArchive) {
			return nil
		}
		if err != nil {
			return err
		}
		head := make([]byte, headSize)
		n, _ := io.ReadFull(r, head)
		c := candidate{name: f.NameInArchive, size: f.Size()}
		others = append(others, c)
		if isImage(f.NameInArchive, head[:n], 2) {
			c.rank = Rank(c.name, bytes.NewReader(head[:n]), int64(n))
			found = append(found, c)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	c, err := choose("zip", found)
	if err != nil {
		return nil, err
	}
	store.AddSiblings(func(name string) *blob.Blob {
		i := slices.IndexFunc(others, func(o candidate) bool { return path.Base(o.name) == name && o.name != c.name })
		if i < 0 {
			return nil
		}
		return deriveMember(store, b, others[i].name)
	})
	return deriveMember(store, b, c.name), nil
}

// deriveMember names a member of a zip.
func deriveMember(store *blob.Store, b *blob.Blob, name string) *blob.Blob {
	open := func() (r io.Reader, err error) {
		defer caught("zip", &err)
		err = eachMember(blob.Raw(b), b.Size(), func(f archives.FileInfo) error {
			if f.NameInArchive != name || r != nil {
				return nil
			}
			r, err = openMember(f)
			return err
		})
		if err == nil && r == nil {
			err = fmt.Errorf("zip: %s is gone", name)
		}
		return r, err
	}
	return store.Derive(path.Base(name), open, maxStream, blob.Locate(b, 0, b.Size()))
}

// eachMember calls fn for the regular files of a zip. The library wants a reader that can seek; a file that
// it hands out can be read after the walk too.
func eachMember(r io.ReaderAt, size int64, fn func(archives.FileInfo) error) error {
	seen := 0
	err := archives.Zip{}.Extract(context.Background(), io.NewSectionReader(r, 0, size), func(_ context.Context, f archives.FileInfo) error {
		if seen++; seen > maxMembers {
			return fs.SkipAll
		}
		if f.IsDir() || f.LinkTarget != "" {
			return nil
		}
		return fn(f)
	})
	return err
}

// openMember starts a member's stream. Deflate and store only: what other methods allocate is up to the
// file.
func openMember(f archives.FileInfo) (io.Reader, error) {
	h, ok := f.Header.(zip.FileHeader)
	if !ok || h.Flags&1 != 0 || (h.Method != zip.Store && h.Method != zip.Deflate) {
		return nil, fmt.Errorf("%s: encrypted, or compressed by method %d: %w", f.NameInArchive, h.Method, decode.ErrUnsupported)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	return &guarded{r, "zip"}, nil
}

func hasImageName(name string) bool {
	lower := strings.ToLower(name)
	for _, ext := range []string{".img", ".iso", ".raw", ".qcow2", ".vmdk", ".vdi", ".vhd", ".vhdx", ".tar", ".gz", ".xz", ".zst"} {
		if strings.HasSuffix(lower, ext) {
			return true
		}
	}
	return false
}
