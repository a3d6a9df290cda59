package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// Member is a file of a folder: its path begins with the folder's name.
type Member struct {
	Name string
	R    io.ReaderAt
	Size int64
}

const maxFolder = 20_000

// IsContainerFolder tells whether files are one folder that holds a container image: an OCI image layout, an
// unpacked docker save archive, or what containers/image calls "dir". folder is its name.
func IsContainerFolder(names []string) (folder string, ok bool) {
	for i, name := range names {
		top, rest, below := strings.Cut(name, "/")
		if !below || i > 0 && top != folder {
			return "", false
		}
		folder = top
		ok = ok || rest == "index.json" || rest == "manifest.json" || rest == "oci-layout"
	}
	return folder, ok
}

// Folder names a folder as the tar that a packer would write of it, without its own name before those of its
// files, so that it is read like the archive of the same image. Its bytes are those of the files, which the
// blob remembers, and headers between them.
func Folder(store *blob.Store, folder string, members []Member) (*blob.Blob, error) {
	if len(members) > maxFolder {
		return nil, fmt.Errorf("%s: a folder of more than %d files: %w", folder, maxFolder, decode.ErrUnsupported)
	}
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	t := &folderTar{}
	for _, m := range members {
		var header bytes.Buffer
		h := &tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(m.Name, folder+"/"), Size: m.Size, Mode: 0o644}
		if err := tar.NewWriter(&header).WriteHeader(h); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		t.add(bytes.NewReader(header.Bytes()), int64(header.Len()), nil)
		file := store.Add(m.Name, m.R, m.Size, nil)
		t.add(blob.Raw(file), m.Size, file)
		t.add(zeros{}, -m.Size&(tarBlock-1), nil)
	}
	t.add(zeros{}, 2*tarBlock, nil) // the end: POSIX.1-2017, pax
	return store.Add(folder, t, t.size, t.Locate), nil
}

const tarBlock = 512

// folderTar is the tar of a folder, its parts one behind the other.
type folderTar struct {
	parts []folderPart
	size  int64
}

type folderPart struct {
	off, size int64
	r         io.ReaderAt
	file      *blob.Blob // nil for what the tar adds
}

func (t *folderTar) add(r io.ReaderAt, size int64, file *blob.Blob) {
	if size > 0 {
		t.parts = append(t.parts, folderPart{t.size, size, r, file})
		t.size += size
	}
}

// partAt is the index of the part that off lies in.
func (t *folderTar) partAt(off int64) int {
	return sort.Search(len(t.parts), func(i int) bool { return t.parts[i].off+t.parts[i].size > off })
}

func (t *folderTar) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for i := t.partAt(off); i < len(t.parts) && done < len(p); i++ {
		part := t.parts[i]
		at := off + int64(done) - part.off
		want := min(int64(len(p)-done), part.size-at)
		n, err := part.r.ReadAt(p[done:done+int(want)], at)
		if done += n; int64(n) < want {
			return done, err
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// Locate gives the spans of the files.
func (t *folderTar) Locate(off, n int64) []blob.Span {
	var out []blob.Span
	for i := t.partAt(off); i < len(t.parts) && t.parts[i].off < off+n; i++ {
		if part := t.parts[i]; part.file != nil {
			start, end := max(off, part.off), min(off+n, part.off+part.size)
			out = append(out, part.file.Locate(start-part.off, end-start)...)
		}
	}
	return out
}

type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}
