package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/ingest"
	"github.com/medgym-data/medgym-data/stages/normalize"
)

// prepareCommand makes the task corpus from raw downloads.
func prepareCommand(registry datasets.Registry) *cli.Command {
	return &cli.Command{
		Name:  "prepare",
		Usage: "make the task corpus from raw downloads",
		Flags: runFlags(
			&cli.PathFlag{Name: "raw", Required: true, EnvVars: []string{"MEDGYM_RAW"}, Usage: "raw folder: one folder per source id"},
			&cli.StringSliceFlag{Name: "source", Usage: "only this source; may be repeated"},
			&cli.PathFlag{Name: "fhir", Usage: "folder with FHIR Bulk Data NDJSON for medagentbench"},
			&cli.StringFlag{Name: "fhir-url", Usage: "base URL of a FHIR R4 server for medagentbench"},
			&cli.BoolFlag{Name: "ignore-unknown", Usage: "pass over files of no known layout"},
		),
		Action: func(c *cli.Context) (err error) {
			if _, err := registry.Select(c.StringSlice("source")...); err != nil {
				return usageError{err}
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
			return printTasks(c, run.Path("tasks", "report.json"))
		},
	}
}

func printTasks(c *cli.Context, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	if c.Bool("json") {
		_, err := c.App.Writer.Write(data)
		return err
	}
	var report normalize.Report
	if err := json.Unmarshal(data, &report); err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	t := table.NewWriter()
	t.SetOutputMirror(c.App.Writer)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"source", "layout", "raw rows", "tasks", "ready", "missing resources", "ungradable", "rejected"})
	var raw, tasks, ready, missing, ungradable, rejected int
	for _, s := range report.Sources {
		row := []int{s.RawRows, s.Tasks, s.ByStatus[schemas.StatusReady], s.ByStatus[schemas.StatusMissingResources],
			s.ByStatus[schemas.StatusUngradable], s.RejectedRows()}
		t.AppendRow(table.Row{s.Source, s.Layout, row[0], row[1], row[2], row[3], row[4], row[5]})
		raw, tasks, ready, missing, ungradable, rejected = raw+row[0], tasks+row[1], ready+row[2], missing+row[3], ungradable+row[4], rejected+row[5]
	}
	t.AppendFooter(table.Row{"all", "", raw, tasks, ready, missing, ungradable, rejected})
	t.Render()
	if rejected > 0 {
		fmt.Fprintf(c.App.Writer, "rejected rows with their reasons: %s\n", "tasks/rejected.jsonl")
	}
	return nil
}
