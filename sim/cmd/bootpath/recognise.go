package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"bootpath/content/scenarios"
	"bootpath/sim/scenario"
)

// pasteMax bounds a message read from standard input, in bytes.
const pasteMax = 1 << 20

// recognise tells what could have printed a message: the scenarios of the gallery and steps.
func recognise(args []string, stdout, stderr io.Writer) error {
	fl := newFlags("recognise", stderr)
	asJSON := fl.Bool("json", false, "print the JSON of docs/json.md")
	lang := fl.String("lang", "en", "`en|zh`, language of the texts")
	if err := fl.Parse(args); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	text := strings.Join(fl.Args(), " ")
	if text == "-" {
		data, err := io.ReadAll(io.LimitReader(os.Stdin, pasteMax))
		if err != nil {
			return err
		}
		text = string(data)
	}
	if text == "" {
		return fmt.Errorf("%w: recognise takes a message, or - to read it", errUsage)
	}
	gallery, err := scenario.Gallery(scenarios.Files)
	if err != nil {
		return err
	}
	printed, err := scenario.ReadPrinted(scenarios.Files)
	if err != nil {
		return err
	}
	found := scenario.Recognise(gallery, printed, text)
	if *asJSON {
		return writeJSON(stdout, found)
	}
	if len(found) == 0 {
		fmt.Fprintln(stdout, "nothing here prints a message like this")
	}
	for _, c := range found {
		fmt.Fprintf(stdout, "%3d  %s  %s\n", c.Score, c.Scenario+strings.Repeat(" ", max(0, 26-len(c.Scenario))), c.Kind)
		if n, err := scenario.Find(scenarios.Files, c.Scenario); err == nil {
			say := func(t scenario.Texts) string {
				if *lang == "zh" {
					return t.Zh
				}
				return t.En
			}
			fmt.Fprintf(stdout, "     %s\n     %s\n     → %s\n     bootpath run content/samples/%s.slice --scenario %s\n\n", say(n.Title), say(n.Cause), say(n.Fix), n.Src, n.Name)
		}
	}
	return nil
}
