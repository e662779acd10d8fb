package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/docker"
	"github.com/medgym-data/medgym-data/sandbox/namespace"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

// backend is a way to run programs.
type backend struct {
	name string
	open func(ctx context.Context, concurrency int, log *slog.Logger) (sandbox.Sandbox, error)
}

// backends are those that there are, the preferred one first.
func backends() []backend {
	return []backend{
		{"namespace", func(ctx context.Context, concurrency int, log *slog.Logger) (sandbox.Sandbox, error) {
			env, err := python.Find(ctx)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
			}
			return namespace.New(ctx, namespace.Options{Environment: env, Cells: concurrency, Log: log})
		}},
		{"docker", func(ctx context.Context, concurrency int, log *slog.Logger) (sandbox.Sandbox, error) {
			box, err := docker.New(ctx, docker.Options{Warm: concurrency, Log: log})
			if err != nil {
				return nil, err
			}
			return bounded(box, concurrency), nil
		}},
	}
}

// automatic takes the first backend that this machine can run.
const automatic = "auto"

// sandboxFlags are the flags of every command that runs programs.
func sandboxFlags() []cli.Flag {
	return append([]cli.Flag{concurrencyFlag("programs that run at the same time")}, boxFlags()...)
}

func concurrencyFlag(usage string) cli.Flag {
	return &cli.IntFlag{Name: "concurrency", Aliases: []string{"j"}, EnvVars: []string{"MEDGYM_CONCURRENCY"}, DefaultText: "one a core", Usage: usage}
}

// boxFlags choose the sandbox.
func boxFlags() []cli.Flag {
	return []cli.Flag{
		backendFlag(),
		&cli.BoolFlag{Name: "strict-sandbox", EnvVars: []string{"MEDGYM_STRICT_SANDBOX"}, Usage: "refuse to run where a control of the sandbox cannot be enforced"},
	}
}

func backendFlag() cli.Flag {
	return &cli.StringFlag{Name: "backend", Value: automatic, EnvVars: []string{"MEDGYM_BACKEND"},
		Usage: "where programs run: namespace, docker, or auto for the first of them that this machine can run",
		Action: func(c *cli.Context, _ string) error { // before there is work that it would undo
			_, err := chosen(c)
			return err
		}}
}

// chosen are the backends to try, by a flag's value.
func chosen(c *cli.Context) ([]backend, error) {
	all, name := backends(), c.String("backend")
	if name == automatic || name == "" {
		return all, nil
	}
	if at := slices.IndexFunc(all, func(b backend) bool { return b.name == name }); at >= 0 {
		return all[at : at+1], nil
	}
	return nil, usageErrorf(c, "--backend is auto, namespace or docker, not %q", name)
}

// openSandbox starts the sandbox that the flags ask for, for so many programs at the
// same time as --concurrency says.
func openSandbox(c *cli.Context) (sandbox.Sandbox, error) {
	return openSandboxFor(c, c.Int("concurrency"))
}

func openSandboxFor(c *cli.Context, programs int) (sandbox.Sandbox, error) {
	log, err := logger(c)
	if err != nil {
		return nil, err
	}
	if c.Int("concurrency") < 0 {
		return nil, usageError{fmt.Errorf("--concurrency is %d, must be at least 1", c.Int("concurrency"))}
	}
	candidates, err := chosen(c)
	if err != nil {
		return nil, err
	}
	box, err := first(c.Context, candidates, programs, log)
	if err != nil {
		return nil, err
	}
	missing := box.Info().Gaps()
	for _, control := range missing {
		log.Info("not enforced by the sandbox here", "backend", box.Info().Backend, "control", control)
	}
	if len(missing) > 0 && c.Bool("strict-sandbox") {
		return nil, errors.Join(fmt.Errorf("%w: --strict-sandbox, and this is not enforced by %s here: %s",
			sandbox.ErrUnavailable, box.Info().Backend, strings.Join(missing, "; ")), box.Close())
	}
	return box, nil
}

// first opens the first backend that this machine can run, or says of each why not.
func first(ctx context.Context, candidates []backend, concurrency int, log *slog.Logger) (sandbox.Sandbox, error) {
	var why []string
	for _, b := range candidates {
		box, err := b.open(ctx, concurrency, log)
		if err == nil {
			return box, nil
		}
		if !errors.Is(err, sandbox.ErrUnavailable) {
			return nil, err
		}
		if len(candidates) == 1 {
			return nil, err
		}
		why = append(why, b.name+": "+reason(err))
		log.Warn("a backend of the sandbox cannot run here", "backend", b.name, "why", reason(err))
	}
	return nil, fmt.Errorf("%w: %s", sandbox.ErrUnavailable, strings.Join(why, "; "))
}

// reason is an error without what every refusal begins with.
func reason(err error) string {
	text := oneLine(err.Error())
	for {
		rest, ok := strings.CutPrefix(text, sandbox.ErrUnavailable.Error()+": ")
		if !ok {
			return text
		}
		text = rest
	}
}

// bounded lets so many programs of a sandbox run at the same time, one a core for 0,
// whatever the number of its sessions. Those that wait do not use up their run time.
// (The namespace backend does so itself: a cell runs one after the other.)
func bounded(box sandbox.Sandbox, programs int) sandbox.Sandbox {
	if programs == 0 {
		programs = runtime.GOMAXPROCS(0)
	}
	return boundedSandbox{box, make(chan struct{}, programs)}
}

type boundedSandbox struct {
	sandbox.Sandbox
	turns chan struct{}
}

// Open implements sandbox.Sandbox.
func (b boundedSandbox) Open(ctx context.Context, spec sandbox.Spec) (sandbox.Session, error) {
	session, err := b.Sandbox.Open(ctx, spec)
	if err != nil {
		return nil, err
	}
	return boundedSession{session, b.turns}, nil
}

type boundedSession struct {
	sandbox.Session
	turns chan struct{}
}

// Run implements sandbox.Session.
func (s boundedSession) Run(ctx context.Context, cmd sandbox.Command) (sandbox.Result, error) {
	select {
	case s.turns <- struct{}{}:
	case <-ctx.Done():
		return sandbox.Result{}, ctx.Err()
	}
	defer func() { <-s.turns }()
	return s.Session.Run(ctx, cmd)
}
