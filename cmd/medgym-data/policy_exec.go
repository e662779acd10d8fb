package main

import (
	"path/filepath"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/stages/rollout"
	playing "github.com/medgym-data/medgym-data/stages/rollout/program"
)

// execLogFile takes, in the run folder, what agent programs write to stderr.
const execLogFile = "exec.log"

// mostPrograms is how many agent programs run at a time where nothing is said.
const mostPrograms = 64

// execFlags are the flags of the policy exec, beside --model.
func execFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "exec", EnvVars: []string{"MEDGYM_EXEC"}, Usage: "exec: the program that plays, with its arguments, split as a shell splits words but run without one: \"python3 agent.py --x y\"; see docs/exec.md"},
		&cli.DurationFlag{Name: "exec-timeout", Value: 10 * time.Minute, Usage: "exec: how long the program may take for one reply"},
		&cli.StringSliceFlag{Name: "exec-env", Usage: "exec: `NAME` of a variable that the program gets beside PATH, HOME, LANG and " + playing.Prefix + "*; may be repeated"},
		&cli.BoolFlag{Name: "exec-local", Usage: "exec: state that the program sends rows to no third party; without it, it gets open rows only"},
		&cli.IntFlag{Name: "programs", DefaultText: "one for each attempt in flight, 64 at most", Usage: "exec: most programs at a time; no more attempts are in flight"},
	}
}

// execPolicies makes the policy exec of the flags, and holds the attempts in flight to
// the number of programs: more would only wait for one.
func execPolicies(c *cli.Context, opts *rollout.Options) (*governance.Endpoint, error) {
	if err := need(c, "exec"); err != nil {
		return nil, err
	}
	command, err := playing.Split(c.String("exec"))
	if err != nil {
		return nil, usageErrorf(c, "--exec cannot be split into words: %w", err)
	}
	if c.Duration("exec-timeout") <= 0 {
		return nil, usageErrorf(c, "--exec-timeout has to be above zero")
	}
	programs := c.Int("programs")
	switch {
	case programs < 0 || programs == 0 && c.IsSet("programs"):
		return nil, usageErrorf(c, "--programs has to be at least 1")
	case programs == 0:
		programs = mostPrograms
	}
	environment, err := playing.Environment(c.StringSlice("exec-env"))
	if err != nil {
		return nil, err
	}
	policies, err := playing.New(playing.Options{
		Command: command, Name: c.String("model"), Environment: environment, Local: c.Bool("exec-local"), Timeout: c.Duration("exec-timeout"),
		Programs: programs, Feedback: opts.Feedback, Limits: opts.Limits, Log: filepath.Join(c.Path("dir"), execLogFile), Version: c.App.Version,
	})
	if err != nil {
		return nil, err
	}
	opts.Policies = policies
	if opts.Concurrency == 0 {
		opts.Concurrency = min(runtime.GOMAXPROCS(0), programs)
	}
	opts.Concurrency = min(opts.Concurrency, programs)
	receiver := policies.Receiver()
	return &receiver, nil
}
