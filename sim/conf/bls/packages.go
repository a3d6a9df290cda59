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

// CompareFiles orders names of files that hold versions as GRUB 2.14 does, gnulib's filevercmp: the names without their
// endings first, as Debian compares versions. It is positive when a is newer.
func CompareFiles(a, b string) int {
	if a == b {
		return 0
	}
	as, bs := withoutEndings(a), withoutEndings(b)
	return cmp.Or(compareDebian(as, bs), compareDebian(a, b), cmp.Compare(a, b))
}

// withoutEndings cuts what matches (\.[A-Za-z~][A-Za-z0-9~]*)* at the end of a name.
func withoutEndings(s string) string {
	for {
		i := strings.LastIndexByte(s, '.')
		if i <= 0 || i+1 == len(s) || !letter(s[i+1]) && s[i+1] != '~' || strings.ContainsFunc(s[i+1:], func(r rune) bool {
			return r > 0x7f || !digit(byte(r)) && !letter(byte(r)) && r != '~'
		}) {
			return s
		}
		s = s[:i]
	}
}

// compareDebian compares runs of other characters and runs of digits in turns: letters come before other characters, a
// tilde before everything, even the end.
func compareDebian(a, b string) int {
	rank := func(s string) int {
		switch {
		case s == "" || digit(s[0]):
			return 0
		case letter(s[0]):
			return int(s[0])
		case s[0] == '~':
			return -1
		}
		return int(s[0]) + 256
	}
	for a != "" || b != "" {
		for a != "" && !digit(a[0]) || b != "" && !digit(b[0]) {
			if order := cmp.Compare(rank(a), rank(b)); order != 0 {
				return order
			}
			a, b = a[1:], b[1:] // of one rank, so both have one
		}
		x, restA := run(a, digit)
		y, restB := run(b, digit)
		a, b = restA, restB
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if order := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); order != 0 {
			return order
		}
	}
	return 0
}
