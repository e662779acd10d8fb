package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/stages/grade"
)

// gradeCommand grades the trajectories of a run folder again.
func gradeCommand(registry datasets.Registry) *cli.Command {
	return &cli.Command{
		Name:  "grade",
		Usage: "grade trajectories again, with no model, and tell which labels flip",
		Flags: runFlags(sandboxFlags()...),
		Action: func(c *cli.Context) (err error) {
			stage, err := grade.Stage(grade.Options{
				Registry: registry, Concurrency: c.Int("concurrency"),
				Sandbox: func(context.Context) (sandbox.Sandbox, error) { return openSandbox(c) },
			})
			if err != nil {
				return usageError{err}
			}
			if err := requireRun(c); err != nil {
				return err
			}
			run, err := openRun(c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, run.Close()) }()
			res, err := run.Do(c.Context, stage)
			if err != nil {
				return err
			}
			return printGrade(c, res)
		},
	}
}

func printGrade(c *cli.Context, res pipeline.StageResult) error {
	if c.Bool("json") {
		return printJSON(c, res)
	}
	ids, sources, all, err := bySource[grade.Report](res)
	if err != nil {
		return err
	}
	t := newTable(c.App.Writer, "source", "attempts", "graded", "submissions", "strict and upstream", "strict only", "upstream only", "neither", "flipped")
	line := func(name string, r grade.Report) table.Row {
		return table.Row{name, r.Attempts, r.Graded, r.Submissions, r.Both, r.StrictOnly, r.UpstreamOnly, r.Neither, flips(r.Flipped)}
	}
	for _, id := range ids {
		t.AppendRow(line(id, sources[id]))
	}
	t.AppendFooter(line("all", all))
	t.Render()
	fmt.Fprintf(c.App.Writer, "flipped: strict labels %s; upstream labels %s; single submissions %d\n", flips(all.Flipped), flips(all.FlippedUpstream), all.FlippedSteps)
	if res.Skipped {
		fmt.Fprintln(c.App.Writer, "unchanged: these trajectories were graded by the same graders already")
	}
	return nil
}

// flips lists changes of labels: "3 (0 to 1: 2, 1 to 0: 1)".
func flips(counts map[string]int) string {
	total := 0
	var parts []string
	for _, change := range slices.Sorted(maps.Keys(counts)) {
		total += counts[change]
		parts = append(parts, fmt.Sprintf("%s: %d", change, counts[change]))
	}
	if total == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", total, strings.Join(parts, ", "))
}
