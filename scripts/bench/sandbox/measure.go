package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/medgym-data/medgym-data/sandbox/python"
	"github.com/medgym-data/medgym-data/scripts/internal/lab"
)

// way is one way to run a program.
type way struct {
	name string
	// start makes so many workers ready, which work at the same time. errMissing says
	// what is not installed.
	start func(ctx context.Context, b *bench, workers int) (crew, error)
}

// crew are the workers of a way.
type crew struct {
	workers []worker
	end     func() error
}

// worker runs a program again and again until the time is over, once at least, and
// says how long each took.
type worker func(ctx context.Context, p program, during time.Duration) ([]time.Duration, error)

// errMissing says that a part is not installed, and how it would be.
var errMissing = errors.New("missing")

// repeatedly is the worker of a way that is driven from here.
func repeatedly(once func(context.Context, program) error) worker {
	return func(ctx context.Context, p program, during time.Duration) (took []time.Duration, err error) {
		for begin := time.Now(); len(took) == 0 || time.Since(begin) < during; {
			each := time.Now()
			if err := once(ctx, p); err != nil {
				return nil, err
			}
			took = append(took, time.Since(each))
		}
		return took, nil
	}
}

// series is what was measured of a way, a program and a part.
type series struct {
	Part    string    `json:"part"` // "one core" or "all cores"
	Program string    `json:"program"`
	Way     string    `json:"way"`
	PerCore []float64 `json:"per_s_per_core"` // of each round
	CPU     []float64 `json:"machine_cpu_ms"` // of an execution, of each round
	P50MS   float64   `json:"p50_ms"`
	P99MS   float64   `json:"p99_ms"`
	MaxMS   float64   `json:"max_ms"`
	Runs    int       `json:"runs"`
	took    []time.Duration
}

func (b *bench) measure(ctx context.Context) (_ report, err error) {
	if b.env, err = python.Find(ctx); err != nil {
		return report{}, err
	}
	if b.work, err = writePrograms(); err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.work)) }()
	r := report{Machine: lab.Describe(), Versions: b.versions(ctx), Rounds: b.rounds, SliceS: b.slice.Seconds(), Missing: map[string]string{}}
	all, err := affinity()
	if err != nil {
		return r, err
	}
	one, err := pin(first(all))
	if err != nil {
		return r, err
	}
	err = b.part(ctx, "one core", 1, &r)
	if err := errors.Join(err, one.restore()); err != nil {
		return r, err
	}
	return r, b.part(ctx, "all cores", all.Count(), &r)
}

// part starts every way, gives each a slice of each round, and ends them.
func (b *bench) part(ctx context.Context, name string, cores int, r *report) (err error) {
	only, err := regexp.Compile(b.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	type entrant struct {
		crew
		series []*series
	}
	var entrants []entrant
	defer func() {
		for _, e := range slices.Backward(entrants) {
			err = errors.Join(err, e.end())
		}
	}()
	for _, w := range ways {
		if !only.MatchString(w.name) {
			continue
		}
		c, err := w.start(ctx, b, cores)
		if errors.Is(err, errMissing) {
			r.Missing[w.name] = err.Error()
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: start: %w", w.name, err)
		}
		e := entrant{crew: c}
		for _, p := range programs {
			e.series = append(e.series, &series{Part: name, Program: p.name, Way: w.name})
		}
		entrants = append(entrants, e)
	}
	for round := -1; round < b.rounds; round++ { // one round before, for caches
		for i := range entrants {
			e := entrants[(i+max(round, 0))%len(entrants)]
			for n, p := range programs {
				if err := b.turn(ctx, e.workers, p, e.series[n], round < 0); err != nil {
					return fmt.Errorf("%s, program %s: %w", e.series[n].Way, p.name, err)
				}
			}
		}
		fmt.Fprintf(os.Stderr, "%s: round %d of %d\n", name, round+1, b.rounds)
	}
	for _, e := range entrants {
		for _, s := range e.series {
			s.summarize()
			r.Series = append(r.Series, s)
		}
	}
	return nil
}

// turn has all workers of a way busy for a slice.
func (b *bench) turn(ctx context.Context, workers []worker, p program, s *series, practice bool) error {
	during := b.slice
	if practice {
		during = 0
	}
	took := make([][]time.Duration, len(workers))
	rates := make([]float64, len(workers))
	group, inner := errgroup.WithContext(ctx)
	busy := busyTime()
	for i, work := range workers {
		group.Go(func() (err error) {
			begin := time.Now()
			took[i], err = work(inner, p, during)
			rates[i] = float64(len(took[i])) / time.Since(begin).Seconds()
			return err
		})
	}
	if err := group.Wait(); err != nil || practice {
		return err
	}
	busy = busyTime() - busy
	sum, runs := 0.0, 0
	for i := range workers {
		sum, runs = sum+rates[i], runs+len(took[i])
		s.took = append(s.took, took[i]...)
	}
	s.PerCore = append(s.PerCore, sum/float64(len(workers)))
	s.CPU = append(s.CPU, lab.MS(busy)/float64(runs))
	return nil
}

func (s *series) summarize() {
	slices.Sort(s.took)
	s.Runs = len(s.took)
	s.P50MS, s.P99MS, s.MaxMS = lab.MS(lab.Quantile(s.took, .5)), lab.MS(lab.Quantile(s.took, .99)), lab.MS(lab.Quantile(s.took, 1))
}

// writePrograms puts them into files that print the answer, readable by everybody.
func writePrograms() (string, error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return "", err
	}
	err = os.Chmod(dir, 0o755)
	for _, p := range programs {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, p.name+".py"), []byte(p.code+"print(answer)\n"), 0o644))
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}
