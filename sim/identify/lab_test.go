package identify

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
)

// openFile opens a file of the recordings' lab or of the published images; the test is skipped where that
// is absent.
func openFile(t *testing.T, env, fallback, name string) *Image {
	dir := os.Getenv(env)
	if dir == "" {
		dir = fallback
	}
	path := filepath.Join(dir, name)
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("%s is absent: set %s", name, env)
	}
	t.Cleanup(func() { f.Close() })
	st, err := f.Stat()
	require.NoError(t, err)
	store := blob.NewStore()
	im, err := Open(store, store.Add(filepath.Base(name), f, st.Size(), nil), nil)
	require.NoError(t, err)
	return im
}

const truthDir = "../../../shared/truth"

func TestDebianDisk(t *testing.T) {
	for name, want := range map[string][]Bootloader{
		"images/deb-bios.qcow2":   {{"bios", "grub", ""}},
		"images/deb-uefi.qcow2":   {{"uefi", "grub", "/EFI/BOOT/BOOTX64.EFI"}},
		"images/deb-sdboot.qcow2": {{"uefi", "systemd-boot", "/EFI/BOOT/BOOTX64.EFI"}},
	} {
		t.Run(name, func(t *testing.T) {
			im := openFile(t, "BOOTPATH_LAB", "", name)
			require.Equal(t, System, im.Kind)
			require.Equal(t, []string{"qcow2", "raw"}, im.Formats)
			require.Equal(t, want, im.Bootloaders())
			require.Equal(t, "Debian GNU/Linux 12 (bookworm)", OSRelease(im.Root).PrettyName)
			require.Equal(t, &InitProgram{"/usr/lib/systemd/systemd", "systemd"}, Init(im.Root))
			require.NotEmpty(t, im.Kernels())
			k := im.Kernels()[0]
			require.Regexp(t, `^6\.1\.0-\d+-cloud-amd64$`, k.Version)
			require.Equal(t, "amd64", k.Arch)
			require.NotEmpty(t, k.Cites)
			require.NotEmpty(t, im.Initrds())
			require.Equal(t, "zstd", im.Initrds()[0].Compression)
			require.Less(t, im.Store.BytesRead(), int64(64<<20), "bound on what opening reads")
		})
	}
}

func TestHybridISO(t *testing.T) {
	im := openFile(t, "BOOTPATH_TRUTH", truthDir, "system/images/bb-iso.iso")
	require.Equal(t, System, im.Kind)
	require.Equal(t, []Bootloader{{"bios", "grub", ""}, {"bios", "grub", "/boot/grub/i386-pc/eltorito.img"}, {"uefi", "grub", "/EFI/BOOT/BOOTX64.EFI"}}, im.Bootloaders())
	require.Equal(t, "/boot/vmlinuz", im.Kernels()[0].Path)
	require.Equal(t, "/boot/initrd.img", im.Initrds()[0].Path)
}

func TestPublishedImages(t *testing.T) {
	im := openFile(t, "BOOTPATH_TRUTH", truthDir, "real/alpine-3.20.oci.tar")
	require.Equal(t, Application, im.Kind)
	require.Len(t, im.Archive.Images, 2)
	require.Empty(t, im.Kernels(), "an Alpine image has no kernel")
	require.NotEmpty(t, im.Searched())

	im = openFile(t, "BOOTPATH_TRUTH", truthDir, "real/freedos722.img")
	require.Equal(t, System, im.Kind)
	require.Equal(t, []Bootloader{{"bios", "freedos", ""}}, im.Bootloaders())

	im = openFile(t, "BOOTPATH_TRUTH", truthDir, "real/openbsd.img")
	require.Equal(t, System, im.Kind)
	require.Len(t, im.Bootloaders(), 1)
}
