package authenticode

import (
	"encoding/binary"
	"io"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/exe/pe"
)

// Component is a line of a program's section .sbat: which generation of a component it holds. Programs
// of a generation with a known hole are refused all at once: SBAT.md of shim.
type Component struct {
	Name       string
	Generation int
	Vendor     string
	Package    string
	Version    string
	Cites      []blob.Cite
}

const maxSBAT = 64 << 10 // bytes of a section

// SBAT reads the section; found is false when the program has none.
func SBAT(f *pe.File) (list []Component, found bool) {
	s := f.Section(".sbat")
	if s == nil || s.Size == 0 {
		return nil, false
	}
	text, err := f.Data(s, maxSBAT)
	if err != nil {
		return nil, false
	}
	return parseSBAT(f.R, string(text), s.Off), true
}

func parseSBAT(r io.ReaderAt, text string, at int64) []Component {
	var out []Component
	text, _, _ = strings.Cut(text, "\x00")
	for line := range strings.Lines(text) {
		n := int64(len(line))
		fields := strings.Split(strings.TrimSpace(line), ",")
		if len(fields) >= 2 {
			c := Component{Name: fields[0]}
			c.Generation, _ = strconv.Atoi(fields[1])
			for i, to := range []*string{&c.Vendor, &c.Package, &c.Version} {
				if len(fields) > i+2 {
					*to = fields[i+2]
				}
			}
			for _, sp := range blob.Locate(r, at, int64(len(strings.TrimRight(line, "\r\n")))) {
				c.Cites = append(c.Cites, blob.Cite{Span: sp, Name: c.Name, Value: fields[1]})
			}
			out = append(out, c)
		}
		at += n
	}
	return out
}

// Levels is the section .sbatlevel of shim from 15.7 on: which generations it has the machine demand from
// now on, by the two policies of mokutil --set-sbat-policy.
type Levels struct {
	Version   uint32 `at:"0x00"`
	Automatic uint32 `at:"0x04"` // offset behind the version, of text; what happens unless somebody asked
	Latest    uint32 `at:"0x08"`
}

// SBATLevel returns the automatic level that shim brings: the generation that each component must have at
// least.
func SBATLevel(f *pe.File) []Component {
	s := f.Section(".sbatlevel")
	if s == nil {
		return nil
	}
	var l Levels
	if _, err := decode.Read(f.R, s.Off, binary.LittleEndian, "SBAT levels", &l); err != nil || l.Version != 0 {
		return nil
	}
	off := 4 + int64(l.Automatic)
	if off >= s.Size {
		return nil
	}
	text := make([]byte, min(s.Size-off, maxSBAT))
	n, _ := f.R.ReadAt(text, s.Off+off)
	return parseSBAT(f.R, string(text[:n]), s.Off+off)
}

// Revoked returns the first component that is older than the level demands, nil when none is.
func Revoked(program, level []Component) *Component {
	for i := range program {
		for _, l := range level {
			if l.Name == program[i].Name && program[i].Generation < l.Generation {
				return &program[i]
			}
		}
	}
	return nil
}
