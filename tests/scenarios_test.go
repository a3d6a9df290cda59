package tests

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/content/scenarios"
	"bootpath/sim/exercise"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
	"bootpath/sim/wire"
)

func gallery(t testing.TB) []scenario.Named {
	all, err := scenario.Gallery(scenarios.Files)
	require.NoError(t, err)
	return all
}

// Each scenario shows on its sample what its text says: the verdict, the words of the real program, and the
// step that decides, with bytes or a rule.
func TestEveryScenarioHappens(t *testing.T) {
	for _, n := range gallery(t) {
		t.Run(n.Name, func(t *testing.T) {
			session := openID(t, n.Src)
			res, err := session.Run(n.Settings)
			require.NoError(t, err)
			require.Equal(t, n.Expect.Verdict, res.Outcome.Verdict, "%+v", res.Outcome)
			require.Equal(t, n.Expect.Stage, res.Outcome.Stage)
			require.Equal(t, n.Expect.Message, res.Outcome.Message)
			checkTrace(t, session, res)

			var kinds []string
			var decides *trace.Step
			for i, st := range res.Steps {
				kinds = append(kinds, string(st.Kind))
				if st.Kind == n.Expect.Kind && decides == nil {
					decides = &res.Steps[i]
				}
			}
			require.NotNil(t, decides, "no step %s; the outcome is step %d, %s", n.Expect.Kind, res.Outcome.Step, res.Steps[res.Outcome.Step].Kind)
			require.True(t, len(decides.Cites) > 0 || decides.Rule != "")
			if n.Step != "" && n.Step != "end" { // which of its kind it is, the page's own tests look up
				kind, _, _ := strings.Cut(n.Step, "[")
				require.Contains(t, kinds, kind, "where the page begins")
			}
			if n.Expect.Verdict == trace.Stops {
				require.NotEmpty(t, n.Errors)
				require.True(t, strings.Contains(strings.Join(append(res.Console, res.Outcome.Message), "\n"), n.Errors[0]), "the run prints %q", n.Errors[0])
			}
		})
	}
}

func TestScenariosAreWritten(t *testing.T) {
	all := gallery(t)
	require.GreaterOrEqual(t, len(all), 24)
	files, err := filepath.Glob(filepath.Join(root, "content/scenarios/*.json"))
	require.NoError(t, err)
	require.Len(t, files, len(all)+3, "every file is in index.json, once; index.json, printed.json and follows.json are none")
	seen := map[string]bool{}
	for _, n := range all {
		require.False(t, seen[n.Name], n.Name)
		seen[n.Name] = true
		require.NotEmpty(t, n.Source, n.Name)
		for what, text := range map[string]scenario.Texts{"title": n.Title, "says": n.Says, "cause": n.Cause, "fix": n.Fix} {
			require.NotEmpty(t, text.En, "%s: %s", n.Name, what)
			require.NotEmpty(t, text.Zh, "%s: %s", n.Name, what)
			if what != "title" { // a title may be the message itself
				require.Regexp(t, `\p{Han}`, text.Zh, "%s: %s", n.Name, what)
				require.NotRegexp(t, `\p{Han}[,;:?!]|\p{Han}\.(\s|$)`, text.Zh, "%s: %s: Chinese punctuation is full-width", n.Name, what)
			}
			require.LessOrEqual(t, strings.Count(text.En, "`")%2, 0, n.Name)
			require.LessOrEqual(t, strings.Count(text.Zh, "`")%2, 0, n.Name)
		}
	}
}

// printed.json tells which steps print what, for messages that no scenario has, and follows.json which kinds come
// after which, for predictions. -update makes them anew from all runs of samples and scenarios.
func TestPrintedLinesBelongToKinds(t *testing.T) {
	if *update {
		writePrinted(t)
	}
	printed, err := scenario.ReadPrinted(os.DirFS(filepath.Join(root, "content/scenarios")))
	require.NoError(t, err)
	require.Greater(t, len(printed), 30)
	all := messages(t, "zh")
	for _, p := range printed {
		require.Contains(t, all, string(p.Kind))
		require.NotEmpty(t, p.Lines, p.Kind)
	}
}

func writePrinted(t *testing.T) {
	lines := map[trace.Kind][]string{}
	next := map[trace.Kind][]trace.Kind{}
	collect := func(session *wire.Session, settings scenario.RunSettings) {
		res, err := session.Run(settings)
		require.NoError(t, err)
		for i, st := range res.Steps {
			if i+1 < len(res.Steps) && !slices.Contains(next[st.Kind], res.Steps[i+1].Kind) {
				next[st.Kind] = append(next[st.Kind], res.Steps[i+1].Kind)
			}
			for _, line := range strings.Split(strings.TrimSpace(st.Console), "\n") {
				if line = strings.TrimSpace(line); len(line) > 5 && len(line) < 200 && len(lines[st.Kind]) < 3 && !slices.Contains(lines[st.Kind], line) {
					lines[st.Kind] = append(lines[st.Kind], line)
				}
			}
		}
	}
	for _, n := range gallery(t) { // failures first: they are what people paste
		collect(openID(t, n.Src), n.Settings)
	}
	for _, s := range samples(t) {
		collect(openSample(t, s), s.Settings)
	}
	printed, follows := []scenario.Printed{}, []exercise.Follow{}
	for _, kind := range slices.Sorted(maps.Keys(lines)) {
		if len(lines[kind]) > 0 {
			printed = append(printed, scenario.Printed{Kind: kind, Lines: lines[kind]})
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(next)) {
		follows = append(follows, exercise.Follow{Kind: kind, Next: next[kind]})
	}
	writeIndented(t, "printed.json", printed)
	writeIndented(t, "follows.json", follows)
}

func writeIndented(t *testing.T, name string, v any) {
	var data bytes.Buffer
	e := json.NewEncoder(&data)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	require.NoError(t, e.Encode(v))
	require.NoError(t, os.WriteFile(filepath.Join(root, "content/scenarios", name), data.Bytes(), 0o644))
}

// A prediction offers three other kinds, each with its sentence, and never the true one.
func TestPredictionsArePlausible(t *testing.T) {
	all := messages(t, "zh")
	follows := followTable(t)
	for _, s := range samples(t) {
		res, err := openSample(t, s).Run(s.Settings)
		require.NoError(t, err)
		for n := 1; n < len(res.Steps); n++ {
			got := exercise.Predict(follows, res.Steps, n)
			require.Len(t, got, 3, "%s: step %d after %s", s.ID, n, res.Steps[n-1].Kind)
			require.NotContains(t, got, res.Steps[n].Kind)
			for _, k := range got {
				require.Contains(t, all, string(k))
			}
		}
		require.Empty(t, exercise.Predict(follows, res.Steps, 0))
		require.Empty(t, exercise.Predict(follows, res.Steps, len(res.Steps)))
	}
}

func followTable(t *testing.T) []exercise.Follow {
	data, err := os.ReadFile(filepath.Join(root, "content/scenarios/follows.json"))
	require.NoError(t, err)
	var follows []exercise.Follow
	require.NoError(t, json.Unmarshal(data, &follows))
	return follows
}

// Messages as people have them: with their own paths, names, times, and lines around. The first scenario, or one
// of those that print the same words, is what it was.
func TestPastedMessagesAreRecognised(t *testing.T) {
	printed, err := scenario.ReadPrinted(scenarios.Files)
	require.NoError(t, err)
	for _, tt := range []struct {
		text string
		want string // a scenario, or a kind
		at   int    // how far down it may be
	}{
		{"standard_init_linux.go:211: exec user process caused \"exec format error\"", "exec-format-error", 3},
		{"exec /usr/local/bin/docker-entrypoint.sh: no such file or directory", "not-found-but-there", 4},
		{"/bin/sh: ./app: not found", "not-found-but-there", 1},
		{"[    1.734291] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(8,1)", "no-initramfs", 1},
		{"Gave up waiting for root file system device.  Common problems:\n - Boot args (cat /proc/cmdline)\nALERT!  UUID=3f1c2d44-9d3e-4c1e-8a3b-0f5d2f1e7a11 does not exist.  Dropping to a shell!\n\nBusyBox v1.30.1 (Debian 1:1.30.1-6+b3) built-in shell (ash)\n(initramfs) ", "root-uuid-wrong", 2},
		{"docker: no matching manifest for linux/arm64/v8 in the manifest list entries.\nSee 'docker run --help'.", "no-matching-manifest", 1},
		{"System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is down", "systemctl-in-a-container", 1},
		{"Verification failed: (0x1A) Security Violation", "secure-boot-refuses", 1},
		{"error: file `/boot/vmlinuz-5.10.0-9-amd64' not found.", "kernel-missing", 2},
		{"error: no such partition.\nEntering rescue mode...\ngrub rescue> ", "grub-rescue", 1},
		{"docker: Error response from daemon: OCI runtime create failed: container_linux.go:380: starting container process caused: exec: \"bash\": executable file not found in $PATH: unknown.", "no-shell-in-the-image", 2},
		{"Error processing tar file(exit status 1): archive/tar: invalid tar header", "iso-is-no-container", 1},
		{"You are in emergency mode. After logging in, type \"journalctl -xb\" to view", "fstab-device-missing", 1},
		{"BdsDxe: failed to load Boot0001 \"UEFI QEMU HARDDISK QM00001 \" from PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x0,0xFFFF,0x0): Not Found", "bios-disk-under-uefi", 3},
		{"docker: Error response from daemon: unable to find user www-data: no matching entries in passwd file.", "user-unknown", 1},
		{"/bin/bash^M: bad interpreter: No such file or directory", "crlf-script", 1},
		{"[    0.512000] Freeing initrd memory: 52812K", "linux.free-initrd", 1},
	} {
		got := scenario.Recognise(gallery(t), printed, tt.text)
		at := slices.IndexFunc(got, func(c scenario.Candidate) bool { return c.Scenario == tt.want || string(c.Kind) == tt.want })
		require.True(t, at >= 0 && at < tt.at, "%s\nwant %s, have %+v", tt.text, tt.want, got)
	}
	for _, text := range []string{"", "hello", "everything is fine today", strings.Repeat("x", 1<<17), "\x00\xff\n\n"} {
		require.Empty(t, scenario.Recognise(gallery(t), printed, text), text[:min(len(text), 30)])
	}
	for _, n := range gallery(t) { // each finds itself by its own words
		for _, e := range n.Errors {
			got := scenario.Recognise(gallery(t), printed, e)
			require.True(t, slices.ContainsFunc(got, func(c scenario.Candidate) bool { return c.Scenario == n.Name }), "%s: %s: %+v", n.Name, e, got)
		}
	}
}
