package boot

import (
	"fmt"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/sh"
	"bootpath/sim/conf/uboot"
	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// ubootScript follows a script of U-Boot: its hush shell, whose grammar is that of sh, and the commands that boot scripts are
// made of. Addresses of memory are kept by the names of their variables, for the numbers are the board's.
type ubootScript struct {
	*board
	at     *uboot.Script
	path   string
	file   fsys.File
	env    map[string]string
	memory map[string]ubootFile // by address
	budget int
	depth  int
}

type ubootFile struct {
	path string
	file fsys.File
}

// Bounds of a script: the commands that are followed, and the bytes of one word; U-Boot's own line has one or two thousand.
const (
	maxUbootCommands = 5000
	maxUbootValue    = 16 << 10
)

// runScript is "source": scan_dev_for_scripts loads boot.scr to scriptaddr and runs it.
func (b *board) runScript(dir, at string, f fsys.File) {
	b.emit("uboot.script", trace.Bootloader, map[string]string{"path": slash(at)}, "U-Boot: scan_dev_for_scripts, boot_a_script", cite(f, 0, min(f.Size(), 64), "image header", ""))
	script, err := uboot.Read(f, f.Size())
	if err != nil {
		b.cannotKnow(trace.Bootloader, trace.Why("unknown.uboot-bad-script", "path", slash(at)).For(kernel.Because(err)))
		return
	}
	s := &ubootScript{board: b, at: script, path: slash(at), file: f, memory: map[string]ubootFile{}, budget: maxUbootCommands,
		env: map[string]string{"devtype": "mmc", "devnum": "0", "distro_bootpart": strconv.Itoa(b.vol.Partition), "prefix": dir, "boot_prefixes": "/ /boot/", "boot_targets": "mmc0"}}
	for _, name := range []string{"kernel_addr_r", "ramdisk_addr_r", "fdt_addr_r", "scriptaddr", "pxefile_addr_r", "fdt_addr", "fdtcontroladdr", "loadaddr", "kernel_comp_addr_r"} {
		s.env[name] = "{" + name + "}"
	}
	parsed, err := sh.Parse(script.Text)
	if err != nil {
		s.end(trace.Why("unknown.script-text", "path", s.path, "error", err.Error()))
		return
	}
	s.run(parsed.Body)
	s.end(trace.Why("unknown.uboot-started-nothing", "path", s.path))
}

func (s *ubootScript) end(why *trace.Reason) int {
	if !s.m.Ended() {
		s.cannotKnow(trace.Bootloader, why)
	}
	return 1
}

func (s *ubootScript) run(list []sh.Stmt) (status int) {
	for _, st := range list {
		if s.m.Ended() {
			break
		}
		status = s.node(st.Node)
	}
	return status
}

func (s *ubootScript) node(n sh.Node) int {
	if s.depth++; s.depth > 100 {
		return s.end(trace.Why("unknown.script-calls-itself", "path", s.path))
	}
	defer func() { s.depth-- }()
	switch n := n.(type) {
	case *sh.Simple:
		return s.simple(n)
	case *sh.AndOr:
		if status := s.node(n.Left); s.m.Ended() || (status == 0) != n.And {
			return status
		}
		return s.node(n.Right)
	case *sh.If:
		if status := s.run(n.Cond); status == 0 {
			return s.run(n.Then)
		}
		return s.run(n.Else)
	case *sh.For:
		status := 0
		for _, w := range s.words(n.Words) {
			if s.m.Ended() {
				break
			}
			s.env[n.Name] = w
			status = s.run(n.Body)
		}
		return status
	case *sh.Group:
		return s.run(n.Body)
	}
	return s.end(trace.Why("unknown.uboot-syntax", "path", s.path, "what", fmt.Sprintf("%T", n)))
}

// words expands a command's words: a variable that is not set is empty, and what is not quoted is split.
func (s *ubootScript) words(list []sh.Word) []string {
	var out []string
	for _, w := range list {
		text, have := "", false
		for _, p := range w {
			switch p := p.(type) {
			case sh.Lit:
				text, have = text+p.Text, have || p.Text != "" || p.Quoted
			case *sh.Param:
				if p.Op != "" || p.Length {
					s.end(trace.Why("unknown.uboot-syntax", "path", s.path, "what", "${"+p.Name+p.Op+"…}"))
					return out
				}
				fields := []string{s.value(p.Name)}
				if !p.Quoted {
					fields = strings.Fields(fields[0])
				}
				for i, f := range fields {
					if i > 0 {
						out, text = append(out, text), ""
					}
					text, have = text+f, true
				}
				have = have || p.Quoted
				if len(text) > maxUbootValue {
					s.end(trace.Why("unknown.script-grows", "path", s.path))
					return out
				}
			default:
				s.end(trace.Why("unknown.uboot-syntax", "path", s.path, "what", fmt.Sprintf("%T", p)))
				return out
			}
		}
		if have {
			out = append(out, text)
		}
	}
	return out
}

// value is a variable; the board's own, of which nothing on the card tells, end what can be known.
func (s *ubootScript) value(name string) string {
	if v, ok := s.env[name]; ok {
		return v
	}
	switch name {
	case "fdtfile", "board", "board_name", "soc", "vendor", "cpu", "arch", "ethaddr", "serial#", "mmc_bootdev", "boot_targets":
		s.end(trace.Why("unknown.uboot-variable", "name", name, "path", s.path))
	}
	return ""
}

func (s *ubootScript) simple(n *sh.Simple) int {
	if s.budget--; s.budget < 0 {
		return s.end(trace.Why("unknown.script-end", "path", s.path))
	}
	for _, a := range n.Assigns {
		s.env[a.Name] = strings.Join(s.words([]sh.Word{a.Value}), " ")
	}
	words := s.words(n.Words)
	if len(words) == 0 || s.m.Ended() {
		return 0
	}
	cites := cite(s.file, s.at.Off+int64(n.Off), int64(n.End-n.Off), s.path, oneLine(s.at.Text[n.Off:n.End]))
	switch name, args := words[0], words[1:]; name {
	case "setenv", "env":
		return s.setenv(name, args, cites)
	case "load", "ext4load", "ext2load", "fatload", "fsload":
		return s.load(args, cites)
	case "test", "[":
		return s.test(args)
	case "echo":
		s.step("uboot.command", map[string]string{"command": strings.Join(words, " ")}, strings.Join(args, " ")+"\n", cites)
	case "run":
		return s.runVariables(args)
	case "booti", "bootz":
		return s.start(args, cites)
	case "true", "sleep", "fdt", "led", "usb", "pci", "mmc", "part", "virtio", "scsi", "saveenv", "gpio", "fdt_addr":
		s.step("uboot.command", map[string]string{"command": strings.Join(words, " ")}, "", cites)
	case "false":
		return 1
	case "exit":
		return s.end(trace.Why("unknown.uboot-started-nothing", "path", s.path))
	default:
		return s.end(trace.Why("unknown.uboot-command", "command", name, "path", s.path))
	}
	return 0
}

func (s *ubootScript) step(kind trace.Kind, args map[string]string, console string, cites []blob.Cite) {
	s.m.Emit(trace.Step{Actor: s.actor, Stage: trace.Bootloader, Kind: kind, Console: console, Args: args, Rule: "U-Boot: cmd/, common/cli_hush.c", Cites: cites})
}

func (s *ubootScript) setenv(name string, args []string, cites []blob.Cite) int {
	if name == "env" {
		if len(args) < 2 {
			return 1
		}
		switch args[0] {
		case "import":
			return s.importEnv(args[1:], cites)
		case "set":
			args = args[1:]
		case "exists":
			if _, ok := s.env[args[1]]; ok {
				return 0
			}
			return 1
		default:
			return s.end(trace.Why("unknown.uboot-command", "command", "env "+args[0], "path", s.path))
		}
	}
	if len(args) == 0 {
		return 1
	}
	if len(args) == 1 {
		delete(s.env, args[0])
	} else {
		s.env[args[0]] = strings.Join(args[1:], " ")
	}
	s.step("uboot.set-variable", map[string]string{"name": args[0], "value": s.env[args[0]]}, "", cites)
	return 0
}

// importEnv is "env import -t ADDRESS SIZE": a text of lines NAME=VALUE that was loaded there.
func (s *ubootScript) importEnv(args []string, cites []blob.Cite) int {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		args = args[1:]
	}
	if len(args) == 0 {
		return 1
	}
	f, ok := s.memory[args[0]]
	if !ok {
		return s.end(trace.Why("unknown.uboot-memory", "address", args[0], "path", s.path))
	}
	data, err := blob.ReadAll(f.file, maxBoardText)
	if err != nil {
		return s.end(unreadable(f.path, err))
	}
	for line := range strings.Lines(string(data)) {
		if k, v, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "="); ok && !strings.HasPrefix(k, "#") {
			s.env[k] = v
		}
	}
	s.step("uboot.read-variables", map[string]string{"path": f.path}, "", append(cites, cite(f.file, 0, f.file.Size(), f.path, "")...))
	return 0
}

// load is "load INTERFACE DEVICE:PARTITION ADDRESS FILE". Of the device only its partition matters: there is one card.
func (s *ubootScript) load(args []string, cites []blob.Cite) int {
	if len(args) < 4 {
		return 1
	}
	vol := s.volume(args[1])
	if vol == nil {
		return 1
	}
	at, err := lookup(vol, "/"+strings.TrimPrefix(args[3], "/"))
	if err != nil {
		s.step("uboot.no-file", map[string]string{"path": "/" + strings.TrimPrefix(args[3], "/")}, "", append(cites, dirCites(vol, "/"+strings.TrimPrefix(args[3], "/"))...))
		return 1
	}
	f, err := fsys.OpenFile(vol.FS, at)
	if err != nil {
		return s.end(unreadable(slash(at), err))
	}
	s.memory[args[2]] = ubootFile{slash(at), f}
	s.env["filesize"] = strconv.FormatInt(f.Size(), 16)
	s.step("uboot.load-file", map[string]string{"path": slash(at), "size": bytesText(f.Size()), "address": strings.Trim(args[2], "{}")}, "", append(cites, volCites(vol, at)...))
	return 0
}

// volume is the file system of "DEVICE:PARTITION"; without a partition it is that of the first that is bootable.
func (s *ubootScript) volume(spec string) *disk.Volume {
	_, part, ok := strings.Cut(spec, ":")
	if !ok {
		return s.vol
	}
	n, err := strconv.ParseInt(part, 16, 32)
	if v := s.c.Disk.Volume(int(n)); err == nil && v != nil && v.FS != nil {
		return v
	}
	return nil
}

// test is U-Boot's test: cmd/test.c. "-e INTERFACE DEVICE FILE" asks for a file.
func (s *ubootScript) test(args []string) int {
	if n := len(args); n > 0 && args[n-1] == "]" {
		args = args[:n-1]
	}
	for i, a := range args {
		if a == "-o" || a == "-a" {
			if left := s.test(args[:i]); (left == 0) == (a == "-o") {
				return left
			}
			return s.test(args[i+1:])
		}
	}
	is := func(ok bool) int {
		if ok {
			return 0
		}
		return 1
	}
	switch {
	case len(args) > 0 && args[0] == "!":
		return is(s.test(args[1:]) != 0)
	case len(args) == 4 && args[0] == "-e":
		vol := s.volume(args[2])
		if vol == nil {
			return 1
		}
		_, err := lookup(vol, "/"+strings.TrimPrefix(args[3], "/"))
		return is(err == nil)
	case len(args) > 0 && args[0] == "-n":
		return is(len(args) > 1 && args[1] != "")
	case len(args) > 0 && args[0] == "-z":
		return is(len(args) < 2 || args[1] == "")
	case len(args) == 3:
		switch args[1] {
		case "=", "==":
			return is(args[0] == args[2])
		case "!=":
			return is(args[0] != args[2])
		}
	case len(args) == 1:
		return is(args[0] != "")
	case len(args) == 0:
		return 1
	}
	return s.end(trace.Why("unknown.uboot-test", "test", strings.Join(args, " "), "path", s.path))
}

// runVariables is "run": the commands in variables.
func (s *ubootScript) runVariables(names []string) int {
	status := 0
	for _, name := range names {
		text, ok := s.env[name]
		if !ok {
			return s.end(trace.Why("unknown.uboot-variable", "name", name, "path", s.path))
		}
		parsed, err := sh.Parse(text)
		if err != nil {
			return s.end(trace.Why("unknown.script-text", "path", name, "error", err.Error()))
		}
		was := *s.at
		s.at = &uboot.Script{Name: was.Name, Text: text, Off: was.Off} // its commands have no bytes of their own
		file := s.file
		s.file = nil
		status = s.run(parsed.Body)
		s.at, s.file = &was, file
	}
	return status
}

// start is "booti KERNEL [RAMDISK[:SIZE] [TREE]]" or bootz.
func (s *ubootScript) start(args []string, cites []blob.Cite) int {
	if len(args) == 0 {
		return s.end(trace.Why("unknown.uboot-kernel-at", "path", s.path))
	}
	kernel, ok := s.memory[args[0]]
	if !ok {
		return s.end(trace.Why("unknown.uboot-memory", "address", args[0], "path", s.path))
	}
	l := loaded{by: "u-boot", path: kernel.path, image: kernel.file, size: kernel.file.Size(), cmdline: s.env["bootargs"]}
	if len(args) > 1 && args[1] != "-" {
		addr, _, _ := strings.Cut(args[1], ":")
		r, ok := s.memory[addr]
		if !ok {
			return s.end(trace.Why("unknown.uboot-memory", "address", addr, "path", s.path))
		}
		l.initrds = []initrd{{path: r.path, file: r.file, size: r.file.Size()}}
	}
	l.cause = s.emit("uboot.jump-kernel", trace.Bootloader, map[string]string{"path": kernel.path, "cmdline": l.cmdline}, "U-Boot: booti, bootz", cites)
	s.linux(l)
	return 0
}
