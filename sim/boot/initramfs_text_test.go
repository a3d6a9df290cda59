package boot

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/conf/sh"
	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/trace"
)

// TestToolsAgree runs scripts with the real tools in a folder, and here in the same tree: the output and the status must be
// the same.
func TestToolsAgree(t *testing.T) {
	files := map[string]string{"etc/fstab": "# root\nUUID=1 / ext4 ro 0 1\n", "etc/hosts": "a b\n", "etc/empty/x.conf": "", "link": "-> etc/hosts"}
	root := t.TempDir()
	for name, content := range files {
		at := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			require.NoError(t, os.Symlink(target, at))
			continue
		}
		require.NoError(t, os.WriteFile(at, []byte(content), 0o644))
	}
	for _, tool := range []string{"dash", "sed", "find", "xargs", "grep", "wc", "sort", "echo", "head", "tail"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
		files["bin/"+tool] = tinyProgram
	}
	for _, script := range toolScripts {
		cmd := exec.Command("dash", "-c", script)
		cmd.Dir, cmd.Env = root, []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
		out, _ := cmd.Output()
		x := started(t, "", files, nil)
		in := &shProcess{x: x, b: &budget{}, kind: shellKind{path: "/bin/sh", name: "dash"}, vars: map[string]string{"IFS": " \t\n", "PATH": "/bin"}, exported: map[string]bool{},
			funcs: map[string]function{}, name: "x", cwd: "/", stdout: &sink{kind: "buffer"}, stderr: &sink{kind: "null"}, src: &source{path: "x", text: script}}
		tree, err := sh.Parse(script)
		require.NoError(t, err, script)
		in.run(tree.Body)
		in.exitTrap()
		require.False(t, x.m.Ended(), "%s: %+v", script, x.m.Trace().Outcome)
		require.Equal(t, string(out), in.stdout.buf.String(), script)
		require.Equal(t, cmd.ProcessState.ExitCode(), in.status, script)
	}
}

var toolScripts = []string{
	`n() { printf '1\n2\n3\n4\n'; }; n | head -n 2; n | head -1; n | head -n -3; n | tail -n 1; n | tail -n +3; n | tail -2; n | tail -n +9; n | head`,
	`echo //run//live/ | sed 's|//\+|/|g' | sed 's|^\(.*[^/]\)/$|\1|'`,
	`printf 'one\ntwo\nthree\n' | sed -n -e '/t/p'; printf 'one\ntwo\n' | sed 1d; printf 'one\ntwo\n' | sed '$!d'`,
	`echo 'a b c' | sed -e 's/ /\n/g'; echo 'a.b' | sed 's/[.]/&&/; s/a/\$/'`,
	`echo 'key=value' | sed -E 's/([a-z]+)=([a-z]+)/\2 \1/'; echo aXbXc | sed 's/X/-/p'`,
	`echo a/b/c | sed 's,/,\\x2f,g'; echo 'a/b' | sed 's/\//|/'; echo x | sed 's/y/z/'`,
	`printf '1\n2\n3\n' | sed 2q; sed -n 's/^UUID=\([^ ]*\).*/\1/p' etc/fstab`,
	`find etc | sort; find . -name '*.conf' -type f; find etc -mindepth 1 -maxdepth 1 ! -type d | sort; find nothing; echo $?`,
	`find link -type l; find etc -path 'etc/e*' -not -name empty`,
	`echo a b c | xargs echo; echo a b c | xargs -n 2 echo x; true | xargs -r echo none; true | xargs echo`,
	`echo 'foo foobar' | grep -o '\<foo\>'; printf 'a\nb\na\n' | grep -m1 a; echo loop | grep -qw loo; echo $?`,
	`echo a b c | wc -w; printf 'a\nb' | wc -l; printf abc | wc -c`,
	`echo one >f; echo two >>f; while read -r l; do echo "<$l>"; done <f; { echo three; echo four; } >>f; wc -l <f`,
	`echo x >no/such/file; echo $?; echo kept >f; : >f; wc -c <f`,
	`trap 'echo bye' EXIT; echo first; (trap 'echo inner' 0); exit 3`,
}

// FuzzSed: whatever the script, it is refused or edits lines without growing without end.
func FuzzSed(f *testing.F) {
	for _, script := range []string{`s|//\+|/|g`, `s/\(a\)[b]*/\1&/p;$d`, `/x/!d`, `2q`, `s,[,],x,`, `s/`, `$`, `s/a/\`} {
		f.Add(script, "a//b[]\nx", false)
	}
	f.Fuzz(func(t *testing.T, script, text string, extended bool) {
		commands, ok := sedScript(script, extended)
		if !ok || len(text) > 1000 {
			return
		}
		for _, c := range commands {
			c.selects(text, 1, true)
			if c.verb == 's' {
				c.substitute(&text)
			}
			require.LessOrEqual(t, len(text), 2*maxValue)
		}
	})
}

// TestLosetupRefuses: command lines without a device or a file do not make one up.
func TestLosetupRefuses(t *testing.T) {
	for _, words := range []string{"losetup", "losetup -r", "losetup -a", "losetup /dev/loop0", "losetup -d", "losetup -o x /dev/loop0 /init", "losetup -j /init", "losetup --sizelimit=5 -f /init", "losetup /dev/vda1 /init"} {
		x := started(t, "", busybox(map[string]string{"init": "#!/bin/sh\n" + words + "\nexec sh\n", "bin/losetup": "-> busybox", "lib/modules/6.1.0/modules.builtin": builtinDrivers + "kernel/drivers/block/loop.ko\n"}), nil)
		x.startLoops()
		x.kernelInit()
		require.Equal(t, "loop0", x.freeLoop(), words)
	}
}

// TestLiveSystem follows a script that finds a squashfs on a disk, shows it through a loop device and lays an overlay over it.
func TestLiveSystem(t *testing.T) {
	init := `#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mount /dev/vda1 /medium
free=$(losetup -f); used=$(losetup -f --show --read-only /medium/live.squashfs) || exec sh
[ "$free $used" = "/dev/loop0 /dev/loop0" ] || echo "free was $free, used is $used"
echo "loop0 has $(cat /sys/block/loop0/size) sectors"
mount -t squashfs -o ro /dev/loop0 /lower || exec sh
mount -t tmpfs tmpfs /cow; mkdir /cow/rw /cow/work
mount -t overlay -o "lowerdir=/lower,upperdir=/cow/rw,workdir=$WORK" overlay /mnt || exec sh
echo changed >>/mnt/etc/issue
exec switch_root /mnt /sbin/init
`
	lower := map[string]string{"etc/issue": "live\n", "sbin/init": "#!/bin/sh\nread -r a </etc/issue\necho \"issue: $a\"\nexec sh\n", "bin/sh": tinyProgram, "dev/": "", "proc/": "", "sys/": ""}
	initramfs := busybox(map[string]string{"init": init, "medium/": "", "lower/": "", "cow/": "", "tmp/": "", "bin/losetup": "-> busybox",
		"lib/modules/6.1.0/modules.builtin": builtinDrivers + "kernel/drivers/block/loop.ko\nkernel/fs/squashfs/squashfs.ko\nkernel/fs/overlayfs/overlay.ko\n"})
	for _, c := range []struct{ name, medium, work, console string }{
		{"works", "live.squashfs", "/cow/work", "loop0 has 4 sectors\n"},
		{"works", "live.squashfs", "/cow/work", "issue: live\n"},
		{"no squashfs", "other", "/cow/work", "losetup: /medium/live.squashfs: failed to set up loop device: No such file or directory\n"},
		{"workdir on another mount", "live.squashfs", "/tmp", "overlayfs: workdir and upperdir must reside under the same mount\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := started(t, "WORK="+c.work, initramfs, map[string]string{c.medium: strings.Repeat("squashfs", 300)})
			x.startLoops()
			x.c.OpenVolume = func(r io.ReaderAt, size int64) disk.Volume {
				head := make([]byte, 8)
				_, err := r.ReadAt(head, 0)
				require.NoError(t, err)
				require.Equal(t, "squashfs", string(head))
				return disk.Volume{Size: size, R: r, Type: "squashfs", FS: squash{tree(t, x.c.Store, "lower", lower)}}
			}
			x.kernelInit()
			require.NoError(t, x.m.Trace().Check(func(string) (int64, bool) { return 1 << 40, true }))
			require.Contains(t, shown(x), c.console, "%+v", x.m.Trace().Outcome)
			if c.name == "works" {
				require.Equal(t, "overlay", x.facts.Root)
				require.Equal(t, "/medium/live.squashfs", x.m.Rows(trace.Devices)["loop0"]["file"])
			}
			sentences(t, x.m.Trace())
		})
	}
}

type squash struct{ fsys.FS }

func (squash) Info() fsys.Info { return fsys.Info{Type: "squashfs"} }

// TestRulesRunPrograms: a script writes a rule for udev, as dracut's do for the device that they wait for.
func TestRulesRunPrograms(t *testing.T) {
	for _, c := range []struct {
		rule, console string
		verdict       trace.Verdict
	}{
		{`KERNEL=="vda1", RUN+="/sbin/seen %k"`, "seen vda1\n", trace.Stops},
		{`SYMLINK=="disk/by-label/ro?t", ACTION=="add|change", ENV{ID_FS_TYPE}!="xfs", RUN+="/sbin/seen $env{DEVNAME}"`, "seen /dev/vda1\n", trace.Stops},
		{"SUBSYSTEM!=\"block\", GOTO=\"end\"\nKERNEL==\"vda1\", GOTO=\"end\"\nKERNEL==\"vda*\", RUN+=\"/sbin/seen %k\"\nLABEL=\"end\"", "seen vda\n", trace.Stops},
		{`KERNEL=="vdb", RUN+="/sbin/seen %k"`, "seen nothing\n", trace.Stops},
		{`ENV{ID_SERIAL}=="1234", RUN+="/sbin/seen %k"`, "seen nothing\n", trace.Unknown},
	} {
		init := `#!/bin/sh
mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
cat >/etc/udev/rules.d/99-test.rules <<'END'
` + c.rule + `
END
echo nothing >/tmp/seen; udevd --daemon; udevadm trigger
read -r what </tmp/seen; echo "seen $what"
[ -e /dev/vdc1 ] || exec sh
exec switch_root /mnt /sbin/init
`
		x := started(t, "", busybox(map[string]string{"init": init, "tmp/": "", "etc/udev/rules.d/": "", "sbin/seen": "#!/bin/sh\necho \"$1\" >/tmp/seen\n", "sbin/udevd": tinyProgram,
			"sbin/udevadm": tinyProgram, "lib/modules/6.1.0/modules.builtin": builtinDrivers}), map[string]string{"sbin/init": tinyProgram})
		x.kernelInit()
		require.Contains(t, shown(x), c.console, c.rule)
		require.Equal(t, c.verdict, x.m.Trace().Outcome.Verdict, c.rule)
		sentences(t, x.m.Trace())
	}
}
