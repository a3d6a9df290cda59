package boot

import (
	"maps"
	"path"
	"slices"
	"strings"

	"bootpath/sim/trace"
)

// getarg is dracut-getarg and dracut-getargs of dracut's own dracut-util: a parameter of the command line in
// $CMDLINE. "name=" asks for its value, "name=value" whether it has that value; the last one counts, and
// dracut-getargs prints all.
func (in *shProcess) getarg(words []string) ctl {
	if len(words) != 2 {
		return in.failed()
	}
	key, want, _ := strings.Cut(words[1], "=")
	var values []string
	found := false
	for _, w := range kernelWords(in.vars["CMDLINE"]) {
		name, value, has := strings.Cut(w, "=")
		if name != key {
			continue
		}
		found = true
		if has || path.Base(words[0]) == "dracut-getarg" {
			values = append(values, value)
		}
	}
	last := ""
	if len(values) > 0 {
		last = values[len(values)-1]
	}
	switch {
	case path.Base(words[0]) == "dracut-getargs":
		for _, v := range values {
			if want == "" || v == want {
				in.out("%s\n", v)
			}
		}
	case want != "":
		found = found && last == want
	case last != "":
		in.out("%s\n", last)
	}
	if !found {
		return in.failed()
	}
	return in.ok()
}

// kernelWords splits a command line at blanks outside of double quotes, which are taken off.
func kernelWords(line string) []string {
	var out []string
	var word strings.Builder
	quoted, any := false, false
	for _, r := range line + " " {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case (r == ' ' || r == '\t' || r == '\n') && !quoted:
			if any || word.Len() > 0 {
				out = append(out, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(r)
		}
	}
	return out
}

// dracutReport is dracut's rdsosreport. What it collects goes into a file that nothing of the start reads.
func (in *shProcess) dracutReport() ctl {
	in.out("Generating \"/run/initramfs/rdsosreport.txt\"\n")
	return in.ok()
}

// exportList is export -p: what a shell can read back.
func (in *shProcess) exportList() ctl {
	for _, name := range slices.Sorted(maps.Keys(in.exported)) {
		if v, set := in.vars[name]; set && in.exported[name] {
			in.out("export %s='%s'\n", name, strings.ReplaceAll(v, "'", `'\''`))
		}
	}
	return in.ok()
}

// findmnt is findmnt(8) when it is asked about one place or device.
func (in *shProcess) findmnt(words []string) ctl {
	_, _, rest := optArgs(words, "noOtTSM")
	if len(rest) != 1 || in.stdout.kind != "null" {
		return in.end("unknown.program-prints", "program", "findmnt")
	}
	for _, row := range in.x.m.Rows(trace.Mounted) {
		if row["target"] == path.Clean(rest[0]) || row["source"] == rest[0] {
			return in.ok()
		}
	}
	return in.failed()
}

// ls prints names, one a line: ls(1) when its output is not a terminal.
func (in *shProcess) ls(words []string) ctl {
	flags, _, rest := optArgs(words, "")
	if strings.ContainsAny(flags, "lsiR") {
		return in.end("unknown.program-prints", "program", "ls -"+flags)
	}
	if len(rest) == 0 {
		rest = []string{in.cwd}
	}
	in.status = 0
	for _, name := range rest {
		fi, err := in.stat(name)
		if err != nil {
			in.err("ls: cannot access '%s': %s\n", name, strerror(err))
			in.status = 2
			continue
		}
		if !fi.IsDir() || strings.Contains(flags, "d") {
			in.out("%s\n", name)
			continue
		}
		if len(rest) > 1 {
			in.out("%s:\n", name)
		}
		list, _ := in.x.pid1.ReadDir(in.abs(name))
		for _, e := range list {
			if e.Name()[0] != '.' || strings.ContainsAny(flags, "aA") {
				in.out("%s\n", e.Name())
			}
		}
	}
	return ctlNone
}
