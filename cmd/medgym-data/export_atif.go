package main

import (
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
		Flags: choiceFlags(),
		Action: func(c *cli.Context) error {
			opts, err := choiceOf(c, registry)
			if err != nil {
				return err
			}
			res, err := makeExport(c, opts, export.ATIFStage)
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
