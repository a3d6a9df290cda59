package scenario

// Option is a switch of docker run: its spelling and the setting it fills. Exactly one of Text, List and
// Switch is set, or none for what changes nothing here.
type Option struct {
	Name  string // long, without dashes
	Short byte   // 0 when there is none
	Usage string // the value stands in back quotes
	Text  func(*RunSettings) *string
	List  func(*RunSettings) *[]string // may be given several times
	Bool  func(*RunSettings) *bool

	Own        string // the name as a switch of bootpath, when it has another meaning there
	alias      string // another long name that docker takes
	podmanOnly bool   // docker does not know it: its daemon is set up with userns-remap instead
}

// Options lists the switches that mean something here, in the order in which a command line is written.
func Options() []Option {
	return []Option{
		{Name: "platform", Usage: "`os/arch[/variant]` to choose", Text: func(s *RunSettings) *string { return &s.Platform }},
		{Name: "interactive", Short: 'i', Usage: "keep standard input open", Bool: func(s *RunSettings) *bool { return &s.Interactive }},
		{Name: "tty", Short: 't', Usage: "allocate a terminal", Bool: func(s *RunSettings) *bool { return &s.TTY }},
		{Name: "init", Usage: "a small init is process 1 and starts the program", Bool: func(s *RunSettings) *bool { return &s.Init }},
		{Name: "user", Short: 'u', Usage: "`name|uid[:group|gid]`", Text: func(s *RunSettings) *string { return &s.User }},
		{Name: "workdir", Short: 'w', Usage: "working `directory`", Text: func(s *RunSettings) *string { return &s.Workdir }},
		{Name: "env", Short: 'e', Usage: "`KEY=VALUE` (repeat)", List: func(s *RunSettings) *[]string { return &s.Env }},
		{Name: "hostname", Short: 'h', Usage: "`name` in the UTS namespace", Text: func(s *RunSettings) *string { return &s.Hostname }},
		{Name: "network", Usage: "`bridge|host|none|container:NAME`", Text: func(s *RunSettings) *string { return &s.Network }, alias: "net"},
		{Name: "volume", Short: 'v', Usage: "`[SOURCE:]DIR[:ro]`, a directory or volume of the host (repeat)", List: func(s *RunSettings) *[]string { return &s.Volume }},
		{Name: "tmpfs", Usage: "`DIR[:OPTIONS]`, an empty file system in memory (repeat)", List: func(s *RunSettings) *[]string { return &s.Tmpfs }},
		{Name: "read-only", Usage: "read-only root file system", Bool: func(s *RunSettings) *bool { return &s.ReadOnly }},
		{Name: "memory", Short: 'm', Usage: "most memory that it may use, a `size`: 512m, 2g", Text: func(s *RunSettings) *string { return &s.Memory }},
		{Name: "memory-swap", Usage: "`size` of memory and swap together, -1 for no limit", Text: func(s *RunSettings) *string { return &s.MemorySwap }},
		{Name: "oom-kill-disable", Usage: "version 1 of the control groups: who wants too much memory waits", Bool: func(s *RunSettings) *bool { return &s.OOMKillDisable }},
		{Name: "oom-score-adj", Usage: "`number` from -1000 to 1000: whom the kernel ends first for want of memory", Text: func(s *RunSettings) *string { return &s.OOMScoreAdj }},
		{Name: "pids-limit", Usage: "`number` of processes, -1 for no limit", Text: func(s *RunSettings) *string { return &s.PidsLimit }},
		{Name: "ulimit", Usage: "`NAME=SOFT[:HARD]` (repeat)", List: func(s *RunSettings) *[]string { return &s.Ulimit }},
		{Name: "sysctl", Usage: "`KEY=VALUE` of the container's namespaces (repeat)", List: func(s *RunSettings) *[]string { return &s.Sysctl }},
		{Name: "privileged", Usage: "all capabilities, all devices", Bool: func(s *RunSettings) *bool { return &s.Privileged }},
		{Name: "cap-add", Usage: "`capability` (repeat)", List: func(s *RunSettings) *[]string { return &s.CapAdd }},
		{Name: "cap-drop", Usage: "`capability` (repeat)", List: func(s *RunSettings) *[]string { return &s.CapDrop }},
		{Name: "security-opt", Usage: "`option` (repeat)", List: func(s *RunSettings) *[]string { return &s.SecurityOpt }},
		{Name: "userns", Usage: "`host`; podman: keep-id, nomap, auto, container:NAME: the user namespace", Text: func(s *RunSettings) *string { return &s.UserNS }},
		{Name: "publish", Short: 'p', Usage: "`[IP:]HOST:CONTAINER`, a port of the host (repeat)", List: func(s *RunSettings) *[]string { return &s.Publish }},
		{Name: "uidmap", Usage: "`INSIDE:OUTSIDE:SIZE`, a user namespace with these users and groups (repeat)", List: func(s *RunSettings) *[]string { return &s.UIDMap }, podmanOnly: true},
		{Name: "stop-signal", Usage: "`signal` that stops the container", Text: func(s *RunSettings) *string { return &s.StopSignal }},
		{Name: "restart", Usage: "`no|on-failure[:N]|always|unless-stopped`", Text: func(s *RunSettings) *string { return &s.Restart }},
		{Name: "rm", Usage: "remove the container when it ends", Bool: func(s *RunSettings) *bool { return &s.AutoRemove }, Own: "auto-remove"},
		{Name: "no-healthcheck", Usage: "no health checks", Bool: func(s *RunSettings) *bool { return &s.NoHealth }},
		{Name: "health-cmd", Usage: "`command` of the health check", Text: func(s *RunSettings) *string { return &s.HealthCmd }},
		{Name: "stop-timeout", Usage: "`seconds` from the signal to SIGKILL", Text: func(s *RunSettings) *string { return &s.StopTimeout }},
	}
}

// idle are switches of docker run that change nothing of what is played here: names, labels, logging, the processor's share, what happens afterwards. docker/cli cli/command/container/opts.go.
// One letter behind the name is its short form.
func idle() (switches, valued []string) {
	return []string{"detach d", "sig-proxy", "publish-all P", "disable-content-trust", "quiet q", "replace"},
		[]string{
			"name", "label l", "label-file", "pull", "expose", "link", "add-host", "dns", "dns-option", "dns-opt", "dns-search",
			"domainname", "detach-keys", "attach a", "cidfile", "log-driver", "log-opt", "health-interval", "health-retries",
			"health-start-period", "health-timeout", "cpus", "cpu-shares c", "cpu-period", "cpu-quota", "cpu-rt-period", "cpu-rt-runtime",
			"cpuset-cpus", "cpuset-mems", "cpu-count", "cpu-percent", "blkio-weight", "blkio-weight-device", "device-read-bps", "device-read-iops",
			"device-write-bps", "device-write-iops", "io-maxbandwidth", "io-maxiops", "memory-reservation", "memory-swappiness", "kernel-memory",
			"shm-size", "storage-opt", "volume-driver", "mac-address", "ip", "ip6", "link-local-ip", "network-alias", "net-alias", "annotation",
		}
}
