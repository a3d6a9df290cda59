package bls

import (
	"cmp"
	"strings"
)

// ComparePackages orders the ids of entries as Red Hat's GRUB does: by name, version and release of a package
// "name-version-release", each compared as rpm does. It is 1 when a is newer.
func ComparePackages(a, b string) int {
	an, av, ar := splitPackage(a)
	bn, bv, br := splitPackage(b)
	return cmp.Or(compareRPM(an, bn), compareRPM(av, bv), compareRPM(ar, br))
}

// splitPackage cuts at the last two dashes: split_package_string.
func splitPackage(s string) (name, version, release string) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return s, "", ""
	}
	s, release = s[:i], s[i+1:]
	if i = strings.LastIndexByte(s, '-'); i < 0 {
		return s, release, ""
	}
	return s[:i], s[i+1:], release
}

func digit(c byte) bool  { return c >= '0' && c <= '9' }
func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// compareRPM is rpmvercmp: runs of digits and runs of letters are compared one by one, a number is newer than a word, a
// tilde is older than anything, even the end.
func compareRPM(a, b string) int {
	if a == b {
		return 0
	}
	other := func(c byte) bool { return !digit(c) && !letter(c) && c != '~' }
	for a != "" || b != "" {
		for a != "" && other(a[0]) {
			a = a[1:]
		}
		for b != "" && other(b[0]) {
			b = b[1:]
		}
		if at, bt := strings.HasPrefix(a, "~"), strings.HasPrefix(b, "~"); at || bt {
			if !at {
				return 1
			}
			if !bt {
				return -1
			}
			a, b = a[1:], b[1:]
			continue
		}
		if a == "" || b == "" {
			break
		}
		class, number := letter, digit(a[0])
		if number {
			class = digit
		}
		x, restA := run(a, class)
		y, restB := run(b, class)
		a, b = restA, restB
		if y == "" {
			if number {
				return 1
			}
			return -1
		}
		if number {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if c := cmp.Compare(len(x), len(y)); c != 0 {
				return c
			}
		}
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// run is the first segment of a class.
func run(s string, class func(byte) bool) (segment, rest string) {
	i := 0
	for i < len(s) && class(s[i]) {
		i++
	}
	return s[:i], s[i:]
}
