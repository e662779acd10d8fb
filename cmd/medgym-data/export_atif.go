package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/export"
)

// exportATIFCommand writes trajectories for exchange. It is no training set, and no
// part of export all.
func exportATIFCommand(registry datasets.Registry) *cli.Command {
	return &cli.Command{
		Name: "atif", Usage: "trajectories for exchange, in the Agent Trajectory Interchange Format: atif/<tier>/", HideHelpCommand: true,
		Flags: runFlags(append(subsetFlags(),
			&cli.StringSliceFlag{Name: "source", Usage: "only this source; may be repeated"},
			&cli.StringSliceFlag{Name: "split", Usage: "only this split, train or test; may be repeated"},
			&cli.BoolFlag{Name: "public", Usage: "for a public hub: refuse to export rows that are not open"},
		)...),
		Action: func(c *cli.Context) (err error) {
			dir := c.Path("dir")
			if _, err := registry.Select(c.StringSlice("source")...); err != nil {
				return usageError{err}
			}
			subset, fraction, err := subsetOf(c)
			if err != nil {
				return usageError{err}
			}
			opts := export.Options{Registry: registry, Sources: c.StringSlice("source"), Splits: c.StringSlice("split"), Subset: subset, SubsetFraction: fraction}
			if _, err := export.ATIFStage(opts); err != nil {
				return usageError{err}
			}
			if err := export.Require(dir); err != nil {
				return err
			}
			if c.Bool("public") {
				if err := export.RequireOpen(dir, opts); err != nil {
					return err
				}
			}
			run, err := openRun(c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, run.Close()) }()
			if opts.Screened, err = drops(run); err != nil {
				return err
			}
			stage, err := export.ATIFStage(opts)
			if err != nil {
				return err
			}
			res, err := run.Do(c.Context, stage)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c, res)
			}
			tiers, err := export.ReadATIFSummary(res)
			if err != nil {
				return err
			}
			t := newTable(c.App.Writer, "tier", "split", "trajectories", "left out", "documents", "files", "bytes")
			for _, tier := range schemas.Tiers {
				for _, split := range []string{schemas.SplitTrain, schemas.SplitTest} {
					if s, ok := tiers[tier][split]; ok {
						t.AppendRow(table.Row{tier, split, s.Trajectories, fmt.Sprintf("%d%s", s.Trajectories-s.Documents, listed(s.LeftOut)), s.Documents, s.Files, s.Bytes})
					}
				}
			}
			t.Render()
			return nil
		},
	}
}

// listed spells counts as " (a 1, b 2)".
func listed(counts map[string]int) string {
	if len(counts) == 0 {
		return ""
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
