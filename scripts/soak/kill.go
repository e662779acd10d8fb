package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/medgym-data/medgym-data/scripts/internal/lab"
)

// kills starts a supervisor under load again and again, kills it, and looks at what
// is left.
type kills struct {
	backend  string
	n        int
	sessions int
	within   time.Duration
	json     bool

	self, private string
	rng           *rand.Rand
	starting      time.Duration // what a start took last
	loads         []int         // processes that were started
}

// death is what was seen of one kill.
type death struct {
	Round     int     `json:"round"`
	Phase     string  `json:"phase"`
	AfterS    float64 `json:"after_s"`   // from the start, or from when the load ran
	Processes int     `json:"processes"` // that were there when it was killed
	GoneMS    float64 `json:"gone_ms"`   // until there was none
	Alive     int     `json:"alive"`     // when patience ended
	Mounts    int     `json:"mounts"`
	leftovers         // what the next start has to remove
}

// leftovers are what outlives processes.
type leftovers struct {
	Files      []string `json:"files"`
	Cgroups    []string `json:"cgroups"`
	Containers []string `json:"containers"`
}

func (l leftovers) String() string {
	return strings.Join(slices.Concat(l.Files, l.Cgroups, l.Containers), " ")
}

func kill(ctx context.Context, args []string) error {
	var k kills
	flags := flag.NewFlagSet("soak kill", flag.ExitOnError)
	flags.StringVar(&k.backend, "backend", "namespace", "which sandbox")
	flags.IntVar(&k.n, "kills", 50, "times to kill; every fifth while it starts")
	flags.IntVar(&k.sessions, "sessions", 6, "sessions of the load")
	flags.DurationVar(&k.within, "within", 2*time.Second, "the moment is drawn from this time, once the load runs")
	seed := flags.Uint64("seed", 1, "of the moments")
	flags.BoolVar(&k.json, "json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	k.rng = rand.New(rand.NewPCG(*seed, 0))
	return lab.InFolder("soak", func() error { return k.run(ctx) })
}

func (k *kills) run(ctx context.Context) (err error) {
	if err := lab.Adopt(); err != nil {
		return err
	}
	if k.self, err = os.Executable(); err != nil {
		return err
	}
	if k.private, err = writePrivate(); err != nil {
		return err
	}
	fmt.Println(lab.Describe())
	var deaths []death
	for i := range k.n {
		d, err := k.round(ctx, i)
		if err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		deaths = append(deaths, d)
		fmt.Fprintf(os.Stderr, "killed %d of %d\n", i+1, k.n)
	}
	last, err := k.end(ctx)
	if err != nil {
		return fmt.Errorf("a start after all kills: %w", err)
	}
	if err := k.print(deaths); err != nil {
		return err
	}
	return judge(deaths, last)
}

// round starts a load and kills it: four times of five once it runs, else while it
// starts.
func (k *kills) round(ctx context.Context, i int) (death, error) {
	d := death{Round: i + 1, Phase: "running"}
	mounts := lab.HostMounts()
	begin := time.Now()
	s, err := k.start(ctx)
	if err != nil {
		return d, err
	}
	if i%5 == 4 {
		d.Phase = "starting"
		moment := time.Duration(k.rng.Int64N(int64(k.starting)))
		time.Sleep(moment)
		d.AfterS = moment.Seconds()
	} else {
		before := k.left()
		if err := s.await(); err != nil {
			return d, errors.Join(err, s.stop())
		}
		k.starting = time.Since(begin)
		if stale := intersect(before, k.left()); stale.String() != "" {
			return d, errors.Join(fmt.Errorf("the start left what was there before: %s", stale), s.stop())
		}
		moment := time.Duration(k.rng.Int64N(int64(k.within)))
		time.Sleep(moment)
		d.AfterS = moment.Seconds()
	}
	d.Processes = len(lab.Descendants(os.Getpid()))
	killed := time.Now()
	if err := s.kill(); err != nil {
		return d, err
	}
	d.Alive = lab.Gone(killed.Add(10 * time.Second))
	d.GoneMS = lab.MS(time.Since(killed))
	d.Mounts = len(lab.MoreMounts(mounts))
	d.leftovers = k.left()
	return d, nil
}

// end starts a load once more and has it end in order: it removes what killed ones
// left, and leaves nothing itself.
func (k *kills) end(ctx context.Context) (leftovers, error) {
	s, err := k.start(ctx)
	if err != nil {
		return leftovers{}, err
	}
	if err := errors.Join(s.await(), s.stop()); err != nil {
		return leftovers{}, err
	}
	return k.left(), nil
}

// supervisor is a load that runs.
type supervisor struct {
	cmd   *exec.Cmd
	input io.Closer
	lines *bufio.Reader
	said  *strings.Builder
}

func (k *kills) start(ctx context.Context) (*supervisor, error) {
	cmd := exec.CommandContext(ctx, k.self, "load", "-backend", k.backend, "-sessions", fmt.Sprint(k.sessions), "-private", k.private)
	s := &supervisor{cmd: cmd, said: &strings.Builder{}}
	cmd.Stderr = s.said
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.input, s.lines = input, bufio.NewReader(output)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	k.loads = append(k.loads, cmd.Process.Pid)
	return s, nil
}

func (s *supervisor) await() error {
	line, err := s.lines.ReadString('\n')
	if err != nil || strings.TrimSpace(line) != ready {
		return fmt.Errorf("the load did not start: %q: %w: %s", line, err, s.said)
	}
	return nil
}

// kill is the SIGKILL that all this is about. A load that had ended by itself has
// failed.
func (s *supervisor) kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("the load ended before it was killed: %w: %s", s.cmd.Wait(), s.said)
	}
	_ = s.cmd.Wait() // it says "killed"
	if status, ok := s.cmd.ProcessState.Sys().(interface{ Signaled() bool }); !ok || !status.Signaled() {
		return fmt.Errorf("the load ended before it was killed: %s: %s", s.cmd.ProcessState, s.said)
	}
	return nil
}

// stop has a load end in order.
func (s *supervisor) stop() error {
	if err := errors.Join(s.input.Close(), s.cmd.Wait()); err != nil {
		return fmt.Errorf("end the load: %w: %s", err, s.said)
	}
	return nil
}

// left looks at what could be left.
func (k *kills) left() leftovers {
	return leftovers{lab.Temporary(), lab.Cgroups(k.loads...), lab.Containers(k.backend, k.loads...)}
}

// intersect is what lies in both.
func intersect(a, b leftovers) leftovers {
	both := func(a, b []string) []string {
		return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
	}
	return leftovers{both(a.Files, b.Files), both(a.Cgroups, b.Cgroups), both(a.Containers, b.Containers)}
}

func (k *kills) print(deaths []death) error {
	if k.json {
		return json.NewEncoder(os.Stdout).Encode(deaths)
	}
	table := lab.NewTable(os.Stdout, "killed", "rounds", "processes", "all gone after p50 ms", "max ms", "still alive", "mounts left",
		"rounds with folders", "cgroups", "containers that the next start removed")
	for _, phase := range []string{"running", "starting"} {
		var of []death
		var took []time.Duration
		var most, alive, mounts, files, cgroups, containers int
		for _, d := range deaths {
			if d.Phase != phase {
				continue
			}
			of, took = append(of, d), append(took, time.Duration(d.GoneMS*float64(time.Millisecond)))
			most, alive, mounts = max(most, d.Processes), alive+d.Alive, mounts+d.Mounts
			files, cgroups, containers = files+min(1, len(d.Files)), cgroups+min(1, len(d.Cgroups)), containers+min(1, len(d.Containers))
		}
		if len(of) == 0 {
			continue
		}
		s := spreadOf(took)
		table.Row(phase, len(of), fmt.Sprintf("up to %d", most), s.P50, s.Max, alive, mounts, files, cgroups, containers)
	}
	return table.Flush()
}

// judge holds that kills leave no process and no mount, and the next start nothing
// else.
func judge(deaths []death, last leftovers) error {
	var faults []string
	for _, d := range deaths {
		if d.Alive > 0 || d.Mounts > 0 {
			faults = append(faults, fmt.Sprintf("kill %d (%s, after %.2f s) left %d processes, %d mounts", d.Round, d.Phase, d.AfterS, d.Alive, d.Mounts))
		}
	}
	if left := last.String(); left != "" {
		faults = append(faults, "after an orderly end there is left: "+left)
	}
	if len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	fmt.Println("nothing was left")
	return nil
}
