package boot

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/conf/uboot"
	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// arm64Kernel is an Image that says its version and nothing more.
func arm64Kernel() string {
	b := make([]byte, 0x400)
	copy(b[0x38:], "ARM\x64")
	return string(b) + "Linux version 6.1.0-56-arm64 (d@b) (gcc) #1 SMP Debian\n\x00"
}

// card is an SD card with one partition that holds files.
func card(firmware, kind string, files map[string]string) *trace.Trace {
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	d := &disk.Disk{Name: "card", R: blob.New("card", bytes.NewReader(nil), 1<<30, nil), Size: 1 << 30,
		Table:   &disk.Table{Type: "dos", Partitions: []disk.Partition{{Number: 1, Start: 2048, Size: 4096, Bootable: true}}},
		Volumes: []disk.Volume{{Partition: 1, Type: kind, FS: mapFS{tree, fsys.Info{Type: kind}}}}}
	m := machine.New()
	Run(m, Config{Disk: d, Store: blob.NewStore(), Firmware: firmware})
	return m.Trace()
}

func TestARaspberryPiStartsWhatConfigTxtNames(t *testing.T) {
	base := map[string]string{"start4.elf": "x", "cmdline.txt": "console=serial0,115200 root=/dev/mmcblk0p2 rootwait\n", "kernel8.img": arm64Kernel()}
	with := func(name, text string) map[string]string {
		out := map[string]string{}
		for k, v := range base {
			out[k] = v
		}
		if out[name] = text; text == "" {
			delete(out, name)
		}
		return out
	}
	for name, c := range map[string]struct {
		files           map[string]string
		verdict         trace.Verdict
		message, kernel string
	}{
		"no firmware":         {files: with("start4.elf", ""), verdict: trace.Stops, message: "4 short flashes: start*.elf not found"},
		"no kernel":           {files: with("kernel8.img", ""), verdict: trace.Stops, message: "7 short flashes: kernel image not found"},
		"32-bit is asked for": {files: with("config.txt", "arm_64bit=0\n"), verdict: trace.Stops, message: "7 short flashes: kernel image not found"},
		"default kernel":      {files: base, verdict: trace.Unknown, kernel: "/kernel8.img"},
		"another kernel":      {files: with("config.txt", "[pi3]\nkernel=none\n[pi4]\nkernel=KERNEL8.IMG\n"), verdict: trace.Unknown, kernel: "/kernel8.img"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := card("rpi", "vfat", c.files)
			require.Equal(t, c.verdict, tr.Outcome.Verdict, "%+v", tr.Outcome)
			require.Equal(t, c.message, tr.Outcome.Message)
			loaded := ""
			for _, st := range tr.Steps {
				if st.Kind == "rpi.load-kernel" {
					loaded = st.Args["path"]
				}
				require.NotContains(t, st.Console, "Kernel command line:", "the firmware's own words are not known")
			}
			require.Equal(t, c.kernel, loaded)
			requireSentences(t, tr)
		})
	}
}

func TestUBootReadsExtlinuxConf(t *testing.T) {
	conf := "default l0\nlabel l1\n\tlinux /other\nlabel l0\n\tlinux ../vmlinuz\n\tinitrd /initrd.img\n\tfdtdir /dtb\n\tappend root=/dev/mmcblk0p1 ro\n"
	tr := card("uboot", "ext4", map[string]string{"boot/extlinux/extlinux.conf": conf, "boot/vmlinuz": arm64Kernel(), "initrd.img": "x"})
	console := console(tr)
	require.Contains(t, console, "Kernel command line: root=/dev/mmcblk0p1 ro")
	require.Contains(t, console, "Linux version 6.1.0-56-arm64")
	requireSentences(t, tr)

	tr = card("uboot", "ext4", map[string]string{"boot.scr": "\x27\x05\x19\x56"})
	require.Equal(t, trace.Unknown, tr.Outcome.Verdict)
	require.Contains(t, tr.Outcome.Unknown.String(), "/boot.scr")
	requireSentences(t, tr)
}

// bootScript is boot.cmd with the header of mkimage(1) in front.
func bootScript(text string) string {
	data := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	data = append(binary.BigEndian.AppendUint32(data, 0), text...)
	h := uboot.Header{Magic: 0x27051956, Size: uint32(len(data)), DataCRC: crc32.ChecksumIEEE(data), OS: 5, Arch: 22, Type: 6}
	head, _ := binary.Append(nil, binary.BigEndian, &h)
	h.HeaderCRC = crc32.ChecksumIEEE(head)
	head, _ = binary.Append(nil, binary.BigEndian, &h)
	return string(head) + string(data)
}

func TestUBootRunsScripts(t *testing.T) {
	const load = "load ${devtype} ${devnum}:${distro_bootpart} ${kernel_addr_r} ${prefix}vmlinuz\n"
	for name, c := range map[string]struct {
		text, env        string
		console, missing string
	}{
		"a kernel and its command line":      {text: "setenv bootargs root=/dev/mmcblk0p1 ro\n" + load + "booti ${kernel_addr_r} - ${fdt_addr}\n", console: "Kernel command line: root=/dev/mmcblk0p1 ro"},
		"variables from a file":              {text: "if test -e ${devtype} ${devnum} ${prefix}env.txt; then\n load mmc 0 ${scriptaddr} ${prefix}env.txt\n env import -t ${scriptaddr} ${filesize}\nfi\nsetenv bootargs \"root=${rootdev} ${extra}\"\n" + load + "booti ${kernel_addr_r}\n", env: "# a comment\nrootdev=/dev/sda1\nextra=rw\n", console: "Kernel command line: root=/dev/sda1 rw"},
		"the first kernel that is there":     {text: "for k in Image vmlinuz; do\n if load mmc 0:1 ${kernel_addr_r} /boot/${k}; then booti ${kernel_addr_r}; fi\ndone\n", console: "Linux version 6.1.0-56-arm64"},
		"a variable runs":                    {text: "setenv go 'booti ${kernel_addr_r}'\n" + load + "run go\n", console: "Linux version 6.1.0-56-arm64"},
		"the board's device tree":            {text: "load mmc 0:1 ${fdt_addr_r} /dtb/${fdtfile}\n", missing: "unknown.uboot-variable name=fdtfile path=/boot/boot.scr"},
		"a command that is not followed":     {text: "bootefi ${kernel_addr_r}\n", missing: "unknown.uboot-command command=bootefi path=/boot/boot.scr"},
		"nothing is started":                 {text: "echo hello\n", console: "hello\n", missing: "unknown.uboot-started-nothing path=/boot/boot.scr"},
		"a script that runs itself for ever": {text: "setenv a 'run a'\nrun a\n", missing: "unknown.script-calls-itself path=/boot/boot.scr"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := card("uboot", "ext4", map[string]string{"boot/boot.scr": bootScript(c.text), "boot/vmlinuz": arm64Kernel(), "boot/env.txt": c.env})
			require.Contains(t, console(tr), c.console)
			if c.missing != "" {
				require.Equal(t, c.missing, tr.Outcome.Unknown.String())
			}
			requireSentences(t, tr)
		})
	}
}

func FuzzUBootScript(f *testing.F) {
	f.Add("setenv bootargs a\nload mmc 0:1 ${kernel_addr_r} /boot/vmlinuz\nbooti ${kernel_addr_r} - ${fdt_addr}\n")
	f.Add("for a in 1 2 3; do for b in $a $a; do if test -e mmc 0 /x; then run c; else echo $b; fi; done; done\n")
	f.Add("setenv a ${a}${a}x; run a; setenv a 'run a; run a'; run a")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		tr := card("uboot", "ext4", map[string]string{"boot.scr": bootScript(text), "boot/vmlinuz": arm64Kernel()})
		require.NotEmpty(t, tr.Outcome.Verdict)
		require.Less(t, len(tr.Steps), 20_000)
	})
}
