package lvm

import (
	"io"
	"strconv"
	"strings"

	"bootpath/sim/decode"
)

// The text is a tree of sections "name { … }" and settings "key = value"; a value is a number, a string in
// quotes or a list in brackets; # starts a comment. libdm/libdm-config.c.

// maxDepth is how deep sections of the group's metadata may nest; LVM's own go four deep.
const maxDepth = 8

// maxNodes bounds how many settings and sections a text may have.
const maxNodes = 200_000

// node is a section or a setting, with its place in the text.
type node struct {
	key      string
	off, end int
	children []*node // of a section
	section  bool
	values   []value // of a setting
}

type value struct {
	text   string
	number int64
	isText bool
}

// child is the section or setting of that name; nil when there is none.
func (n *node) child(key string) *node {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if c.key == key {
			return c
		}
	}
	return nil
}

// text is the value of a setting that is a string, "" otherwise.
func (n *node) text(key string) string {
	if c := n.child(key); c != nil && len(c.values) == 1 && c.values[0].isText {
		return c.values[0].text
	}
	return ""
}

// number is the value of a setting that is a number; false otherwise, and for a negative one.
func (n *node) number(key string) (int64, bool) {
	if c := n.child(key); c != nil && len(c.values) == 1 && !c.values[0].isText && c.values[0].number >= 0 {
		return c.values[0].number, true
	}
	return 0, false
}

// has tells whether a list of words has one.
func (n *node) has(key, word string) bool {
	if c := n.child(key); c != nil {
		for _, v := range c.values {
			if v.isText && v.text == word {
				return true
			}
		}
	}
	return false
}

// parser walks over the text once.
type parser struct {
	r     io.ReaderAt // for where errors lie
	in    []byte
	at    int
	nodes int
}

// parse reads a text up to its NUL.
func parse(r io.ReaderAt, text []byte) (*node, error) {
	if i := strings.IndexByte(string(text), 0); i >= 0 {
		text = text[:i]
	}
	p := &parser{r: r, in: text}
	root := &node{section: true, end: len(text)}
	return root, p.section(root, 0)
}

func (p *parser) bad(want string) error {
	got := "the end"
	if p.at < len(p.in) {
		got = strconv.Quote(string(p.in[p.at:min(p.at+16, len(p.in))]))
	}
	return decode.Errorf(p.r, int64(p.at), 1, "LVM2 metadata text", want, "%s", got)
}

// space skips blanks and comments and returns the byte that follows, 0 at the end.
func (p *parser) space() byte {
	for p.at < len(p.in) {
		switch c := p.in[p.at]; {
		case c == '#':
			for p.at < len(p.in) && p.in[p.at] != '\n' {
				p.at++
			}
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			p.at++
		default:
			return c
		}
	}
	return 0
}

// section reads settings and sections up to the closing brace, or the end of the text at depth 0.
func (p *parser) section(into *node, depth int) error {
	for {
		switch c := p.space(); {
		case c == 0 && depth == 0:
			return nil
		case c == '}' && depth > 0:
			p.at++
			return nil
		}
		if p.nodes++; p.nodes > maxNodes || depth > maxDepth {
			return p.bad("fewer settings or less depth")
		}
		n := &node{off: p.at}
		for p.at < len(p.in) && nameByte(p.in[p.at]) {
			p.at++
		}
		if n.key = string(p.in[n.off:p.at]); n.key == "" {
			return p.bad("a name")
		}
		into.children = append(into.children, n)
		switch p.space() {
		case '{':
			p.at++
			n.section = true
			if err := p.section(n, depth+1); err != nil {
				return err
			}
		case '=':
			p.at++
			if err := p.setting(n); err != nil {
				return err
			}
		default:
			return p.bad("{ or =")
		}
		n.end = p.at
	}
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-.+/", c) >= 0
}

func (p *parser) setting(n *node) error {
	if p.space() != '[' {
		return p.value(n)
	}
	p.at++
	for p.space() != ']' {
		if err := p.value(n); err != nil {
			return err
		}
		if p.space() == ',' {
			p.at++
		} else if p.space() != ']' {
			return p.bad(", or ]")
		}
	}
	p.at++
	return nil
}

// value reads a string or a number.
func (p *parser) value(n *node) error {
	if p.nodes++; p.nodes > maxNodes {
		return p.bad("fewer values")
	}
	if p.space() == '"' {
		var out []byte
		for p.at++; p.at < len(p.in) && p.in[p.at] != '"'; p.at++ {
			if p.in[p.at] == '\\' && p.at+1 < len(p.in) {
				p.at++
			}
			out = append(out, p.in[p.at])
		}
		if p.at >= len(p.in) {
			return p.bad("the end of a string")
		}
		p.at++
		n.values = append(n.values, value{text: string(out), isText: true})
		return nil
	}
	from := p.at
	for p.at < len(p.in) && strings.IndexByte("+-.0123456789", p.in[p.at]) >= 0 {
		p.at++
	}
	word := string(p.in[from:p.at])
	number, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		// No setting that matters here is a fraction.
		if _, err := strconv.ParseFloat(word, 64); err != nil {
			p.at = from
			return p.bad("a number or a string")
		}
		number = -1
	}
	n.values = append(n.values, value{number: number})
	return nil
}
