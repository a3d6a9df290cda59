package scenario

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"bootpath/sim/container"
	"bootpath/sim/identify"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/oci"
)

func runApplication(m *machine.Machine, im *identify.Image, s RunSettings) (Facts, error) {
	c := container.Config{
		Archive: im.Archive, RootFS: im.Root, Name: im.Input.Name(),
		Engine: s.Engine, Platform: s.Platform, Ref: s.Ref, Entrypoint: s.Entrypoint, Command: s.Command,
		User: s.User, Workdir: s.Workdir, Env: s.Env, CapAdd: s.CapAdd, CapDrop: s.CapDrop,
		SecurityOpt: s.SecurityOpt, ReadOnly: s.ReadOnly, Hostname: s.Hostname, Privileged: s.Privileged,
		TTY: s.TTY, HostKernel: s.HostKernel, HostArch: s.HostArch, Cgroup: s.Cgroup,
		Memory: s.Memory, MemorySwap: s.MemorySwap, PidsLimit: s.PidsLimit, Ulimit: s.Ulimit, Tmpfs: s.Tmpfs,
		Volume: s.Volume, Network: s.Network, Sysctl: s.Sysctl, Init: s.Init, StopSignal: s.StopSignal,
		Interactive: s.Interactive, Stop: s.Stop, StopTimeout: s.StopTimeout,
		OOMKillDisable: s.OOMKillDisable, OOMScoreAdj: s.OOMScoreAdj, Touches: s.Touches,
		Exec: s.Exec, Restart: s.Restart, AutoRemove: s.AutoRemove, NoHealth: s.NoHealth, HealthCmd: s.HealthCmd,
	}
	if c.Memory == "" && s.MemoryMiB > 0 {
		c.Memory = strconv.Itoa(s.MemoryMiB) + "m"
	}
	maps, err := userMaps(s.UIDMap)
	if err != nil {
		return Facts{}, err
	}
	c.UserMaps = maps
	c.UserNS, c.Rootless, c.UsernsRemap, c.Publish = s.UserNS, s.Rootless, s.UsernsRemap, s.Publish
	if c.HostUser, err = hostUser(s.HostUser); err != nil {
		return Facts{}, err
	}
	if c.Binfmt, err = emulators(s.HostBinfmt); err != nil {
		return Facts{}, err
	}
	if err := change(&c, im.Archive, s); err != nil {
		return Facts{}, err
	}
	f := container.Run(m, c)
	var volumes []VolumeFact
	for _, v := range f.Volumes {
		volumes = append(volumes, VolumeFact(v))
	}
	return Facts{Ports: (*PortsFact)(f.Ports), Memory: (*MemoryFact)(f.Memory), Health: (*HealthFact)(f.Health), Exec: (*ExecFact)(f.Exec), Restart: (*RestartFact)(f.Restart),
		Security: securityFact(f.Security), UserNS: usersFact(f.UserNS), Upper: f.Upper, Volumes: volumes, DockerRun: CommandLine(s, cmp.Or(s.Ref, f.Ref, "IMAGE")),
		Argv: f.Argv, Env: f.Env, User: f.User, Cwd: f.Cwd, Image: f.Image, Kernel: f.Kernel, StopSignal: f.StopSignal, Stop: (*StopFacts)(f.Stop)}, nil
}

// emulators reads "ARCH[:FLAGS]".
func emulators(list []string) ([]kernel.Binfmt, error) {
	var out []kernel.Binfmt
	for _, v := range list {
		arch, flags, _ := strings.Cut(v, ":")
		b, ok := kernel.QemuBinfmt(arch, flags)
		if !ok {
			return nil, fmt.Errorf("--host-binfmt %s: want an architecture as Go names it: arm64, arm, riscv64 …", v)
		}
		out = append(out, b)
	}
	return out, nil
}

func securityFact(s *container.Security) *SecurityFact {
	if s == nil {
		return nil
	}
	out := &SecurityFact{Seccomp: s.Seccomp, AppArmor: s.AppArmor, NoNewPrivs: s.NoNewPrivs, Bounding: s.Bounding, Effective: s.Effective,
		Masked: append([]string{}, s.Masked...), ReadOnlyPaths: append([]string{}, s.ReadOnlyPath...)}
	for _, r := range s.Refused {
		out.Refused = append(out.Refused, RefusedCall(r))
	}
	return out
}

// userMaps reads "INSIDE:OUTSIDE[:SIZE]" as podman run --uidmap takes it. podman-run(1)
func userMaps(list []string) ([]kernel.IDMap, error) {
	var out []kernel.IDMap
	for _, line := range list {
		f := strings.Split(line, ":")
		if len(f) == 2 {
			f = append(f, "1")
		}
		var n [3]uint64
		ok := len(f) == 3
		for i := range min(len(f), 3) {
			v, err := strconv.ParseUint(f[i], 10, 31)
			n[i], ok = v, ok && err == nil
		}
		if !ok || n[2] == 0 {
			return nil, fmt.Errorf("--uidmap %s: want INSIDE:OUTSIDE:SIZE, as 0:100000:65536", line)
		}
		out = append(out, kernel.IDMap{Inside: uint32(n[0]), Outside: uint32(n[1]), Size: uint32(n[2])})
	}
	return out, nil
}

// hostUser reads "UID[:FIRST:COUNT]".
func hostUser(v string) (container.HostUser, error) {
	var u container.HostUser
	into := []*uint32{&u.UID, &u.First, &u.Count}
	f := strings.Split(v, ":")
	for i := 0; v != "" && i < len(f); i++ {
		n, err := strconv.ParseUint(f[i], 10, 31)
		if err != nil || len(f) == 2 || len(f) > 3 || i == 0 && n == 0 {
			return u, fmt.Errorf("--host-user %s: want UID or UID:FIRST:COUNT, as 1000:100000:65536", v)
		}
		*into[i] = uint32(n)
	}
	return u, nil
}

func usersFact(u *container.UserNS) *UserNSFact {
	if u == nil {
		return nil
	}
	out := &UserNSFact{Root: u.Root, User: u.User}
	for _, m := range u.UIDMap {
		out.UIDMap = append(out.UIDMap, m.String())
	}
	for _, m := range u.GIDMap {
		out.GIDMap = append(out.GIDMap, m.String())
	}
	return out
}

// change applies the what-ifs to the image that the engine would choose. When it would choose none, there is
// nothing to change and the engine says so.
func change(c *container.Config, a *oci.Archive, s RunSettings) error {
	edits := len(s.Remove) + len(s.Write)
	if edits+len(s.Set) == 0 {
		return nil
	}
	if a == nil { // a root file system alone: its files were edited when it was opened, it has no config yet
		c.Image = &v1.Config{}
		return setConfig(c.Image, s.Set)
	}
	chosen, err := a.Select(cmp.Or(s.Platform, "linux/"+cmp.Or(s.HostArch, "amd64")), s.Ref)
	if err != nil {
		return nil
	}
	if edits > 0 {
		root, err := chosen.RootFS()
		if err != nil {
			return err
		}
		c.RootFS = edit(root, true, s)
	}
	if len(s.Set) > 0 {
		config := chosen.Config.Config
		c.Image = &config
		return setConfig(c.Image, s.Set)
	}
	return nil
}

// setConfig sets keys of the image config, named as the OCI image specification names them
// ("config.Entrypoint"), to JSON values; null removes.
func setConfig(config *v1.Config, set map[string]string) error {
	data, err := json.Marshal(config)
	if err != nil {
		return err
	}
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &keys); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		key, ok := strings.CutPrefix(name, "config.")
		if !ok {
			return fmt.Errorf("--set %s: an application image has the keys of its config to set: config.Entrypoint, config.Cmd, config.Env, config.User, config.WorkingDir …", name)
		}
		if !json.Valid([]byte(set[name])) {
			return fmt.Errorf("--set %s=%s: want a JSON value", name, set[name])
		}
		keys[key] = json.RawMessage(set[name])
		if set[name] == "null" {
			delete(keys, key)
		}
	}
	if data, err = json.Marshal(keys); err != nil {
		return err
	}
	var out v1.Config
	if err := json.Unmarshal(data, &out); err != nil {
		return fmt.Errorf("--set: %w", err)
	}
	*config = out
	return nil
}
