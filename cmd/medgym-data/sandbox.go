package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/namespace"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

// sandboxFlags are the flags of every command that runs programs.
func sandboxFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "concurrency", Aliases: []string{"j"}, EnvVars: []string{"MEDGYM_CONCURRENCY"}, DefaultText: "one a core", Usage: "programs that run at the same time"},
		&cli.BoolFlag{Name: "strict-sandbox", EnvVars: []string{"MEDGYM_STRICT_SANDBOX"}, Usage: "refuse to run where a control of the sandbox cannot be enforced"},
	}
}

// openSandbox starts the sandbox that the flags ask for.
func openSandbox(c *cli.Context) (sandbox.Sandbox, error) {
	log, err := logger(c)
	if err != nil {
		return nil, err
	}
	if c.Int("concurrency") < 0 {
		return nil, usageError{fmt.Errorf("--concurrency is %d, must be at least 1", c.Int("concurrency"))}
	}
	env, err := python.Find(c.Context)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
	}
	box, err := namespace.New(c.Context, namespace.Options{Environment: env, Cells: c.Int("concurrency"), Log: log})
	if err != nil {
		return nil, err
	}
	missing := box.Info().Gaps()
	for _, control := range missing {
		log.Info("not enforced by the sandbox here", "control", control)
	}
	if len(missing) > 0 && c.Bool("strict-sandbox") {
		return nil, errors.Join(fmt.Errorf("%w: --strict-sandbox, and this is not enforced here: %s",
			sandbox.ErrUnavailable, strings.Join(missing, "; ")), box.Close())
	}
	return box, nil
}
