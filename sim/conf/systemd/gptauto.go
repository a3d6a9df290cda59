package systemd

import (
	"fmt"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/cmdline"
)

// Partition is an entry of the GPT of the disk that holds the root file system.
type Partition struct {
	Node       string // "/dev/vda3"
	Type       string // GUID
	FSType     string // of its content, "" when not known
	Attributes uint64
	Cites      []blob.Cite
}

// Attribute bits of the Discoverable Partitions Specification.
const (
	gptReadOnly = 1 << 60
	gptNoAuto   = 1 << 63
)

// gptAutoGenerator mounts partitions by their type. systemd-gpt-auto-generator(8), the Discoverable
// Partitions Specification. What depends on the boot loader's variables (the ESP) or on the machine's
// identity (/var) is noted only.
func (m *Manager) gptAutoGenerator(cmd cmdline.Line) {
	for _, key := range []string{"systemd.gpt_auto", "rd.systemd.gpt_auto"} {
		if v, ok := cmd.Get(key); ok {
			if on, ok := ParseBool(v); ok && !on {
				return
			}
		}
	}
	for _, p := range m.Env.Partitions {
		if p.Attributes&gptNoAuto != 0 {
			continue
		}
		switch strings.ToLower(p.Type) {
		case "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f":
			m.gptSwap(p)
		case "933ac7e1-2eb4-4f13-b844-0e14e2aef915":
			m.gptMount(p, "/home", "Home Partition")
		case "3b8f8425-20e0-4f3b-907f-1a25a76f98e8":
			m.gptMount(p, "/srv", "Server Data Partition")
		case "7ec6f557-3bc5-4aca-b293-16ef5df639d1":
			m.gptMount(p, "/var/tmp", "Temporary Data Partition")
		case "4d21b016-b534-45c2-a9fb-5c16e091fd2d":
			m.Notes = append(m.Notes, "systemd-gpt-auto-generator")
		}
	}
}

// gptSwap uses a swap partition when /etc/fstab names no swap at all.
func (m *Manager) gptSwap(p Partition) {
	for _, e := range m.readFstab() {
		if e.fstype == "swap" {
			return
		}
	}
	name := NameForPath(p.Node, "swap")
	m.loader.generate(generatorLate, name, fmt.Sprintf("[Unit]\nDescription=Swap Partition\nAfter=blockdev@%s.target\n[Swap]\nWhat=%s\n", EscapePath(p.Node), p.Node), p.Cites)
	m.loader.generateLink(generatorLate, "swap.target", "wants", name, p.Cites)
}

// gptMount mounts a partition on a directory that /etc/fstab does not mention and that is empty.
func (m *Manager) gptMount(p Partition, where, description string) {
	for _, e := range m.readFstab() {
		if e.file == where {
			return
		}
	}
	if list, err := m.Env.Root.ReadDir(strings.TrimPrefix(where, "/")); err == nil && len(list) > 0 {
		return
	}
	options := "rw"
	if p.Attributes&gptReadOnly != 0 {
		options = "ro"
	}
	text := fmt.Sprintf("[Unit]\nDescription=%s\nBefore=local-fs.target\nAfter=blockdev@%s.target\n", description, EscapePath(p.Node)) +
		m.fstabFsck(mountEntry{fstype: p.FSType}, p.Node, where) +
		fmt.Sprintf("[Mount]\nWhat=%s\nWhere=%s\nType=%s\nOptions=%s\n", p.Node, where, p.FSType, options)
	name := NameForPath(where, "mount")
	m.loader.generate(generatorLate, name, text, p.Cites)
	m.loader.generateLink(generatorLate, "local-fs.target", "requires", name, p.Cites)
}
