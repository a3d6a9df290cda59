package boot

import "bootpath/sim/trace"

// s6 says what a start by s6-linux-init needs that cannot be read. s6-linux-init's scripts are texts, but
// rc.init asks s6-rc to bring up services from a compiled database, /run/s6-rc/compiled, whose format
// s6-rc-compile(1) calls internal and subject to change.
func (x *linux) s6(exe string) {
	for _, dir := range [...]string{"/etc/s6-rc/compiled", "/etc/s6/rc/compiled"} {
		if _, err := x.pid1.Stat(dir); err == nil {
			x.cannotKnow(trace.Init, trace.Why("unknown.s6-database", "path", dir))
			return
		}
	}
	x.cannotKnow(trace.Init, trace.Why("unknown.s6-linux-init", "path", exe))
}
