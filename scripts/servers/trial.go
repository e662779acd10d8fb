package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/medgym-data/medgym-data/schemas"
)

// The lengths of the servers' contexts: one that every attempt has room in, and one
// that is shorter than the first prompt of every task.
const (
	longContext  = 24_576
	shortContext = 512
)

// trial is one rollout against a server.
type trial struct {
	name, about string
	context     int
	// flags of the rollout beside those that all have.
	flags func(kind) []string
	// during runs beside the rollout; nil: nothing. ended is closed when it is over.
	during func(ctx context.Context, s *server, ended <-chan struct{}) error
	// check says what is wrong with what came of it.
	check func(kind, result) []string
}

// result is what came of a trial.
type result struct {
	exit    int
	message string // of standard error
	rows    []schemas.Trajectory
	asked   int // requests that reached the model, or were refused for their length
	seconds float64
}

var trials = []trial{
	// Some replies reach their end, and others their longest.
	{name: "garbage", about: "text of random weights", context: longContext, check: sampled,
		flags: func(kind) []string { return []string{"--reply-tokens", "60"} }},
	{name: "grammar", about: "random actions, held to a schema", context: longContext,
		flags: func(k kind) []string { return []string{"--extra-body", k.extra.grammar, "--reply-tokens", "400"} },
		check: func(k kind, r result) []string { return append(sampled(k, r), executed(r)...) }},
	{name: "tools", about: "native tool calls", context: longContext,
		flags: func(k kind) []string {
			return []string{"--protocol", "tools", "--extra-body", k.extra.tools, "--reply-tokens", "400"}
		},
		check: func(k kind, r result) []string { return append(sampled(k, r), called(r)...) }},
	{name: "short", about: "prompts longer than the context", context: shortContext, check: short},
	{name: "killed", about: "server killed, and back after 3 s", context: longContext, during: killed, check: sampled},
	{name: "model", about: "a model that is not there", context: longContext,
		flags: func(kind) []string { return []string{"--model", "no-such-model"} }, check: misnamed},
}

// lab is what the trials share.
type lab struct {
	binary, prepared, model, work, keep string
	attempts                            int // at each task
	expected                            int // rows of a rollout
	seed                                uint64
}

// try runs a trial against a server of this kind.
func (l lab) try(ctx context.Context, k kind, launch launcher, t trial) (res result, faults []string, err error) {
	work := filepath.Join(l.work, k.name+"-"+t.name)
	dir := filepath.Join(work, "run")
	if err := os.CopyFS(dir, os.DirFS(l.prepared)); err != nil {
		return res, nil, fmt.Errorf("copy the run folder: %w", err)
	}
	s, err := serve(ctx, launch, filepath.Join(work, "server"), l.model, t.context)
	if err != nil {
		return res, nil, err
	}
	defer func() {
		s.kill()
		err = errors.Join(err, l.keepAs(k.name+"-"+t.name, filepath.Join(work, "server", "log"), res))
	}()
	// A flag that is given twice counts as it was given last.
	args := []string{"--quiet", "rollout", "--dir", dir, "--policy", "openai", "--endpoint", s.endpoint(), "--model", modelName, "--json",
		"-k", strconv.Itoa(l.attempts), "--seed", strconv.FormatUint(l.seed, 10), "--concurrency", "4", "--turns", "4", "--temperature", "1",
		"--reply-tokens", "120", "--patience", "2m", "--request-timeout", "2m"}
	if t.flags != nil {
		args = append(args, t.flags(k)...)
	}
	begin := time.Now()
	if err := l.rollout(ctx, args, s, t, &res); err != nil {
		return res, nil, err
	}
	res.seconds = time.Since(begin).Seconds()
	if res.asked, err = s.asked(); err != nil {
		return res, nil, err
	}
	if res.rows, faults, err = readRows(ctx, filepath.Join(dir, "trajectories")); err != nil {
		return res, nil, err
	}
	if res.exit == 0 && len(res.rows) != l.expected {
		faults = append(faults, fmt.Sprintf("%d rows of %d attempts", len(res.rows), l.expected))
	}
	return res, append(faults, t.check(k, res)...), nil
}

// rollout runs the program, and beside it what the trial does to the server.
func (l lab) rollout(ctx context.Context, args []string, s *server, t trial, res *result) error {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, l.binary, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, time.Minute
	ended, done := make(chan struct{}), make(chan error, 1)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		if t.during == nil {
			done <- nil
			return
		}
		done <- t.during(ctx, s, ended)
	}()
	err := cmd.Wait()
	close(ended)
	besides := <-done
	res.message = strings.TrimSpace(stderr.String())
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		res.exit, err = exit.ExitCode(), nil
	}
	return errors.Join(err, besides, ctx.Err())
}

// killed kills the server when it has answered a few requests, and starts it again
// after three seconds.
func killed(ctx context.Context, s *server, ended <-chan struct{}) error {
	for {
		if n, err := s.asked(); err != nil {
			return err
		} else if n >= 4 {
			break
		}
		select {
		case <-ended:
			return errors.New("the rollout ended before the server was killed")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.kill()
	select {
	case <-ended:
		return errors.New("the rollout ended while there was no server")
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(3 * time.Second):
	}
	return s.start(ctx)
}
