// Command kill proves that a rollout survives SIGKILL: it runs one undisturbed and one
// that is killed again and again and goes on each time, from copies of the same
// prepared run folder, and compares the rows.
//
//	go run ./scripts/kill -kills 100 -attempts 5000
//	go run ./scripts/kill -kills 100 -attempts 5000 -policy openai
//
// The moments are drawn by what the run folder shows: of ten kills one comes while the
// program starts, seven when the journal was written to for some number of times, two
// while the rows are being published: among the files that are staged, or at some
// change of the run folder. After each kill no process and no mount may be left, and
// no attempt that the journal held may be gone from it; after the last orderly end no
// temporary file. Each publication that was killed is then ended and compared.
//
// Compared is every column but those that time and place decide: run_id, created_at,
// wall_s and the steps' wall_ms.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/scripts/internal/lab"
	"github.com/medgym-data/medgym-data/scripts/internal/modelserver"
	"github.com/medgym-data/medgym-data/scripts/internal/runs"
)

func main() {
	var p proof
	flag.StringVar(&p.program.Path, "binary", "bin/medgym-data", "program")
	flag.StringVar(&p.prepared, "run", "", "prepared run folder without trajectories; none: one is made")
	flag.IntVar(&p.kills, "kills", 100, "times to kill")
	flag.IntVar(&p.attempts, "attempts", 5_000, "attempts, about, where a run folder is made")
	flag.StringVar(&p.policy, "policy", "reference", "reference or openai")
	flag.Uint64Var(&p.seed, "seed", 1, "of the rollout and of the moments")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := lab.InFolder("kill", func() error { return p.run(ctx) })
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kill:", err)
		os.Exit(1)
	}
}

const k = 4

// sources that a run folder is made of: open ones, and one that is not. Of a model the
// answers have to be numbers.
func (p *proof) sources() []string {
	if p.policy == "openai" {
		return []string{"npowerai"}
	}
	return []string{"biocoder", "biodsbench", "medagentbench", "medcalcbench", "npowerai", "mimic_iii"}
}

type proof struct {
	program  runs.Program
	prepared string
	kills    int
	attempts int
	policy   string
	seed     uint64

	work     string // folder
	endpoint string // of the model
	rng      *rand.Rand
	calm     map[string]schemas.Trajectory
	deaths   []death
	faults   []string

	// What is known of a run's course.
	starting   time.Duration // from the start to the first write to the journal
	perUnit    float64       // writes to the journal, of each attempt
	publishing time.Duration // from the first staged file to the end
	changes    int           // of the run folder meanwhile
}

func (p *proof) run(ctx context.Context) (err error) {
	if p.policy != "reference" && p.policy != "openai" {
		return fmt.Errorf("-policy is reference or openai, not %q", p.policy)
	}
	if p.kills < 1 {
		return errors.New("-kills has to be above zero")
	}
	if err := lab.Adopt(); err != nil {
		return err
	}
	// Beside the folder for temporary files, which is for what the program leaves.
	if p.work, err = os.MkdirTemp(filepath.Dir(os.TempDir()), "work-"); err != nil {
		return err
	}
	fmt.Println(lab.Describe())
	p.rng = rand.New(rand.NewPCG(p.seed, 0))
	if p.prepared == "" {
		sources := p.sources()
		each := 2 * k * len(sources)
		if p.prepared, err = p.program.Prepare(ctx, p.work, (p.attempts+each-1)/each, sources...); err != nil {
			return err
		}
	}
	if p.policy == "openai" {
		tasks, err := runs.Tasks(ctx, p.prepared)
		if err != nil {
			return err
		}
		server, err := modelserver.Start(modelserver.Options{Play: modelserver.Script{Answers: runs.Answers(tasks)}.Play, Delay: 20 * time.Millisecond})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.Close()) }()
		p.endpoint = server.URL()
	}
	begin := time.Now()
	if err := p.undisturbed(ctx); err != nil {
		return err
	}
	fmt.Printf("undisturbed: %d rows in %.1f s\n", len(p.calm), time.Since(begin).Seconds())
	if err := p.disturbed(ctx); err != nil {
		return err
	}
	fmt.Printf("killed and gone on: %.1f s in all\n\n", time.Since(begin).Seconds())
	if err := p.tell(); err != nil {
		return err
	}
	if len(p.faults) > 0 {
		return errors.New(strings.Join(p.faults, "; "))
	}
	fmt.Printf("%d rows, none lost, none doubled, none different; nothing was left\n", len(p.calm))
	return nil
}

func (p *proof) wrong(format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

func (p *proof) folder(name string) string { return filepath.Join(p.work, name) }

func (p *proof) undisturbed(ctx context.Context) (err error) {
	dir := p.folder("calm")
	if err := runs.Copy(p.prepared, dir); err != nil {
		return err
	}
	if err := p.program.Run(ctx, p.rollout(dir)...); err != nil {
		return err
	}
	if p.calm, err = runs.Rows(ctx, dir); err != nil {
		return err
	}
	if len(p.calm) < p.kills {
		return fmt.Errorf("%d attempts are too few for %d kills", len(p.calm), p.kills)
	}
	return os.RemoveAll(dir)
}

// rollout is the command line.
func (p *proof) rollout(dir string) []string {
	args := []string{"rollout", "--policy", p.policy, "--dir", dir, "-k", strconv.Itoa(k), "--seed", strconv.FormatUint(p.seed, 10)}
	if p.policy == "openai" {
		args = append(args, "--endpoint", p.endpoint, "--model", "scripted", "--concurrency", "32")
	}
	return args
}

// process is a rollout that runs.
type process struct {
	cmd   *exec.Cmd
	said  *strings.Builder
	begin time.Time
	ended chan error
	err   error
}

func (p *proof) start(ctx context.Context, dir string) (*process, error) {
	r := &process{cmd: p.program.Command(ctx, p.rollout(dir)...), said: &strings.Builder{}, ended: make(chan error, 1)}
	r.cmd.Stderr = r.said
	r.begin = time.Now()
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { r.ended <- r.cmd.Wait() }()
	return r, nil
}

// kill is the SIGKILL that all this is about. A rollout that has ended by itself
// before it is none.
func (r *process) kill() (killed bool) {
	_ = r.cmd.Process.Kill() // it may have ended
	r.err = <-r.ended
	status, ok := r.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// end waits for an orderly end.
func (r *process) end() error {
	if r.err = <-r.ended; r.err != nil {
		return fmt.Errorf("rollout: %w: %s", r.err, strings.TrimSpace(r.said.String()))
	}
	return nil
}
