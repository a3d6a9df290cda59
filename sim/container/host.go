package container

import (
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// makeHost sets up the machine that containers run on: a Linux with its usual mounts, all shared as
// systemd leaves them, and the process that will start things. What is not needed is not there.
func (r *run) makeHost() {
	r.k = kernel.New(r.m, kernel.Options{Version: r.c.HostKernel, Arch: r.c.HostArch, Hostname: "host", FirstPID: 1000, Binfmt: r.c.Binfmt})
	init := r.k.Init()
	init.Quiet = true
	init.Actor, init.Stage = "host", trace.Resolve
	// init/do_mounts.c: the root is mounted aside, moved over rootfs and entered.
	init.Mkdir("/root", 0o755)
	init.MountFS(nil, "/root", "/dev/sda1", "ext4", "")
	init.Chdir("/root")
	init.MoveMount(".", "/")
	init.Chroot(".")
	for _, d := range []string{"/proc", "/sys", "/dev", "/run", "/tmp", "/usr/bin", "/var/lib", "/etc"} {
		init.MkdirAll(d, 0o755)
	}
	init.Mount("proc", "/proc", "proc", kernel.MS_NOSUID|kernel.MS_NODEV|kernel.MS_NOEXEC, "")
	init.Mount("sysfs", "/sys", "sysfs", kernel.MS_NOSUID|kernel.MS_NODEV|kernel.MS_NOEXEC, "")
	init.Mount("devtmpfs", "/dev", "devtmpfs", kernel.MS_NOSUID, "mode=755")
	init.Mount("tmpfs", "/run", "tmpfs", kernel.MS_NOSUID|kernel.MS_NODEV, "mode=755")
	if r.cgroupV1() {
		init.Mount("tmpfs", "/sys/fs/cgroup", "tmpfs", kernel.MS_NOSUID|kernel.MS_NODEV|kernel.MS_NOEXEC, "mode=755")
		for _, h := range hierarchies() {
			init.Mkdir("/sys/fs/cgroup/"+h, 0o755)
			init.Mount("cgroup", "/sys/fs/cgroup/"+h, "cgroup", kernel.MS_NOSUID|kernel.MS_NODEV|kernel.MS_NOEXEC, h)
		}
	} else {
		init.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", kernel.MS_NOSUID|kernel.MS_NODEV|kernel.MS_NOEXEC, "")
	}
	init.Mount("", "/", "", kernel.MS_REC|kernel.MS_SHARED, "")
	store, _, actor := r.names()
	if r.c.Rootless {
		r.userDirs(init)
	}
	if store += "/overlay"; r.engine() == "podman" && !r.c.Rootless { // bound on itself at its first use
		init.MkdirAll(store, 0o700)
		init.Mount(store, store, "", kernel.MS_BIND, "")
	}
	for _, p := range []string{"/usr/bin/runc", "/usr/bin/crun"} {
		init.WriteFile(p, nil, 0o755)
	}
	init.Become("/usr/lib/systemd/systemd", []string{"systemd"})
	r.host, _ = init.Clone(0)
	r.host.Become("/usr/bin/"+actor, []string{actor})
	r.host.Quiet, r.host.Actor = false, actor
	r.facts.Kernel = r.c.HostKernel
	version := "v2"
	if r.cgroupV1() {
		version = "v1"
	}
	r.emit(trace.Step{Actor: "host", Stage: trace.Resolve, Kind: "engine.host", Rule: "docs.docker.com, What is a container?: containers share the kernel of their host",
		Args: map[string]string{"kernel": r.c.HostKernel, "arch": r.c.HostArch, "engine": r.c.Engine, "cgroup": version}, Cause: -1})
	if r.c.Rootless {
		r.rootless()
	}
}

// userDirs are the directories of the user who calls the engine; pam_systemd(8) makes the one below /run.
func (r *run) userDirs(init *kernel.Task) {
	init.MkdirAll(home, 0o700)
	init.MkdirAll(r.c.HostUser.runDir(), 0o700)
}

// hierarchies are the version 1 controllers in runc's order. libcontainer/cgroups/fs, subsystems.
func hierarchies() []string {
	return []string{"cpuset", "devices", "memory", "cpu", "cpuacct", "pids", "blkio", "hugetlb", "net_cls", "net_prio", "perf_event", "freezer", "systemd"}
}
