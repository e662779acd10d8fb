package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/stages/rollout/chat"
	"github.com/medgym-data/medgym-data/stages/score"
)

// scoreCommand gives trajectories a verifier's scores.
func scoreCommand(registry datasets.Registry) *cli.Command {
	return &cli.Command{
		Name:  "score",
		Usage: "give trajectories a verifier's scores, from a file or from a model",
		Flags: runFlags(append(serverFlags(),
			&cli.PathFlag{Name: "scores", Usage: `file of scores: JSON Lines {"trajectory_id", "score", "verifier"}, or Parquet with these columns; verifier may be left out`},
			&cli.StringFlag{Name: "model", Usage: "name of the verifier model"},
			&cli.StringFlag{Name: "verifier", DefaultText: "the file's, or the model", Usage: "name under which the scores are kept"},
			&cli.StringSliceFlag{Name: "source", Usage: "only this source; may be repeated"},
			&cli.BoolFlag{Name: "partial", Usage: "go on where rows of the file cannot be used, or trajectories stay without a score, and count them"},
			&cli.IntFlag{Name: "max-tokens", Value: 32_768, Usage: "most tokens of a question: outputs are cut until it fits, as in the verifier set"},
			&cli.IntFlag{Name: "concurrency", Value: 32, EnvVars: []string{"MEDGYM_CONCURRENCY"}, Usage: "questions at a time"},
			&cli.StringFlag{Name: "extra-body", Usage: "JSON object, or @FILE with one, that is merged into each request"},
		)...),
		Action: func(c *cli.Context) (err error) {
			access := accessLog(c)
			opts, err := scoreOptions(c, registry, &access)
			if err != nil {
				return asUsage(err)
			}
			if opts.Model != nil {
				defer func() { err = errors.Join(err, opts.Model.Close()) }()
			}
			if err := requireRun(c); err != nil {
				return err
			}
			run, err := openRunLogged(c, access)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, run.Close()) }()
			if err := permitEndpoints(run, access.Endpoints, opts.Sources); err != nil {
				return err
			}
			stage, err := score.Stage(opts)
			if err != nil {
				return asUsage(err)
			}
			res, err := run.Do(c.Context, stage)
			if err != nil {
				return err
			}
			return printScore(c, res)
		},
	}
}

// scoreOptions reads the flags, and notes where rows are sent.
func scoreOptions(c *cli.Context, registry datasets.Registry, access *governance.Log) (score.Options, error) {
	opts := score.Options{File: c.Path("scores"), Verifier: c.String("verifier"), Sources: c.StringSlice("source"), Partial: c.Bool("partial"),
		Replace: c.Bool("force"), MaxTokens: c.Int("max-tokens"), Concurrency: c.Int("concurrency")}
	if _, err := registry.Select(opts.Sources...); err != nil {
		return opts, err
	}
	endpoints := len(c.StringSlice("endpoint")) > 0
	if opts.File != "" && os.Getenv("MEDGYM_ENDPOINT") != "" {
		endpoints = false // it is there for other commands
	}
	if (opts.File != "") == endpoints {
		return opts, errors.New("name either a file, --scores, or a verifier, --endpoint and --model")
	}
	if opts.MaxTokens < 1 || opts.Concurrency < 1 {
		return opts, errors.New("--max-tokens and --concurrency have to be above zero")
	}
	if opts.File != "" {
		for _, flag := range []string{"model", "extra-body"} {
			if c.String(flag) != "" {
				return opts, fmt.Errorf("--%s is about a verifier that is asked, and --scores names a file", flag)
			}
		}
		return opts, nil
	}
	if err := need(c, "model"); err != nil {
		return opts, err
	}
	servers, err := serversOf(c, c.String("model"))
	if err != nil {
		return opts, err
	}
	if opts.Extra, err = extraOf(c); err != nil {
		return opts, err
	}
	client, err := chat.NewClient(servers)
	if err != nil {
		return opts, err
	}
	opts.Model, access.Endpoints = client, servers.Endpoints
	return opts, nil
}

func printScore(c *cli.Context, res pipeline.StageResult) error {
	if c.Bool("json") {
		return printJSON(c, res)
	}
	ids, sources, all, err := bySource[score.Report](res)
	if err != nil {
		return err
	}
	t := newTable(c.App.Writer, "source", "trajectories", "scored", "coverage", "by", "without", "replaced")
	line := func(name string, r score.Report) table.Row {
		return table.Row{name, r.Trajectories, r.Scored, share(r.Scored, r.Trajectories), reasons(r.How), reasons(r.Unscored), r.Replaced}
	}
	for _, id := range ids {
		t.AppendRow(line(id, sources[id]))
	}
	t.AppendFooter(line("all", all))
	t.Render()
	fmt.Fprintf(c.App.Writer, "verifier: %s; answered in an earlier run: %d\n", all.Verifier, all.Resumed)
	if all.PromptTokens > 0 {
		cost := ""
		if all.CostUSD > 0 {
			cost = fmt.Sprintf(", %.2f USD", all.CostUSD)
		}
		fmt.Fprintf(c.App.Writer, "asked for: %d prompt tokens%s\n", all.PromptTokens, cost)
	}
	if n := all.How[score.HowText]; n > 0 {
		fmt.Fprintf(c.App.Writer, "the endpoint gave no log probabilities for %d trajectories: their scores are 1 or 0, by the word that it said\n", n)
	}
	if len(all.Faults) > 0 {
		fmt.Fprintf(c.App.Writer, "rows of the file that were left out: %s\n", reasons(all.Faults))
	}
	if res.Skipped {
		fmt.Fprintln(c.App.Writer, "unchanged: these trajectories have these scores already")
	}
	return nil
}

// reasons lists counts by name: "kept 3, logprobs 12".
func reasons(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}
