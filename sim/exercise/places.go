package exercise

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"bootpath/sim/compare"
	"bootpath/sim/fsys"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

// Bounds of the catalogue.
const (
	stageMax  = 10  // breakages derived from steps of one stage
	placesMax = 500 // breakages looked at
	patchMax  = 64  // bytes that one breakage replaces
)

// places derives what may be broken from the steps of a healthy run.
func places(s compare.Side) []Breakage {
	p := &finder{side: s, seen: map[string]bool{}}
	for _, st := range s.Run.Steps {
		if st.Stage == trace.Userspace || st.Stage == trace.Process || len(p.out) >= placesMax {
			continue // one service more or less seldom decides
		}
		p.files(st)
		p.bytes(st)
		p.values(st)
	}
	return thin(p.out)
}

// thin keeps some of each stage, evenly: a learner's question must not wait for hundreds of runs.
func thin(all []Breakage) []Breakage {
	total, seen := map[trace.Stage]int{}, map[trace.Stage]int{}
	for _, b := range all {
		total[b.Stage]++
	}
	var out []Breakage
	for _, b := range all {
		n, i := total[b.Stage], seen[b.Stage]
		if seen[b.Stage]++; n <= stageMax || i*stageMax/n != (i+1)*stageMax/n {
			out = append(out, b)
		}
	}
	return out
}

type finder struct {
	side compare.Side
	seen map[string]bool
	out  []Breakage
}

// add notes a breakage: the usual settings and what more says.
func (p *finder) add(st trace.Step, key string, args map[string]string, more scenario.RunSettings) {
	b := Breakage{Key: key, Args: args, Settings: p.side.Settings.With(more), Stage: st.Stage, Step: st.Seq}
	if id := b.id(); !p.seen[id] {
		p.seen[id] = true
		p.out = append(p.out, b)
	}
}

// files: a path among the step's values that names a file of the image could be missing.
func (p *finder) files(st trace.Step) {
	for _, name := range slices.Sorted(maps.Keys(st.Args)) {
		for _, word := range strings.Fields(st.Args[name]) {
			if strings.HasPrefix(word, "(") { // GRUB's (hd0,msdos1)/boot/grub
				_, word, _ = strings.Cut(word, ")")
			}
			if strings.HasPrefix(word, "/") && word == path.Clean(word) && p.isFile(word) {
				p.add(st, "exercise.remove", map[string]string{"path": word}, scenario.RunSettings{Remove: []string{word}})
			}
		}
	}
}

// isFile tells whether any file system of the image has it, as a file or a link.
func (p *finder) isFile(name string) bool {
	for _, f := range p.side.FileSystems() {
		at, err := fsys.ResolveParent(f, strings.TrimPrefix(name, "/"))
		if err != nil {
			continue
		}
		if fi, err := f.Lstat(at); err == nil && !fi.IsDir() {
			return true
		}
	}
	return false
}

// bytes: a short field that decided the step could hold something else.
func (p *finder) bytes(st trace.Step) {
	for _, c := range st.Cites {
		if c.Blob != p.side.Patchable() || c.Len < 1 || c.Len > patchMax {
			continue
		}
		what := c.Name
		if what == "" {
			what = c.Value
		}
		data := hex.EncodeToString(make([]byte, c.Len))
		p.add(st, "exercise.zero", map[string]string{"blob": c.Blob, "off": fmt.Sprintf("%#x", c.Off), "len": fmt.Sprint(c.Len), "field": what},
			scenario.RunSettings{Patch: []scenario.BytePatch{{Off: c.Off, Data: data}}})
	}
}

// values: what the machine, the bootloader or the image config said could be something else.
func (p *finder) values(st trace.Step) {
	switch st.Kind {
	case "linux.command-line":
		line := strings.Fields(st.Args["cmdline"])
		line = slices.DeleteFunc(line, func(w string) bool { return strings.HasPrefix(w, "BOOT_IMAGE=") || strings.HasPrefix(w, "initrd=") })
		rest := slices.DeleteFunc(slices.Clone(line), func(w string) bool { return strings.HasPrefix(w, "root=") })
		if len(rest) < len(line) {
			const other = "root=UUID=00000000-0000-4000-8000-000000000000"
			p.add(st, "exercise.root-other", map[string]string{"root": other}, cmdline(append([]string{other}, rest...)))
			p.add(st, "exercise.root-none", map[string]string{}, cmdline(rest))
		}
	case "engine.host":
		other := "arm64"
		if st.Args["arch"] == "arm64" {
			other = "amd64"
		}
		p.add(st, "exercise.host-arch", map[string]string{"arch": other}, scenario.RunSettings{HostArch: other})
	case "engine.write-config":
		p.add(st, "exercise.entrypoint", map[string]string{"argv": "/no/such/program"}, scenario.RunSettings{Set: map[string]string{"config.Entrypoint": `["/no/such/program"]`}})
		p.add(st, "exercise.command-none", map[string]string{}, scenario.RunSettings{Set: map[string]string{"config.Entrypoint": "null", "config.Cmd": "null"}})
		p.add(st, "exercise.user", map[string]string{"user": "nobody-here"}, scenario.RunSettings{User: "nobody-here"})
		p.add(st, "exercise.memory", map[string]string{"memory": "4m"}, scenario.RunSettings{Memory: "4m"})
	case "bios.start":
		p.add(st, "exercise.firmware", map[string]string{"firmware": "UEFI"}, scenario.RunSettings{Firmware: "uefi"})
	case "uefi.start":
		p.add(st, "exercise.firmware", map[string]string{"firmware": "BIOS"}, scenario.RunSettings{Firmware: "bios"})
	}
}

func cmdline(words []string) scenario.RunSettings {
	return scenario.RunSettings{Set: map[string]string{"cmdline": strings.Join(words, " ")}}
}

// id tells breakages apart.
func (b Breakage) id() string {
	data, err := json.Marshal(b.Settings)
	if err != nil {
		panic(err) // settings are plain data
	}
	return string(data)
}

// says tells whether two breakages read the same.
func (b Breakage) says(o Breakage) bool { return b.Key == o.Key && maps.Equal(b.Args, o.Args) }

// tail is what the screen shows at the end.
func tail(steps []trace.Step) []string {
	var all strings.Builder
	for _, st := range steps {
		all.WriteString(st.Console)
	}
	lines := strings.Split(strings.TrimRight(all.String(), "\n"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return []string{}
	}
	return lines[max(0, len(lines)-consoleTail):]
}
