package initprog

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKind(t *testing.T) {
	for _, tt := range []struct {
		exe, want string
		beside    []string
	}{
		{"/usr/lib/systemd/systemd", Systemd, nil},
		{"/sbin/init", Sysvinit, []string{"/etc/inittab"}},
		{"/sbin/init", SysvRC, []string{"/etc/inittab", "/sbin/openrc"}},
		{"/sbin/init", Other, nil},
		{"/sbin/openrc-init", OpenRC, nil},
		{"/bin/busybox", BusyBox, []string{"/etc/inittab"}},
		{"/sbin/runit-init", Runit, nil},
		{"/bin/dash", Shell, nil},
	} {
		got := Kind(tt.exe, func(p string) bool { return slices.Contains(tt.beside, p) })
		require.Equal(t, tt.want, got, "%s beside %v", tt.exe, tt.beside)
	}
}
