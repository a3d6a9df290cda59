package boot

import (
	"path"
	"strings"

	"bootpath/sim/conf/systemd"
	"bootpath/sim/trace"
)

// passphrase starts a service that opens an encrypted volume, when only its user can: with no key file the
// program asks for a passphrase. systemd-cryptsetup@.service(8), crypttab(5). It tells whether it did.
func (x *sysd) passphrase(j *systemd.Job) bool {
	u := j.Unit
	if len(u.Service.Start) == 0 {
		return false
	}
	c := u.Service.Start[0]
	if path.Base(c.Path) != "systemd-cryptsetup" || len(c.Argv) < 4 || c.Argv[1] != "attach" {
		return false
	}
	name, device, key := c.Argv[2], c.Argv[3], ""
	if len(c.Argv) > 4 {
		key = c.Argv[4]
	}
	if _, err := x.pid1.Stat(key); strings.HasPrefix(key, "/") && err == nil {
		x.doubt(trace.Why("unknown.key-in", "key", key, "device", device))
		return false
	}
	x.begin(j, "systemd.starting", "Starting %s...", commandCites(u.Service.Start))
	why := trace.Why("unknown.passphrase", "device", name+" ("+device+")")
	st := x.step("systemd.passphrase", j, "crypttab(5)")
	st.Args["name"], st.Args["device"] = name, device
	st.Cites = append(commandCites(u.Service.Start), st.Cites...)
	x.steps[u] = x.emit(st)
	if x.needed(u) {
		x.cannotKnow(trace.Userspace, why)
		return true
	}
	// nofail: it goes on asking in the background.
	x.doubt(why)
	x.mgr.Finish(j, systemd.Canceled)
	return true
}

// needed tells whether a job that is queued waits for the unit.
func (x *sysd) needed(u *systemd.Unit) bool {
	for _, e := range u.Deps(systemd.Before) {
		if o := x.mgr.Job(e.To); o != nil && o.Type == systemd.Start && e.To.Type == "target" && !strings.HasPrefix(e.To.ID, "blockdev@") {
			return true
		}
	}
	return false
}
