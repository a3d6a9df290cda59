package container

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/container"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

// recordedRootless is what rootless/record.sh recorded.
//
//go:embed rootless/recorded.json
var recordedRootless []byte

// recorder is who called podman there.
var recorder = container.HostUser{UID: 1001, First: 100000, Count: 65536}

// acceptedRootless are rows that stay different, by their arguments, with the reason.
var acceptedRootless = map[string]string{
	"--userns=container:abc --network none":    "whether the host has the container is not known",
	"--userns=ns:/nowhere --network none":      "whether the host has the file is not known",
	"-v /nowhere:/data --network none":         "whether the host has the directory is not known",
	"--userns=keep-id --user 0 --network none": "HOME is / although /etc/passwd says /root: podman's rule for it was not found",
}

type rootlessRow struct {
	Who      string   `json:"who"`
	Args     []string `json:"args"`
	ExitCode int      `json:"exit_code"`
	Stdout   []string `json:"stdout"`
	Stderr   []string `json:"stderr"`
}

func TestRecordedRootless(t *testing.T) {
	var rows []rootlessRow
	require.NoError(t, json.Unmarshal(recordedRootless, &rows))
	from := openImage(t, filepath.Join(truthDir(), "container/images/busybox.docker.tar"))
	agree := 0
	for _, row := range rows {
		name := strings.Join(row.Args, " ")
		cmd, err := scenario.ParseCommand("podman run " + name + " busybox:1 /bin/busybox id")
		require.NoError(t, err, name)
		s := cmd.Settings
		var maps []kernel.IDMap
		for _, m := range s.UIDMap {
			var i kernel.IDMap
			fmt.Sscanf(m, "%d:%d:%d", &i.Inside, &i.Outside, &i.Size)
			maps = append(maps, i)
		}
		c := container.Config{Archive: from.Archive, Engine: "podman", Cgroup: "v2", Rootless: row.Who == "rootless", HostUser: recorder, Command: s.Command,
			UserNS: s.UserNS, UserMaps: maps, User: s.User, Network: s.Network, Publish: s.Publish, Privileged: s.Privileged, Memory: s.Memory, PidsLimit: s.PidsLimit,
			Ulimit: s.Ulimit, CapAdd: s.CapAdd, Sysctl: s.Sysctl, Volume: s.Volume}
		m := machine.New()
		facts := container.Run(m, c)
		tr := m.Trace()
		require.NoError(t, tr.Check(from.size), name)
		switch diff := row.compare(tr, facts); {
		case diff == "":
			agree++
		case acceptedRootless[name] == "":
			t.Errorf("%s %s: %s", row.Who, name, diff)
		}
	}
	t.Logf("%d of %d recorded starts agree", agree, len(rows))
}

// compare tells how a simulated start differs from the recorded one; "" when it does not.
func (row rootlessRow) compare(tr *trace.Trace, f container.Facts) string {
	o := tr.Outcome
	switch {
	case o.Verdict == trace.Unknown:
		return "unknown: " + o.Unknown.String()
	case row.ExitCode != 0 && o.Verdict == trace.Works:
		return "works; recorded: " + strings.Join(row.Stderr, "\n")
	case row.ExitCode != 0:
		number := regexp.MustCompile(`/proc/\d+/`)
		want, got := row.Stderr[len(row.Stderr)-1], o.Message
		if number.ReplaceAllString(want, "/proc/N/") != number.ReplaceAllString(got, "/proc/N/") || row.ExitCode != *o.ExitCode {
			return fmt.Sprintf("%q, %d; recorded %q, %d", got, *o.ExitCode, want, row.ExitCode)
		}
		return ""
	case o.Verdict != trace.Works:
		return "stops: " + o.Message
	}
	var got []string
	if f.UserNS != nil {
		got = append(got, "uids "+fmt.Sprint(f.UserNS.UIDMap), "gids "+fmt.Sprint(f.UserNS.GIDMap))
	}
	got = append(got, "ids "+f.User, "eff "+f.Security.Effective, "bnd "+f.Security.Bounding, "home "+value(f.Env, "HOME="), "port "+strconv.Itoa(max(f.Ports.From, 0)))
	if want := row.saw(f); !slices.Equal(want, got) {
		return fmt.Sprintf("\n  %q\n  recorded\n  %q", got, want)
	}
	return ""
}

// saw is what the recorded program printed, in the order of record.sh's probe.
func (row rootlessRow) saw(f container.Facts) []string {
	var out []string
	lines := row.Stdout
	maps := func() (list []kernel.IDMap) {
		for lines = lines[1:]; lines[0] != ""; lines = lines[1:] {
			var m kernel.IDMap
			fmt.Sscan(lines[0], &m.Inside, &m.Outside, &m.Size)
			list = append(list, m)
		}
		return list
	}
	uids, gids := maps(), maps()
	out = append(out, "uids "+fmt.Sprint(uids), "gids "+fmt.Sprint(gids), "ids "+idPair(row.Stdout[0]))
	caps := func(line string) string {
		v, _ := strconv.ParseUint(strings.Fields(line)[1], 16, 64)
		return kernel.Caps(v).String()
	}
	out = append(out, "eff "+caps(lines[1]), "bnd "+caps(lines[2]), "home "+lines[5])
	port := lines[6]
	if f.Ports.From < 0 {
		port = "0" // the host's own: not known
	}
	return append(out, "port "+port)
}

// idPair takes the numbers of "uid=1001(learner) gid=1001(learner)".
func idPair(line string) string {
	m := regexp.MustCompile(`uid=(\d+)\S* gid=(\d+)`).FindStringSubmatch(line)
	return m[1] + ":" + m[2]
}

func value(env []string, key string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, key); ok {
			return v
		}
	}
	return ""
}
