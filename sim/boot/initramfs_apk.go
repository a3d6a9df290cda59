package boot

import (
	"archive/tar"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/stream"
	"bootpath/sim/trace"
)

// Bounds of what is unpacked in an initramfs.
const (
	maxExtracted = 16 << 20 // bytes
	maxMembers   = 20_000
	maxIndex     = 8 << 20 // bytes of a repository's index
)

// apkAdd is a command line of apk add.
type apkAdd struct {
	root     string
	repos    []string
	packages []string
	quiet    bool
	create   bool // --initdb
	broken   bool // it goes on although packages are not to be had
}

// apk is Alpine's package manager, apk-tools 2. Which packages there are it reads in the indexes of its repositories,
// and of none of them it makes an empty root. What the packages' files and scripts make of the root is not followed.
func (in *shProcess) apk(words []string) ctl {
	found, _ := in.find(words[0], true)
	version, cites := in.x.textIn(in.abs(found), "apk-tools 2.")
	if version == "" {
		return in.unknownProgram(found)
	}
	if slices.Contains(words, "--print-arch") {
		in.out("%s\n", in.x.apkArch())
		return in.ok()
	}
	add, ok := parseAPK(words)
	if !ok {
		return in.end("unknown.program-does", "program", "apk")
	}
	for _, r := range add.repos {
		if strings.Contains(r, "://") {
			return in.end("unknown.repository", "repository", r)
		}
	}
	available, warnings, err := in.apkIndexes(add.repos)
	if err != nil {
		return in.endFor(trace.Why("unknown.apk-index").For(kernel.Because(err)))
	}
	in.step("initramfs.install-packages", map[string]string{"packages": strings.Join(add.packages, " "), "root": add.root, "repositories": strings.Join(add.repos, " "), "available": strconv.Itoa(len(available))}, version, cites...)
	switch {
	case len(available) > 0 && len(add.packages) > 0:
		return in.end("unknown.apk-installs", "root", add.root, "available", strconv.Itoa(len(available)), "repositories", strings.Join(add.repos, " "),
			"packages", strings.Join(add.packages, " "), "lacking", lacking(available, add.packages))
	case len(add.packages) > 0 && !add.broken || !add.create:
		return in.end("unknown.program-does", "program", "apk")
	}
	in.apkRoot(add)
	if !add.quiet {
		in.err("%s", warnings)
		in.out("OK: 0 MiB in 0 packages\n")
	}
	return in.ok()
}

// lacking names the packages that no index has.
func lacking(available map[string]bool, packages []string) string {
	missing := slices.DeleteFunc(slices.Clone(packages), func(p string) bool {
		return available[p] || strings.ContainsAny(p, "<>=~!@:") // a version, a conflict, a pinned one, one that another provides
	})
	if len(missing) == 0 {
		return "–"
	}
	return strings.Join(missing, " ")
}

// parseAPK reads the options of apk add that mkinitfs uses. apk(8)
func parseAPK(words []string) (apkAdd, bool) {
	add, verb := apkAdd{root: "/"}, ""
	for i := 1; i < len(words); i++ {
		next := func() string {
			if i++; i < len(words) {
				return words[i]
			}
			return ""
		}
		switch w := words[i]; w {
		case "--root", "-p":
			add.root = path.Clean(next())
		case "--repository", "-X":
			add.repos = append(add.repos, next())
		case "--initdb":
			add.create = true
		case "--initramfs-diskless-boot": // --initdb and --force of its own: apk-tools, src/apk.c
			add.create, add.broken = true, true
		case "--force", "--force-broken-world":
			add.broken = true
		case "--quiet", "-q":
			add.quiet = true
		case "--progress", "--no-network", "--clean-protected", "--overlay-from-stdin", "--update-cache", "--no-cache", "--allow-untrusted":
		default:
			switch {
			case strings.HasPrefix(w, "-"):
				return add, false
			case verb == "":
				verb = w
			default:
				add.packages = append(add.packages, w)
			}
		}
	}
	return add, verb == "add"
}

// apkArch is what apk calls the machine.
func (x *linux) apkArch() string {
	name := machineName(x.k.Options().Arch)
	if name == "i686" {
		return "x86"
	}
	return name
}

// apkIndexes reads the indexes of repositories: which packages and which names provided by packages there are. A
// repository without one is warned of.
func (in *shProcess) apkIndexes(repos []string) (available map[string]bool, warnings string, err error) {
	available = map[string]bool{}
	for _, repo := range repos {
		name := path.Join(repo, in.x.apkArch(), "APKINDEX.tar.gz")
		file, err := in.x.pid1.Open(in.abs(name))
		if err != nil {
			warnings += "WARNING: opening " + repo + ": " + strerror(err) + "\n"
			continue
		}
		err = eachMember(file, maxIndex, func(h *tar.Header, r io.Reader) error {
			if h.Name != "APKINDEX" {
				return nil
			}
			text, err := io.ReadAll(io.LimitReader(r, maxIndex))
			for line := range strings.SplitSeq(string(text), "\n") {
				if name, ok := strings.CutPrefix(line, "P:"); ok {
					available[name] = true
				}
			}
			return err
		})
		file.Close()
		if err != nil {
			return nil, "", err
		}
	}
	return available, warnings, nil
}

// eachMember walks a tar archive, compressed or not.
func eachMember(file fsys.File, limit int64, fn func(*tar.Header, io.Reader) error) error {
	head := make([]byte, 16)
	n, _ := file.ReadAt(head, 0)
	var r io.Reader = io.NewSectionReader(file, 0, min(file.Size(), limit))
	if kind := stream.Sniff(head[:n]); kind != stream.None {
		unpacked, err := stream.NewReader(kind, r)
		if err != nil {
			return err
		}
		r = io.LimitReader(unpacked, limit)
	}
	t := tar.NewReader(r)
	for range maxMembers {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(h, t); err != nil {
			return err
		}
	}
	return errors.New("it has more than " + strconv.Itoa(maxMembers) + " members")
}

// apkRoot makes the root of a new database: apk-tools, src/database.c, apk_db_create.
func (in *shProcess) apkRoot(add apkAdd) {
	t := in.x.pid1
	in.x.quietly(func() {
		for _, dir := range [...]string{"dev", "etc/apk", "lib/apk/db", "proc", "tmp", "var/cache/apk", "var/cache/misc"} {
			_ = t.MkdirAll(path.Join(add.root, dir), 0o755)
		}
		world := slices.Sorted(slices.Values(add.packages))
		for _, f := range [...][2]string{{"etc/apk/world", strings.Join(append(world, ""), "\n")}, {"etc/apk/arch", in.x.apkArch() + "\n"}, {"lib/apk/db/installed", ""}} {
			_ = t.WriteFile(path.Join(add.root, f[0]), []byte(f[1]), 0o644)
		}
	})
}

// untar is tar as start scripts use it: it unpacks an archive below a directory.
func (in *shProcess) untar(words []string) ctl {
	if len(words) > 1 && words[1] != "" && words[1][0] != '-' { // tar xzf FILE
		words = slices.Clone(words)
		words[1] = "-" + words[1]
	}
	flags, values, rest := optArgs(words, "fC")
	rest = slices.DeleteFunc(rest, func(w string) bool { return w == "--numeric-owner" })
	if !strings.Contains(flags, "x") || values['f'] == "" || values['f'] == "-" || len(rest) > 0 {
		return in.end("unknown.program-does", "program", "tar")
	}
	dest := in.cwd
	if values['C'] != "" {
		dest = in.abs(values['C'])
	}
	file, err := in.x.pid1.Open(in.abs(values['f']))
	if err != nil {
		in.err("tar: can't open '%s': %s\n", values['f'], strerror(err))
		return in.failed()
	}
	defer file.Close()
	var names []string
	in.x.quietly(func() {
		err = eachMember(file, maxExtracted, func(h *tar.Header, r io.Reader) error {
			names = append(names, strings.TrimPrefix(h.Name, "./"))
			return in.x.unpackMember(dest, h, r)
		})
	})
	if err != nil {
		return in.end("unknown.tar-archive", "path", values['f'], "error", err.Error())
	}
	in.step("initramfs.unpack", map[string]string{"archive": in.abs(values['f']), "path": dest, "count": strconv.Itoa(len(names))}, "tar(1)", headCite(file, values['f'])...)
	if strings.Contains(flags, "v") {
		in.lines(names)
	}
	return in.ok()
}

func headCite(file fsys.File, name string) []blob.Cite {
	return cite(file, 0, min(file.Size(), 64), name, "")
}

// unpackMember makes one file of an archive. Names that lead out of the directory are not followed, as no tar does.
func (x *linux) unpackMember(dest string, h *tar.Header, r io.Reader) error {
	name := path.Join(dest, path.Clean("/"+h.Name))
	_ = x.pid1.MkdirAll(path.Dir(name), 0o755)
	mode := uint32(h.Mode & 0o7777)
	switch h.Typeflag {
	case tar.TypeDir:
		_ = x.pid1.MkdirAll(name, mode)
	case tar.TypeSymlink:
		_ = x.pid1.Unlink(name)
		return x.pid1.Symlink(h.Linkname, name)
	case tar.TypeReg:
		data, err := io.ReadAll(io.LimitReader(r, maxExtracted))
		if err != nil {
			return err
		}
		return x.pid1.WriteFile(name, data, mode)
	}
	return nil
}
