package scenario

// RunSettings are the switches of `bootpath run`; an empty value means the default.
type RunSettings struct {
	// system images
	Firmware   string `json:"firmware,omitempty"` // bios | uefi
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
	HostKernel  string   `json:"host_kernel,omitempty"`
	HostArch    string   `json:"host_arch,omitempty"`
	Cgroup      string   `json:"cgroup,omitempty"` // v1 | v2
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

// Facts are the results that a reader asks for first.
type Facts struct {
	Cmdline    string   `json:"cmdline,omitempty"`
	Kernel     string   `json:"kernel,omitempty"` // version; of the host for a container
	KernelPath string   `json:"kernel_path,omitempty"`
	Initrd     []string `json:"initrd,omitempty"`
	Root       string   `json:"root,omitempty"` // device that became /
	Init       string   `json:"init,omitempty"`
	Target     string   `json:"target,omitempty"` // systemd's default target
	Units      []string `json:"units,omitempty"`  // in the order in which they started
	Argv       []string `json:"argv,omitempty"`   // of the container's process
	Env        []string `json:"env,omitempty"`
	User       string   `json:"user,omitempty"` // uid:gid
	Cwd        string   `json:"cwd,omitempty"`
	Image      string   `json:"image,omitempty"` // the reference and platform chosen
}
