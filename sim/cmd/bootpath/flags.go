package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"bootpath/content/scenarios"
	"bootpath/sim/scenario"
)

// flags are switches that may stand before and after the FILE; what follows "--", or the first word after
// FILE that is no switch, is the container's command.
type flags struct {
	*flag.FlagSet
}

func newFlags(name string, stderr io.Writer) *flags {
	fl := &flags{flag.NewFlagSet("bootpath "+name, flag.ContinueOnError)}
	fl.SetOutput(stderr)
	return fl
}

func (fl *flags) parse(args []string) ([]string, error) {
	if err := fl.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	rest := fl.Args()
	if len(rest) == 0 {
		return nil, nil
	}
	file, rest := rest[0], rest[1:]
	if len(rest) > 0 && strings.HasPrefix(rest[0], "-") && rest[0] != "--" {
		if err := fl.Parse(rest); err != nil {
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		rest = fl.Args()
	} else if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	}
	return append([]string{file}, rest...), nil
}

// list is a switch that may be given several times.
type list struct{ into *[]string }

func (l list) String() string { return "" }
func (l list) Set(s string) error {
	*l.into = append(*l.into, s)
	return nil
}

// runFlags declares the switches of run; the returned function gives the settings after parsing, with the
// container's command.
func runFlags(fl *flags) func(command []string) (scenario.RunSettings, error) {
	var s scenario.RunSettings
	var entrypoint, named, exec string
	fl.StringVar(&named, "scenario", "", "what-if: the settings of the scenario called `NAME`; other switches are laid over them")
	var set, write, patch []string
	fl.StringVar(&s.Path, "path", "", "start the image as `system|container` although it is made for the other")
	fl.StringVar(&s.Firmware, "firmware", "", "system: `bios|uefi|rpi|uboot`")
	fl.BoolVar(&s.SecureBoot, "secure-boot", false, "system: UEFI refuses what is not signed")
	fl.StringVar(&s.Arch, "arch", "", "system: `architecture` of the machine")
	fl.StringVar(&s.Device, "device", "", "system: attach the image as `disk|cdrom|floppy`")
	fl.StringVar(&s.Engine, "engine", "", "application: `docker|podman|runc|crun`")
	fl.StringVar(&s.Ref, "ref", "", "application: `reference` of the image to run")
	fl.StringVar(&entrypoint, "entrypoint", "", "application: replaces the image's `entrypoint`")
	fl.StringVar(&s.HostKernel, "host-kernel", "", "application: `version` of the host's kernel")
	fl.StringVar(&s.HostArch, "host-arch", "", "application: `architecture` of the host")
	fl.Var(list{&s.HostBinfmt}, "host-binfmt", "application: `ARCH[:FLAGS]` whose programs QEMU runs on the host (repeat)")
	fl.BoolVar(&s.Rootless, "rootless", false, "application: the engine is called by a user of the host, not by root")
	fl.StringVar(&s.HostUser, "host-user", "", "application: that user, and its subordinate ids: `UID[:FIRST:COUNT]`")
	fl.BoolVar(&s.UsernsRemap, "userns-remap", false, "application: docker's daemon is set up with userns-remap")
	fl.StringVar(&s.Cgroup, "cgroup", "", "application: `v1|v2`")
	for _, o := range scenario.Options() {
		define(fl, o, &s)
	}
	fl.StringVar(&s.Touches, "touches", "", "what-if: the program touches `size` of memory: 300m")
	fl.BoolVar(&s.Stop, "stop", false, "application: docker stop, when the program runs")
	fl.StringVar(&exec, "exec", "", "application: docker exec of this `command`, when the program runs")
	fl.Var(list{&set}, "set", "what-if: `config.KEY=JSON` or cmdline=TEXT (repeat)")
	fl.Var(list{&s.Remove}, "rm", "what-if: the file at `PATH` is missing (repeat)")
	fl.Var(list{&write}, "write", "what-if: `PATH=FILE`, the image's PATH has FILE's content (repeat)")
	fl.Var(list{&patch}, "patch", "what-if: `OFFSET=HEX`, other bytes at OFFSET of the disk (repeat)")
	return func(command []string) (scenario.RunSettings, error) {
		s.Command, s.Exec = command, strings.Fields(exec)
		fl.Visit(func(f *flag.Flag) {
			if f.Name == "entrypoint" {
				s.Entrypoint = &entrypoint
			}
		})
		if s.Memory != "" {
			s.MemoryMiB = mebibytes(s.Memory)
		}
		if err := fillWhatIfs(&s, set, write, patch); err != nil || named == "" {
			return s, err
		}
		n, err := scenario.Find(scenarios.Files, named)
		if err != nil {
			return s, fmt.Errorf("%w: --scenario: %w", errUsage, err)
		}
		return n.Settings.With(s), nil
	}
}

// define declares a switch of docker run.
func define(fl *flags, o scenario.Option, s *scenario.RunSettings) {
	usage, name := "application: "+o.Usage, cmp.Or(o.Own, o.Name)
	switch {
	case o.Name == "memory":
		fl.StringVar(o.Text(s), o.Name, "", "system: `size` of memory; application: most that it may use: 512m, 2g")
	case o.Text != nil:
		fl.StringVar(o.Text(s), name, "", usage)
	case o.List != nil:
		fl.Var(list{o.List(s)}, name, usage)
	default:
		fl.BoolVar(o.Bool(s), name, false, usage)
	}
}

func fillWhatIfs(s *scenario.RunSettings, set, write, patch []string) error {
	for _, kv := range set {
		key, value, ok := strings.Cut(kv, "=")
		if !ok {
			return fmt.Errorf("%w: --set %s: want KEY=VALUE", errUsage, kv)
		}
		if s.Set == nil {
			s.Set = map[string]string{}
		}
		s.Set[key] = value
	}
	for _, kv := range write {
		path, file, ok := strings.Cut(kv, "=")
		if !ok {
			return fmt.Errorf("%w: --write %s: want PATH=FILE", errUsage, kv)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if s.Write == nil {
			s.Write = map[string]string{}
		}
		s.Write[path] = string(content)
	}
	for _, kv := range patch {
		at, data, ok := strings.Cut(kv, "=")
		off, err := strconv.ParseInt(at, 0, 64)
		if !ok || err != nil {
			return fmt.Errorf("%w: --patch %s: want OFFSET=HEX", errUsage, kv)
		}
		s.Patch = append(s.Patch, scenario.BytePatch{Off: off, Data: data})
	}
	return nil
}

// mebibytes reads a size as docker run takes it: a number with b, k, m or g behind it, bytes without. It is 0
// when that is no size.
func mebibytes(s string) int {
	unit := int64(1)
	digits := strings.ToLower(s)
	if n := len(digits) - 1; n > 0 {
		if shift, ok := map[byte]int{'b': 0, 'k': 10, 'm': 20, 'g': 30}[digits[n]]; ok {
			unit, digits = 1<<shift, digits[:n]
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > 1<<40/unit {
		return 0
	}
	return int(n * unit >> 20)
}
