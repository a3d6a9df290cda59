package systemd

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// maxName is the longest unit name, in bytes: UNIT_NAME_MAX.
const maxName = 255

// maxPath is the longest path that the kernel takes: PATH_MAX.
const maxPath = 4096

// unitTypes are the suffixes of unit names in the order of systemd's own list, which is also the order in which
// jobs that could run at the same time do run, last first.
var unitTypes = [...]string{"service", "mount", "swap", "socket", "target", "device", "automount", "timer", "path", "slice", "scope"}

// TypeOf is the part of a unit name after its last dot; "" when that is no unit type.
func TypeOf(name string) string {
	i := strings.LastIndexByte(name, '.')
	for _, t := range unitTypes {
		if i > 0 && name[i+1:] == t {
			return t
		}
	}
	return ""
}

// ValidName tells whether name can name a unit, a template or an instance. systemd.unit(5): letters,
// digits and ":", "-", "_", ".", "\", and one "@".
func ValidName(name string) bool {
	t := TypeOf(name)
	if len(name) > maxName || t == "" {
		return false
	}
	stem := name[:len(name)-len(t)-1]
	for i := range len(stem) {
		if !nameByte(stem[i]) {
			return false
		}
	}
	return stem != "" && stem[0] != '@'
}

// nameByte tells whether a byte may stand in a unit name.
func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '@' || c == '_' || c == ':' || c == '\\'
}

// IsTemplate tells whether name is "foo@.service".
func IsTemplate(name string) bool {
	return strings.HasSuffix(strings.TrimSuffix(name, "."+TypeOf(name)), "@") && strings.Count(name, "@") == 1
}

// Template is the template of an instance ("getty@tty1.service" → "getty@.service"), "" of other names.
func Template(name string) string {
	i := strings.IndexByte(name, '@')
	if i < 0 || IsTemplate(name) {
		return ""
	}
	return name[:i+1] + "." + TypeOf(name)
}

// Instance is the part between "@" and the type, "" when there is none.
func Instance(name string) string {
	i := strings.IndexByte(name, '@')
	if i < 0 {
		return ""
	}
	return strings.TrimSuffix(name[i+1:], "."+TypeOf(name))
}

// Prefix is the name up to "@" or the type.
func Prefix(name string) string {
	if i := strings.IndexByte(name, '@'); i >= 0 {
		return name[:i]
	}
	return strings.TrimSuffix(name, "."+TypeOf(name))
}

// instantiate puts an instance into a template's name.
func instantiate(template, instance string) string {
	i := strings.IndexByte(template, '@')
	return template[:i+1] + instance + template[i+1:]
}

// Escape is systemd-escape(1): "/" becomes "-", what a name cannot hold becomes "\xNN".
func Escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '/':
			b.WriteByte('-')
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == ':', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

// EscapePath is systemd-escape --path: the root is "-", no leading, trailing or double slashes.
func EscapePath(p string) string {
	p = strings.Trim(path.Clean("/"+p), "/")
	if p == "" {
		return "-"
	}
	return Escape(p)
}

// Unescape undoes [Escape]; a broken escape stays as it is.
func Unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '-':
			b.WriteByte('/')
		case s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x':
			if v, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 3
				continue
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// UnescapePath undoes [EscapePath].
func UnescapePath(s string) string {
	if s == "-" {
		return "/"
	}
	return "/" + Unescape(s)
}

// NameForPath is the unit for a file system path: "/boot/efi" and "mount" give "boot-efi.mount".
func NameForPath(p, unitType string) string { return EscapePath(p) + "." + unitType }

// dashPrefixes are the truncations of a name that drop-ins may be kept under: "foo-bar-.service" and
// "foo-.service" for "foo-bar-baz.service". systemd.unit(5), drop-in directories.
func dashPrefixes(name string) []string {
	t := TypeOf(name)
	stem := Prefix(name)
	at := ""
	if strings.Contains(name, "@") {
		at = "@" + Instance(name)
	}
	var out []string
	stem = strings.TrimSuffix(stem, "-")
	for {
		i := strings.LastIndexByte(stem, '-')
		if i <= 0 {
			return out
		}
		out = append(out, stem[:i+1]+at+"."+t)
		stem = stem[:i]
	}
}
