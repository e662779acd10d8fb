package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/medgym-data/medgym-data/scripts/internal/lab"
	"github.com/medgym-data/medgym-data/scripts/internal/runs"
)

// The phases of a rollout.
const (
	phaseStart   = "starting"
	phaseSample  = "sampling"
	phasePublish = "publishing"
)

// moment is when a rollout is killed.
type moment struct {
	phase   string
	after   time.Duration // starting: since the start; publishing: since the first staged file, where changes is 0
	writes  int           // sampling: to the journal
	changes int           // publishing: of the run folder, since the first staged file
}

// death is what was seen of one kill.
type death struct {
	phase     string
	processes int           // that were there when it was killed
	gone      time.Duration // until there was none
	alive     int           // when patience ended
	mounts    int
	left      []string // temporary files
}

// seen is what showed until a moment came.
type seen struct {
	writes, changes int
	first           time.Duration // from the start to the first write to the journal
	published       time.Duration // since the first staged file
	publishing      bool
	processes       int  // that were there, looked at now and then
	ended           bool // the rollout, by itself
}

// await waits for the moment, or for the rollout's end. Where it publishes before a
// number of writes was seen that moment is taken.
func (m moment) await(r *process, w *watch, dir string) (s seen) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var since time.Time // of the publication
	for ticks := 0; ; {
		if s.publishing = s.publishing || staged(dir); s.publishing && since.IsZero() {
			since = time.Now()
		}
		switch {
		case m.phase == phaseStart && time.Since(r.begin) >= m.after,
			m.phase == phaseSample && (s.writes >= m.writes || s.publishing),
			m.phase == phasePublish && s.publishing && m.changes == 0 && time.Since(since) >= m.after,
			m.phase == phasePublish && m.changes > 0 && s.changes >= m.changes:
			return s
		}
		select {
		case err := <-r.ended:
			r.ended <- err // for kill
			s.ended = true
			if s.publishing {
				s.published = time.Since(since)
			}
			return s
		case name := <-w.changes:
			if name == walName {
				if s.writes++; s.writes == 1 {
					s.first = time.Since(r.begin)
				}
			}
			if s.publishing {
				s.changes++
			}
		case <-tick.C:
			if ticks++; ticks%50 == 1 { // to look takes time, which the moment has not
				s.processes = max(s.processes, len(lab.Descendants(os.Getpid())))
			}
		}
	}
}

// strike starts a rollout, kills it at the moment and looks at what is left.
func (p *proof) strike(ctx context.Context, dir string, m moment) (_ death, s seen, err error) {
	d := death{phase: m.phase}
	mounts := lab.HostMounts()
	w, err := watchFolder(dir)
	if err != nil {
		return d, s, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	r, err := p.start(ctx, dir)
	if err != nil {
		return d, s, err
	}
	s = m.await(r, w, dir)
	at := time.Now()
	s.ended = !r.kill()
	if s.ended && r.err != nil {
		return d, s, fmt.Errorf("the rollout failed by itself: %w: %s", r.err, r.said)
	}
	d.alive = lab.Gone(at.Add(10 * time.Second))
	d.gone, d.processes = time.Since(at), s.processes
	more := lab.MoreMounts(mounts)
	d.mounts, d.left = len(more), lab.Temporary()
	if s.publishing {
		d.phase = phasePublish
	}
	if d.alive > 0 || d.mounts > 0 {
		p.wrong("a kill while %s left %d processes and %d mounts", d.phase, d.alive, d.mounts)
	}
	return d, s, nil
}

// disturbed kills the rollout so many times and lets it end.
func (p *proof) disturbed(ctx context.Context) error {
	dir := p.folder("rough")
	if err := runs.Copy(p.prepared, dir); err != nil {
		return err
	}
	publishing := (p.kills + 4) / 5
	if err := p.interrupted(ctx, dir, p.kills-publishing); err != nil {
		return err
	}
	if err := p.unpublished(ctx, dir, publishing); err != nil {
		return err
	}
	if left := lab.Temporary(); len(left) > 0 {
		p.wrong("after an orderly end there is left: %v", left)
	}
	return os.RemoveAll(dir)
}

// interrupted kills while the program starts and while it samples.
func (p *proof) interrupted(ctx context.Context, dir string, kills int) error {
	p.starting, p.perUnit = 500*time.Millisecond, 2
	var before map[string]bool
	for i := range kills {
		m := moment{phase: phaseStart, after: time.Duration(p.rng.Int64N(int64(p.starting)))}
		if i%8 > 0 {
			// Units spread so that about as many are left for the other kills.
			units := 2 * (len(p.calm) - len(before)) / (kills - i + 1)
			m = moment{phase: phaseSample, writes: 1 + int(p.perUnit*float64(p.rng.IntN(max(1, units))))}
		}
		d, s, err := p.strike(ctx, dir, m)
		if err != nil {
			return err
		}
		if s.ended {
			return fmt.Errorf("the rollout ended before kill %d: give it more attempts", i+1)
		}
		p.deaths = append(p.deaths, d)
		units, err := recorded(ctx, dir)
		if err != nil {
			return fmt.Errorf("after kill %d: %w", i+1, err)
		}
		for key := range before {
			if !units[key] {
				p.wrong("kill %d lost the attempt %s, which was in the journal", i+1, key)
			}
		}
		if s.first > 0 {
			p.starting = s.first
		}
		if more := len(units) - len(before); more > 5 && s.writes > 0 {
			p.perUnit = float64(s.writes) / float64(more)
		}
		before = units
		fmt.Fprintf(os.Stderr, "kill %d of %d, %s: %d of %d attempts are in the journal\n", i+1, p.kills, d.phase, len(units), len(p.calm))
	}
	return nil
}

// unpublished kills while rows are published, always from the same state, in which all
// attempts are in the journal. Each is then ended and compared.
func (p *proof) unpublished(ctx context.Context, dir string, kills int) error {
	p.publishing, p.changes = 200*time.Millisecond, 30
	full := p.folder("full")
	late := 0
	for i := 0; i < kills; {
		m := moment{phase: phasePublish, after: time.Duration(p.rng.Int64N(int64(p.publishing)))}
		switch {
		case i == 0:
			m.after = 0 // the state that all others begin with
		case i%2 == 1:
			m.changes = 1 + p.rng.IntN(p.changes)
		}
		d, s, err := p.strike(ctx, dir, m)
		if err != nil {
			return err
		}
		switch {
		case s.ended && i == 0:
			return errors.New("the rollout ended before its publication was seen")
		case s.ended: // the moment was too late
			p.publishing, p.changes = s.published, max(1, s.changes)
			if late++; late > 2*kills+10 {
				return errors.New("publications end before they can be killed")
			}
		default:
			p.deaths = append(p.deaths, d)
			i++
			fmt.Fprintf(os.Stderr, "kill %d of %d, %s\n", p.kills-kills+i, p.kills, d.phase)
		}
		if i == 1 && !s.ended {
			units, err := recorded(ctx, dir)
			if err != nil {
				return err
			}
			if len(units) != len(p.calm) {
				return fmt.Errorf("a publication began with %d attempts in the journal, of %d", len(units), len(p.calm))
			}
			if err := runs.Copy(dir, full); err != nil {
				return err
			}
		}
		if err := p.whole(ctx, dir); err != nil {
			return err
		}
		if i < kills {
			if err := errors.Join(os.RemoveAll(dir), runs.Copy(full, dir)); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole ends the rollout and compares.
func (p *proof) whole(ctx context.Context, dir string) error {
	r, err := p.start(ctx, dir)
	if err != nil {
		return err
	}
	if err := r.end(); err != nil {
		return err
	}
	if left := lab.Gone(time.Now().Add(10 * time.Second)); left > 0 {
		p.wrong("an orderly end left %d processes", left)
	}
	rows, err := runs.Rows(ctx, dir)
	if err != nil {
		return err
	}
	if err := runs.Compare(p.calm, rows).Err(); err != nil {
		p.wrong("%v", err)
	}
	return nil
}

// tell prints what was seen of the kills.
func (p *proof) tell() error {
	table := lab.NewTable(os.Stdout, "killed while", "kills", "processes", "all gone after p50 ms", "max ms", "still alive", "mounts left",
		"kills that left temporary files for the next start")
	for _, phase := range []string{phaseStart, phaseSample, phasePublish} {
		var took []time.Duration
		var most, alive, mounts, files int
		for _, d := range p.deaths {
			if d.phase != phase {
				continue
			}
			took = append(took, d.gone)
			most, alive, mounts, files = max(most, d.processes), alive+d.alive, mounts+d.mounts, files+min(1, len(d.left))
		}
		if len(took) == 0 {
			continue
		}
		slices.Sort(took)
		table.Row(phase, len(took), fmt.Sprintf("up to %d", most), lab.MS(lab.Quantile(took, .5)), lab.MS(lab.Quantile(took, 1)), alive, mounts, files)
	}
	return table.Flush()
}
