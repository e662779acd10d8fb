package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/export"
)

// exportCommand makes training sets of the trajectories of a run folder. What to
// make is a subcommand, not an argument: flags after an argument are swallowed.
func exportCommand(registry datasets.Registry) *cli.Command {
	cmd := &cli.Command{
		Name: "export", Usage: "make training sets of trajectories: sft, dpo, verifier or all; or atif, trajectories for exchange", ArgsUsage: "SET",
		Action: func(*cli.Context) error {
			return usageError{errors.New("name what to export: medgym-data export sft, dpo, verifier, all or atif")}
		},
	}
	for _, set := range []struct {
		name, usage string
		configs     []string
	}{
		{schemas.ConfigSFT, "whole conversations of solved trajectories", []string{schemas.ConfigSFT}},
		{schemas.ConfigDPO, "preference pairs of one turn each, at the first difference", []string{schemas.ConfigDPO}},
		{schemas.ConfigVerifier, "judged trajectories, as many YES as NO", []string{schemas.ConfigVerifier}},
		{"all", "every set", export.Configs},
	} {
		cmd.Subcommands = append(cmd.Subcommands, &cli.Command{
			Name: set.name, Usage: set.usage, Flags: exportFlags(), HideHelpCommand: true,
			OnUsageError: func(_ *cli.Context, err error, _ bool) error { return usageError{err} },
			Action:       refuseArguments(func(c *cli.Context) error { return exportSets(c, registry, set.configs) }),
		})
	}
	cmd.Subcommands = append(cmd.Subcommands, exportATIFCommand(registry))
	return cmd
}

// exportFlags are the flags of every subcommand: a set that is made alone joins
// those that are there, which are made again with the same settings.
func exportFlags() []cli.Flag {
	return append(choiceFlags(),
		&cli.StringSliceFlag{Name: "strategy", Usage: "dpo: only these pairs, intermediate or best_worst; may be repeated"},
		&cli.Float64Flag{Name: "max-similarity", Value: 0.99, Usage: "dpo: leave out pairs whose sides are alike to this share of their words; 1: only equal ones"},
		&cli.IntFlag{Name: "max-tokens", Value: 32_768, Usage: "verifier: most tokens of a row"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "verifier: of the draw that balances YES and NO"},
		&cli.BoolFlag{Name: "keep-duplicates", Usage: "keep rows that are exact duplicates of another"},
	)
}

// choiceFlags choose the trajectories of an export, and say for whom it is.
func choiceFlags() []cli.Flag {
	return runFlags(append(subsetFlags(),
		&cli.StringSliceFlag{Name: "source", Usage: "only this source; may be repeated"},
		&cli.StringSliceFlag{Name: "split", Usage: "only this split, train or test; may be repeated"},
		&cli.BoolFlag{Name: "public", Usage: "for a public hub: refuse to export rows that are not open"},
	)...)
}

// choiceOf reads choiceFlags.
func choiceOf(c *cli.Context, registry datasets.Registry) (export.Options, error) {
	opts := export.Options{Registry: registry, Sources: c.StringSlice("source"), Splits: c.StringSlice("split")}
	if _, err := registry.Select(opts.Sources...); err != nil {
		return opts, usageError{err}
	}
	var err error
	if opts.Subset, opts.SubsetFraction, err = subsetOf(c); err != nil {
		return opts, usageError{err}
	}
	return opts, nil
}

// makeExport runs the stage that stageOf makes of the options.
func makeExport(c *cli.Context, opts export.Options, stageOf func(export.Options) (pipeline.Stage, error)) (_ pipeline.StageResult, err error) {
	if _, err := stageOf(opts); err != nil {
		return pipeline.StageResult{}, usageError{err}
	}
	dir := c.Path("dir")
	// A run folder without trajectories is found out before it is opened, which
	// would make it.
	if err := export.Require(dir); err != nil {
		return pipeline.StageResult{}, err
	}
	if c.Bool("public") {
		if err := export.RequireOpen(dir, opts); err != nil {
			return pipeline.StageResult{}, err
		}
	}
	run, err := openRun(c)
	if err != nil {
		return pipeline.StageResult{}, err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	if opts.Screened, err = drops(run); err != nil {
		return pipeline.StageResult{}, err
	}
	stage, err := stageOf(opts)
	if err != nil {
		return pipeline.StageResult{}, err
	}
	return run.Do(c.Context, stage)
}

func exportSets(c *cli.Context, registry datasets.Registry, configs []string) error {
	opts, err := choiceOf(c, registry)
	if err != nil {
		return err
	}
	dir := c.Path("dir")
	// A set that is made alone leaves the others that are there.
	made, err := export.Made(dir)
	if err != nil {
		return err
	}
	opts.Configs, opts.Strategies = append(made, configs...), c.StringSlice("strategy")
	opts.MaxTokens, opts.MaxSimilarity, opts.KeepDuplicates, opts.Seed = c.Int("max-tokens"), c.Float64("max-similarity"), c.Bool("keep-duplicates"), c.Uint64("seed")
	if _, err := makeExport(c, opts, export.Stage); err != nil {
		return err
	}
	return printExport(c, dir)
}

func printExport(c *cli.Context, dir string) error {
	reports, err := export.ReadReports(dir)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		enc := json.NewEncoder(c.App.Writer)
		enc.SetIndent("", "  ")
		return enc.Encode(reports)
	}
	t := newTable(c.App.Writer, "tier", "set", "split", "candidates", "left out", "rows", "files", "bytes", "tokens p50", "p95", "max")
	for _, r := range reports {
		for _, s := range r.Sets {
			t.AppendRow(table.Row{r.Tier, s.Config, s.Split, s.Candidates, s.Candidates - s.Rows, s.Rows, len(s.Files), s.Bytes,
				s.Tokens.P50, s.Tokens.P95, s.Tokens.Max})
		}
	}
	t.Render()
	for _, r := range reports {
		trajectories, graded := r.Covered()
		fmt.Fprintf(c.App.Writer, "%s: %d of %d trajectories have a reward; reasons for what was left out: %s\n",
			r.Tier, graded, trajectories, "datasets/"+r.Tier+"/README.md")
	}
	return nil
}
