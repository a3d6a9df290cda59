package bls

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The pairs are those of rpm's own tests, tests/rpmvercmp.at.
func TestCompareRPM(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0", 0}, {"1.0", "2.0", -1}, {"2.0", "2.0.1", -1}, {"2.0.1a", "2.0.1", 1}, {"5.5p10", "5.5p1", 1}, {"5.5p2", "5.6p1", -1},
		{"10xyz", "10.1xyz", -1}, {"xyz10", "xyz10.1", -1}, {"xyz.4", "8", -1}, {"6.0.rc1", "6.0", 1}, {"10b2", "10a1", 1}, {"1.0aa", "1.0a", 1},
		{"10.0001", "10.1", 0}, {"10.0001", "10.0039", -1}, {"4.999.9", "5.0", -1}, {"2_0", "2.0", 0}, {"1.0~rc1", "1.0", -1}, {"1.0~rc1", "1.0~rc2", -1},
	} {
		require.Equal(t, c.want, compareRPM(c.a, c.b), "%s %s", c.a, c.b)
		require.Equal(t, -c.want, compareRPM(c.b, c.a), "%s %s", c.b, c.a)
	}
}

func TestComparePackages(t *testing.T) {
	for _, newer := range [][2]string{
		{"abc-6.11.4-301.fc41.x86_64", "abc-6.8.5-300.fc40.x86_64"},
		{"abc-6.8.5-300.fc40.x86_64", "abc-0-rescue"},
		{"abc-5.14.0-362.8.1.el9_3.x86_64", "abc-5.14.0-362.el9.x86_64"},
	} {
		require.Equal(t, 1, ComparePackages(newer[0], newer[1]), "%v", newer)
	}
}

// The orders of gnulib's tests/test-filevercmp.c, and of names of entries.
func TestCompareFiles(t *testing.T) {
	rising := []string{"0", "9", "A", "Z", "a~", "a", "a.b~", "a.b", "a+"}
	for i := range len(rising) - 1 {
		require.Negative(t, CompareFiles(rising[i], rising[i+1]), "%q %q", rising[i], rising[i+1])
		require.Positive(t, CompareFiles(rising[i+1], rising[i]), "%q %q", rising[i+1], rising[i])
	}
	require.Zero(t, CompareFiles("a.conf", "a.conf"))
	require.Positive(t, CompareFiles("0123-6.11.4-301.fc41.x86_64.conf", "0123-6.8.5-300.fc40.x86_64.conf"))
	require.Positive(t, CompareFiles("0123-6.8.5-300.fc40.x86_64.conf", "0123-0-rescue.conf"))
	require.Positive(t, CompareFiles("v1.10.conf", "v1.9.conf"))
	require.Negative(t, CompareFiles("a-1~rc1.conf", "a-1.conf"))
}
