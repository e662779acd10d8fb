// Command servers shows that a rollout works end to end against servers of models
// that others wrote: llama.cpp's, from PyPI, and Ollama, built from the Go proxy.
//
//	go run ./scripts/servers -server llama
//
// The model is made here, with random weights: it says noise, which a rollout has to
// live with. Held to a schema, noise is actions, and those are run. Of each server
// it tries: noise, actions, tool calls, a context that is too short, the death and
// return of the server, a wrong name. The rows are held to their contract, and
// exit code 1 says that something was not as it has to be.
//
// What is installed goes into the user's cache folder, the first time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/jedib0t/go-pretty/v6/table"
)

type options struct {
	binary, server, trial, keep string
	rows, attempts              int
	seed                        uint64
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/medgym-data", "program")
	flag.StringVar(&o.server, "server", "llama", "llama, ollama or all")
	flag.StringVar(&o.trial, "trial", "", "only this one")
	flag.StringVar(&o.keep, "keep", "", "folder for a transcript and the server's log of each trial")
	flag.IntVar(&o.rows, "rows", 3, "rows of each split of the tasks' source")
	flag.IntVar(&o.attempts, "k", 3, "attempts at each task")
	flag.Uint64Var(&o.seed, "seed", 1, "of the weights and of the rollouts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		os.Exit(1)
	}
}

// run makes the model and the tasks, and tries every server that was chosen.
func (o options) run(ctx context.Context) (err error) {
	chosen, runs, err := o.choose()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "servers-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if o.keep != "" {
		if err := os.MkdirAll(o.keep, 0o755); err != nil {
			return err
		}
	}
	l := lab{binary: o.binary, prepared: filepath.Join(work, "prepared"), model: filepath.Join(work, modelName+".gguf"), work: work,
		keep: o.keep, attempts: o.attempts, expected: 2 * o.rows * o.attempts, seed: o.seed}
	if err := tiny(o.seed, longContext).save(l.model); err != nil {
		return fmt.Errorf("make the model: %w", err)
	}
	raw := filepath.Join(work, "raw")
	for _, args := range [][]string{
		{"synth", "--out", raw, "--rows", strconv.Itoa(o.rows), "--source", "npowerai"},
		{"--quiet", "prepare", "--raw", raw, "--dir", l.prepared, "--no-validate"},
	} {
		if out, err := exec.CommandContext(ctx, o.binary, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", args[0], err, out)
		}
	}

	out := table.NewWriter()
	out.AppendHeader(table.Row{"server", "trial", "attempts", "outcomes", "requests", "seconds", ""})
	wrong := 0
	for _, k := range chosen {
		launch, err := k.prepare(ctx, os.Stderr)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		for _, t := range runs {
			res, faults, err := l.try(ctx, k, launch, t)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", k.name, t.name, err)
			}
			ended := tally(outcomes(res.rows))
			if res.exit != 0 {
				ended = fmt.Sprintf("exit code %d", res.exit)
			}
			verdict := "as it has to be"
			if len(faults) > 0 {
				verdict, wrong = "WRONG", wrong+1
				for _, f := range faults {
					fmt.Fprintf(os.Stderr, "%s, %s: %s\n", k.name, t.name, f)
				}
			}
			out.AppendRow(table.Row{k.name, t.name + ": " + t.about, len(res.rows), ended, res.asked, fmt.Sprintf("%.1f", res.seconds), verdict})
		}
	}
	fmt.Println(out.Render())
	if wrong > 0 {
		return fmt.Errorf("%d trials did not end as they have to", wrong)
	}
	return nil
}

// choose finds the servers and trials by name.
func (o options) choose() ([]kind, []trial, error) {
	chosen := slices.Clone(kinds)
	if o.server != "all" {
		chosen = slices.DeleteFunc(chosen, func(k kind) bool { return k.name != o.server })
	}
	runs := slices.Clone(trials)
	if o.trial != "" {
		runs = slices.DeleteFunc(runs, func(t trial) bool { return t.name != o.trial })
	}
	switch {
	case len(chosen) == 0:
		return nil, nil, fmt.Errorf("-server %q: want llama, ollama or all", o.server)
	case len(runs) == 0:
		return nil, nil, fmt.Errorf("-trial %q is not known", o.trial)
	case o.rows < 1 || o.attempts < 1:
		return nil, nil, errors.New("-rows and -k have to be above zero")
	}
	return chosen, runs, nil
}
