package trace

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Line is a step's golden form, one line that a person can review:
//
//	41  2.180s grub           grub.load-kernel path=/boot/vmlinuz-6.1 [disk0[0x1f1:+4]] {Linux/x86 boot protocol}
func Line(st Step) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%5d %8.3fs %-14s %s", st.Seq, st.At.Seconds(), st.Actor, st.Kind)
	for _, k := range slices.Sorted(maps.Keys(st.Args)) {
		fmt.Fprintf(&b, " %s=%s", k, quoteIfNeeded(st.Args[k]))
	}
	for _, r := range st.Assumed {
		fmt.Fprintf(&b, " assumed(%s)", r)
	}
	if n := len(st.Cites); n > 0 {
		fmt.Fprintf(&b, " [%s", st.Cites[0].Span)
		if n > 1 {
			fmt.Fprintf(&b, " and %d more", n-1)
		}
		b.WriteString("]")
	}
	if st.Rule != "" {
		fmt.Fprintf(&b, " {%s}", st.Rule)
	}
	return b.String()
}

func quoteIfNeeded(s string) string {
	if s == "" || strings.ContainsAny(s, " \n\t\"") {
		return fmt.Sprintf("%q", s)
	}
	return s
}
