package boot

import "bootpath/sim/trace"

// s6 says what a start by s6-linux-init needs that cannot be read. s6-linux-init's scripts are texts, but
// rc.init asks s6-rc to bring up services from a compiled database, /run/s6-rc/compiled, whose format
// s6-rc-compile(1) calls internal and subject to change.
func (x *linux) s6(exe string) {
	for _, dir := range [...]string{"/etc/s6-rc/compiled", "/etc/s6/rc/compiled"} {
		if _, err := x.pid1.Stat(dir); err == nil {
			x.unknown(trace.Init, "which services s6-rc brings up: "+dir+" is its compiled database, whose format is internal to s6-rc")
			return
		}
	}
	x.unknown(trace.Init, "which services "+exe+" starts: bootpath does not follow the scripts of s6-linux-init")
}
