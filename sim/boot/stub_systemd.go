package boot

import (
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// systemd stands in until its actor exists.
func (s *start) systemd(k *kernel.Kernel, pid1 *kernel.Task, root fsys.FS) {
	s.unknown(trace.Init, "what systemd starts: bootpath does not follow it yet")
}
