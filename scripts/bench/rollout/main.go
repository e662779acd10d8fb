// Command rollout measures what the rollout engine costs, with a policy that needs no
// time and with many attempts that wait for theirs.
//
//	go run ./scripts/bench/rollout                        the tables
//	go run ./scripts/bench/rollout -cpuprofile FILE       and a CPU profile of the engine at work
//
// Every attempt has three turns and runs three programs: one that prints, one that
// fails, and the right answer.
//
// The first table holds the engine against the sandbox alone, which runs the same
// programs in the same sessions, round by round and in turn, so that a drift of the
// machine hits both alike; and against nothing, with a sandbox that only says what the
// programs came to. The second has a thousand attempts in flight, each of which waits
// two seconds for every reply, and holds the time against the ideal: that of the waits,
// or of the programs where these take longer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"syscall"
	"time"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/scripts/internal/lab"
	"github.com/medgym-data/medgym-data/scripts/internal/runs"
)

// turns of an attempt, each of which runs a program.
const turns = 3

func main() {
	lab.Init()
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		if err := serve(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench: serve:", err)
			os.Exit(1)
		}
		return
	}
	var b bench
	flag.StringVar(&b.program.Path, "binary", "bin/medgym-data", "program: makes the tasks, and is measured over HTTP")
	flag.IntVar(&b.rounds, "rounds", 5, "rounds of the first table")
	flag.IntVar(&b.attempts, "attempts", 400, "attempts of a round")
	flag.IntVar(&b.flying, "flying", 1_000, "attempts that wait at the same time")
	flag.IntVar(&b.waves, "waves", 2, "so many times as many attempts are made")
	flag.DurationVar(&b.wait, "wait", 2*time.Second, "for a reply")
	flag.StringVar(&b.profile, "cpuprofile", "", "file for a CPU profile of the engine in the first table")
	only := flag.String("only", "", "regular expression of the parts: overhead, waiting, http")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := b.run(ctx, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	program          runs.Program
	rounds, attempts int
	flying, waves    int
	wait             time.Duration
	profile          string

	work     string // folder
	cores    int
	answers  map[string]string
	tasks    map[int]string // prepared run folders, by the attempts at their tasks
	sessions []session      // what the attempts of the first table ask of the sandbox
	programs float64        // a second, of the sandbox alone
}

func (b *bench) run(ctx context.Context, only string) (err error) {
	parts, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if b.rounds < 1 || b.attempts < 8 || b.flying < 8 || b.waves < 1 {
		return errors.New("-rounds and -waves have to be above zero, -attempts and -flying at least 8")
	}
	if b.work, err = os.MkdirTemp("", "bench-rollout-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.work)) }()
	b.cores, b.answers, b.tasks = runtime.NumCPU(), map[string]string{}, map[int]string{}
	fmt.Println(lab.Describe())
	for _, part := range []struct {
		name string
		of   func(context.Context) error
	}{{"overhead", b.overhead}, {"waiting", b.waiting}, {"http", b.overHTTP}} {
		if !parts.MatchString(part.name) {
			continue
		}
		fmt.Println()
		if err := part.of(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// k attempts are made at each task.
const k = 4

// prepared is a run folder with tasks for so many attempts, about.
func (b *bench) prepared(ctx context.Context, attempts int) (string, error) {
	if dir, ok := b.tasks[attempts]; ok {
		return dir, nil
	}
	dir, err := os.MkdirTemp(b.work, "tasks-")
	if err != nil {
		return "", err
	}
	run, err := b.program.Prepare(ctx, dir, (attempts+2*k-1)/(2*k), "npowerai")
	if err != nil {
		return "", err
	}
	tasks, err := runs.Tasks(ctx, run)
	if err != nil {
		return "", err
	}
	for instruction, answer := range runs.Answers(tasks) {
		b.answers[instruction] = answer
	}
	b.tasks[attempts] = run
	return run, nil
}

// solved checks that every attempt of a run was, in three turns.
func solved(ctx context.Context, dir string) error {
	tasks, err := runs.Tasks(ctx, dir)
	if err != nil {
		return err
	}
	rows, err := runs.Rows(ctx, dir)
	if err != nil {
		return err
	}
	if len(rows) != k*len(tasks) {
		return fmt.Errorf("%d rows of %d attempts", len(rows), k*len(tasks))
	}
	for id, row := range rows {
		if row.Outcome != schemas.OutcomeSolved || len(row.Steps) != turns {
			return fmt.Errorf("%s ends as %s (%s) after %d turns", id, row.Outcome, row.OutcomeReason, len(row.Steps))
		}
	}
	return nil
}
