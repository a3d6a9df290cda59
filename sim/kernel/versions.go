package kernel

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/exe/elf"
)

// What glibc's loader checks besides that libraries are there: the versions of their symbols, and the
// kernel's.

// versions is _dl_check_all_versions: each object's needs against what the library that it names defines.
// glibc elf/dl-version.c. Nobody checks under musl.
func (l *loader) versions() Loaded {
	out := Loaded{Exit: 1}
	if l.musl != "" {
		return out
	}
	var lines []string
	for _, o := range l.queue {
		needs, err := o.file.Needs(o.dyn)
		if err != nil {
			continue // the loader would crash on it, how is not known
		}
		for _, n := range needs {
			text, fatal := l.version(n, o)
			if text == "" {
				continue
			}
			lines = append(lines, l.queue[0].name+": "+text)
			if fatal && !out.Failed {
				out.Failed, out.Message, out.Cites = true, lines[len(lines)-1], n.Version.Cites
				l.emit("process.version-missing", map[string]string{"version": n.Version.Value, "library": n.Library, "needed_by": o.name, "message": out.Message}, n.Version.Cites)
			}
		}
	}
	out.Console = strings.Join(lines, "\n")
	return out
}

// version is match_symbol of dl-version.c: its complaint about one need, "" for none.
func (l *loader) version(n elf.Need, by *object) (text string, fatal bool) {
	i := slices.IndexFunc(l.queue, func(o *object) bool {
		return o.name == n.Library || o.dyn.Soname.Value == n.Library || path.Base(o.name) == n.Library
	})
	if i < 0 {
		return "", false // it was there under another name: nothing to compare with
	}
	lib := l.queue[i]
	names, versioned, err := lib.file.Defines(lib.dyn)
	switch {
	case err != nil:
		return "", false
	case !versioned: // "linked against another version of this file": a warning
		return fmt.Sprintf("%s: no version information available (required by %s)", lib.name, by.name), false
	case slices.ContainsFunc(names, func(s elf.String) bool { return s.Value == n.Version.Value }):
		return "", false
	case n.Weak:
		return fmt.Sprintf("%s: weak version `%s' not found (required by %s)", lib.name, n.Version.Value, by.name), false
	}
	return fmt.Sprintf("%s: version `%s' not found (required by %s)", lib.name, n.Version.Value, by.name), true
}

// tooOld is what glibc prints when it was built for newer kernels.
const tooOld = "FATAL: kernel too old"

// kernelTooOld is DL_SYSDEP_OSCHECK of glibc's loader, which newer ones do not have: its text is looked for.
// Which kernel it wants is in the ABI note of the C library from the same build.
func (l *loader) kernelTooOld() (Loaded, bool) {
	if l.musl != "" {
		return Loaded{}, false
	}
	libc := l.find("libc.so.6", &object{name: l.exe.interp, real: l.exe.interp, library: library{dyn: &elf.Dynamic{}}})
	if libc == nil {
		return Loaded{}, false
	}
	segs, err := libc.file.Segments()
	if err != nil {
		return Loaded{}, false
	}
	want, cites, ok := libc.file.KernelABI(segs)
	have := kernelVersion(l.t.k.o.Version)
	if !ok || slices.Compare(have[:], want[:]) >= 0 || !l.loaderSays(tooOld) {
		return Loaded{}, false
	}
	version := fmt.Sprintf("%d.%d.%d", want[0], want[1], want[2])
	l.emit("process.kernel-too-old", map[string]string{"kernel": l.t.k.o.Version, "wanted": version, "loader": l.exe.interp}, cites)
	return Loaded{Failed: true, Exit: 127, Message: tooOld, Cites: cites}, true
}

// kernelVersion is the first three numbers of uname's release: "4.19.0-27-amd64".
func kernelVersion(release string) (v [3]uint32) {
	for i, part := range strings.SplitN(release, ".", 3) {
		end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(part)
		}
		n, _ := strconv.ParseUint(part[:end], 10, 31)
		v[i] = uint32(n)
		if end < len(part) {
			break
		}
	}
	return v
}

// loaderSays tells whether the loader's program contains a text.
func (l *loader) loaderSays(text string) bool {
	f, err := l.exe.iat.mnt.sb.open(l.t, l.exe.iat.path, l.exe.interpInode(l.t))
	if err != nil {
		return false
	}
	b, err := blob.ReadAll(f, cmp.Or(min(f.Size(), maxCache), 1))
	return err == nil && bytes.Contains(b, []byte(text))
}
