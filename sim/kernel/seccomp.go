package kernel

import "slices"

// Filter answers system calls by name before the kernel sees them. seccomp(2). Conditions on arguments
// are not looked at: a rule that has one is left out by whoever makes the filter.
type Filter struct {
	Name    string
	Default Errno // 0 lets the call pass
	Rules   []FilterRule
}

// FilterRule answers some calls.
type FilterRule struct {
	Calls []string
	Errno Errno // 0 lets them pass
	Kill  bool  // the process ends with SIGSYS
}

func (f *Filter) answer(name string) (Errno, bool) {
	for _, r := range f.Rules {
		if slices.Contains(r.Calls, name) {
			return r.Errno, r.Kill
		}
	}
	return f.Default, false
}

// blocked is the errno with which a filter answers the call of that name, 0 when it passes. A call that
// kills is answered EPERM here; see [Task.Killed].
func (t *Task) blocked(name string) Errno {
	for _, f := range slices.Backward(t.filters) {
		e, kill := f.answer(name)
		if kill {
			return EPERM
		}
		if e != 0 {
			return e
		}
	}
	return 0
}

// Killed tells whether a filter ends the process when it makes the call.
func (t *Task) Killed(name string) bool {
	return slices.ContainsFunc(t.filters, func(f *Filter) bool {
		_, kill := f.answer(name)
		return kill
	})
}

// Filtered tells the errno that a filter of t answers the call with, 0 when it passes.
func (t *Task) Filtered(name string) Errno { return t.blocked(name) }

// Seccomp installs a filter. seccomp(2), SECCOMP_SET_MODE_FILTER.
func (t *Task) Seccomp(f *Filter) error {
	c := call{kind: "kernel.seccomp", line: "prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, …)", args: map[string]string{"filter": f.Name}}
	switch {
	case t.blocked("prctl") != 0:
		return t.fail(c, "seccomp(2)", t.blocked("prctl"))
	// "EACCES The caller did not have the CAP_SYS_ADMIN capability in its user namespace, or had not set
	// no_new_privs before using SECCOMP_SET_MODE_FILTER." - seccomp(2)
	case !t.Cred.NoNewPrivs && !t.capable(CAP_SYS_ADMIN, t.ns[UserNS]):
		return t.fail(c, "seccomp(2)", EACCES)
	}
	t.filters = append(t.filters, f)
	t.done(c, "seccomp(2)")
	return nil
}
