package grub

import "strings"

// Env gives the values of variables, "?" and positional parameters among them.
type Env interface {
	// Value returns a variable's value, "" when it is not set.
	Value(name string) string
	// Params are the parameters of the running function or entry: $1, $2, …
	Params() []string
}

// Expand turns words into arguments: variables get their values, unquoted ones are split at white space,
// and a word that is empty without quotes is no argument. Blocks are left out. glob tells whether an
// argument has an unquoted * or ?, which the regexp module, when loaded, matches against file names.
func Expand(words []Word, env Env) (args []string, glob bool) {
	for _, w := range words {
		if w.Block != nil {
			continue
		}
		var field strings.Builder
		have := false
		put := func(s string) { field.WriteString(s); have = true }
		next := func() {
			if have {
				args = append(args, field.String())
			}
			field.Reset()
			have = false
		}
		for _, p := range w.Parts {
			switch p.Kind {
			case Text:
				put(p.Text)
				glob = glob || strings.ContainsAny(p.Text, "*?")
			case Quoted:
				put(p.Text)
			case QuotedVar:
				values := lookup(env, p.Text)
				if p.Text != "@" || len(values) == 0 { // only "$@" gives one argument for each parameter
					values = []string{strings.Join(values, " ")}
				}
				for i, v := range values {
					if i > 0 {
						next()
					}
					put(v)
				}
			case Var:
				for i, v := range lookup(env, p.Text) {
					if i > 0 {
						next()
					}
					split(v, put, next)
				}
			}
		}
		next()
	}
	return args, glob
}

// split is grub_script_argv_split_append: white space inside a value ends an argument.
func split(v string, put func(string), next func()) {
	for v != "" {
		i := strings.IndexAny(v, " \t\n\v\f\r")
		if i < 0 {
			put(v)
			return
		}
		put(v[:i])
		if v = strings.TrimLeft(v[i:], " \t\n\v\f\r"); v != "" {
			next()
		}
	}
}

// lookup is grub_script_env_get: the special parameters may give several values.
func lookup(env Env, name string) []string {
	params := env.Params()
	switch {
	case name == "*" || name == "@":
		return params
	case name == "#":
		return []string{itoa(len(params))}
	case isDigit(name[0]):
		n := 0
		for i := 0; i < len(name) && n < 1000; i++ {
			n = n*10 + int(name[i]-'0')
		}
		if n >= 1 && n <= len(params) {
			return params[n-1 : n]
		}
		return nil // "$0" too: "no file name, for now"
	}
	if v := env.Value(name); v != "" {
		return []string{v}
	}
	return nil
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}
