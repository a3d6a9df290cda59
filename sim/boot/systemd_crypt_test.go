package boot

import (
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/trace"
)

// cryptTree is a system whose default target reaches for its encrypted volumes.
func cryptTree(crypttab string) map[string]string {
	return map[string]string{"etc/crypttab": crypttab, "usr/lib/systemd/system-generators/systemd-cryptsetup-generator*": "x", "usr/lib/systemd/systemd-cryptsetup*": tinyProgram,
		unitDir + "cryptsetup.target": "[Unit]\nDescription=Local Encrypted Volumes\n", unitDir + "blockdev@.target": "[Unit]\nDescription=Block Device Preparation for %f\nStopWhenUnneeded=yes\n",
		unitDir + "sysinit.target.wants/cryptsetup.target": "-> ../cryptsetup.target"}
}

func TestAnEncryptedVolumeWithoutKeyCannotBeOpened(t *testing.T) {
	tr, _, out := runSmall(t, "", cryptTree("secret /dev/vda none luks\n"))
	require.Equal(t, trace.Unknown, tr.Outcome.Verdict)
	require.Contains(t, tr.Outcome.Unknown.String(), `unknown.passphrase device="secret (/dev/vda)"`)
	require.Contains(t, out, "Starting systemd-cryptsetup@secret.service - Cryptography Setup for secret...")
	require.NotEmpty(t, stepOf(t, tr, "systemd.passphrase", "systemd-cryptsetup@secret.service").Cites)

	tr, _, _ = runSmall(t, "", cryptTree("secret /dev/vda none luks,nofail\n"))
	require.Equal(t, trace.Works, tr.Outcome.Verdict)
	tr, _, _ = runSmall(t, "", cryptTree("secret /dev/vda /etc/hostname luks\n"))
	require.Equal(t, trace.Works, tr.Outcome.Verdict)
	require.Contains(t, stepOf(t, tr, "systemd.startup-finished", "").Assumed[0].String(), "unknown.key-in device=/dev/vda key=/etc/hostname")
}

// TestAnEncryptedVolumeThatNeverComes quotes Debian 12's systemd 252 with the same line in /etc/crypttab.
func TestAnEncryptedVolumeThatNeverComes(t *testing.T) {
	_, _, out := runSmall(t, "", cryptTree("secret UUID=99999999-2222-3333-4444-555555555555 none luks,x-systemd.device-timeout=10s\n"))
	const device = `dev-disk-by\x2duuid-99999999\x2d2222\x2d3333\x2d4444\x2d555555555555.device`
	require.Contains(t, anyTime.ReplaceAllString(out, ""), `systemd[1]: `+device+`: Job `+device+`/start timed out.
systemd[1]: Timed out waiting for device `+device+` - /dev/disk/by-uuid/99999999-2222-3333-4444-555555555555.
[ TIME ] Timed out waiting for device [0;1;…99999-2222-3333-4444-555555555555.
systemd[1]: Dependency failed for systemd-cryptsetup@secret.service - Cryptography Setup for secret.
[DEPEND] Dependency failed for syst…m - Cryptography Setup for secret.
systemd[1]: Dependency failed for cryptsetup.target - Local Encrypted Volumes.
[DEPEND] Dependency failed for cryp…get - Local Encrypted Volumes.
systemd[1]: cryptsetup.target: Job cryptsetup.target/start failed with result 'dependency'.
systemd[1]: systemd-cryptsetup@secret.service: Job systemd-cryptsetup@secret.service/start failed with result 'dependency'.
systemd[1]: `+device+`: Job `+device+`/start failed with result 'timeout'.
`)
	require.Contains(t, out, "[  OK  ] Reached target blockdev@de…reparation for /dev/mapper/secret.")
}

// TestWantedUnitsThatCannotBeUsed quotes Debian 12's systemd 252.
func TestWantedUnitsThatCannotBeUsed(t *testing.T) {
	_, _, out := runSmall(t, "", map[string]string{unitDir + "t-bad.service": "[Service]\nType=oneshot\n", unitDir + "multi-user.target.wants/t-bad.service": "-> ../t-bad.service",
		"etc/systemd/system/masked.service": "-> /dev/null", unitDir + "multi-user.target.wants/masked.service": "-> ../masked.service"})
	require.Contains(t, anyTime.ReplaceAllString(out, ""), `systemd[1]: t-bad.service: Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.
systemd[1]: t-bad.service: Cannot add dependency job, ignoring: Unit t-bad.service has a bad unit file setting.
systemd[1]: Queued start job for default target`)
	require.NotContains(t, out, "masked.service")
}
