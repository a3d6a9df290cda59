// Package syslinux reads the configuration of SYSLINUX and its family (isolinux.cfg, syslinux.cfg,
// extlinux.conf), which U-Boot's "extlinux" boot and others understand too. It follows
// com32/elflink/ldlinux/readconfig.c of SYSLINUX 6.04: one directive a line, names in any case, included
// files as if their text stood in place of the directive.
package syslinux

import (
	"strings"
)

// Bounds of one configuration. SYSLINUX itself is bounded by its memory only.
const (
	maxLine  = 4095    // bytes; fgets cuts longer lines into several
	maxBytes = 4 << 20 // of all files together
	maxDepth = 16      // of files that include files
	maxFiles = 256
	maxItems = 100_000 // directives
)

// Span is a part of a file's text, in bytes.
type Span struct{ Off, Len int }

// File is one configuration file.
type File struct {
	Path string
	Text string
}

// Directive is one line that says something.
type Directive struct {
	File  *File
	Key   string // in lower case; "menu label" for a word of MENU
	Value string // what follows, as it stands
	Span         // of the line without the blanks around it
}

// Parse splits a file into directives. Empty lines, comments and the text between TEXT and ENDTEXT give
// none; a line that is no directive gives one with its first word as the key.
func Parse(f *File) []Directive {
	var out []Directive
	inText := false
	for at := 0; at < len(f.Text) && len(out) < maxItems; {
		end, next := lineEnd(f.Text, at)
		d := directive(f, at, end)
		at = next
		switch {
		case inText:
			inText = d.Key != "endtext"
			continue
		case d.Key == "" || strings.HasPrefix(d.Key, "#"):
			continue
		case d.Key == "text":
			inText = true
		}
		out = append(out, d)
	}
	return out
}

// lineEnd returns where the line at text[at:] ends and where the next one starts. A carriage return ends
// the line for its reader, not for fgets.
func lineEnd(text string, at int) (end, next int) {
	line := text[at:min(len(text), at+maxLine)]
	next = at + len(line)
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line, next = line[:i], at+i+1
	}
	if i := strings.IndexByte(line, '\r'); i >= 0 {
		line = line[:i]
	}
	return at + len(line), next
}

func directive(f *File, at, end int) Directive {
	at = skip(f.Text, at, end)
	word := wordEnd(f.Text, at, end)
	d := Directive{File: f, Key: lower(f.Text[at:word]), Span: Span{at, end - at}}
	value := skip(f.Text, word, end)
	if d.Key == "menu" {
		word = wordEnd(f.Text, value, end)
		d.Key += " " + lower(f.Text[value:word])
		value = skip(f.Text, word, end)
	}
	if d.Key == "say" {
		value = min(at+len("say "), end) // the text starts behind one blank
	}
	d.Value = f.Text[value:end]
	d.Len = len(strings.TrimRight(f.Text[at:end], " \t"))
	return d
}

func skip(text string, at, end int) int {
	for at < end && isSpace(text[at]) {
		at++
	}
	return at
}

func wordEnd(text string, at, end int) int {
	for at < end && !isSpace(text[at]) {
		at++
	}
	return at
}

// isSpace is my_isspace: everything up to the blank.
func isSpace(c byte) bool { return c <= ' ' }

// lower folds ASCII only, which is what SYSLINUX does.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// Cut separates the first word of a command line from what follows it.
func Cut(line string) (word, rest string) {
	end := wordEnd(line, 0, len(line))
	return line[:end], line[skip(line, end, len(line)):]
}

// Number is atoi: the digits that a value starts with, with a sign before them; 0 without.
func Number(s string) int {
	n, sign := 0, 1
	s = s[skip(s, 0, len(s)):]
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	for i := 0; i < len(s) && s[i] >= '0' && s[i] <= '9' && n < 1<<30; i++ {
		n = n*10 + int(s[i]-'0')
	}
	return n * sign
}
