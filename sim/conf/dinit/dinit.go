// Package dinit reads the service descriptions of dinit: dinit-service(5).
package dinit

import (
	"strings"
)

// Bounds of one description; a real one has some twenty lines.
const (
	maxLines = 2000
	maxWords = 2000 // dependencies, words of a command
)

// Setting is one line of a description.
type Setting struct {
	Name, Value string
	Off, End    int // of the line, in bytes
}

// Service is one description as far as a start depends on it.
type Service struct {
	Type      string // "process" (the default), "bgprocess", "scripted", "internal", "triggered"
	Command   []string
	DependsOn []string // must have started
	WaitsFor  []string // must have started or failed; depends-ms needs them at their start alone
	Milestone []string
	WaitsDir  []string // directories whose entries are names of services to wait for
	NeedsDir  []string
	Options   []string
	Settings  []Setting
	Unsure    []string // lines that were not understood
}

// Parse reads a description. A line is "name = value" or "name: value"; a line that starts with "#" is a
// comment.
func Parse(text string) *Service {
	s := &Service{Type: "process"}
	off := 0
	for line := range strings.Lines(text) {
		at := off
		off += len(line)
		line = strings.TrimRight(line, "\r\n")
		t := strings.TrimSpace(line)
		if t == "" || t[0] == '#' {
			continue
		}
		i := strings.IndexAny(t, "=:")
		if i < 1 || t[0] == '@' || len(s.Settings) >= maxLines {
			s.Unsure = append(s.Unsure, t)
			if len(s.Unsure) > 20 {
				break
			}
			continue
		}
		name := strings.TrimSpace(strings.TrimSuffix(t[:i], "+"))
		set := Setting{Name: name, Value: strings.TrimSpace(t[i+1:]), Off: at, End: at + len(line)}
		s.Settings = append(s.Settings, set)
		s.set(set, strings.HasSuffix(t[:i], "+"))
	}
	return s
}

// set takes over one setting. add tells whether it was given with "+=".
func (s *Service) set(v Setting, add bool) {
	switch v.Name {
	case "type":
		s.Type = v.Value
	case "command":
		words := Words(v.Value)
		if add {
			words = append(s.Command, words...)
		}
		s.Command = words[:min(len(words), maxWords)]
	case "depends-on":
		s.DependsOn = add1(s.DependsOn, v.Value)
	case "depends-ms":
		s.Milestone = add1(s.Milestone, v.Value)
	case "waits-for":
		s.WaitsFor = add1(s.WaitsFor, v.Value)
	case "waits-for.d":
		s.WaitsDir = add1(s.WaitsDir, v.Value)
	case "depends-on.d", "depends-ms.d":
		s.NeedsDir = add1(s.NeedsDir, v.Value)
	case "options":
		s.Options = append(s.Options, strings.Fields(v.Value)...)
	}
}

func add1(list []string, v string) []string {
	if v == "" || len(list) >= maxWords {
		return list
	}
	return append(list, v)
}

// Words splits a command: at blanks, with double quotes and backslashes as dinit-service(5) tells.
func Words(text string) []string {
	var out []string
	var word strings.Builder
	open, quoted := false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			word.WriteByte(text[i])
			open = true
		case c == '"':
			quoted, open = !quoted, true
		case !quoted && (c == ' ' || c == '\t'):
			if open {
				out = append(out, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if open {
		out = append(out, word.String())
	}
	return out
}
