package boot

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/conf/cmdline"
	"bootpath/sim/conf/sh"
	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// program is the smallest static ELF program: a header and one empty segment.
var tinyProgram = string([]byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x3e, 0, 1, 0, 0, 0, 0x78, 0, 0x40, 0, 0, 0, 0, 0,
	0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0x38, 0, 1, 0, 0x40, 0, 0, 0, 0, 0,
	1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0x78, 0, 0, 0, 0, 0, 0, 0, 0x78, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0})

// tree makes a file system: name → content; "-> x" is a link, a name that ends in / a directory, and
// what begins with #! or ELF is executable.
func tree(t *testing.T, store *blob.Store, name string, files map[string]string) fsys.FS {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for n, content := range files {
		h := &tar.Header{Name: n, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}
		if strings.HasPrefix(content, "#!") || strings.HasPrefix(content, "\x7fELF") {
			h.Mode = 0o755
		}
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			h.Typeflag, h.Linkname, h.Size, content = tar.TypeSymlink, target, 0, ""
		}
		if strings.HasSuffix(n, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		require.NoError(t, w.WriteHeader(h))
		_, err := w.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	b := store.Add(name, bytes.NewReader(buf.Bytes()), int64(buf.Len()), nil)
	f, err := tarfs.Open(b)
	require.NoError(t, err)
	return f
}

// started is a kernel that has unpacked an initramfs and found the disk's drivers.
func started(t *testing.T, line string, initramfs, root map[string]string) *linux {
	store := blob.NewStore()
	var f fsys.FS
	if root != nil {
		f = labelled{tree(t, store, "root", root)}
	}
	return startedOn(t, store, line, initramfs, f)
}

// startedOn is started with a file system on the partition.
func startedOn(t *testing.T, store *blob.Store, line string, initramfs map[string]string, f fsys.FS) *linux {
	d := &disk.Disk{Name: "disk0", Size: 1 << 30, Table: &disk.Table{Type: "dos", Partitions: []disk.Partition{{Number: 1, Start: 2048, Size: 1 << 20, Type: "83", UUID: "0001-01"}}}}
	if f != nil {
		d.Volumes = []disk.Volume{{Partition: 1, Off: 1 << 20, Size: 1 << 29, FS: f, Type: f.Info().Type}}
	}
	m := machine.New()
	x := &linux{start: &start{m: m, c: Config{Disk: d, Store: store, Firmware: "bios", Device: "disk"}}, params: cmdline.Parse(line), version: "6.1.0", l: loaded{cmdline: line}}
	x.k = kernel.New(m, kernel.Options{Version: x.version, Arch: "amd64", Cmdline: line})
	x.pid1 = x.k.Init()
	if initramfs != nil {
		x.initrd = tree(t, store, "initramfs", initramfs)
		x.k.UnpackRootfs(x.initrd)
	}
	x.mods = x.findModules()
	x.hw = x.attach()
	x.probe(x.mods.builtin, "linux")
	return x
}

// labelled gives a tar's tree the identity of a volume.
type labelled struct{ fsys.FS }

func (l labelled) Info() fsys.Info {
	return fsys.Info{Type: "ext4", UUID: "aaaa-bbbb", Label: "root", Size: 1 << 29}
}

func shown(x *linux) string {
	var out strings.Builder
	for _, st := range x.m.Trace().Steps {
		out.WriteString(st.Console)
	}
	return out.String()
}

// busybox is an initramfs with BusyBox's names, and files.
func busybox(files map[string]string) map[string]string {
	out := map[string]string{"bin/busybox": tinyProgram, "proc/": "", "dev/": "", "sys/": "", "mnt/": ""}
	for _, n := range []string{"sh", "mount", "umount", "mkdir", "cat", "sleep", "switch_root", "modprobe", "setsid", "cttyhack", "blkid", "findfs", "mdev", "uname", "reboot", "ln", "rm", "grep"} {
		out["bin/"+n] = "-> busybox"
	}
	for n, c := range files {
		out[n] = c
	}
	return out
}

const builtinDrivers = "kernel/drivers/virtio/virtio_pci.ko\nkernel/drivers/block/virtio_blk.ko\nkernel/fs/ext4/ext4.ko\n"

var builtin610 = map[string]string{"lib/modules/6.1.0/modules.builtin": builtinDrivers}

func with(maps ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range maps {
		for n, c := range m {
			out[n] = c
		}
	}
	return out
}

func TestHowStartsEnd(t *testing.T) {
	init := func(script string) map[string]string {
		return busybox(map[string]string{"init": "#!/bin/sh\n" + script})
	}
	systemRoot := map[string]string{"sbin/init": tinyProgram, "etc/": "", "dev/": "", "proc/": "", "sys/": ""}
	for _, c := range []struct {
		name, cmdline string
		initramfs     map[string]string
		root          map[string]string
		verdict       trace.Verdict
		stage         trace.Stage
		message       string // or what is missing
		console       string // part of it
	}{
		{"a script that ends in a shell works", "", init("mount -t proc proc /proc\necho \"pid $$ $(cat /proc/cmdline)\"\nexec sh\n"), nil,
			trace.Works, trace.Init, "pid 1", "pid 1 \n"},
		{"a shell instead of the real root is a failure", "", init("echo no root; sh\nexec switch_root /mnt /sbin/init"), nil,
			trace.Stops, trace.Initramfs, "no root", "no root\n"},
		{"PID 1 must not end", "", init("echo bye"), nil,
			trace.Stops, trace.Kernel, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000", "bye\n"},
		{"PID 1 ends with its status", "", init("exit 3"), nil,
			trace.Stops, trace.Kernel, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300", ""},
		{"a program that nothing is known of", "", busybox(map[string]string{"init": "#!/bin/sh\nfrobnicate --now\n", "bin/frobnicate": tinyProgram}), nil,
			trace.Unknown, trace.Initramfs, `unknown.program-does program=/bin/frobnicate where="/init:2: frobnicate --now"`, ""},
		{"what only bash reads is not guessed", "", init("if [[ -e /x ]]; then :; fi"), nil,
			trace.Unknown, trace.Initramfs, `unknown.script-text error="line 2: \"[[\" is not of the POSIX shell language" path=/init`, ""},
		{"a disk without a driver is not there", "", with(init("mount -t devtmpfs d /dev\nmount -t ext4 /dev/vda1 /mnt || exec sh\nexec switch_root /mnt /sbin/init"),
			map[string]string{"lib/modules/6.1.0/modules.builtin": "kernel/fs/ext4/ext4.ko\n"}), systemRoot,
			trace.Stops, trace.Initramfs, "mount: mounting /dev/vda1 on /mnt failed: No such file or directory", ""},
		{"whether there is a driver cannot be known", "", init("mount -t devtmpfs d /dev\nmount -t ext4 /dev/vda1 /mnt || exec sh\nexec switch_root /mnt /sbin/init"), systemRoot,
			trace.Unknown, trace.Initramfs, "unknown.driver-builtin driver=virtio_pci version=6.1.0", ""},
		{"over to the real root", "", with(init("mount -t devtmpfs d /dev\nmount /dev/vda1 /mnt && exec switch_root /mnt /sbin/init"), builtin610), systemRoot,
			trace.Unknown, trace.Init, "unknown.other-init path=/sbin/init", "EXT4-fs (vda1): mounted filesystem with ordered data mode. Quota mode: none."},
		{"no init on the real root", "", with(init("mount -t devtmpfs d /dev\nmount $(findfs LABEL=root) /mnt\nexec switch_root /mnt /sbin/init"), builtin610), map[string]string{"etc/": "", "dev/": ""},
			trace.Stops, trace.Kernel, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100", "switch_root: can't execute '/sbin/init': No such file or directory\n"},
		{"waiting for what never comes", "", with(init("while [ ! -b /dev/vdb ]; do echo waiting; sleep 10; done; exec switch_root /mnt /x"), builtin610), systemRoot,
			trace.Stops, trace.Initramfs, "waiting", ""},
		{"Alpine's way: links for every applet, nlplug-findfs", "root=UUID=aaaa-bbbb modules=ext4 quiet", with(map[string]string{"bin/busybox": tinyProgram, "bin/sh": "-> busybox", "sbin/nlplug-findfs": tinyProgram,
			"init": `#!/bin/sh
/bin/busybox mkdir -p /proc /sys /dev /sysroot
/bin/busybox --install -s
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
set -- $(cat /proc/cmdline)
for opt; do
	case "$opt" in
	root=*) KOPT_root=${opt#root=};;
	quiet) KOPT_quiet=yes;;
	esac
done
modprobe -a $(echo "loop,ext4" | tr ',' ' ') 2>/dev/null
nlplug-findfs -p /sbin/mdev ${KOPT_debug_init:+-d} $KOPT_root || echo "not found"
mount -o ro $KOPT_root /sysroot
cat /proc/mounts 2>/dev/null | while read DEV DIR TYPE OPTS; do
	if [ "$DIR" != "/" -a "$DIR" != "/sysroot" -a -d "$DIR" ]; then
		mkdir -p /sysroot/$DIR
		mount -o move $DIR /sysroot/$DIR
	fi
done
exec switch_root /sysroot ${KOPT_init:-/sbin/init}
`}, builtin610), systemRoot,
			trace.Unknown, trace.Init, "unknown.other-init path=/sbin/init", ""},
		{"mkinitcpio's way: ash's own expansions, sed, stat", `root="/dev/vda1" rw`, with(busybox(map[string]string{"bin/ash": "-> busybox", "bin/cut": "-> busybox", "bin/sed": "-> busybox", "bin/stat": "-> busybox", "bin/env": "-> busybox",
			"init": `#!/bin/ash
mount -t proc proc /proc; mount -t devtmpfs dev /dev
for w in $(cat /proc/cmdline); do
	case $w in *=*)
		rhs="$(echo "${w}" | cut -d= -f2-)"
		lhs="$(echo "${w}" | cut -d= -f1 | sed 's|\.|_|g;s|-|_|g;')"
		[ "${rhs:0:1}" = '"' ] && rhs="${rhs:1:$((${#rhs}-2))}"
		(echo "${lhs}" | grep -qe '^[0-9]' -e '[^a-zA-Z0-9_]') || eval ${lhs}=\${rhs};;
	esac
done
mount -o ro "$root" /mnt
if [ "$(stat -c %D /)" = "$(stat -c %D /mnt)" ]; then echo nothing; exec sh -i; fi
exec env -i "TERM=$TERM" switch_root /mnt /sbin/init "$@"
`}), builtin610), systemRoot,
			trace.Unknown, trace.Init, "unknown.other-init path=/sbin/init", "EXT4-fs (vda1)"},
		{"mkinitcpio's way: hooks, a device that comes late, mount of util-linux", "root=UUID=dead-beef rootdelay=1 rw", with(builtin610, busybox(map[string]string{"bin/ash": "-> busybox", "bin/mount": tinyProgram, "bin/udevd": tinyProgram, "bin/udevadm": tinyProgram,
			"config": "HOOKS='udev none'\n", "hooks/udev": "#!/bin/ash\nrun_early() {\n\tudevd --daemon\n\trunning=1\n}\nrun_it() {\n\tudevadm trigger --action=add\n}\n", "sysroot/": "",
			"init": `#!/bin/ash
err() { echo "ERROR: $*"; }
item() {
	case $1 in
	ro|rw) mode=$1;;
	[![:alpha:]_]*|[[:alpha:]_]*[![:alnum:]_]*) ;;
	*) eval "$1"='${2:-y}';;
	esac
}
words() {
	local line word key value
	set -f; read -r line; set -- $line; set +f
	for word; do
		case $word in
		*=*) key=${word%%=*} value=${word#*=};;
		*) key=$word;;
		esac
		"$1" 2>/dev/null
		item "$key" "$value"
		unset key value
	done
}
each() {
	local fn=$1 h; shift
	for h in "$@"; do
		[ -x "/hooks/$h" ] || continue
		unset "$fn"
		. "/hooks/$h"
		type "$fn" >/dev/null || continue
		echo ":: $fn [$h]"
		"$fn"
	done
}
poll() {
	local device=$1 seconds=${2//[!0-9]} tenths step=1
	[ "${seconds:-x}" = x ] && seconds=10
	tenths=$(( seconds * 10 ))
	[ -b "$device" ] && return 0
	if [ "$running" -eq 1 ]; then
		echo "Waiting $seconds seconds for $device" >&2
		while [ ! -b "$device" -a "$tenths" -gt 0 ]; do
			sleep .$step
			tenths=$(( tenths - step )) step=$(( step * 2 ))
		done
	fi
	[ -b "$device" ]
}
rescue() {
	export PS1='[rootfs \W]\$ '
	{
		[ "$1" = "--exec" ] && exec sh -i
		sh -i
	} 0</dev/console 1>/dev/console 2>/dev/console
}
mount -t proc proc /proc -o nosuid,noexec,nodev
mount -t devtmpfs dev /dev -o mode=0755,nosuid
words </proc/cmdline
. /config
each run_early $HOOKS
each run_it $HOOKS
dev=$(blkid -lt "$root" -o device)
[ -z "$dev" ] && dev=/dev/disk/by-uuid/${root#*=}
poll "$dev" "$rootdelay" || err "device '$root' not found. Skipping fsck."
if ! mount ${rootfstype:+-t $rootfstype} -o ${mode:-ro}${rootflags:+,$rootflags} "$root" /sysroot; then
	echo "You are being dropped into an emergency shell."
	rescue
fi
exec env -i "TERM=$TERM" switch_root /sysroot /sbin/init "$@"
`})), systemRoot,
			trace.Stops, trace.Initramfs, "You are being dropped into an emergency shell.", "Waiting 1 seconds for /dev/disk/by-uuid/dead-beef\nERROR: device 'UUID=dead-beef' not found. Skipping fsck.\nmount: /sysroot: can't find UUID=dead-beef.\n"},
		{"an encrypted root asks for its passphrase", "", with(builtin610, busybox(map[string]string{"bin/cryptsetup": tinyProgram,
			"init": "#!/bin/sh\nmount -t devtmpfs d /dev\ncryptsetup isLuks /dev/vda1 || echo plain\ncryptsetup open --type luks /dev/vdb root || echo status $?\ncryptsetup luksOpen /dev/vda1 root || echo status $?\n"})), systemRoot,
			trace.Stops, trace.Kernel, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000", "plain\nDevice /dev/vdb does not exist or access denied.\nstatus 4\nDevice /dev/vda1 is not a valid LUKS device.\nstatus 1\n"},
		{"no init anywhere", "", nil, nil,
			trace.Unknown, trace.Kernel, "unknown.driver-builtin driver=virtio_pci version=6.1.0", `VFS: Cannot open root device "(null)" or unknown-block(0,0): error -6`},
		{"the kernel mounts the root itself", "root=/dev/vda1 rw", nil, with(systemRoot, builtin610),
			trace.Unknown, trace.Init, "unknown.other-init path=/sbin/init", "Run /sbin/init as init process"},
		{"the kernel finds a partition by its identifier", "root=PARTUUID=0001-01", nil, with(systemRoot, builtin610),
			trace.Unknown, trace.Init, "unknown.other-init path=/sbin/init", ""},
		{"the kernel does not know UUID=", "root=UUID=aaaa-bbbb", nil, with(systemRoot, builtin610),
			trace.Stops, trace.Kernel, "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", `VFS: Cannot open root device "UUID=aaaa-bbbb" or unknown-block(0,0): error -6`},
		{"init= has no fallback in the kernel", "root=/dev/vda1 init=/nope", nil, with(systemRoot, builtin610),
			trace.Stops, trace.Kernel, "Kernel panic - not syncing: Requested init /nope failed (error -2).", "Run /nope as init process"},
		{"no working init", "root=/dev/vda1", nil, with(builtin610, map[string]string{"etc/": ""}),
			trace.Stops, trace.Kernel, "Kernel panic - not syncing: No working init found.  Try passing init= option to kernel. See Linux Documentation/admin-guide/init.rst for guidance.", "Run /bin/sh as init process"},
		{"init=/bin/sh is what was asked for", "root=/dev/vda1 init=/bin/sh", nil, with(builtin610, map[string]string{"bin/sh": "-> dash", "bin/dash": tinyProgram}),
			trace.Works, trace.Init, "/bin/sh: 0: can't access tty; job control turned off\n#", ""},
		{"rootwait waits", "root=/dev/vdz1 rootwait", nil, with(systemRoot, builtin610),
			trace.Stops, trace.Kernel, "Waiting for root device /dev/vdz1...", ""},
		{"quiet hides what is not an error", "quiet root=UUID=x", nil, with(systemRoot, builtin610),
			trace.Stops, trace.Kernel, "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", "[    0.000000] Kernel panic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := started(t, c.cmdline, c.initramfs, c.root)
			x.kernelInit()
			tr := x.m.Trace()
			require.NoError(t, tr.Check(func(name string) (int64, bool) { return 1 << 40, true }))
			o := tr.Outcome
			require.Equal(t, c.verdict, o.Verdict, "%+v\n%s", o, shown(x))
			require.Equal(t, c.stage, o.Stage)
			require.Equal(t, c.message, o.Message+o.Unknown.String())
			require.Contains(t, shown(x), c.console)
			sentences(t, tr)
		})
	}
}

var slot = regexp.MustCompile(`\{([a-z_]+)\}`)

// sentences checks that the steps of these actors have sentences and the values for them.
func sentences(t *testing.T, tr *trace.Trace) {
	for _, area := range []string{"linux", "initramfs", "init"} {
		data, err := os.ReadFile("../../content/messages/" + area + ".en.json")
		require.NoError(t, err)
		var all map[string]struct{ Title, Text string }
		require.NoError(t, json.Unmarshal(data, &all))
		for _, st := range tr.Steps {
			if !strings.HasPrefix(string(st.Kind), area+".") {
				continue
			}
			m, ok := all[string(st.Kind)]
			require.True(t, ok, "%s has no sentence", st.Kind)
			for _, p := range slot.FindAllStringSubmatch(m.Title+m.Text, -1) {
				require.Contains(t, st.Args, p[1], "%s", st.Kind)
			}
		}
	}
}

// TestDashAgrees runs scripts in the real dash and here: output and status must be the same.
func TestDashAgrees(t *testing.T) {
	dash, err := exec.LookPath("dash")
	if err != nil {
		t.Skip("dash is not installed")
	}
	for _, script := range shellScripts {
		cmd := exec.Command(dash, "-c", script, "x", "one", "two words", "three*")
		cmd.Dir, cmd.Env = "/", []string{"PATH=/nowhere"}
		out, _ := cmd.Output()
		x := started(t, "", map[string]string{"etc/passwd": "", "etc/group": ""}, nil)
		in := &shProcess{x: x, b: &budget{}, kind: shellKind{path: "/bin/sh", name: "dash"}, vars: map[string]string{"IFS": " \t\n", "PATH": "/nowhere", "OPTIND": "1"}, exported: map[string]bool{},
			funcs: map[string]function{}, name: "x", args: []string{"one", "two words", "three*"}, cwd: "/", stdout: &sink{kind: "buffer"}, stderr: &sink{kind: "null"}, src: &source{path: "x", text: script}}
		tree, err := sh.Parse(script)
		require.NoError(t, err, script)
		in.run(tree.Body)
		require.False(t, x.m.Ended(), script)
		require.Equal(t, string(out), in.stdout.buf.String(), script)
		require.Equal(t, cmd.ProcessState.ExitCode(), in.status, script)
	}
}

var shellScripts = []string{
	`echo hello; false`,
	`for x in $*; do echo "<$x>"; done`,
	`for x in "$@"; do echo "<$x>"; done`,
	`for x; do echo "<$x>"; done; echo $#`,
	`a="b  c"; echo $a "$a"; set -- $a; echo $#`,
	`x=root=UUID=ab-cd; case $x in root=*) echo "${x#root=}" "${x#*=}" "${x##*=}" "${x%%=*}" "${x%=*}";; esac`,
	`echo ${u:-default} ${u:=set} $u ${u:+alt} ${#u} "${v+no}" ${v-yes}`,
	`i=0; while [ $i -lt 5 ]; do i=$((i + 1)); [ $i = 2 ] && continue; [ $i -ge 4 ] && break; echo $i; done`,
	`f() { local a=1; echo "$1 $a"; return 7; }; a=0; f arg; echo $? $a`,
	`if ! false && { true || false; }; then echo yes; else echo no; fi`,
	`echo $((1 + 2 * 3)) $((7 / 2)) $((7 % 3)) $((1 << 4)) $((5 > 3)) $((!5)) $((-2 + 1)) $((0x10)) $((010)) $(( (1 + 2) * 3 )) $((1 ? 2 : 3))`,
	`x=5; echo $((x += 2)) $x $((x == 7 && 1))`,
	`echo "a\tb" 'a\nb'; printf '%s-%s\n' 1 2 3; printf 'Begin: %s ... ' x; printf 'done.\n'`,
	`IFS=,; set -- a,b,,c; for x in $1; do echo "[$x]"; done`,
	`IFS=:; v=a:b; set -- $v; echo "$1" "$2" $#`,
	`echo "one two three" | while read -r a b; do echo "$b $a"; done`,
	`read -r x y <<E
first second third
E
echo "$y|$x"`,
	`cat_() { while read -r l; do echo "> $l"; done; }; printf 'a\nb\n' | cat_`,
	`v=$(echo out; exit 3); echo "$v $?"`,
	`eval "a=1; b=\$a"; echo $b`,
	`set -e; false || echo kept; if false; then :; fi; echo before; false; echo after`,
	`(exit 4); echo $?; (a=1); echo "[$a]"`,
	`for n in 1 2 3; do for m in a b; do [ $m = b ] && continue 2; echo $n$m; done; done`,
	`case "$1" in o?e) echo glob;; esac; case 'a*' in a\*) echo lit;; esac; case ']' in []]) echo br;; esac`,
	`x='*'; echo "$x"; echo /et[c]; echo /etc/gr*p; echo /nothing/*`,
	`[ -n "$1" -a 1 -lt 2 ] && echo and; [ ! -e /nothing ] && echo missing; [ "a" = "b" -o x ] ; echo $?; [ -d /etc ]; echo $?`,
	`shift; echo $1; shift 2; echo $#`,
	`trap 'x' 0 2>/dev/null; trap - 0; echo ${1%%o*} ${1%e}`,
	`A=1 eval 'echo $A'; echo "[$A]"`,
	`command -v echo; command -v nosuchprogram; echo $?`,
	`while getopts "ab:" o; do echo "$o $OPTARG"; done; set -- -a -b val rest; while getopts "ab:" o; do echo "$o $OPTARG"; done; echo $OPTIND`,
	`echo "${1}x" "${2% *}" '$1' "\$1" \\ "\\"`,
	`unset u; echo "${u?msg}"; echo not reached`,
	`until [ "$n" = xxx ]; do n=x$n; done; echo $n`,
	`echo a >/dev/null; echo b 2>&1; { echo c; echo d; } | { read -r q; echo "$q"; }`,
	`f() { echo $#; }; f "$@"; f $@; f "$*"; f ""; f $nothing`,
	`nosuchcommand 2>/dev/null; echo $?`,
	`exit 9`,
}

func TestShellMessagesNameTheScript(t *testing.T) {
	x := started(t, "", busybox(map[string]string{"init": "#!/bin/sh\n\nnosuch\nexec sh\n"}), nil)
	x.kernelInit()
	require.Contains(t, shown(x), "/init: line 3: nosuch: not found\n")
	for _, st := range x.m.Trace().Steps {
		if st.Kind == "initramfs.print" && strings.Contains(st.Console, "not found") {
			require.Equal(t, "3", st.Args["line"])
			require.Equal(t, "nosuch", st.Cites[0].Value)
		}
	}
}

func TestTheInitramfsIsReadAsItsOwnFiles(t *testing.T) {
	require.Equal(t, "/a/b", path.Clean(slash("a/b")))
	c := &concat{}
	a, b := blob.New("a", bytes.NewReader([]byte("abc")), 3, nil), blob.New("b", bytes.NewReader([]byte("defgh")), 5, nil)
	c.add(a, 3)
	c.add(b, 5)
	require.Equal(t, int64(12), c.Size(), "each image is padded to 4 bytes")
	p := make([]byte, 12)
	n, err := c.ReadAt(p, 0)
	require.NoError(t, err)
	require.Equal(t, "abc\x00defgh\x00\x00\x00", string(p[:n]))
	require.Equal(t, []blob.Span{{Blob: "a", Off: 2, Len: 1}, {Blob: "b", Off: 0, Len: 2}}, c.Locate(2, 4))
}

func TestPrintkHasTheKernelsTime(t *testing.T) {
	x := started(t, "", nil, nil)
	x.m.Wait(costKernelEarly)
	require.Equal(t, "[    1.300000] a\n[    1.300000] b\n", x.printk(kernInfo, "a\nb"))
	x.params = cmdline.Parse("quiet")
	require.Empty(t, x.printk(kernWarn, "a"))
	require.NotEmpty(t, x.printk(kernErr, "a"))
}

func FuzzScript(f *testing.F) {
	for _, s := range shellScripts {
		f.Add(s)
	}
	f.Add("while :; do echo x; done")
	f.Add("f() { f; }; f")
	f.Fuzz(func(t *testing.T, script string) {
		tree, err := sh.Parse(script)
		if err != nil {
			return
		}
		x := started(t, "", busybox(nil), nil)
		in := &shProcess{x: x, b: &budget{commands: maxCommands - 2000}, kind: shellKind{path: "/bin/sh", name: "dash"}, vars: map[string]string{"PATH": "/bin"}, exported: map[string]bool{},
			funcs: map[string]function{}, name: "x", cwd: "/", stdout: &sink{kind: "console"}, stderr: &sink{kind: "console"}, src: &source{path: "x", text: script}}
		in.run(tree.Body)
	})
}
