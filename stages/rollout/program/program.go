// Package program lets any program play the agent: it reads JSON Lines on its stdin and
// answers on its stdout (docs/exec.md has the protocol).
//
// A process plays one attempt at a time, and further ones afterwards. One that breaks
// the protocol, falls silent or dies is killed with its process group and replaced, and
// the attempt is begun anew by the stage; what it said stands in no error.
package program

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/stopwatch"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// Kind is the policy's kind in the rows.
const Kind = "exec"

// Options of the policy.
type Options struct {
	Command []string // the program and its arguments
	Name    string   // in the rows; empty: the program's file name
	// Environment of the program, as NAME=value, and nothing else: Environment makes
	// one.
	Environment []string
	// Local is the user's statement that the program sends rows to no third party.
	// Without it the program gets open rows alone.
	Local bool
	// Timeout is how long the program may take for one answer: 10 min.
	Timeout time.Duration
	// Programs is how many processes there are at most. An attempt that finds none
	// waits, which is not counted against it. 0: as many as attempts.
	Programs int
	Feedback string
	Limits   rollout.Limits // told to the program; zero ones are not
	// Log is the file that takes what programs write to stderr. It may hold rows.
	Log     string
	Version string // of ours, told to the program

	longest int           // bytes of a line; 0: 32 MiB
	spill   int64         // bytes of stderr in one attempt; 0: 64 MiB
	grace   time.Duration // for an idle program to end by itself; 0: 5 s
}

// Policies start programs and have them play.
type Policies struct {
	opts    Options
	slots   chan struct{} // nil: no limit
	log     *record
	serial  atomic.Int64 // of processes
	spoke   atomic.Bool  // a program has answered hello
	starter starter

	mu      sync.Mutex
	closed  bool
	idle    []*process
	running map[*process]bool
}

// New makes the policy. Nothing is started before the first attempt.
func New(opts Options) (*Policies, error) {
	if len(opts.Command) == 0 || opts.Command[0] == "" {
		return nil, errors.New("no program is named")
	}
	if opts.Timeout < 0 || opts.Programs < 0 {
		return nil, errors.New("the time of an answer and the number of programs cannot be negative")
	}
	if opts.Log == "" {
		return nil, errors.New("no file is named for what programs write to stderr")
	}
	path, err := exec.LookPath(opts.Command[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, &pipeline.InputError{File: opts.Command[0], What: "cannot be run as a program", Err: cause(err), Do: "name one that is there and executable, by its path or in PATH"}
	}
	if opts.Name == "" {
		opts.Name = filepath.Base(opts.Command[0])
	}
	opts.Command = slices.Clone(opts.Command)
	opts.Command[0] = path
	def(&opts.Timeout, 10*time.Minute)
	def(&opts.longest, 32<<20)
	def(&opts.spill, 64<<20)
	def(&opts.grace, 5*time.Second)
	p := &Policies{opts: opts, log: &record{path: opts.Log, head: 1 << 20, tail: 4 << 20}, running: map[*process]bool{}}
	if opts.Programs > 0 {
		p.slots = make(chan struct{}, opts.Programs)
	}
	return p, nil
}

func def[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// cause drops the names from an error of looking a program up: InputError has them.
func cause(err error) error {
	var lookup *exec.Error
	if errors.As(err, &lookup) {
		err = lookup.Err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return err
}

// Receiver is who gets the rows, for the rules and for the access log.
func (p *Policies) Receiver() governance.Endpoint {
	return governance.Program(p.opts.Name, p.opts.Local)
}

// About implements rollout.Policies.
func (p *Policies) About() schemas.Policy {
	return schemas.Policy{Kind: Kind, Model: p.opts.Name, EndpointClass: string(p.Receiver().Class)}
}

// Settings implements rollout.Configured: another command line is another agent. It may
// hold what nobody else is to see, so it stands there as a digest.
func (p *Policies) Settings() string {
	words := slices.Clone(p.opts.Command)
	words[0] = filepath.Base(words[0]) // it lies elsewhere on another machine
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return "command " + hex.EncodeToString(sum[:8])
}

// Permit implements rollout.Sender.
func (p *Policies) Permit(sources []string) error { return p.Receiver().Check(sources) }

// Priced implements rollout.Priced: a program may say what its replies cost.
func (p *Policies) Priced() bool { return true }

// New implements rollout.Policies. What it gives is an io.Closer.
func (p *Policies) New(task schemas.Task, attempt int, seed uint64) (rollout.Policy, error) {
	if task.AccessTier != schemas.TierOpen {
		if err := p.Permit([]string{task.Source}); err != nil {
			return nil, err
		}
	}
	return &player{policies: p, start: startMessage{
		Type: typeStart, ID: fmt.Sprintf("%s#%d", task.TaskID, attempt), Task: task.TaskID, Source: task.Source, Attempt: attempt,
		Seed: int64(seed >> 11), Actions: task.Actions, Feedback: p.opts.Feedback, Limits: limitsOf(p.opts.Limits),
	}}, nil
}

// Close ends every program: the idle ones by the end of their stdin, and all that are
// left a little later by force.
func (p *Policies) Close() error {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	busy := make([]*process, 0, len(p.running))
	for proc := range p.running {
		if !slices.Contains(idle, proc) {
			busy = append(busy, proc)
		}
	}
	p.mu.Unlock()
	for _, proc := range busy {
		proc.kill()
	}
	for _, proc := range idle {
		proc.dismiss()
	}
	late := time.AfterFunc(p.opts.grace, func() {
		for _, proc := range idle {
			proc.kill()
		}
	})
	defer late.Stop()
	for _, proc := range slices.Concat(idle, busy) {
		proc.wait()
	}
	p.starter.stop()
	return p.log.Close()
}

// errClosed is for attempts that go on when the stage has ended.
var errClosed = errors.New("the programs have been ended")

// take gives a process that waits for an attempt: one that has played, or a new one.
// The time until there is one is not the attempt's.
func (p *Policies) take(ctx context.Context) (*process, error) {
	defer stopwatch.Pause(ctx)()
	if p.slots != nil {
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	for {
		proc, err := p.waiting()
		if err == nil && proc == nil {
			proc, err = p.launch(ctx)
		}
		if err != nil {
			p.free()
			return nil, err
		}
		if proc.ready() {
			proc.begin()
			return proc, nil
		}
		p.drop(proc)
	}
}

// waiting takes the process that has waited the shortest; nil where none does.
func (p *Policies) waiting() (*process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	n := len(p.idle)
	if n == 0 {
		return nil, nil
	}
	proc := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return proc, nil
}

// launch starts a process and greets it. Until one has answered, it is the user's
// program that is at fault and not an accident of one attempt.
func (p *Policies) launch(ctx context.Context) (*process, error) {
	if err := p.log.open(); err != nil {
		return nil, &pipeline.InputError{File: p.opts.Log, What: "cannot be written", Err: err}
	}
	proc, err := p.begin()
	if err == nil {
		err = proc.greet(ctx, p.opts.Timeout, p.opts.Version)
		if err != nil {
			p.drop(proc)
		}
	}
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, errClosed) || p.spoke.Load() {
			return nil, err
		}
		return nil, &pipeline.InputError{What: "the program " + p.opts.Name + " does not play", Err: err, Do: "see " + p.opts.Log + " for what it wrote to stderr, and docs/exec.md for what it has to say"}
	}
	p.spoke.Store(true)
	return proc, nil
}

// begin starts a process under the lock, so that Close misses none.
func (p *Policies) begin() (*process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	proc, err := start(&p.starter, p.opts, int(p.serial.Add(1)), p.log)
	if err != nil {
		return nil, err
	}
	p.running[proc] = true
	return proc, nil
}

// give takes a process back whose attempt has ended in good order.
func (p *Policies) give(proc *process) {
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.idle = append(p.idle, proc)
	}
	p.mu.Unlock()
	if closed {
		p.drop(proc)
	}
	p.free()
}

// drop ends a process by force.
func (p *Policies) drop(proc *process) {
	proc.kill()
	proc.wait()
	p.mu.Lock()
	delete(p.running, proc)
	p.mu.Unlock()
}

func (p *Policies) free() {
	if p.slots != nil {
		<-p.slots
	}
}

// player is the policy in one attempt.
type player struct {
	policies *Policies
	start    startMessage
	proc     *process // nil before the first turn, and once it is lost
	turn     int
}

// Next implements rollout.Policy.
func (a *player) Next(ctx context.Context, c rollout.Conversation) (rollout.Reply, error) {
	first := a.proc == nil
	if first && a.turn > 0 {
		return rollout.Reply{}, a.fault(&Fault{Class: Died})
	}
	if first {
		proc, err := a.policies.take(ctx)
		if err != nil {
			return rollout.Reply{}, a.fault(err)
		}
		a.proc = proc
		proc.note("attempt " + a.start.ID)
	}
	a.turn++
	reply, err := a.ask(ctx, c, first)
	if err != nil && !errors.Is(err, rollout.ErrContextLength) {
		a.proc.note("given up: " + err.Error())
		a.policies.drop(a.proc)
		a.policies.free()
		a.proc = nil
		err = a.fault(err)
	}
	return reply, err
}

func (a *player) ask(ctx context.Context, c rollout.Conversation, first bool) (rollout.Reply, error) {
	var messages []any
	if first {
		messages = append(messages, a.start)
	}
	messages = append(messages, turnOf(a.start.ID, a.turn, c))
	line, err := a.proc.ask(ctx, a.policies.opts.Timeout, messages...)
	if err != nil {
		return rollout.Reply{}, err
	}
	reply, said, err := readAnswer(line, a.start.ID, a.turn)
	if said != "" {
		a.proc.note("says: " + said[:min(len(said), longestEntry)])
	}
	return reply, err
}

// fault names the program in an error of one.
func (a *player) fault(err error) error {
	var fault *Fault
	var input *pipeline.InputError // names it
	if errors.As(err, &fault) && !errors.As(err, &input) {
		return fmt.Errorf("program %s: %w", a.policies.opts.Name, err)
	}
	return err
}

// Close ends the attempt for the program, which is told nothing of how it ended.
func (a *player) Close() error {
	proc := a.proc
	if proc == nil {
		return nil
	}
	a.proc = nil
	ctx, cancel := context.WithTimeout(context.Background(), min(a.policies.opts.Timeout, 30*time.Second))
	defer cancel()
	text, err := encode(endMessage{typeEnd, a.start.ID})
	if err == nil {
		err = proc.send(ctx, text)
	}
	if err != nil {
		a.policies.drop(proc)
		a.policies.free()
		return nil // the attempt stands, and the next one gets another process
	}
	a.policies.give(proc)
	return nil
}
