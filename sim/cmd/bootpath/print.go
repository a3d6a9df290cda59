package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"bootpath/content/messages"
	"bootpath/content/scenarios"
	"bootpath/sim/blob"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
	"bootpath/sim/wire"
)

// printInspection writes the answer for people; scripts use --json.
func printInspection(w io.Writer, in *wire.Inspection) {
	fmt.Fprintf(w, "%s: %s image, %s\n", in.Name, in.Kind, strings.Join(in.Formats, " > "))
	fmt.Fprintf(w, "  kernel: %s\n", in.KernelFrom)
	for _, k := range in.Kernels {
		fmt.Fprintf(w, "    %s  Linux %s  %s\n", k.Path, k.Version, k.Arch)
	}
	if in.OS != nil {
		fmt.Fprintf(w, "  user space: %s\n", cmp.Or(in.OS.PrettyName, in.OS.ID))
	}
	if in.Init != nil {
		fmt.Fprintf(w, "  init: %s (%s)\n", in.Init.Path, in.Init.Kind)
	}
	if t := in.PartitionTable; t != nil {
		fmt.Fprintf(w, "  partition table: %s %s\n", t.Type, t.ID)
		for _, p := range t.Partitions {
			fmt.Fprintf(w, "    %d  start %d  size %d  type %s  %s\n", p.Number, p.Start, p.Size, p.Type, p.Name)
		}
	}
	for _, f := range in.Filesystems {
		fmt.Fprintf(w, "  volume %d: %s %s %s\n", f.Partition, f.Type, f.UUID, f.Label)
	}
	for _, b := range in.Bootloaders {
		fmt.Fprintf(w, "  %s starts: %s %s\n", b.Firmware, b.Name, b.Path)
	}
	for _, r := range in.Initrds {
		fmt.Fprintf(w, "  initramfs: %s  %s  %d entries\n", r.Path, cmp.Or(r.Compression, "uncompressed"), r.Entries)
	}
	for _, a := range in.Images {
		fmt.Fprintf(w, "  %s  %s  entrypoint %q cmd %q user %q\n", cmp.Or(a.Ref, a.ManifestDigest), a.Platform, a.Entrypoint, a.Cmd, a.User)
		for _, l := range a.Layers {
			fmt.Fprintf(w, "    %s  %d bytes\n", l.Digest, l.Size)
		}
	}
	for _, n := range in.Notes {
		fmt.Fprintf(w, "  note: %s\n", n)
	}
	fmt.Fprintf(w, "  read %d of %d bytes\n", in.BytesRead, in.Size)
}

// printRun writes the golden form: one line a step, then the outcome.
func printRun(w io.Writer, res *wire.RunResult) {
	for _, st := range res.Steps {
		fmt.Fprintln(w, trace.Line(st))
	}
	o := res.Outcome
	fmt.Fprintf(w, "\n%s at %s (step %d)", o.Verdict, o.Stage, o.Step)
	if o.Message != "" {
		fmt.Fprintf(w, ": %s", o.Message)
	}
	if o.Unknown != nil {
		fmt.Fprintf(w, ": %s", messages.English().Reason(o.Unknown))
	}
	if o.ExitCode != nil {
		fmt.Fprintf(w, " (exit status %d)", *o.ExitCode)
	}
	fmt.Fprintf(w, "\nread %d bytes\n", res.BytesRead)
}

// slice runs the image and keeps what the run read.
func slice(args []string, stdout, stderr io.Writer) error {
	fl := newFlags("slice", stderr)
	out := fl.String("o", "", "write the slice to `OUT`")
	sample := fl.String("sample", "", "keep what the scenarios of the sample `ID` read, too")
	note := fl.String("note", "", "where the image comes from")
	sum := fl.Bool("sha256", true, "record the input's SHA-256 (reads it whole)")
	settings := runFlags(fl)
	files, err := fl.parse(args)
	if err != nil {
		return err
	}
	if len(files) != 1 || *out == "" {
		return fmt.Errorf("%w: slice takes one FILE and -o OUT", errUsage)
	}
	set, err := settings(nil)
	if err != nil {
		return err
	}
	s, err := open(files[0])
	if err != nil {
		return err
	}
	if err := record(s, set, *sample); err != nil {
		return err
	}
	origin := blob.Origin{Tool: "bootpath slice", Date: time.Now().UTC().Format(time.DateOnly), Note: *note}
	if *sum {
		if origin.SHA256, err = sha256Of(files[0]); err != nil {
			return err
		}
	}
	f, err := os.Create(*out)
	if err != nil {
		return err
	}
	if err := s.Slice(f, origin); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	st, err := os.Stat(*out)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: %d bytes\n", *out, st.Size())
	return nil
}

// record makes the runs whose reads the slice keeps: the one that was asked for, the same under the other
// firmware or the other engines, what-ifs that a reader is likely to try, and the
// sample's scenarios.
func record(s *wire.Session, set scenario.RunSettings, sample string) error {
	in := s.Inspect()
	sets := []scenario.RunSettings{set}
	gallery, err := scenario.Gallery(scenarios.Files)
	if err != nil {
		return err
	}
	for _, n := range gallery {
		if n.Src == sample {
			sets = append(sets, n.Settings)
		}
	}
	vary := func(change func(*scenario.RunSettings)) {
		other := set
		change(&other)
		sets = append(sets, other)
	}
	if in.Kind == "system" {
		for _, firmware := range []string{"bios", "uefi"} {
			vary(func(o *scenario.RunSettings) { o.Firmware = firmware })
		}
		vary(func(o *scenario.RunSettings) { o.SecureBoot, o.Firmware = true, "uefi" })
		vary(func(o *scenario.RunSettings) {
			o.Set = map[string]string{"cmdline": "root=UUID=00000000-0000-4000-8000-000000000000 ro console=ttyS0"}
		})
	} else {
		for _, engine := range []string{"docker", "podman", "runc", "crun"} {
			vary(func(o *scenario.RunSettings) { o.Engine = engine })
		}
		for _, arch := range []string{"arm64", "386"} {
			vary(func(o *scenario.RunSettings) { o.HostArch = arch })
		}
		commands := [][]string{{"sh", "-c", "sleep 100"}, {"sleep", "100"}, {"sh"}}
		if slices.ContainsFunc(in.Images, func(a wire.AppImage) bool { return len(a.Entrypoint) > 0 }) {
			commands = nil // they would be its arguments
		}
		for _, command := range commands {
			vary(func(o *scenario.RunSettings) { o.Stop, o.Command = true, command })
			vary(func(o *scenario.RunSettings) { o.Stop, o.Init, o.Command = true, true, command })
		}
	}
	for _, path := range []string{"system", "container"} {
		vary(func(o *scenario.RunSettings) { o.Path = path })
	}
	for _, path := range breakable(in) {
		vary(func(o *scenario.RunSettings) { o.Remove = []string{path} })
	}
	for _, one := range sets {
		if _, err := s.Run(one); err != nil {
			return err
		}
	}
	_, err = s.Compare(set, s, set) // the table's facts
	return err
}

// breakable lists the files whose absence teaches most.
func breakable(in *wire.Inspection) []string {
	out := []string{"/boot/grub/grub.cfg", "/sbin/init", "/etc/fstab", "/etc/passwd", "/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1", "/bin/sh"}
	for _, k := range in.Kernels {
		out = append(out, k.Path)
	}
	for _, r := range in.Initrds {
		out = append(out, r.Path)
	}
	for _, b := range in.Bootloaders {
		if b.Path != "" {
			out = append(out, b.Path)
		}
	}
	for _, a := range in.Images {
		out = append(out, append(append([]string{}, a.Entrypoint...), a.Cmd...)...)
	}
	return slices.DeleteFunc(out, func(p string) bool { return !strings.HasPrefix(p, "/") })
}

func sha256Of(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
