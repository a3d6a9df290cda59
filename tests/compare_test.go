package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/compare"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
	"bootpath/sim/wire"
)

func openID(t testing.TB, id string) *wire.Session {
	for _, s := range samples(t) {
		if s.ID == id {
			return openSample(t, s)
		}
	}
	require.Fail(t, "no such sample", id)
	return nil
}

func compareSamples(t *testing.T, left string, l scenario.RunSettings, right string, r scenario.RunSettings) *wire.Comparison {
	one := openID(t, left)
	two := one
	if right != left {
		two = openID(t, right)
	}
	c, err := one.Compare(l, two, r)
	require.NoError(t, err)
	return c
}

func findings(c *wire.Comparison) map[string]compare.ComparedRow {
	out := map[string]compare.ComparedRow{}
	for _, r := range c.Rows {
		out[r.Dimension] = r
	}
	return out
}

// What the table must say was read from the images with other tools: dumpe2fs, qemu-img info, skopeo inspect,
// readelf -n, and the recorded starts.
func TestAMachineAndAContainerSideBySide(t *testing.T) {
	c := compareSamples(t, "debian-bios", scenario.RunSettings{}, "debian-slim", scenario.RunSettings{})
	require.Equal(t, "inside", c.Left.KernelFrom)
	require.Equal(t, "host", c.Right.KernelFrom)
	rows := findings(c)
	for _, want := range []struct{ dimension, left, right string }{
		{"purpose", "Debian GNU/Linux 12 (bookworm)", "bash"},
		{"kernel", "Linux 6.1.0-50-cloud-amd64", "Linux 6.1.0"},
		{"start", "firmware → grub → linux → init → systemd", "dockerd → containerd-shim-runc-v2 → runc → bash"},
		{"process", "/usr/lib/systemd/systemd", "/usr/bin/bash"},
		{"isolation", "", "cgroup ipc mnt net pid uts"},
		{"size", "122 MiB / 1.0 GiB", "121 MiB / 121 MiB"},
		{"portability", "bios, amd64", "linux/amd64, Linux ≥ 3.2.0"},
		{"architecture", "amd64", "amd64"},
		{"persistence", "/dev/vda1 ext4", "overlay upperdir"},
		{"format", "qcow2 > raw, dos", "docker-archive"},
	} {
		require.Equal(t, want.left, rows[want.dimension].Left.Value, want.dimension)
		require.Equal(t, want.right, rows[want.dimension].Right.Value, want.dimension)
	}
	require.NotNil(t, rows["isolation"].Left.Unknown, "what a machine stands on is not in its disk")
	require.NotEmpty(t, rows["kernel"].Left.Cites)
	require.Nil(t, c.Difference, "a machine and a container do not part, they meet")

	require.NotNil(t, c.Execve)
	for _, side := range []struct {
		run  *wire.RunResult
		step int
	}{{c.Left.Run, c.Execve.LeftStep}, {c.Right.Run, c.Execve.RightStep}} {
		require.Equal(t, trace.Kind("kernel.execve"), side.run.Steps[side.step].Kind)
		require.Equal(t, "execve(2)", side.run.Steps[side.step].Rule)
	}
}

// Every pair of samples: each finding has its sentence with its values, cites bytes that exist, and says a
// value or why there is none.
func TestEveryFindingHasItsSentenceAndItsEvidence(t *testing.T) {
	texts := map[string]map[string]message{"en": messages(t, "en"), "zh": messages(t, "zh")}
	reference := openID(t, "hello-scratch")
	for _, s := range samples(t) {
		session := openSample(t, s)
		c, err := session.Compare(s.Settings, reference, scenario.RunSettings{})
		require.NoError(t, err)
		for _, row := range c.Rows {
			for lang, all := range texts {
				require.Contains(t, all, "compare.dimension-"+row.Dimension, lang)
				for name := range placeholders(all[row.Left.Key]) {
					require.Contains(t, row.Left.Args, name, "%s %s", s.ID, row.Left.Key)
				}
				require.Contains(t, all, row.Left.Key, "%s: %s", lang, s.ID)
			}
			for _, cite := range row.Left.Cites {
				b := session.Store().Blob(cite.Blob)
				require.NotNil(t, b, "%s %s cites %v", s.ID, row.Dimension, cite)
				require.LessOrEqual(t, cite.Off+cite.Len, b.Size(), "%s %s", s.ID, row.Dimension)
			}
		}
		require.NotNil(t, c.Execve, "%s: both start a process 1", s.ID)
	}
}

// Keys in the code that no sample reaches have sentences too.
func TestEveryKeyOfTheComparisonHasASentence(t *testing.T) {
	all := messages(t, "en")
	files, err := filepath.Glob(filepath.Join(root, "sim/compare/*.go"))
	require.NoError(t, err)
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`"(compare\.[a-z-]*[a-z])"`).FindAllStringSubmatch(string(data), -1) {
			require.Contains(t, all, m[1], f)
		}
	}
}

func TestWhereTwoRunsPart(t *testing.T) {
	type set = scenario.RunSettings
	for _, tt := range []struct {
		name, sample string
		left, right  set
		kind         [2]trace.Kind // at the parting
	}{
		{"BIOS and UEFI", "busybox-iso", set{Firmware: "bios"}, set{Firmware: "uefi"}, [2]trace.Kind{"bios.start", "uefi.start"}},
		{"runc and crun", "busybox", set{Engine: "runc"}, set{Engine: "crun"}, [2]trace.Kind{"kernel.mkdir", "kernel.bind-mount"}},
		{"boot signature", "debian-bios", set{}, set{Patch: []scenario.BytePatch{{Off: 510, Data: "0000"}}}, [2]trace.Kind{"bios.boot-signature", "bios.no-boot-signature"}},
		{"a host of another processor", "hello-scratch", set{}, set{HostArch: "arm64"}, [2]trace.Kind{"engine.write-config", "engine.platform-mismatch"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := compareSamples(t, tt.sample, tt.left, tt.sample, tt.right)
			d := c.Difference
			require.NotNil(t, d)
			require.False(t, d.Same)
			require.NotEmpty(t, d.Settings)
			p := d.Parting
			require.NotNil(t, p)
			require.Equal(t, tt.kind[0], c.Left.Run.Steps[p.Left].Kind)
			require.Equal(t, tt.kind[1], c.Right.Run.Steps[p.Right].Kind)
			require.Contains(t, messages(t, "zh"), p.Key)
			checkCommon(t, c)
		})
	}
	same := compareSamples(t, "busybox", set{}, "busybox", set{})
	require.True(t, same.Difference.Same)
	require.Equal(t, []compare.Stretch{{Left: 0, Right: 0, N: same.Left.Steps}}, same.Difference.Common)
}

// checkCommon: stretches rise on both sides and their steps are of one kind.
func checkCommon(t *testing.T, c *wire.Comparison) {
	l, r := 0, 0
	for _, s := range c.Difference.Common {
		require.GreaterOrEqual(t, s.Left, l)
		require.GreaterOrEqual(t, s.Right, r)
		for i := range s.N {
			require.Equal(t, c.Left.Run.Steps[s.Left+i].Kind, c.Right.Run.Steps[s.Right+i].Kind)
		}
		l, r = s.Left+s.N, s.Right+s.N
	}
}

// "Boot my container": SeaBIOS, OVMF and the engines refuse with the words that real ones print (skopeo,
// docker 20.10 and QEMU were given the same files).
func TestAnImageOnTheOtherPath(t *testing.T) {
	for _, tt := range []struct {
		sample   string
		settings scenario.RunSettings
		stage    trace.Stage
		message  string
		lacks    []string
	}{
		{"hello-scratch", scenario.RunSettings{Path: "system"}, trace.Firmware, "No bootable device.",
			[]string{"partition-table", "bootloader", "kernel", "initramfs", "init", "fstab", "entrypoint"}},
		{"alpine", scenario.RunSettings{Path: "system"}, trace.Firmware, "No bootable device.",
			[]string{"partition-table", "bootloader", "kernel", "initramfs", "entrypoint"}},
		{"debian-bios", scenario.RunSettings{Path: "container"}, trace.Resolve,
			"Error processing tar file(exit status 1): archive/tar: invalid tar header", []string{"archive", "layers", "config", "entrypoint"}},
		{"isolinux-iso", scenario.RunSettings{Path: "container", Engine: "podman"}, trace.Resolve,
			"Error: payload does not match any of the supported image formats:", []string{"archive", "layers", "config", "entrypoint"}},
	} {
		session := openID(t, tt.sample)
		res, err := session.Run(tt.settings)
		require.NoError(t, err)
		require.Equal(t, trace.Stops, res.Outcome.Verdict, "%s: %+v", tt.sample, res.Outcome)
		require.Equal(t, tt.stage, res.Outcome.Stage)
		require.Equal(t, tt.message, res.Outcome.Message)
		checkTrace(t, session, res)
		var lacks []string
		for _, n := range res.Needs {
			if !n.Have {
				lacks = append(lacks, n.What)
			}
			require.Contains(t, messages(t, "zh"), n.Key)
		}
		require.Equal(t, tt.lacks, lacks, tt.sample)
		require.True(t, slices.IsSortedFunc(res.Steps, func(a, b trace.Step) int { return a.Seq - b.Seq }))
	}
}
