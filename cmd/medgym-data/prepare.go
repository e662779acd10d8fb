package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/ingest"
	"github.com/medgym-data/medgym-data/stages/normalize"
	"github.com/medgym-data/medgym-data/stages/validate"
)

// prepareCommand makes the task corpus from raw downloads and proves its labels.
func prepareCommand(registry datasets.Registry) *cli.Command {
	return &cli.Command{
		Name:  "prepare",
		Usage: "make the task corpus from raw downloads, and prove its labels in the sandbox",
		Flags: append(runFlags(
			&cli.PathFlag{Name: "raw", EnvVars: []string{"MEDGYM_RAW"}, Usage: "raw folder, with one folder per source id (required)"},
			&cli.StringSliceFlag{Name: "source", Usage: "only this source; may be repeated"},
			&cli.PathFlag{Name: "fhir", Usage: "folder with FHIR Bulk Data NDJSON for medagentbench"},
			&cli.StringFlag{Name: "fhir-url", Usage: "base URL of a FHIR R4 server for medagentbench"},
			&cli.BoolFlag{Name: "ignore-unknown", Usage: "pass over files of no known layout"},
			&cli.BoolFlag{Name: "no-validate", Usage: "leave the labels unproved: no sandbox is needed"},
			&cli.IntFlag{Name: "gold-repeats", Value: 2, Usage: "how often each gold solution is run, to find flaky ones"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the random numbers of the programs that prove labels"},
		), sandboxFlags()...),
		Action: func(c *cli.Context) (err error) {
			if err := need(c, "raw"); err != nil {
				return err
			}
			if _, err := registry.Select(c.StringSlice("source")...); err != nil {
				return usageErrorf(c, "%w", err)
			}
			opts := ingest.Options{Raw: c.Path("raw"), Run: c.Path("dir"), Registry: registry, Sources: c.StringSlice("source"), IgnoreUnknown: c.Bool("ignore-unknown")}
			if dir := c.Path("fhir"); dir != "" {
				opts.Mounts = map[string]map[string]string{"medagentbench": {"fhir": dir}}
			}
			if url := c.String("fhir-url"); url != "" {
				opts.Settings = map[string]map[string]string{"medagentbench": {"fhir-url": url}}
			}
			// The raw folder is read before the run folder is made: a slip leaves nothing.
			first, err := ingest.Stage(opts)
			if err != nil {
				return err
			}
			if c.Int("gold-repeats") < 1 {
				return usageErrorf(c, "--gold-repeats is %d, must be at least 1", c.Int("gold-repeats"))
			}
			proof, err := validate.Stage(validate.Options{
				Registry: registry, Repeats: c.Int("gold-repeats"), Seed: c.Uint64("seed"), Concurrency: c.Int("concurrency"),
				Sandbox: func(context.Context) (sandbox.Sandbox, error) { return openSandbox(c) },
			})
			if err != nil {
				return err
			}
			run, err := openRun(c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, run.Close()) }()
			if _, err := run.Do(c.Context, first); err != nil {
				return err
			}
			if _, err := run.Do(c.Context, normalize.Stage(registry)); err != nil {
				return err
			}
			if !c.Bool("no-validate") {
				if _, err := run.Do(c.Context, proof); errors.Is(err, sandbox.ErrUnavailable) {
					return fmt.Errorf("%w (the tasks are made; with --no-validate they stay unproved and no sandbox is needed)", err)
				} else if err != nil {
					return err
				}
			}
			return printPrepared(c, run)
		},
	}
}

// prepared is the output of prepare --json.
type prepared struct {
	Tasks      normalize.Report `json:"tasks"`
	Validation *validate.Report `json:"validation"` // null with --no-validate
}

func printPrepared(c *cli.Context, run *pipeline.Run) error {
	var out prepared
	if err := readReport(run.Path("tasks", "report.json"), &out.Tasks); err != nil {
		return err
	}
	if !c.Bool("no-validate") {
		if err := readReport(run.Path("validation", "report.json"), &out.Validation); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(out)
	}
	printTasks(c.App.Writer, out.Tasks)
	if out.Validation != nil {
		printValidation(c.App.Writer, *out.Validation)
	}
	return nil
}

func readReport(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read report %s: %w", path, err)
	}
	return nil
}

func newTable(out io.Writer, header ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(out)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header, t.Style().Format.Footer = text.FormatDefault, text.FormatDefault
	t.AppendHeader(header)
	return t
}

func printTasks(out io.Writer, report normalize.Report) {
	t := newTable(out, "source", "layout", "raw rows", "tasks", "ready", "missing resources", "ungradable", "rejected")
	var sum [6]int
	for _, s := range report.Sources {
		row := [6]int{s.RawRows, s.Tasks, s.ByStatus[schemas.StatusReady], s.ByStatus[schemas.StatusMissingResources],
			s.ByStatus[schemas.StatusUngradable], s.RejectedRows()}
		t.AppendRow(table.Row{s.Source, s.Layout, row[0], row[1], row[2], row[3], row[4], row[5]})
		for i, n := range row {
			sum[i] += n
		}
	}
	t.AppendFooter(table.Row{"all", "", sum[0], sum[1], sum[2], sum[3], sum[4], sum[5]})
	t.Render()
	if rejected := sum[5]; rejected > 0 {
		fmt.Fprintf(out, "%d raw rows were rejected: tasks/rejected.jsonl has each with its reason\n", rejected)
	}
}

func printValidation(out io.Writer, report validate.Report) {
	t := newTable(out, "source", "checked", "proved", "quarantined", "unproved", "gold right", "gold failed", "most common reason")
	var sum [6]int
	for _, s := range report.Sources {
		row := [6]int{s.Checked, s.Proved, s.Quarantined, s.Unproved, s.GoldRight, s.GoldFailed}
		t.AppendRow(table.Row{s.Source, row[0], row[1], row[2], row[3], row[4], row[5], mostCommon(s.ByReason)})
		for i, n := range row {
			sum[i] += n
		}
	}
	t.AppendFooter(table.Row{"all", sum[0], sum[1], sum[2], sum[3], sum[4], sum[5], ""})
	t.Render()
	if n := sum[2] + sum[3]; n > 0 {
		fmt.Fprintf(out, "%d tasks are not proved: validation/report.json has each with its reason\n", n)
	}
}

// mostCommon names the reason with the highest count, the first by name of several.
func mostCommon(reasons map[string]int) string {
	best := ""
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		if best == "" || reasons[reason] > reasons[best] {
			best = reason
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("%s (%d)", best, reasons[best])
}
