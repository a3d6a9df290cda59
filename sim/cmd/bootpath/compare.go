package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"bootpath/content/messages"
	"bootpath/sim/compare"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
	"bootpath/sim/wire"
)

// compareImages puts two images beside each other, or one under two settings:
//
//	bootpath compare [--json] A B [switches of run, for both]
//	bootpath compare [--json] A [switches] -- [B] [switches]     B is A when it is left out
func compareImages(args []string, stdout, stderr io.Writer) error {
	left, right, split := args, []string(nil), slices.Index(args, "--")
	if split >= 0 {
		left, right = args[:split], args[split+1:]
	}
	a, err := parseSide(left, stderr)
	if err != nil {
		return err
	}
	b := a
	if split >= 0 {
		if b, err = parseSide(right, stderr); err != nil {
			return err
		}
		b.files = append(slices.Clone(a.files), b.files...)
	}
	if len(b.files) == 1 && split >= 0 {
		b.files = append(b.files, b.files[0])
	}
	if len(b.files) != 2 {
		return fmt.Errorf("%w: compare takes two FILEs, or one FILE and the switches of both runs around --", errUsage)
	}
	one, err := open(b.files[0])
	if err != nil {
		return err
	}
	two := one
	if b.files[1] != b.files[0] {
		if two, err = open(b.files[1]); err != nil {
			return err
		}
	}
	c, err := one.Compare(a.settings, two, b.settings)
	if err != nil {
		return err
	}
	if a.asJSON || b.asJSON {
		if !a.steps && !b.steps {
			c.Left.Run, c.Right.Run = nil, nil
		}
		c.Explain(messages.English())
		return writeJSON(stdout, c)
	}
	return printComparison(stdout, c)
}

// sideArgs are the words of one side of the command.
type sideArgs struct {
	files         []string
	settings      scenario.RunSettings
	asJSON, steps bool
}

func parseSide(args []string, stderr io.Writer) (sideArgs, error) {
	fl := newFlags("compare", stderr)
	asJSON := fl.Bool("json", false, "print the JSON of docs/json.md")
	steps := fl.Bool("steps", false, "with --json: the steps of both runs too")
	settings := runFlags(fl)
	var files []string
	for len(args) > 0 { // files and switches in any order
		if err := fl.Parse(args); err != nil {
			return sideArgs{}, fmt.Errorf("%w: %w", errUsage, err)
		}
		args = fl.Args()
		if len(args) > 0 {
			files, args = append(files, args[0]), args[1:]
		}
	}
	set, err := settings(nil)
	return sideArgs{files, set, *asJSON, *steps}, err
}

// printComparison writes the table for people; scripts use --json.
func printComparison(w io.Writer, c *wire.Comparison) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row := func(name, left, right string) { fmt.Fprintf(t, "%s\t%s\t%s\n", name, shorten(left), shorten(right)) }
	row("", c.Left.Name, c.Right.Name)
	row("kind", c.Left.Kind, c.Right.Kind)
	row("kernel from", c.Left.KernelFrom, c.Right.KernelFrom)
	for _, r := range c.Rows {
		row(r.Dimension, cell(r.Left), cell(r.Right))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if e := c.Execve; e != nil {
		fmt.Fprintf(w, "\nboth reach execve: step %d, step %d\n", e.LeftStep, e.RightStep)
	}
	if c.Difference != nil {
		printDifference(w, c)
	}
	return nil
}

// cellWidth is how many characters of a value a table shows.
const cellWidth = 56

func shorten(s string) string {
	if r := []rune(s); len(r) > cellWidth {
		return string(r[:cellWidth-1]) + "…"
	}
	return s
}

func cell(f compare.Finding) string {
	if f.Unknown != nil {
		return strings.TrimSpace(f.Value + " ? " + messages.English().Reason(f.Unknown))
	}
	return cmp.Or(f.Value, strings.TrimPrefix(f.Key, "compare."))
}

func printDifference(w io.Writer, c *wire.Comparison) {
	d := c.Difference
	for _, s := range d.Settings {
		fmt.Fprintf(w, "\nsetting %s: %s | %s", s.Name, cmp.Or(s.Left, "(default)"), cmp.Or(s.Right, "(default)"))
	}
	if len(d.Settings) > 0 {
		fmt.Fprintln(w)
	}
	if d.Same {
		fmt.Fprintln(w, "\nboth runs are the same")
		return
	}
	if p := d.Values; p != nil {
		fmt.Fprintf(w, "\nfirst with other values:\n  %s\n  %s\n", lineAt(c.Left, p.Left), lineAt(c.Right, p.Right))
	}
	if p := d.Parting; p != nil {
		fmt.Fprintf(w, "\nhere they part:\n  %s\n  %s\n", lineAt(c.Left, p.Left), lineAt(c.Right, p.Right))
	}
}

func lineAt(s wire.ComparedSide, n int) string {
	if n < 0 || s.Run == nil || n >= len(s.Run.Steps) {
		return "(has ended: " + string(s.Outcome.Verdict) + " " + s.Outcome.Message + ")"
	}
	return trace.Line(s.Run.Steps[n])
}
