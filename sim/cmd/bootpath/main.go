// Command bootpath says what an image is and what happens when it starts: the engine of the page, on a
// terminal.
//
//	bootpath inspect [--json] FILE
//	bootpath run     [--json] [switches] FILE [[--] COMMAND ARG…]
//	bootpath compare [--json] A B [switches]
//	bootpath compare [--json] A [switches] -- [B] [switches]
//	bootpath recognise [--json] [--lang en|zh] MESSAGE
//	bootpath slice   FILE -o OUT [switches of run]
//
// Exit status: 0 the question was answered (whatever the verdict), 1 the input cannot be opened, 2 usage.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"

	"bootpath/content/messages"
	"bootpath/sim/blob"
	"bootpath/sim/wire"
)

const (
	exitAnswered = 0
	exitInput    = 1
	exitUsage    = 2
)

const usage = `usage: bootpath inspect [--json] FILE
       bootpath run     [--json] [switches] FILE [[--] COMMAND ARG...]
       bootpath compare [--json] A B [switches]
       bootpath compare [--json] A [switches] -- [B] [switches]
       bootpath recognise [--json] [--lang en|zh] MESSAGE   (or - to read it)
       bootpath slice   FILE -o OUT [--note TEXT] [switches of run]

"bootpath run -h" lists the switches.
`

// What garbage may lie beside what is in use: as much again, but not beyond memoryGoal bytes, from where on it is
// collected sooner. A run keeps little of an image in memory; the million files that an archive may have
// take 80 MB. A tighter rein costs more processor time than the memory is worth.
const (
	memoryPercent = 100
	memoryGoal    = 112 << 20
)

func main() {
	debug.SetGCPercent(memoryPercent)
	debug.SetMemoryLimit(memoryGoal)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// errUsage is wrapped by errors that are the caller's.
var errUsage = errors.New("usage")

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	commands := map[string]func([]string, io.Writer, io.Writer) error{
		"inspect": inspect, "run": start, "compare": compareImages, "recognise": recognise, "slice": slice,
	}
	command, ok := commands[args[0]]
	if !ok {
		fmt.Fprintf(stderr, "bootpath: unknown command %q\n%s", args[0], usage)
		return exitUsage
	}
	err := command(args[1:], stdout, stderr)
	switch {
	case err == nil:
		return exitAnswered
	case errors.Is(err, flag.ErrHelp):
		return exitAnswered
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "bootpath: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "bootpath: %v\n", err)
	return exitInput
}

// open opens the file and keeps it open for as long as the command runs.
func open(path string) (*wire.Session, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return openFolder(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s, err := wire.OpenFiles([]wire.InputFile{{Name: filepath.Base(path), R: f, Size: size}}, wire.Options{
		Scratch: scratch,
		Beside:  func(name string) (wire.InputFile, error) { return beside(path, name) },
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// maxFolder bounds how many files of a folder are looked at.
const maxFolder = 20_000

// openFolder opens what lies in a folder: a container image as a directory, or the files of a disk.
func openFolder(dir string) (*wire.Session, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	var files []wire.InputFile
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if len(files) == maxFolder {
			return fmt.Errorf("more than %d files; pack a root file system with tar", maxFolder)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(filepath.Dir(dir), path)
		files = append(files, wire.InputFile{Name: filepath.ToSlash(name), R: &lateFile{path: path}, Size: info.Size()})
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("a folder without files")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	s, err := wire.OpenFiles(files, wire.Options{Scratch: scratch})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return s, nil
}

// lateFile is opened when it is first read: a folder may have more files than a process may open.
type lateFile struct {
	path string
	file *os.File
}

func (l *lateFile) ReadAt(p []byte, off int64) (int, error) {
	if l.file == nil {
		f, err := os.Open(l.path)
		if err != nil {
			return 0, err
		}
		l.file = f
	}
	return l.file.ReadAt(p, off)
}

// beside opens a file in the directory of the input; what an image names never leads out of it.
func beside(input, name string) (wire.InputFile, error) {
	if name == "" || name != filepath.Base(name) || name == ".." {
		return wire.InputFile{}, fmt.Errorf("%q is not a file beside %s", name, input)
	}
	f, err := os.Open(filepath.Join(filepath.Dir(input), name))
	if err != nil {
		return wire.InputFile{}, err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		f.Close()
		return wire.InputFile{}, fmt.Errorf("%q is not a regular file", name)
	}
	return wire.InputFile{Name: name, R: f, Size: info.Size()}, nil
}

// scratch is a file without a name: it is gone when the command is.
func scratch() (blob.Scratch, error) {
	f, err := os.CreateTemp("", "bootpath-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil { // a system that keeps open files does not get one
		f.Close()
		return nil, err
	}
	return f, nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func inspect(args []string, stdout, stderr io.Writer) error {
	fl := newFlags("inspect", stderr)
	asJSON := fl.Bool("json", false, "print the JSON of docs/json.md")
	files, err := fl.parse(args)
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("%w: inspect takes one FILE", errUsage)
	}
	s, err := open(files[0])
	if err != nil {
		return err
	}
	in := s.Inspect()
	if *asJSON {
		return writeJSON(stdout, in)
	}
	printInspection(stdout, in)
	return nil
}

func start(args []string, stdout, stderr io.Writer) error {
	fl := newFlags("run", stderr)
	asJSON := fl.Bool("json", false, "print the JSON of docs/json.md")
	settings := runFlags(fl)
	rest, err := fl.parse(args)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return fmt.Errorf("%w: run takes a FILE", errUsage)
	}
	set, err := settings(rest[1:])
	if err != nil {
		return err
	}
	s, err := open(rest[0])
	if err != nil {
		return err
	}
	res, err := s.Run(set)
	if err != nil {
		return err
	}
	if *asJSON {
		res.Explain(messages.English())
		return writeJSON(stdout, res)
	}
	printRun(stdout, res)
	return nil
}
