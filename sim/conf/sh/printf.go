package sh

import (
	"strconv"
	"strings"
)

// Unescape replaces the backslash sequences of echo and printf %b; stop says that \c ended the output.
func Unescape(s string) (text string, stop bool) {
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
			if n, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8); err == nil {
				out.WriteByte(byte(n))
				i += 2
				continue
			}
			out.WriteString(`\x`)
		default:
			out.WriteByte('\\')
			out.WriteByte(s[i])
		}
	}
	return out.String(), false
}

// Printf formats: XCU printf. The format is used again while arguments are left. quotes tells of bash, for which
// \" is a quote. limit bounds the text, in bytes.
func Printf(format string, args []string, quotes bool, limit int) string {
	var out strings.Builder
	for first := true; first || len(args) > 0; first = false {
		used := len(args)
		args = printfOnce(&out, format, args, quotes)
		if len(args) == used || out.Len() > limit {
			break
		}
	}
	return out.String()
}

func printfOnce(out *strings.Builder, format string, args []string, quotes bool) []string {
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
			text, _ := Unescape(format[i:min(end, len(format))])
			if text == `\"` && quotes {
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
			out.WriteString(convert(format[j], format[i-(j-i):j], next))
		default:
			out.WriteByte(format[i])
		}
	}
	return args
}

// convert does one conversion; of the flags only what scripts use for numbers and strings is kept.
func convert(verb byte, _ string, next func() string) string {
	switch verb {
	case '%':
		return "%"
	case 's':
		return next()
	case 'b':
		text, _ := Unescape(next())
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
