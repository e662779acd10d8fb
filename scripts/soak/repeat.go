package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/scripts/internal/lab"
)

// repeats runs executions in a row, in sessions that come and go, and takes a
// census each time a tenth is done.
type repeats struct {
	backend   string
	n         int
	recycle   int
	turns     int // executions of a session
	json      bool
	box       sandbox.Sandbox
	private   string
	executed  int
	censuses  []lab.Census
	startedAt time.Time
}

func repeat(ctx context.Context, args []string) error {
	var r repeats
	flags := flag.NewFlagSet("soak repeat", flag.ExitOnError)
	flags.StringVar(&r.backend, "backend", "namespace", "which sandbox")
	flags.IntVar(&r.n, "n", 100_000, "executions")
	flags.IntVar(&r.recycle, "recycle", 0, "executions of a cell; 0: the backend's default")
	flags.IntVar(&r.turns, "turns", 50, "executions of a session")
	flags.BoolVar(&r.json, "json", false, "print the censuses as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return lab.InFolder("soak", func() error { return r.run(ctx) })
}

func (r *repeats) run(ctx context.Context) (err error) {
	r.private, err = writePrivate()
	if err != nil {
		return err
	}
	fmt.Println(lab.Describe())
	empty := lab.Take(r.backend)
	r.box, err = lab.Open(ctx, r.backend, lab.Size{Recycle: r.recycle})
	if err != nil {
		return err
	}
	err = r.blocks(ctx)
	if err := errors.Join(err, r.box.Close()); err != nil {
		return err
	}
	closed := lab.Settle(ctx, r.backend, empty)
	if err := r.print(empty, closed); err != nil {
		return err
	}
	return r.judge(empty, closed)
}

// blocks warms up until caches are filled and each cell has been replaced once, and
// runs ten.
func (r *repeats) blocks(ctx context.Context) error {
	const parts = 10
	if err := r.block(ctx, max(r.n/parts/5, cmp.Or(r.recycle, 1000)*runtime.GOMAXPROCS(0)*3/2)); err != nil {
		return err
	}
	r.censuses = append(r.censuses, lab.Quiet(ctx, r.backend))
	r.executed, r.startedAt = 0, time.Now()
	for i := range parts {
		if err := r.block(ctx, r.n*(i+1)/parts-r.executed); err != nil {
			return err
		}
		r.censuses = append(r.censuses, lab.Settle(ctx, r.backend, r.censuses[0]))
		fmt.Fprintf(os.Stderr, "%d executions, %.0f s\n", r.executed, time.Since(r.startedAt).Seconds())
	}
	return nil
}

// block runs n executions, shared among as many workers as there are cores.
func (r *repeats) block(ctx context.Context, n int) error {
	workers := runtime.GOMAXPROCS(0)
	group, ctx := errgroup.WithContext(ctx)
	for w := range workers {
		share := n*(w+1)/workers - n*w/workers
		seed := uint64(r.executed*workers + w)
		group.Go(func() error { return r.worker(ctx, share, seed) })
	}
	r.executed += n
	return group.Wait()
}

func (r *repeats) worker(ctx context.Context, n int, seed uint64) error {
	for n > 0 {
		turns := min(n, r.turns)
		n -= turns
		if err := r.attempt(ctx, turns, seed<<32+uint64(n)); err != nil {
			return err
		}
	}
	return nil
}

func (r *repeats) attempt(ctx context.Context, turns int, seed uint64) (err error) {
	a, err := open(ctx, r.box, fmt.Sprint("repeat-", seed), r.private, seed, slices.Concat(small, rough))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.session.Close()) }()
	for range turns {
		if _, err := a.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// print writes one column a census: before the start, after each block, after the
// end.
func (r *repeats) print(empty, closed lab.Census) error {
	if r.json {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{
			"machine": lab.Describe(), "n": r.n, "empty": empty, "blocks": r.censuses, "closed": closed})
	}
	heads := []string{"after executions", "(closed)"}
	for i := range r.censuses {
		heads = append(heads, fmt.Sprint(r.n*i/(len(r.censuses)-1)))
	}
	table := lab.NewTable(os.Stdout, append(heads, "(closed)")...)
	for i, f := range empty {
		row := []any{f.Name, f}
		for _, census := range r.censuses {
			row = append(row, census[i])
		}
		table.Row(append(row, closed[i])...)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	took := time.Since(r.startedAt)
	fmt.Printf("%d executions in %.0f s, %.0f a second on %d cores, each with its result checked\n",
		r.executed, took.Seconds(), float64(r.executed)/took.Seconds(), runtime.GOMAXPROCS(0))
	return nil
}

// judge says what grew, and what a closed sandbox left.
func (r *repeats) judge(empty, closed lab.Census) error {
	faults := lab.Growth(r.censuses)
	for _, left := range lab.CountsThatDiffer(empty, closed) {
		faults = append(faults, "after Close: "+left)
	}
	if len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	fmt.Println("nothing grew, nothing was left")
	return nil
}
