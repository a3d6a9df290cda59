package wire

import "bootpath/sim/trace"

// Explain writes into a result what is not known, for readers who have no sentences: the page has its own.
func (r *RunResult) Explain(in trace.Sentences) {
	r.Outcome.Missing = in.Reason(r.Outcome.Unknown)
	for i := range r.Needs {
		r.Needs[i].Missing = in.Reason(r.Needs[i].Unknown)
	}
}

// Explain does the same for both sides.
func (c *Comparison) Explain(in trace.Sentences) {
	for _, side := range []*ComparedSide{&c.Left, &c.Right} {
		if side.Run != nil {
			side.Run.Explain(in)
		}
		if side.Outcome != nil {
			side.Outcome.Missing = in.Reason(side.Outcome.Unknown)
		}
	}
	for i := range c.Rows {
		row := &c.Rows[i]
		row.Left.Missing, row.Right.Missing = in.Reason(row.Left.Unknown), in.Reason(row.Right.Unknown)
	}
}
