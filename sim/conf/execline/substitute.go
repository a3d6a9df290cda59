package execline

import "strings"

// Variable is a name with what takes its place: one value for each word that a word with it becomes, so none makes it vanish.
type Variable struct {
	Name   string
	Values []string
}

// Substitute puts values in place of $name and ${name}: execline's "Variable substitution". Backslashes before the dollar sign
// are halved, and after an odd number the name stays as it is. Several variables are found in one pass. ok is false when
// the command line would become too long.
func Substitute(argv []Word, vars []Variable) (out []Word, ok bool) {
	size := 0
	for _, w := range argv {
		for _, text := range expand(pieces(w.Text, vars)) {
			if size += len(text) + 1; size > maxSize || len(out) >= maxWords {
				return nil, false
			}
			out = append(out, Word{w.Off, w.End, text})
		}
		if size > maxSize {
			return nil, false
		}
	}
	return out, true
}

// piece is a part of a word: a text, or a variable.
type piece struct {
	text string
	v    *Variable
}

// pieces cuts a word where it has variables.
func pieces(s string, vars []Variable) (out []piece) {
	var text strings.Builder
	for s != "" {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			break
		}
		name, length := reference(s[i:])
		v := find(vars, name)
		if v == nil {
			text.WriteString(s[:i+1])
			s = s[i+1:]
			continue
		}
		before := strings.TrimRight(s[:i], `\`)
		slashes := i - len(before)
		text.WriteString(before + strings.Repeat(`\`, slashes/2))
		if slashes%2 == 1 {
			text.WriteString(s[i : i+length])
		} else {
			out = append(out, piece{text: text.String()}, piece{v: v})
			text.Reset()
		}
		s = s[i+length:]
	}
	return append(out, piece{text: text.String() + s})
}

// reference reads $name or ${name}: without braces a name goes to the next of \ $ { } or to the end.
func reference(s string) (name string, length int) {
	if strings.HasPrefix(s, "${") {
		end := strings.IndexAny(s[2:], `\${}`)
		if end < 1 || s[2+end] != '}' {
			return "", 0
		}
		return s[2 : 2+end], end + 3
	}
	end := strings.IndexAny(s[1:], `\${}`)
	if end < 0 {
		end = len(s) - 1
	}
	return s[1 : 1+end], 1 + end
}

func find(vars []Variable, name string) *Variable {
	for i := range vars {
		if name != "" && vars[i].Name == name {
			return &vars[i]
		}
	}
	return nil
}

// expand joins pieces; each variable multiplies what there is by its values.
func expand(list []piece) []string {
	out := []string{""}
	for _, p := range list {
		values := []string{p.text}
		if p.v != nil {
			values = p.v.Values
		}
		var next []string
		size := 0
		for _, head := range out {
			for _, v := range values {
				if size += len(head) + len(v) + 1; size > 2*maxSize {
					return append(next, strings.Repeat(" ", maxSize+1)) // too long, as the caller finds
				}
				next = append(next, head+v)
			}
		}
		out = next
	}
	return out
}

// Split cuts a value at white space or at the characters of delim; with crunch several count as one, and with chomp one at
// the end counts as none: execline's "Transforming variables".
func Split(value, delim string, crunch, chomp bool) []string {
	value, chomped := crunched(value, delim, crunch, chomp)
	var out []string
	for value != "" {
		i := strings.IndexAny(value, delim)
		if i < 0 {
			if !chomp || chomped {
				out = append(out, value)
			}
			break
		}
		out = append(out, value[:i])
		value = value[i+1:]
	}
	return out
}

// Chomp applies crunch and chomp to a value that is not split.
func Chomp(value, delim string, crunch, chomp bool) string {
	value, _ = crunched(value, delim, crunch, chomp)
	return value
}

func crunched(value, delim string, crunch, chomp bool) (string, bool) {
	if crunch {
		var b strings.Builder
		last := false
		for i := range len(value) {
			is := strings.IndexByte(delim, value[i]) >= 0
			if !is || !last {
				b.WriteByte(value[i])
			}
			last = is
		}
		value = b.String()
	}
	if chomp && value != "" && strings.IndexByte(delim, value[len(value)-1]) >= 0 {
		return value[:len(value)-1], true
	}
	return value, false
}
