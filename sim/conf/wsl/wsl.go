// Package wsl reads the two files by which a root file system tells the Windows Subsystem for Linux how to
// start it: /etc/wsl.conf and /etc/wsl-distribution.conf (learn.microsoft.com, "Advanced settings
// configuration in WSL" and "Build a custom Linux distribution for WSL").
package wsl

import (
	"bytes"
	"strings"
)

// Where the files lie, in io/fs form.
const (
	ConfPath         = "etc/wsl.conf"
	DistributionPath = "etc/wsl-distribution.conf"
)

// Setting is one "key = value" with its place in the file.
type Setting struct {
	Section, Key, Value string
	Off, Len            int64 // of the line
}

// Parse reads the settings in the order of the file. Lines that are none are passed over.
func Parse(data []byte) []Setting {
	var out []Setting
	section := ""
	for off := 0; off < len(data); {
		line, _, _ := bytes.Cut(data[off:], []byte("\n"))
		text, _, _ := strings.Cut(string(line), "#")
		text = strings.TrimSpace(text)
		key, value, ok := strings.Cut(text, "=")
		switch {
		case strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]"):
			section = strings.TrimSpace(text[1 : len(text)-1])
		case ok:
			value = strings.Trim(strings.TrimSpace(value), `"`)
			out = append(out, Setting{section, strings.TrimSpace(key), value, int64(off), int64(len(line))})
		}
		off += len(line) + 1
	}
	return out
}

// Get is the last setting of that name, "section.key"; case does not count.
func Get(settings []Setting, name string) (Setting, bool) {
	for i := len(settings) - 1; i >= 0; i-- {
		if s := settings[i]; strings.EqualFold(s.Section+"."+s.Key, name) {
			return s, true
		}
	}
	return Setting{}, false
}
