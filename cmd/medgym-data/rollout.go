package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/python"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/rollout"
	"github.com/medgym-data/medgym-data/stages/rollout/chat"
	"github.com/medgym-data/medgym-data/stages/rollout/wheels"
)

// rolloutCommand samples trajectories at the tasks of a run folder.
func rolloutCommand(registry datasets.Registry) *cli.Command {
	return &cli.Command{
		Name:  "rollout",
		Usage: "sample trajectories: attempts at every task, run in the sandbox and graded",
		Flags: runFlags(append(slices.Concat(boxFlags(), subsetFlags(), planFlags(), chatFlags(), execFlags(), replayFlags(), debuggerFlags()),
			&cli.StringFlag{Name: "policy", Value: "reference", EnvVars: []string{"MEDGYM_POLICY"}, Usage: "who plays the agent: reference (gold solutions, with seeded mistakes), openai (a model behind a chat-completions API), exec (any program that speaks JSON Lines) or replay (recorded attempts)"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "the same seed gives the same trajectories"},
			&cli.StringSliceFlag{Name: "source", Usage: "only this source; may be repeated"},
			&cli.StringSliceFlag{Name: "split", Usage: "only this split, train or test; may be repeated"},
			&cli.BoolFlag{Name: "keep-quarantined", Usage: "sample the tasks too whose labels prepare found to be wrong"},
			&cli.StringFlag{Name: "feedback", Value: schemas.FeedbackStopOnSuccess, Usage: "stop_on_success: a verdict after every submission; submit_once: the first submission is final, without one"},
			&cli.IntFlag{Name: "turns", Value: 15, Usage: "replies in an attempt"},
			&cli.IntFlag{Name: "prompt-tokens", Value: 32_768, Usage: "most tokens of a prompt: the oldest observations are shortened to fit, and where that is not enough the attempt ends"},
			&cli.DurationFlag{Name: "attempt-time", Value: 40 * time.Minute, Usage: "time of an attempt: its programs and the requests that were answered; waiting for a server does not count"},
			&cli.DurationFlag{Name: "timeout", Value: 120 * time.Second, Usage: "run time of one program"},
			&cli.IntFlag{Name: "observation-chars", Value: 8_000, Usage: "characters of each text that the agent is shown; longer ones are cut in the middle"},
			&cli.PathFlag{Name: "packages", Usage: "let programs install packages with pip from this folder of wheels; off unless it is named"},
			&cli.StringFlag{Name: "package-index", Usage: "let programs install packages with pip from this one index, as https://pypi.org/simple; where rows are not open, a local one only"},
			&cli.StringFlag{Name: "shard", Usage: "only part i of n of the attempts, i/n with i from 0; of the tasks with --until-solved"},
			&cli.DurationFlag{Name: "drain", Value: 20 * time.Second, Usage: "how long attempts in flight may go on after Ctrl-C"},
		)...),
		Action: func(c *cli.Context) (err error) {
			access := accessLog(c)
			opts, err := rolloutOptions(c, registry, &access)
			if err == nil {
				_, err = rollout.Stage(opts)
			}
			if err != nil {
				return asUsage(err)
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
			if err := permitPackages(run, opts); err != nil {
				return err
			}
			opts.Validated = run.Done("validate") && !c.Bool("keep-quarantined")
			if opts.Screened, err = drops(run); err != nil {
				return err
			}
			if c.Bool("dry-run") {
				forecast, err := rollout.DryRun(c.Context, run, opts)
				if err != nil {
					return err
				}
				return printForecast(c, forecast)
			}
			stage, err := rollout.Stage(opts)
			if err != nil {
				return err
			}
			res, err := run.Do(c.Context, stage)
			if err != nil {
				return err
			}
			return errors.Join(printRollout(c, res), printReplayed(c, opts.Policies))
		},
	}
}

// planFlags say which attempts there are to be, and what they may take.
func planFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "attempts", Aliases: []string{"k"}, Value: 4, Usage: "attempts at each task; a finished rollout goes on with more, and loses none with less"},
		&cli.IntFlag{Name: "until-solved", Usage: "no further attempt at a task once so many are solved"},
		&cli.IntFlag{Name: "max-tasks", Usage: "at most so many tasks of each source, drawn by the seed"},
		&cli.StringSliceFlag{Name: "quota", Usage: "SOURCE=N: at most N tasks of that source, in place of --max-tasks; may be repeated"},
		&cli.Float64Flag{Name: "max-cost", Usage: "begin no attempt once all have cost so many USD; the same command with a higher cap goes on"},
		&cli.Int64Flag{Name: "max-tokens", Usage: "begin no attempt once all have taken so many tokens of prompts and replies"},
		&cli.DurationFlag{Name: "max-time", Usage: "begin no attempt after so long; the same command goes on"},
		&cli.IntFlag{Name: "infra-retries", Value: 2, Usage: "how often an attempt is begun anew when the model, the sandbox or what is between fails"},
		&cli.BoolFlag{Name: "retry-infra", Usage: "try the infra_error rows of a finished rollout again"},
		&cli.DurationFlag{Name: "give-up", Value: 15 * time.Minute, Usage: "how long nothing but infra errors may come before the run ends"},
		concurrencyFlag("attempts in flight; a thousand that wait for a model are well"),
		&cli.IntFlag{Name: "cells", EnvVars: []string{"MEDGYM_CELLS"}, DefaultText: "one a core, but no more than attempts in flight", Usage: "programs that run at the same time"},
		&cli.BoolFlag{Name: "dry-run", Usage: "print the plan, and the tokens and the cost that are to be expected; run nothing"},
	}
}

// readPlan reads planFlags.
func readPlan(c *cli.Context, opts *rollout.Options) error {
	opts.K, opts.UntilSolved, opts.MaxTasks = c.Int("attempts"), c.Int("until-solved"), c.Int("max-tasks")
	opts.Caps = rollout.Caps{CostUSD: c.Float64("max-cost"), Tokens: c.Int64("max-tokens"), Time: c.Duration("max-time")}
	opts.RetryInfra, opts.GiveUp, opts.Concurrency = c.Bool("retry-infra"), c.Duration("give-up"), c.Int("concurrency")
	for flag, above := range map[string]bool{"until-solved": opts.UntilSolved > 0, "max-cost": opts.Caps.CostUSD > 0, "max-tokens": opts.Caps.Tokens > 0,
		"max-time": opts.Caps.Time > 0, "give-up": opts.GiveUp > 0, "cells": c.Int("cells") > 0} {
		if c.IsSet(flag) && !above {
			return fmt.Errorf("--%s has to be above zero", flag)
		}
	}
	if opts.Retries = c.Int("infra-retries"); opts.Retries < 0 {
		return errors.New("--infra-retries cannot be negative")
	} else if opts.Retries == 0 {
		opts.Retries = -1 // none
	}
	for _, text := range c.StringSlice("quota") {
		source, number, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(number)
		if err != nil || source == "" {
			return fmt.Errorf("--quota %q is not SOURCE=N", text)
		}
		if _, twice := opts.Quotas[source]; twice {
			return fmt.Errorf("there are two quotas for source %s", source)
		}
		if opts.Quotas == nil {
			opts.Quotas = map[string]int{}
		}
		opts.Quotas[source] = n
	}
	return nil
}

// cells is the number of programs that run at the same time.
func cells(c *cli.Context) int {
	n, most := c.Int("cells"), c.Int("concurrency")
	if n == 0 && most > 0 {
		n = min(most, runtime.GOMAXPROCS(0))
	}
	return n
}

// rolloutOptions reads the flags, and notes where rows are sent.
func rolloutOptions(c *cli.Context, registry datasets.Registry, access *governance.Log) (rollout.Options, error) {
	opts := rollout.Options{
		Registry: registry, Sources: c.StringSlice("source"), Splits: c.StringSlice("split"),
		Seed: c.Uint64("seed"), Feedback: c.String("feedback"),
		Limits: rollout.Limits{Turns: c.Int("turns"), PromptTokens: c.Int("prompt-tokens"), ReplyTokens: c.Int("reply-tokens"),
			Execution: c.Duration("timeout"), Attempt: c.Duration("attempt-time"), Observation: c.Int("observation-chars")},
		Drain:   c.Duration("drain"),
		Sandbox: func(context.Context) (sandbox.Sandbox, error) { return openSandboxFor(c, cells(c)) },
	}
	if err := readPlan(c, &opts); err != nil {
		return opts, err
	}
	switch name := c.String("policy"); name {
	case "reference":
		opts.Policies = rollout.Reference(registry, opts.Feedback)
	case "openai":
		policies, endpoints, err := chatPolicies(c)
		if err != nil {
			return opts, err
		}
		opts.Policies, access.Endpoints = policies, endpoints
		if file := c.Path("prices"); file != "" { // chatPolicies has found the model in it
			prices, err := chat.ReadPrices(file)
			if err != nil {
				return opts, err
			}
			if p := prices.Of(c.String("model")); p != nil {
				opts.Price = &rollout.Price{Input: p.Input, Output: p.Output}
			}
		}
	case "exec":
		receiver, err := execPolicies(c, &opts)
		if err != nil {
			return opts, err
		}
		access.Endpoints = []governance.Endpoint{*receiver}
	case "replay":
		if err := replayPolicy(c, registry, &opts); err != nil {
			return opts, err
		}
	default:
		return opts, fmt.Errorf("--policy %q is not known; known: reference, openai, exec, replay", name)
	}
	debugger, endpoints, err := debuggerOf(c)
	if err != nil {
		return opts, err
	}
	if debugger != nil {
		opts.Debugger = debugger
	}
	for _, e := range endpoints {
		if !slices.ContainsFunc(access.Endpoints, func(o governance.Endpoint) bool { return o.Name() == e.Name() }) {
			access.Endpoints = append(access.Endpoints, e)
		}
	}
	if opts.Limits.Observation < 200 {
		return opts, fmt.Errorf("--observation-chars is %d, must be at least 200", opts.Limits.Observation)
	}
	if opts.Limits.Turns < 1 || opts.Limits.PromptTokens < 1 || opts.Limits.Execution <= 0 || opts.Limits.Attempt <= 0 {
		return opts, errors.New("--turns, --prompt-tokens, --timeout and --attempt-time have to be above zero")
	}
	if opts.Packages, err = packagesOf(c); err != nil {
		return opts, err
	}
	if opts.Subset, opts.SubsetFraction, err = subsetOf(c); err != nil {
		return opts, err
	}
	if opts.Shard, opts.Shards, err = parseShard(c.String("shard")); err != nil {
		return opts, err
	}
	return opts, nil
}

// packagesOf is where the flags let programs install packages from; nil for nowhere.
func packagesOf(c *cli.Context) (*wheels.Source, error) {
	dir, index := c.Path("packages"), c.String("package-index")
	switch {
	case dir != "" && index != "":
		return nil, errors.New("--packages and --package-index exclude each other")
	case dir != "":
		return wheels.Folder(dir, python.Pins())
	case index == "":
		return nil, nil
	}
	endpoint, err := governance.ParseEndpoint(index)
	if err != nil || endpoint.Socket != "" {
		return nil, errors.Join(errors.New("--package-index is no address of an index, as https://pypi.org/simple"), err)
	}
	if endpoint, err = governance.Classify(c.Context, index, nil, nil); err != nil {
		return nil, err
	}
	return wheels.Index(endpoint, python.Pins()), nil
}

// parseShard reads i/n; empty is the whole.
func parseShard(s string) (i, n int, err error) {
	if s == "" {
		return 0, 0, nil
	}
	left, right, ok := strings.Cut(s, "/")
	if i, err = strconv.Atoi(left); err != nil || !ok {
		return 0, 0, fmt.Errorf("--shard %q is not i/n", s)
	}
	if n, err = strconv.Atoi(right); err != nil || n < 1 {
		return 0, 0, fmt.Errorf("--shard %q is not i/n", s)
	}
	return i, n, nil
}

// summaryOf reads a value of a stage's summary.
func summaryOf[T any](res pipeline.StageResult, key string) (T, error) {
	var v T
	data, err := json.Marshal(res.Summary[key])
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		return v, fmt.Errorf("summary %s: %w", key, err)
	}
	return v, nil
}

// bySource reads the summaries of the sources, and the sum under "all".
func bySource[T any](res pipeline.StageResult) (ids []string, sources map[string]T, all T, err error) {
	sources = map[string]T{}
	for _, key := range slices.Sorted(maps.Keys(res.Summary)) {
		if _, ok := res.Summary[key].(map[string]any); !ok {
			continue
		}
		v, err := summaryOf[T](res, key)
		if err != nil {
			return nil, nil, all, err
		}
		if key == "all" {
			all = v
			continue
		}
		ids = append(ids, key)
		sources[key] = v
	}
	return ids, sources, all, nil
}

func printRollout(c *cli.Context, res pipeline.StageResult) error {
	if c.Bool("json") {
		return printJSON(c, res)
	}
	ids, sources, all, err := bySource[rollout.SourceSummary](res)
	if err != nil {
		return err
	}
	resumed, err := summaryOf[int](res, "resumed")
	if err != nil {
		return err
	}
	former, err := summaryOf[int](res, "former")
	if err != nil {
		return err
	}
	outcomes := slices.DeleteFunc(slices.Clone(schemas.Outcomes), func(o schemas.Outcome) bool { return all.Outcomes[o] == 0 })
	header := []any{"source", "tasks", "not ready"}
	if all.Tasks[rollout.Dropped] > 0 {
		header = append(header, "dropped")
	}
	header = append(header, "no play", "attempts")
	for _, o := range outcomes {
		header = append(header, o)
	}
	t := newTable(c.App.Writer, append(header, "solved", "upstream", "turns")...)
	line := func(name string, s rollout.SourceSummary) table.Row {
		notReady := -s.Tasks[schemas.StatusReady] - s.Tasks[rollout.Dropped]
		for _, n := range s.Tasks {
			notReady += n
		}
		row := table.Row{name, s.Chosen, notReady}
		if all.Tasks[rollout.Dropped] > 0 {
			row = append(row, s.Tasks[rollout.Dropped])
		}
		row = append(row, s.NoPlay, s.Attempts)
		for _, o := range outcomes {
			row = append(row, s.Outcomes[o])
		}
		return append(row, share(s.Solved, s.Graded), share(s.Upstream, s.Graded), ratio(s.Turns, s.Attempts))
	}
	for _, id := range ids {
		t.AppendRow(line(id, sources[id]))
	}
	t.AppendFooter(line("all", all))
	t.Render()
	if n := all.Tasks[rollout.Dropped]; n > 0 {
		fmt.Fprintf(c.App.Writer, "%d training tasks overlap test tasks and were not sampled, as prepare --on-overlap drop said\n", n)
	}
	fmt.Fprintf(c.App.Writer, "graded: %d of %d attempts (%s); finished by an earlier run: %d\n", all.Graded, all.Attempts, share(all.Graded, all.Attempts), resumed+former)
	fmt.Fprintf(c.App.Writer, "tokens: %d of prompts, %d of replies; cost: %s\n", all.PromptTokens, all.CompletionTokens, usd(all.CostUSD))
	if n := all.Repaired + all.Regenerated + all.Cut + all.InfraRetries; n > 0 {
		fmt.Fprintf(c.App.Writer, "attempts with mended replies: %d; replies asked for again: %d; attempts shown in part: %d; attempts begun anew: %d\n", all.Repaired, all.Regenerated, all.Cut, all.InfraRetries)
	}
	if n := all.Outcomes[schemas.OutcomeInfraError]; n > 0 {
		fmt.Fprintf(c.App.Writer, "%d attempts ended as infra_error and have no verdict: the same command with --retry-infra tries them again\n", n)
	}
	if all.Kept > 0 {
		fmt.Fprintf(c.App.Writer, "%d attempts of an earlier plan are kept\n", all.Kept)
	}
	if err := printStop(c, res); err != nil {
		return err
	}
	if res.Skipped {
		fmt.Fprintln(c.App.Writer, "unchanged: these trajectories were there already")
	}
	return nil
}

// printStop says which cap was reached, and what is left.
func printStop(c *cli.Context, res pipeline.StageResult) error {
	stopped, err := summaryOf[string](res, "stopped")
	if err != nil || stopped == "" {
		return err
	}
	var numbers [2]int64
	for i, key := range []string{"made", "planned"} {
		if numbers[i], err = summaryOf[int64](res, key); err != nil {
			return err
		}
	}
	on := "the same command with a higher cap goes on"
	if stopped == rollout.CapTime {
		on = "the same command goes on"
	}
	_, err = fmt.Fprintf(c.App.Writer, "stopped at --max-%s: %d of %d attempts are made; %s\n", stopped, numbers[0], numbers[1], on)
	return err
}

// usd is an amount of money, or that it is not known.
func usd(amount *float64) string {
	if amount == nil {
		return "not known"
	}
	return fmt.Sprintf("%.4f USD", *amount)
}

func printForecast(c *cli.Context, f rollout.Forecast) error {
	if c.Bool("json") {
		enc := json.NewEncoder(c.App.Writer)
		enc.SetIndent("", "  ")
		return enc.Encode(f)
	}
	t := newTable(c.App.Writer, "source", "tasks", "attempts", "done", "left", "prompt tokens", "reply tokens", "cost")
	line := func(name string, s rollout.PlannedSource) table.Row {
		return table.Row{name, s.Tasks, s.Attempts, s.Done, s.Left, s.PromptTokens, s.CompletionTokens, usd(s.CostUSD)}
	}
	for _, id := range slices.Sorted(maps.Keys(f.Sources)) {
		t.AppendRow(line(id, f.Sources[id]))
	}
	t.AppendFooter(line("all", f.All))
	t.Render()
	if f.Shard != "" {
		fmt.Fprintf(c.App.Writer, "shard: %s\n", f.Shard)
	}
	if f.UntilSolved > 0 {
		fmt.Fprintln(c.App.Writer, "with --until-solved, at most so many attempts, tokens and USD")
	}
	if f.Spent.Tokens > 0 {
		fmt.Fprintf(c.App.Writer, "so far: %d tokens, %.4f USD\n", f.Spent.Tokens, f.Spent.CostUSD)
	}
	if a := f.Assumed; a != nil {
		fmt.Fprintf(c.App.Writer, "assumed where there are no rows to tell: %d replies an attempt of %d tokens each, answered with %d\n", a.Turns, a.ReplyTokens, a.ObservationTokens)
	}
	fmt.Fprintln(c.App.Writer, "nothing was run: this is what the same command without --dry-run would do")
	return nil
}

// printJSON prints what a stage did.
func printJSON(c *cli.Context, res pipeline.StageResult) error {
	enc := json.NewEncoder(c.App.Writer)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Skipped bool                  `json:"skipped"`
		Summary map[string]any        `json:"summary"`
		Outputs []pipeline.FileDigest `json:"outputs"`
	}{res.Skipped, res.Summary, res.Outputs})
}

// share is n of total in per cent.
func share(n, total int) string {
	if total == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(total))
}

func ratio(n, total int) string {
	if total == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(n)/float64(total))
}
