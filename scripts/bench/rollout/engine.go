package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medgym-data/medgym-data/datasets/all"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/scripts/internal/modelserver"
	"github.com/medgym-data/medgym-data/scripts/internal/runs"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// player is the policy: it plays the script, and waits before each reply.
type player struct {
	script modelserver.Script
	wait   time.Duration
}

// About implements rollout.Policies.
func (p player) About() schemas.Policy {
	return schemas.Policy{Kind: "bench", Model: "scripted", EndpointClass: "local"}
}

// New implements rollout.Policies.
func (p player) New(task schemas.Task, _ int, seed uint64) (rollout.Policy, error) {
	return &play{player: p, task: task.Instruction, seed: int64(seed >> 1)}, nil
}

type play struct {
	player
	task string
	seed int64
	turn int
}

// Next implements rollout.Policy.
func (p *play) Next(ctx context.Context, _ rollout.Conversation) (rollout.Reply, error) {
	if p.wait > 0 {
		timer := time.NewTimer(p.wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return rollout.Reply{}, ctx.Err()
		}
	}
	reply := p.script.Reply(p.task, p.seed, p.turn)
	p.turn++
	return rollout.Reply{Content: reply.Content}, nil
}

// script is what all attempts play.
func (b *bench) script() modelserver.Script {
	return modelserver.Script{Answers: b.answers, Runs: turns - 1, Solve: true}
}

// cost is what something took, and what this process worked meanwhile, without its
// children.
type cost struct{ took, cpu time.Duration }

// measure starts to measure; what it returns ends that.
func measure() func() cost {
	begin, before := time.Now(), ownCPU()
	return func() cost { return cost{time.Since(begin), ownCPU() - before} }
}

func ownCPU() time.Duration {
	var usage unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &usage) // of itself it cannot fail
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// engine runs the stage in a copy of a prepared run folder. The sandbox stays open.
func (b *bench) engine(ctx context.Context, prepared string, concurrency int, wait time.Duration, box sandbox.Sandbox) (c cost, err error) {
	work, err := os.MkdirTemp(b.work, "run-")
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	dir := filepath.Join(work, "run")
	if err := runs.Copy(prepared, dir); err != nil {
		return c, err
	}
	run, err := pipeline.Open(ctx, dir, pipeline.Options{Version: "bench"})
	if err != nil {
		return c, err
	}
	stage, err := rollout.Stage(rollout.Options{
		Registry: all.Registry(), Policies: player{b.script(), wait}, K: k, Seed: 1, Concurrency: concurrency,
		Sandbox: func(context.Context) (sandbox.Sandbox, error) { return lent{box}, nil },
	})
	if err == nil {
		end := measure()
		_, err = run.Do(ctx, stage)
		c = end()
	}
	if err := errors.Join(err, run.Close()); err != nil {
		return c, err
	}
	return c, solved(ctx, dir)
}

// lent is a sandbox that its user does not close.
type lent struct{ sandbox.Sandbox }

// Close implements sandbox.Sandbox.
func (lent) Close() error { return nil }
