package wire

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"bootpath/sim/archive"
	"bootpath/sim/blob"
	"bootpath/sim/compare"
	"bootpath/sim/decode"
	"bootpath/sim/exercise"
	"bootpath/sim/identify"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

// Session is one opened file and the runs made of it: what a page or the command talks to.
type Session struct {
	main    InputFile
	others  []InputFile
	folder  []archive.Member // the files of a container image that is a folder, called as main is
	options Options
	image   *identify.Image
	ran     *identify.Image // of the latest run: where its citations lie

	steps      []trace.Step    // of the latest run
	maker      *exercise.Maker // of exercises, from its first use on
	makerUsual scenario.RunSettings
}

// InputFile is a file that someone gave: the Size bytes of R.
type InputFile struct {
	Name string // base name; of a file of a folder the path from the folder's name on
	R    io.ReaderAt
	Size int64
}

// Options are what a session may use of the machine that it runs on; the zero value is none.
type Options struct {
	// Scratch opens room outside memory, see [blob.Store.SetScratch].
	Scratch func() (blob.Scratch, error)
	// Beside opens the file of that base name which lies beside the input.
	Beside func(name string) (InputFile, error)
}

// Open opens the size bytes of r, a file called name: an image or a slice of one.
func Open(name string, r io.ReaderAt, size int64) (*Session, error) {
	return OpenFiles([]InputFile{{name, r, size}}, Options{})
}

// OpenFiles opens files that belong together, like the parts of a split disk: the one that names the others,
// else the first image; or a folder with a container image.
func OpenFiles(files []InputFile, options Options) (*Session, error) {
	if len(files) == 0 {
		return nil, errors.New("no file was given")
	}
	s := &Session{options: options}
	s.take(files)
	store, input, err := s.source()
	if err != nil {
		return nil, err
	}
	if s.image, err = identify.Open(store, input, nil); err != nil {
		return nil, err
	}
	if s.folder != nil {
		s.image.Formats = append([]string{"folder"}, s.image.Formats...)
	} else if r, size := s.main.R, s.main.Size; blob.IsSlice(r) {
		_, origin, err := blob.OpenSlice(r, size)
		if err != nil {
			return nil, err
		}
		s.image.Origin = &origin
	}
	s.ran = s.image
	return s, nil
}

// take decides which of the files is opened and which lie beside it.
func (s *Session) take(files []InputFile) {
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	if folder, ok := archive.IsContainerFolder(names); ok {
		s.main = InputFile{Name: folder}
		for _, f := range files {
			s.folder = append(s.folder, archive.Member(f))
		}
		return
	}
	at := mainFile(files)
	for i, f := range files {
		f.Name = path.Base(f.Name)
		if i == at {
			s.main = f
		} else {
			s.others = append(s.others, f)
		}
	}
}

// mainFile is the index of the file that names others.
func mainFile(files []InputFile) int {
	if len(files) == 1 {
		return 0
	}
	best, most := -1, 0
	for i, f := range files {
		if n := archive.Rank(f.Name, f.R, f.Size); n > most {
			best, most = i, n
		}
	}
	if best < 0 {
		best = slices.IndexFunc(files, func(f InputFile) bool { return archive.LooksLikeImage(f.Name, f.R, f.Size) })
	}
	return max(best, 0)
}

// source opens the input afresh.
func (s *Session) source() (*blob.Store, *blob.Blob, error) {
	if s.folder != nil || !blob.IsSlice(s.main.R) {
		store := blob.NewStore()
		if s.options.Scratch != nil {
			store.SetScratch(s.options.Scratch)
		}
		store.SetSiblings(s.beside)
		if s.folder != nil {
			input, err := archive.Folder(store, s.main.Name, s.folder)
			return store, input, err
		}
		return store, store.Add(s.main.Name, s.main.R, s.main.Size, nil), nil
	}
	var store *blob.Store
	var origin blob.Origin
	var err error
	if s.image != nil && s.image.Origin != nil {
		store, origin = s.image.Store.Reopen(), *s.image.Origin
	} else if store, origin, err = blob.OpenSlice(s.main.R, s.main.Size); err != nil {
		return nil, nil, err
	}
	kept := store.Kept(origin.Name)
	if kept == nil {
		return nil, nil, fmt.Errorf("slice: keeps nothing of its input %q: %w", origin.Name, decode.ErrFormat)
	}
	return store, store.Add(origin.Name, kept, kept.Size(), nil), nil
}

// beside opens a file that the input names: one that was given with it, or that lies beside it.
func (s *Session) beside(name string) (io.ReaderAt, int64, error) {
	for _, f := range s.others {
		if f.Name == name {
			return f.R, f.Size, nil
		}
	}
	if s.options.Beside == nil {
		return nil, 0, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	f, err := s.options.Beside(name)
	return f.R, f.Size, err
}

// Run starts the image under the settings.
func (s *Session) Run(settings scenario.RunSettings) (*RunResult, error) {
	res, err := scenario.Run(s.image, s.source, settings)
	if err != nil {
		return nil, err
	}
	s.ran = res.Image
	s.steps = res.Trace.Steps
	out := &RunResult{
		Outcome: res.Trace.Outcome, Steps: res.Trace.Steps, Facts: res.Facts,
		Console: consoleLines(res.Trace.Steps), BytesRead: s.bytesRead(res.Image),
	}
	if way := settings.Path; way != "" && way != scenario.UsualPath(res.Image) {
		out.Needs = compare.Needs(res.Image, way)
	}
	return out, nil
}

// ParseCommand reads a docker run or podman run command line as settings. The image that it names becomes
// the one to run when the archive has it; otherwise the opened image stands for it.
func (s *Session) ParseCommand(line string) (*scenario.Command, error) {
	c, err := scenario.ParseCommand(line)
	if err != nil {
		return nil, err
	}
	if a := s.image.Archive; a != nil {
		if _, err := a.Select("", c.Image); err == nil {
			c.Settings.Ref = c.Image
		}
	}
	return c, nil
}

// bytesRead counts what was read of the input; a slice says what the runs that it was cut from read.
func (s *Session) bytesRead(im *identify.Image) int64 {
	if s.image.Origin != nil {
		return s.image.Origin.Read
	}
	return im.Store.BytesRead()
}

func consoleLines(steps []trace.Step) []string {
	var all strings.Builder
	for _, st := range steps {
		all.WriteString(st.Console)
	}
	if all.Len() == 0 {
		return []string{}
	}
	return strings.Split(strings.TrimSuffix(all.String(), "\n"), "\n")
}

// maxChunk is how many bytes one request may ask for.
const maxChunk = 1 << 20

// Bytes returns up to n bytes at off of a blob that the latest run or inspection named.
func (s *Session) Bytes(name string, off, n int64) (*Chunk, []byte, error) {
	b := s.ran.Store.Blob(name)
	if b == nil {
		b = s.image.Store.Blob(name)
	}
	if b == nil {
		return nil, nil, fmt.Errorf("no bytes are called %q", name)
	}
	size := b.Size()
	if off < 0 || n < 0 || n > maxChunk || off > size {
		return nil, nil, fmt.Errorf("%s: range %d+%d, want at most %d bytes inside %d", name, off, n, maxChunk, size)
	}
	p := make([]byte, min(n, size-off))
	chunk := &Chunk{Blob: name, Off: off, Size: size, From: b.From(off, int64(len(p)))}
	if kept := s.ran.Store.Kept(name); kept != nil {
		chunk.Gaps = kept.ReadKept(p, off)
		return chunk, p, nil
	}
	got, err := b.Unlogged().ReadAt(p, off)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	return chunk, p[:got], nil
}

// Slice writes what was read so far as a slice; origin's name and size are filled in.
func (s *Session) Slice(w io.Writer, origin blob.Origin) error {
	if s.image.Origin != nil {
		_, err := io.Copy(w, io.NewSectionReader(s.main.R, 0, s.main.Size))
		return err
	}
	origin.Name, origin.Size = s.image.Input.Name(), s.image.Input.Size()
	origin.Read = s.image.Store.BytesRead()
	return s.image.Store.WriteSlice(w, origin)
}

// Store gives the blobs of the latest run.
func (s *Session) Store() *blob.Store { return s.ran.Store }

// FailureOf turns an error into what a page shows: what was expected, what was found, where.
func FailureOf(err error) *Failure {
	f := &Failure{Code: "read", Message: err.Error()}
	var bad *decode.Error
	switch {
	case errors.Is(err, decode.ErrUnsupported):
		f.Code = "unsupported"
	case errors.Is(err, decode.ErrFormat):
		f.Code = "format"
	}
	if errors.As(err, &bad) {
		f.Want, f.Got = bad.Want, bad.Got
		f.Where = fmt.Sprintf("offset %#x", bad.Off)
		if f.Code == "read" {
			f.Code = "format"
		}
	}
	return f
}
