package container

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/conf/sh"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// Programs that make, copy, move and remove files.

// complain says what failed, with the step that names the path.
func (p *process) complain(name, text string, err error) int {
	kind := trace.Kind("process.cannot-write")
	if p.quotes(text) {
		p.lost()
	}
	if p.missing != nil {
		return 1
	}
	p.says = text
	if p.err.kind != "console" {
		p.print(p.err, text+"\n")
		return 1
	}
	p.r.emit(trace.Step{Actor: p.t.Actor, Stage: trace.Process, Kind: kind, Console: text + "\n", Cites: p.t.Evidence(p.t.Exe), Rule: p.name() + "(1); path_resolution(7)",
		Args: map[string]string{"exe": p.t.Exe, "path": name, "error": p.reason(err), "message": text, "exit_code": "1"}})
	return 1
}

// gnu picks the words.
func (p *process) gnu(gnu, busybox string) string {
	if p.busybox {
		return p.called() + ": " + busybox
	}
	return p.called() + ": " + gnu
}

// unsure keeps what is not known, and tells whether err is that.
func (p *process) unsure(err error) bool {
	var u unknown
	if errors.As(err, &u) {
		p.lack(u.why)
		return true
	}
	return false
}

// each runs f for every operand and gives the exit code.
func (p *process) each(files []string, f func(name string) error, says func(name, why string, err error) string) finish {
	code := 0
	for _, name := range files {
		if err := f(name); err != nil {
			if p.unsure(err) {
				return finish{}
			}
			code = p.complain(name, says(name, p.reason(err), err), err)
		}
	}
	return finish{code: code}
}

// changes makes a system call without a step of its own, where the rules know the place.
func (p *process) changes(name string, f func() error) error {
	dir := path.Dir(path.Join(p.t.Cwd(), name))
	if path.IsAbs(name) {
		dir = path.Dir(path.Clean(name))
	}
	if dest := p.r.under(path.Join(dir, path.Base(name))); dest != "" {
		return unknown{trace.Why("unknown.volume-at", "path", dest)}
	}
	if err := p.known(name); err != nil {
		return err
	}
	var err error
	quietly(p.t, func() { err = f() })
	return err
}

func (p *process) touchFiles() finish {
	_, files := p.operands("c")
	if len(files) == 0 {
		return p.lost()
	}
	return p.each(files, func(name string) error {
		if err := p.writable(name); err != nil {
			return err
		}
		if _, err := p.t.Stat(name); err == nil {
			return nil
		}
		p.keep(name, textFlow(""), 0o666&^p.r.umask)
		return nil
	}, func(name, why string, _ error) string { return p.gnu("cannot touch '"+name+"': "+why, name+": "+why) })
}

func (p *process) mkdir() finish {
	flags, dirs := p.operands("p")
	if len(dirs) == 0 {
		return p.lost()
	}
	says := func(name, why string, _ error) string {
		return p.gnu("cannot create directory "+p.quoted(name)+": "+why, "can't create directory '"+name+"': "+why)
	}
	if !strings.Contains(flags, "p") {
		return p.each(dirs, func(name string) error {
			return p.changes(name, func() error { return p.t.Mkdir(name, 0o777&^p.r.umask) })
		}, says)
	}
	code := 0
	for _, name := range dirs {
		at := ""
		if path.IsAbs(name) {
			at = "/"
		}
		for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
			at = path.Join(at, part)
			if fi, err := p.t.Stat(at); err == nil && fi.IsDir() {
				continue
			}
			err := p.changes(at, func() error { return p.t.Mkdir(at, 0o777&^p.r.umask) })
			if err == nil {
				continue
			}
			if p.unsure(err) {
				return finish{}
			}
			shown := at
			if p.busybox && at != path.Clean(name) {
				shown += "/" // it cuts the path behind the slash
			}
			code = p.complain(at, says(shown, p.reason(err), err), err)
			break
		}
	}
	return finish{code: code}
}

func (p *process) rmdir() finish {
	_, dirs := p.operands("")
	if len(dirs) == 0 {
		return p.lost()
	}
	return p.each(dirs, func(name string) error {
		return p.changes(name, func() error { return p.t.Rmdir(name) })
	}, func(name, why string, _ error) string {
		return p.gnu("failed to remove '"+name+"': "+why, "'"+name+"': "+why)
	})
}

// rm removes files, with -r whole trees. In which order a tree goes, and so what fails first, is not known.
func (p *process) rm() finish {
	flags, files := p.operands("rfR")
	force, deep := strings.Contains(flags, "f"), strings.ContainsAny(flags, "rR")
	if len(files) == 0 {
		if force {
			return finish{}
		}
		return p.lost()
	}
	return p.each(files, func(name string) error {
		fi, err := p.t.Lstat(name)
		switch {
		case errors.Is(err, kernel.ENOENT) && p.known(name) == nil && force:
			return nil
		case err == nil && fi.IsDir() && !deep:
			return kernel.EISDIR
		case err == nil && fi.IsDir():
			return p.removeTree(name, 0)
		case err == nil && !force && fi.Mode()&fs.ModeSymlink == 0 && !p.t.Cred.Effective.Has(kernel.CAP_DAC_OVERRIDE) && p.t.MayWrite(name) != nil && p.in.unknown != nil:
			return unknown{p.here()}
		}
		return p.changes(name, func() error { return p.t.Unlink(name) })
	}, func(name, why string, err error) string {
		if err == kernel.EISDIR {
			return p.gnu("cannot remove '"+name+"': "+why, "'"+name+"' is a directory")
		}
		return p.gnu("cannot remove '"+name+"': "+why, "can't remove '"+name+"': "+why)
	})
}

// maxTree bounds a tree that is removed or copied.
const maxTree = 10000

func (p *process) removeTree(dir string, depth int) error {
	entries, err := p.t.ReadDir(dir)
	if p.steps += len(entries); depth > 100 || p.steps > maxTree {
		return unknown{p.here()}
	}
	for _, e := range entries {
		if err != nil {
			break
		}
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			err = p.removeTree(name, depth+1)
		} else {
			err = p.changes(name, func() error { return p.t.Unlink(name) })
		}
	}
	if err != nil {
		if _, ok := err.(kernel.Errno); ok {
			return unknown{p.here()}
		}
		return err
	}
	return p.changes(dir, func() error { return p.t.Rmdir(dir) })
}

// into is the destination of cp, mv and ln: a file in a directory, when it is one.
func (p *process) into(from, to string) string {
	if fi, err := p.t.Stat(to); err == nil && fi.IsDir() {
		return path.Join(to, path.Base(from))
	}
	return to
}

// cp copies regular files. cp(1)
func (p *process) cp() finish {
	_, args := p.operands("pf")
	if len(args) < 2 {
		return p.lost()
	}
	from, to := args[:len(args)-1], args[len(args)-1]
	if err := p.known(to); err != nil {
		return p.lackOf(err)
	}
	if fi, err := p.t.Stat(to); len(from) > 1 && (err != nil || !fi.IsDir()) {
		return p.lost()
	}
	code := 0
	for _, name := range from {
		at := p.into(name, to)
		in, err := p.open(name)
		if p.unsure(err) {
			return finish{}
		}
		switch {
		case err == kernel.EISDIR:
			code = p.complain(name, p.gnu("-r not specified; omitting directory '"+name+"'", "omitting directory '"+name+"'"), err)
			continue
		case err == kernel.EACCES:
			code = p.complain(name, p.gnu("cannot open '"+name+"' for reading: "+p.reason(err), "can't open '"+name+"': "+p.reason(err)), err)
			continue
		case err != nil:
			code = p.complain(name, p.gnu("cannot stat '"+name+"': "+p.reason(err), "can't stat '"+name+"': "+p.reason(err)), err)
			continue
		case in.size == endless:
			return p.lost()
		}
		if err := p.writable(at); err != nil {
			if p.unsure(err) {
				return finish{}
			}
			code = p.complain(at, p.gnu("cannot create regular file '"+at+"': "+p.reason(err), "can't create '"+at+"': "+p.reason(err)), err)
			continue
		}
		mode := uint32(0o666)
		if fi, err := p.t.Stat(name); err == nil {
			mode = uint32(fi.Mode().Perm())
		}
		if end := p.keep(at, in, mode&^p.r.umask); end.missing != nil {
			return end
		}
	}
	return finish{code: code}
}

// mv renames one file: rename(2) asks both directories for the right to write. mv(1)
func (p *process) mv() finish {
	_, args := p.operands("f")
	if len(args) != 2 {
		return p.lost()
	}
	from, to := args[0], p.into(args[0], args[1])
	for _, name := range args {
		if err := p.known(name); err != nil {
			return p.lackOf(err)
		}
	}
	fi, err := p.t.Lstat(from)
	if err != nil {
		return finish{code: p.complain(from, p.gnu("cannot stat '"+from+"': "+p.reason(err), "can't rename '"+from+"': "+p.reason(err)), err)}
	}
	in, err := p.open(from)
	if fi.IsDir() || err != nil {
		return p.lost()
	}
	if err := p.writable(to); err != nil {
		return finish{code: p.complain(from, p.gnu("cannot move '"+from+"' to '"+to+"': "+p.reason(err), "can't rename '"+from+"': "+p.reason(err)), err)}
	}
	if err := p.changes(from, func() error { return p.t.Unlink(from) }); err != nil {
		if p.unsure(err) {
			return finish{}
		}
		return finish{code: p.complain(from, p.gnu("cannot move '"+from+"' to '"+to+"': "+p.reason(err), "can't rename '"+from+"': "+p.reason(err)), err)}
	}
	return p.keep(to, in, uint32(fi.Mode().Perm()))
}

// ln makes symbolic links. ln(1)
func (p *process) ln() finish {
	flags, args := p.operands("sfn")
	if !strings.Contains(flags, "s") || len(args) != 2 {
		return p.lost()
	}
	to := p.into(args[0], args[1])
	if strings.Contains(flags, "n") {
		to = args[1]
	}
	if _, err := p.t.Lstat(to); err == nil && strings.Contains(flags, "f") {
		quietly(p.t, func() { p.t.Unlink(to) })
	}
	err := p.changes(to, func() error { return p.t.Symlink(args[0], to) })
	if err == nil || p.unsure(err) {
		return finish{}
	}
	return finish{code: p.complain(to, p.gnu("failed to create symbolic link '"+to+"': "+p.reason(err), to+": "+p.reason(err)), err)}
}

// setMode is chmod, setOwner chown: what they set is not kept; that they may not is known.
func (p *process) setMode() finish {
	return p.attributes("changing permissions of '")
}

func (p *process) setOwner() finish {
	return p.attributes("changing ownership of '")
}

// knowsOwner tells whether each of user:group is a number or a name in the container's files.
func (p *process) knowsOwner(text string) bool {
	user, group, _ := strings.Cut(text, ":")
	return p.named("/etc/passwd", user) && p.named("/etc/group", group)
}

func (p *process) named(file, name string) bool {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil || name == "" {
		return true
	}
	in, err := p.open(file)
	if err != nil || in.unknown != nil {
		return false
	}
	return strings.HasPrefix(in.text, name+":") || strings.Contains(in.text, "\n"+name+":")
}

func (p *process) attributes(doing string) finish {
	flags, args := p.operands("R")
	if len(args) < 2 {
		return p.lost()
	}
	right := kernel.Cap(kernel.CAP_FOWNER)
	if p.name() == "chown" && !p.knowsOwner(args[0]) {
		return p.lost()
	}
	if p.name() == "chown" {
		right = kernel.CAP_CHOWN
	}
	return p.each(args[1:], func(name string) error {
		if err := p.known(name); err != nil {
			return err
		}
		fi, err := p.t.Stat(name)
		switch {
		case err != nil:
			return err
		case p.t.FlagsAt(name)&kernel.MS_RDONLY != 0:
			return kernel.EROFS
		case !p.t.Cred.Effective.Has(right):
			if st, ok := fi.Sys().(*fsys.Stat); p.name() == "chmod" && ok && st.UID == p.t.Cred.FSUID {
				break
			}
			return kernel.EPERM
		}
		p.r.attributes = true
		if strings.Contains(flags, "R") && fi.IsDir() {
			return nil
		}
		return nil
	}, func(name, why string, err error) string {
		if err == kernel.ENOENT {
			return p.gnu("cannot access '"+name+"': "+why, name+": "+why)
		}
		return p.gnu(doing+name+"': "+why, name+": "+why)
	})
}

// ls lists names, one a line, when no terminal reads; what -l says has the time in it.
func (p *process) ls() finish {
	flags, files := p.operands("1adlhAtrRF")
	if len(files) == 0 {
		files = []string{"."}
	}
	code, shown := 0, 0
	for _, name := range files {
		if err := p.known(name); err != nil {
			return p.lackOf(err)
		}
		fi, err := p.t.Stat(name)
		if err != nil {
			if fi, err = p.t.Lstat(name); err == nil && !strings.ContainsAny(flags, "dl") {
				err = kernel.ENOENT
			}
		}
		var entries []fs.DirEntry
		if err != nil {
			code = p.noList(name, p.gnu("cannot access '"+name+"': "+p.reason(err), name+": "+p.reason(err)), err)
			continue
		}
		if fi.IsDir() && !strings.Contains(flags, "d") {
			if entries, err = p.t.ReadDir(name); err != nil {
				code = p.noList(name, p.gnu("cannot open directory '"+name+"': "+p.reason(err), "can't open '"+name+"': "+p.reason(err)), err)
				continue
			}
		}
		if shown++; strings.ContainsAny(flags, "ltrRFhA") || p.r.c.TTY && p.out.kind == "console" || len(files) > 1 && flags != "d" {
			p.out.unknown, p.out.size = p.here(), p.out.size+1
			continue
		}
		if !fi.IsDir() || strings.Contains(flags, "d") {
			p.print(p.out, name+"\n")
			continue
		}
		p.list(entries, strings.Contains(flags, "a"))
	}
	if shown > 0 && code != 0 && len(files) > 1 && p.busybox {
		code = 1
	}
	return finish{code: code}
}

func (p *process) noList(name, text string, err error) int {
	p.complain(name, text, err)
	if p.busybox {
		return 1
	}
	return 2
}

func (p *process) list(entries []fs.DirEntry, all bool) {
	var names []string
	if all {
		names = []string{".", ".."}
	}
	for _, e := range entries {
		if all || !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	if len(names) > 0 {
		p.print(p.out, strings.Join(names, "\n")+"\n")
	}
}

func (p *process) readlink() finish {
	_, files := p.operands("n")
	if len(files) != 1 {
		return p.lost()
	}
	if err := p.known(files[0]); err != nil {
		return p.lackOf(err)
	}
	target, err := p.t.ReadLink(files[0])
	if err != nil {
		return finish{code: 1}
	}
	p.print(p.out, target+"\n")
	return finish{}
}

// truncate gives a file a size without giving it pages: a hole. truncate(1), ftruncate(2)
func (p *process) truncate() finish {
	if len(p.argv) != 4 || p.argv[1] != "-s" {
		return p.lost()
	}
	n, ok := p.size(p.argv[2], "k m g K M G")
	if !ok {
		return p.lost()
	}
	if err := p.writable(p.argv[3]); err != nil {
		return p.lost()
	}
	return p.keep(p.argv[3], &flow{size: n, zeros: true}, 0o666)
}

// test is test(1) and [.
func (p *process) test() finish {
	args := p.argv[1:]
	if p.name() == "[" {
		if len(args) == 0 || args[len(args)-1] != "]" {
			return p.lost()
		}
		args = args[:len(args)-1]
	}
	result, ok := sh.Test(tests{p}, args)
	if !ok {
		return p.lost()
	}
	if result {
		return finish{}
	}
	return finish{code: 1}
}

// tests are the files as [sh.Test] asks for them.
type tests struct{ p *process }

func (q tests) Stat(name string) (fs.FileInfo, error) {
	if err := q.p.known(name); err != nil && !q.p.isVolume(name) {
		q.p.lackOf(err)
	}
	return q.p.t.Stat(name)
}

func (q tests) Lstat(name string) (fs.FileInfo, error) {
	if err := q.p.known(name); err != nil && !q.p.isVolume(name) {
		q.p.lackOf(err)
	}
	return q.p.t.Lstat(name)
}

func (q tests) May(op byte, name string, fi fs.FileInfo) bool { return q.p.access(op, name, fi) }

func (q tests) Terminal(fd string) bool {
	return q.p.r.c.TTY && (fd == "0" || fd == "1" && q.p.out.kind == "console" || fd == "2" && q.p.err.kind == "console")
}

// isVolume tells whether a volume is mounted at that very place: that there is a directory is known.
func (p *process) isVolume(name string) bool {
	return p.r.isVolume(path.Clean(name))
}
