package syslinux

import (
	"strconv"
	"strings"
)

// Label is one LABEL with what belongs to it.
type Label struct {
	Name     string
	Display  string // MENU LABEL, with its ^; the name without one
	Type     string // "kernel", "linux", "com32", "config", "localboot", "boot", "bss", "pxe", "fdimage", …
	Kernel   string // the value of KERNEL and the like; the label's own name without one
	Append   string // APPEND, or the one before all labels
	Initrd   string // INITRD; FDT and other words of U-Boot are in Set
	IPAppend uint64 // IPAPPEND or SYSAPPEND, a set of bits
	Default  bool   // MENU DEFAULT
	Hidden   bool   // MENU HIDE
	Disabled bool   // MENU DISABLE; a MENU SEPARATOR is a disabled label without a name
	Password bool   // MENU PASSWD
	Goto     bool   // MENU GOTO, EXIT or QUIT: it starts nothing
	Submenu  *Menu  // of the entry that MENU BEGIN makes
	Menu     *Menu  // that it stands in
	Set      []Directive
}

// Command is the line that the label stands for, record in readconfig.c.
func (l *Label) Command() string {
	args := l.Append
	if args == "-" {
		args = ""
	}
	out := l.Kernel
	if l.Type != "kernel" {
		out = "." + l.Type + " " + l.Kernel
	}
	if args != "" {
		out += " " + args
	}
	if l.Initrd != "" {
		out += " initrd=" + l.Initrd
	}
	return out
}

// Menu is the root menu or one between MENU BEGIN and MENU END.
type Menu struct {
	Title   string
	Parent  *Menu
	Entries []*Label // hidden ones are not among them
	Default int      // the entry that MENU DEFAULT marks

	entry *Label // that leads here, with its place in Parent
	index int
}

// Config is what a configuration says.
type Config struct {
	Files      []*File
	Directives []Directive // of all files, in the order in which they were read
	Labels     []*Label    // in the order in which they were recorded
	Root       *Menu
	Start      *Menu // that is shown first

	Default    string // DEFAULT, the last one
	HasDefault bool
	UI         string // UI, which goes before DEFAULT
	HasUI      bool
	Prompt     bool
	Timeout    int // tenths of a second, 0 for none
	Total      int // TOTALTIMEOUT, tenths of a second
	OnTimeout  string
	OnError    string
	NoImplicit bool // IMPLICIT 0
	NoOptions  bool // ALLOWOPTIONS 0
	NoEscape   bool
	MenuHidden bool
	MenuSave   bool // MENU SAVE: what was chosen last time counts
	SysAppend  uint64
	Path       []string // PATH
	Problem    string   // why not all of it was read; "" when it was

	append string // APPEND before the first label
	menu   *Menu  // being read
	label  *Label // being read
	bytes  int
}

// Open returns the text of a file that a configuration names, false when it cannot be opened.
type Open func(name string) (*File, bool)

// Read reads a configuration and what it includes. Files that cannot be opened are passed over, as
// SYSLINUX does without a word.
func Read(f *File, open Open) *Config {
	c := &Config{Root: &Menu{}}
	c.menu, c.Start = c.Root, c.Root
	c.file(f, open, 0)
	c.record()
	if l := c.Find(c.Default); c.HasDefault && l != nil && !l.Hidden {
		for i, e := range l.Menu.Entries {
			if e == l {
				l.Menu.Default, c.Start = i, l.Menu
			}
		}
	}
	return c
}

// Find returns the label that a command line starts with, nil when there is none. Case counts.
func (c *Config) Find(line string) *Label {
	word, _ := Cut(line)
	if word == "" {
		return nil
	}
	for _, l := range c.Labels {
		if l.Name == word {
			return l
		}
	}
	return nil
}

// Boot is what is started without a person: UI, else DEFAULT.
func (c *Config) Boot() (line string, ok bool) {
	if c.HasUI {
		return c.UI, true
	}
	return c.Default, c.HasDefault
}

// Last returns the last directive of that name.
func (c *Config) Last(key string) (Directive, bool) {
	for i := len(c.Directives) - 1; i >= 0; i-- {
		if c.Directives[i].Key == key {
			return c.Directives[i], true
		}
	}
	return Directive{}, false
}

func (c *Config) file(f *File, open Open, depth int) {
	c.bytes += len(f.Text)
	if c.Problem == "" && (depth > maxDepth || len(c.Files) >= maxFiles || c.bytes > maxBytes) {
		c.Problem = "its files include each other without end"
	}
	if c.Problem != "" {
		return
	}
	c.Files = append(c.Files, f)
	for _, d := range Parse(f) {
		if len(c.Directives) >= maxItems {
			c.Problem = "it has too many lines"
		}
		if c.Problem != "" {
			return
		}
		c.Directives = append(c.Directives, d)
		switch d.Key {
		case "include", "menu include":
			c.include(d, open, depth)
		default:
			if word, ok := strings.CutPrefix(d.Key, "menu "); ok {
				c.menuWord(word, d)
			} else if !c.labelWord(d) {
				c.global(d)
			}
		}
	}
}

// include reads another file; MENU INCLUDE with a word behind the name makes a submenu of it.
func (c *Config) include(d Directive, open Open, depth int) {
	name, tag := Cut(d.Value)
	f, ok := open(name)
	if !ok {
		return
	}
	sub := d.Key == "menu include" && tag != ""
	if sub {
		c.begin(d, tag)
	}
	c.file(f, open, depth+1)
	if sub {
		c.end()
	}
}

// record adds the label that was being read to its menu.
func (c *Config) record() {
	l := c.label
	c.label = nil
	if l == nil {
		return
	}
	l.Menu = c.menu
	if !hasKey(l.Set, "append") {
		l.Append = c.append // the global one counts as it stands now
	}
	if l.Display == "" {
		l.Display = l.Name
	}
	c.Labels = append(c.Labels, l)
	if l.Hidden {
		return
	}
	if l.Default && !l.Disabled && !l.Goto {
		c.menu.Default = len(c.menu.Entries)
	}
	c.menu.Entries = append(c.menu.Entries, l)
	if l.Disabled {
		l.Name = "" // nobody can ask for it
	}
}

func hasKey(set []Directive, key string) bool {
	for _, d := range set {
		if d.Key == key {
			return true
		}
	}
	return false
}

func (c *Config) begin(d Directive, tag string) {
	c.record()
	sub := &Menu{Title: tag, Parent: c.menu, index: len(c.menu.Entries)}
	sub.entry = &Label{Display: tag, Submenu: sub, Menu: c.menu, Set: []Directive{d}}
	c.menu.Entries = append(c.menu.Entries, sub.entry)
	c.menu = sub
}

func (c *Config) end() {
	c.record()
	if c.menu.Parent != nil {
		c.menu = c.menu.Parent
	}
}

// menuWord is what follows MENU.
func (c *Config) menuWord(word string, d Directive) {
	if l := c.label; l != nil {
		known := true
		switch word {
		case "label":
			l.Display = d.Value
		case "default":
			l.Default = true
		case "hide":
			l.Hidden = true
		case "passwd":
			l.Password = true
		case "disable", "disabled":
			l.Disabled = true
		case "goto", "exit", "quit":
			l.Goto = true
		default:
			known = false
		}
		if known {
			l.Set = append(l.Set, d)
			return
		}
	}
	switch word {
	case "title":
		c.menu.Title = d.Value
	case "label":
		if e := c.menu.entry; e != nil {
			e.Display = d.Value
		}
	case "default":
		if c.menu.Parent != nil {
			c.menu.Parent.Default = c.menu.index
		}
	case "separator":
		c.record()
		c.menu.Entries = append(c.menu.Entries, &Label{Disabled: true, Menu: c.menu, Set: []Directive{d}})
	case "begin":
		c.begin(d, d.Value)
	case "end":
		c.end()
	case "start":
		c.Start = c.menu
	case "hidden":
		c.MenuHidden = true
	case "save":
		c.MenuSave = true
	case "onerror":
		c.OnError = d.Value
	}
}

// labelWord is a directive that starts a label or belongs to one; false when it is neither.
func (c *Config) labelWord(d Directive) bool {
	if d.Key == "label" {
		c.record()
		name, _ := Cut(d.Value)
		c.label = &Label{Name: name, Kernel: name, Type: "kernel", IPAppend: c.SysAppend, Set: []Directive{d}}
		return true
	}
	l := c.label
	switch d.Key {
	case "append":
		if l == nil {
			c.append = d.Value
			return true
		}
		l.Append = d.Value
	case "ipappend", "sysappend":
		n, _ := strconv.ParseUint(strings.TrimSpace(d.Value), 0, 64)
		if l == nil {
			c.SysAppend = n
			return true
		}
		l.IPAppend = n
	case "initrd":
		if l == nil {
			return true
		}
		l.Initrd = d.Value
	case "none", "localboot", "kernel", "linux", "boot", "bss", "pxe", "fdimage", "comboot", "com32", "config":
		if l == nil {
			return true
		}
		l.Kernel, l.Type = d.Value, d.Key
	case "fdt", "fdtdir", "devicetree", "devicetreedir", "fdtoverlays", "devicetree-overlay": // U-Boot, doc/README.pxe
		if l == nil {
			return true
		}
	default:
		return false
	}
	l.Set = append(l.Set, d)
	return true
}

// global is a directive about all of the configuration.
func (c *Config) global(d Directive) {
	switch d.Key {
	case "default":
		c.Default, c.HasDefault = d.Value, true
	case "ui":
		c.UI, c.HasUI = d.Value, true
	case "prompt":
		c.Prompt = Number(d.Value) != 0
	case "timeout":
		c.Timeout = Number(d.Value)
	case "totaltimeout":
		c.Total = Number(d.Value)
	case "ontimeout":
		c.OnTimeout = d.Value
	case "onerror":
		c.OnError = d.Value
	case "implicit":
		c.NoImplicit = Number(d.Value) == 0
	case "allowoptions":
		c.NoOptions = Number(d.Value) == 0
	case "noescape":
		c.NoEscape = Number(d.Value) != 0
	case "path":
		for p := range strings.SplitSeq(d.Value, ":") {
			if p != "" {
				c.Path = append(c.Path, p)
			}
		}
	}
}
