// Command faults proves that a rollout comes to the same rows whatever its model server
// does: it samples once from a server that is well and once from one that fails in
// every known way, from copies of the same prepared run folder, and compares the rows.
//
//	go run ./scripts/faults -attempts 10000
//
// Both servers answer the same request with the same reply. The second one fails before
// many of its answers, is gone at times, and for some tasks never answers. No attempt
// may be lost or be there twice, and each has to have its row of the calm run, but
// those at the tasks that are never answered: they end as token_limit, or as
// infra_error without rewards. Then it holds each fault that ends a run against its
// exit code: the run says one line, and goes on with a server that is well.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
	flag.IntVar(&p.attempts, "attempts", 10_000, "attempts of each of the two runs, about")
	flag.IntVar(&p.concurrency, "concurrency", 64, "attempts at a time")
	flag.Float64Var(&p.rate, "rate", 0, "share of requests that fail; 0: a tenth, and more where there are few attempts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := p.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// source is one whose grader runs nothing in the sandbox and whose answers are numbers.
const (
	source = "npowerai"
	k      = 4
	model  = "scripted"
	right  = "the-key-that-is-right"
)

type proof struct {
	program               runs.Program
	attempts, concurrency int
	rate                  float64

	work     string // folder
	prepared string // run folder
	play     func(modelserver.Request, int) modelserver.Reply
	tasks    []schemas.Task

	mu     sync.Mutex
	faults []string // of the proof
}

func (p *proof) run(ctx context.Context) (err error) {
	if p.work, err = os.MkdirTemp("", "faults-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.work)) }()
	fmt.Println(lab.Describe())
	if p.prepared, err = p.program.Prepare(ctx, p.work, max(3, (p.attempts+2*k-1)/(2*k)), source); err != nil {
		return err
	}
	if p.tasks, err = runs.Tasks(ctx, p.prepared); err != nil {
		return err
	}
	p.play = modelserver.Script{Answers: runs.Answers(p.tasks)}.Play

	calm, err := p.sample(ctx, "calm", nil)
	if err != nil {
		return err
	}
	faults := plan(p.tasks, p.rate)
	rough, err := p.sample(ctx, "with faults", &faults)
	if err != nil {
		return err
	}
	if err := p.tell(calm, rough); err != nil {
		return err
	}
	p.judge(faults, calm, rough)
	if err := p.once(ctx, calm.rows); err != nil {
		return err
	}
	if len(p.faults) > 0 {
		return errors.New(strings.Join(p.faults, "; "))
	}
	fmt.Println("none lost, none doubled, none graded that had no reply")
	return nil
}

func (p *proof) wrong(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// repliesPerAttempt is about what the script takes.
const repliesPerAttempt = 3.7

// plan is how the second server fails. Where there are few attempts more of their
// requests do, so that every kind is met.
func plan(tasks []schemas.Task, rate float64) modelserver.Faults {
	requests := repliesPerAttempt * k * float64(len(tasks))
	if rate == 0 {
		rate = min(.35, max(.1, 400/requests))
	}
	f := modelserver.Faults{Rate: rate, Weights: map[modelserver.Kind]float64{}, Tasks: map[string]modelserver.Kind{}}
	for _, kind := range modelserver.Passing() {
		f.Weights[kind] = 1
	}
	// Those that make a client wait, the whole of it for a second at that.
	f.Weights[modelserver.Hang], f.Weights[modelserver.Drip] = .5, .5
	f.Weights[modelserver.BusySeconds], f.Weights[modelserver.BusyDate], f.Weights[modelserver.Overloaded] = .15, .15, .15
	// Every kind that stays has one task of a hundred, spread over all.
	staying := modelserver.Staying()
	each := max(1, len(tasks)/100)
	for i := range each * len(staying) {
		f.Tasks[tasks[i*len(tasks)/(each*len(staying))].Instruction] = staying[i%len(staying)]
	}
	times := 2 + int(requests/15_000)
	for i := range times {
		f.Outages = append(f.Outages, modelserver.Outage{After: int(requests) * (i + 1) / (times + 1), For: 2 * time.Second})
	}
	return f
}

// sampled is what came of a rollout.
type sampled struct {
	name    string
	rows    map[string]schemas.Trajectory
	took    time.Duration
	counts  modelserver.Counts
	tallies []modelserver.Tally
	said    string // on standard error
}

// sample runs a rollout to its end, against a server with these faults.
func (p *proof) sample(ctx context.Context, name string, faults *modelserver.Faults) (_ sampled, err error) {
	out := sampled{name: name}
	dir := filepath.Join(p.work, name)
	if err := runs.Copy(p.prepared, dir); err != nil {
		return out, err
	}
	server, err := modelserver.Start(modelserver.Options{Play: p.play, Faults: faults, Key: right, Model: model})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	begin := time.Now()
	code, said, err := p.rollout(ctx, dir, server.URL(), right, p.concurrency)
	out.took, out.said, out.counts, out.tallies = time.Since(begin), said, server.Counts(), server.Tallies()
	if err == nil && code != 0 {
		err = fmt.Errorf("the rollout %s ends with exit code %d: %s", name, code, last(said))
	}
	if err != nil {
		return out, err
	}
	out.rows, err = runs.Rows(ctx, dir)
	return out, err
}

// rollout runs the program to its end. What it says holds no row: it may be printed.
func (p *proof) rollout(ctx context.Context, dir, endpoint, key string, concurrency int, more ...string) (code int, said string, err error) {
	program := p.program
	program.Env = append([]string{"MEDGYM_API_KEY=" + key}, program.Env...)
	cmd := program.Command(ctx, append([]string{"rollout", "--dir", dir, "--policy", "openai", "--endpoint", endpoint, "--model", model, "-k", strconv.Itoa(k),
		"--concurrency", strconv.Itoa(concurrency), "--request-timeout", "3s", "--request-retries", "8", "--patience", "2m"}, more...)...)
	var text strings.Builder
	cmd.Stderr = &text
	err = cmd.Run()
	if status := cmd.ProcessState; status != nil && status.Exited() {
		return status.ExitCode(), text.String(), nil
	}
	return -1, text.String(), err
}

// last is the last line of a text.
func last(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndex(text, "\n")+1:]
}

// tell prints what was given and what came of it.
func (p *proof) tell(all ...sampled) error {
	table := lab.NewTable(os.Stdout, "rollout", "attempts", "seconds", "requests", "answers", "most in flight", "outcomes")
	for _, s := range all {
		outcomes := map[string]int{}
		for _, row := range s.rows {
			outcomes[row.Outcome]++
		}
		var parts []string
		for _, o := range schemas.Outcomes {
			if outcomes[o] > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", outcomes[o], o))
			}
		}
		table.Row(s.name, len(s.rows), s.took.Seconds(), s.counts.Requests, s.counts.Answers, s.counts.Most, strings.Join(parts, ", "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Println()
	table = lab.NewTable(os.Stdout, "fault", "times given", "conversations", "seconds in it")
	for _, s := range all {
		for _, t := range s.tallies {
			table.Row(t.Kind, t.Given, t.Conversations, t.Seconds)
		}
	}
	defer fmt.Println()
	return table.Flush()
}
