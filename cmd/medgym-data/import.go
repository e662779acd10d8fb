package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/rollout"
	"github.com/medgym-data/medgym-data/stages/rollout/replay"
)

// importCommand takes in attempts that were recorded elsewhere: rollout with the policy
// replay over all of them, and an account of what was read.
func importCommand(registry datasets.Registry) *cli.Command {
	return &cli.Command{
		Name:  "import",
		Usage: "take in recorded attempts: run them in the sandbox and grade them again",
		Flags: runFlags(append(sandboxFlags(),
			&cli.PathFlag{Name: "from", Usage: "a run folder, Parquet files of trajectories, history_*.json of the public release, or ATIF; a file or a folder"},
			&cli.StringFlag{Name: "format", Value: replay.FormatAuto, Usage: "only recordings of this format: trajectories, history or atif; auto: told by their content"},
			&cli.BoolFlag{Name: "dry-run", Usage: "match recordings with tasks and tell what would be played"},
			&cli.StringFlag{Name: "model", Usage: "who was recorded, where recordings do not say"},
			&cli.IntFlag{Name: "attempts", Aliases: []string{"k"}, DefaultText: "all", Usage: "at most so many recordings of each task"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of what programs draw at random"},
			&cli.StringSliceFlag{Name: "source", Usage: "only this source; may be repeated. It is also the source of histories whose folders name none"},
			&cli.StringSliceFlag{Name: "split", Usage: "only this split, train or test; may be repeated. It is also the split of histories whose folders name none"},
			&cli.BoolFlag{Name: "keep-quarantined", Usage: "play recordings of the tasks too whose labels prepare found to be wrong"},
			&cli.StringFlag{Name: "feedback", Value: schemas.FeedbackStopOnSuccess, Usage: "stop_on_success: a verdict after every submission; submit_once: the first submission is final, without one"},
			&cli.IntFlag{Name: "turns", Value: 15, Usage: "replies in an attempt"},
			&cli.DurationFlag{Name: "timeout", Value: 120 * time.Second, Usage: "run time of one program"},
			&cli.DurationFlag{Name: "drain", Value: 20 * time.Second, Usage: "how long attempts in flight may go on after Ctrl-C"},
		)...),
		Action: func(c *cli.Context) error {
			if err := need(c, "from"); err != nil {
				return err
			}
			if format := c.String("format"); !slices.Contains(replay.Formats, format) {
				return usageErrorf(c, "--format is %s, not %q", strings.Join(replay.Formats, ", "), format)
			}
			opts := importOptions(c, registry)
			if _, err := rollout.Stage(opts); err != nil {
				return usageError{err}
			}
			recordings, err := openRecordings(c, registry, c.Path("from"), c.String("format"), !c.Bool("dry-run"))
			if err != nil {
				return err
			}
			playAll(c, recordings, &opts)
			if c.Bool("dry-run") {
				err = printImport(c, recordings, nil)
			} else {
				err = playImport(c, recordings, opts)
			}
			return errors.Join(err, recordings.Close())
		},
	}
}

// importOptions reads the flags. The policy is a stand-in until recordings are read.
func importOptions(c *cli.Context, registry datasets.Registry) rollout.Options {
	return rollout.Options{
		Registry: registry, Sources: c.StringSlice("source"), Splits: c.StringSlice("split"), Policies: &replay.Recordings{},
		K: max(c.Int("attempts"), 1), Seed: c.Uint64("seed"), Feedback: c.String("feedback"),
		Limits:      rollout.Limits{Turns: c.Int("turns"), Execution: c.Duration("timeout")},
		Concurrency: c.Int("concurrency"), Drain: c.Duration("drain"),
		Sandbox: func(context.Context) (sandbox.Sandbox, error) { return openSandbox(c) },
	}
}

func playImport(c *cli.Context, recordings *replay.Recordings, opts rollout.Options) (err error) {
	run, err := openRun(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	opts.Validated = run.Done("validate") && !c.Bool("keep-quarantined")
	if opts.Screened, err = drops(run); err != nil {
		return err
	}
	stage, err := rollout.Stage(opts)
	if err != nil {
		return err
	}
	res, err := run.Do(c.Context, stage)
	if err != nil {
		return err
	}
	return printImport(c, recordings, &res)
}

// printImport tells what was read and, where it was played, what came of it.
func printImport(c *cli.Context, recordings *replay.Recordings, res *pipeline.StageResult) error {
	var verdicts map[string]replay.Comparison
	var err error
	if res != nil {
		if verdicts, err = recordings.Compare(c.Context, filepath.Join(c.Path("dir"), "trajectories")); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		report := struct {
			Recordings replay.Account               `json:"recordings"`
			Skipped    *bool                        `json:"skipped,omitempty"`
			Summary    map[string]any               `json:"summary,omitempty"`
			Outputs    []pipeline.FileDigest        `json:"outputs,omitempty"`
			Verdicts   map[string]replay.Comparison `json:"verdicts,omitempty"`
		}{Recordings: recordings.Account(), Verdicts: verdicts}
		if res != nil {
			report.Skipped, report.Summary, report.Outputs = &res.Skipped, res.Summary, res.Outputs
		}
		enc := json.NewEncoder(c.App.Writer)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	printRecordings(c.App.Writer, recordings.Account())
	if res == nil {
		fmt.Fprintln(c.App.Writer, "nothing was played: --dry-run")
		return nil
	}
	if err := printRollout(c, *res); err != nil {
		return err
	}
	printVerdicts(c.App.Writer, verdicts)
	return nil
}
