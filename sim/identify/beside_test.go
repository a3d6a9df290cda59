package identify_test

import (
	"bytes"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/archive"
	"bootpath/sim/blob"
	"bootpath/sim/identify"
)

// qemuImg runs qemu-img in dir; the test skips without it.
func qemuImg(t *testing.T, dir string, args ...string) {
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("qemu-img is not installed")
	}
	cmd := exec.Command("qemu-img", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// sparseDisk writes a long disk with something at a few places.
func sparseDisk(t *testing.T, name string, seed int64, size int64, places ...int64) {
	f, err := os.Create(name)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(size))
	data := make([]byte, 70000)
	for _, at := range places {
		rand.New(rand.NewSource(seed + at)).Read(data)
		_, err = f.WriteAt(data, at)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
}

// openIn opens a file with what lies beside it.
func openIn(t *testing.T, dir, name string, beside bool) (*identify.Image, error) {
	file := func(name string) (io.ReaderAt, int64, error) {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, 0, err
		}
		t.Cleanup(func() { f.Close() })
		fi, err := f.Stat()
		return f, fi.Size(), err
	}
	store := blob.NewStore()
	if beside {
		store.SetSiblings(file)
	}
	r, size, err := file(name)
	require.NoError(t, err)
	return identify.Open(store, store.Add(name, r, size, nil), nil)
}

func TestDisksOfSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	const size = 9 << 29 // 4.5 GiB: three extents
	places := []int64{0, 1 << 20, 2<<30 - 100, 4<<30 - 65536, size - 70000}
	sparseDisk(t, filepath.Join(dir, "base.raw"), 1, size, places...)
	for _, kind := range []string{"monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"} {
		qemuImg(t, dir, "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat="+kind, "base.raw", kind+".vmdk")
	}
	qemuImg(t, dir, "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "overlay.qcow2")
	qemuImg(t, dir, "create", "-q", "-f", "qcow2", "-b", filepath.Join(dir, "overlay.qcow2"), "-F", "qcow2", "top.qcow2", "5G")
	qemuImg(t, dir, "convert", "-f", "raw", "-O", "qcow2", "-o", "data_file=outside.raw,data_file_raw=on", "base.raw", "outside.qcow2")
	raw, err := os.Open(filepath.Join(dir, "base.raw"))
	require.NoError(t, err)
	defer raw.Close()
	for _, name := range []string{"monolithicFlat.vmdk", "twoGbMaxExtentSparse.vmdk", "twoGbMaxExtentFlat.vmdk", "overlay.qcow2", "top.qcow2", "outside.qcow2"} {
		t.Run(name, func(t *testing.T) {
			_, err := openIn(t, dir, name, false)
			require.ErrorContains(t, err, "together: not supported")
			im, err := openIn(t, dir, name, true)
			require.NoError(t, err)
			disk := im.Store.Blob("disk0")
			require.GreaterOrEqual(t, disk.Size(), int64(size))
			want, got := make([]byte, 140000), make([]byte, 140000)
			for _, at := range places {
				at = max(at-70000, 0)
				n, _ := raw.ReadAt(want, at)
				_, err := disk.ReadAt(got[:n], at)
				require.NoError(t, err)
				require.Equal(t, want[:n], got[:n], "at %#x", at)
				for _, s := range disk.From(at, int64(n)) {
					b := im.Store.Blob(s.Blob)
					require.NotNil(t, b, s.Blob)
					require.LessOrEqual(t, s.Off+s.Len, b.Size())
				}
			}
			require.NotEmpty(t, disk.From(1<<20, 100))
			replays(t, im, name, size-70000, want[:100])
			if name == "top.qcow2" { // behind the end of the backing file
				clear(want)
				_, err := disk.ReadAt(got, size+1000)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		})
	}
}

// replays cuts a slice of what was read and opens it without the other files.
func replays(t *testing.T, im *identify.Image, name string, at int64, p []byte) {
	want := make([]byte, len(p))
	_, err := im.Store.Blob("disk0").ReadAt(want, at)
	require.NoError(t, err)
	var cut bytes.Buffer
	require.NoError(t, im.Store.WriteSlice(&cut, blob.Origin{Name: name}))
	store, origin, err := blob.OpenSlice(bytes.NewReader(cut.Bytes()), int64(cut.Len()))
	require.NoError(t, err)
	kept := store.Kept(origin.Name)
	again, err := identify.Open(store, store.Add(name, kept, kept.Size(), nil), nil)
	require.NoError(t, err)
	got := make([]byte, len(p))
	_, err = again.Store.Blob("disk0").ReadAt(got, at)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, im.Store.Blob("disk0").From(at, 100), again.Store.Blob("disk0").From(at, 100))
}

// A qcow2 image whose clusters partly hide its backing file's.
func TestAnOverlayHidesWhatItHolds(t *testing.T) {
	if _, err := exec.LookPath("qemu-io"); err != nil {
		t.Skip("qemu-io is not installed")
	}
	dir := t.TempDir()
	sparseDisk(t, filepath.Join(dir, "base.raw"), 2, 8<<20, 0, 1<<20, 2<<20, 4<<20)
	for _, extra := range []string{"extended_l2=off", "extended_l2=on"} {
		qemuImg(t, dir, "create", "-q", "-f", "qcow2", "-o", extra, "-b", "base.raw", "-F", "raw", "over.qcow2")
		out, err := exec.Command("qemu-io", "-c", "write -P 7 1M 5k", "-c", "write -z 2M 64k", "-c", "discard 4M 64k", filepath.Join(dir, "over.qcow2")).CombinedOutput()
		require.NoError(t, err, string(out))
		qemuImg(t, dir, "convert", "-O", "raw", "over.qcow2", "want.raw")
		want, err := os.ReadFile(filepath.Join(dir, "want.raw"))
		require.NoError(t, err)
		im, err := openIn(t, dir, "over.qcow2", true)
		require.NoError(t, err)
		got, err := blob.ReadAll(im.Store.Blob("disk0"), 8<<20)
		require.NoError(t, err)
		require.Equal(t, want, got, extra)
	}
}

func TestTheFileThatNamesTheOthers(t *testing.T) {
	dir := t.TempDir()
	sparseDisk(t, filepath.Join(dir, "base.raw"), 1, 3<<20, 0)
	qemuImg(t, dir, "convert", "-O", "vmdk", "-o", "subformat=monolithicFlat", "base.raw", "d.vmdk")
	qemuImg(t, dir, "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "o.qcow2")
	rank := func(name string) int {
		f, err := os.Open(filepath.Join(dir, name))
		require.NoError(t, err)
		defer f.Close()
		return archive.Rank(name, f, 1<<20)
	}
	require.Greater(t, rank("d.vmdk"), rank("d-flat.vmdk"))
	require.Greater(t, rank("o.qcow2"), rank("base.raw"))
}

const ovf = `<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
  <References>
    <File ovf:href="tools.iso" ovf:id="file9" ovf:size="1"/>
    <File ovf:href="second.vmdk" ovf:id="file2"/>
    <File ovf:href="first.vmdk" ovf:id="file1"/>
  </References>
  <DiskSection><Info>Disks</Info>
    <Disk ovf:capacity="8" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
    <Disk ovf:capacity="8" ovf:diskId="vmdisk2" ovf:fileRef="file2"/>
  </DiskSection>
</Envelope>
`

// What downloads of virtual machines come in, packed by tar and zip.
func TestDisksOfSeveralFilesInAnArchive(t *testing.T) {
	dir := t.TempDir()
	sparseDisk(t, filepath.Join(dir, "base.raw"), 3, 8<<20, 0, 1<<20, 8<<20-70000)
	sparseDisk(t, filepath.Join(dir, "other.raw"), 4, 8<<20, 0)
	want, err := os.ReadFile(filepath.Join(dir, "base.raw"))
	require.NoError(t, err)
	copy(want[510:], "\x55\xaa")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "base.raw"), want, 0o600))
	qemuImg(t, dir, "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=monolithicFlat", "base.raw", "flat.vmdk")
	qemuImg(t, dir, "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", "base.raw", "first.vmdk")
	qemuImg(t, dir, "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", "other.raw", "second.vmdk")
	qemuImg(t, dir, "convert", "-f", "raw", "-O", "qcow2", "base.raw", "box.img")
	qemuImg(t, dir, "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "over.qcow2")
	for name, text := range map[string]string{"vm.ovf": ovf, "Vagrantfile": "#\n", "metadata.json": `{"provider":"libvirt","format":"qcow2","virtual_size":1}` + "\n", "readme.txt": "x\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	pack := func(tool string, args ...string) {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
		cmd := exec.Command(tool, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	pack("tar", "-cf", "flat.tar", "flat-flat.vmdk", "flat.vmdk", "readme.txt")
	pack("tar", "-czf", "over.tgz", "over.qcow2", "base.raw")
	pack("tar", "-cf", "vm.ova", "vm.ovf", "second.vmdk", "first.vmdk")
	pack("tar", "-czf", "vm.box", "metadata.json", "Vagrantfile", "box.img")
	pack("python3", "-m", "zipfile", "-c", "flat.zip", "flat.vmdk", "flat-flat.vmdk", "readme.txt")
	for name, formats := range map[string][]string{
		"flat.tar": {"tar", "vmdk", "raw"}, "over.tgz": {"gzip", "tar", "qcow2", "raw"}, "vm.ova": {"ova", "vmdk", "raw"},
		"vm.box": {"gzip", "box", "qcow2", "raw"}, "flat.zip": {"zip", "vmdk", "raw"}, "vm.ovf": {"ovf", "vmdk", "raw"},
	} {
		t.Run(name, func(t *testing.T) {
			im, err := openIn(t, dir, name, name == "vm.ovf")
			require.NoError(t, err)
			require.Equal(t, formats, im.Formats)
			got, err := blob.ReadAll(im.Store.Blob("disk0"), 8<<20)
			require.NoError(t, err)
			require.Equal(t, want, got)
			replays(t, im, name, 1<<20, want[:100])
		})
	}
	_, err = openIn(t, dir, "vm.ovf", false)
	require.ErrorContains(t, err, `its disk lies in "first.vmdk": give both files together`)
}
