package bls

import (
	"cmp"
	"strings"
)

// Kind is what an entry starts.
type Kind int

// Kinds of entries.
const (
	None    Kind = iota // nothing that can be started
	EFI                 // type #1 with "efi"
	Linux               // type #1 with "linux"
	Unified             // type #2: a unified kernel image
)

// Entry is a boot loader entry of either type.
type Entry struct {
	ID         string // the file name in lower case
	Kind       Kind
	Why        string   // for None: the key that ruled it out, "architecture" or "efi"; "" without a loader
	Title      string   // "" without one
	SortKey    string   // "" without one
	Version    string   // "" without one
	MachineID  string   // "" without one
	Loader     string   // firmware's spelling of the path: `\debian\linux`
	Initrd     []string // the same
	Options    string   // the lines joined with a blank
	Devicetree string
	Tries      Tries

	Items      []Item
	LoaderItem *Item
}

// ParseEntry reads the type #1 entry of that file name. arch is the name of the machine, "x64"; an entry
// for another is none. self is systemd-boot's own path: an entry that would start it again is none.
func ParseEntry(data []byte, file, arch, self string) Entry {
	e := Entry{ID: Lower(file), Tries: ParseTries(file, ".conf"), Items: Parse(data, Blank)}
	options := false
	for i := range e.Items {
		it := &e.Items[i]
		switch it.Key {
		case "title":
			e.Title = it.Value
		case "sort-key":
			e.SortKey = it.Value
		case "version":
			e.Version = it.Value
		case "machine-id":
			e.MachineID = it.Value
		case "linux":
			e.Kind, e.Loader, e.LoaderItem = Linux, Path(it.Value), it
		case "efi":
			e.Kind, e.Loader, e.LoaderItem = EFI, Path(it.Value), it
			if self != "" && Lower(e.Loader) == Lower(self) {
				e.Kind, e.Why = None, it.Key
				return e
			}
		case "architecture":
			if it.Value != arch {
				e.Kind, e.Why, e.LoaderItem = None, it.Key, it
				return e
			}
		case "devicetree":
			e.Devicetree = Path(it.Value)
		case "initrd":
			e.Initrd = append(e.Initrd, Path(it.Value))
		case "options":
			if options {
				e.Options += " "
			}
			e.Options, options = e.Options+it.Value, true
		}
	}
	return e
}

// ParseUnified makes the type #2 entry of a unified kernel image from the os-release file and the command
// line inside it. It is false when the file does not say what it starts.
func ParseUnified(osrel, options []byte, file string) (Entry, bool) {
	e := Entry{ID: Lower(file), Kind: Unified, Loader: `\EFI\Linux\` + file, Tries: ParseTries(file, ".efi"), Items: Parse(osrel, Equals)}
	get := func(keys ...string) string {
		for _, key := range keys {
			value, ok := "", false
			for _, it := range e.Items {
				if it.Key == key {
					value, ok = it.Value, true
				}
			}
			if ok {
				return value
			}
		}
		return ""
	}
	e.Title = get("PRETTY_NAME", "IMAGE_ID", "NAME", "ID")
	e.Version = get("IMAGE_VERSION", "VERSION", "VERSION_ID", "BUILD_ID")
	e.SortKey = get("IMAGE_ID", "ID")
	e.Options = StubOptions(options)
	return e, e.Title != ""
}

// StubOptions is what systemd's stub makes of a command line: it ends at a zero byte, and control
// characters become blanks.
func StubOptions(b []byte) string {
	text, _, _ := strings.Cut(string(b), "\x00")
	return strings.Map(func(r rune) rune {
		if r <= 0x1f {
			return ' '
		}
		return r
	}, text)
}

// Compare orders entries as the menu shows them: those without tries left last; those with a sort key
// before those without; by sort key, machine and version, newest first; by file name, highest first.
// Boot Loader Specification, "Sorting".
func Compare(a, b *Entry) int {
	if c := compareBool(a.Tries.Counting && a.Tries.Left == 0, b.Tries.Counting && b.Tries.Left == 0); c != 0 {
		return c
	}
	if c := compareBool(a.SortKey == "", b.SortKey == ""); c != 0 {
		return c
	}
	if a.SortKey != "" {
		if c := cmp.Or(cmp.Compare(a.SortKey, b.SortKey), cmp.Compare(a.MachineID, b.MachineID), -CompareVersions(a.Version, b.Version)); c != 0 {
			return c
		}
	}
	if c := -CompareVersions(a.ID, b.ID); c != 0 {
		return c
	}
	if !a.Tries.Counting || !b.Tries.Counting {
		return 0
	}
	return cmp.Or(-cmp.Compare(a.Tries.Left, b.Tries.Left), cmp.Compare(a.Tries.Done, b.Tries.Done))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Titles gives each entry what the menu shows for it: its title, or its id; where two look alike the
// version, the machine or the id is added.
func Titles(entries []*Entry) []string {
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = cmp.Or(e.Title, e.ID)
	}
	for _, more := range []func(*Entry) string{
		func(e *Entry) string { return e.Version },
		func(e *Entry) string { return e.MachineID[:min(len(e.MachineID), 8)] },
		func(e *Entry) string { return e.ID },
	} {
		seen := map[string]int{}
		for _, title := range out {
			seen[title]++
		}
		for i, title := range out {
			if text := more(entries[i]); seen[title] > 1 && text != "" {
				out[i] = title + " (" + text + ")"
			}
		}
	}
	return out
}
