package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/scripts/internal/lab"
)

// series are the rounds of one way.
type series struct {
	perS []float64 // attempts
	cpu  []float64 // ms of this process, of an attempt
}

func (s *series) add(attempts int, c cost) {
	s.perS = append(s.perS, float64(attempts)/c.took.Seconds())
	s.cpu = append(s.cpu, lab.MS(c.cpu)/float64(attempts))
}

// ratios is how many times as many attempts as another way, round by round.
func (s *series) ratios(other *series) []float64 {
	out := make([]float64, len(s.perS))
	for i := range out {
		out[i] = s.perS[i] / other.perS[i]
	}
	return out
}

// way is one of the first table.
type way struct {
	name string
	once func(context.Context) (cost, error)
	series
}

// overhead is the first table.
func (b *bench) overhead(ctx context.Context) (err error) {
	prepared, err := b.prepared(ctx, b.attempts)
	if err != nil {
		return err
	}
	box, err := lab.Open(ctx, "namespace", lab.Size{Cells: b.cores})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	if err := b.record(ctx, prepared, box); err != nil {
		return err
	}
	memory := told(b.sessions)
	engine := func(box sandbox.Sandbox) func(context.Context) (cost, error) {
		return func(ctx context.Context) (cost, error) { return b.engine(ctx, prepared, b.cores, 0, box) }
	}
	ways := []*way{
		{name: "sandbox alone, the same sessions", once: func(ctx context.Context) (cost, error) { return alone(ctx, box, b.sessions, b.cores) }},
		{name: "engine and sandbox", once: engine(box)},
		{name: "engine, a sandbox that tells results", once: engine(memory)},
	}
	for round := range b.rounds {
		for i := range ways {
			w := ways[(i+round)%len(ways)]
			c, err := w.once(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			w.add(len(b.sessions), c)
		}
		fmt.Fprintf(os.Stderr, "overhead: round %d of %d\n", round+1, b.rounds)
	}
	b.programs = turns * lab.Median(ways[0].perS)
	table := lab.NewTable(os.Stdout, "a policy that needs no time", "attempts a second", "of rounds", "times the sandbox alone", "own CPU ms an attempt")
	for _, w := range ways {
		table.Row(w.name, lab.Median(w.perS), fmt.Sprintf("%.0f to %.0f", slices.Min(w.perS), slices.Max(w.perS)),
			lab.Median(w.ratios(&ways[0].series)), lab.Median(w.cpu))
	}
	if err := table.Flush(); err != nil || b.profile == "" {
		return err
	}
	return b.profiled(ctx, ways[1])
}

// record makes the attempts once, to know what they ask of the sandbox.
func (b *bench) record(ctx context.Context, prepared string, box sandbox.Sandbox) error {
	if b.sessions != nil {
		return nil
	}
	r := &recorder{Sandbox: box}
	if _, err := b.engine(ctx, prepared, b.cores, 0, r); err != nil {
		return err
	}
	for _, s := range r.sessions {
		if len(s.commands) != turns {
			return fmt.Errorf("session %s ran %d programs", s.spec.Name, len(s.commands))
		}
		b.sessions = append(b.sessions, s.session)
	}
	return nil
}

// profiled runs a way as often again, under a CPU profile.
func (b *bench) profiled(ctx context.Context, w *way) (err error) {
	file, err := os.Create(b.profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	for range b.rounds {
		if _, err := w.once(ctx); err != nil {
			return err
		}
	}
	return nil
}
