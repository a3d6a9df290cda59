package systemd

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const lib = "usr/lib/systemd/system/"

// service is a unit file that can be started, with more lines for [Unit].
func service(unit string) string { return "[Unit]\n" + unit + "\n[Service]\nExecStart=/bin/true\n" }

func manager(files map[string]string) *Manager { return NewManager(Env{Root: tree(files)}) }

func ids(edges []Edge) string {
	var out []string
	for _, e := range edges {
		out = append(out, e.To.ID)
	}
	return strings.Join(out, " ")
}

// queue starts a unit and lists the jobs.
func queue(t *testing.T, m *Manager, name string) (string, *Txn, error) {
	u := m.Load(name)
	require.NotNil(t, u)
	txn, err := m.Queue(u, Start, Replace)
	var out []string
	for _, j := range m.Jobs() {
		out = append(out, j.Unit.ID+"/"+string(j.Type))
	}
	return strings.Join(out, " "), txn, err
}

// runAll performs all jobs; those of failing units fail. It lists what ended, in order.
func runAll(m *Manager, failing ...string) string {
	var out []string
	for j := m.Next(); j != nil; j = m.Next() {
		r := Done
		if slices.Contains(failing, j.Unit.ID) {
			r, j.Unit.State = JobFailed, Failed
		} else if j.Type == Start {
			j.Unit.State = Active
		} else {
			j.Unit.State = Inactive
		}
		for _, e := range m.Finish(j, r) {
			s := e.Job.Unit.ID
			if e.Result != Done {
				s += "=" + string(e.Result)
			}
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

const noDefault = "DefaultDependencies=no\n"

func TestWhereAUnitFileIsFound(t *testing.T) {
	m := manager(map[string]string{
		lib + "a.service": service("Description=vendor"), "etc/systemd/system/a.service": service("Description=admin"),
		lib + "alias.service":                    service(""),
		"etc/systemd/system/other.service":       "-> /usr/lib/systemd/system/alias.service",
		"etc/systemd/system/second.service":      "-> other.service",
		"etc/systemd/system/masked.service":      "-> /dev/null",
		lib + "masked.service":                   service(""),
		"etc/systemd/system/empty.service":       "",
		lib + "t@.service":                       service("Description=%i of %p"),
		lib + "t@special.service":                service("Description=special"),
		lib + "s@.service":                       "-> t@.service",
		"etc/systemd/system/linked.service":      "-> /opt/linked.service",
		"opt/linked.service":                     service("Description=from opt"),
		"etc/systemd/system/dead.service":        "-> /opt/none.service",
		"etc/systemd/system/loop.service":        "-> loop2.service",
		"etc/systemd/system/loop2.service":       "-> loop.service",
		"usr/local/lib/systemd/system/l.service": service(""),
	})
	for name, want := range map[string]string{
		"a.service": "loaded a.service admin", "other.service": "loaded alias.service ", "second.service": "loaded alias.service ",
		"masked.service": "masked masked.service ", "empty.service": "masked empty.service ", "t@x.service": "loaded t@x.service x of t",
		"t@special.service": "loaded t@special.service special", "s@y.service": "loaded t@y.service y of t", "linked.service": "loaded linked.service from opt",
		"dead.service": "not-found dead.service ", "none.service": "not-found none.service ", "l.service": "loaded l.service ",
	} {
		u := m.Load(name)
		require.Equal(t, want, string(u.Load)+" "+u.ID+" "+u.Description, name)
	}
	require.Equal(t, LoadError, m.Load("loop.service").Load)
	require.Equal(t, []string{"alias.service", "other.service", "second.service"}, m.Load("alias.service").Names)
	m2 := manager(map[string]string{lib + "a.service": service(""), "etc/systemd/system/b.service": "-> /usr/lib/systemd/system/a.service"})
	require.Equal(t, "/etc/systemd/system/b.service", m2.Load("b.service").Links[0].Path)
	require.Nil(t, m.Load("t@.service"), "a template is no unit")
	require.Nil(t, m.Load("nonsense"))
}

func TestMergedUsrIsReadOnce(t *testing.T) {
	m := manager(map[string]string{"lib": "-> usr/lib", lib + "a.service": service("")})
	require.Equal(t, "/usr/lib/systemd/system/a.service", m.Load("a.service").Fragment)
}

func TestDropInsAddToAUnit(t *testing.T) {
	m := manager(map[string]string{
		lib + "a-b.service":                               service("Description=base\nAfter=base.service"),
		lib + "service.d/10.conf":                         "[Unit]\nAfter=type.service\n",
		lib + "a-.service.d/10.conf":                      "[Unit]\nAfter=prefix.service\n",
		lib + "a-.service.d/20.conf":                      "[Unit]\nAfter=prefix20.service\n",
		"etc/systemd/system/a-b.service.d/20.conf":        "[Unit]\nAfter=own.service\nDescription=own\n",
		"etc/systemd/system/a-b.service.d/30.conf":        "-> /dev/null",
		lib + "a-b.service.d/30.conf":                     "[Unit]\nAfter=masked.service\n",
		"etc/systemd/system/a-b.service.d/readme":         "[Unit]\nAfter=notconf.service\n",
		lib + "t@.service":                                service(""),
		lib + "t@.service.d/x.conf":                       "[Unit]\nAfter=alltemplates.service\n",
		"etc/systemd/system/t@one.service.d/y.conf":       "[Unit]\nAfter=onlyone.service\n",
		"etc/systemd/system/only.service.d/override.conf": "[Service]\nExecStart=/bin/x\n",
	})
	u := m.Load("a-b.service")
	require.Equal(t, "own", u.Description)
	after := ids(u.Deps(After))
	for _, want := range []string{"base.service", "prefix.service", "own.service"} {
		require.Contains(t, after, want)
	}
	for _, not := range []string{"type.service", "prefix20.service", "masked.service", "notconf.service"} {
		require.NotContains(t, after, not)
	}
	one := ids(m.Load("t@one.service").Deps(After))
	require.Contains(t, one, "alltemplates.service")
	require.Contains(t, one, "onlyone.service")
	require.Contains(t, ids(m.Load("t@two.service").Deps(After)), "alltemplates.service")
	require.NotContains(t, ids(m.Load("t@two.service").Deps(After)), "onlyone.service")
	require.Equal(t, NotFound, m.Load("only.service").Load, "a drop-in alone makes no unit")
}

func TestDirectoriesOfLinksAddDependencies(t *testing.T) {
	m := manager(map[string]string{
		lib + "a.target": "[Unit]\n", lib + "b.service": service(""), lib + "c.service": service(""), lib + "d.service": service(""), lib + "e@.service": service(""),
		"etc/systemd/system/a.target.wants/b.service":    "-> /usr/lib/systemd/system/b.service",
		"etc/systemd/system/a.target.requires/c.service": "-> ../c.service",
		"etc/systemd/system/a.target.wants/d.service":    "-> /dev/null",
		lib + "a.target.wants/d.service":                 "-> ../d.service",
		"etc/systemd/system/a.target.wants/e@1.service":  "-> /usr/lib/systemd/system/e@.service",
		"etc/systemd/system/a.target.upholds/b.service":  "-> ../b.service",
		"etc/systemd/system/a.target.wants/README":       "x",
	})
	u := m.Load("a.target")
	require.Equal(t, "b.service e@1.service", ids(u.Deps(Wants)))
	require.Equal(t, "c.service", ids(u.Deps(Requires)))
	require.Equal(t, "b.service", ids(u.Deps(Upholds)))
	why, ok := u.Has(Wants, m.Load("b.service"))
	require.True(t, ok)
	require.Equal(t, "/etc/systemd/system/a.target.wants/b.service → /usr/lib/systemd/system/b.service", why.String())
	// systemd.target(5): targets come after what they pull in.
	require.Equal(t, "b.service c.service e@1.service", ids(u.Deps(After)))
}

func TestDefaultDependencies(t *testing.T) {
	m := manager(map[string]string{
		lib + "a.service": service("Description=x"), lib + "n.service": service(noDefault), lib + "a.socket": "[Socket]\nListenStream=/run/a\n",
		lib + "a.timer": "[Timer]\nOnCalendar=daily\nPersistent=yes\n", lib + "a.path": "[Path]\nPathExists=/var/x/y\nUnit=n.service\n",
		lib + "a.target": "[Unit]\nRequires=a.service\nWants=n.service b.service\nBefore=b.service\n", lib + "b.service": service(""),
		lib + "srv-data.mount": "[Mount]\nWhat=/dev/sda1\nWhere=/srv/data\n", lib + "srv.mount": "[Mount]\nWhat=tmpfs\nWhere=/srv\nType=tmpfs\n",
		lib + "net.mount": "[Mount]\nWhat=host:/x\nWhere=/net\nType=nfs\n", lib + "srv-auto.automount": "[Automount]\nWhere=/srv/auto\n",
		lib + "dev-sdb.swap": "[Swap]\nWhat=/dev/sdb\n", lib + "x-y.slice": "[Slice]\n", lib + "t@.service": service(""),
		lib + "in.service": service("") + "Slice=x-y.slice\nStateDirectory=in\nPrivateTmp=yes\nStandardOutput=null\nType=dbus\nBusName=org.x\n",
	})
	for _, c := range []struct {
		unit string
		dep  Dep
		want string
	}{
		{"a.service", Requires, "sysinit.target system.slice"},
		{"a.service", After, "a.socket basic.target sysinit.target system.slice systemd-journald.socket"},
		{"a.service", Conflicts, "shutdown.target"}, {"a.service", Before, "a.target shutdown.target"},
		{"n.service", Requires, "system.slice"}, {"n.service", Conflicts, ""},
		{"a.socket", Before, "a.service shutdown.target sockets.target"}, {"a.socket", After, "sysinit.target system.slice"}, {"a.socket", Triggers, "a.service"},
		{"a.timer", After, "sysinit.target time-set.target time-sync.target"}, {"a.timer", Before, "a.service shutdown.target timers.target"},
		{"a.path", Triggers, "n.service"}, {"a.path", Before, "n.service paths.target shutdown.target"},
		{"a.target", After, "a.service"}, {"a.target", Before, "b.service shutdown.target"},
		{"srv-data.mount", Requires, "srv.mount system.slice"}, {"srv-data.mount", BindsTo, "dev-sda1.device"}, {"srv-data.mount", Conflicts, "umount.target"},
		{"srv-data.mount", Before, "local-fs.target umount.target"},
		{"srv-data.mount", After, "-.mount blockdev@dev-sda1.target dev-sda1.device local-fs-pre.target srv.mount system.slice systemd-journald.socket"},
		{"srv.mount", After, "-.mount local-fs-pre.target swap.target system.slice systemd-journald.socket"},
		{"net.mount", Before, "remote-fs.target umount.target"}, {"net.mount", Wants, "network-online.target"},
		{"srv-auto.automount", Before, "local-fs.target srv-auto.mount umount.target"}, {"srv-auto.automount", Requires, "srv.mount"},
		{"dev-sdb.swap", BindsTo, "dev-sdb.device"}, {"dev-sdb.swap", Before, "swap.target umount.target"},
		{"x-y.slice", Requires, "x.slice"}, {"x.slice", Requires, "-.slice"}, {"x.slice", Conflicts, "shutdown.target"},
		{"t@a-b.service", Requires, `sysinit.target system-t.slice`}, {"system-t.slice", Requires, "system.slice"},
		{"in.service", Requires, "dbus.socket sysinit.target x-y.slice"}, {"in.service", Wants, "tmp.mount"},
		{"in.service", After, "-.mount basic.target dbus.socket sysinit.target systemd-remount-fs.service systemd-tmpfiles-setup.service tmp.mount x-y.slice"},
	} {
		for _, name := range []string{"a.service", "n.service", "a.socket", "a.timer", "a.path", "a.target", "srv.mount", "srv-data.mount", "net.mount"} {
			m.Load(name)
		}
		got := ids(m.Load(c.unit).Deps(c.dep))
		got = strings.TrimSpace(strings.ReplaceAll(" "+got+" ", " a.timer ", " "))
		got = strings.TrimSpace(strings.ReplaceAll(" "+got+" ", " a.path ", " "))
		if c.unit != "srv-data.mount" && c.unit != "srv.mount" && c.unit != "in.service" {
			got = strings.TrimSpace(strings.ReplaceAll(" "+got+" ", " -.mount ", " "))
		}
		require.Equal(t, c.want, got, "%s %v", c.unit, c.dep)
	}
}

func TestServicesThatSystemdRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"Type=simple":                                "Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.",
		"ExecStart=/a\nExecStart=/b":                 "Service has more than one ExecStart= setting, which is only allowed for Type=oneshot services. Refusing.",
		"ExecStop=/a\nType=simple":                   "Service has no ExecStart= setting, which is only allowed for Type=oneshot services. Refusing.",
		"ExecStop=/a":                                "Service has no ExecStart= setting, which is only allowed for RemainAfterExit=yes services. Refusing.",
		"ExecStart=/a\nType=dbus":                    "Service is of type D-Bus but no D-Bus service name has been specified. Refusing.",
		"ExecStart=/a\nType=oneshot\nRestart=always": "Service has Restart= set to either always or on-success, which isn't allowed for Type=oneshot services. Refusing.",
		"ExecStart=a/b":                              "Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.",
		"ExecStart=/a\nExecStart=\nExecStart=/b":     "",
		"ExecStart=/a ; /b\nType=oneshot":            "",
		"RemainAfterExit=yes\nExecStop=/a":           "",
	} {
		u := manager(map[string]string{lib + "a.service": "[Service]\n" + text + "\n"}).Load("a.service")
		if want == "" {
			require.Equal(t, Loaded, u.Load, text)
			continue
		}
		require.Equal(t, BadSetting, u.Load, text)
		require.Equal(t, "a.service: "+want, u.Error, text)
	}
	m := manager(map[string]string{lib + "srv.mount": "[Mount]\nWhat=x\nWhere=/other\n", lib + "a.socket": "[Socket]\n"})
	require.Equal(t, BadSetting, m.Load("srv.mount").Load)
	require.Equal(t, BadSetting, m.Load("a.socket").Load)
}

func TestCommandLines(t *testing.T) {
	m := manager(map[string]string{lib + "a@.service": "[Service]\nType=oneshot\nExecStart=-/bin/sh -c \"echo '%i'\" ; @/bin/x y z\nExecStart=true\n"})
	got := m.Load("a@b.service").Service.Start
	require.Len(t, got, 3)
	require.Equal(t, []string{"/bin/sh", "-c", "echo 'b'"}, got[0].Argv)
	require.True(t, got[0].IgnoreFailure)
	require.Equal(t, "/bin/x", got[1].Path)
	require.Equal(t, []string{"y", "z"}, got[1].Argv)
	require.Equal(t, "true", got[2].Path)
}

func TestConditions(t *testing.T) {
	m := manager(map[string]string{lib + "a.service": service("ConditionPathExists=/gone\nConditionHost=\nConditionPathExists=|!/a/%p/../x\nAssertFileNotEmpty=/y")})
	u := m.Load("a.service")
	require.Len(t, u.Conditions, 1, "an empty assignment drops all conditions before it")
	require.Equal(t, "ConditionPathExists=|!/a/x", u.Conditions[0].String())
	require.Len(t, u.Asserts, 1)
	require.Equal(t, "AssertFileNotEmpty=/y", u.Asserts[0].String())
}

func TestTransactions(t *testing.T) {
	unit := func(s string) string { return service(noDefault + s) }
	for name, c := range map[string]struct {
		files map[string]string
		jobs  string // of a.service; without slices
		err   string
	}{
		"a missing requirement fails it all": {map[string]string{"a": "Requires=b.service"}, "", "Unit b.service not found."},
		"a missing wish does not":            {map[string]string{"a": "Wants=b.service"}, "a.service/start", ""},
		"a masked requirement":               {map[string]string{"a": "Requires=b.service", "b": "-> /dev/null"}, "", "Unit b.service is masked."},
		"a wish whose requirement is missing keeps its job (transaction.c deletes none on the way back)": {map[string]string{"a": "Wants=b.service", "b": "Wants=c.service\nRequires=d.service", "c": ""},
			"a.service/start b.service/start", ""},
		"requirements pull in":               {map[string]string{"a": "Requires=b.service\nBindsTo=c.service\nUpholds=d.service", "b": "", "c": "", "d": ""}, "a.service/start b.service/start c.service/start d.service/start", ""},
		"a requisite is only looked at":      {map[string]string{"a": "Requisite=b.service", "b": "Requires=c.service", "c": ""}, "a.service/start b.service/verify-active", ""},
		"what conflicts and is wanted, goes": {map[string]string{"a": "Wants=b.service\nConflicts=b.service", "b": ""}, "a.service/start", ""},
		"what conflicts and is required, cannot be": {map[string]string{"a": "Requires=b.service c.service", "b": "Conflicts=c.service", "c": ""}, "",
			"Transaction contains conflicting jobs 'stop' and 'start' for a.service. Probably contradicting requirement dependencies configured."},
		"After alone pulls nothing in": {map[string]string{"a": "After=b.service", "b": ""}, "a.service/start", ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for n, text := range c.files {
				if !strings.HasPrefix(text, "->") {
					text = unit(text)
				}
				files[lib+n+".service"] = text
			}
			jobs, _, err := queue(t, manager(files), "a.service")
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.jobs, jobs)
		})
	}
}

func TestJobsRunInTheOrderOfTheUnits(t *testing.T) {
	m := manager(map[string]string{
		lib + "z.target":  "[Unit]\n" + noDefault + "Wants=c.service b.service a.service x.socket s.mount\nAfter=a.service",
		lib + "a.service": service(noDefault + "After=b.service"), lib + "b.service": service(noDefault + "After=c.service"), lib + "c.service": service(noDefault + "Before=s.mount"),
		lib + "x.socket": "[Unit]\n" + noDefault + "[Socket]\nListenStream=1\n", lib + "s.mount": "[Unit]\n" + noDefault + "[Mount]\nWhat=tmpfs\nWhere=/s\n",
	})
	_, _, err := queue(t, m, "z.target")
	require.NoError(t, err)
	require.Equal(t, "x.socket c.service s.mount b.service a.service z.target", runAll(m))
}

func TestAFailureTakesAlongWhatRequiresTheUnit(t *testing.T) {
	m := manager(map[string]string{
		lib + "t.target":  "[Unit]\n" + noDefault + "Wants=a.service d.service e.service",
		lib + "a.service": service(noDefault + "Requires=b.service\nAfter=b.service"), lib + "b.service": service(noDefault + "BindsTo=c.service\nAfter=c.service"),
		lib + "c.service": service(noDefault), lib + "d.service": service(noDefault + "Wants=c.service\nAfter=c.service"),
		lib + "e.service": service(noDefault + "Requires=c.service"),
	})
	_, _, err := queue(t, m, "t.target")
	require.NoError(t, err)
	require.Equal(t, "t.target c.service=failed e.service=dependency b.service=dependency a.service=dependency d.service", runAll(m, "c.service"),
		"without After= a unit may start before what it requires fails")
}

func TestAnOrderingCycleLosesAJobThatIsOnlyWanted(t *testing.T) {
	files := map[string]string{
		lib + "t.target":  "[Unit]\n" + noDefault + "Wants=a.service",
		lib + "a.service": service(noDefault + "After=b.service\nWants=b.service"), lib + "b.service": service(noDefault + "After=c.service\nWants=c.service"),
		lib + "c.service": service(noDefault + "After=a.service"),
	}
	jobs, txn, err := queue(t, manager(files), "t.target")
	require.NoError(t, err)
	require.Len(t, txn.Cycles, 1)
	c := txn.Cycles[0]
	require.Equal(t, "a.service", c.Start.ID)
	require.Equal(t, "b.service", c.Deleted.ID)
	require.Len(t, c.Others, 2, "systemd might as well delete one of these")
	require.Len(t, c.Why, 3, "one setting for each side of the triangle")
	require.Equal(t, "a.service/start t.target/start", jobs, "what only b.service wanted goes with it")

	files[lib+"t.target"] = "[Unit]\n" + noDefault + "Requires=a.service b.service c.service"
	_, txn, err = queue(t, manager(files), "t.target")
	require.EqualError(t, err, "Transaction order is cyclic. See system logs for details.")
	require.Nil(t, txn.Cycles[0].Deleted)
}

func TestStoppingComesFirstAndSpreads(t *testing.T) {
	m := manager(map[string]string{
		lib + "a.service": service(noDefault + "Conflicts=b.service\nAfter=b.service"), lib + "b.service": service(noDefault),
		lib + "c.service": service(noDefault + "Requires=b.service"), lib + "d.service": service(noDefault + "Wants=b.service"),
	})
	for _, name := range []string{"b.service", "c.service", "d.service"} {
		m.Load(name).State = Active
	}
	jobs, _, err := queue(t, m, "a.service")
	require.NoError(t, err)
	require.Equal(t, "a.service/start b.service/stop c.service/stop", jobs)
	require.Equal(t, "b.service a.service c.service", runAll(m))
}

func TestIsolating(t *testing.T) {
	m := manager(map[string]string{
		lib + "t.target": "[Unit]\nAllowIsolate=yes\n" + noDefault + "Wants=a.service", lib + "a.service": service(noDefault), lib + "b.service": service(noDefault),
		lib + "keep.service": service(noDefault + "IgnoreOnIsolate=yes"),
	})
	for _, name := range []string{"b.service", "keep.service"} {
		m.Load(name).State = Active
	}
	_, err := m.Queue(m.Load("a.service"), Start, Isolate)
	require.EqualError(t, err, "Operation refused, unit may not be isolated.")
	_, err = m.Queue(m.Load("t.target"), Start, Isolate)
	require.NoError(t, err)
	require.Equal(t, Stop, m.Job(m.Load("b.service")).Type)
	require.Nil(t, m.Job(m.Load("keep.service")))
}
