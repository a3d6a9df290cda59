package boot

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/disk"
	"bootpath/sim/fsys/btrfs"
	"bootpath/sim/trace"
	"bootpath/tests/fixture"
)

func added(tr *trace.Trace) []string {
	var out []string
	for _, st := range tr.Steps {
		if st.Kind == "grub.add-entry" {
			out = append(out, st.Args["title"])
		}
	}
	return out
}

// blscfg of GRUB 2.14 knows nothing of $boot, gives paths of $root, and reads a file up to the first empty line. tests/truth/layouts has
// recorded starts of it.
func TestEntriesOfUpstreamsBlscfg(t *testing.T) {
	g := testGRUB(fedora(map[string]string{"loader/entries/0123-9.conf": "title cut short\n\nlinux /vmlinuz-9\n"}), "i386-pc", "hd0")
	for _, name := range []string{"blsuki", "gzio"} {
		g.mods[name] = true
	}
	g.put("boot", "hd7", true)
	g.enterNormal("(hd0)/boot/grub/grub.cfg")
	tr := g.m.Trace()
	require.Equal(t, []string{"Fedora (6.11.4-301.fc41)", "Fedora (6.8.5-300.fc40)", "Fedora (0-rescue)"}, added(tr))
	require.Equal(t, "error: file `/vmlinuz-6.11.4-301.fc41' not found.", tr.Outcome.Message)
	requireSentences(t, tr)
}

func TestVariablesInOptionsOfUpstreamsBlscfg(t *testing.T) {
	g := testGRUB(nil, "i386-pc", "hd0")
	g.put("kernelopts", "root=UUID=aa ro", false)
	require.Equal(t, "root=UUID=aa ro quiet x", g.expandBlsuki("$kernelopts quiet $tuned_params x"))
	require.Equal(t, "", g.expandBlsuki("$grub_users"))
}

// Paths of openSUSE: relative to the default subvolume when grub.cfg says so and the module knows the variable.
func TestPathsInSubvolumes(t *testing.T) {
	data := fixture.Zst(t, "../fsys/btrfs/testdata/full.btrfs.zst")
	b := fixture.Blob("disk0", data)
	f, err := btrfs.Open(b, b.Size())
	require.NoError(t, err)
	def, err := f.Select("")
	require.NoError(t, err)
	entries, err := def.ReadDir(".")
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	inDefault := "/" + entries[0].Name()

	look := func(patched bool, relative string, mounts ...grubSubvolume) (string, *grubError) {
		g := testGRUB(nil, "i386-pc", "hd0")
		g.mods["btrfs"], g.said["btrfs\x00btrfs_relative_path"], g.subvolumes = true, patched, mounts
		g.devs[0].vol = fromTop(&disk.Volume{R: b, Size: b.Size(), FS: f, Type: "btrfs"})
		g.put("btrfs_relative_path", relative, true)
		_, at, err := g.find("(hd0)" + inDefault)
		return at, err
	}
	at, gerr := look(true, "y")
	require.Nil(t, gerr)
	require.Equal(t, strings.TrimPrefix(inDefault, "/"), at)
	for _, c := range []struct {
		patched  bool
		relative string
	}{{false, "y"}, {true, "no"}, {true, ""}} {
		_, gerr = look(c.patched, c.relative)
		require.NotNil(t, gerr, "%v", c)
		require.Equal(t, errFileNotFound, gerr.code)
	}
}

// A card of QEMU's is on no list, so Ubuntu keeps the graphics mode.
func TestUbuntusListOfDisplays(t *testing.T) {
	g := testGRUB(map[string]string{"boot/grub/gfxblacklist.txt": "# old\nv10ded0.*\nv15add0710.*\n", "boot/grub/all.txt": "v1234d1111.*\n",
		"boot/grub/grub.cfg": "hwmatch ${prefix}/gfxblacklist.txt 3\nset first=$match\nhwmatch ${prefix}/all.txt 3\nset second=$match\n"}, "i386-pc", "hd0")
	g.mods["hwmatch"] = true
	g.enterNormal("(hd0)/boot/grub/grub.cfg")
	require.Equal(t, "0", g.Value("first"))
	require.Equal(t, "1", g.Value("second"))
	requireSentences(t, g.m.Trace())
}

// What Ubuntu's 00_header and 10_linux do after a start without an initramfs that panicked.
func TestUbuntusFallbackToTheInitramfs(t *testing.T) {
	const config = `if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${initrdfail}" = 2 ]; then
   set initrdfail=
elif [ "${initrdfail}" = 1 ]; then
   set next_entry="${prev_entry}"
   set prev_entry=
   save_env prev_entry
   if [ "${next_entry}" ]; then
      set initrdfail=2
   fi
fi
function initrdfail {
    if [ -n "${have_grubenv}" ]; then if [ -n "${partuuid}" ]; then
      if [ -z "${initrdfail}" ]; then
        set initrdfail=1
      fi
      save_env initrdfail
    fi; fi
}
set partuuid=11
set timeout=0
menuentry 'Ubuntu' {
	if [ "${initrdfail}" = 1 ]; then
	  echo	'Attempting with initrd.'
	else
	  echo	'attempting initrdless boot.'
	fi
	initrdfail
}
`
	for env, want := range map[string]string{"": "attempting initrdless boot.", "initrdfail=1\n": "Attempting with initrd.", "initrdfail=2\n": "attempting initrdless boot."} {
		block := envHeader + env
		g := testGRUB(map[string]string{"boot/grub/grub.cfg": config, "boot/grub/grubenv": block + strings.Repeat("#", 1024-len(block))}, "i386-pc", "hd0")
		g.enterNormal("(hd0)/boot/grub/grub.cfg")
		require.Contains(t, console(g.m.Trace()), want, env)
		require.Equal(t, env == "" || env == "initrdfail=2\n", contains(g.saved, "initrdfail"), "%q: what is saved as it was changes nothing", env)
	}
}
