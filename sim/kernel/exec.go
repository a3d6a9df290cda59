package kernel

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/exe/elf"
	"bootpath/sim/exe/script"
	"bootpath/sim/fsys"
	"bootpath/sim/trace"
)

// Limits of execve(2), "Limits on size of arguments and environment".
const (
	maxArgStrlen = 131072  // MAX_ARG_STRLEN: one string with its NUL
	argMax       = 131072  // the floor under the share of the stack limit
	stackCap     = 6 << 20 // 3/4 of _STK_LIM: no stack limit gives more
	maxRewrites  = 5       // how many interpreters of interpreters
	pageSize     = 4096
)

// image is the program that execve loaded.
type image struct {
	at      loc
	in      *inode
	file    fsys.File
	elf     *elf.File
	segs    []elf.Segment
	interp  string // PT_INTERP; "" for a static program
	iat     loc
	machine string

	emulator string   // that binfmt_misc started; "" for none
	guest    []string // what the emulated program sees as its arguments
	lost     string   // the emulated program's loader, when it is not there
}

// bprm is one execve on its way, linux_binprm.
type bprm struct {
	t     *Task
	c     call
	path  string // as given
	exec  string // the file looked at now
	at    loc
	in    *inode
	argv  []string
	env   []string
	cites []blob.Cite
	cred  Cred
	image *image
	dead  string // the signal that ends the new program before its first instruction
}

// stop is why an execve failed: the kind of its step, the errno, the clause, the evidence.
type stop struct {
	kind  trace.Kind
	errno error
	rule  string
	cites []blob.Cite
	args  map[string]string
}

// Execve replaces t's program. execve(2). On success the step cites the bytes that decided it and t's
// Comm, Exe, Argv, Env and credentials are those of the new program. Past the point of no return there is
// no error any more: see [Task.Died].
func (t *Task) Execve(name string, argv, env []string) error {
	b := &bprm{t: t, path: name, exec: name, argv: slices.Clone(argv), env: env, cred: t.Cred}
	b.c = call{kind: "kernel.execve", line: fmt.Sprintf("execve(%q, %s, %d vars)", name, quoteList(argv), len(env)),
		args: map[string]string{"path": name, "argv": strings.Join(argv, " ")}}
	if s := b.run(); s != nil {
		b.c.kind = s.kind
		b.c.cites = append(b.cites, s.cites...)
		for k, v := range s.args {
			b.c.args[k] = v
		}
		err := t.fail(b.c, "execve(2)", s.errno)
		return err
	}
	b.commit()
	t.done(b.c, "execve(2)")
	return nil
}

func quoteList(argv []string) string {
	var out []string
	for i, a := range argv {
		if i == 8 {
			out = append(out, "…")
			break
		}
		if len(a) > 64 {
			a = a[:64] + "…"
		}
		out = append(out, strconv.Quote(a))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// run follows do_execveat_common and bprm_execve, fs/exec.c.
func (b *bprm) run() *stop {
	if e := b.t.blocked("execve"); e != 0 {
		return &stop{kind: "kernel.execve-failed", errno: e}
	}
	// "Since Linux 5.18 … an empty argument list is replaced by one that holds an empty string." - execve(2)
	if len(b.argv) == 0 {
		b.argv = []string{""}
	}
	if tooLong(b.t, b.path, b.argv, b.env) {
		return &stop{kind: "kernel.execve-too-long", errno: E2BIG}
	}
	if s := b.open(b.path, "kernel.execve-missing"); s != nil {
		return s
	}
	for depth := 0; ; depth++ {
		// "ELOOP The maximum recursion limit was reached during recursive script interpretation" - execve(2)
		if depth > maxRewrites {
			return &stop{kind: "kernel.execve-failed", errno: ELOOP}
		}
		again, s := b.handle()
		if s != nil || !again {
			return s
		}
	}
}

// tooLong checks the sizes as count, bprm_stack_limits and copy_strings do.
func tooLong(t *Task, name string, argv, env []string) bool {
	limit := int64(stackCap)
	if s, ok := t.limits["STACK"]; ok && s.Soft >= 0 {
		limit = min(limit, s.Soft/4)
	}
	limit = max(limit, argMax)
	total := int64(len(name)+1) + int64(len(argv)+len(env))*8
	for _, s := range slices.Concat(argv, env) {
		if len(s)+1 > maxArgStrlen {
			return true
		}
		total += int64(len(s) + 1)
	}
	return total > limit
}

// open is do_open_execat: everything but a regular file with execute permission, on a mount that allows
// programs, is EACCES.
func (b *bprm) open(name string, missing trace.Kind) *stop {
	at, in, err := b.t.lookup(name, true)
	if err != nil {
		kind := trace.Kind("kernel.execve-failed")
		if err == ENOENT {
			kind = missing
		}
		return &stop{kind: kind, errno: err, args: map[string]string{"missing": printable(name)}}
	}
	denied := func(why string) *stop {
		return &stop{kind: trace.Kind("kernel.execve-" + why), errno: EACCES, cites: in.cites(),
			args: map[string]string{"file": name, "mode": fmt.Sprintf("%04o", in.mode&0o7777), "owner": id(in.uid) + ":" + id(in.gid)}}
	}
	switch {
	// "EACCES The file or a script interpreter is not a regular file." - execve(2)
	case !in.isReg():
		return denied("not-regular")
	// "EACCES The filesystem is mounted noexec." - execve(2)
	case at.mnt.flags.has(MS_NOEXEC):
		return denied("noexec")
	// "EACCES Execute permission is denied for the file or a script or ELF interpreter." - execve(2)
	case !b.t.permitted(in, mayExec):
		return denied("no-permission")
	}
	b.at, b.in, b.exec = at, in, name
	b.cites = append(b.cites, modeCites(in)...)
	return nil
}

// printable shows a name as it is, or quoted when it holds what cannot be seen: a carriage return.
func printable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// openInside opens a path that came from a file and not from the caller: an empty one leads to the
// working directory (getname_kernel does not refuse it), which is no regular file.
func (b *bprm) openInside(name string, missing trace.Kind) *stop {
	if name == "" {
		return &stop{kind: "kernel.execve-not-regular", errno: EACCES, args: map[string]string{"file": `""`}}
	}
	return b.open(name, missing)
}

// modeCites picks the evidence for a file's type and permissions.
func modeCites(in *inode) []blob.Cite {
	for _, c := range in.cites() {
		if strings.Contains(strings.ToLower(c.Name), "mode") {
			return []blob.Cite{c}
		}
	}
	return in.cites()
}

// handle asks each format in turn: scripts, then ELF. again tells that a script named another file.
func (b *bprm) handle() (again bool, _ *stop) {
	f, err := b.at.mnt.sb.open(b.t, b.at.path, b.in)
	if err != nil {
		return false, &stop{kind: "kernel.execve-failed", errno: err}
	}
	line, err := script.Read(f)
	switch {
	case err == nil:
		return true, b.script(line)
	case !errors.Is(err, decode.ErrFormat):
		return false, b.notExecutable(f, err)
	}
	p := b.t.k.program(f)
	if p == nil {
		if again, ok, s := b.emulated(f); ok {
			return again, s
		}
		other, err := elf.Read(f)
		if err != nil {
			return false, b.notExecutable(f, err)
		}
		return false, b.refuse("kernel.execve-wrong-arch", other, other.Cites, other.Machine.String())
	}
	return false, b.loadELF(f, p)
}

// refuse is ENOEXEC for an ELF file.
func (b *bprm) refuse(kind trace.Kind, e *elf.File, cites []blob.Cite, found string) *stop {
	return &stop{kind: kind, errno: ENOEXEC, cites: cites, args: map[string]string{"file": b.exec, "found": found, "machine": e.Machine.String(), "arch": b.t.k.o.Arch}}
}

// notExecutable is "ENOEXEC An executable is not in a recognized format, is for the wrong architecture,
// or has some other format error that means it cannot be executed." - execve(2)
func (b *bprm) notExecutable(f fsys.File, err error) *stop {
	s := &stop{kind: "kernel.execve-format", errno: ENOEXEC, args: map[string]string{"file": b.exec, "found": firstBytes(f)}}
	var bad *decode.Error
	if errors.As(err, &bad) {
		s.args["found"] = bad.Got
		for _, sp := range bad.Spans {
			s.cites = append(s.cites, blob.Cite{Span: sp, Name: bad.What, Value: bad.Got})
		}
		return s
	}
	for _, sp := range f.Locate(0, min(4, f.Size())) {
		s.cites = append(s.cites, blob.Cite{Span: sp, Name: "first bytes", Value: firstBytes(f)})
	}
	return s
}

func firstBytes(f fsys.File) string {
	p := make([]byte, 4)
	n, _ := f.ReadAt(p, 0)
	if n == 0 {
		return "an empty file"
	}
	return strconv.Quote(string(p[:n]))
}

// script puts the interpreter in front, as load_script does: argv becomes the interpreter, its argument,
// the script's path, and the old arguments without the first.
func (b *bprm) script(l *script.Line) *stop {
	b.cites = append(b.cites, l.Cites...)
	front := []string{l.Interp}
	if l.HasArg {
		front = append(front, l.Arg)
	}
	b.argv = slices.Concat(front, []string{b.exec}, b.argv[1:])
	b.c.args["script"], b.c.args["interpreter"], b.c.args["argument"] = b.exec, l.Interp, l.Arg
	return b.openInside(l.Interp, "kernel.execve-no-script-interpreter")
}

// abi is one kind of program that a kernel runs. elf_check_arch and compat_elf_check_arch of
// arch/*/include/asm/elf.h: the class in e_ident is looked at by few, its byte order by none.
type abi struct {
	machines []elf.Mach
	is64     bool
	big      bool
	class    bool // e_ident's class must fit
}

func abis(arch string) []abi {
	x86 := abi{machines: []elf.Mach{elf.EM_386, elf.EM_486}}
	arm := abi{machines: []elf.Mach{elf.EM_ARM}}
	switch arch {
	case "amd64":
		return []abi{{machines: []elf.Mach{elf.EM_X86_64}, is64: true}, x86}
	case "386":
		return []abi{x86}
	case "arm64":
		return []abi{{machines: []elf.Mach{elf.EM_AARCH64}, is64: true}, arm}
	case "arm":
		return []abi{arm}
	case "riscv64":
		return []abi{{machines: []elf.Mach{elf.EM_RISCV}, is64: true, class: true}}
	case "ppc64le":
		return []abi{{machines: []elf.Mach{elf.EM_PPC64}, is64: true}}
	case "s390x":
		return []abi{{machines: []elf.Mach{elf.EM_S390}, is64: true, big: true, class: true}}
	case "loong64":
		return []abi{{machines: []elf.Mach{elf.EM_LOONGARCH}, is64: true, class: true}}
	case "mips64le":
		return []abi{{machines: []elf.Mach{elf.EM_MIPS}, is64: true, class: true}}
	}
	return nil
}

// program is what the headers of an ELF file say.
type program struct {
	elf  *elf.File
	segs []elf.Segment
	err  error // why there are no segments
}

// program reads f as a program for this kernel; nil when it is none.
func (k *Kernel) program(f fsys.File) *program {
	return blob.Remember(k.o.Store, "program for "+k.o.Arch, f, 0, f.Size(), func() *program {
		e := readELF(k.o.Arch, f)
		if e == nil {
			return nil
		}
		segs, err := e.Segments()
		return &program{e, segs, err}
	})
}

// readELF reads f as the first kind of program of arch that it is; nil when it is none.
func readELF(arch string, f fsys.File) *elf.File {
	for _, a := range abis(arch) {
		e, err := elf.ReadAs(f, a.is64, a.big)
		if err != nil || !slices.Contains(a.machines, e.Machine) {
			continue
		}
		if a.class && (e.Ident.Class == 2) != a.is64 {
			continue
		}
		// Linux runs no ARM program without an EABI version. arch/arm/include/asm/elf.h, EF_ARM_EABI_MASK.
		if e.Machine == elf.EM_ARM && e.Flags&0xff000000 == 0 {
			continue
		}
		return e
	}
	return nil
}

// loadELF follows load_elf_binary, fs/binfmt_elf.c.
func (b *bprm) loadELF(f fsys.File, p *program) *stop {
	e, segs := p.elf, p.segs
	if e.Type != elf.ET_EXEC && e.Type != elf.ET_DYN {
		return b.refuse("kernel.execve-format", e, e.Cites, e.Type.String())
	}
	if p.err != nil || int64(len(segs))*int64(e.Phentsize) > pageSize {
		return b.refuse("kernel.execve-format", e, slices.Concat(e.Cites, e.PhCites), "program headers that are cut off")
	}
	b.cites = append(b.cites, e.Cites...)
	b.image = &image{at: b.at, in: b.in, file: f, elf: e, segs: segs, machine: e.Machine.String()}
	for _, s := range segs {
		if s.Type != elf.PT_INTERP {
			continue
		}
		if stop := b.interpreter(e, s); stop != nil {
			return stop
		}
		break
	}
	return b.pointOfNoReturn()
}

// interpreter opens the program that PT_INTERP names.
func (b *bprm) interpreter(e *elf.File, s elf.Segment) *stop {
	name, cites, err := e.Interp(s)
	var bad *decode.Error
	switch {
	case errors.As(err, &bad):
		return &stop{kind: "kernel.execve-format", errno: ENOEXEC, cites: s.Cites, args: map[string]string{"file": b.exec, "found": bad.Got}}
	case err != nil: // a short read is EIO in elf_read
		return &stop{kind: "kernel.execve-failed", errno: EIO, cites: s.Cites}
	}
	b.cites = append(b.cites, cites...)
	b.c.args["loader"] = name
	at, in, exec := b.at, b.in, b.exec
	if stop := b.openInside(name, "kernel.execve-no-interpreter"); stop != nil {
		stop.args["file"], stop.args["missing"] = name, printable(name)
		return stop
	}
	f, err := b.at.mnt.sb.open(b.t, b.at.path, b.in)
	if err != nil {
		return &stop{kind: "kernel.execve-failed", errno: err}
	}
	b.image.interp, b.image.iat = name, b.at
	b.at, b.in, b.exec = at, in, exec
	// "ELIBBAD An ELF interpreter was not in a recognized format." - execve(2)
	broken := &stop{kind: "kernel.execve-bad-interpreter", errno: ELIBBAD, args: map[string]string{"file": name, "loader": name}}
	if f.Size() < decode.Size(&elf.Header64{}) {
		broken.errno = EIO
		return broken
	}
	p := b.t.k.program(f)
	if p == nil || p.elf.Is64() != e.Is64() {
		return broken
	}
	i := p.elf
	broken.cites = i.Cites
	if p.err != nil {
		return broken
	}
	// load_elf_interp finds the rest out when there is no way back.
	if i.Type != elf.ET_EXEC && i.Type != elf.ET_DYN || !loadable(f, p.segs) {
		b.dead = "SIGSEGV"
	}
	return nil
}

// pointOfNoReturn settles the credentials, which may still fail, and finds segments that cannot be
// loaded: then the new program dies of SIGSEGV.
func (b *bprm) pointOfNoReturn() *stop {
	if s := b.newCreds(); s != nil {
		return s
	}
	if !loadable(b.image.file, b.image.segs) {
		b.dead = "SIGSEGV"
	}
	return nil
}

// loadable tells whether segments can be mapped. There must be one to load; and the rest of the last page
// of each is cleared (padzero), which fails when that page lies wholly behind the end of the file.
func loadable(f fsys.File, segs []elf.Segment) bool {
	load := false
	for _, s := range segs {
		if s.Type != elf.PT_LOAD {
			continue
		}
		load = true
		end := s.Offset + s.Filesz
		if s.Memsz > s.Filesz && end%pageSize != 0 && end&^(pageSize-1) >= uint64(f.Size()) {
			return false
		}
	}
	return load
}

// newCreds is bprm_creds_from_file and cap_bprm_creds_from_file, security/commoncap.c; capabilities(7),
// "Transformation of capabilities during execve()". The file that counts is the one that is loaded: the
// bits of a script mean nothing.
func (b *bprm) newCreds() *stop {
	t, old, in := b.t, b.t.Cred, b.in
	n := old
	nosuid := b.at.mnt.flags.has(MS_NOSUID) || !inDescendant(t.ns[UserNS], b.at.mnt.ns.user)
	if !nosuid && !old.NoNewPrivs {
		if in.mode&fsys.S_ISUID != 0 {
			n.EUID = in.uid
			b.c.args["setuid"] = id(in.uid)
		}
		if in.mode&fsys.S_ISGID != 0 && in.mode&0o010 != 0 {
			n.EGID = in.gid
			b.c.args["setgid"] = id(in.gid)
		}
	} else if in.mode&fsys.S_ISUID != 0 {
		b.c.args["setuid_ignored"] = id(in.uid)
	}
	fileP, fileI, fileE, has := b.fileCaps(nosuid)
	permitted := fileP&old.Bounding | fileI&old.Inheritable
	// "EPERM A "capability-dumb" application would not obtain the full set of permitted capabilities
	// granted by the executable file." - execve(2)
	if has && fileE && fileP&^permitted != 0 {
		return &stop{kind: "kernel.execve-failed", errno: EPERM, cites: in.cites(), args: map[string]string{"file": b.exec}}
	}
	effective := fileE
	// "If the real or effective user ID of the process is 0 (root), then the file inheritable and
	// permitted sets are ignored; instead they are notionally considered to be all ones" - capabilities(7),
	// except for a set-user-ID-root program with capabilities of its own.
	if !(has && n.EUID == 0 && old.UID != 0) {
		if n.UID == 0 || n.EUID == 0 {
			permitted = old.Bounding | old.Inheritable
		}
		if n.EUID == 0 {
			effective = true
		}
	}
	setid := n.EUID != old.UID && in.mode&fsys.S_ISUID != 0 || n.EGID != old.GID && in.mode&fsys.S_ISGID != 0
	if old.NoNewPrivs {
		permitted &= old.Permitted
		n.EUID, n.EGID = n.UID, n.GID
	}
	if has || setid {
		n.Ambient = 0
	}
	n.Permitted = permitted | n.Ambient
	n.Effective = n.Ambient
	if effective {
		n.Effective = n.Permitted
	}
	n.SUID, n.FSUID, n.SGID, n.FSGID = n.EUID, n.EUID, n.EGID, n.EGID
	b.cred = n
	return nil
}

// fileCaps decodes the security.capability attribute. include/uapi/linux/capability.h, vfs_cap_data.
func (b *bprm) fileCaps(nosuid bool) (permitted, inheritable Caps, effective, ok bool) {
	if nosuid || b.in.stat == nil {
		return 0, 0, false, false
	}
	v := b.in.stat.Capability
	word := func(i int) uint64 {
		return uint64(v[i]) | uint64(v[i+1])<<8 | uint64(v[i+2])<<16 | uint64(v[i+3])<<24
	}
	if len(v) < 12 {
		return 0, 0, false, false
	}
	magic := word(0)
	permitted, inheritable = Caps(word(4)), Caps(word(8))
	switch revision := magic >> 24; {
	case revision == 1 && len(v) == 12:
	case revision == 2 && len(v) == 20, revision == 3 && len(v) == 24:
		permitted |= Caps(word(12)) << 32
		inheritable |= Caps(word(16)) << 32
	default:
		return 0, 0, false, false
	}
	return permitted & AllCaps, inheritable & AllCaps, magic&1 != 0, true
}

// commit makes the new program t's. Comm is the name that was started, not the interpreter's.
func (b *bprm) commit() {
	t := b.t
	raised := b.cred.EUID != b.cred.UID || b.cred.EGID != b.cred.GID || b.cred.UID != 0 && b.cred.Effective&^b.cred.Ambient != 0
	t.Cred, t.Secure, t.exe, t.keepCaps, t.died = b.cred, raised, b.image, false, b.dead
	t.loaded = nil
	t.Comm = path.Base(b.path)
	if len(t.Comm) > 15 {
		t.Comm = t.Comm[:15] // TASK_COMM_LEN
	}
	t.Exe, t.Argv, t.Env = t.pathOf(b.image.at), b.argv, slices.Clone(b.env)
	if b.image.emulator != "" {
		t.Argv = b.image.guest
		b.c.args["emulator"] = b.image.emulator
	}
	b.c.cites = b.cites
	b.c.args["exe"], b.c.args["argv"] = t.Exe, strings.Join(b.argv, " ")
	b.c.args["format"] = b.image.describe()
	if b.dead != "" {
		b.c.args["signal"] = b.dead
	}
}

// describe is what file(1) would say in short.
func (i *image) describe() string {
	bitness := "32-bit"
	if i.elf.Is64() {
		bitness = "64-bit"
	}
	linked := "static"
	if i.interp != "" {
		linked = "dynamic, " + i.interp
	}
	if i.emulator != "" {
		linked += ", run by " + i.emulator
	}
	return fmt.Sprintf("ELF %s %s %s, %s", bitness, i.machine, i.elf.Type, linked)
}

// Died is the signal that ended the program as it was loaded: "SIGSEGV" when a segment could not be
// mapped, "" when it runs.
func (t *Task) Died() string { return t.died }
