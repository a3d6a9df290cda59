package kernel

import (
	"bytes"
	"encoding/binary"
	"path"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/exe/elf"
	"bootpath/sim/fsys"
	"bootpath/sim/trace"
)

// Limits on what the search follows.
const (
	maxLibraries = 512
	maxCache     = 4 << 20 // bytes of ld.so.cache or of a loader that are looked at
	maxEntries   = 65536   // of ld.so.cache
)

// Loaded is what became of a program before its own code runs.
type Loaded struct {
	Message string // what the loader prints when it gives up, without a newline
	Console string // all that it prints, when that is more: warnings too
	Exit    int    // and the exit code
	Failed  bool
	Rule    string // the clause, when it is not the loader's manual
	Unknown string // for a loader whose rules are not known: its name
	Cites   []blob.Cite
}

// Load is what happens after a successful [Task.Execve] and before the program's own code: the dynamic
// loader finds the libraries that the program names, and theirs, and glibc's sees to it that they have the
// versions that these were linked with. A static program needs none. Single symbols are not looked at. It
// emits one step per library.
func (t *Task) Load() Loaded {
	i := t.exe
	if i == nil || i.interp == "" {
		return Loaded{}
	}
	if i.lost != "" {
		return i.cannotOpen()
	}
	l := &loader{t: t, exe: i, files: map[string]bool{}}
	base := path.Base(i.interp)
	switch {
	case strings.HasPrefix(base, "ld-musl-"):
		l.musl = strings.TrimSuffix(strings.TrimPrefix(base, "ld-musl-"), ".so.1")
		return l.run()
	case strings.HasPrefix(base, "ld-linux") || strings.HasPrefix(base, "ld64.so") || strings.HasPrefix(base, "ld.so.1") || strings.HasPrefix(base, "ld-2."):
		return l.run()
	}
	return Loaded{Unknown: i.interp}
}

// object is a loaded file.
type object struct {
	name   string // as messages call it
	real   string
	parent *object
	library
}

// library is what a loader reads in a file that it may load.
type library struct {
	file *elf.File
	dyn  *elf.Dynamic
}

type loader struct {
	t     *Task
	exe   *image
	musl  string // architecture in the name of musl's loader; "" for glibc
	files map[string]bool
	dirs  []string // the default directories, once they were looked up
	ready bool
	cache [][2]string
	queue []*object // all that was loaded, the program first
}

// run loads breadth first, as both loaders do.
func (l *loader) run() Loaded {
	first := &object{name: l.t.Argv[0], real: l.t.Exe, library: library{file: l.exe.elf}}
	var err error
	if first.dyn, err = l.exe.elf.Dynamic(l.exe.segs); err != nil || first.dyn == nil {
		return Loaded{}
	}
	if out, old := l.kernelTooOld(); old {
		return out
	}
	queue := []*object{first}
	for n := 0; n < len(queue) && n < maxLibraries; n++ {
		for _, need := range queue[n].dyn.Needed {
			if l.files[need.Value] || l.isMusl(need.Value) {
				continue
			}
			l.files[need.Value] = true
			o := l.find(need.Value, queue[n])
			if o == nil {
				return l.missing(need, queue[n], first)
			}
			if l.files[o.real] {
				continue
			}
			l.files[o.real] = true
			queue = append(queue, o)
			l.emit("process.load-library", map[string]string{"library": need.Value, "path": o.real, "needed_by": queue[n].name}, need.Cites)
		}
	}
	l.queue, l.t.loaded = queue, queue
	return l.versions()
}

func (l *loader) emit(kind trace.Kind, args map[string]string, cites []blob.Cite) {
	rule := "ld.so(8)"
	if l.musl != "" {
		rule = "musl ldso/dynlink.c, load_library"
	}
	if l.t.Quiet {
		return
	}
	actor := l.t.Actor
	if actor == "" {
		actor = l.t.Comm
	}
	l.t.k.Emit(trace.Step{Actor: actor, Stage: trace.Process, Kind: kind, Args: args, Cites: cites, Rule: rule})
}

// missing is what the loader says; both exit with 127.
func (l *loader) missing(need elf.String, by, first *object) Loaded {
	out := Loaded{Failed: true, Exit: 127, Cites: need.Cites}
	if l.musl != "" {
		out.Message = "Error loading shared library " + need.Value + ": No such file or directory (needed by " + by.name + ")"
	} else {
		out.Message = first.name + ": error while loading shared libraries: " + need.Value + ": cannot open shared object file: No such file or directory"
	}
	l.emit("process.library-missing", map[string]string{"library": need.Value, "needed_by": by.name, "message": out.Message, "searched": strings.Join(l.searched(need.Value, by), ":")}, need.Cites)
	return out
}

// isMusl tells whether the name is one of those that musl answers itself.
func (l *loader) isMusl(name string) bool {
	if l.musl == "" {
		return false
	}
	for _, r := range []string{"libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."} {
		if strings.HasPrefix(name, r) {
			return true
		}
	}
	return strings.HasPrefix(name, "ld-musl-")
}

// find looks for a library. A name with a slash is a path and is not searched.
func (l *loader) find(name string, by *object) *object {
	if strings.Contains(name, "/") {
		return l.try(name, name, by)
	}
	if l.musl == "" {
		for _, dir := range l.before(by) {
			if o := l.try(path.Join(dir, name), name, by); o != nil {
				return o
			}
		}
		if at := l.cached(name); at != "" {
			if o := l.try(at, name, by); o != nil {
				return o
			}
		}
		for _, dir := range l.defaults() {
			if o := l.try(path.Join(dir, name), name, by); o != nil {
				return o
			}
		}
		return nil
	}
	for _, dir := range append(l.before(by), l.defaults()...) {
		if o := l.try(path.Join(dir, name), name, by); o != nil {
			return o
		}
	}
	return nil
}

func (l *loader) searched(name string, by *object) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	return append(l.before(by), l.defaults()...)
}

// before lists the directories that come before the system's. glibc: DT_RPATH of the object and of those
// that led to it, unless it has DT_RUNPATH; LD_LIBRARY_PATH; DT_RUNPATH of the object. musl:
// LD_LIBRARY_PATH, then either path of the object and of those that led to it.
func (l *loader) before(by *object) []string {
	env := l.libraryPath()
	var chain, own []string
	if l.musl != "" {
		for o := by; o != nil; o = o.parent {
			p := o.dyn.RunPath.Value
			if p == "" {
				p = o.dyn.RPath.Value
			}
			chain = append(chain, l.expand(p, o)...)
		}
		return append(env, chain...)
	}
	if by.dyn.RunPath.Value == "" {
		for o := by; o != nil; o = o.parent {
			if o.dyn.RunPath.Value == "" {
				chain = append(chain, l.expand(o.dyn.RPath.Value, o)...)
			}
		}
	} else {
		own = l.expand(by.dyn.RunPath.Value, by)
	}
	return slices.Concat(chain, env, own)
}

// libraryPath is LD_LIBRARY_PATH, which a program with raised privileges ignores.
func (l *loader) libraryPath() []string {
	if l.t.Secure {
		return nil
	}
	for _, e := range l.t.Env {
		if v, ok := strings.CutPrefix(e, "LD_LIBRARY_PATH="); ok && v != "" {
			return strings.FieldsFunc(v, func(r rune) bool { return r == ':' || r == ';' })
		}
	}
	return nil
}

// expand replaces $ORIGIN, the directory of the object. "Dynamic string tokens" - ld.so(8)
func (l *loader) expand(p string, o *object) []string {
	var out []string
	for dir := range strings.SplitSeq(p, ":") {
		if dir == "" {
			continue
		}
		dir = strings.NewReplacer("$ORIGIN", path.Dir(o.real), "${ORIGIN}", path.Dir(o.real), "$LIB", "lib", "${LIB}", "lib").Replace(dir)
		out = append(out, dir)
	}
	return out
}

// try opens a candidate; one for another machine or class is passed over.
func (l *loader) try(p, name string, by *object) *object {
	f, err := l.t.Open(p)
	if err != nil {
		return nil
	}
	lib := l.t.k.library(f)
	if lib == nil || lib.file.Machine != l.exe.elf.Machine || lib.file.Is64() != l.exe.elf.Is64() {
		return nil
	}
	real, _ := l.t.RealPath(p)
	return &object{name: p, real: real, library: *lib, parent: by}
}

// library reads a shared object; nil when f is none.
func (k *Kernel) library(f fsys.File) *library {
	return blob.Remember(k.o.Store, "library", f, 0, f.Size(), func() *library {
		e, err := elf.Read(f)
		if err != nil {
			return nil
		}
		segs, err := e.Segments()
		if err != nil {
			return nil
		}
		dyn, err := e.Dynamic(segs)
		if err != nil || dyn == nil {
			return nil
		}
		return &library{e, dyn}
	})
}

// defaults lists the system's directories. glibc's are compiled into the loader and are read there;
// musl's come from /etc/ld-musl-ARCH.path or are the three that it knows.
func (l *loader) defaults() []string {
	if l.ready {
		return l.dirs
	}
	l.ready = true
	if l.musl != "" {
		l.dirs = []string{"/lib", "/usr/local/lib", "/usr/lib"}
		if b, err := l.t.ReadFile("/etc/ld-musl-" + l.musl + ".path"); err == nil {
			l.dirs = strings.FieldsFunc(string(b), func(r rune) bool { return r == ':' || r == '\n' })
		}
		return l.dirs
	}
	if f, err := l.exe.iat.mnt.sb.open(l.t, l.exe.iat.path, l.exe.interpInode(l.t)); err == nil {
		l.dirs = systemDirs(f)
	}
	if len(l.dirs) == 0 {
		l.dirs = []string{"/lib", "/usr/lib"}
		if l.exe.elf.Is64() {
			l.dirs = []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib"}
		}
	}
	return l.dirs
}

func (i *image) interpInode(t *Task) *inode {
	in, err := i.iat.mnt.sb.get(t, i.iat.path)
	if err != nil {
		return &inode{}
	}
	return in
}

// systemDirs finds the trusted directories in glibc's loader: a run of strings "/…/lib…/" that each end
// in a slash and NUL (elf/dl-load.c, system_dirs).
func systemDirs(f fsys.File) []string {
	b := make([]byte, min(f.Size(), maxCache))
	n, _ := f.ReadAt(b, 0)
	b = b[:n]
	var out []string
	for i := 0; i < len(b); {
		j := bytes.Index(b[i:], []byte("/\x00"))
		if j < 0 {
			break
		}
		end := i + j + 1
		start := bytes.LastIndexByte(b[:end], 0) + 1
		s := string(b[start:end])
		if dir := strings.TrimSuffix(s, "/"); isLibDir(dir) && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
		i = end + 1
	}
	return out
}

func isLibDir(s string) bool {
	if !strings.HasPrefix(s, "/lib") && !strings.HasPrefix(s, "/usr/lib") {
		return false
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.ContainsRune("/_-.", c)) {
			return false
		}
	}
	return true
}

// CacheHeader is the header of /etc/ld.so.cache, format 1.1. glibc, sysdeps/generic/dl-cache.h.
type CacheHeader struct {
	Magic      [20]byte  `at:"0x00"` // "glibc-ld.so.cache1.1"
	NLibs      uint32    `at:"0x14"`
	LenStrings uint32    `at:"0x18"`
	Flags      uint8     `at:"0x1c"`
	Pad        [3]byte   `at:"0x1d"`
	Extension  uint32    `at:"0x20"`
	Unused     [3]uint32 `at:"0x24"`
}

// CacheEntry is one library of the cache; Key and Value are offsets of strings from the header's start.
type CacheEntry struct {
	Flags     uint32 `at:"0x00"`
	Key       uint32 `at:"0x04"`
	Value     uint32 `at:"0x08"`
	OSVersion uint32 `at:"0x0c"`
	HWCap     uint64 `at:"0x10"`
}

// cached looks a name up in /etc/ld.so.cache. Entries for special hardware are passed over.
func (l *loader) cached(name string) string {
	if l.cache == nil {
		b, _ := l.t.ReadFile("/etc/ld.so.cache")
		l.cache = readCache(b)
	}
	for _, e := range l.cache {
		if e[0] == name && l.try(e[1], name, nil) != nil {
			return e[1]
		}
	}
	return ""
}

// readCache lists names and paths; it is never nil.
func readCache(b []byte) [][2]string {
	out := [][2]string{}
	if len(b) > maxCache {
		return out
	}
	b = b[min(cacheStart(b), int64(len(b))):]
	r := bytes.NewReader(b)
	var h CacheHeader
	if _, err := decode.Read(r, 0, binary.LittleEndian, "ld.so.cache", &h); err != nil || string(h.Magic[:]) != "glibc-ld.so.cache1.1" {
		return out
	}
	off := decode.Size(&h)
	for range min(h.NLibs, maxEntries) {
		var e CacheEntry
		if _, err := decode.Read(r, off, binary.LittleEndian, "ld.so.cache entry", &e); err != nil {
			return out
		}
		off += decode.Size(&e)
		if e.HWCap == 0 {
			out = append(out, [2]string{cString(b, e.Key), cString(b, e.Value)})
		}
	}
	return out
}

// cacheStart skips the older format that may come first ("ld.so-1.7.0": a count, entries of 12 bytes).
func cacheStart(b []byte) int64 {
	if len(b) < 16 || string(b[:11]) != "ld.so-1.7.0" {
		return 0
	}
	return (16 + 12*int64(binary.LittleEndian.Uint32(b[12:])) + 7) &^ 7
}

func cString(b []byte, off uint32) string {
	if int64(off) >= int64(len(b)) {
		return ""
	}
	s, _, _ := bytes.Cut(b[off:], []byte{0})
	return string(s)
}

// Imported are the symbols that one file of a running program takes from libraries.
type Imported struct {
	Path  string
	Names []string
	Cites []blob.Cite
	Err   error // they cannot be read
}

// Static tells whether the running program needs no loader.
func (t *Task) Static() bool { return t.exe != nil && t.exe.elf != nil && t.exe.interp == "" }

// Program opens the file that t runs.
func (t *Task) Program() (fsys.File, error) {
	if t.exe == nil || t.exe.file == nil {
		return nil, ENOENT
	}
	return t.exe.file, nil
}

// Mapped is how many bytes the program, its loader and its libraries map, and how many of those may be
// written: what belongs to this process alone. Before [Task.Load] the libraries are not in it.
func (t *Task) Mapped() (all, writable int64, cites []blob.Cite) {
	var seen []*elf.File
	count := func(f *elf.File) {
		if f == nil || slices.Contains(seen, f) {
			return
		}
		seen = append(seen, f)
		segs, err := f.Segments()
		if err != nil {
			return
		}
		for _, s := range segs {
			if s.Type != elf.PT_LOAD || s.Memsz > 1<<40 {
				continue
			}
			all += int64(s.Memsz)
			if s.Flags&2 != 0 { // PF_W
				writable += int64(s.Memsz)
			}
			if len(seen) == 1 { // the program's
				cites = append(cites, s.Cites...)
			}
		}
	}
	if t.exe != nil {
		count(t.exe.elf)
	}
	for _, o := range t.loaded {
		count(o.file)
	}
	return all, writable, cites
}

// Imports lists what the program and its libraries take from each other, the C library and the loader
// left out: these do for themselves only what they are asked for. It is nil before [Task.Load] and for a
// static program.
func (t *Task) Imports() []Imported {
	var out []Imported
	for _, o := range t.loaded {
		base := path.Base(o.name)
		if strings.HasPrefix(base, "libc.so") || strings.HasPrefix(base, "libc.musl") || strings.HasPrefix(base, "ld-") || strings.HasPrefix(base, "libpthread.so") || strings.HasPrefix(base, "libdl.so") {
			continue
		}
		i := Imported{Path: o.real}
		i.Names, i.Cites, i.Err = o.file.Imports(o.dyn)
		out = append(out, i)
	}
	return out
}
