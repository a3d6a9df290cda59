package wire

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
	"bootpath/sim/oci"
)

// describeApp gives a row for each name that the image goes by, one without a name when it has none.
func describeApp(a *oci.Image) []AppImage {
	c := a.Config.Config
	out := AppImage{
		Platform: a.Platform, ManifestDigest: a.ManifestDigest, ConfigDigest: a.ConfigDigest,
		Layers: []Layer{}, Entrypoint: orEmpty(c.Entrypoint), Cmd: orEmpty(c.Cmd), Env: orEmpty(c.Env),
		User: c.User, Workdir: cmp.Or(c.WorkingDir, "/"), History: describeHistory(a),
	}
	for i := range a.Layers {
		l := &a.Layers[i]
		row := Layer{Digest: l.Digest, DiffID: l.DiffID, Size: l.Size, MediaType: l.MediaType, CreatedBy: l.CreatedBy, Blob: l.Name()}
		if compression, err := l.Compression(); err == nil {
			row.Compression = string(compression)
		}
		out.Layers = append(out.Layers, row)
	}
	if stack, err := a.Stack(); err == nil {
		describeStack(&out, stack)
	}
	if len(a.Refs) == 0 {
		return []AppImage{out}
	}
	rows := make([]AppImage, len(a.Refs))
	for i, ref := range a.Refs {
		rows[i] = out
		rows[i].Ref = ref
	}
	return rows
}

func describeStack(out *AppImage, s *oci.Stack) {
	efficiency := s.Efficiency
	out.Efficiency, out.WastedBytes, out.HiddenBytes = &efficiency, s.WastedBytes, s.HiddenBytes
	for i, st := range s.Layers {
		l := &out.Layers[i]
		l.UnpackedSize, l.ContentBytes, l.Entries = st.UnpackedSize, st.ContentBytes, st.Entries
		l.Added, l.Changed, l.Removed, l.RemovedBytes = st.Added, st.Changed, st.Removed, st.RemovedBytes
		l.HiddenFiles, l.HiddenBytes = st.HiddenFiles, st.HiddenBytes
		out.UnpackedSize += st.UnpackedSize
	}
}

// describeHistory pairs build steps with the layers that they made (OCI image specification, "history").
func describeHistory(a *oci.Image) []HistoryRow {
	rows := make([]HistoryRow, 0, len(a.Config.History))
	layer := 0
	for _, h := range a.Config.History {
		row := HistoryRow{CreatedBy: h.CreatedBy, Comment: h.Comment, Layer: -1}
		if !h.Created.IsZero() {
			row.Created = h.Created.UTC().Format(time.RFC3339)
		}
		if !h.EmptyLayer && layer < len(a.Layers) {
			row.Layer = layer
			layer++
		}
		rows = append(rows, row)
	}
	return rows
}

// maxRows is how many rows one listing may have.
const maxRows = 1000

func rows(off, n int64) (int, int) {
	if n <= 0 || n > maxRows {
		n = maxRows
	}
	return int(min(max(off, 0), 1<<31-1)), int(n)
}

// app is the image that a request means: rows of an inspection are per name.
func (s *Session) app(index int) (*oci.Image, error) {
	if a := s.image.Archive; a != nil && index >= 0 {
		for i := range a.Images {
			if index -= max(1, len(a.Images[i].Refs)); index < 0 {
				return &a.Images[i], nil
			}
		}
	}
	return nil, errors.New("there is no such image in the file")
}

// Tree lists a directory: of an archive's image merged from its layers, with what they hide; else of the
// root file system.
func (s *Session) Tree(image int, name string, off, n int64) (*TreeListing, error) {
	first, most := rows(off, n)
	out := &TreeListing{Path: path.Join("/", name), Off: first, Entries: []TreeEntry{}}
	if s.image.Archive == nil {
		return out, s.listRoot(out, most)
	}
	im, err := s.app(image)
	if err != nil {
		return nil, err
	}
	stack, err := im.Stack()
	if err != nil {
		return nil, err
	}
	part, total, err := stack.List(name, first, most)
	if err != nil {
		return nil, err
	}
	out.Total = total
	for _, l := range part {
		e := TreeEntry{Name: l.Name, Gone: l.Gone()}
		for _, c := range l.Copies {
			e.Copies = append(e.Copies, fileCopy(c))
		}
		out.Entries = append(out.Entries, e)
	}
	return out, nil
}

func typeOf(m fs.FileMode) string {
	switch m.Type() {
	case fs.ModeDir:
		return "directory"
	case fs.ModeSymlink:
		return "symlink"
	case fs.ModeDevice:
		return "block"
	case fs.ModeDevice | fs.ModeCharDevice:
		return "character"
	case fs.ModeNamedPipe:
		return "fifo"
	case fs.ModeSocket:
		return "socket"
	}
	return "file"
}

func fileCopy(c oci.Copy) FileCopy {
	out := FileCopy{
		Layer: c.Layer, Type: "file", Mode: fmt.Sprintf("%04o", c.Mode), UID: c.UID, GID: c.GID, Size: c.Size,
		Link: c.Link, HiddenBy: c.HiddenBy, Hiding: c.How, Action: string(c.Action), Cites: c.Cites,
	}
	switch c.Type {
	case tarfs.TypeDir:
		out.Type = "directory"
	case tarfs.TypeSymlink:
		out.Type = "symlink"
	case tarfs.TypeChar:
		out.Type = "character"
	case tarfs.TypeBlock:
		out.Type = "block"
	case tarfs.TypeFifo:
		out.Type = "fifo"
	}
	return out
}

// Changes lists what one layer of an image adds, changes and removes at and below a path.
func (s *Session) Changes(image, layer int, name string, off, n int64) (*ChangeListing, error) {
	im, err := s.app(image)
	if err != nil {
		return nil, err
	}
	stack, err := im.Stack()
	if err != nil {
		return nil, err
	}
	first, most := rows(off, n)
	part, total, err := stack.Changes(layer, name, first, most)
	if err != nil {
		return nil, err
	}
	out := &ChangeListing{Layer: layer, Path: path.Join("/", name), Total: total, Off: first, Changes: []LayerChange{}}
	for _, c := range part {
		row := LayerChange{Path: path.Join("/", c.Path), Action: string(c.Action), How: c.How, Files: c.Files, Bytes: c.Bytes}
		if c.Action != oci.Removed {
			brought := fileCopy(c.Copy)
			row.Copy, row.Bytes = &brought, c.Copy.Size
		}
		out.Changes = append(out.Changes, row)
	}
	return out, nil
}

// File returns up to n bytes at off of a file: the one that a layer has, hidden or not, or with layer -1 the
// one that the container sees. Of a root file system without layers it is the one that the latest run saw, and
// with layer -2 the one that the image came with.
func (s *Session) File(image, layer int, name string, off, n int64) (*Chunk, []byte, error) {
	file, err := s.openFile(image, layer, name)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	size := file.Size()
	if off < 0 || n < 0 || n > maxChunk || off > size {
		return nil, nil, fmt.Errorf("%s: range %d+%d, want at most %d bytes inside %d", name, off, n, maxChunk, size)
	}
	p := make([]byte, min(n, size-off))
	chunk := &Chunk{Blob: path.Join("/", name), Off: off, Size: size, At: file.Locate(off, int64(len(p)))}
	_, err = s.image.Store.Raw(file).ReadAt(p, off)
	switch {
	case errors.Is(err, blob.ErrNotKept):
		clear(p)
		chunk.Gaps = [][2]int64{{0, int64(len(p))}}
	case err != nil && err != io.EOF:
		return nil, nil, err
	}
	return chunk, p, nil
}

func (s *Session) openFile(image, layer int, name string) (fsys.File, error) {
	if s.image.Archive == nil {
		root := s.seenRoot()
		if layer == asItCame {
			root = s.image.Root
		}
		if root == nil {
			return nil, errNoRoot
		}
		at, err := fsys.Resolve(root, name)
		if err != nil {
			return nil, err
		}
		return fsys.OpenFile(root, at)
	}
	im, err := s.app(image)
	if err != nil {
		return nil, err
	}
	if layer < 0 {
		root, err := im.RootFS()
		if err != nil {
			return nil, err
		}
		at, err := fsys.Resolve(root, name)
		if err != nil {
			return nil, err
		}
		return fsys.OpenFile(root, at)
	}
	stack, err := im.Stack()
	if err != nil {
		return nil, err
	}
	return stack.Open(layer, name)
}
