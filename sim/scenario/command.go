package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/conf/sh"
)

// Command is a command line of docker run or podman run, as settings.
type Command struct {
	Settings RunSettings `json:"settings"` // without the image
	Image    string      `json:"image"`    // the reference that it names
	Ignored  []string    `json:"ignored"`  // switches that change nothing of what is played: "--name web"
	Assumed  []string    `json:"assumed"`  // what only the reader's shell knows, and what was taken: "$PWD=/home/you"
}

// maxCommand bounds a command line, in bytes.
const maxCommand = 64 << 10

// ParseCommand reads a command line as a POSIX shell and then docker's client do. An error names the word
// that is wrong in docker's own words, or what only a shell on the reader's machine could know.
func ParseCommand(line string) (*Command, error) {
	c := &Command{Ignored: []string{}, Assumed: []string{}}
	words, err := c.words(line)
	if err != nil {
		return nil, err
	}
	words, err = c.program(words)
	if err != nil {
		return nil, err
	}
	rest, err := c.switches(words)
	if err != nil {
		return nil, err
	}
	if len(rest) == 0 {
		return nil, fmt.Errorf("%q requires at least 1 argument", c.Settings.Engine+" run")
	}
	c.Image = rest[0]
	if len(rest) > 1 {
		c.Settings.Command = rest[1:]
	}
	return c, nil
}

// words splits the line as a shell does: one simple command and nothing around it. A prompt that was copied
// along is left out.
func (c *Command) words(line string) ([]string, error) {
	if len(line) > maxCommand {
		return nil, fmt.Errorf("a command line of %d bytes, at most %d are read", len(line), maxCommand)
	}
	line = strings.TrimSpace(strings.ReplaceAll(line, "\r\n", "\n"))
	for _, prompt := range []string{"$ ", "# "} {
		line = strings.TrimPrefix(line, prompt)
	}
	script, err := sh.Parse(line)
	if err != nil {
		return nil, err
	}
	if len(script.Body) == 0 {
		return nil, fmt.Errorf("a command line is expected: docker run IMAGE")
	}
	simple, ok := script.Body[0].Node.(*sh.Simple)
	if !ok || len(script.Body) > 1 || script.Body[0].Background || len(simple.Redirs) > 0 {
		return nil, fmt.Errorf("one command is expected, without pipes, redirections and other commands")
	}
	var out []string
	for _, w := range simple.Words {
		text, err := c.word(w)
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}

// word is a word's text. What a shell would replace is known only on the reader's machine, but for the two
// directories that people name all the time.
func (c *Command) word(w sh.Word) (string, error) {
	var out strings.Builder
	for i, p := range w {
		switch p := p.(type) {
		case sh.Lit:
			if !p.Quoted && strings.ContainsAny(p.Text, "*?[") {
				return "", fmt.Errorf("%q: your shell replaces this by names of files; quote it to hand it over as it is", p.Text)
			}
			text := p.Text
			if i == 0 && !p.Quoted && (text == "~" || strings.HasPrefix(text, "~/")) {
				text = c.assume("~") + text[1:]
			}
			out.WriteString(text)
		case *sh.Param:
			if p.Op != "" || p.Length || p.Name != "PWD" && p.Name != "HOME" {
				return "", fmt.Errorf("$%s: only your shell knows the value; write it out", p.Name)
			}
			out.WriteString(c.assume("$" + p.Name))
		case *sh.CmdSub:
			if !isPwd(p) {
				return "", fmt.Errorf("$(…): only your shell knows what the command prints; write it out")
			}
			out.WriteString(c.assume("$(pwd)"))
		default:
			return "", fmt.Errorf("$((…)): write the number out")
		}
	}
	return out.String(), nil
}

func isPwd(s *sh.CmdSub) bool {
	if len(s.Body) != 1 {
		return false
	}
	simple, ok := s.Body[0].Node.(*sh.Simple)
	if !ok || len(simple.Words) != 1 {
		return false
	}
	name, _ := simple.Words[0].Literal()
	return name == "pwd"
}

func (c *Command) assume(what string) string {
	const home = "/home/you"
	if note := what + "=" + home; !slices.Contains(c.Assumed, note) {
		c.Assumed = append(c.Assumed, note)
	}
	return home
}

// program takes "docker run" or "podman run" off the front.
func (c *Command) program(words []string) ([]string, error) {
	if len(words) > 0 && words[0] == "sudo" {
		words = words[1:]
	}
	if len(words) == 0 || words[0] != "docker" && words[0] != "podman" {
		return nil, fmt.Errorf("%q: docker run or podman run is expected", strings.Join(words[:min(len(words), 1)], ""))
	}
	c.Settings.Engine, words = words[0], words[1:]
	if len(words) > 0 && words[0] == "container" {
		words = words[1:]
	}
	if len(words) == 0 || words[0] != "run" {
		return nil, fmt.Errorf("%s %s: %s run is expected", c.Settings.Engine, strings.Join(words[:min(len(words), 1)], ""), c.Settings.Engine)
	}
	return words[1:], nil
}

// switches reads what begins with a dash and returns the image and its command: docker stops at the first
// word that is no switch. github.com/spf13/pflag, parseArgs, whose messages these are.
func (c *Command) switches(words []string) ([]string, error) {
	for len(words) > 0 {
		word := words[0]
		if word == "--" {
			return words[1:], nil
		}
		if len(word) < 2 || word[0] != '-' {
			return words, nil
		}
		words = words[1:]
		var err error
		if strings.HasPrefix(word, "--") {
			words, err = c.long(word[2:], words)
		} else {
			words, err = c.short(word, words)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (c *Command) long(text string, rest []string) ([]string, error) {
	name, value, given := strings.Cut(text, "=")
	o, takes, ok := find(c.Settings.Engine == "podman", func(o Option) bool { return o.Name == name || o.alias == name })
	switch {
	case name == "entrypoint", name == "mount":
		o, takes, ok = Option{Name: name}, true, true
	case name == "env-file":
		return nil, fmt.Errorf("--env-file: a file of your machine; write its variables as --env")
	}
	switch {
	case !ok:
		return nil, fmt.Errorf("unknown flag: --%s", name)
	case !takes && !given:
		value = "true"
	case takes && !given && len(rest) == 0:
		return nil, fmt.Errorf("flag needs an argument: --%s", name)
	case takes && !given:
		value, rest = rest[0], rest[1:]
	}
	return rest, c.set(o, value, "--"+text, takes && !given)
}

// short reads "-it", "-e A=B", "-eA=B" and "-u=0".
func (c *Command) short(word string, rest []string) ([]string, error) {
	for i := 1; i < len(word); i++ {
		o, takes, ok := find(c.Settings.Engine == "podman", func(o Option) bool { return o.Short == word[i] })
		tail := word[i+1:]
		switch {
		case !ok:
			return nil, fmt.Errorf("unknown shorthand flag: %q in %s", word[i], word)
		case !takes && strings.HasPrefix(tail, "="):
			return rest, c.set(o, tail[1:], word, false)
		case !takes:
			if err := c.set(o, "true", "-"+word[i:i+1], false); err != nil {
				return nil, err
			}
			continue
		case tail != "":
			return rest, c.set(o, strings.TrimPrefix(tail, "="), "-"+word[i:], false)
		case len(rest) == 0:
			return nil, fmt.Errorf("flag needs an argument: %q in %s", word[i], word)
		}
		return rest[1:], c.set(o, rest[0], "-"+word[i:], true)
	}
	return rest, nil
}

// find looks a switch up among those that mean something and those that do not; takes tells whether it
// wants a value.
func find(podman bool, is func(Option) bool) (o Option, takes, ok bool) {
	all := Options()
	if i := slices.IndexFunc(all, is); i >= 0 && (!all[i].podmanOnly || podman) {
		return all[i], all[i].Bool == nil, true
	}
	switches, valued := idle()
	for i, list := range [][]string{switches, valued} {
		for _, entry := range list {
			name, short, _ := strings.Cut(entry, " ")
			o := Option{Name: name}
			if short != "" {
				o.Short = short[0]
			}
			if is(o) {
				return o, i == 1, true
			}
		}
	}
	return Option{}, false, false
}

// set fills the setting; written is how the switch stands on the command line, next whether its value was
// the word behind it.
func (c *Command) set(o Option, value, written string, next bool) error {
	s := &c.Settings
	switch {
	case o.Name == "entrypoint":
		s.Entrypoint = &value
	case o.Name == "mount":
		return c.mount(value)
	case o.Text != nil:
		*o.Text(s) = value
	case o.List != nil:
		*o.List(s) = append(*o.List(s), value)
	case o.Bool != nil:
		on, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("invalid argument %q for %q flag: %w", value, "--"+o.Name, err)
		}
		*o.Bool(s) = on
	default:
		if next {
			written += " " + quote(value)
		}
		c.Ignored = append(c.Ignored, written)
	}
	return nil
}

// mount translates --mount into the --volume or --tmpfs that means the same. docker/cli opts/mount.go.
func (c *Command) mount(value string) error {
	kind, source, target, options := "volume", "", "", []string(nil)
	for field := range strings.SplitSeq(value, ",") {
		key, v, has := strings.Cut(field, "=")
		switch key {
		case "type":
			kind = v
		case "source", "src":
			source = v
		case "target", "dst", "destination":
			target = v
		case "readonly", "ro":
			if !has || v == "1" || v == "true" {
				options = append(options, "ro")
			}
		case "tmpfs-size":
			options = append(options, "size="+v)
		case "tmpfs-mode":
			options = append(options, "mode="+v)
		case "bind-propagation":
			options = append(options, v)
		case "consistency":
		default:
			return fmt.Errorf("invalid argument %q for %q flag: unexpected key %q in %q", value, "--mount", key, field)
		}
	}
	spec := target
	if source != "" {
		spec = source + ":" + target
	}
	if len(options) > 0 {
		spec += ":" + strings.Join(options, ",")
	}
	switch {
	case target == "":
		return fmt.Errorf("invalid argument %q for %q flag: target is required", value, "--mount")
	case kind == "tmpfs":
		c.Settings.Tmpfs = append(c.Settings.Tmpfs, spec)
	case kind == "bind" || kind == "volume":
		c.Settings.Volume = append(c.Settings.Volume, spec)
	default:
		return fmt.Errorf("invalid argument %q for %q flag: invalid mount type %q", value, "--mount", kind)
	}
	return nil
}

// CommandLine is the docker run or podman run that means the same as the settings, quoted for a shell. What
// docker cannot be told (another host, another image) is left out.
func CommandLine(s RunSettings, image string) string {
	engine := "docker"
	if strings.HasPrefix(s.Engine, "podman") {
		engine = "podman"
	}
	words := []string{engine, "run"}
	for _, o := range Options() {
		switch {
		case o.podmanOnly && engine != "podman":
		case o.Bool != nil && *o.Bool(&s):
			words = append(words, "--"+o.Name)
		case o.Text != nil && *o.Text(&s) != "":
			words = append(words, "--"+o.Name, quote(*o.Text(&s)))
		case o.List != nil:
			for _, v := range *o.List(&s) {
				words = append(words, "--"+o.Name, quote(v))
			}
		}
	}
	if s.Entrypoint != nil {
		words = append(words, "--entrypoint", quote(*s.Entrypoint))
	}
	if strings.HasPrefix(image, "-") {
		words = append(words, "--")
	}
	words = append(words, quote(image))
	for _, w := range s.Command {
		words = append(words, quote(w))
	}
	return strings.Join(words, " ")
}

// quote writes a word so that a shell reads it as it is.
func quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_@%+=:,./-", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
