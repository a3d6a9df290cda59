package systemd

import "strings"

// Host answers what specifiers ask of the running system; "" means that it cannot be known.
type Host struct {
	Name      string // %H
	MachineID string // %m
	BootID    string // %b
	Kernel    string // %v
	Arch      string // %a: "x86-64"
	OS        map[string]string
}

// expand resolves specifiers for u. systemd.unit(5) "SPECIFIERS". ok is false when one of them cannot
// be known; it then stays in the text.
func (h Host) expand(u *Unit, s string) (out string, ok bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	var b strings.Builder
	ok = true
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		v, known := h.specifier(u.ID, s[i])
		if !known {
			ok = false
			v = s[i-1 : i+1]
		}
		b.WriteString(v)
	}
	return b.String(), ok
}

func (h Host) specifier(id string, c byte) (string, bool) {
	fixed := map[byte]string{'%': "%", 't': "/run", 'S': "/var/lib", 'C': "/var/cache", 'L': "/var/log", 'E': "/etc",
		'T': "/tmp", 'V': "/var/tmp", 'u': "root", 'U': "0", 'g': "root", 'G': "0", 'h': "/root", 's': "/bin/sh"}
	if v, ok := fixed[c]; ok {
		return v, true
	}
	last := func(s string) string { return s[strings.LastIndexByte(s, '-')+1:] }
	switch c {
	case 'n':
		return id, true
	case 'N':
		return strings.TrimSuffix(id, "."+TypeOf(id)), true
	case 'p':
		return Prefix(id), true
	case 'P':
		return Unescape(Prefix(id)), true
	case 'i':
		return Instance(id), true
	case 'I':
		return Unescape(Instance(id)), true
	case 'j':
		return last(Prefix(id)), true
	case 'J':
		return Unescape(last(Prefix(id))), true
	case 'f':
		if i := Instance(id); i != "" {
			return UnescapePath(i), true
		}
		return UnescapePath(Prefix(id)), true
	case 'H':
		return h.Name, h.Name != ""
	case 'l', 'q':
		short, _, _ := strings.Cut(h.Name, ".")
		return short, short != ""
	case 'm':
		return h.MachineID, h.MachineID != ""
	case 'b':
		return h.BootID, h.BootID != ""
	case 'v':
		return h.Kernel, h.Kernel != ""
	case 'a':
		return h.Arch, h.Arch != ""
	case 'o', 'w', 'W', 'B', 'A', 'M':
		key := map[byte]string{'o': "ID", 'w': "VERSION_ID", 'W': "VARIANT_ID", 'B': "BUILD_ID", 'A': "IMAGE_VERSION", 'M': "IMAGE_ID"}[c]
		return h.OS[key], h.OS != nil
	}
	return "", false
}
