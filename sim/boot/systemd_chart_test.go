package boot

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func barOf(t *testing.T, f Facts, name string) UnitRun {
	for _, r := range f.UnitRuns {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no bar for %s", name)
	return UnitRun{}
}

func TestTheChartTellsWhenUnitsRanAndWhatTheyWaitedFor(t *testing.T) {
	tr, facts, _ := runSmall(t, "", map[string]string{
		unitDir + "a.service":                         "[Unit]\nDescription=The A\n[Service]\nType=oneshot\nExecStart=/bin/prog\n",
		unitDir + "b.service":                         "[Unit]\nDescription=The B\nRequires=a.service\nAfter=a.service\n[Service]\nExecStart=/bin/prog\n",
		unitDir + "c.service":                         "[Unit]\nDescription=The C\nConditionPathExists=/nowhere\n[Service]\nExecStart=/bin/prog\n",
		unitDir + "d.service":                         "[Unit]\nDescription=The D\n[Service]\nType=oneshot\nExecStart=/bin/none\n",
		unitDir + "multi-user.target.wants/b.service": "-> ../b.service", unitDir + "multi-user.target.wants/c.service": "-> ../c.service",
		unitDir + "multi-user.target.wants/d.service": "-> ../d.service"})
	a, b, c, d := barOf(t, facts, "a.service"), barOf(t, facts, "b.service"), barOf(t, facts, "c.service"), barOf(t, facts, "d.service")
	require.Less(t, a.Activating, a.Active)
	require.Equal(t, "inactive", a.State, "a oneshot service without RemainAfterExit=")
	require.Equal(t, "a.service", b.WaitedFor)
	require.GreaterOrEqual(t, b.Active, a.Active)
	require.Equal(t, "/"+unitDir+"b.service", b.File)
	require.Equal(t, "multi-user.target", b.PulledInBy)
	require.Equal(t, "skipped", c.State)
	require.Equal(t, "ConditionPathExists=/nowhere", c.Condition)
	require.Zero(t, c.Active)
	require.Equal(t, "failed", d.State)
	require.Equal(t, "multi-user.target", tr.Steps[barOf(t, facts, "multi-user.target").Step].Args["unit"])
}
