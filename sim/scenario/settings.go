package scenario

import "bootpath/sim/boot"

// RunSettings are the switches of `bootpath run`; an empty value means the default.
type RunSettings struct {
	Path string `json:"path,omitempty"` // system | container
	// system images
	Firmware   string `json:"firmware,omitempty"` // bios | uefi | rpi | uboot
	SecureBoot bool   `json:"secure_boot,omitempty"`
	Arch       string `json:"arch,omitempty"`
	MemoryMiB  int    `json:"memory_mib,omitempty"`
	Device     string `json:"device,omitempty"` // disk | cdrom | floppy
	// application images, with docker run's meanings
	Engine      string   `json:"engine,omitempty"` // docker | podman | runc | crun
	Platform    string   `json:"platform,omitempty"`
	Ref         string   `json:"ref,omitempty"`
	Entrypoint  *string  `json:"entrypoint,omitempty"`
	Command     []string `json:"command,omitempty"`
	User        string   `json:"user,omitempty"`
	Workdir     string   `json:"workdir,omitempty"`
	Env         []string `json:"env,omitempty"`
	CapAdd      []string `json:"cap_add,omitempty"`
	CapDrop     []string `json:"cap_drop,omitempty"`
	SecurityOpt []string `json:"security_opt,omitempty"`
	ReadOnly    bool     `json:"read_only,omitempty"`
	Hostname    string   `json:"hostname,omitempty"`
	Privileged  bool     `json:"privileged,omitempty"`
	TTY         bool     `json:"tty,omitempty"`
	Interactive bool     `json:"interactive,omitempty"` // standard input stays open
	HostKernel  string   `json:"host_kernel,omitempty"`
	HostArch    string   `json:"host_arch,omitempty"`
	HostBinfmt  []string `json:"host_binfmt,omitempty"` // "arm64": programs of other architectures that QEMU runs there; "arm64:PO" with these flags
	Cgroup      string   `json:"cgroup,omitempty"`      // v1 | v2
	// limits and connections of an application; a value that docker refuses ends the run with its message
	Memory         string   `json:"memory,omitempty"`           // "512m"; memory_mib when empty
	MemorySwap     string   `json:"memory_swap,omitempty"`      // memory and swap together, "-1" without limit; twice memory when empty
	PidsLimit      string   `json:"pids_limit,omitempty"`       // "-1" without limit
	Ulimit         []string `json:"ulimit,omitempty"`           // "nofile=1024:2048", soft and hard
	Tmpfs          []string `json:"tmpfs,omitempty"`            // "/run:size=64m"
	Volume         []string `json:"volume,omitempty"`           // "/srv/data:/data:ro" or "name:/data"
	Network        string   `json:"network,omitempty"`          // bridge, host, none, container:NAME or a network's name
	Sysctl         []string `json:"sysctl,omitempty"`           // "net.core.somaxconn=1024"
	Init           bool     `json:"init,omitempty"`             // a small init is process 1
	OOMKillDisable bool     `json:"oom_kill_disable,omitempty"` // version 1 of the control groups: nobody is killed
	OOMScoreAdj    string   `json:"oom_score_adj,omitempty"`    // "-1000" to "1000"
	Touches        string   `json:"touches,omitempty"`          // what-if: the program touches so much memory, "300m"
	StopSignal     string   `json:"stop_signal,omitempty"`      // "SIGINT"
	// afterwards
	Stop        bool     `json:"stop,omitempty"`         // docker stop, when the program runs
	StopTimeout string   `json:"stop_timeout,omitempty"` // seconds from the signal to SIGKILL, -1 for never; 10 when empty
	Exec        []string `json:"exec,omitempty"`         // docker exec, when the program runs: a command in the same container
	Publish     []string `json:"publish,omitempty"`      // "8080:80": ports of the host
	UserNS      string   `json:"userns,omitempty"`       // host; podman: keep-id, nomap, auto, container:NAME
	Rootless    bool     `json:"rootless,omitempty"`     // the engine is called by a user of the host, not by root
	HostUser    string   `json:"host_user,omitempty"`    // that user, and the range in /etc/subuid: "1000:100000:65536"; "1000" has none
	UsernsRemap bool     `json:"userns_remap,omitempty"` // docker's daemon is set up with userns-remap
	Restart     string   `json:"restart,omitempty"`      // no | on-failure[:N] | always | unless-stopped
	AutoRemove  bool     `json:"auto_remove,omitempty"`  // docker run --rm
	NoHealth    bool     `json:"no_health,omitempty"`    // the image's HEALTHCHECK is not done
	HealthCmd   string   `json:"health_cmd,omitempty"`   // a health check in place of the image's
	UIDMap      []string `json:"uid_map,omitempty"`      // "0:100000:65536": a user namespace whose 0 is the host's 100000
	// what-ifs
	Set    map[string]string `json:"set,omitempty"`    // config.KEY or cmdline: JSON values
	Remove []string          `json:"remove,omitempty"` // paths
	Write  map[string]string `json:"write,omitempty"`  // path: content
	Patch  []BytePatch       `json:"patch,omitempty"`
}

// BytePatch replaces bytes of the disk or archive.
type BytePatch struct {
	Off  int64  `json:"off"`
	Data string `json:"data"` // hexadecimal
}

// StopFacts are what docker stop did.
type StopFacts struct {
	Signal   string `json:"signal"`              // that was sent first
	To       string `json:"to"`                  // the program that is process 1, empty when a shell may have become another
	Handled  string `json:"handled"`             // yes | no | unknown
	Seconds  int    `json:"seconds"`             // from the signal to the end
	Killed   bool   `json:"killed"`              // SIGKILL had to follow
	ExitCode *int   `json:"exit_code,omitempty"` // of the container, when it is known
}

// PortsFact tells whether the program may listen on ports below 1024.
type PortsFact struct {
	Low     string   `json:"low"`               // allowed | refused (EACCES) | unknown
	From    int      `json:"from"`              // net.ipv4.ip_unprivileged_port_start: the first port for everyone; -1 when it is the host's
	Why     string   `json:"why,omitempty"`     // start | capability | none
	Exposed []string `json:"exposed,omitempty"` // the image's ExposedPorts: "80/tcp"
}

// MemoryFact is what a limit of memory means. Whether the program reaches it is not in its file; it is known of some
// small programs, and of a program whose need the reader states.
type MemoryFact struct {
	Limit    int64 `json:"limit"`     // bytes
	Swap     int64 `json:"swap"`      // bytes of swap in addition, -1 without limit
	Mapped   int64 `json:"mapped"`    // bytes that the program and its libraries map at their start; pages count when they are touched
	Writable int64 `json:"writable"`  // those that may be written
	ExitCode int   `json:"exit_code"` // of the container when the kernel kills process 1: 137

	Need      int64  `json:"need,omitempty"`       // bytes that a program touches, as far as it is known, -1 without end
	Killed    string `json:"killed,omitempty"`     // yes | no | unknown: whether the kernel ends a process for it
	Log       string `json:"log,omitempty"`        // what the kernel's log then says
	OOMKilled bool   `json:"oom_killed,omitempty"` // State.OOMKilled of docker inspect
}

// HealthFact is the health check that the engine does.
type HealthFact struct {
	Command     []string `json:"command"`
	Interval    string   `json:"interval"` // "30s"; the first check comes after one
	Timeout     string   `json:"timeout"`
	StartPeriod string   `json:"start_period,omitempty"`
	Retries     int      `json:"retries"`
	Program     string   `json:"program,omitempty"` // the file that is executed, empty when there is none
	Status      string   `json:"status"`            // unhealthy (it cannot succeed) | unknown
	Seconds     int      `json:"seconds,omitempty"` // until unhealthy
	Message     string   `json:"message,omitempty"` // the words of the runtime
}

// ExecFact is what docker exec did.
type ExecFact struct {
	Argv     []string `json:"argv"`
	Started  bool     `json:"started"`
	Message  string   `json:"message,omitempty"`   // why it was not
	ExitCode *int     `json:"exit_code,omitempty"` // of docker exec, when it is known
	PID      string   `json:"pid,omitempty"`       // in the container
}

// RestartFact is what the engine does when the container has ended.
type RestartFact struct {
	Policy   string   `json:"policy"`
	Max      int      `json:"max,omitempty"`    // attempts; 0 without limit
	Restarts string   `json:"restarts"`         // yes | no
	Delays   []string `json:"delays,omitempty"` // before each attempt; the last one goes on
	Why      string   `json:"why,omitempty"`    // of no: policy | exit-code | stopped
}

// SecurityFact is what a container may not do.
type SecurityFact struct {
	Seccomp       string        `json:"seccomp"`            // default | unconfined, or the profile's file
	Refused       []RefusedCall `json:"refused,omitempty"`  // by the default profile
	AppArmor      string        `json:"apparmor,omitempty"` // the profile, where the host has AppArmor
	NoNewPrivs    bool          `json:"no_new_privs"`
	Bounding      string        `json:"bounding"`        // capabilities: no program in it can have more
	Effective     string        `json:"effective"`       // those that the program starts with
	Masked        []string      `json:"masked"`          // paths that are hidden
	ReadOnlyPaths []string      `json:"read_only_paths"` // and those that cannot be written
}

// RefusedCall are system calls that a seccomp profile answers.
type RefusedCall struct {
	Calls  []string `json:"calls"`
	Errno  string   `json:"errno"`
	Unless string   `json:"unless,omitempty"` // the capability that opens them
	When   string   `json:"when,omitempty"`   // the argument that decides
}

// UserNSFact tells who the container's users are for the host.
type UserNSFact struct {
	UIDMap []string `json:"uid_map"` // lines of /proc/self/uid_map in the container: "0 100000 65536"
	GIDMap []string `json:"gid_map"`
	Root   uint32   `json:"root"` // the host's user behind uid 0, 65534 when there is none
	User   uint32   `json:"user"` // the host's user behind the program
}

// VolumeFact is a place whose content outlives the container, or never was on a disk.
type VolumeFact struct {
	Dest   string `json:"dest"`   // in the container
	Source string `json:"source"` // on the host, empty for memory
	Kind   string `json:"kind"`   // bind | volume | anonymous | tmpfs
}

// Facts are the results that a reader asks for first.
type Facts struct {
	Cmdline    string         `json:"cmdline,omitempty"`
	Kernel     string         `json:"kernel,omitempty"` // version; of the host for a container
	KernelPath string         `json:"kernel_path,omitempty"`
	Initrd     []string       `json:"initrd,omitempty"`
	Root       string         `json:"root,omitempty"` // device that became /
	Init       string         `json:"init,omitempty"`
	Target     string         `json:"target,omitempty"`    // systemd's default target
	Units      []string       `json:"units,omitempty"`     // in the order in which they started
	UnitRuns   []boot.UnitRun `json:"unit_runs,omitempty"` // the same with times, and units that were skipped
	Signed     []boot.Signed  `json:"signed,omitempty"`    // with Secure Boot, in the order of the checks
	Argv       []string       `json:"argv,omitempty"`      // of the container's process
	Env        []string       `json:"env,omitempty"`
	User       string         `json:"user,omitempty"` // uid:gid
	Cwd        string         `json:"cwd,omitempty"`
	Image      string         `json:"image,omitempty"`       // the reference and platform chosen
	StopSignal string         `json:"stop_signal,omitempty"` // what stops the container politely
	Stop       *StopFacts     `json:"stop,omitempty"`        // what docker stop did
	Upper      string         `json:"upper,omitempty"`       // the host's directory that gets what the container writes, removed with it
	Volumes    []VolumeFact   `json:"volumes,omitempty"`
	Security   *SecurityFact  `json:"security,omitempty"`
	UserNS     *UserNSFact    `json:"userns,omitempty"` // when the container's root is not the host's
	Ports      *PortsFact     `json:"ports,omitempty"`
	Memory     *MemoryFact    `json:"memory,omitempty"`     // with a limit
	Health     *HealthFact    `json:"health,omitempty"`     // of HEALTHCHECK
	Exec       *ExecFact      `json:"exec,omitempty"`       // with a command for docker exec
	Restart    *RestartFact   `json:"restart,omitempty"`    // with a policy, when the container's end is known
	DockerRun  string         `json:"docker_run,omitempty"` // the command line that means the same as the settings
}
