package systemd

import "bootpath/sim/conf/cmdline"

func (m *Manager) sysvGenerator(cmdline.Line) {}
