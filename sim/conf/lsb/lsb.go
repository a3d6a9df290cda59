// Package lsb reads what an init script says of itself: the comment block of LSB 5.0 Core, "Comment
// Conventions for Init Scripts", and the system facilities of insserv.conf(5).
package lsb

import "strings"

// maxLines bounds the lines that are looked at for the block.
const maxLines = 2000

// Header is the block of a script. Off and End are its bytes, from BEGIN INIT INFO to END INIT INFO.
type Header struct {
	Off, End                   int
	Provides                   []string
	RequiredStart, ShouldStart []string
	StartBefore                []string // X-Start-Before
	DefaultStart, DefaultStop  []string
	ShortDescription           string
}

// Parse finds the block; ok is false when the script has none or it does not end.
func Parse(text string) (h Header, ok bool) {
	off, inside, n := 0, false, 0
	for line := range strings.Lines(text) {
		at := off
		off += len(line)
		if n++; n > maxLines {
			return Header{}, false
		}
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "### BEGIN INIT INFO":
			h, inside = Header{Off: at}, true
		case line == "### END INIT INFO" && inside:
			h.End = at + len(line)
			return h, true
		case inside && strings.HasPrefix(line, "#"):
			h.field(line[1:])
		}
	}
	return Header{}, false
}

// field takes one "Keyword: value" line; lines that only continue a description are of no use here.
func (h *Header) field(line string) {
	if strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t") {
		return
	}
	key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
	if !ok {
		return
	}
	value = strings.TrimSpace(value)
	words := strings.Fields(value)
	switch strings.ToLower(key) {
	case "provides":
		h.Provides = words
	case "required-start":
		h.RequiredStart = words
	case "should-start":
		h.ShouldStart = words
	case "x-start-before":
		h.StartBefore = words
	case "default-start":
		h.DefaultStart = words
	case "default-stop":
		h.DefaultStop = words
	case "short-description":
		h.ShortDescription = value
	}
}

// Member is what a facility stands for; an optional one has a "+" before it in insserv.conf(5).
type Member struct {
	Name     string
	Optional bool
}

// Facilities are the system facilities, by their name with the "$".
type Facilities map[string][]Member

// Parse adds the lines of one insserv.conf(5).
func (f Facilities) Parse(text string) {
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > maxLines {
			return
		}
		words := strings.Fields(line)
		if len(words) == 0 || !strings.HasPrefix(words[0], "$") {
			continue
		}
		for _, w := range words[1:] {
			if strings.HasPrefix(w, "#") {
				break
			}
			name, optional := strings.CutPrefix(w, "+")
			f[words[0]] = append(f[words[0]], Member{name, optional})
		}
		if f[words[0]] == nil {
			f[words[0]] = []Member{}
		}
	}
}

// Expand replaces a facility by the scripts that it stands for, facilities inside it too. A name that is
// no facility stands for itself; an unknown facility for nothing.
func (f Facilities) Expand(name string) []Member {
	var out []Member
	seen := map[string]bool{}
	var walk func(name string, optional bool)
	walk = func(name string, optional bool) {
		if seen[name] || len(seen) > maxLines {
			return
		}
		seen[name] = true
		if !strings.HasPrefix(name, "$") {
			out = append(out, Member{name, optional})
			return
		}
		for _, m := range f[name] {
			walk(m.Name, optional || m.Optional)
		}
	}
	walk(name, false)
	return out
}
