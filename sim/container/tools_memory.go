package container

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// Programs whose need for memory follows from what they are told.

// tail keeps the last ten lines of what it reads: of bytes without a newline, all. coreutils src/tail.c,
// pipe_lines; busybox coreutils/tail.c.
func (p *process) tail() finish {
	if lasts(p.argv) > 0 {
		return finish{runs: true}
	}
	files, count := p.argv[1:], 10
	if len(files) > 1 && files[0] == "-n" {
		n, err := strconv.Atoi(files[1])
		if err != nil || n < 0 || strings.HasPrefix(files[1], "+") {
			return p.lost()
		}
		files, count = files[2:], n
	}
	if len(files) > 0 && strings.HasPrefix(files[0], "-") && files[0] != "-" {
		return p.lost()
	}
	in, end, ok := p.input(files)
	if !ok {
		return end
	}
	if in.zeros || in.size == endless {
		if end, over := p.touch(in.size); over {
			return end
		}
	}
	if in.unknown != nil || in.zeros {
		p.pass(in, in.size)
		return finish{}
	}
	lines := strings.SplitAfter(in.text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	p.print(p.out, strings.Join(lines[max(0, len(lines)-count):], ""))
	return finish{}
}

// input is the one file that is named, or standard input. The message is that of a file that cannot be read.
func (p *process) input(files []string) (in *flow, end finish, ok bool) {
	if len(files) > 1 {
		return nil, p.lack(trace.Why("unknown.tool-does", "command", strings.Join(p.argv, " "))), false
	}
	in = p.in
	if len(files) == 1 {
		var err error
		if in, err = p.open(files[0]); err != nil {
			if p.unsure(err) {
				return nil, finish{}, false
			}
			why := p.reason(err)
			return nil, p.fail(p.cannotRead(files[0], why, err), 1), false
		}
	}
	if in.unknown != nil && in.size == 0 {
		return nil, p.lack(in.unknown), false
	}
	return in, finish{}, true
}

// cannotRead is how a program that reads files says that one cannot be read.
func (p *process) cannotRead(name, why string, err error) string {
	isDir := err == kernel.EISDIR
	switch {
	case p.busybox && !isDir && p.name() == "tail":
		return "tail: can't open '" + name + "': " + why + "\ntail: no files"
	case p.busybox && isDir && p.name() == "cat":
		return p.called() + ": read error: " + why
	case p.busybox && isDir:
		p.lack(trace.Why("unknown.tool-does", "command", strings.Join(p.argv, " ")))
		return ""
	case p.busybox:
		return p.called() + ": " + name + ": " + why
	}
	switch p.name() {
	case "head", "tail":
		if isDir {
			return p.called() + ": error reading '" + name + "': " + why
		}
		return p.called() + ": cannot open '" + name + "' for reading: " + why
	case "sort":
		if isDir {
			return p.called() + ": read failed: " + name + ": " + why
		}
		return p.called() + ": cannot read: " + name + ": " + why
	}
	return p.called() + ": " + name + ": " + why
}

// pass hands bytes on that are not kept.
func (p *process) pass(in *flow, n int64) {
	p.out.size = add(p.out.size, n)
	p.out.zeros = in.zeros
	if !in.zeros {
		p.out.unknown = in.unknown
	}
}

// head hands on the first ten lines, or so many bytes. head(1)
func (p *process) head() finish {
	args := slices.Clone(p.argv[1:])
	count, bytes := int64(10), false
	if len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		option := args[0]
		args = args[1:]
		if !strings.HasPrefix(option, "-c") && !strings.HasPrefix(option, "-n") {
			return p.lack(trace.Why("unknown.tool-option", "program", "head", "option", option))
		}
		value := option[2:]
		if value == "" {
			if len(args) == 0 {
				return p.lack(trace.Why("unknown.tool-does", "command", strings.Join(p.argv, " ")))
			}
			value, args = args[0], args[1:]
		}
		var ok bool
		if count, ok = p.size(value, "b k m"); !ok || strings.HasPrefix(value, "-") {
			if p.busybox {
				return p.fail("head: invalid number '"+value+"'", 1)
			}
			return p.lack(trace.Why("unknown.tool-does", "command", strings.Join(p.argv, " ")))
		}
		bytes = option[1] == 'c'
	}
	in, end, ok := p.input(args)
	if !ok {
		return end
	}
	switch {
	case bytes && (in.zeros || in.unknown != nil):
		return p.give(in, min(count, in.size))
	case bytes:
		p.print(p.out, in.text[:min(count, in.size)])
	case in.zeros:
		return p.give(in, in.size)
	case in.unknown != nil:
		return p.lack(in.unknown)
	default:
		lines := strings.SplitAfter(in.text, "\n")
		p.print(p.out, strings.Join(lines[:min(int(min(count, maxText)), len(lines))], ""))
	}
	return finish{}
}

// give writes bytes that are not kept to standard output.
func (p *process) give(in *flow, n int64) finish {
	if p.out.kind == "file" {
		written, err, end, over := p.fill(p.out.path, n)
		if over {
			return end
		}
		p.pass(in, written)
		if err != nil {
			return p.lack(trace.Why("unknown.tool-full", "program", p.name()))
		}
		return finish{}
	}
	p.pass(in, n)
	if n == endless && p.out.kind != "pipe" {
		return finish{runs: true}
	}
	return finish{}
}

// cat hands everything on. cat(1)
func (p *process) cat() finish {
	_, files := p.operands("u")
	if len(files) == 0 {
		files = []string{"-"}
	}
	code := 0
	for _, name := range files {
		in, err := p.open(name)
		if err != nil {
			why := p.reason(err)
			if err == kernel.ENOENT && p.busybox {
				p.print(p.err, "cat: can't open '"+name+"': "+why+"\n")
			} else {
				p.print(p.err, p.cannotRead(name, why, err)+"\n")
			}
			code = 1
			continue
		}
		if in.unknown == nil && !in.zeros {
			p.print(p.out, in.text)
			continue
		}
		if in.size == 0 {
			return p.lack(in.unknown)
		}
		if end := p.give(in, in.size); end != (finish{}) {
			return end
		}
	}
	return finish{code: code}
}

// sort holds everything that has no newline in it. sort(1)
func (p *process) sort() finish {
	flags, files := p.operands("u")
	in, end, ok := p.input(files)
	switch {
	case !ok:
		end.code = 2
		return end
	case in.zeros || in.size == endless:
		if end, over := p.touch(in.size); over {
			return end
		}
		p.pass(in, in.size)
		return finish{}
	case in.unknown != nil:
		return p.lack(in.unknown)
	}
	lines := strings.Split(strings.TrimSuffix(in.text, "\n"), "\n")
	if in.text == "" {
		return finish{}
	}
	slices.Sort(lines)
	if strings.Contains(flags, "u") {
		lines = slices.Compact(lines)
	}
	p.print(p.out, strings.Join(lines, "\n")+"\n")
	return finish{}
}

func (p *process) yes() finish {
	if p.out.kind == "pipe" {
		p.out.size, p.out.unknown = endless, trace.Why("unknown.yes")
		return finish{}
	}
	return finish{runs: true}
}

// sleep has no effect but that it takes time.
func (p *process) sleep() finish {
	n := sleepSeconds(p.argv[1:])
	switch {
	case n < 0 || len(p.argv) == 1:
		return p.lack(trace.Why("unknown.tool-does", "command", strings.Join(p.argv, " ")))
	case n > longSleep:
		return finish{runs: true}
	}
	p.r.slept += n
	return finish{}
}

const longSleep = 5 // seconds; a sleep that a learner waits for is a program that runs on

// fallocate has the kernel give a file its pages: in a tmpfs that is memory. fallocate(2)
func (p *process) fallocate() finish {
	if len(p.argv) != 4 || p.argv[1] != "-l" {
		return p.lack(trace.Why("unknown.tool-does", "command", strings.Join(p.argv, " ")))
	}
	n, ok := p.size(p.argv[2], "")
	name := p.argv[3]
	if !ok || p.busybox {
		return p.lack(trace.Why("unknown.tool-does", "command", strings.Join(p.argv, " ")))
	}
	if err := p.writable(name); err != nil {
		return p.fail("fallocate: cannot open "+name+": "+p.reason(err), 1)
	}
	p.make(name)
	written, err, end, over := p.fill(name, n)
	switch {
	case over:
		return end
	case err != nil:
		return p.fail("fallocate: fallocate failed: "+p.reason(err), 1)
	}
	return p.keep(name, &flow{size: written, zeros: true}, 0o644)
}

// copying are the operands of dd.
type copying struct {
	from, to string
	bs       int64
	count    int64 // blocks; -1 for all
	quiet    bool
}

func (p *process) ddOperands() (copying, bool) {
	c := copying{bs: 512, count: -1}
	for _, a := range p.argv[1:] {
		key, value, _ := strings.Cut(a, "=")
		ok := true
		switch key {
		case "if":
			c.from = value
		case "of":
			c.to = value
		case "bs":
			c.bs, ok = p.size(value, "c w b kD k K kB M MB G GB")
			ok = ok && c.bs > 0
		case "count":
			c.count, ok = p.size(value, "c w b kD k K kB M MB G GB")
		case "status":
			c.quiet, ok = value == "none", value == "none" || value == "noxfer" || value == "progress"
		default:
			ok = false
		}
		if !ok {
			p.lack(trace.Why("unknown.tool-option", "program", "dd", "option", a))
			return c, false
		}
	}
	return c, true
}

// dd holds one block: a buffer of that size, as far as it is filled. coreutils src/dd.c; busybox coreutils/dd.c.
func (p *process) dd() finish {
	c, ok := p.ddOperands()
	if !ok {
		return finish{}
	}
	in := p.in
	if c.from != "" {
		var err error
		if in, err = p.open(c.from); err != nil {
			return p.fail(p.ddSays("open", c.from, p.reason(err)), 1)
		}
	}
	total := in.size
	if c.count >= 0 {
		total = min(total, mul(c.bs, c.count))
	}
	if c.to != "" && c.to != "/dev/null" {
		if err := p.writable(c.to); err != nil {
			return p.fail(p.ddSays("open", c.to, p.reason(err)), 1)
		}
		p.make(c.to)
	}
	if end, over := p.touch(min(c.bs, total)); over {
		return end
	}
	p.held = min(c.bs, total)
	return p.ddWrite(c, in, total)
}

// make has the file there, and empty: it is opened before anything is written.
func (p *process) make(name string) {
	quietly(p.t, func() { p.t.WriteFile(name, nil, 0o666&^p.r.umask) })
}

// ddWrite is the second half: the blocks go to the file, the summary to standard error.
func (p *process) ddWrite(c copying, in *flow, total int64) finish {
	switch {
	case c.to == "":
		if total == in.size && in.unknown == nil && !in.zeros {
			p.print(p.out, in.text)
		} else if end := p.give(in, total); end.missing != nil || end.runs || end.signal != "" {
			return end
		}
	case c.to == "/dev/null":
		if total == endless {
			return finish{runs: true}
		}
	default:
		written, err, end, over := p.fill(c.to, total)
		if over {
			return end
		}
		if end := p.keep(c.to, &flow{text: in.text, size: written, zeros: in.zeros, unknown: in.unknown}, 0o666); end.missing != nil {
			return end
		}
		if err != nil {
			if written%c.bs != 0 {
				return p.lack(trace.Why("unknown.dd-part"))
			}
			n := written / c.bs
			p.print(p.err, fmt.Sprintf("dd: error writing '%s': %s\n%d+0 records in\n%d+0 records out\n", c.to, p.reason(err), n+1, n))
			p.says = "dd: error writing '" + c.to + "': " + p.reason(err)
			return finish{code: 1}
		}
	}
	if !c.quiet {
		part := 0
		if total%c.bs != 0 {
			part = 1
		}
		n := total / c.bs
		p.print(p.err, fmt.Sprintf("%d+%d records in\n%d+%d records out\n", n, part, n, part))
	}
	return finish{}
}

// ddSays is how dd fails to open a file.
func (p *process) ddSays(do, name, why string) string {
	if p.busybox {
		return "dd: can't " + do + " '" + name + "': " + why
	}
	return "dd: failed to " + do + " '" + name + "': " + why
}

// mul does not pass the end.
func mul(a, b int64) int64 {
	if b > 0 && a > endless/b {
		return endless
	}
	return a * b
}
