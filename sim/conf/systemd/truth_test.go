package systemd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const fstabLine = "UUID=b0070001-0000-4000-8000-000000000001 / ext4 errors=remount-ro 0 1\n"

// testRun is what `systemd --test` reported.
type testRun struct {
	Default string
	Jobs    []struct{ Unit, Type string }
	Units   map[string]map[string][]string
}

func readTestRun(t *testing.T) testRun {
	b, err := os.ReadFile(filepath.Join(truthDir(t), "system/systemd-test/default.target.json"))
	require.NoError(t, err)
	var r testRun
	require.NoError(t, json.Unmarshal(b, &r))
	return r
}

func testManager(t *testing.T) *Manager {
	root := edited{labRoot(t), tree(map[string]string{"etc/fstab": fstabLine})}
	return NewManager(Env{Root: root, Cmdline: "root=UUID=b0070001-0000-4000-8000-000000000001 ro console=ttyS0", Version: 252})
}

func TestDependenciesAreThoseOfTheRealSystemd(t *testing.T) {
	run := readTestRun(t)
	m := testManager(t)
	require.NotNil(t, m.Load("default.target"))
	for name, want := range run.Units {
		u := m.units[name]
		if u == nil && strings.HasSuffix(name, ".mount") && want["Unit Load State"][0] == "not-found" {
			continue // systemd looked whether a path is a mount point; it is none
		}
		if u == nil {
			t.Errorf("%s: not met", name)
			continue
		}
		if got := string(u.Load); got != want["Unit Load State"][0] {
			t.Errorf("%s: load state %s, want %s", name, got, want["Unit Load State"][0])
		}
		for _, d := range []Dep{Requires, Requisite, Wants, BindsTo, Conflicts, Before, After, OnFailure, Triggers} {
			var got []string
			for _, e := range u.Deps(d) {
				got = append(got, e.To.ID)
			}
			exp := slices.Clone(want[d.String()])
			slices.Sort(exp)
			if !slices.Equal(got, exp) {
				t.Errorf("%s %v:\n  missing %v\n  extra %v", name, d, minus(exp, got), minus(got, exp))
			}
		}
	}
	for _, u := range m.Units() {
		if run.Units[u.ID] == nil {
			t.Errorf("%s (%s): systemd did not meet it; %v", u.ID, u.Load, refs(u))
		}
	}
}

func refs(u *Unit) string {
	var out []string
	for d := RequiredBy; d < nDeps; d++ {
		for _, e := range u.Deps(d) {
			out = append(out, d.String()+" "+e.To.ID)
		}
	}
	return strings.Join(out, ", ")
}

func minus(a, b []string) []string {
	var out []string
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

func TestTheTransactionIsThatOfTheRealSystemd(t *testing.T) {
	run := readTestRun(t)
	m := testManager(t)
	u := m.Load("default.target")
	require.Equal(t, run.Default, u.ID)
	txn, err := m.Queue(u, Start, Isolate)
	require.NoError(t, err)
	var got, want []string
	for _, j := range m.Jobs() {
		got = append(got, j.Unit.ID+"/"+string(j.Type))
	}
	for _, j := range run.Jobs {
		want = append(want, j.Unit+"/"+j.Type)
	}
	slices.Sort(got)
	slices.Sort(want)
	require.Equal(t, want, got)
	require.Len(t, txn.Jobs, len(want))
	require.Empty(t, txn.Cycles)
}

// bootFacts is what was recorded about an image and its start.
type bootFacts struct {
	Files   map[string]string
	Cmdline string `json:"cmdline_booted"`
}

func (f bootFacts) file(path string) string {
	for name, text := range f.Files {
		if strings.HasSuffix(name, ":"+path) {
			return text
		}
	}
	return ""
}

func readBoot(t *testing.T, name string, units any) bootFacts {
	var f bootFacts
	for file, v := range map[string]any{"facts.json": &f, "units.json": units} {
		b, err := os.ReadFile(filepath.Join(truthDir(t), "system/boots", name, file))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, v))
	}
	return f
}

// laterThanBoot: these names changed while the recorded system ran. A mounted file system depends on the
// device that the kernel names, no longer on the link of fstab, and services had their credentials mounted.
func laterThanBoot(id string) bool {
	return strings.HasSuffix(id, ".device") || strings.HasPrefix(id, "blockdev@") || strings.HasPrefix(id, "run-credentials-")
}

func TestDependenciesAreThoseOfRecordedBoots(t *testing.T) {
	for _, name := range []string{"deb-bios", "deb-uefi", "deb-sdboot"} {
		t.Run(name, func(t *testing.T) {
			var units []map[string]string
			facts := readBoot(t, name, &units)
			root := edited{labRoot(t), tree(map[string]string{"etc/fstab": facts.file("/etc/fstab")})}
			m := NewManager(Env{Root: root, Cmdline: facts.Cmdline, Consoles: []string{"ttyS0"}, Active: []string{"-.mount"}, Version: 252})
			m.Load("default.target")
			compared := 0
			for _, rec := range units {
				u := m.units[rec["Id"]]
				if u == nil || rec["LoadState"] != string(u.Load) || rec["LoadState"] != "loaded" || u.Type == "device" {
					continue
				}
				compared++
				for _, d := range []Dep{Requires, Requisite, Wants, BindsTo, PartOf, Conflicts, After} {
					var got []string
					for _, e := range u.Deps(d) {
						got = append(got, e.To.ID)
					}
					var want []string
					for w := range strings.FieldsSeq(rec[d.String()]) {
						want = append(want, strings.ReplaceAll(strings.Trim(w, `"`), `\\`, `\`))
					}
					got, want = slices.DeleteFunc(got, laterThanBoot), slices.DeleteFunc(want, laterThanBoot)
					slices.Sort(want)
					if !slices.Equal(got, want) {
						t.Errorf("%s %v: missing %v, extra %v", u.ID, d, minus(want, got), minus(got, want))
					}
				}
			}
			require.Greater(t, compared, 100)
		})
	}
}
