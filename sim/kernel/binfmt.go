package kernel

import (
	"path"
	"strings"

	"bootpath/sim/exe/elf"
	"bootpath/sim/fsys"
)

// Binfmt is an entry of binfmt_misc for the ELF programs of another architecture, as the packages of QEMU's
// user mode register it. Documentation/admin-guide/binfmt-misc.rst.
type Binfmt struct {
	Arch        string // as GOARCH
	Interpreter string
	Flags       string // P keeps argv[0], O opens the file, C takes its credentials, F has the interpreter open already
}

// QemuBinfmt is the entry of Debian 12's qemu-user-static; flags replaces its flags when not "".
func QemuBinfmt(arch, flags string) (Binfmt, bool) {
	names := map[string]string{"arm64": "aarch64", "arm": "arm", "386": "i386", "amd64": "x86_64", "riscv64": "riscv64", "ppc64le": "ppc64le", "s390x": "s390x", "mips64le": "mips64el", "loong64": "loongarch64"}
	name, ok := names[arch]
	if flags == "" {
		flags = "POF"
	}
	return Binfmt{Arch: arch, Interpreter: "/usr/libexec/qemu-binfmt/" + name + "-binfmt-P", Flags: flags}, ok
}

// emulated asks binfmt_misc about a program that the processor cannot run. again tells that the interpreter
// is to be executed instead, with the program's path as its argument; ok that an entry answered.
func (b *bprm) emulated(f fsys.File) (again, ok bool, _ *stop) {
	for _, m := range b.t.k.o.Binfmt {
		e := readELF(m.Arch, f)
		if e == nil {
			continue
		}
		first := b.argv[:1]
		b.cites = append(b.cites, e.Cites...)
		front := []string{m.Interpreter, b.exec}
		seen := append([]string{b.exec}, b.argv[1:]...)
		if strings.Contains(m.Flags, "P") {
			front, seen[0] = append(front, first...), first[0]
		}
		b.argv = append(front, b.argv[1:]...)
		b.c.args["interpreter"], b.c.args["machine"] = m.Interpreter, e.Machine.String()
		if !strings.Contains(m.Flags, "F") {
			// The path is looked up as any other: in the root of the caller.
			return true, true, b.open(m.Interpreter, "kernel.execve-no-emulator")
		}
		return false, true, b.guest(m, f, e, seen)
	}
	return false, false, nil
}

// guest starts the host's emulator, which was opened when it was registered: the container does not need to
// have it. It then loads the program as a kernel would, in user mode.
func (b *bprm) guest(m Binfmt, f fsys.File, e *elf.File, argv []string) *stop {
	segs, err := e.Segments()
	if err != nil {
		return b.refuse("kernel.execve-format", e, e.Cites, "program headers that are cut off")
	}
	b.image = &image{at: b.at, in: b.in, file: f, elf: e, segs: segs, machine: e.Machine.String(), emulator: m.Interpreter, guest: argv}
	for _, s := range segs {
		if s.Type != elf.PT_INTERP {
			continue
		}
		name, cites, err := e.Interp(s)
		if err != nil {
			break
		}
		b.cites = append(b.cites, cites...)
		b.image.interp = name
		if at, _, err := b.t.lookup(name, true); err == nil {
			b.image.iat = at
		} else {
			b.image.lost = name
		}
		break
	}
	if !strings.Contains(m.Flags, "C") {
		b.in = &inode{mode: fsys.S_IFREG | 0o755} // "the credentials … of the interpreter" - binfmt-misc.rst
	}
	return b.newCreds()
}

// cannotOpen is what QEMU prints when the program's loader is not there. qemu linux-user/elfload.c,
// load_elf_interp; as version 7.2 does it.
func (i *image) cannotOpen() Loaded {
	return Loaded{Failed: true, Exit: 255, Rule: "QEMU linux-user/elfload.c, load_elf_interp", Message: path.Base(i.emulator) + ": Could not open '" + i.lost + "': " + ENOENT.Strerror()}
}
