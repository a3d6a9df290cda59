// Package rpiconfig reads config.txt, the file that tells a Raspberry Pi's firmware what to start: assignments, filters
// in brackets that limit them to some boards, and includes. Specification: Raspberry Pi documentation, "What is
// config.txt?" and "Conditional filters".
package rpiconfig

import "strings"

// Setting is one line that counts on the board.
type Setting struct {
	Key, Value string
	File       string
	Off, Len   int // of the line in File
}

// Config is what a config.txt says on one board.
type Config struct {
	Settings []Setting
	Doubt    []string // filters that nobody can answer without the board: its serial number, its pins, its screen
}

// Open returns the text of an included file.
type Open func(name string) (text string, ok bool)

// Bounds against files that include each other.
const (
	maxDepth    = 8
	maxSettings = 4096
)

// Read reads a config.txt for a board whose model filter is board ("pi4").
func Read(name, text, board string, open Open) *Config {
	c := &Config{}
	c.read(name, text, board, open, 0, map[string]bool{})
	return c
}

// filterType groups filters: a new one of a type replaces the one before, those of different types must all hold.
func filterType(f string) string {
	switch {
	case strings.HasPrefix(f, "0x"):
		return "serial"
	case strings.HasPrefix(f, "EDID="), strings.HasPrefix(f, "HDMI:"):
		return "display"
	case strings.HasPrefix(f, "gpio"):
		return "gpio"
	case strings.Contains(f, "="):
		key, _, _ := strings.Cut(f, "=")
		return key
	}
	return "model"
}

// read goes through one file; off holds the types whose filter does not hold. The filter goes on behind an include.
func (c *Config) read(name, text, board string, open Open, depth int, off map[string]bool) {
	at := 0
	for line := range strings.Lines(text) {
		start := at
		at += len(line)
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || len(c.Settings) >= maxSettings {
			continue
		}
		if line[0] == '[' {
			c.filter(strings.TrimSuffix(line[1:], "]"), board, off)
			continue
		}
		if anyOff(off) {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok { // "initramfs FILE ADDRESS" and "include FILE" have blanks
			key, value, _ = strings.Cut(line, " ")
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if key == "include" && depth < maxDepth {
			if more, ok := open(value); ok {
				c.read(value, more, board, open, depth+1, off)
			}
			continue
		}
		c.Settings = append(c.Settings, Setting{Key: key, Value: value, File: name, Off: start, Len: len(line)})
	}
}

func (c *Config) filter(f, board string, off map[string]bool) {
	switch kind := filterType(f); {
	case f == "all":
		clear(off)
	case kind != "model":
		off[kind] = true
		c.Doubt = append(c.Doubt, f)
	default:
		off[kind] = f != board
	}
}

func anyOff(off map[string]bool) bool {
	for _, v := range off {
		if v {
			return true
		}
	}
	return false
}

// Last returns the last setting of a key, nil without one: a later line replaces an earlier one.
func (c *Config) Last(key string) *Setting {
	for i := len(c.Settings) - 1; i >= 0; i-- {
		if c.Settings[i].Key == key {
			return &c.Settings[i]
		}
	}
	return nil
}

// Value is Last's value, or other without one.
func (c *Config) Value(key, other string) string {
	if s := c.Last(key); s != nil {
		return s.Value
	}
	return other
}
