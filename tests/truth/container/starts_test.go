package container

import (
	"os"
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
	"bootpath/sim/trace"
)

// start is one recorded start and the settings that mean the same.
type start struct {
	file     string
	config   container.Config
	actors   []string // of the recorded processes, in the order in which they appear
	leaveOut *regexp.Regexp
	cut      string // why the recorded start ends before execve; what is simulated beyond is not compared
}

// Mounts of the engine's files were taken out of the recorded configs of podman, and hierarchies of version
// 1 are mounted in the order of a Go map.
var noBinds = regexp.MustCompile(`userdata|/sys/fs/cgroup|type=tmpfs .*data=mode=755$|size=1024k`)

// acceptedCalls are calls that only one side has ("-" recorded, "+" simulated), each with its reason.
var acceptedCalls = []struct{ pattern, reason string }{
	{`^crun \+ mknod exec.fifo S_IFIFO\|0600$`, "recorded is crun run with the config that podman wrote; only crun create makes the fifo"},
	{`^podman - clone CLONE_VFORK\|CLONE_VM$`, "podman runs conmon --version first, which tells it nothing new"},
	{`^podman - symlink \.\./ID/diff \w{26}$`, "a short random name for the layer, because mount options must fit into a page"},
	{`^crun - prlimit RLIMIT_MEMLOCK$`, "crun lifts its own limit before it loads the BPF program; it is refused and goes on"},
	{`^crun - prlimit RLIMIT_NPROC$`, "how many processes a user may have depends on the memory of the host"},
	{`^crun \+ cgroup join$`, "the recording host has no systemd of the user's, and its groups are not the user's: there is none"},
	{`^crun:\[init\] (\+ mount src=/(run/user|home)/\S+/userdata/.*|- mount src= at=… type= flags=MS_PRIVATE\|MS_REC data= = 0)$`, "for a container with its own users crun has the parent open the sources (open_tree) and moves them in (move_mount)"},
	{`mount .*(/proc/sysrq-trigger|/proc/kcore|/proc/scsi) `, "which of these /proc has depends on the configuration of the host's kernel"},
	{` - drop bounding \d+$`, "runc drops the same capabilities a second time, which changes nothing"},
	{`mount src=(/proc/self/exe)? at=/tmp/crun\.`, "a random name"},
	{` [+-] mount src= at=(ROOT|/.*) type= flags=MS_PRIVATE data= = `, "crun climbs to the mount that holds the root: a directory there, a mount of its own here"},
	{` - symlink \w+,\w+ \w+$`, "hierarchies that the recording host mounts together"},
	{` \+ mount src=… at=… type= flags=MS_BIND\|MS_REC data= = 0$| \+ mount src= at=… type= flags=MS_PRIVATE\|MS_REC data= = 0$`, "engine's files, taken out of the recorded config; scsi as above"},
}

func acceptedCall(actor, line string) bool {
	return slices.ContainsFunc(acceptedCalls, func(a struct{ pattern, reason string }) bool {
		return regexp.MustCompile(a.pattern).MatchString(actor + " " + line)
	})
}

func starts() []start {
	runc := []string{"runc", "runc:[0:PARENT]", "runc:[1:CHILD]", "runc:[2:INIT]"}
	return []start{
		{file: "runc-spec-cgroup2.txt", config: container.Config{Engine: "runc", Cgroup: "v2"}, actors: runc},
		{file: "runc-spec.txt", config: container.Config{Engine: "runc", Cgroup: "v1"}, actors: runc, leaveOut: noBinds},
		{file: "crun-spec.txt", config: container.Config{Engine: "crun", Cgroup: "v1"}, actors: []string{"crun", "crun:[init]"}, leaveOut: noBinds},
		{file: "runc-podmancfg.txt", config: container.Config{Engine: "podman-runc", Cgroup: "v1", CapAdd: recorderCaps}, actors: runc, leaveOut: noBinds},
		{file: "crun-podmancfg.txt", config: container.Config{Engine: "podman-crun", Cgroup: "v1", CapAdd: recorderCaps}, actors: []string{"crun", "crun:[init]"}, leaveOut: noBinds},
		{file: "runc-userns.txt", config: container.Config{Engine: "runc", Cgroup: "v1", UserMaps: oneMap}, actors: runc},
		{file: "crun-userns.txt", config: container.Config{Engine: "crun", Cgroup: "v1", UserMaps: oneMap}, actors: []string{"crun", "crun:[child]", "crun:[init]"}},
		{file: "podman-runc-full.txt", config: container.Config{Engine: "podman-runc", Cgroup: "v1", CapAdd: recorderCaps, Network: "none"}, actors: withPodman(runc), leaveOut: version1},
		{file: "podman-crun-full.txt", config: container.Config{Engine: "podman-crun", Cgroup: "v1", CapAdd: recorderCaps, Network: "none"}, actors: withPodman([]string{"crun", "crun:[init]"}), leaveOut: version1},
		{file: "podman-runc-full-cgroup2.txt", config: container.Config{Engine: "podman-runc", Cgroup: "v2", CapAdd: recorderCaps, Network: "none"}, actors: withPodman(runc), cut: noBPF},
		{file: "podman-crun-full-cgroup2.txt", config: container.Config{Engine: "podman-crun", Cgroup: "v2", CapAdd: recorderCaps, Network: "none"}, actors: withPodman([]string{"crun", "crun:[init]"}), cut: noBPF},
		{file: "rootless/start.txt", config: container.Config{Engine: "podman", Cgroup: "v2", Network: "none", Rootless: true, HostUser: recorder}, actors: withoutRoot("crun:[init]")},
		{file: "rootless/start-keep-id.txt", config: container.Config{Engine: "podman", Cgroup: "v2", Network: "none", Rootless: true, HostUser: recorder, UserNS: "keep-id"}, actors: withoutRoot("crun:[child]", "crun:[init]")},
	}
}

// withoutRoot puts those before the runtime's processes in front when podman is called by a user.
func withoutRoot(inits ...string) []string {
	return append([]string{"podman", "conmon --version", "newuidmap", "newgidmap", "podman", "podman", "catatonit", "conmon --version", "conmon", "conmon", "crun"}, inits...)
}

// withPodman puts those before the runtime in front: podman, which first asks conmon for its version, and
// conmon twice, for it makes itself a daemon.
func withPodman(runtime []string) []string {
	return append([]string{"podman", "conmon --version", "conmon", "conmon"}, runtime...)
}

const noBPF = "the recording host may not load a BPF program with the device rules: the start fails there"

// Hierarchies of version 1 are mounted in the order of a Go map; runc and crun say tmpfs's options for them.
var version1 = regexp.MustCompile(`/sys/fs/cgroup|type=tmpfs .*data=mode=755$|size=1024k`)

// recorderCaps are what the recorder's containers.conf left to podman beyond Debian's.
var recorderCaps = []string{"AUDIT_WRITE", "MKNOD", "NET_RAW"}

// oneMap is how the recorded user namespaces were mapped.
var oneMap = []kernel.IDMap{{Inside: 0, Outside: 100000, Size: 65536}}

var (
	recordedLine = regexp.MustCompile(`^\s*[\d.]+ (P\d+)\s+(\w+)\((.*)\)\s+= (-1 )?(\S+)`)
	pathAt       = regexp.MustCompile(`(AT_FDCWD|\d+)<[^>]*>, `)
	fdPath       = regexp.MustCompile(`\d+<([^>]*)>`)
)

// TestRecordedOrder compares the system calls of each process of a start, in order.
func TestRecordedOrder(t *testing.T) {
	images := archives(t)
	for _, s := range starts() {
		file := filepath.Join(truthDir(), "container/starts", s.file)
		if strings.HasPrefix(s.file, "rootless/") {
			file = s.file
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Skipf("no recordings: %v", err)
		}
		s.config.Archive = images["cases"].Archive
		s.config.Command = []string{"/x/hello", "a", "b"}
		m := machine.New()
		container.Run(m, s.config)
		want, got := s.tidy(recordedCalls(string(data), s)), s.tidy(simulatedCalls(m.Trace(), s))
		for _, actor := range slices.Compact(slices.DeleteFunc(slices.Clone(s.actors), func(a string) bool { return a == "conmon --version" || a == "catatonit" })) {
			for _, line := range diff(want[actor], got[actor], s.cut != "") {
				if !acceptedCall(actor, line) {
					t.Errorf("%s %s: %s", s.file, actor, line)
				}
			}
			require.NotEmpty(t, got[actor], "%s %s", s.file, actor)
		}
	}
}

func recordedCalls(text string, s start) map[string][]string {
	out, names := map[string][]string{}, map[string]string{}
	root := regexp.MustCompile(`/corpus/build/unp/cases/rootfs|/tmp/bundle/ur|(/corpus/st/root|/home/learner/.local/share/containers/storage)/overlay/\w{64}/merged`)
	for line := range strings.SplitSeq(text, "\n") {
		if s.cut != "" && strings.Contains(line, "killed by SIGKILL") {
			break
		}
		m := recordedLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if names[m[1]] == "" && len(names) < len(s.actors) {
			names[m[1]] = s.actors[len(names)]
		}
		add(out, names[m[1]], token(m[2], store(root.ReplaceAllString(m[3], "ROOT")), m[5]))
	}
	return out
}

var simulatedLine = regexp.MustCompile(`^(\w+)\((.*)\) = (-1 )?(\S+)`)

func simulatedCalls(tr *trace.Trace, s start) map[string][]string {
	out := map[string][]string{}
	root := regexp.MustCompile(`/run/bundle/rootfs|(/var/lib|/home/you/.local/share)/containers/storage/overlay/\w+/merged`)
	for _, st := range tr.Steps {
		actor := st.Actor
		if actor == "hello" {
			actor = s.actors[len(s.actors)-1]
		}
		switch {
		case st.Kind == "kernel.drop-bounding":
			add(out, actor, "drop bounding "+st.Args["count"])
		case st.Kind == "kernel.set-ambient":
			add(out, actor, "ambient")
		case st.Kind == "runc.join-keyring":
			add(out, actor, "join keyring")
		case st.Args["call"] != "":
			if m := simulatedLine.FindStringSubmatch(st.Args["call"]); m != nil {
				add(out, actor, token(m[1], store(root.ReplaceAllString(m[2], "ROOT")), m[4]))
			}
		}
	}
	return out
}

// A mount of one of podman's own files takes up to three calls. They come in the order of a Go map, so they
// are compared as a set.
var (
	ownFile = regexp.MustCompile(`^mount src=/\S+/userdata/`)
	changes = regexp.MustCompile(`^mount .* flags=(MS_PRIVATE|MS_PRIVATE\|MS_REC|\S*MS_REMOUNT) `)
)

// tidy brings those of a start into one order and leaves out what is not compared.
func (s start) tidy(calls map[string][]string) map[string][]string {
	for actor, list := range calls {
		if s.leaveOut != nil {
			list = slices.Compact(slices.DeleteFunc(list, s.leaveOut.MatchString))
			calls[actor] = list
		}
		for i := range list {
			end := i
			for end < len(list) && ownFile.MatchString(list[end]) {
				end++
			}
			slices.Sort(list[i:end])
		}
	}
	return calls
}

// store says the engine's directories and IDs in one way.
func store(args string) string {
	args = strings.NewReplacer("/corpus/st/root", "/var/lib/containers/storage", "/corpus/st/run", "/run/containers/storage", "/home/learner", "/home/you").Replace(args)
	args = regexp.MustCompile(`[0-9a-f]{64}|\b[0-9a-f]{12}\b`).ReplaceAllString(args, "ID")
	return regexp.MustCompile(`"lowerdir=.*`).ReplaceAllString(args, `"lowerdir=…"`) // whose rest the recorder cut off
}

// add appends a token; a run of the same token counts once.
func add(out map[string][]string, actor, tok string) {
	if tok == "" {
		return
	}
	list := out[actor]
	if n := len(list); n > 0 && tok == "drop bounding 1" && strings.HasPrefix(list[n-1], "drop bounding ") {
		count, _ := strconv.Atoi(list[n-1][len("drop bounding "):])
		list[n-1] = "drop bounding " + strconv.Itoa(count+1)
		return
	}
	if len(list) > 0 && list[len(list)-1] == tok {
		return
	}
	if n := len(list); n > 0 && ownFile.MatchString(list[n-1]) && changes.MatchString(tok) {
		list[n-1] += "; " + tok
		return
	}
	out[actor] = append(list, tok)
}

// token is a call without what differs from host to host: addresses, descriptors, IDs.
func token(name, args, result string) string {
	if name != "write" {
		args = pathAt.ReplaceAllString(args, "")
	}
	f := strings.Split(args, ", ")
	get := func(i int) string {
		if i >= len(f) || f[i] == "NULL" || strings.HasPrefix(f[i], "0x") {
			return ""
		}
		return strings.Trim(f[i], `"`)
	}
	switch name {
	case "mount":
		at := get(1)
		if strings.HasPrefix(at, "/proc/self/fd/") || strings.HasPrefix(at, "ROOT/") || strings.Contains(at, "/runc.") {
			at = "…" // runc and crun mount on descriptors
		}
		if at == "ROOT" && strings.Contains(get(3), "MS_REMOUNT") {
			at = "…"
		}
		if strings.Contains(get(0), "/proc/self/fd/") || strings.HasPrefix(get(0), "ROOT/") {
			f[0] = "…"
		}
		return "mount src=" + get(0) + " at=" + at + " type=" + get(2) + " flags=" + sorted(get(3)) + " data=" + get(4) + " = " + result
	case "umount2", "pivot_root", "setsid", "setuid", "setgid", "unshare", "sethostname":
		if name == "sethostname" || name == "setsid" {
			return name
		}
		if strings.Contains(args, "/runc.") || strings.Contains(args, "crun.") {
			args = "…"
		}
		if name == "unshare" {
			args = sorted(args)
		}
		return name + " " + args
	case "setresuid", "setresgid":
		return "set" + strings.TrimPrefix(name, "setres") + " " + get(0)
	case "setgroups":
		return "setgroups " + get(0)
	case "clone", "clone3":
		flags := regexp.MustCompile(`flags=([A-Z_|0]+)`).FindStringSubmatch(args)
		if flags == nil {
			return ""
		}
		return "clone " + strings.TrimPrefix(sorted(flags[1]), "0")
	case "mknodat", "mknod":
		return "mknod " + filepath.Base(get(0)) + " " + strings.Join(f[1:], " ")
	case "symlinkat", "symlink":
		return "symlink " + get(0) + " " + filepath.Base(strings.Trim(f[len(f)-1], `"`))
	case "prctl":
		switch {
		case strings.HasPrefix(args, "PR_CAPBSET_DROP"):
			return "drop bounding 1"
		case strings.Contains(args, "PR_CAP_AMBIENT_IS_SET"), result == "EFAULT": // questions
		case strings.HasPrefix(args, "PR_CAP_AMBIENT"):
			return "ambient"
		case strings.HasPrefix(args, "PR_SET_NO_NEW_PRIVS"), strings.HasPrefix(args, "PR_SET_KEEPCAPS"):
			return "prctl " + get(0) + " " + get(1)
		case strings.HasPrefix(args, "PR_SET_SECCOMP"):
			return "seccomp"
		}
	case "seccomp", "capset":
		return name
	case "keyctl":
		if strings.HasPrefix(args, "KEYCTL_JOIN") {
			return "join keyring"
		}
	case "prlimit64":
		if strings.Contains(args, "NULL,{") { // a question
			return ""
		}
		return "prlimit " + get(1)
	case "execve":
		if strings.HasPrefix(get(0), "/x/") {
			return "execve " + get(0)
		}
	case "write":
		if m := regexp.MustCompile(`/([ug]id_map)>, "(\d+ \d+ \d+)`).FindStringSubmatch(args); m != nil {
			return "write " + m[1] + " " + m[2]
		}
		if m := fdPath.FindStringSubmatch(args); strings.Contains(args, "cgroup.procs") && m != nil || strings.Contains(args, "cgroup.procs") {
			return "cgroup join"
		}
	}
	return ""
}

func sorted(flags string) string {
	f := strings.Split(flags, "|")
	f = slices.DeleteFunc(f, func(s string) bool { // what fork(3) of the C library adds
		return s == "SIGCHLD" || s == "CLONE_CHILD_CLEARTID" || s == "CLONE_CHILD_SETTID"
	})
	slices.Sort(f)
	return strings.Join(f, "|")
}

// diff lists what only one side has, by the longest common subsequence; of a recording that is cut, up to its
// end.
func diff(want, got []string, cut bool) []string {
	n, m := len(want), len(got)
	lcs := make([][]int, n+1)
	for i := range lcs {
		lcs[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if want[i] == got[j] {
				lcs[i][j] = lcs[i+1][j+1] + 1
			} else {
				lcs[i][j] = max(lcs[i+1][j], lcs[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < n || j < m && !cut {
		switch {
		case i < n && j < m && want[i] == got[j]:
			i, j = i+1, j+1
		case j == m || i < n && lcs[i+1][j] >= lcs[i][j+1]:
			out = append(out, "- "+want[i])
			i++
		default:
			out = append(out, "+ "+got[j])
			j++
		}
	}
	return out
}
