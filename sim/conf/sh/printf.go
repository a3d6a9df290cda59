package sh

import (
	"strconv"
	"strings"
)

// Escapes are the backslash sequences that a shell's echo and printf have beyond POSIX.
type Escapes struct {
	Hex   bool // \xhh: bash and BusyBox; dash leaves the four characters
	Quote bool // \" in a format is a quote: bash
}

// EscapesOf tells a shell's sequences by the name of its program.
func EscapesOf(shell string) Escapes {
	return Escapes{Hex: shell != "dash", Quote: shell == "bash"}
}

// Unescape replaces the backslash sequences of echo and printf %b; stop says that \c ended the output.
func (e Escapes) Unescape(s string) (text string, stop bool) {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			out.WriteByte('\n')
		case 't':
			out.WriteByte('\t')
		case 'r':
			out.WriteByte('\r')
		case 'a':
			out.WriteByte('\a')
		case 'b':
			out.WriteByte('\b')
		case 'f':
			out.WriteByte('\f')
		case 'v':
			out.WriteByte('\v')
		case 'e':
			out.WriteByte(0x1b)
		case '\\':
			out.WriteByte('\\')
		case 'c':
			return out.String(), true
		case '0', '1', '2', '3', '4', '5', '6', '7':
			j, n := i, 0
			if s[j] == '0' {
				j++
			}
			for k := 0; k < 3 && j < len(s) && s[j] >= '0' && s[j] <= '7'; k++ {
				n = n*8 + int(s[j]-'0')
				j++
			}
			out.WriteByte(byte(n))
			i = j - 1
		case 'x':
			n, digits := hexByte(s[i+1:])
			if !e.Hex || digits == 0 {
				out.WriteString(`\x`)
				continue
			}
			out.WriteByte(n)
			i += digits
		default:
			out.WriteByte('\\')
			out.WriteByte(s[i])
		}
	}
	return out.String(), false
}

// hexByte reads up to two hexadecimal digits.
func hexByte(s string) (n byte, digits int) {
	for digits < min(2, len(s)) {
		d, err := strconv.ParseUint(s[digits:digits+1], 16, 4)
		if err != nil {
			break
		}
		n = n<<4 | byte(d)
		digits++
	}
	return n, digits
}

// Printf formats: XCU printf. The format is used again while arguments are left. limit bounds the text, in bytes.
func (e Escapes) Printf(format string, args []string, limit int) string {
	var out strings.Builder
	for first := true; first || len(args) > 0; first = false {
		used := len(args)
		args = e.printfOnce(&out, format, args)
		if len(args) == used || out.Len() > limit {
			break
		}
	}
	return out.String()
}

func (e Escapes) printfOnce(out *strings.Builder, format string, args []string) []string {
	next := func() string {
		if len(args) == 0 {
			return ""
		}
		a := args[0]
		args = args[1:]
		return a
	}
	for i := 0; i < len(format); i++ {
		switch format[i] {
		case '\\':
			end := i + 2
			for end < len(format) && end < i+5 && format[i+1] >= '0' && format[i+1] <= '7' && format[end] >= '0' && format[end] <= '7' {
				end++
			}
			if end <= len(format) && format[end-1] == 'x' {
				_, digits := hexByte(format[end:])
				end += digits
			}
			text, _ := e.Unescape(format[i:min(end, len(format))])
			if text == `\"` && e.Quote {
				text = `"`
			}
			out.WriteString(text)
			i = end - 1
		case '%':
			j := i + 1
			for j < len(format) && strings.IndexByte("-+ #0123456789.*", format[j]) >= 0 {
				j++
			}
			if j == len(format) {
				out.WriteString(format[i:])
				return args
			}
			i = j
			out.WriteString(e.convert(format[j], next))
		default:
			out.WriteByte(format[i])
		}
	}
	return args
}

// convert does one conversion; of the flags only what scripts use for numbers and strings is kept.
func (e Escapes) convert(verb byte, next func() string) string {
	switch verb {
	case '%':
		return "%"
	case 's':
		return next()
	case 'b':
		text, _ := e.Unescape(next())
		return text
	case 'c':
		if s := next(); s != "" {
			return s[:1]
		}
		return ""
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(next()), 0, 64)
	switch verb {
	case 'x':
		return strconv.FormatInt(n, 16)
	case 'X':
		return strings.ToUpper(strconv.FormatInt(n, 16))
	case 'o':
		return strconv.FormatInt(n, 8)
	}
	return strconv.FormatInt(n, 10)
}
