// Package osrelease parses os-release(5): the file that says which operating system a tree belongs to.
// Values follow the quoting rules of sh without expansion, as systemd reads them (parse_env_file).
package osrelease

import "bytes"

// Field is one assignment with its place in the file.
type Field struct {
	Key, Value         string
	Off, Len           int64 // of the assignment, without the newline
	ValueOff, ValueLen int64 // of the value, quotes included
}

// Release is a parsed os-release file. Keys that are missing give "": the manual's defaults (NAME=Linux,
// ID=linux) are for whoever shows them.
type Release struct {
	ID         string
	IDLike     string
	Name       string
	PrettyName string
	Version    string
	VersionID  string
	Codename   string // VERSION_CODENAME
	Variant    string
	VariantID  string
	ImageID    string
	Fields     []Field // in the order of the file
	Bad        []Field // lines that are no assignment; Key holds the text
}

// Get returns the last assignment to key: later ones win.
func (r *Release) Get(key string) (Field, bool) {
	for i := len(r.Fields) - 1; i >= 0; i-- {
		if r.Fields[i].Key == key {
			return r.Fields[i], true
		}
	}
	return Field{}, false
}

// Parse reads the file. It never fails: lines that make no sense are kept in Bad and skipped, as the
// manual asks of readers.
func Parse(data []byte) Release {
	var r Release
	for at := 0; at < len(data); {
		at = r.line(data, at)
	}
	for key, to := range map[string]*string{
		"ID": &r.ID, "ID_LIKE": &r.IDLike, "NAME": &r.Name, "PRETTY_NAME": &r.PrettyName, "VERSION": &r.Version,
		"VERSION_ID": &r.VersionID, "VERSION_CODENAME": &r.Codename, "VARIANT": &r.Variant, "VARIANT_ID": &r.VariantID,
		"IMAGE_ID": &r.ImageID,
	} {
		f, _ := r.Get(key)
		*to = f.Value
	}
	return r
}

// line reads the assignment or the comment at data[at:] and returns where the next line starts.
func (r *Release) line(data []byte, at int) int {
	for at < len(data) && isSpace(data[at]) {
		at++
	}
	end := at + lineLen(data[at:])
	if at == len(data) || data[at] == '#' || data[at] == ';' {
		return end + 1
	}
	eq := bytes.IndexByte(data[at:end], '=')
	if eq < 0 || !isName(bytes.TrimRight(data[at:at+eq], " \t")) {
		r.Bad = append(r.Bad, Field{Key: string(data[at:end]), Off: int64(at), Len: int64(end - at)})
		return end + 1
	}
	from := at + eq + 1
	for from < len(data) && (data[from] == ' ' || data[from] == '\t') {
		from++
	}
	value, stop := unquote(data, from)
	r.Fields = append(r.Fields, Field{
		Key: string(bytes.TrimRight(data[at:at+eq], " \t")), Value: value,
		Off: int64(at), Len: int64(stop - at), ValueOff: int64(from), ValueLen: int64(stop - from),
	})
	return stop + 1
}

// unquote reads a value up to the newline that ends it and returns where it stopped. Quoted and bare parts
// join; inside double quotes a backslash keeps its meaning before the characters that sh names only.
func unquote(data []byte, at int) (string, int) {
	var out []byte
	keep := 0 // trailing white space behind this length is dropped
	for at < len(data) && data[at] != '\n' && data[at] != '\r' {
		switch c := data[at]; {
		case c == '\'':
			end := bytes.IndexByte(data[at+1:], '\'')
			if end < 0 { // never closed: the rest of the file
				end = len(data) - at - 1
			}
			out = append(out, data[at+1:at+1+end]...)
			at = min(at+end+2, len(data))
			keep = len(out)
		case c == '"':
			out, at = doubleQuoted(data, at+1, out)
			keep = len(out)
		case c == '\\' && at+1 < len(data):
			if data[at+1] != '\n' { // a backslash before the newline continues the line
				out = append(out, data[at+1])
				keep = len(out)
			}
			at += 2
		default:
			out = append(out, c)
			if !isSpace(c) {
				keep = len(out)
			}
			at++
		}
	}
	return string(out[:keep]), at
}

func doubleQuoted(data []byte, at int, out []byte) ([]byte, int) {
	for at < len(data) && data[at] != '"' {
		if data[at] == '\\' && at+1 < len(data) {
			at++
			switch data[at] {
			case '"', '\\', '$', '`':
			case '\n':
				at++
				continue
			default:
				out = append(out, '\\')
			}
		}
		out = append(out, data[at])
		at++
	}
	return out, min(at+1, len(data))
}

func lineLen(b []byte) int {
	if n := bytes.IndexByte(b, '\n'); n >= 0 {
		return n
	}
	return len(b)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func isName(b []byte) bool {
	for i, c := range b {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(b) > 0
}
