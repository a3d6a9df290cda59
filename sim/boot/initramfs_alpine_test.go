package boot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/trace"
)

// packed is a compressed tar archive.
func packed(t *testing.T, files ...[2]string) string {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	for _, f := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1])), Typeflag: tar.TypeReg}))
		_, err := w.Write([]byte(f[1]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	return buf.String()
}

// liveScript is what mkinitfs's init does with a live medium, in short.
const liveScript = `#!/bin/sh
/bin/busybox mkdir -p /proc /sys /dev /sysroot /tmp /media
/bin/busybox --install -s
export PATH="$PATH:/usr/bin:/bin:/usr/sbin:/sbin"
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
begin() { last="$*"; echo -n " * $last: "; }
end() {
	if [ "$1" = 0 ]; then echo ok.; return; fi
	echo "failed. "
	rescue
}
rescue() { echo "Launching a recovery shell."; echo "$1"; /bin/busybox sh; }
begin Mounting boot media
nlplug-findfs -p /sbin/mdev -b /tmp/repositories -a /tmp/apkovls
end $?
mount -t tmpfs -o mode=0755 tmpfs /sysroot
[ -e /tmp/apkovls ] && ovl=$(head -n 1 /tmp/apkovls)
if [ -f "$ovl" ]; then
	begin "Loading user settings from $ovl"
	apk add --root /sysroot --initdb --quiet
	tar -C /sysroot -zxvf "$ovl" > /tmp/files
	end $?
	echo "[$(cat /tmp/files)] $(cat /sysroot/etc/hostname)"
fi
awk '$7 ~ /CTS/ || $7 ~ /DSR/ { print "serial " $1 }' /proc/tty/driver/serial
for r in $(cat /tmp/repositories); do opt="$opt --repository $r"; done
begin Installing packages to root filesystem
apk add --root /sysroot $opt --initramfs-diskless-boot --progress --no-network alpine-base
end 0
if [ ! -x /sysroot/sbin/init ]; then echo "/sbin/init not found in new root"; rescue "Type exit to continue boot."; fi
exec switch_root /sysroot /sbin/init
`

// The words are those of Alpine's own init, apk and BusyBox, as a boot of them from a CD-ROM showed them.
func TestAlpineLive(t *testing.T) {
	apk := tinyProgram + "\x00apk-tools 2.14.4, compiled for x86_64.\x00"
	initramfs := with(builtin610, map[string]string{"bin/busybox": tinyProgram + "\x00BusyBox v1.36.1 (2024-06-10 07:11:47 UTC)\x00", "bin/sh": "-> busybox",
		"sbin/nlplug-findfs": tinyProgram, "sbin/apk": apk, "init": liveScript})
	index := packed(t, [2]string{".SIGN", "x"}, [2]string{"APKINDEX", "C:Q1x=\nP:busybox\nV:1.36\n\nP:alpine-base\nV:3.20\n\n"})
	overlay := packed(t, [2]string{"etc/hostname", "mybox"}, [2]string{"etc/apk/world", "alpine-base\n"})
	const installed = "OK: 0 MiB in 0 packages\nok.\n/sbin/init not found in new root\nLaunching a recovery shell.\nType exit to continue boot.\nsh: can't access tty; job control turned off\n~ # "
	for _, c := range []struct {
		name, cmdline string
		medium        map[string]string
		verdict       trace.Verdict
		message       string
		console       string
	}{
		{"nothing on the medium", "quiet", map[string]string{"boot/": ""}, trace.Stops, "Launching a recovery shell.",
			" * Mounting boot media: failed. \nLaunching a recovery shell.\n\nsh: can't access tty; job control turned off\n~ # "},
		{"no index: apk installs nothing", "quiet", map[string]string{"apks/.boot_repository": ""}, trace.Stops, "Type exit to continue boot.",
			" * Mounting boot media: ok.\n * Installing packages to root filesystem: WARNING: opening /media/vda1/apks: No such file or directory\n" + installed},
		{"an overlay of settings", "quiet console=ttyS0", map[string]string{"box.apkovl.tar.gz": overlay, "apks/.boot_repository": ""}, trace.Stops, "Type exit to continue boot.",
			" * Loading user settings from /media/vda1/box.apkovl.tar.gz: ok.\n[etc/hostname\netc/apk/world] mybox\nserial 0:\n"},
		{"packages: their files are not followed", "", map[string]string{"apks/.boot_repository": "", "apks/x86_64/APKINDEX.tar.gz": index}, trace.Unknown,
			`unknown.apk-installs available=2 lacking=– packages=alpine-base repositories=/media/vda1/apks root=/sysroot where="/init:28: apk add --root /sysroot $opt --initramfs-diskless-boot --progress --no-network alpine-base"`,
			" * Installing packages to root filesystem: "},
		{"an index that is damaged", "", map[string]string{"apks/.boot_repository": "", "apks/x86_64/APKINDEX.tar.gz": index[:60]}, trace.Unknown,
			`unknown.apk-index because unknown.error error="gzip stream: unexpected EOF"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := started(t, c.cmdline, initramfs, c.medium)
			x.kernelInit()
			tr := x.m.Trace()
			require.Equal(t, c.verdict, tr.Outcome.Verdict, "%+v\n%s", tr.Outcome, shown(x))
			require.Equal(t, c.message, tr.Outcome.Message+tr.Outcome.Unknown.String())
			require.Contains(t, shown(x), c.console)
			sentences(t, tr)
		})
	}
}

// Alpine before nlplug-findfs: find, xargs and sort load what the devices ask for.
func TestDriversByModalias(t *testing.T) {
	initramfs := with(busybox(nil), map[string]string{
		"lib/modules/6.1.0/modules.builtin":                    "kernel/fs/ext4/ext4.ko\nkernel/drivers/virtio/virtio_pci.ko\n",
		"lib/modules/6.1.0/modules.dep":                        "kernel/drivers/block/virtio_blk.ko:\n",
		"lib/modules/6.1.0/modules.alias":                      "alias virtio:d00000002v* virtio_blk\n",
		"lib/modules/6.1.0/kernel/drivers/block/virtio_blk.ko": tinyProgram,
		"bin/find": "-> busybox", "bin/xargs": "-> busybox", "bin/sort": "-> busybox",
		"init": "#!/bin/sh\nmount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev\nfind /sys -name modalias | xargs sort -u | xargs modprobe -a 2>/dev/null\n" +
			"mount -o ro /dev/vda1 /mnt && echo found\nexec sh\n"})
	x := started(t, "", initramfs, map[string]string{"etc/": ""})
	x.kernelInit()
	require.Contains(t, shown(x), "found\n")
}
