// Package cmdline splits the Linux kernel command line the way the kernel does (next_arg in
// lib/cmdline.c; Documentation/admin-guide/kernel-parameters.rst): words between spaces, double quotes
// keep spaces, and what follows "--" is for init.
package cmdline

import (
	"strconv"
	"strings"
)

// Param is one word.
type Param struct {
	Name     string
	Value    string
	HasValue bool // there was a "="
}

// Line is a parsed command line.
type Line struct {
	Params []Param
	Init   []string // the words after "--"
}

// Parse splits a command line.
func Parse(s string) Line {
	var l Line
	for {
		s = strings.TrimLeft(s, " \t\n\v\f\r")
		if s == "" {
			return l
		}
		var word string
		word, s = next(s)
		if word == "--" {
			l.Init = strings.Fields(s)
			return l
		}
		l.Params = append(l.Params, param(word))
	}
}

// next takes one word; quotes group and stay in it.
func next(s string) (word, rest string) {
	quoted := false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(" \t\n\v\f\r", c) >= 0:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// param splits at the first "=" and takes off quotes around the whole word or around the value.
func param(word string) Param {
	if len(word) > 1 && word[0] == '"' {
		word = strings.TrimSuffix(word[1:], `"`)
	}
	name, value, ok := strings.Cut(word, "=")
	if len(value) > 0 && value[0] == '"' {
		value = strings.TrimSuffix(value[1:], `"`)
	}
	return Param{name, value, ok}
}

// same compares names as the kernel does: "-" and "_" are one character.
func same(a, b string) bool {
	return strings.ReplaceAll(a, "-", "_") == strings.ReplaceAll(b, "-", "_")
}

// Get returns the value of the last NAME=VALUE: the kernel's later settings replace earlier ones.
func (l Line) Get(name string) (string, bool) {
	value, ok := "", false
	for _, p := range l.Params {
		if p.HasValue && same(p.Name, name) {
			value, ok = p.Value, true
		}
	}
	return value, ok
}

// Has tells whether the word stands there, without a value.
func (l Line) Has(name string) bool {
	for _, p := range l.Params {
		if !p.HasValue && same(p.Name, name) {
			return true
		}
	}
	return false
}

// ReadOnly is what ro and rw leave: the root file system is mounted read-only unless the last of them
// is rw.
func (l Line) ReadOnly() bool {
	ro := true
	for _, p := range l.Params {
		if !p.HasValue && (p.Name == "ro" || p.Name == "rw") {
			ro = p.Name == "ro"
		}
	}
	return ro
}

// LogLevel is the console log level: messages below it are shown. quiet and debug are 4 and 10
// (CONFIG_CONSOLE_LOGLEVEL_QUIET and CONSOLE_LOGLEVEL_DEBUG in include/linux/printk.h), the default is 7.
func (l Line) LogLevel() int {
	level := 7
	for _, p := range l.Params {
		switch {
		case !p.HasValue && p.Name == "quiet":
			level = 4
		case !p.HasValue && p.Name == "debug":
			level = 10
		case p.HasValue && p.Name == "loglevel":
			if n, err := strconv.Atoi(p.Value); err == nil {
				level = n
			}
		}
	}
	if l.Has("ignore_loglevel") {
		level = 99
	}
	return level
}

// InitArgs are the words that the kernel passes on to init because it knows no parameter of that name
// (unknown_bootoption in init/main.c): those without "=" and without ".", and what follows "--". known
// tells which words the kernel itself takes.
func (l Line) InitArgs(known func(name string) bool) []string {
	var out []string
	for _, p := range l.Params {
		if !p.HasValue && !strings.Contains(p.Name, ".") && !known(p.Name) {
			out = append(out, p.Name)
		}
	}
	return append(out, l.Init...)
}

// InitEnv lists what the kernel puts into the environment of its first program: the parameters with a
// value that neither it nor a module takes, as "name=value". init/main.c, unknown_bootoption.
func (l Line) InitEnv(known func(name string) bool) []string {
	var out []string
	for _, p := range l.Params {
		if p.HasValue && !strings.Contains(p.Name, ".") && !known(p.Name) {
			out = append(out, p.Name+"="+p.Value)
		}
	}
	return out
}
