package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// counting counts the attempts that are begun.
type counting struct {
	rollout.Policies
	begun *atomic.Int64
}

func (c counting) New(task schemas.Task, attempt int, seed uint64) (rollout.Policy, error) {
	c.begun.Add(1)
	return c.Policies.New(task, attempt, seed)
}

// counted are options that tell how many attempts are begun.
func counted(c runtest.Corpus, play fake.Run) (rollout.Options, *atomic.Int64) {
	opts, begun := options(c, play), &atomic.Int64{}
	opts.Policies = counting{opts.Policies, begun}
	return opts, begun
}

// rowsOf are the rows of a rollout in a folder of its own.
func rowsOf(t *testing.T, c runtest.Corpus, opts rollout.Options) []schemas.Trajectory {
	t.Helper()
	dir := c.Folder(t)
	mustDo(t, dir, opts)
	return runtest.Rows(t, dir)
}

// A rollout that is done goes on with another plan: what it has stays, what is missing
// is made, and the rows are those of one that was so large from the start.
func TestGrowth(t *testing.T) {
	c := corpus(t, 3)
	opts, begun := counted(c, c.Play(t))
	dir := c.Folder(t)
	opts.K, opts.Sources = 2, []string{runtest.Open}
	mustDo(t, dir, opts)
	few := runtest.Rows(t, dir)

	opts.K, opts.Sources = 4, nil
	begun.Store(0)
	res := mustDo(t, dir, opts)
	if n := begun.Load(); n != int64(4*len(c.Tasks)-len(few)) {
		t.Errorf("%d attempts begun, want those that are missing", n)
	}
	grown := runtest.Rows(t, dir)
	same(t, grown, rowsOf(t, c, opts))
	if all := summary(t, res, "all"); all.Attempts != len(grown) || all.Kept != 0 || res.Summary["resumed"] != 0.0 || res.Summary["former"] != float64(len(few)) || res.Summary["left"] != 0.0 {
		t.Errorf("summary %+v of %v", all, res.Summary)
	}
	if again := mustDo(t, dir, opts); !again.Skipped {
		t.Error("an unchanged plan is not skipped")
	}

	// A smaller plan loses nothing, and begins nothing.
	opts.K, opts.Sources = 1, []string{runtest.Closed}
	begun.Store(0)
	opts.Sandbox = func(context.Context) (sandbox.Sandbox, error) { return nil, errors.New("not needed") }
	res = mustDo(t, dir, opts)
	same(t, runtest.Rows(t, dir), grown)
	all := summary(t, res, "all")
	if want := len(grown) - len(c.Tasks)/2; begun.Load() != 0 || all.Kept != want || all.Attempts != len(grown) || summary(t, res, runtest.Open).Kept != len(grown)/2 {
		t.Errorf("%d begun, kept %d, want %d; %+v", begun.Load(), all.Kept, want, all)
	}

	// What shapes an attempt is drift, and so is the shard.
	for name, change := range map[string]func(*rollout.Options){
		"seed": func(o *rollout.Options) { o.Seed++ }, "turns": func(o *rollout.Options) { o.Limits.Turns = 3 },
		"shard": func(o *rollout.Options) { o.Shard, o.Shards = 0, 2 },
	} {
		other := options(c, c.Play(t))
		change(&other)
		if _, err := do(t, t.Context(), dir, other, nil); !errors.Is(err, pipeline.ErrDrift) || !strings.Contains(err.Error(), name) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// However often a rollout that grows is interrupted, and whatever plan it had
// meanwhile, it ends with the rows of an undisturbed one.
func TestGrowthInterrupted(t *testing.T) {
	c := corpus(t, 3)
	play := c.Play(t)
	opts := options(c, play)
	opts.K = 5
	want := rowsOf(t, c, opts)

	dir := c.Folder(t)
	opts.K, opts.MaxTasks = 2, 4
	mustDo(t, dir, opts)
	opts.MaxTasks = 0
	rng := rand.New(rand.NewPCG(3, 4))
	interruptions := 0
	for done := false; !done; {
		ctx, cancel := context.WithCancel(t.Context())
		var left atomic.Int64
		left.Store(1 + rng.Int64N(30))
		opts.Sandbox = func(context.Context) (sandbox.Sandbox, error) {
			return fake.New(func(ctx context.Context, s *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
				if left.Add(-1) == 0 {
					cancel()
				}
				if err := ctx.Err(); err != nil {
					return sandbox.Result{}, err
				}
				return play(ctx, s, cmd)
			}), nil
		}
		opts.K, opts.Drain = 5, time.Nanosecond
		if interruptions%2 == 1 {
			opts.K, opts.Drain = 4, time.Minute
		}
		_, err := do(t, ctx, dir, opts, nil)
		switch {
		case err == nil:
			done = opts.K == 5
			interruptions += 5 - opts.K // the other plan is done: on with the larger one
		case errors.Is(err, context.Canceled):
			interruptions++
		default:
			t.Fatal(err)
		}
		cancel()
	}
	if interruptions < 2 {
		t.Errorf("only %d interruptions", interruptions)
	}
	same(t, runtest.Rows(t, dir), want)
}

// Rows that another stage has rewritten since are taken as they are.
func TestGrowthOfGraded(t *testing.T) {
	c := corpus(t, 2)
	opts := options(c, c.Play(t))
	opts.K = 1
	dir := c.Folder(t)
	mustDo(t, dir, opts)
	run, err := pipeline.Open(t.Context(), dir, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	later := pipeline.Stage{Name: "grade", Version: "1", Inputs: []string{rollout.Name}, Output: "trajectories", Work: func(ctx context.Context, w *pipeline.Work) error {
		files, err := pq.Files(w.Input(rollout.Name))
		for _, file := range files {
			rows := func(yield func(schemas.Trajectory, error) bool) {
				for row, err := range pq.ReadFile[schemas.Trajectory](ctx, file) {
					row.GraderVersion = "later"
					if !yield(row, err) {
						return
					}
				}
			}
			rel, relErr := filepath.Rel(w.Input(rollout.Name), filepath.Dir(file))
			split, _, _ := strings.Cut(filepath.Base(file), "-")
			if _, err := pq.WriteShards(ctx, filepath.Join(w.Dir(), rel), split, rows, pq.Options{}); err != nil || relErr != nil {
				return errors.Join(err, relErr)
			}
		}
		return err
	}}
	if _, err := run.Do(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	opts.K = 2
	mustDo(t, dir, opts)
	rows := runtest.Rows(t, dir)
	if len(rows) != 2*len(c.Tasks) {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		if (row.GraderVersion == "later") != (*row.Attempt == 0) {
			t.Errorf("%s: grader version %s", row.TrajectoryID, row.GraderVersion)
		}
	}
}

// With UntilSolved attempts at a task end with the n-th that is solved, whatever the
// concurrency and the interruptions; shards share the tasks.
func TestUntilSolved(t *testing.T) {
	c := corpus(t, 3)
	play := c.Play(t)
	opts, begun := counted(c, play)
	opts.K, opts.UntilSolved, opts.Concurrency = 6, 2, 1
	want := rowsOf(t, c, opts)
	if begun.Load() != int64(len(want)) {
		t.Errorf("%d attempts begun for %d rows", begun.Load(), len(want))
	}
	opts.Concurrency = 64
	same(t, rowsOf(t, c, opts), want)

	solved, next, fewer := map[string]int{}, map[string]int{}, 0
	for _, row := range want {
		if solved[row.TaskID] == 2 || next[row.TaskID] != int(*row.Attempt) {
			t.Errorf("%s was made after %d of %d were solved", row.TrajectoryID, solved[row.TaskID], next[row.TaskID])
		}
		next[row.TaskID]++
		if row.Outcome == schemas.OutcomeSolved {
			solved[row.TaskID]++
		}
	}
	for _, task := range c.Tasks {
		if solved[task.TaskID] < 2 && next[task.TaskID] != 6 {
			t.Errorf("task %s has %d attempts, %d of them solved", task.TaskID, next[task.TaskID], solved[task.TaskID])
		}
		if next[task.TaskID] < 6 {
			fewer++
		}
	}
	if fewer == 0 {
		t.Error("no task ended early: the test proves nothing")
	}

	// It grows: by attempts, and by how often a task is to be solved.
	dir := c.Folder(t)
	opts.K, opts.UntilSolved = 3, 1
	mustDo(t, dir, opts)
	opts.K, opts.UntilSolved = 6, 2
	res := mustDo(t, dir, opts)
	same(t, runtest.Rows(t, dir), want)
	if res.Summary["left"] != 0.0 || res.Summary["made"] != float64(len(want)) {
		t.Errorf("summary %v", res.Summary)
	}

	// Interrupted again and again.
	dir = c.Folder(t)
	for done := false; !done; {
		ctx, cancel := context.WithCancel(t.Context())
		left := 15
		opts.Concurrency, opts.Drain = 1, time.Minute
		opts.Sandbox = func(context.Context) (sandbox.Sandbox, error) {
			return fake.New(func(ctx context.Context, s *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
				if left--; left == 0 {
					cancel()
				}
				return play(ctx, s, cmd)
			}), nil
		}
		_, err := do(t, ctx, dir, opts, nil)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		done = err == nil
		cancel()
	}
	same(t, runtest.Rows(t, dir), want)

	opts = options(c, play)
	opts.K, opts.UntilSolved, opts.Shards = 6, 2, 2
	union := map[string]int{}
	for opts.Shard = range 2 {
		tasks := map[string]bool{}
		for _, row := range rowsOf(t, c, opts) {
			union[row.TrajectoryID]++
			tasks[row.TaskID] = true
		}
		if len(tasks) == 0 || len(tasks) == len(c.Tasks) {
			t.Errorf("a shard has %d of %d tasks", len(tasks), len(c.Tasks))
		}
	}
	if len(union) != len(want) {
		t.Errorf("the shards hold %d attempts, want %d", len(union), len(want))
	}
}

func TestQuotas(t *testing.T) {
	c := corpus(t, 4)
	opts := options(c, c.Play(t))
	opts.K, opts.MaxTasks, opts.Quotas = 1, 2, map[string]int{runtest.Open: 5}
	dir := c.Folder(t)
	res := mustDo(t, dir, opts)
	few := runtest.Rows(t, dir)
	if open, closed := summary(t, res, runtest.Open), summary(t, res, runtest.Closed); open.Chosen != 5 || closed.Chosen != 2 || len(few) != 7 {
		t.Errorf("%d and %d tasks, %d rows", open.Chosen, closed.Chosen, len(few))
	}
	opts.Quotas = map[string]int{runtest.Open: 6}
	if res := mustDo(t, dir, opts); summary(t, res, "all").Attempts != 8 || summary(t, res, "all").Kept != 0 {
		t.Errorf("a larger quota draws other tasks: %+v", summary(t, res, "all"))
	}
}

// paid is a policy whose replies cost a quarter of a dollar.
type paid struct{ rollout.Policies }

func (paid) Priced() bool { return true }

func (p paid) New(task schemas.Task, attempt int, seed uint64) (rollout.Policy, error) {
	policy, err := p.Policies.New(task, attempt, seed)
	return paidPolicy{policy}, err
}

type paidPolicy struct{ rollout.Policy }

func (p paidPolicy) Next(ctx context.Context, c rollout.Conversation) (rollout.Reply, error) {
	reply, err := p.Policy.Next(ctx, c)
	reply.CostUSD = schemas.Ptr(0.25)
	return reply, err
}

// At a cap no attempt is begun, what there is is published, and with higher caps, one
// after the other, the rows become those of a rollout without any.
func TestCaps(t *testing.T) {
	c := corpus(t, 2)
	opts := options(c, c.Play(t))
	opts.Policies = paid{opts.Policies}
	want := rowsOf(t, c, opts)
	cost, used := 0.0, int64(0)
	for _, row := range want {
		cost += *row.CostUSD
		used += *row.PromptTokens + *row.CompletionTokens
	}

	for name, caps := range map[string]func(share float64) rollout.Caps{
		rollout.CapCost:   func(share float64) rollout.Caps { return rollout.Caps{CostUSD: share * cost} },
		rollout.CapTokens: func(share float64) rollout.Caps { return rollout.Caps{Tokens: int64(share * float64(used))} },
	} {
		t.Run(name, func(t *testing.T) {
			dir := c.Folder(t)
			last := 0
			for _, share := range []float64{0.2, 0.5, 0.75} {
				opts.Concurrency = 4
				if share > 0.5 { // what four attempts take may be all that is left
					opts.Concurrency = 1
				}
				opts.Caps = caps(share)
				res := mustDo(t, dir, opts)
				n := len(runtest.Rows(t, dir))
				if n <= last || n >= len(want) || res.Summary["stopped"] != name || res.Summary["made"] != float64(n) ||
					res.Summary["planned"] != float64(len(want)) || res.Summary["left"] != float64(len(want)-n) {
					t.Errorf("%d rows after %d, of %d; summary %v", n, last, len(want), res.Summary)
				}
				all := summary(t, res, "all")
				if *all.CostUSD < share*cost && name == rollout.CapCost || float64(all.PromptTokens+all.CompletionTokens) < share*float64(used)-1 && name == rollout.CapTokens {
					t.Errorf("it stopped before the cap: %+v", all)
				}
				last = n
				if again := mustDo(t, dir, opts); !again.Skipped {
					t.Error("the same cap again is not skipped")
				}
			}
			opts.Caps = rollout.Caps{}
			res := mustDo(t, dir, opts)
			if res.Summary["stopped"] != "" || res.Summary["left"] != 0.0 {
				t.Errorf("summary %v", res.Summary)
			}
			same(t, runtest.Rows(t, dir), want)
			opts.Caps = caps(0.5) // no reason to do anything
			if res := mustDo(t, dir, opts); !res.Skipped {
				t.Error("a cap has begun a finished rollout anew")
			}
		})
	}
	t.Run(rollout.CapTime, func(t *testing.T) {
		dir := c.Folder(t)
		opts.Caps = rollout.Caps{Time: time.Nanosecond}
		for range 2 {
			if res := mustDo(t, dir, opts); res.Skipped || res.Summary["stopped"] != rollout.CapTime || len(runtest.Rows(t, dir)) != 0 {
				t.Errorf("summary %v, skipped %v", res.Summary, res.Skipped)
			}
		}
		opts.Caps.Time = time.Hour
		if res := mustDo(t, dir, opts); res.Summary["stopped"] != "" {
			t.Errorf("summary %v", res.Summary)
		}
		same(t, runtest.Rows(t, dir), want)
	})
	// Spending of an interrupted run counts too.
	t.Run("interrupted", func(t *testing.T) {
		dir := c.Folder(t)
		ctx, cancel := context.WithCancel(t.Context())
		other := opts
		other.Caps, other.Concurrency, other.Drain = rollout.Caps{CostUSD: 0.5 * cost}, 1, time.Minute
		left, play := 10, c.Play(t)
		other.Sandbox = func(context.Context) (sandbox.Sandbox, error) {
			return fake.New(func(ctx context.Context, s *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
				if left--; left == 0 {
					cancel()
				}
				return play(ctx, s, cmd)
			}), nil
		}
		if _, err := do(t, ctx, dir, other, nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		all := summary(t, mustDo(t, dir, other), "all")
		if *all.CostUSD < 0.5*cost || *all.CostUSD > 0.5*cost+15*0.25 {
			t.Errorf("it cost %g, the cap was %g", *all.CostUSD, 0.5*cost)
		}
		cancel()
	})
}

// A price makes costs of tokens where the policy tells none.
func TestPrice(t *testing.T) {
	c := corpus(t, 1)
	opts := options(c, c.Play(t))
	opts.Price, opts.Caps = &rollout.Price{Input: 2, Output: 3e6}, rollout.Caps{CostUSD: 1}
	opts.Concurrency = 1
	dir := c.Folder(t)
	res := mustDo(t, dir, opts)
	rows := runtest.Rows(t, dir)
	if len(rows) != 1 || res.Summary["stopped"] != rollout.CapCost {
		t.Errorf("%d rows, summary %v", len(rows), res.Summary)
	}
	for _, row := range rows {
		if want := float64(*row.PromptTokens)*2e-6 + 3*float64(*row.CompletionTokens); row.CostUSD == nil || *row.CostUSD < 0.999*want || *row.CostUSD > 1.001*want {
			t.Errorf("cost %v, want %g", row.CostUSD, want)
		}
	}
}

// The infra_error rows of a rollout that is done are tried again on demand.
func TestRetryInfra(t *testing.T) {
	c := corpus(t, 2)
	play := c.Play(t)
	opts, begun := counted(c, play)
	want := rowsOf(t, c, opts)
	broken := c.Tasks[0].TaskID
	var well atomic.Bool
	opts.Sandbox = func(context.Context) (sandbox.Sandbox, error) {
		return fake.New(func(ctx context.Context, s *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
			if !well.Load() && strings.HasPrefix(s.Spec.Name, broken) {
				return sandbox.Result{}, errors.New("the cell died")
			}
			return play(ctx, s, cmd)
		}), nil
	}
	opts.Retries = -1
	dir := c.Folder(t)
	res := mustDo(t, dir, opts)
	infra := summary(t, res, "all").Outcomes[schemas.OutcomeInfraError]
	if infra == 0 {
		t.Fatal("no infra_error: the test proves nothing")
	}
	if res := mustDo(t, dir, opts); !res.Skipped {
		t.Error("infra errors are tried again unasked")
	}
	opts.RetryInfra = true
	for _, ok := range []bool{false, true} {
		well.Store(ok)
		begun.Store(0)
		res = mustDo(t, dir, opts)
		if begun.Load() != int64(infra) {
			t.Errorf("%d attempts begun, want %d", begun.Load(), infra)
		}
		if !ok && summary(t, res, "all").Outcomes[schemas.OutcomeInfraError] != infra {
			t.Errorf("summary %+v", summary(t, res, "all"))
		}
	}
	same(t, runtest.Rows(t, dir), want)
	if res := mustDo(t, dir, opts); !res.Skipped {
		t.Error("there is nothing to try again")
	}
}

// What failed while the machinery was away is tried once more before it counts.
func TestLastRound(t *testing.T) {
	c := corpus(t, 2)
	play := c.Play(t)
	opts := options(c, play)
	want := rowsOf(t, c, opts)
	// The first attempt to come fails, with all its retries.
	var first sync.Once
	var failing string
	opts.Concurrency, opts.Retries = 1, 1
	opts.Sandbox = func(context.Context) (sandbox.Sandbox, error) {
		tries := 0
		return fake.New(func(ctx context.Context, s *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
			first.Do(func() { failing = s.Spec.Name })
			if tries++; s.Spec.Name == failing && tries <= 2 {
				return sandbox.Result{}, errors.New("the cell died")
			}
			return play(ctx, s, cmd)
		}), nil
	}
	dir := c.Folder(t)
	res := mustDo(t, dir, opts)
	same(t, runtest.Rows(t, dir), want)
	if n := summary(t, res, "all").InfraRetries; n != 1 {
		t.Errorf("%d attempts begun anew", n)
	}
}

// Where nothing but infra errors comes nothing is published, however few they are.
func TestAllInfra(t *testing.T) {
	c := corpus(t, 1)
	opts := options(c, func(context.Context, *fake.Session, sandbox.Command) (sandbox.Result, error) {
		return sandbox.Result{}, errors.New("the cell died")
	})
	opts.K, opts.MaxTasks, opts.Retries = 1, 1, -1
	dir := c.Folder(t)
	if _, err := do(t, t.Context(), dir, opts, nil); err == nil || !strings.Contains(err.Error(), "all 2 attempts ended as infra_error") {
		t.Fatalf("nothing but infra errors: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "trajectories")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was published: %v", err)
	}
	opts.Sandbox = options(c, c.Play(t)).Sandbox
	mustDo(t, dir, opts)
	same(t, runtest.Rows(t, dir), rowsOf(t, c, opts))
}

// closers notes what is closed, and what is begun or used after that.
type closers struct {
	rollout.Policies
	mu           sync.Mutex
	closed, late int
	open         map[*closer]bool
	made         int
}

type closer struct {
	rollout.Policy
	all *closers
}

func (c *closers) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed++
	if len(c.open) > 0 {
		c.late++
	}
	return nil
}

func (c *closers) New(task schemas.Task, attempt int, seed uint64) (rollout.Policy, error) {
	policy, err := c.Policies.New(task, attempt, seed)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed > 0 {
		c.late++
	}
	one := &closer{policy, c}
	c.open[one] = true
	c.made++
	return one, err
}

func (c *closer) Close() error {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if !c.all.open[c] {
		c.all.late++
	}
	delete(c.all.open, c)
	return errors.New("it is not to matter")
}

func (c *closer) Next(ctx context.Context, conv rollout.Conversation) (rollout.Reply, error) {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if c.all.closed > 0 {
		c.all.late++
	}
	return c.Policy.Next(ctx, conv)
}

// Policies are closed once, after the last attempt; each policy when its attempt has
// ended, however it did.
func TestClosing(t *testing.T) {
	c := corpus(t, 2)
	play := c.Play(t)
	for name, tc := range map[string]struct {
		spoil func(cancel func(), opts *rollout.Options)
		fails bool
	}{
		"well":        {func(func(), *rollout.Options) {}, false},
		"infra error": {func(_ func(), o *rollout.Options) { o.Sandbox = failing(errors.New("the cell died")); o.GiveUp = 1 }, true},
		"unavailable": {func(_ func(), o *rollout.Options) { o.Sandbox = failing(sandbox.ErrUnavailable) }, true},
		"interrupted": {func(cancel func(), o *rollout.Options) {
			o.Sandbox = func(context.Context) (sandbox.Sandbox, error) {
				return fake.New(func(ctx context.Context, s *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
					cancel()
					return play(ctx, s, cmd)
				}), nil
			}
		}, true},
		"capped": {func(_ func(), o *rollout.Options) { o.Caps.Tokens = 1 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			opts := options(c, play)
			all := &closers{Policies: opts.Policies, open: map[*closer]bool{}}
			opts.Policies, opts.Retries = all, 1
			tc.spoil(cancel, &opts)
			if _, err := do(t, ctx, c.Folder(t), opts, nil); (err != nil) != tc.fails {
				t.Fatalf("error %v", err)
			}
			if all.closed != 1 || all.late != 0 || len(all.open) != 0 || all.made == 0 {
				t.Errorf("of %d policies %d are open; the client was closed %d times, %d things came late", all.made, len(all.open), all.closed, all.late)
			}
		})
	}
}

func failing(err error) func(context.Context) (sandbox.Sandbox, error) {
	return func(context.Context) (sandbox.Sandbox, error) {
		return fake.New(func(context.Context, *fake.Session, sandbox.Command) (sandbox.Result, error) {
			return sandbox.Result{}, err
		}), nil
	}
}

// varying describes each attempt by a temperature of its own.
type varying struct{ rollout.Policies }

func (varying) AboutAttempt(_ schemas.Task, attempt int) schemas.Policy {
	return schemas.Policy{Kind: "varying", Temperature: schemas.Ptr(float64(attempt) / 10)}
}

func (varying) Settings() string { return "a tenth each" }

func TestVarying(t *testing.T) {
	c := corpus(t, 1)
	opts := options(c, c.Play(t))
	opts.Policies = varying{opts.Policies}
	dir := c.Folder(t)
	mustDo(t, dir, opts)
	for _, row := range runtest.Rows(t, dir) {
		if row.Policy.Kind != "varying" || *row.Policy.Temperature != float64(*row.Attempt)/10 || row.Policy.Seed == nil {
			t.Errorf("%s: %+v", row.TrajectoryID, row.Policy)
		}
	}
	opts = options(c, c.Play(t)) // without the schedule
	if _, err := do(t, t.Context(), dir, opts, nil); !errors.Is(err, pipeline.ErrDrift) || !strings.Contains(err.Error(), "config settings") {
		t.Errorf("another schedule: %v", err)
	}
}

// A dry run says what there is to do and to pay, and does nothing.
func TestDryRun(t *testing.T) {
	c := corpus(t, 3)
	opts := options(c, c.Play(t))
	opts.Policies = paid{opts.Policies}
	dir := c.Folder(t)
	dry := func(price *rollout.Price) rollout.Forecast {
		opts := opts
		opts.Price = price
		t.Helper()
		before := files(t, dir)
		run, err := pipeline.Open(t.Context(), dir, pipeline.Options{})
		if err != nil {
			t.Fatal(err)
		}
		other := opts
		other.Sandbox = func(context.Context) (sandbox.Sandbox, error) { return nil, errors.New("a dry run opens nothing") }
		f, err := rollout.DryRun(t.Context(), run, other)
		if err != nil {
			t.Fatal(err)
		}
		if err := run.Close(); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(before, files(t, dir)) {
			t.Error("a dry run has changed the run folder")
		}
		return f
	}
	n := int64(len(c.Tasks))
	f := dry(&rollout.Price{Input: 1, Output: 2})
	if f.Assumed == nil || f.All.Attempts != 4*n || f.All.Left != 4*n || f.All.Done != 0 || len(f.Sources) != 2 || f.All.Tasks != len(c.Tasks) {
		t.Errorf("before the first run: %+v", f)
	}
	if f.All.PromptTokens < 4*n*5*300 || f.All.CompletionTokens != 4*n*int64(f.Assumed.Turns*f.Assumed.ReplyTokens) {
		t.Errorf("tokens before the first run: %+v", f.All)
	}
	if want := float64(f.All.PromptTokens+2*f.All.CompletionTokens) / 1e6; f.All.CostUSD == nil || *f.All.CostUSD < 0.99*want || *f.All.CostUSD > 1.01*want {
		t.Errorf("cost %v, want %g", f.All.CostUSD, want)
	}
	mustDo(t, dir, opts)
	if f = dry(nil); f.All.Left != 0 || f.All.Done != 4*n || f.Assumed != nil || f.All.PromptTokens != 0 || f.Spent.CostUSD == 0 {
		t.Errorf("a finished rollout: %+v", f)
	}
	rows := runtest.Rows(t, dir)
	opts.K = 8
	f = dry(nil)
	prompt, completion, cost := int64(0), int64(0), 0.0
	for _, row := range rows {
		prompt += *row.PromptTokens
		completion += *row.CompletionTokens
		cost += *row.CostUSD
	}
	near := func(got, want float64) bool { return got > 0.8*want && got < 1.25*want }
	if f.All.Left != 4*n || f.All.Done != 4*n || f.Assumed != nil || f.All.Measured != len(rows) || !near(float64(f.All.PromptTokens), float64(prompt)) ||
		!near(float64(f.All.CompletionTokens), float64(completion)) || !near(*f.All.CostUSD, cost) {
		t.Errorf("as many attempts again: %+v; the first took %d, %d, %g", f, prompt, completion, cost)
	}
	opts.Seed++
	run, err := pipeline.Open(t.Context(), dir, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = run.Close() }()
	if _, err := rollout.DryRun(t.Context(), run, opts); !errors.Is(err, pipeline.ErrDrift) {
		t.Errorf("another seed: %v", err)
	}
}

// files are those of a run folder, by content, but for who holds it.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "run.lock" || strings.HasPrefix(entry.Name(), "journal.db") {
			return err
		}
		text, err := os.ReadFile(path)
		out[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBadPlans(t *testing.T) {
	c := corpus(t, 1)
	for name, tc := range map[string]struct {
		spoil func(*rollout.Options)
		says  string
	}{
		"quota of nobody": {func(o *rollout.Options) { o.Quotas = map[string]int{"nobody": 1} }, "nobody"},
		"no quota":        {func(o *rollout.Options) { o.Quotas = map[string]int{runtest.Open: 0} }, "at least 1"},
		"quota beside sources": {func(o *rollout.Options) {
			o.Sources, o.Quotas = []string{runtest.Closed}, map[string]int{runtest.Open: 1}
		}, "not among"},
		"until":         {func(o *rollout.Options) { o.UntilSolved = 5 }, "until solved is 5"},
		"cost":          {func(o *rollout.Options) { o.Caps.CostUSD = 1 }, "give its prices"},
		"negative cost": {func(o *rollout.Options) { o.Caps.CostUSD = -1 }, "negative"},
		"negative time": {func(o *rollout.Options) { o.Caps.Time = -1 }, "negative"},
	} {
		opts := options(c, c.Play(t))
		tc.spoil(&opts)
		if _, err := rollout.Stage(opts); err == nil || !strings.Contains(fmt.Sprint(err), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
