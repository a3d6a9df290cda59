package container

import (
	"strings"

	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// shim starts the process that stays with the container and calls the runtime: containerd-shim for docker,
// conmon for podman, nobody for a runtime alone. It returns the runtime's process.
func (r *run) shim() *kernel.Task {
	t := r.host
	t.Stage = trace.Create
	switch r.engine() {
	case "docker":
		// dockerd asks containerd for a task; containerd starts one shim per container, which lives on
		// when containerd is restarted and keeps the container's standard streams.
		t = r.program(t, "shim.start-shim", "/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-id", r.id, "start")
		t.Setsid()
	case "podman":
		// conmon keeps the terminal and the exit code after podman has gone.
		t = r.conmon(t)
	default:
		r.host.Become("/usr/bin/"+r.runtime(), []string{r.runtime(), "run", "-b", "/run/bundle", r.id})
		return r.host
	}
	return r.program(t, "shim.start-runtime", "/usr/bin/"+r.runtime(), "create", "--bundle", dirOf(r.dir), r.id)
}

// conmon stays when podman has gone: it makes itself a child of nobody, and what the container's processes
// leave behind becomes its children. conmon src/conmon.c.
func (r *run) conmon(podman *kernel.Task) *kernel.Task {
	first := r.program(podman, "shim.start-conmon", "/usr/bin/conmon", "-c", r.id, "-r", "/usr/bin/"+r.runtime())
	t, err := first.Clone(0)
	if err != nil {
		return first
	}
	t.Actor, t.Stage = first.Actor, first.Stage
	first.Exit(0)
	t.Setsid()
	files := dirOf(dirOf(dirOf(r.dir))) + "/overlay-containers/" + r.id + "/userdata"
	t.Quiet = true
	t.MkdirAll(files, 0o700)
	t.Quiet = false
	for _, name := range []string{"ctl", "winsz"} {
		t.Mknod(files+"/"+name, fsys.S_IFIFO|0o660, 0)
	}
	return t
}

// program starts a program of the host. Its bytes are not the image's: only that it runs matters.
func (r *run) program(t *kernel.Task, kind trace.Kind, exe string, args ...string) *kernel.Task {
	flags := kernel.CLONE_VM | kernel.CLONE_VFORK // os/exec of Go: the child borrows the memory until execve
	if t.Comm == "conmon" {                       // which is in C
		flags = 0
	}
	child, err := t.Clone(flags)
	if err != nil {
		return t
	}
	child.Become(exe, append([]string{exe}, args...))
	child.Actor, child.Stage = child.Comm, trace.Create
	r.emit(trace.Step{Actor: child.Actor, Stage: trace.Create, Kind: kind, Rule: "execve(2)",
		Args: map[string]string{"exe": exe, "argv": strings.Join(child.Argv, " "), "id": r.id}})
	return child
}
