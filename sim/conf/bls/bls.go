// Package bls reads what systemd-boot decides by: loader.conf, the entries of the Boot Loader
// Specification, and the names that count boots. It opens no files; every assignment knows its bytes.
//
// Sources: loader.conf(5) and systemd-boot(7) of systemd 252; the UAPI Boot Loader Specification and
// Version Format Specification.
package bls

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// Item is one assignment, "key value", with its place in the file.
type Item struct {
	Key, Value         string
	Off, Len           int64 // of the assignment, without white space around it
	ValueOff, ValueLen int64 // of the value, without quotes
}

// The separators of [Parse].
const (
	Blank  = " \t" // loader.conf and entries
	Equals = "="   // the os-release file inside a unified kernel image
)

// Parse splits a file into its assignments as systemd-boot's own reader does: one a line, comments start
// with "#", white space around a line and double quotes around a value do not count, a line without a
// separator is skipped. A zero byte ends the file.
func Parse(data []byte, separators string) []Item {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		data = data[:i]
	}
	var out []Item
	for at := 0; at < len(data); {
		end := len(data)
		if n := bytes.IndexAny(data[at:], "\r\n"); n >= 0 {
			end = at + n
		}
		if it, ok := parseLine(data, at, end, separators); ok {
			out = append(out, it)
		}
		at = end + 1
	}
	return out
}

func parseLine(data []byte, from, to int, separators string) (Item, bool) {
	blank := func(c byte) bool { return c == ' ' || c == '\t' }
	for from < to && blank(data[from]) {
		from++
	}
	for to > from && blank(data[to-1]) {
		to--
	}
	if from == to || data[from] == '#' {
		return Item{}, false
	}
	sep := bytes.IndexAny(data[from:to], separators)
	if sep < 0 {
		return Item{}, false
	}
	value := from + sep
	for value < to && strings.IndexByte(separators, data[value]) >= 0 {
		value++
	}
	it := Item{Key: string(data[from : from+sep]), Off: int64(from), Len: int64(to - from)}
	end := to
	if end-value >= 2 && data[value] == '"' && data[end-1] == '"' {
		value, end = value+1, end-1
	}
	it.Value, it.ValueOff, it.ValueLen = string(data[value:end]), int64(value), int64(end-value)
	return it, true
}

// Timeouts of a [Config] that are no number of seconds.
const (
	TimeoutHidden = 0                  // no menu, unless a key is held down
	TimeoutForce  = math.MaxUint32 - 1 // the menu waits for a key
	timeoutMax    = math.MaxUint32 - 2
)

// Config is loader.conf. Its zero value is not the default; see [ParseConfig].
type Config struct {
	Timeout      uint32 // seconds, or one of the constants
	Default      string // a glob over the entries' ids, in lower case; "" when it names none
	Saved        bool   // default @saved: the entry that was started last, which a variable remembers
	AutoEntries  bool
	AutoFirmware bool
	Editor       bool

	Items []Item
	Bad   []Item // values that systemd-boot complains of and does not take
	// Which lines decided; nil when the default holds.
	TimeoutItem, DefaultItem *Item
}

// ParseConfig reads loader.conf; no data gives the defaults of loader.conf(5). It never fails: what makes
// no sense is in Bad.
func ParseConfig(data []byte) Config {
	c := Config{AutoEntries: true, AutoFirmware: true, Editor: true, Items: Parse(data, Blank)}
	for i := range c.Items {
		if it := &c.Items[i]; !c.set(it) {
			c.Bad = append(c.Bad, *it)
		}
	}
	return c
}

func (c *Config) set(it *Item) bool {
	var discard bool
	switch it.Key {
	case "timeout":
		switch it.Value {
		case "menu-force":
			c.Timeout = TimeoutForce
		case "menu-hidden":
			c.Timeout = TimeoutHidden
		default:
			n, err := strconv.ParseUint(it.Value, 10, 32)
			if err != nil || n > timeoutMax {
				return false
			}
			c.Timeout = uint32(n)
		}
		c.TimeoutItem = it
	case "default":
		if strings.HasPrefix(it.Value, "@") && !strings.EqualFold(it.Value, "@saved") {
			return false
		}
		c.Default, c.DefaultItem = Lower(it.Value), it
		c.Saved = c.Default == "@saved"
	case "editor":
		return boolean(it.Value, &c.Editor)
	case "auto-entries":
		return boolean(it.Value, &c.AutoEntries)
	case "auto-firmware":
		return boolean(it.Value, &c.AutoFirmware)
	case "beep", "reboot-for-bitlocker":
		return boolean(it.Value, &discard)
	case "secure-boot-enroll":
		return it.Value == "manual" || it.Value == "force" || it.Value == "off"
	case "console-mode":
		_, err := strconv.ParseUint(it.Value, 10, 31)
		return err == nil || it.Value == "auto" || it.Value == "max" || it.Value == "keep"
	}
	return true
}

func boolean(value string, to *bool) bool {
	switch value {
	case "1", "yes", "y", "true", "t", "on":
		*to = true
	case "0", "no", "n", "false", "f", "off":
		*to = false
	default:
		return false
	}
	return true
}

// Lower folds the letters of ASCII, as systemd-boot does with ids; other letters keep their case.
func Lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// Path turns the path of an entry into the form that firmware takes: backslashes, never two in a row.
func Path(s string) string {
	var b strings.Builder
	last := byte(0)
	for i := range len(s) {
		c := s[i]
		if c == '/' {
			c = '\\'
		}
		if c != '\\' || last != '\\' {
			b.WriteByte(c)
		}
		last = c
	}
	return b.String()
}
