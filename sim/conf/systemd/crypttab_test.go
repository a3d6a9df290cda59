package systemd

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// deps names what a unit depends on in one way.
func deps(u *Unit, d Dep) []string {
	var out []string
	for _, e := range u.Deps(d) {
		out = append(out, e.To.ID)
	}
	return out
}

// TestCrypttabBecomesServices has the dependencies that Debian 12's systemd 252 showed for these two lines.
func TestCrypttabBecomesServices(t *testing.T) {
	const device = `dev-disk-by\x2duuid-99999999\x2d2222\x2d3333\x2d4444\x2d555555555555.device`
	m := manager(generators(map[string]string{"etc/crypttab": "# name device key options\nsecret UUID=99999999-2222-3333-4444-555555555555 none luks,x-systemd.device-timeout=10s\nlate /dev/vdz1 /nokey luks,nofail\n",
		"usr/lib/systemd/system/cryptsetup.target": "[Unit]\nDescription=Local Encrypted Volumes\n", "usr/lib/systemd/system/blockdev@.target": "[Unit]\nDescription=Block Device Preparation for %f\nStopWhenUnneeded=yes\n",
		"etc/fstab": "/dev/vda1 / ext4 defaults 0 0\n",
	}, "systemd-cryptsetup-generator", "systemd-fstab-generator"))
	require.Empty(t, m.Notes)
	target := m.Load("cryptsetup.target")
	require.Equal(t, []string{"systemd-cryptsetup@secret.service"}, deps(target, Requires))
	require.Equal(t, []string{"systemd-cryptsetup@late.service"}, deps(target, Wants))
	u := m.Get("systemd-cryptsetup@secret.service")
	require.Equal(t, "Cryptography Setup for secret", u.Description)
	require.Equal(t, []string{device}, deps(u, BindsTo))
	require.Equal(t, []string{`system-systemd\x2dcryptsetup.slice`}, deps(u, Requires))
	require.Equal(t, []string{"blockdev@dev-mapper-secret.target"}, deps(u, Wants))
	require.Equal(t, []string{"umount.target"}, deps(u, Conflicts))
	require.Equal(t, []string{"blockdev@dev-mapper-secret.target", "cryptsetup.target", "umount.target"}, deps(u, Before))
	require.Equal(t, []string{"cryptsetup-pre.target", device, `system-systemd\x2dcryptsetup.slice`, "systemd-journald.socket", "systemd-udevd-kernel.socket"}, deps(u, After))
	require.Equal(t, "10s", m.Get(device).JobRunningTimeout)
	late := m.Get("systemd-cryptsetup@late.service")
	require.Equal(t, []string{"blockdev@dev-mapper-late.target", "umount.target"}, deps(late, Before))
	require.Contains(t, deps(late, Requires), "-.mount", "the key file")
}

func BenchmarkStart(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 2000} {
		files := map[string]string{"usr/lib/systemd/system/multi-user.target": "[Unit]\n"}
		for i := range n {
			name := fmt.Sprintf("s%04d.service", i)
			files["usr/lib/systemd/system/"+name] = fmt.Sprintf("[Unit]\nDescription=Number %d\nAfter=s%04d.service\n[Service]\nExecStart=/bin/true\n", i, i-1)
			files["etc/systemd/system/multi-user.target.wants/"+name] = "-> /usr/lib/systemd/system/" + name
		}
		root := tree(files)
		b.Run(fmt.Sprintf("%d units", n), func(b *testing.B) {
			for b.Loop() {
				m := NewManager(Env{Root: root})
				if _, err := m.Queue(m.Load("multi-user.target"), Start, Replace); err != nil {
					b.Fatal(err)
				}
				done := 0
				for j := m.Next(); j != nil; j = m.Next() {
					j.Unit.State = Active
					m.Finish(j, Done)
					done++
				}
				if done < n {
					b.Fatalf("%d of %d jobs ran", done, n)
				}
			}
		})
	}
}
