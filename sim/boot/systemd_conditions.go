package boot

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/systemd"
	"bootpath/sim/fsys"
	"bootpath/sim/trace"
)

// test answers one condition, at the moment when its unit is to start. systemd.unit(5), "CONDITIONS AND
// ASSERTS". unknown when the image and the machine do not say.
func (s *sysd) test(c systemd.Condition) (answer, []blob.Cite) {
	a, cites := s.testPlain(c)
	if c.Negate {
		switch a {
		case yes:
			a = no
		case no:
			a = yes
		}
	}
	return a, cites
}

func (s *sysd) testPlain(c systemd.Condition) (answer, []blob.Cite) {
	p := c.Param
	if strings.HasPrefix(c.Kind, "Path") || strings.HasPrefix(c.Kind, "File") || strings.HasPrefix(c.Kind, "Directory") {
		return s.testPath(c.Kind, p)
	}
	switch c.Kind {
	case "Virtualization":
		return s.testVirtualization(p), nil
	case "KernelCommandLine":
		return s.testCmdline(p), nil
	case "FirstBoot":
		v, ok := systemd.ParseBool(p)
		return answerOf(ok && v == s.firstBoot), nil
	case "NeedsUpdate":
		return s.needsUpdate(p)
	case "Capability", "CPUs", "Memory", "ControlGroupController", "KernelVersion", "Security":
		return s.testMachine(c.Kind, p), nil
	case "Architecture":
		return answerOf(p == s.host.Arch || p == "native"), nil
	case "Host":
		return s.testHost(p), nil
	case "ACPower":
		// "If the system has no power supply that could be offline, it is on AC power."
		v, ok := systemd.ParseBool(p)
		return answerOf(ok && v), nil
	case "User":
		return answerOf(p == "root" || p == "0" || p == "@system"), nil
	case "Group":
		return answerOf(p == "root" || p == "0"), nil
	case "Firmware":
		switch {
		case p == "uefi":
			return answerOf(s.efi), nil
		case strings.HasPrefix(p, "device-tree"):
			return no, nil
		}
		return unknown, nil
	case "Credential":
		return no, nil // the machine passes none
	case "Environment":
		key, value, ok := strings.Cut(p, "=")
		have := map[string]string{"HOME": "/", "TERM": "linux"}
		v, set := have[key]
		return answerOf(set && (!ok || v == value)), nil
	case "OSRelease":
		return s.testOSRelease(p), nil
	}
	return unknown, nil
}

func answerOf(b bool) answer {
	if b {
		return yes
	}
	return no
}

// testVirtualization: the machine is QEMU's, without hardware virtualization as the recordings were.
func (s *sysd) testVirtualization(p string) answer {
	if v, ok := systemd.ParseBool(p); ok {
		return answerOf(v)
	}
	return answerOf(p == "vm" || p == "qemu")
}

func (s *sysd) testCmdline(p string) answer {
	key, value, pair := strings.Cut(p, "=")
	for _, w := range s.params.Params {
		if pair && w.HasValue && w.Name == key && w.Value == value {
			return yes
		}
		if !pair && strings.ReplaceAll(w.Name, "-", "_") == strings.ReplaceAll(key, "-", "_") {
			return yes
		}
	}
	return no
}

func (s *sysd) testMachine(kind, p string) answer {
	switch kind {
	case "Capability":
		return yes // PID 1 of the machine has all of them
	case "CPUs":
		return compareNumber(1, p, 1)
	case "Memory":
		return compareNumber(int64(s.c.MemoryMiB)<<20, p, 1)
	case "ControlGroupController":
		if p == "v1" || p == "v2" {
			return answerOf(p == "v2")
		}
		return s.config(map[string]string{"cpu": "CONFIG_CGROUP_SCHED", "memory": "CONFIG_MEMCG", "io": "CONFIG_BLK_CGROUP", "pids": "CONFIG_CGROUP_PIDS",
			"cpuset": "CONFIG_CPUSETS", "hugetlb": "CONFIG_CGROUP_HUGETLB", "rdma": "CONFIG_CGROUP_RDMA", "misc": "CONFIG_CGROUP_MISC"}[p])
	case "Security":
		return s.testSecurity(p)
	}
	return unknown
}

// compareNumber tests "≥ number" conditions; a number without operator means at least.
func compareNumber(have int64, p string, unit int64) answer {
	op := strings.TrimRight(p, "0123456789KMGTPB. ")
	num := strings.TrimSpace(strings.TrimPrefix(p, op))
	shift := map[byte]uint{'K': 10, 'M': 20, 'G': 30, 'T': 40}
	if num != "" {
		if n, ok := shift[num[len(num)-1]]; ok {
			unit <<= n
			num = num[:len(num)-1]
		}
	}
	n, err := strconv.ParseInt(num, 10, 40)
	if err != nil {
		return unknown
	}
	want := n * unit
	switch strings.TrimSpace(op) {
	case "", ">=":
		return answerOf(have >= want)
	case ">":
		return answerOf(have > want)
	case "<":
		return answerOf(have < want)
	case "<=":
		return answerOf(have <= want)
	case "=", "==":
		return answerOf(have == want)
	case "!=", "<>":
		return answerOf(have != want)
	}
	return unknown
}

func (s *sysd) testSecurity(p string) answer {
	switch p {
	case "tpm2", "cvm", "measured-uki":
		return no // the machine has no TPM
	case "uefi-secureboot":
		return answerOf(s.efi && s.c.SecureBoot)
	case "audit":
		if v, ok := s.params.Get("audit"); ok && (v == "0" || v == "off") {
			return no
		}
		return s.config("CONFIG_AUDIT")
	case "selinux", "apparmor", "smack", "tomoyo":
		return s.testLSM(p)
	case "ima":
		return s.config("CONFIG_IMA")
	}
	return unknown
}

// testLSM: of the large security modules the first in the list that is configured gets in.
// Documentation/admin-guide/LSM/index.rst.
func (s *sysd) testLSM(name string) answer {
	if len(s.kconfig) == 0 {
		return unknown
	}
	order := strings.Trim(s.kconfig["CONFIG_LSM"], `"`)
	if v, ok := s.params.Get("lsm"); ok {
		order = v
	} else if v, ok := s.params.Get("security"); ok {
		return answerOf(v == name && s.config("CONFIG_SECURITY_"+strings.ToUpper(name)) == yes)
	}
	if v, ok := s.params.Get(name); ok && v == "0" {
		return no
	}
	for l := range strings.SplitSeq(order, ",") {
		if l == "apparmor" || l == "selinux" || l == "smack" || l == "tomoyo" {
			if s.config("CONFIG_SECURITY_"+strings.ToUpper(l)) == yes {
				return answerOf(l == name)
			}
		}
	}
	return no
}

// config answers from the kernel's configuration; a module counts as not there.
func (s *sysd) config(option string) answer {
	if len(s.kconfig) == 0 || option == "" {
		return unknown
	}
	return answerOf(s.kconfig[option] == "y")
}

func (s *sysd) testHost(p string) answer {
	if len(p) == 32 && strings.Trim(p, "0123456789abcdef") == "" {
		if s.host.MachineID == "" {
			return unknown
		}
		return answerOf(p == s.host.MachineID)
	}
	ok, err := path.Match(strings.ToLower(p), strings.ToLower(s.host.Name))
	return answerOf(err == nil && ok)
}

func (s *sysd) testOSRelease(p string) answer {
	for _, op := range []string{"!=", "=="} {
		if k, v, ok := strings.Cut(p, op); ok {
			return answerOf((s.host.OS[k] == v) == (op == "=="))
		}
	}
	if k, v, ok := strings.Cut(p, "="); ok && !strings.ContainsAny(k, "<>!") {
		return answerOf(s.host.OS[k] == v)
	}
	return unknown
}

// needsUpdate: "the modification time of the .updated file in the directory … is compared with that of
// /usr"; a directory that cannot be written never needs an update.
func (s *sysd) needsUpdate(p string) (answer, []blob.Cite) {
	if v, ok := s.params.Get("systemd.condition_needs_update"); ok {
		on, _ := systemd.ParseBool(v)
		return answerOf(on), nil
	}
	if !s.writable(p) {
		return no, nil
	}
	updated, err := s.pid1.Stat(path.Join(p, ".updated"))
	if err != nil {
		return yes, nil
	}
	usr, err := s.pid1.Stat("/usr")
	if err != nil {
		return yes, nil
	}
	return answerOf(usr.ModTime().After(updated.ModTime())), s.pid1.Evidence(path.Join(p, ".updated"))
}

// testPath looks at the mount tree of the moment.
func (s *sysd) testPath(kind, p string) (answer, []blob.Cite) {
	if kind == "PathExistsGlob" {
		return s.glob(p), nil
	}
	a := s.exists(p)
	if kind == "PathIsReadWrite" && (strings.HasPrefix(p, "/proc") || strings.HasPrefix(p, "/sys")) {
		return answerOf(s.writable(p)), nil
	}
	if a != yes {
		return a, nil
	}
	cites := s.pid1.Evidence(p)
	cites = cites[:min(len(cites), 2)]
	fi, err := s.pid1.Stat(p)
	switch kind {
	case "PathExists":
		return yes, cites
	case "PathIsMountPoint":
		return answerOf(s.mountPoint(p)), nil
	case "PathIsReadWrite":
		return answerOf(s.writable(p)), nil
	case "PathIsSymbolicLink":
		l, err := s.pid1.Lstat(p)
		return answerOf(err == nil && l.Mode()&fs.ModeSymlink != 0), cites
	}
	if err != nil {
		return unknown, nil // there by the kernel's rules, not by bytes
	}
	switch kind {
	case "PathIsDirectory":
		return answerOf(fi.IsDir()), cites
	case "DirectoryNotEmpty":
		list, err := s.pid1.ReadDir(p)
		return answerOf(err == nil && len(list) > 0), cites
	case "FileNotEmpty":
		return answerOf(fi.Mode().IsRegular() && fi.Size() > 0), cites
	case "FileIsExecutable":
		return answerOf(fi.Mode().IsRegular() && fi.Mode()&0o111 != 0), cites
	case "PathIsSocket":
		return answerOf(fi.Mode()&fs.ModeSocket != 0), cites
	}
	return unknown, nil
}

// kernelPath is a path that exists by how the kernel is configured: built in, or by a module that some
// modprobe@ unit loads.
type kernelPath struct {
	path, option, module string
}

// kernelPaths are those that unit files ask for. Each stands for what is below it too, as long as the
// table has nothing longer.
func kernelPaths() []kernelPath {
	return []kernelPath{
		{"/proc/sys/fs/mqueue", "CONFIG_POSIX_MQUEUE_SYSCTL", ""}, {"/proc/sys/fs/binfmt_misc", "CONFIG_BINFMT_MISC", "*"},
		{"/proc/sys/net", "CONFIG_NET", ""}, {"/sys/kernel/debug", "CONFIG_DEBUG_FS", ""}, {"/sys/kernel/tracing", "CONFIG_TRACING", ""},
		{"/sys/kernel/config", "CONFIG_CONFIGFS_FS", "configfs"}, {"/sys/kernel/mm/hugepages", "CONFIG_HUGETLB_PAGE", ""},
		{"/sys/fs/fuse/connections", "CONFIG_FUSE_FS", "fuse"}, {"/sys/fs/selinux", "CONFIG_SECURITY_SELINUX", ""},
		{"/sys/fs/pstore", "CONFIG_PSTORE", ""}, {"/sys/fs/bpf", "CONFIG_BPF_SYSCALL", ""}, {"/proc/sys/kernel", "CONFIG_SYSCTL", ""},
		{"/sys/class/tpm", "", ""}, {"/sys/class/tpmrm", "", ""},
	}
}

// exists answers PathExists. What the kernel shows under /proc and /sys is known where its
// configuration decides it.
func (s *sysd) exists(p string) answer {
	p = path.Clean(p)
	if strings.HasPrefix(p, "/sys/firmware/efi") {
		if !s.efi {
			return no
		}
		// Variables with this prefix are set by the stub of a unified kernel image that a TPM measured.
		return answerOf(!strings.Contains(p, "/efivars/Stub"))
	}
	for _, k := range kernelPaths() {
		if p != k.path {
			continue
		}
		if s.modules[k.module] {
			return yes
		}
		if len(s.kconfig) == 0 {
			return unknown
		}
		v := s.kconfig[k.option]
		return answerOf(v == "y" || v == "m" && k.module == "*")
	}
	if strings.HasPrefix(p, "/dev/") {
		return s.nodeExists(p)
	}
	_, err := s.pid1.Stat(p)
	switch {
	case err == nil:
		return yes
	case strings.HasPrefix(p, "/sys/"), strings.HasPrefix(p, "/proc/"):
		return unknown
	}
	return no
}

// nodeExists answers for device nodes: those of the kernel, and what udev adds for disks.
func (s *sysd) nodeExists(p string) answer {
	if _, err := s.pid1.Stat(p); err == nil {
		return yes
	}
	name := strings.TrimPrefix(p, "/dev/")
	if n, ok := strings.CutPrefix(name, "tty"); ok {
		if i, err := strconv.Atoi(n); err == nil && i < 64 {
			return yes // MAX_NR_CONSOLES
		}
		if n == "S0" || n == "S1" || n == "S2" || n == "S3" {
			return yes // CONFIG_SERIAL_8250_RUNTIME_UARTS=4
		}
	}
	if strings.HasPrefix(name, "pts/") {
		return no
	}
	if s.deviceHere("/dev/" + name) {
		return yes
	}
	if strings.HasPrefix(name, "disk/") {
		return no
	}
	return answerOf(false)
}

func (s *sysd) glob(p string) answer {
	list, err := s.pid1.ReadDir(path.Dir(p))
	if err != nil {
		if strings.HasPrefix(p, "/sys/") || strings.HasPrefix(p, "/proc/") {
			return unknown
		}
		return no
	}
	for _, e := range list {
		if ok, err := path.Match(path.Base(p), e.Name()); err == nil && ok {
			return yes
		}
	}
	return no
}

// mountRow finds the mount that a path lies on, in the mount namespace of PID 1.
func (s *sysd) mountRow(p string) (trace.Row, bool) {
	best, exact := trace.Row(nil), false
	id := -1
	for key, row := range s.m.Rows(trace.Mounted) {
		t := row["target"]
		if t != p && t != "/" && !strings.HasPrefix(p, t+"/") {
			continue
		}
		n, _ := strconv.Atoi(key)
		// Of mounts at one place the newest is on top.
		if best == nil || len(t) > len(best["target"]) || len(t) == len(best["target"]) && n > id {
			best, id, exact = row, n, t == p
		}
	}
	return best, exact
}

func (s *sysd) mountPoint(p string) bool {
	real, err := s.pid1.RealPath(p)
	if err != nil {
		real = p
	}
	_, exact := s.mountRow(real)
	return exact || s.mountedUnits[p]
}

func (s *sysd) writable(p string) bool {
	real, err := s.pid1.RealPath(p)
	if err != nil {
		real = path.Clean(p)
	}
	row, _ := s.mountRow(real)
	return row == nil || !strings.HasPrefix(row["options"], "ro")
}

// findKconfig reads the configuration of the kernel, where the image has it.
func (s *sysd) findKconfig() {
	s.kconfig = map[string]string{}
	for _, p := range []string{"/boot/config-" + s.host.Kernel, "/lib/modules/" + s.host.Kernel + "/config"} {
		if file, err := s.pid1.Open(p); err == nil {
			s.kconfig = s.readKconfig(file)
			return
		}
	}
}

// verdict is what the conditions (or asserts) of a unit say together: all that are not triggers, and
// one of the triggers when there are any.
type verdict struct {
	a     answer
	first systemd.Condition // that decided, or that cannot be known
	cites []blob.Cite
	none  bool // no trigger was met
}

func (s *sysd) judge(list []systemd.Condition) verdict {
	triggers, met := 0, no
	v := verdict{a: yes}
	var failed *systemd.Condition
	var doubt *systemd.Condition
	for i := range list {
		c := list[i]
		a, cites := s.test(c)
		if c.Trigger {
			triggers++
			switch {
			case a == yes:
				met = yes
			case a == unknown && met == no:
				met, doubt = unknown, &list[i]
			case failed == nil:
				failed = &list[i]
			}
			continue
		}
		switch a {
		case no:
			return verdict{a: no, first: c, cites: append(c.File.Cite(c.Entry), cites...)}
		case unknown:
			if v.a == yes {
				v = verdict{a: unknown, first: c, cites: c.File.Cite(c.Entry)}
			}
		}
	}
	switch {
	case triggers == 0 || met == yes:
		return v
	case met == unknown:
		return verdict{a: unknown, first: *doubt, cites: doubt.File.Cite(doubt.Entry)}
	}
	return verdict{a: no, first: *failed, none: true, cites: failed.File.Cite(failed.Entry)}
}

// because is how systemd ends its sentence about a skipped unit. job.c; the wording is that of 252, older
// versions name no condition.
func (v verdict) because(version int) string {
	switch {
	case version > 0 && version < 251:
		return ""
	case v.none:
		return "no trigger condition checks were met."
	}
	return fmt.Sprintf("of an unmet condition check (%s).", v.first)
}

// osRelease parses os-release(5): shell-like assignments.
func osRelease(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		k, v, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(k, "#") {
			continue
		}
		if len(v) > 1 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0] {
			v = strings.NewReplacer(`\"`, `"`, `\$`, `$`, `\\`, `\`, "\\`", "`").Replace(v[1 : len(v)-1])
		}
		out[k] = v
	}
	return out
}

var _ fsys.FS = taskFS{}
