// Package decode reads fixed-layout records and remembers which bytes each field came from.
//
// A record is a plain struct in the order of its specification; a tag gives each field's offset:
//
//	type Header struct {
//		Magic   [4]byte `at:"0x00"`
//		Version uint32  `at:"0x04"`
//	}
//
// Read fills it; the returned [Record] turns a pointer to a field into a citation, so the compiler
// follows a rename. Fields are integers, arrays of integers, and structs of these.
package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"bootpath/sim/blob"
)

// ErrFormat is wrapped while probing: the bytes are of another format.
var ErrFormat = errors.New("not this format")

// ErrUnsupported is wrapped when a format was recognised and cannot be read; what was recognised is
// still described.
var ErrUnsupported = errors.New("not supported")

// Error says that bytes are not what a format demands: what was expected, what was found, where.
type Error struct {
	What  string      // the structure or field: "GPT header: signature"
	Off   int64       // offset in the reader that was parsed
	Spans []blob.Span // the same in the image, when it is known
	Want  string
	Got   string
}

func (e *Error) Error() string {
	where := fmt.Sprintf("offset %#x", e.Off)
	if len(e.Spans) > 0 {
		where = e.Spans[0].String()
	}
	return fmt.Sprintf("%s: at %s: want %s, got %s", e.What, where, e.Want, e.Got)
}

// Errorf makes an [*Error] about n bytes at off of r.
func Errorf(r io.ReaderAt, off, n int64, what, want, got string, args ...any) *Error {
	return &Error{What: what, Off: off, Spans: blob.Locate(r, off, n), Want: want, Got: fmt.Sprintf(got, args...)}
}

// Field is one decoded field of a record.
type Field struct {
	Name  string // dotted for nested records
	Off   int64  // in the reader that was parsed
	Len   int64
	Value string
}

// Record is the memory of one Read: where the fields lie.
type Record struct {
	r     io.ReaderAt
	off   int64
	name  string
	value reflect.Value // addressable struct
	base  uintptr
}

// Size returns the number of bytes of the layout that v, a pointer to a struct, describes.
func Size(v any) int64 { return sizeOf(reflect.TypeOf(v).Elem()) }

// Read fills v, a pointer to a struct with `at` tags, from r at off. A reader that ends inside the
// record gives an [*Error]. name is the record's name in its specification.
func Read(r io.ReaderAt, off int64, order binary.ByteOrder, name string, v any) (*Record, error) {
	pv := reflect.ValueOf(v)
	size := sizeOf(pv.Type().Elem())
	buf := make([]byte, size)
	if n, err := r.ReadAt(buf, off); int64(n) < size {
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("%s at %#x: %w", name, off, err)
		}
		return nil, Errorf(r, off, size, name, fmt.Sprintf("%d bytes", size), "end after %d", n)
	}
	fill(pv.Elem(), buf, order)
	return &Record{r: r, off: off, name: name, value: pv.Elem(), base: pv.Pointer()}, nil
}

// Cite returns the evidence for the field that ptr points at; ptr must point into the struct given to
// Read. Panics otherwise: an uncited field is our bug.
func (c *Record) Cite(ptrs ...any) []blob.Cite {
	var out []blob.Cite
	for _, ptr := range ptrs {
		p := reflect.ValueOf(ptr)
		f, ok := find(c.value, p.Pointer()-c.base, p.Type().Elem(), "", 0)
		if !ok {
			panic(fmt.Sprintf("decode: %T does not point into %s", ptr, c.name))
		}
		for _, s := range blob.Locate(c.r, c.off+f.Off, f.Len) {
			out = append(out, blob.Cite{Span: s, Name: f.Name, Value: f.Value})
		}
	}
	return out
}

// Errorf makes an [*Error] about the field that ptr points at.
func (c *Record) Errorf(ptr any, want string, got string, args ...any) *Error {
	p := reflect.ValueOf(ptr)
	f, ok := find(c.value, p.Pointer()-c.base, p.Type().Elem(), "", 0)
	if !ok {
		panic(fmt.Sprintf("decode: %T does not point into %s", ptr, c.name))
	}
	return Errorf(c.r, c.off+f.Off, f.Len, c.name+": "+f.Name, want, got, args...)
}

// Fields lists all fields in the order of the struct, for a view of the decoded bytes.
func (c *Record) Fields() []Field {
	var out []Field
	walk(c.value, "", 0, func(f Field, _ reflect.Value) {
		f.Off += c.off
		out = append(out, f)
	})
	return out
}

// CiteAll returns the evidence for the whole record, field by field.
func (c *Record) CiteAll() []blob.Cite {
	var out []blob.Cite
	for _, f := range c.Fields() {
		for _, s := range blob.Locate(c.r, f.Off, f.Len) {
			out = append(out, blob.Cite{Span: s, Name: f.Name, Value: f.Value})
		}
	}
	return out
}

// Name is the record's name as given to Read.
func (c *Record) Name() string { return c.name }

// Off is the record's offset in the reader that was parsed.
func (c *Record) Off() int64 { return c.off }

// CheckLayout tells whether the tags of v's struct leave no field overlapping another; tests call it
// for each record, with the size that the specification gives.
func CheckLayout(v any, size int64) error {
	t := reflect.TypeOf(v).Elem()
	if got := sizeOf(t); got != size {
		return fmt.Errorf("%s: layout of %d bytes, want %d", t, got, size)
	}
	end := int64(0)
	for i := range t.NumField() {
		f := t.Field(i)
		off := offset(f)
		if off < end {
			return fmt.Errorf("%s.%s: at %#x, inside the field before, which ends at %#x", t, f.Name, off, end)
		}
		end = off + sizeOf(f.Type)
	}
	return nil
}

// offset reads the tag by hand: [reflect.StructTag] unquotes each time, and a run decodes thousands of fields.
func offset(f reflect.StructField) int64 {
	text, ok := strings.CutPrefix(string(f.Tag), `at:"`)
	text, end, closed := strings.Cut(text, `"`)
	n, err := strconv.ParseInt(text, 0, 64)
	if !ok || !closed || end != "" || err != nil {
		panic(fmt.Sprintf("decode: field %s: tag %s", f.Name, f.Tag))
	}
	return n
}

func sizeOf(t reflect.Type) int64 {
	switch t.Kind() {
	case reflect.Struct:
		end := int64(0)
		for i := range t.NumField() {
			f := t.Field(i)
			end = max(end, offset(f)+sizeOf(f.Type))
		}
		return end
	case reflect.Array:
		return int64(t.Len()) * sizeOf(t.Elem())
	}
	return int64(t.Size())
}

func fill(v reflect.Value, b []byte, order binary.ByteOrder) {
	switch v.Kind() {
	case reflect.Struct:
		for t, i := v.Type(), 0; i < t.NumField(); i++ {
			f := t.Field(i)
			fill(v.Field(i), b[offset(f):], order)
		}
	case reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			reflect.Copy(v, reflect.ValueOf(b))
			return
		}
		n := sizeOf(v.Type().Elem())
		for i := range v.Len() {
			fill(v.Index(i), b[int64(i)*n:], order)
		}
	case reflect.Uint8:
		v.SetUint(uint64(b[0]))
	case reflect.Int8:
		v.SetInt(int64(int8(b[0])))
	case reflect.Uint16:
		v.SetUint(uint64(order.Uint16(b)))
	case reflect.Int16:
		v.SetInt(int64(int16(order.Uint16(b))))
	case reflect.Uint32:
		v.SetUint(uint64(order.Uint32(b)))
	case reflect.Int32:
		v.SetInt(int64(int32(order.Uint32(b))))
	case reflect.Uint64:
		v.SetUint(order.Uint64(b))
	case reflect.Int64:
		v.SetInt(int64(order.Uint64(b)))
	default:
		panic(fmt.Sprintf("decode: field of type %s", v.Type()))
	}
}

// find locates the field at mem bytes from the struct's start that has type t.
func find(v reflect.Value, mem uintptr, t reflect.Type, prefix string, base int64) (Field, bool) {
	st := v.Type()
	for i := range st.NumField() {
		f := st.Field(i)
		if mem < f.Offset || mem >= f.Offset+max(f.Type.Size(), 1) {
			continue
		}
		name, off := prefix+f.Name, base+offset(f)
		if mem == f.Offset && f.Type == t {
			return Field{name, off, sizeOf(f.Type), show(v.Field(i))}, true
		}
		switch {
		case f.Type.Kind() == reflect.Struct:
			return find(v.Field(i), mem-f.Offset, t, name+".", off)
		case f.Type.Kind() == reflect.Array && f.Type.Elem().Kind() == reflect.Struct:
			k := int64((mem - f.Offset) / f.Type.Elem().Size())
			elem := v.Field(i).Index(int(k))
			rest := mem - f.Offset - uintptr(k)*f.Type.Elem().Size()
			name, off = fmt.Sprintf("%s[%d]", name, k), off+k*sizeOf(f.Type.Elem())
			if rest == 0 && f.Type.Elem() == t {
				return Field{name, off, sizeOf(t), show(elem)}, true
			}
			return find(elem, rest, t, name+".", off)
		case f.Type.Kind() == reflect.Array && f.Type.Elem() == t:
			k := int64((mem - f.Offset) / t.Size())
			return Field{fmt.Sprintf("%s[%d]", name, k), off + k*sizeOf(t), sizeOf(t), show(v.Field(i).Index(int(k)))}, true
		}
	}
	return Field{}, false
}

func walk(v reflect.Value, prefix string, base int64, fn func(Field, reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, off := prefix+f.Name, base+offset(f)
		if f.Type.Kind() == reflect.Struct {
			walk(v.Field(i), name+".", off, fn)
			continue
		}
		fn(Field{name, off, sizeOf(f.Type), show(v.Field(i))}, v.Field(i))
	}
}

// show writes a value as people read it in a specification: text quoted, numbers in hex.
func show(v reflect.Value) string {
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	if v.Kind() == reflect.Array && v.Type().Elem().Kind() == reflect.Uint8 {
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		if text := strings.TrimRight(string(b), "\x00 "); text != "" && printable(text) {
			return strconv.Quote(text)
		}
		if len(b) > 32 {
			return fmt.Sprintf("% x …", b[:32])
		}
		return fmt.Sprintf("% x", b)
	}
	if v.CanUint() || v.CanInt() {
		return fmt.Sprintf("%#x", v.Interface())
	}
	return fmt.Sprint(v.Interface())
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
