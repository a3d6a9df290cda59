package boot

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fedoraConfig is what matters of the grub.cfg that grub2-mkconfig writes on Fedora 40.
const fedoraConfig = `if [ -f ${config_directory}/grubenv ]; then
  load_env -f ${config_directory}/grubenv
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
else
   set default="${saved_entry}"
fi
function load_video {
  true
}
set timeout=5
insmod increment
if [ -n "${boot_counter}" -a "${boot_success}" = "0" ]; then
  increment boot_counter
fi
insmod blscfg
blscfg
`

func fedora(extra map[string]string) map[string]string {
	env := envHeader + "saved_entry=0123-6.11.4-301.fc41.x86_64\nboot_success=0\nboot_counter=1\nkernelopts=root=UUID=aa ro rhgb\n"
	files := map[string]string{
		"boot/grub/grub.cfg": fedoraConfig,
		"boot/grub/grubenv":  env + strings.Repeat("#", 1024-len(env)),
	}
	for version, options := range map[string]string{"6.8.5-300.fc40": "root=UUID=bb ro", "6.11.4-301.fc41": "$kernelopts quiet $tuned_params", "0-rescue": ""} {
		text := "title Fedora (" + version + ")\nversion " + version + "\nlinux /vmlinuz-" + version + "\ninitrd /initramfs-" + version + ".img $tuned_initrd\n"
		if options != "" {
			text += "options " + options + "\n"
		}
		name := "0123-" + version + ".x86_64"
		if options == "" {
			name = "0123-0-rescue"
		}
		files["loader/entries/"+name+".conf"] = text + "grub_users $grub_users\ngrub_arg --unrestricted\ngrub_class fedora\n"
	}
	for name, text := range extra {
		files[name] = text
	}
	return files
}

func fedoraGRUB(files map[string]string) *grub {
	g := testGRUB(files, "x86_64-efi", "hd0")
	for _, name := range []string{"blscfg", "increment", "gzio"} {
		g.mods[name] = true
	}
	g.enterNormal("(hd0)/boot/grub/grub.cfg")
	return g
}

func TestFedorasEntriesBecomeAMenu(t *testing.T) {
	g := fedoraGRUB(fedora(nil))
	tr := g.m.Trace()
	var titles []string
	counted := ""
	for _, st := range tr.Steps {
		switch st.Kind {
		case "grub.add-entry":
			titles = append(titles, st.Args["title"])
			require.NotEmpty(t, st.Rule)
		case "grub.set-variable":
			if st.Args["name"] == "boot_counter" {
				counted = st.Args["value"]
			}
		}
	}
	require.Equal(t, []string{"Fedora (6.11.4-301.fc41)", "Fedora (6.8.5-300.fc40)", "Fedora (0-rescue)"}, titles, "newest first")
	require.Equal(t, "2", counted)
	require.Contains(t, console(tr), "*Fedora (6.11.4-301.fc41)")
	require.Equal(t, "error: file `/vmlinuz-6.11.4-301.fc41' not found.", tr.Outcome.Message)
	requireSentences(t, tr)
}

func TestVariablesInOptions(t *testing.T) {
	g := testGRUB(nil, "x86_64-efi", "hd0")
	g.put("kernelopts", "root=UUID=aa ro", false)
	require.Equal(t, "root=UUID=aa ro quiet  x", g.expandBLS("$kernelopts quiet $tuned_params x"))
	require.Equal(t, "", g.expandBLS("$grub_users"))
}
