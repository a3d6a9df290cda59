package kernel

import (
	"io/fs"
	"strings"
	"testing"

	"bootpath/sim/decode"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"
	"bootpath/sim/trace"

	"github.com/stretchr/testify/require"
)

func TestLayoutOfTheLoaderCache(t *testing.T) {
	require.NoError(t, decode.CheckLayout(&CacheHeader{}, 48))
	require.NoError(t, decode.CheckLayout(&CacheEntry{}, 24))
}

func TestCloneAnswers(t *testing.T) {
	user := Cred{UID: 1000, EUID: 1000, SUID: 1000, FSUID: 1000}
	for name, c := range map[string]struct {
		cred  Cred
		flags Flags
		want  error
	}{
		"a child":                                 {RootCred(), 0, nil},
		"CLONE_FS with CLONE_NEWNS":               {RootCred(), CLONE_FS | CLONE_NEWNS, EINVAL},
		"CLONE_FS with CLONE_NEWUSER":             {RootCred(), CLONE_FS | CLONE_NEWUSER, EINVAL},
		"an init makes no sibling":                {RootCred(), CLONE_PARENT, EINVAL},
		"a namespace without privilege":           {user, CLONE_NEWUTS, EPERM},
		"a user namespace without privilege":      {user, CLONE_NEWUSER, nil},
		"a user namespace that owns others":       {user, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, nil},
		"threads share their namespaces":          {RootCred(), CLONE_THREAD | CLONE_NEWPID, EINVAL},
		"invalid flags before missing privileges": {user, CLONE_FS | CLONE_NEWNS, EINVAL},
	} {
		task := onHost(t)
		task.Cred = c.cred
		_, err := task.Clone(c.flags)
		if c.want == nil {
			require.NoError(t, err, name)
		} else {
			require.Equal(t, c.want, err, name)
		}
	}
}

func TestAPIDNamespaceIsForTheChildren(t *testing.T) {
	task := onHost(t)
	require.NoError(t, task.Unshare(CLONE_NEWPID|CLONE_NEWUTS))
	require.Equal(t, 1, task.NSPID)
	first, err := task.Clone(0)
	require.NoError(t, err)
	second, err := first.Clone(0)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, []int{first.NSPID, second.NSPID})
	require.NotEqual(t, task.Namespace(PIDNS), first.Namespace(PIDNS))

	require.NoError(t, first.SetHostname("inside"))
	require.Equal(t, "inside", task.Hostname(), "the child lives in the UTS namespace that its parent entered")

	// "If the "init" process of a PID namespace terminates, the kernel terminates all of the processes in
	// the namespace", and no other can be made there: ENOMEM. pid_namespaces(7)
	first.Exit(0)
	require.Len(t, task.Kernel().Tasks(), 1)
	_, err = task.Clone(0)
	require.Equal(t, ENOMEM, err)
}

func TestUserIDsAndCapabilities(t *testing.T) {
	task := onHost(t)
	require.NoError(t, task.Setuid(1000))
	require.Zero(t, task.Cred.Permitted|task.Cred.Effective, "leaving user 0 drops all capabilities")
	require.Equal(t, EPERM, task.Setuid(0))
	require.Equal(t, EPERM, task.Setgroups([]uint32{1}))
	require.Equal(t, EPERM, task.DropBounding(SetOf(CAP_CHOWN)))
	require.Equal(t, EPERM, task.Mount("tmpfs", "/", "tmpfs", 0, ""))

	task = onHost(t)
	require.NoError(t, task.KeepCaps(true))
	require.NoError(t, task.Setuid(1000))
	require.Equal(t, AllCaps, task.Cred.Permitted)
	require.Zero(t, task.Cred.Effective)
	some := SetOf(CAP_NET_BIND_SERVICE, CAP_KILL)
	require.NoError(t, task.Capset(some, some, some))
	require.Equal(t, EPERM, task.Capset(AllCaps, AllCaps, 0), "what was given away does not come back")
	require.Equal(t, EPERM, task.Capset(AllCaps, some, 0))
	require.Equal(t, EPERM, task.SetAmbient(SetOf(CAP_CHOWN)))
	require.NoError(t, task.SetAmbient(SetOf(CAP_KILL)))
	require.NoError(t, task.Capset(some, some, 0))
	require.Zero(t, task.Cred.Ambient, "ambient stays inside permitted and inheritable")
}

// capability is the security.capability attribute, revision 2.
func capability(effective bool, permitted Caps) []byte {
	b := make([]byte, 20)
	b[3] = 2
	if effective {
		b[0] = 1
	}
	for i := range 4 {
		b[4+i] = byte(permitted >> (8 * i))
		b[12+i] = byte(permitted >> (32 + 8*i))
	}
	return b
}

func TestExecveTransformsCredentials(t *testing.T) {
	user := Cred{UID: 1000, EUID: 1000, SUID: 1000, FSUID: 1000, GID: 1000, EGID: 1000, SGID: 1000, FSGID: 1000, Bounding: AllCaps}
	type want struct {
		euid, egid uint32
		effective  Caps
		secure     bool
		err        error
	}
	bound := func(c Cred, b Caps) Cred { c.Bounding = b; return c }
	nnp := func(c Cred) Cred { c.NoNewPrivs = true; return c }
	ambient := func(c Cred, a Caps) Cred {
		c.Ambient, c.Permitted, c.Effective, c.Inheritable = a, a, a, a
		return c
	}
	net := SetOf(CAP_NET_RAW)
	for name, c := range map[string]struct {
		cred  Cred
		mode  uint32
		caps  []byte
		flags MountFlags
		want  want
	}{
		"a user's program":                        {user, 0o755, nil, 0, want{1000, 1000, 0, false, nil}},
		"set-user-ID root":                        {user, 0o4755, nil, 0, want{0, 1000, AllCaps, true, nil}},
		"set-user-ID with a small bounding set":   {bound(user, net), 0o4755, nil, 0, want{0, 1000, net, true, nil}},
		"set-group-ID":                            {user, 0o2755, nil, 0, want{1000, 0, 0, true, nil}},
		"set-group-ID without group x":            {user, 0o2745, nil, 0, want{1000, 1000, 0, false, nil}},
		"set-user-ID under no_new_privs":          {nnp(user), 0o4755, nil, 0, want{1000, 1000, 0, false, nil}},
		"set-user-ID on nosuid":                   {user, 0o4755, nil, MS_NOSUID, want{1000, 1000, 0, false, nil}},
		"root gets the bounding set":              {bound(RootCred(), net), 0o755, nil, 0, want{0, 0, net, false, nil}},
		"file capabilities":                       {user, 0o755, capability(true, net), 0, want{1000, 1000, net, true, nil}},
		"file capabilities on nosuid":             {user, 0o755, capability(true, net), MS_NOSUID, want{1000, 1000, 0, false, nil}},
		"file capabilities under no_new_privs":    {nnp(user), 0o755, capability(true, net), 0, want{1000, 1000, 0, false, nil}},
		"file capabilities out of bounds":         {bound(user, 0), 0o755, capability(true, net), 0, want{err: EPERM}},
		"out of bounds and not effective":         {bound(user, 0), 0o755, capability(false, net), 0, want{1000, 1000, 0, false, nil}},
		"ambient capabilities stay":               {ambient(user, net), 0o755, nil, 0, want{1000, 1000, net, false, nil}},
		"ambient capabilities end at set-user-ID": {ambient(user, net), 0o4755, nil, 0, want{0, 1000, AllCaps, true, nil}},
	} {
		task := onHost(t)
		require.NoError(t, task.Mount("tmpfs", "/proc", "tmpfs", c.flags, ""))
		require.NoError(t, task.WriteFile("/proc/prog", tinyELF(), c.mode))
		at, in, err := task.lookup("/proc/prog", true)
		require.NoError(t, err)
		if c.caps != nil {
			at.mnt.sb.lower = withCapability{at.mnt.sb, in, c.caps}
			delete(at.mnt.sb.made, "prog")
			delete(at.mnt.sb.gone, "prog")
		}
		task.Cred = c.cred
		err = task.Execve("/proc/prog", []string{"prog"}, nil)
		if c.want.err != nil {
			require.Equal(t, c.want.err, err, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.want, want{task.Cred.EUID, task.Cred.EGID, task.Cred.Effective, task.Secure, nil}, name)
	}
}

func TestAFilterAnswersByName(t *testing.T) {
	task := onHost(t)
	f := &Filter{Name: "test", Rules: []FilterRule{{Calls: []string{"mount"}, Errno: EPERM}, {Calls: []string{"execve"}, Errno: ENOSYS}, {Calls: []string{"mkdir"}, Kill: true}}}
	require.NoError(t, task.Seccomp(f))
	require.Equal(t, EPERM, task.Mount("tmpfs", "/proc", "tmpfs", 0, ""))
	require.Equal(t, ENOSYS, task.Execve("/none", nil, nil))
	require.True(t, task.Killed("mkdir"))
	require.NoError(t, task.Chdir("/"))
	child, err := task.Clone(0)
	require.NoError(t, err)
	require.Equal(t, EPERM, child.Filtered("mount"), "a child inherits the filter")

	task = onHost(t)
	task.Cred = Cred{UID: 1, EUID: 1}
	require.Equal(t, EACCES, task.Seccomp(f))
	require.NoError(t, task.SetNoNewPrivs())
	require.NoError(t, task.Seccomp(f))
}

func TestTheLimitOfProcesses(t *testing.T) {
	task := onHost(t)
	require.NoError(t, task.MakeCgroup("", "/box"))
	require.NoError(t, task.SetCgroup("", "/box", "pids.max", "2"))
	child, err := task.Clone(0)
	require.NoError(t, err)
	require.NoError(t, task.JoinCgroup("", "/box", child))
	_, err = child.Clone(0)
	require.NoError(t, err)
	_, err = child.Clone(0)
	require.Equal(t, EAGAIN, err)
	require.Equal(t, ENOENT, task.JoinCgroup("", "/none", child))
}

func TestMountingADevice(t *testing.T) {
	task := onHost(t)
	k := task.Kernel()
	k.AddDevice("vda1", hostFS{}, "ext4", "", "")
	k.AddDevice("vda2", nil, "crypto_LUKS", "", "")
	require.NoError(t, task.Mkdir("/dev", 0o755))
	require.NoError(t, task.Mkdir("/mnt", 0o755))
	require.Equal(t, ENOENT, task.Mount("/dev/vda1", "/mnt", "ext4", 0, ""), "nothing is mounted on /dev yet")
	require.NoError(t, task.Mount("devtmpfs", "/dev", "devtmpfs", 0, ""))
	require.Equal(t, ENOENT, task.Mount("/dev/vda9", "/mnt", "ext4", 0, ""))
	require.Equal(t, ENOTBLK, task.Mount("/dev/null", "/mnt", "ext4", 0, ""))
	require.Equal(t, EINVAL, task.Mount("/dev/vda1", "/mnt", "vfat", 0, ""))
	require.Equal(t, EINVAL, task.Mount("/dev/vda2", "/mnt", "ext4", 0, ""))
	require.Equal(t, ENODEV, task.Mount("/dev/vda1", "/mnt", "nosuchfs", 0, ""))
	require.NoError(t, task.Mount("/dev/vda1", "/mnt", "ext4", MS_RDONLY, ""))
	_, err := task.Stat("/mnt/etc")
	require.NoError(t, err)
	require.Equal(t, EROFS, task.Mkdir("/mnt/new", 0o755))
}

func TestATraceOfCallsHoldsTogether(t *testing.T) {
	m := machine.New()
	task := New(m, Options{Version: "6.1.0", Arch: "amd64"}).Init()
	task.Actor = "test"
	require.NoError(t, task.Mkdir("/a", 0o755))
	require.Equal(t, EEXIST, task.Mkdir("/a", 0o755))
	require.NoError(t, task.Mount("tmpfs", "/a", "tmpfs", MS_NOSUID, ""))
	require.NoError(t, task.Umount("/a", 0))
	child, err := task.Clone(CLONE_NEWNS | CLONE_NEWPID)
	require.NoError(t, err)
	child.Exit(3)
	m.End(trace.Outcome{Verdict: trace.Works})
	tr := m.Trace()
	require.NoError(t, tr.Check(func(string) (int64, bool) { return 0, false }))
	require.Equal(t, "EEXIST", tr.Steps[1].Args["result"])
	require.Equal(t, "mkdir(2) EEXIST", tr.Steps[1].Rule)
	require.Equal(t, `mount("tmpfs", "/a", "tmpfs", MS_NOSUID, NULL) = 0`, tr.Steps[2].Args["call"])
	end := tr.At(len(tr.Steps))
	require.Len(t, end[trace.Processes], 1)
	require.Len(t, end[trace.Mounted], 1, "the mounts of a namespace go with it")
	require.Len(t, end[trace.Namespaces], 8)
}

// withCapability gives one file of memory a capability attribute.
type withCapability struct {
	sb   *super
	in   *inode
	caps []byte
}

var _ fsys.FS = withCapability{}

func (w withCapability) Info() fsys.Info                       { return fsys.Info{} }
func (w withCapability) ReadLink(string) (string, error)       { return "", fs.ErrInvalid }
func (w withCapability) ReadDir(string) ([]fs.DirEntry, error) { return nil, nil }
func (w withCapability) Stat(n string) (fs.FileInfo, error)    { return w.Lstat(n) }

type capInfo struct {
	info
	stat *fsys.Stat
}

func (c capInfo) Sys() any { return c.stat }

func (w withCapability) Lstat(n string) (fs.FileInfo, error) {
	if n != "prog" {
		return nil, fs.ErrNotExist
	}
	return capInfo{info{n, w.in}, &fsys.Stat{Mode: w.in.mode, UID: w.in.uid, GID: w.in.gid, Capability: w.caps}}, nil
}

func (w withCapability) Open(n string) (fs.File, error) {
	return &memFile{info: info{n, w.in}, Reader: strings.NewReader(string(w.in.node.data))}, nil
}
