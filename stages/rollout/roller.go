package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	encjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	pyenv "github.com/medgym-data/medgym-data/sandbox/python"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
	"github.com/medgym-data/medgym-data/stages/internal/judge"
	"github.com/medgym-data/medgym-data/stages/internal/rawfiles"
	"github.com/medgym-data/medgym-data/stages/internal/selection"
	"github.com/medgym-data/medgym-data/stages/internal/tokens"
)

// roller makes the attempts of one run of the stage.
type roller struct {
	w       *pipeline.Work
	opts    Options
	tag     string // of the settings that shape an attempt: part of every trajectory's id
	prompt  *template.Template
	counter *tokens.Counter
	inv     rawfiles.Inventory
	plan    *plan
	sources map[string]*source
	box     sandbox.Sandbox
	places  map[string]string // where the Python environment lies on the host, and inside
	meter   pipeline.Meter

	mu       sync.Mutex
	noPlay   map[string]int // attempts that the policy cannot play, by task
	faults   []result       // infra_error: put into the journal when the others are done
	inARow   int            // infra_error, without another outcome between
	finished map[schemas.Outcome]int
}

// source is what attempts at the tasks of one source share.
type source struct {
	spec      datasets.Spec
	furnisher datasets.Furnisher // may be nil
	raw       *rawfiles.Raw
	judge     judge.Judge
}

// result is a finished attempt as the journal holds it.
type result struct {
	key     string
	outcome schemas.Outcome
	payload []byte
}

func newRoller(w *pipeline.Work, opts Options, config Config) (_ *roller, err error) {
	r := &roller{w: w, opts: opts, noPlay: map[string]int{}, finished: map[schemas.Outcome]int{}}
	r.tag, err = tagOf(config)
	if err != nil {
		return nil, err
	}
	if r.prompt, err = template.ParseFS(prompts, "prompts/system.tmpl"); err != nil {
		return nil, fmt.Errorf("system prompt: %w", err)
	}
	if r.counter, err = tokens.New(); err != nil {
		return nil, err
	}
	r.inv, err = rawfiles.Open(w)
	return r, err
}

// tagOf tells attempts apart that the same task had under other settings. Which
// tasks were chosen, and how many attempts, has no part in what an attempt is.
func tagOf(c Config) (string, error) {
	c.K, c.Sources, c.Splits, c.MaxTasks, c.Shard, c.Part = 0, nil, nil, 0, "", ""
	text, err := encjson.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("rollout config: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4]), nil
}

func (r *roller) work(ctx context.Context) error {
	var err error
	tasks := r.w.Input(tasksStage)
	var out map[string]bool
	if r.opts.Validated {
		if out, err = quarantined(ctx, r.w.Input(validationStage)); err != nil {
			return err
		}
	}
	var dropped map[string]bool
	if r.opts.Screened {
		if dropped, err = selection.Dropped(ctx, r.w.Input(selection.Screening)); err != nil {
			return err
		}
	}
	if r.plan, err = choose(ctx, tasks, r.opts, out, dropped); err != nil {
		return err
	}
	if sender, ok := r.opts.Policies.(Sender); ok {
		if err := sender.Permit(r.plan.closed()); err != nil {
			return err
		}
	}
	if r.opts.Packages != nil {
		if err := r.opts.Packages.Permit(r.plan.closed()); err != nil {
			return err
		}
	}
	done, err := r.w.Journal().Keys(ctx)
	if err != nil {
		return err
	}
	r.meter = r.w.Progress(Name, r.plan.attempt)
	defer r.meter.Done()
	r.meter.Add(int64(len(done)))
	if int64(len(done)) < r.plan.attempt {
		if err := r.sample(ctx, tasks, done); err != nil {
			return err
		}
	}
	r.w.Summarize("resumed", len(done))
	return r.publish(ctx)
}

// sample makes the attempts that are not done. When ctx ends, no attempt is begun
// any more, and those in flight have Options.Drain to end.
func (r *roller) sample(ctx context.Context, tasks string, done map[string]bool) (err error) {
	if r.box, err = r.opts.Sandbox(ctx); err != nil {
		return fmt.Errorf("open sandbox: %w", err)
	}
	defer func() { err = errors.Join(err, r.box.Close()) }()
	if c, ok := r.opts.Policies.(io.Closer); ok {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	if env, err := pyenv.Find(ctx); err == nil { // a sandbox may have another
		r.places = environmentPlaces(env)
	}
	if err := r.openSources(); err != nil {
		return err
	}

	flying, land := context.WithCancel(context.WithoutCancel(ctx))
	defer land()
	group, gctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(gctx, func() {
		if ctx.Err() == nil {
			land() // another worker has failed: nothing here will be published
			return
		}
		timer := time.AfterFunc(r.opts.Drain, land)
		context.AfterFunc(flying, func() { timer.Stop() })
	})
	defer stop()

	units := make(chan unit) // unbuffered: tasks in memory are those being worked on
	group.Go(func() error {
		defer close(units)
		for u, err := range r.plan.units(gctx, tasks, r.opts, done) {
			if err != nil {
				return err
			}
			select {
			case units <- u:
			case <-gctx.Done():
				return context.Cause(gctx)
			}
		}
		return nil
	})
	for range r.opts.Concurrency {
		group.Go(func() error {
			for u := range units {
				if gctx.Err() != nil {
					return context.Cause(gctx)
				}
				if err := r.one(flying, u); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = group.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
	if err != nil {
		return err
	}
	for _, res := range r.faults {
		if err := r.w.Journal().Put(ctx, res.key, res.payload); err != nil {
			return err
		}
	}
	return nil
}

func (r *roller) openSources() error {
	r.sources = map[string]*source{}
	for _, id := range slices.Sorted(maps.Keys(r.plan.sources)) {
		adapter, err := r.opts.Registry.Find(id)
		if err != nil {
			return err
		}
		grader, ok := adapter.(datasets.Grader)
		if !ok {
			return fmt.Errorf("source %s has no grader: its tasks cannot be sampled", id)
		}
		s := &source{spec: adapter.Spec()}
		s.furnisher, _ = adapter.(datasets.Furnisher)
		if s.raw, err = r.inv.Raw(id); err != nil {
			return err
		}
		s.judge = judge.Judge{Grader: grader, Runner: datasets.WithRaw(execute.Runner(r.box), s.raw)}
		r.sources[id] = s
	}
	return nil
}

// one makes one attempt and records it. Its error ends the stage; an attempt that
// was dropped has none.
func (r *roller) one(ctx context.Context, u unit) error {
	row, err := r.attempt(ctx, u)
	switch {
	case errors.Is(err, ErrNoPlay):
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.noPlay[u.task.TaskID]++; r.noPlay[u.task.TaskID] == 1 {
			r.plan.sources[u.task.Source].NoPlay++
		}
		r.meter.Add(1)
		return nil
	case err != nil && ctx.Err() != nil:
		return nil // dropped: it will be made by the next run
	case err != nil:
		return err
	}
	if err := row.Validate(); err != nil {
		return fmt.Errorf("internal error: %w", err)
	}
	payload, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("encode trajectory %s: %w", row.TrajectoryID, err)
	}
	res := result{u.key, row.Outcome, payload}
	if row.Outcome == schemas.OutcomeInfraError {
		return r.fault(res)
	}
	if err := r.w.Journal().Put(ctx, res.key, res.payload); err != nil {
		return err
	}
	r.count(res)
	return nil
}

// manyFaults in a row mean that policy or sandbox are gone, and that going on would
// fill the table with nothing.
const manyFaults = 20

// fault keeps an infra_error back until all else is done, so that an interrupted
// run tries the attempt again.
func (r *roller) fault(res result) error {
	r.count(res)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, res)
	if r.inARow++; r.inARow >= max(manyFaults, 2*r.opts.Concurrency) {
		return fmt.Errorf("%d attempts in a row ended as infra_error: see the log, mend the policy or the sandbox, and run the same command again; finished attempts are kept", r.inARow)
	}
	return nil
}

func (r *roller) count(res result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished[res.outcome]++
	if res.outcome != schemas.OutcomeInfraError {
		r.inARow = 0
	}
	r.meter.Add(1)
	all := 0
	for _, n := range r.finished {
		all += n
	}
	r.meter.Describe(fmt.Sprintf("solved %d of %d", r.finished[schemas.OutcomeSolved], all))
}

// attempt plays an attempt, anew when the machinery around it fails. Its error is
// ErrNoPlay, ctx's, or one that ends the stage.
func (r *roller) attempt(ctx context.Context, u unit) (schemas.Trajectory, error) {
	for try := 0; ; try++ {
		row, err := r.play(ctx, u)
		var infra *infraError
		var input *pipeline.InputError
		var policy *pipeline.PolicyError
		switch {
		case err == nil, ctx.Err() != nil:
			return row, err
		case errors.As(err, &input), errors.As(err, &policy), errors.Is(err, sandbox.ErrUnavailable), !errors.As(err, &infra):
			return row, err
		}
		log := r.w.Log.With("trajectory", row.TrajectoryID, "part", infra.part, "error", infra.err)
		if try < r.opts.Retries {
			log.Warn("attempt begun anew", "try", try+1)
			pause(ctx, 100*time.Millisecond<<min(try, 6))
			continue
		}
		log.Error("attempt ends as infra_error")
		row.Outcome, row.OutcomeReason = schemas.OutcomeInfraError, infra.part
		row.Messages, row.Steps, row.PromptTokens, row.CompletionTokens, row.CostUSD = nil, nil, nil, nil, nil
		judge.Settle(&row, nil)
		return row, nil
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// play plays an attempt once.
func (r *roller) play(ctx context.Context, u unit) (schemas.Trajectory, error) {
	src := r.sources[u.task.Source]
	seed := derive(r.opts.Seed, "attempt", u.task.TaskID, fmt.Sprint(u.attempt))
	about := r.opts.Policies.About()
	about.Seed = schemas.Ptr(int64(seed >> 1))
	row := newRow(u.task, u.attempt, r.w.Run.ID(), r.opts.Feedback, about, r.info(), src.spec.GraderVersion)
	row.TrajectoryID = fmt.Sprintf("%s#%d.%s", u.task.TaskID, u.attempt, r.tag)
	policy, err := r.opts.Policies.New(u.task, u.attempt, seed)
	if errors.Is(err, ErrNoPlay) {
		return *row, err
	}
	if err != nil {
		return *row, &infraError{"policy", err}
	}
	if c, ok := policy.(io.Closer); ok {
		defer func() {
			// What the attempt came to stands, whatever becomes of its policy.
			if err := c.Close(); err != nil {
				r.w.Log.Warn("policy not closed", "trajectory", row.TrajectoryID, "error", err)
			}
		}()
	}
	a := &agent{
		task: u.task, policy: policy, judge: src.judge, limits: r.opts.Limits, feedback: r.opts.Feedback, installs: r.opts.Packages != nil, places: r.places,
		counter: r.counter, prompt: r.prompt, seed: seed, log: r.w.Log, tools: about.Protocol == ProtocolTools, debugger: r.opts.Debugger,
		open: func(ctx context.Context) (*execute.Session, error) {
			return r.open(ctx, src, u.task, row.TrajectoryID)
		},
	}
	begun := time.Now()
	err = a.play(ctx, row)
	row.WallS = schemas.Ptr(time.Since(begun).Seconds())
	return *row, err
}

// environmentPlaces are folders of the host that the kernel names to programs.
func environmentPlaces(env pyenv.Environment) map[string]string {
	places := map[string]string{env.Site(): "/opt/env"}
	if !strings.HasPrefix(env.Prefix, "/usr") { // that is the same inside
		places[env.Prefix] = "/opt/python"
	}
	return places
}

// info is what runs: what programs may install is part of their environment.
func (r *roller) info() sandbox.Info {
	info := r.box.Info()
	if r.opts.Packages != nil {
		sum := sha256.Sum256([]byte(info.EnvironmentDigest + "\n" + r.opts.Packages.About()))
		info.EnvironmentDigest = hex.EncodeToString(sum[:])
	}
	return info
}

// open furnishes and opens the sandbox session of an attempt.
func (r *roller) open(ctx context.Context, src *source, task schemas.Task, name string) (*execute.Session, error) {
	var furnished datasets.Session
	if src.furnisher != nil {
		var err error
		if furnished, err = src.furnisher.Furnish(ctx, task, src.raw); err != nil {
			return nil, &infraError{"session", err}
		}
	}
	if r.opts.Packages != nil {
		furnished.Services = append(slices.Clone(furnished.Services), r.opts.Packages.Service())
	}
	return execute.Open(ctx, r.box, name, furnished, sandbox.Limits{Wall: r.opts.Limits.Execution})
}
