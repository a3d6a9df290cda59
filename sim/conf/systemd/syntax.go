// Package systemd reads unit files as systemd does and works out what starting a target means: which
// files make a unit, what each unit requires and is ordered after, and which jobs a start queues.
//
// It holds no clock and starts nothing: [Manager] answers which job may run next and what follows when
// one ends; the simulated init decides how each ends. Settings that do not bear on whether, when and in
// which order units start are read and ignored.
//
// Sources: systemd.syntax(7), systemd.unit(5), systemd.service(5) and the other pages of
// systemd.directives(7), as of systemd 252.
package systemd

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// maxFile bounds a unit file, in bytes; systemd refuses lines longer than this.
const maxFile = 1 << 20

// Entry is one assignment: "Key=Value" in a section.
type Entry struct {
	Section, Key string
	Value        string // continuation lines joined with spaces
	Line         int    // of the key, from 1
	Off, Len     int64  // of the whole assignment in the file, without its last newline
}

// Link is evidence that is not an assignment: a symbolic link whose name or target decided.
type Link struct {
	Path, Target string
	Cites        []blob.Cite
}

// Note is a line that systemd warns of and skips.
type Note struct {
	Line int
	Text string // in systemd's words
}

// File is one parsed unit file or drop-in.
type File struct {
	Path    string // as systemd shows it: "/usr/lib/systemd/system/cron.service"
	Entries []Entry
	Notes   []Note
	r       io.ReaderAt
	from    []blob.Cite // for a generated file: the bytes that made its generator write it
}

// Cite returns the bytes of an assignment. A file that a generator wrote at boot has no bytes in the
// image; what made the generator write it is cited instead.
func (f *File) Cite(e Entry) []blob.Cite {
	if f.r == nil {
		return f.from
	}
	var out []blob.Cite
	for _, s := range blob.Locate(f.r, e.Off, e.Len) {
		out = append(out, blob.Cite{Span: s, Name: f.Path + ": " + e.Key, Value: e.Value})
	}
	return out
}

// Parse reads a unit file. Lines that systemd warns of and skips become Notes; an error means that the
// file cannot be used at all.
func Parse(r io.ReaderAt, path string) (*File, error) {
	text, err := blob.ReadAll(r, maxFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f := &File{Path: path, r: r}
	p := parser{f: f}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return nil, decode.Errorf(r, int64(i), 1, path, "text", "a NUL byte")
	}
	off := 0
	for line := range strings.Lines(string(text)) {
		p.line(strings.TrimSuffix(line, "\n"), off)
		off += len(line)
	}
	p.flush()
	return f, nil
}

// parser joins continuation lines and remembers where the assignment began.
type parser struct {
	f       *File
	section string
	lineNo  int

	open       bool // a continuation is pending
	text       string
	start, end int // offsets of the pending assignment
	startLine  int
}

const blanks = " \t\r"

// line takes one physical line. "Lines ending in a backslash are concatenated with the following
// non-comment line while reading and the backslash is replaced by a space character."
func (p *parser) line(raw string, off int) {
	p.lineNo++
	body := strings.TrimLeft(raw, blanks)
	if p.lineNo == 1 {
		body = strings.TrimPrefix(body, "\ufeff")
	}
	if body != "" && (body[0] == '#' || body[0] == ';') {
		return
	}
	if !p.open {
		p.start, p.startLine, p.text = off+len(raw)-len(body), p.lineNo, ""
	}
	p.end = off + len(strings.TrimRight(raw, blanks))
	escaped := false
	for i := range len(body) {
		escaped = !escaped && body[i] == '\\'
	}
	if escaped {
		p.open, p.text = true, p.text+body[:len(body)-1]+" "
		return
	}
	p.text += body
	p.flush()
}

func (p *parser) note(format string, args ...any) {
	if len(p.f.Notes) < 100 {
		p.f.Notes = append(p.f.Notes, Note{p.startLine, fmt.Sprintf(format, args...)})
	}
}

// flush ends the pending logical line.
func (p *parser) flush() {
	l := strings.Trim(p.text, blanks)
	p.open, p.text = false, ""
	switch {
	case l == "":
	case !utf8.ValidString(l):
		p.note("Invalid UTF-8 string, ignoring line.")
	case l[0] == '[':
		if !strings.HasSuffix(l, "]") {
			p.note("Invalid section header '%s'", l)
			return
		}
		p.section = l[1 : len(l)-1]
	case !strings.Contains(l, "="):
		p.note("Missing '=', ignoring line.")
	default:
		key, value, _ := strings.Cut(l, "=")
		key, value = strings.TrimRight(key, blanks), strings.Trim(value, blanks)
		if key == "" {
			p.note("Missing key name before '=', ignoring line.")
			return
		}
		if p.section == "" {
			p.note("Assignment outside of section. Ignoring.")
			return
		}
		p.f.Entries = append(p.f.Entries, Entry{p.section, key, value, p.startLine, int64(p.start), int64(max(p.end-p.start, 1))})
	}
}

// ParseBool reads a boolean as systemd.syntax(7) defines it.
func ParseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "1", "yes", "y", "true", "t", "on":
		return true, true
	case "0", "no", "n", "false", "f", "off":
		return false, true
	}
	return false, false
}
