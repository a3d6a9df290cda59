package identify_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/wire"
)

// smallDisk is 4 MiB with a DOS partition table and an ext2 volume, and the same as other tools pack it.
func smallDisk(t *testing.T, dir string) {
	t.Setenv("PATH", os.Getenv("PATH")+":/sbin:/usr/sbin")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "disk.raw"), make([]byte, 4<<20), 0o644))
	tool(t, dir, "sfdisk", "--version")
	tool(t, dir, "sh", "-c", "printf 'label: dos\\nlabel-id: 0x1\\n2048,,L,*\\n' | sfdisk -q disk.raw")
	tool(t, dir, "mkfs.ext2", "-q", "-F", "-L", "inside", "-U", "00000000-0000-4000-8000-000000000001", "-E", "offset=1048576", "disk.raw", "3072k")
	qemuImg(t, dir, "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", "disk.raw", "disk.vmdk")
	qemuImg(t, dir, "convert", "-O", "qcow2", "disk.raw", "box.img")
	ovf := `<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"><References><File ovf:href="disk.vmdk" ovf:id="f"/></References><DiskSection><Disk ovf:diskId="d" ovf:fileRef="f" ovf:capacity="4194304"/></DiskSection></Envelope>`
	write(t, dir, "vm.ovf", ovf, "metadata.json", `{"provider":"libvirt","format":"qcow2","virtual_size":1}`, "Vagrantfile", "Vagrant.configure(\"2\") do |c|\nend\n")
}

// What a disk is must not depend on what it came in.
func TestADiskInEveryWrapper(t *testing.T) {
	dir := t.TempDir()
	smallDisk(t, dir)
	inspect := func(name string) *wire.Inspection {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		in := session(t, name, data).Inspect()
		for i := range in.Filesystems {
			in.Filesystems[i].Cites = nil // their blob has another name
		}
		for i := range in.PartitionTable.Partitions {
			in.PartitionTable.Partitions[i].Cites = nil
		}
		return in
	}
	want := inspect("disk.raw")
	require.Equal(t, "inside", want.Filesystems[0].Label)
	for _, c := range []struct {
		file, pack string
		formats    []string
	}{
		{"disk.raw.gz", "gzip -k disk.raw", []string{"gzip", "raw"}},
		{"disk.raw.xz", "xz -k disk.raw", []string{"xz", "raw"}},
		{"disk.raw.zst", "zstd -q disk.raw", []string{"zstd", "raw"}},
		{"disk.raw.bz2", "bzip2 -k disk.raw", []string{"bzip2", "raw"}},
		{"disk.raw.lz4", "lz4 -q disk.raw disk.raw.lz4", []string{"lz4", "raw"}},
		{"disk.zip", "zip -q disk.zip disk.raw", []string{"zip", "raw"}},
		{"stored.zip", "zip -q -0 stored.zip disk.raw", []string{"zip", "raw"}},
		{"disk.tar", "tar -cf disk.tar disk.raw", []string{"tar", "raw"}},
		{"sparse.tar", "tar -Scf sparse.tar disk.raw", []string{"tar", "raw"}},
		{"disk.tar.xz", "tar -cJf disk.tar.xz disk.raw", []string{"xz", "tar", "raw"}},
		{"packed.zip", "xz -k -c disk.raw > inner.img.xz; zip -q packed.zip inner.img.xz", []string{"zip", "xz", "raw"}},
		{"vm.ova", "tar -cf vm.ova vm.ovf disk.vmdk", []string{"ova", "vmdk", "raw"}},
		{"vm.box", "tar -czf vm.box metadata.json Vagrantfile box.img", []string{"gzip", "box", "qcow2", "raw"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			tool(t, dir, "sh", "-c", c.pack)
			got := inspect(c.file)
			require.Equal(t, c.formats, got.Formats)
			require.Equal(t, want.Kind, got.Kind)
			require.Equal(t, want.VirtualSize, got.VirtualSize)
			require.Equal(t, want.PartitionTable, got.PartitionTable)
			require.Equal(t, want.Filesystems, got.Filesystems)
			require.Equal(t, want.KernelFrom, got.KernelFrom)
		})
	}
}
