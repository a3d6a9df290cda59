package oci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// maxDepth bounds how deep a JSON document may nest.
const maxDepth = 64

// document is a JSON member of the archive that knows where its values lie.
type document struct {
	name   string
	r      io.ReaderAt
	data   []byte
	values []value
}

// value is one JSON value: its path ("config.Env[0]") and place.
type value struct {
	key      string
	off, end int64
}

func newDocument(name string, r io.ReaderAt, data []byte) (*document, error) {
	d := &document{name: name, r: r, data: data}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := d.walk(dec, "", 0); err != nil {
		var raw json.RawMessage
		if whole := json.Unmarshal(data, &raw); whole != nil { // says better where
			err = whole
		}
		return nil, d.errorf("JSON", err)
	}
	return d, nil
}

func (d *document) reader() io.Reader { return bytes.NewReader(d.data) }

// text is a string of the top object, "" when it has none of that name.
func (d *document) text(key string) string {
	var top map[string]json.RawMessage
	var out string
	if json.Unmarshal(d.data, &top) != nil || json.Unmarshal(top[key], &out) != nil {
		return ""
	}
	return out
}

func (d *document) digest(algorithm string) (v1.Hash, error) {
	h, err := v1.Hasher(algorithm)
	if err != nil {
		return v1.Hash{}, err
	}
	h.Write(d.data)
	return v1.Hash{Algorithm: algorithm, Hex: fmt.Sprintf("%x", h.Sum(nil))}, nil
}

// errorf is an error about the whole document or the place where JSON broke off.
func (d *document) errorf(want string, err error) error {
	at := int64(0)
	switch e := err.(type) {
	case *json.SyntaxError:
		at = max(0, e.Offset-1)
	case *json.UnmarshalTypeError:
		at = max(0, e.Offset-1)
	}
	return decode.Errorf(d.r, at, 1, d.name, want, "%s", strings.TrimPrefix(err.Error(), "json: "))
}

// walk reads one value and notes its place.
func (d *document) walk(dec *json.Decoder, key string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nesting deeper than %d", maxDepth)
	}
	off := d.skip(dec.InputOffset())
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	at := len(d.values)
	d.values = append(d.values, value{key: key, off: off})
	switch tok {
	case json.Delim('{'):
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return err
			}
			child := fmt.Sprint(name)
			if key != "" {
				child = key + "." + child
			}
			if err := d.walk(dec, child, depth+1); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	case json.Delim('['):
		for i := 0; dec.More(); i++ {
			if err := d.walk(dec, fmt.Sprintf("%s[%d]", key, i), depth+1); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	}
	d.values[at].end = dec.InputOffset()
	return err
}

// skip moves over what separates values.
func (d *document) skip(off int64) int64 {
	for off < int64(len(d.data)) && strings.IndexByte(" \t\r\n,:", d.data[off]) >= 0 {
		off++
	}
	return off
}

// find returns the value at key; the last one counts when a key is given twice, and case does not, as in
// encoding/json, which the engines use.
func (d *document) find(key string) (value, bool) {
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for i := len(d.values) - 1; i >= 0; i-- {
			if same(d.values[i].key, key) {
				return d.values[i], true
			}
		}
	}
	return value{}, false
}

func (d *document) has(key string) bool {
	_, ok := d.find(key)
	return ok
}

// cite is the evidence for the values at keys, each once; keys that are not there give none.
func (d *document) cite(keys ...string) []blob.Cite {
	var out []blob.Cite
	seen := map[value]bool{}
	for _, key := range keys {
		v, ok := d.find(key)
		if !ok || seen[v] {
			continue
		}
		seen[v] = true
		text := string(d.data[v.off:v.end])
		if len(text) > 200 {
			text = strings.ToValidUTF8(text[:200], "") + "…"
		}
		for _, s := range blob.Locate(d.r, v.off, v.end-v.off) {
			out = append(out, blob.Cite{Span: s, Name: key, Value: text})
		}
	}
	return out
}
