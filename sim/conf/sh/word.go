package sh

import "strings"

// word reads one word; nil when an operator, a blank or the end is ahead.
func (p *parser) word() (Word, error) {
	var w Word
	for !p.eof() {
		c := p.src[p.pos]
		switch {
		case strings.IndexByte(" \t\r\n;&|<>()", c) >= 0:
			return w, nil
		case p.at("\\\n"):
			p.pos += 2
		case c == '\\':
			p.pos++
			if p.eof() {
				return append(w, Lit{"\\", true}), nil
			}
			w = append(w, Lit{p.src[p.pos : p.pos+1], true})
			p.pos++
		case c == '\'':
			end := strings.IndexByte(p.src[p.pos+1:], '\'')
			if end < 0 {
				return nil, p.errorf("no closing quote")
			}
			w = append(w, Lit{p.src[p.pos+1 : p.pos+1+end], true})
			p.pos += end + 2
		case c == '"':
			p.pos++
			q, err := p.quoted(`"`)
			if err != nil {
				return nil, err
			}
			if len(q) == 0 {
				q = Word{Lit{"", true}}
			}
			w = append(w, q...)
		case c == '$' || c == '`':
			part, err := p.expansion(false)
			if err != nil {
				return nil, err
			}
			w = append(w, part)
		default:
			start := p.pos
			for !p.eof() && strings.IndexByte(" \t\r\n;&|<>()\\'\"$`", p.src[p.pos]) < 0 {
				p.pos++
			}
			w = append(w, Lit{p.src[start:p.pos], false})
		}
	}
	return w, nil
}

// quoted reads double-quoted text up to its end: `"`, `}` inside ${…}, or the end of the source ("").
func (p *parser) quoted(end string) (Word, error) {
	var w Word
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			w = append(w, Lit{text.String(), true})
			text.Reset()
		}
	}
	for {
		if p.eof() {
			if end != "" {
				return nil, p.errorf("no closing quote")
			}
			flush()
			return w, nil
		}
		c := p.src[p.pos]
		switch {
		case end != "" && p.at(end):
			p.pos += len(end)
			flush()
			return w, nil
		case p.at("\\\n"):
			p.pos += 2
		case c == '\\' && p.pos+1 < len(p.src) && (strings.IndexByte("$`\\", p.src[p.pos+1]) >= 0 || end != "" && p.src[p.pos+1] == '"' || end == "}" && p.src[p.pos+1] == '}'):
			text.WriteByte(p.src[p.pos+1])
			p.pos += 2
		case c == '$' || c == '`':
			part, err := p.expansion(true)
			if err != nil {
				return nil, err
			}
			if l, ok := part.(Lit); ok {
				text.WriteString(l.Text)
				continue
			}
			flush()
			w = append(w, part)
		case c == '"' && end == "}": // "${x:-"y"}": quotes inside stay quotes
			p.pos++
		default:
			text.WriteByte(c)
			p.pos++
		}
	}
}

// expansion reads what begins with $ or `.
func (p *parser) expansion(quoted bool) (Part, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("expansions nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	switch {
	case p.at("`"):
		return p.backquoted(quoted)
	case p.at("$(("):
		if part, ok, err := p.arith(quoted); ok || err != nil {
			return part, err
		}
		fallthrough
	case p.at("$("):
		p.pos += 2
		body, err := p.until(")")
		return &CmdSub{body, quoted}, err
	case p.at("${"):
		p.pos += 2
		return p.braced(quoted)
	case p.at("$'") && !quoted:
		return nil, p.errorf("$'…' is not of the POSIX shell language of 2017")
	}
	p.pos++
	if p.eof() {
		return Lit{"$", true}, nil
	}
	start := p.pos
	if strings.IndexByte("@*#?-$!0123456789", p.src[p.pos]) >= 0 {
		p.pos++
	} else {
		for !p.eof() && isNameByte(p.src[p.pos], p.pos == start) {
			p.pos++
		}
	}
	if p.pos == start {
		return Lit{"$", true}, nil
	}
	return &Param{Name: p.src[start:p.pos], Quoted: quoted}, nil
}

// backquoted reads `…`, whose text is unescaped before it is parsed.
func (p *parser) backquoted(quoted bool) (Part, error) {
	p.pos++
	var text strings.Builder
	var where []int
	for {
		if p.eof() {
			return nil, p.errorf("no closing `")
		}
		c := p.src[p.pos]
		where = append(where, p.script(p.pos))
		p.pos++
		if c == '`' {
			break
		}
		if c == '\\' && !p.eof() && (strings.IndexByte("$`\\", p.src[p.pos]) >= 0 || quoted && p.src[p.pos] == '"') {
			c = p.src[p.pos]
			p.pos++
		}
		text.WriteByte(c)
	}
	sub := &parser{src: text.String(), depth: p.depth, where: where}
	body, err := sub.list()
	if err == nil && !sub.eof() {
		err = sub.errorf("unexpected %q", sub.peekOp())
	}
	if err != nil {
		return nil, p.errorf("in `…`: %v", err)
	}
	return &CmdSub{body, quoted}, nil
}

// arith reads $((…)); not ok when it is a command substitution that begins with a subshell.
func (p *parser) arith(quoted bool) (Part, bool, error) {
	level, i := 0, p.pos+3
	for ; i < len(p.src); i++ {
		switch p.src[i] {
		case '(':
			level++
		case ')':
			if level--; level == -1 && i+1 < len(p.src) && p.src[i+1] == ')' {
				sub := &parser{src: p.src[p.pos+3 : i], depth: p.depth, where: p.places(p.pos+3, i+1)}
				w, err := sub.quoted("")
				if err != nil {
					return nil, false, p.errorf("in $((…)): %v", err)
				}
				p.pos = i + 2
				return &Arith{w, quoted}, true, nil
			} else if level < 0 {
				return nil, false, nil
			}
		}
	}
	return nil, false, p.errorf("no closing ))")
}

func (p *parser) braced(quoted bool) (Part, error) {
	out := &Param{Quoted: quoted}
	if p.at("#") && !p.at("#}") {
		out.Length = true
		p.pos++
	}
	start := p.pos
	if !p.eof() && strings.IndexByte("@*#?-$!", p.src[p.pos]) >= 0 {
		p.pos++
	} else if !p.eof() && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
		for !p.eof() && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
			p.pos++
		}
	} else {
		for !p.eof() && isNameByte(p.src[p.pos], p.pos == start) {
			p.pos++
		}
	}
	if out.Name = p.src[start:p.pos]; out.Name == "" {
		return nil, p.errorf("bad substitution")
	}
	if p.at("}") {
		p.pos++
		return out, nil
	}
	for _, op := range [...]string{":-", ":=", ":?", ":+", "%%", "##", "-", "=", "?", "+", "%", "#", ":", "//", "/"} {
		if p.at(op) {
			p.pos += len(op)
			out.Op = op
			arg, err := p.bracedArg(quoted && strings.IndexByte("%#/", op[0]) < 0)
			out.Arg = arg
			return out, err
		}
	}
	return nil, p.errorf("bad substitution: ${%s followed by %q is not of the POSIX shell language", out.Name, p.src[p.pos:min(p.pos+1, len(p.src))])
}

// bracedArg reads the word of ${name op word} up to its }.
func (p *parser) bracedArg(quoted bool) (Word, error) {
	if quoted {
		return p.quoted("}")
	}
	var w Word
	for {
		if p.eof() {
			return nil, p.errorf("no closing }")
		}
		c := p.src[p.pos]
		switch {
		case c == '}':
			p.pos++
			return w, nil
		case c == '\\' && p.pos+1 < len(p.src):
			w = append(w, Lit{p.src[p.pos+1 : p.pos+2], true})
			p.pos += 2
		case c == '\'':
			end := strings.IndexByte(p.src[p.pos+1:], '\'')
			if end < 0 {
				return nil, p.errorf("no closing quote")
			}
			w = append(w, Lit{p.src[p.pos+1 : p.pos+1+end], true})
			p.pos += end + 2
		case c == '"':
			p.pos++
			q, err := p.quoted(`"`)
			if err != nil {
				return nil, err
			}
			w = append(w, q...)
		case c == '$' || c == '`':
			part, err := p.expansion(false)
			if err != nil {
				return nil, err
			}
			w = append(w, part)
		default:
			w = append(w, Lit{p.src[p.pos : p.pos+1], false})
			p.pos++
		}
	}
}
