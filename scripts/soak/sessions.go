package main

import (
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

// crowd is many sessions that are open at once.
type crowd struct {
	backend string
	n       int
	load    float64
	during  time.Duration
	json    bool

	agents []*agent
	rate   float64 // executions a second that the machine can
}

// phase is how one way of asking went.
type phase struct {
	Name       string  `json:"name"`
	ThinkS     float64 `json:"think_s"`
	Executions int     `json:"executions"`
	PerSecond  float64 `json:"per_s"`
	Wait       spread  `json:"wait_ms"` // for the cell
	Run        spread  `json:"run_ms"`
	Fewest     int     `json:"fewest"` // executions of one session
	Most       int     `json:"most"`
	Starved    int     `json:"starved"` // sessions that had less than half of an equal share, though all asked all the time
}

type spread struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func spreadOf(took []time.Duration) spread {
	slices.Sort(took)
	return spread{lab.MS(lab.Quantile(took, .5)), lab.MS(lab.Quantile(took, .99)), lab.MS(lab.Quantile(took, 1))}
}

func sessions(ctx context.Context, args []string) error {
	var c crowd
	flags := flag.NewFlagSet("soak sessions", flag.ExitOnError)
	flags.StringVar(&c.backend, "backend", "namespace", "which sandbox")
	flags.IntVar(&c.n, "n", 1000, "sessions")
	flags.Float64Var(&c.load, "load", .7, "share of the machine's capacity that thinking sessions ask for")
	flags.DurationVar(&c.during, "during", 2*time.Minute, "time of each phase")
	flags.BoolVar(&c.json, "json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return lab.InFolder("soak", func() error { return c.run(ctx) })
}

func (c *crowd) run(ctx context.Context) (err error) {
	private, err := writePrivate()
	if err != nil {
		return err
	}
	machine := lab.Describe()
	box, err := lab.Open(ctx, c.backend, lab.Size{Recycle: 1 << 30}) // sessions keep their cell anyhow
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	// A few first: what the first makes for all that follow is no cost of a session, and
	// what the machine can do with them is what it should do with all.
	if err := c.open(ctx, box, private, runtime.GOMAXPROCS(0)); err != nil {
		return err
	}
	few, err := c.probe(ctx)
	if err := errors.Join(err, c.close()); err != nil {
		return err
	}
	before := lab.Take(c.backend)
	begin := time.Now()
	if err := c.open(ctx, box, private, c.n); err != nil {
		return err
	}
	opening := time.Since(begin)
	opened := lab.Take(c.backend)

	phases, err := c.phases(ctx)
	if err != nil {
		return err
	}
	ran := lab.Take(c.backend)
	begin = time.Now()
	if err := c.close(); err != nil {
		return err
	}
	closing := time.Since(begin)
	closed := lab.Settle(ctx, c.backend, before)
	if c.json {
		err = json.NewEncoder(os.Stdout).Encode(map[string]any{"machine": machine, "sessions": c.n,
			"open_s": opening.Seconds(), "close_s": closing.Seconds(), "few_per_s": few, "all_per_s": c.rate, "phases": phases,
			"before": before, "opened": opened, "ran": ran, "closed": closed})
	} else {
		fmt.Println(machine)
		fmt.Printf("%d sessions opened in %.2f s (%.2f ms each), closed in %.2f s; the machine does %.0f programs a second with %d open, %.0f with all\n\n",
			c.n, opening.Seconds(), lab.MS(opening)/float64(c.n), closing.Seconds(), few, runtime.GOMAXPROCS(0), c.rate)
		err = errors.Join(printPhases(phases), c.printMemory(before, opened, ran, closed))
	}
	return errors.Join(err, c.judge(phases, before, closed))
}

func (c *crowd) open(ctx context.Context, box sandbox.Sandbox, private string, n int) error {
	for i := range n {
		a, err := open(ctx, box, fmt.Sprint("session-", i), private, uint64(i), small)
		if err != nil {
			return fmt.Errorf("session %d: %w", i+1, err)
		}
		c.agents = append(c.agents, a)
	}
	return nil
}

func (c *crowd) close() error {
	var err error
	for _, a := range c.agents {
		err = errors.Join(err, a.session.Close())
	}
	c.agents = nil
	return err
}

// phases measures what the machine can, has the sessions think between programs so
// that they ask for a share of it, and then has all ask all the time.
func (c *crowd) phases(ctx context.Context) ([]phase, error) {
	var err error
	if c.rate, err = c.probe(ctx); err != nil {
		return nil, err
	}
	// The next request follows the think time and the answer to the one before, which
	// at this load takes little beside it.
	think := time.Duration(float64(c.n) / (c.load * c.rate) * float64(time.Second))
	thinking, err := c.phase(ctx, fmt.Sprintf("thinking, %.0f %% load", c.load*100), think, c.during)
	if err != nil {
		return nil, err
	}
	saturated, err := c.phase(ctx, "all want to run", 0, c.during)
	return []phase{thinking, saturated}, err
}

// probe is what the machine does in a second when all sessions always ask.
func (c *crowd) probe(ctx context.Context) (float64, error) {
	p, err := c.phase(ctx, "probe", 0, max(c.during/10, time.Second))
	return p.PerSecond, err
}

// phase has every session ask, think, and ask again until the time is over.
func (c *crowd) phase(ctx context.Context, name string, think, during time.Duration) (phase, error) {
	type record struct {
		wait, run []time.Duration
		inTime    int
	}
	records := make([]record, len(c.agents))
	group, ctx := errgroup.WithContext(ctx)
	begin := time.Now()
	end := begin.Add(during)
	for i, a := range c.agents {
		group.Go(func() error {
			for {
				if think > 0 {
					next := time.Now().Add(time.Duration(a.rng.ExpFloat64() * float64(think)))
					if next.After(end) {
						return nil
					}
					if err := sleepUntil(ctx, next); err != nil {
						return err
					}
				}
				asked := time.Now()
				if asked.After(end) {
					return nil
				}
				r, err := a.step(ctx)
				if err != nil {
					return fmt.Errorf("session %d: %w", i+1, err)
				}
				records[i].wait = append(records[i].wait, time.Since(asked)-r.Wall)
				records[i].run = append(records[i].run, r.Wall)
				if time.Now().Before(end) {
					records[i].inTime++
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return phase{}, err
	}
	took := time.Since(begin)
	p := phase{Name: name, ThinkS: think.Seconds(), Fewest: records[0].inTime}
	var wait, run []time.Duration
	for _, r := range records {
		wait, run = append(wait, r.wait...), append(run, r.run...)
		p.Fewest, p.Most = min(p.Fewest, r.inTime), max(p.Most, r.inTime)
	}
	p.Executions, p.PerSecond = len(run), float64(len(run))/took.Seconds()
	for _, r := range records {
		if think == 0 && r.inTime < len(run)/len(records)/2 {
			p.Starved++
		}
	}
	p.Wait, p.Run = spreadOf(wait), spreadOf(run)
	return p, nil
}

func sleepUntil(ctx context.Context, moment time.Time) error {
	select {
	case <-time.After(time.Until(moment)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func printPhases(phases []phase) error {
	table := lab.NewTable(os.Stdout, "", "think s", "executions", "per s", "wait p50 ms", "p99", "max",
		"run p50 ms", "p99", "max", "fewest of a session", "most", "starved")
	for _, p := range phases {
		table.Row(p.Name, p.ThinkS, p.Executions, p.PerSecond, p.Wait.P50, p.Wait.P99, p.Wait.Max,
			p.Run.P50, p.Run.P99, p.Run.Max, p.Fewest, p.Most, p.Starved)
	}
	fmt.Fprintln(os.Stdout)
	return table.Flush()
}

func (c *crowd) printMemory(before, opened, ran, closed lab.Census) error {
	fmt.Println()
	table := lab.NewTable(os.Stdout, "", "before", "all open", "after running", "each session", "closed")
	for i, f := range before {
		each := "" // of counts and bytes, what a session adds
		added := float64(ran[i].Value-f.Value) / float64(c.n)
		if f.Kind == lab.Count {
			each = fmt.Sprintf("%.2f", added)
		} else {
			each = fmt.Sprintf("%.1f kB", added/1e3)
		}
		table.Row(f.Name, f, opened[i], ran[i], each, closed[i])
	}
	return table.Flush()
}

// judge holds that none starved and that nothing is left of closed sessions.
func (c *crowd) judge(phases []phase, before, closed lab.Census) error {
	saturated := phases[len(phases)-1]
	if saturated.Starved > 0 {
		return fmt.Errorf("%d sessions had less than half of their share while all wanted to run", saturated.Starved)
	}
	if left := lab.CountsThatDiffer(before, closed); len(left) > 0 {
		return fmt.Errorf("closed sessions left: %s", strings.Join(left, "; "))
	}
	fmt.Println("\nno error, none starved, nothing left of closed sessions")
	return nil
}
