package boot

import (
	"strings"

	"bootpath/sim/conf/awk"
)

// awk runs a program of awk's over files or the standard input.
func (in *shProcess) awk(words []string) ctl {
	vars := []awk.Var(nil)
	i := 1
	for ; i < len(words) && len(words[i]) > 1 && words[i][0] == '-'; i++ {
		option, value := words[i][1], words[i][2:]
		if words[i] == "--" {
			i++
			break
		}
		if value == "" && i+1 < len(words) {
			i++
			value = words[i]
		}
		switch option {
		case 'F':
			vars = append(vars, awk.Var{Name: "FS", Value: value})
		case 'v':
			name, v, _ := strings.Cut(value, "=")
			vars = append(vars, awk.Var{Name: name, Value: v})
		default:
			return in.end("unknown.program-does", "program", "awk -"+string(option))
		}
	}
	if i >= len(words) {
		return in.failed()
	}
	program, err := awk.Parse(words[i])
	if err != nil {
		return in.end("unknown.awk-prints", "error", err.Error())
	}
	text := ""
	if program.Reads() {
		var c ctl
		if text, c = in.inputOf("awk", words[i+1:]); c != ctlNone {
			return c
		}
	}
	unread := in.status
	result, err := program.Run(text, vars)
	if err != nil {
		return in.end("unknown.awk-prints", "error", err.Error())
	}
	in.print(in.stdout, result.Output)
	in.status = max(unread, result.Status)
	return ctlNone
}
