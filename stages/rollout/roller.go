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
	plan    *plan
	ledger  *ledger
	gate    *gate
	sources map[string]*source
	box     sandbox.Sandbox
	places  map[string]string // where the Python environment lies on the host, and inside
	meter   pipeline.Meter

	mu       sync.Mutex
	noPlay   map[string]bool   // tasks of which the policy cannot play the first attempt
	faults   map[string]result // infra_error: put into the journal when the others are done
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
	brief   brief
	payload []byte
	final   bool // an infra_error that another try would not mend
}

func newRoller(w *pipeline.Work, opts Options, config Config) (_ *roller, err error) {
	r := &roller{w: w, opts: opts, noPlay: map[string]bool{}, faults: map[string]result{}, finished: map[schemas.Outcome]int{}}
	r.tag, err = tagOf(config)
	if err != nil {
		return nil, err
	}
	if r.prompt, err = template.ParseFS(prompts, "prompts/system.tmpl"); err != nil {
		return nil, fmt.Errorf("system prompt: %w", err)
	}
	r.counter, err = tokens.New()
	return r, err
}

// tagOf tells attempts apart that the same task had under other settings. Which
// attempts there are to be has no part in what an attempt is.
func tagOf(c Config) (string, error) {
	c.Plan, c.Shard = Plan{}, ""
	text, err := encjson.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("rollout config: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4]), nil
}

// choose draws the tasks, asks whether their rows may go where they would be sent, and
// takes stock of the attempts that there are.
func (r *roller) choose(ctx context.Context) (err error) {
	var out, dropped map[string]bool
	if r.opts.Validated {
		if out, err = quarantined(ctx, r.w.Input(validationStage)); err != nil {
			return err
		}
	}
	if r.opts.Screened {
		if dropped, err = selection.Dropped(ctx, r.w.Input(selection.Screening)); err != nil {
			return err
		}
	}
	if r.plan, err = choose(ctx, r.w.Input(tasksStage), r.opts, out, dropped); err != nil {
		return err
	}
	for _, asked := range r.opts.asked() {
		sender, ok := asked.(Sender)
		if !ok {
			continue
		}
		if err := sender.Permit(r.plan.closed()); err != nil {
			return err
		}
	}
	if r.opts.Packages != nil {
		if err := r.opts.Packages.Permit(r.plan.closed()); err != nil {
			return err
		}
	}
	r.ledger, err = take(ctx, r.w, r.opts.RetryInfra)
	return err
}

func (r *roller) work(ctx context.Context) (err error) {
	for _, asked := range r.opts.asked() {
		if closer, ok := asked.(io.Closer); ok {
			defer func() { err = errors.Join(err, closer.Close()) }()
		}
	}
	if err := r.choose(ctx); err != nil {
		return err
	}
	r.gate = newGate(r.opts.Caps, r.opts.GiveUp, r.ledger.spent)
	left := r.plan.remaining(r.ledger)
	r.meter = r.w.Progress(Name, r.plan.attempts)
	defer r.meter.Done()
	r.meter.Add(r.plan.attempts - left)
	if left > 0 {
		if err := r.sample(ctx); err != nil {
			return err
		}
	}
	r.w.Summarize("resumed", r.ledger.units)
	r.w.Summarize("former", r.ledger.former)
	return r.publish(ctx)
}

// sample makes the attempts that are left, and then those once more that failed by the
// machinery's fault. When ctx ends, no attempt is begun any more, and those in flight
// have Options.Drain to end.
func (r *roller) sample(ctx context.Context) (err error) {
	if r.box, err = r.opts.Sandbox(ctx); err != nil {
		return fmt.Errorf("open sandbox: %w", err)
	}
	defer func() { err = errors.Join(err, r.box.Close()) }()
	if env, err := pyenv.Find(ctx); err == nil { // a sandbox may have another
		r.places = environmentPlaces(env)
	}
	if err := r.openSources(); err != nil {
		return err
	}
	if err := r.round(ctx); err != nil {
		return err
	}
	if again := r.mendable(); len(again) > 0 && r.opts.Retries > 0 && r.gate.cap() == "" && len(r.finished) > 1 {
		r.gate.again()
		for _, key := range again {
			r.ledger.again(key)
		}
		r.w.Log.Warn("attempts that ended as infra_error are tried once more", "attempts", len(again))
		if err := r.round(ctx); err != nil {
			return err
		}
		for _, key := range again {
			r.ledger.enough(key)
		}
	}
	if all, sound := r.ledger.rows(); len(r.faults) > 0 && sound == 0 {
		return fmt.Errorf("all %d attempts ended as infra_error: see the log, mend the policy or the sandbox, and run the same command again", all)
	}
	for _, res := range r.faults {
		if err := r.w.Journal().Put(ctx, res.key, res.payload); err != nil {
			return err
		}
	}
	return nil
}

// mendable are the attempts that ended as infra_error and may end otherwise.
func (r *roller) mendable() (keys []string) {
	for key, res := range r.faults {
		if !res.final {
			keys = append(keys, key)
		}
	}
	return keys
}

// round makes the attempts that are left.
func (r *roller) round(ctx context.Context) error {
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
	closed, shut := context.WithCancel(gctx) // the gate: no attempt is begun any more
	defer shut()

	units := make(chan unit) // unbuffered: tasks in memory are those being worked on
	group.Go(func() error {
		defer close(units)
		for u, err := range r.plan.units(closed, r.w.Input(tasksStage), r.ledger) {
			if closed.Err() != nil {
				break
			}
			if err != nil {
				return err
			}
			select {
			case units <- u:
			case <-closed.Done():
			}
		}
		return context.Cause(gctx)
	})
	for range r.opts.Concurrency {
		group.Go(func() error {
			for u := range units {
				if err := r.unit(gctx, flying, u, shut); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
	return err
}

// unit makes the attempts of a unit, one after the other; shut is called where the gate
// lets no attempt begin any more. While ctx lasts, attempts are begun; flying is theirs.
func (r *roller) unit(ctx, flying context.Context, u unit, shut func()) error {
	for i, attempt := range u.attempts {
		if r.plan.enough(u.task.TaskID, attempt, r.ledger) {
			r.meter.Add(int64(len(u.attempts) - i))
			return nil
		}
		probe, ok := r.gate.enter(ctx)
		if !ok {
			shut()
			return context.Cause(ctx)
		}
		if err := r.one(flying, u.task, attempt, probe); err != nil {
			return err
		}
	}
	return nil
}

func (r *roller) openSources() error {
	inv, err := rawfiles.Open(r.w)
	if err != nil {
		return err
	}
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
		if s.raw, err = inv.Raw(id); err != nil {
			return err
		}
		s.judge = judge.Judge{Grader: grader, Runner: datasets.WithRaw(execute.Runner(r.box), s.raw)}
		r.sources[id] = s
	}
	return nil
}

// one makes one attempt and records it. Its error ends the stage; an attempt that
// was dropped has none.
func (r *roller) one(ctx context.Context, task schemas.Task, attempt int, probe bool) error {
	row, err := r.attempt(ctx, task, attempt)
	if p := r.opts.Price; err == nil && p != nil && row.CostUSD == nil && row.PromptTokens != nil {
		row.CostUSD = schemas.Ptr(p.of(float64(*row.PromptTokens), float64(schemas.Value(row.CompletionTokens))))
	}
	end, took := endedDropped, spending{}
	if err == nil {
		end, took = endedOtherwise, briefOf(row).spending()
		if row.Outcome == schemas.OutcomeInfraError && row.OutcomeReason != reasonRefused { // a model that refuses is there
			end = endedInfra
		}
	}
	gone := r.gate.leave(probe, end, took)
	switch {
	case errors.Is(err, ErrNoPlay):
		r.ledger.unplayable(unitKey(task.TaskID, attempt))
		r.mu.Lock()
		defer r.mu.Unlock()
		if attempt == 0 { // where there is no first attempt there is none
			r.noPlay[task.TaskID] = true
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
	res := result{unitKey(task.TaskID, attempt), briefOf(row), payload, row.OutcomeReason == reasonRefused}
	if row.Outcome == schemas.OutcomeInfraError {
		return r.fault(res, gone)
	}
	if err := r.w.Journal().Put(ctx, res.key, res.payload); err != nil {
		return err
	}
	r.count(res)
	return nil
}

// fault keeps an infra_error back until all else is done: an interrupted run tries the
// attempt again.
func (r *roller) fault(res result, gone bool) error {
	r.count(res)
	if gone && !r.gate.lastRound() {
		return fmt.Errorf("nothing but infra_error for %s, %d attempts in a row or more: see the log, mend the policy or the sandbox, and run the same command again; finished attempts are kept",
			r.opts.GiveUp, hopelessAfter)
	}
	return nil
}

// count notes an attempt that has ended, perhaps for the second time.
func (r *roller) count(res result) {
	r.ledger.made(res.brief)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, again := r.faults[res.key]; again {
		r.finished[schemas.OutcomeInfraError]--
		delete(r.faults, res.key)
	} else {
		r.meter.Add(1)
	}
	if res.brief.Outcome == schemas.OutcomeInfraError {
		r.faults[res.key] = res
	}
	r.finished[res.brief.Outcome]++
	all := 0
	for _, n := range r.finished {
		all += n
	}
	text := fmt.Sprintf("solved %d of %d", r.finished[schemas.OutcomeSolved], all)
	if n := r.finished[schemas.OutcomeInfraError]; n > 0 {
		text += fmt.Sprintf(", %d infra errors", n)
	}
	r.meter.Describe(text)
}

// attempt plays an attempt, anew when the machinery around it fails. Its error is
// ErrNoPlay, ctx's, or one that ends the stage.
func (r *roller) attempt(ctx context.Context, task schemas.Task, attempt int) (schemas.Trajectory, error) {
	for try := 0; ; try++ {
		row, err := r.play(ctx, task, attempt)
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
		refused := errors.Is(err, ErrRefused)
		if try < r.opts.Retries && !refused {
			log.Warn("attempt begun anew", "try", try+1)
			r.mu.Lock()
			r.plan.sources[task.Source].InfraRetries++
			r.mu.Unlock()
			pause(ctx, 100*time.Millisecond<<min(try, 6))
			continue
		}
		log.Error("attempt ends as infra_error")
		row.Outcome, row.OutcomeReason = schemas.OutcomeInfraError, infra.part
		if refused {
			row.OutcomeReason = reasonRefused
		}
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
func (r *roller) play(ctx context.Context, task schemas.Task, attempt int) (schemas.Trajectory, error) {
	src := r.sources[task.Source]
	seed := derive(r.opts.Seed, "attempt", task.TaskID, fmt.Sprint(attempt))
	about := r.opts.Policies.About()
	if v, ok := r.opts.Policies.(Varying); ok {
		about = v.AboutAttempt(task, attempt)
	}
	about.Seed = schemas.Ptr(int64(seed >> 1))
	row := newRow(task, attempt, r.w.Run.ID(), r.opts.Feedback, about, r.info(), src.spec.GraderVersion)
	row.TrajectoryID = fmt.Sprintf("%s#%d.%s", task.TaskID, attempt, r.tag)
	policy, err := r.opts.Policies.New(task, attempt, seed)
	if errors.Is(err, ErrNoPlay) {
		return *row, err
	}
	if err != nil {
		return *row, &infraError{"policy", err}
	}
	if closer, ok := policy.(io.Closer); ok {
		defer func() {
			if err := closer.Close(); err != nil { // what the attempt came to stands
				r.w.Log.Warn("policy not closed", "trajectory", row.TrajectoryID, "error", err)
			}
		}()
	}
	a := &agent{
		task: task, policy: policy, judge: src.judge, limits: r.opts.Limits, feedback: r.opts.Feedback, installs: r.opts.Packages != nil, places: r.places,
		counter: r.counter, prompt: r.prompt, seed: seed, log: r.w.Log, tools: about.Protocol == ProtocolTools, debugger: r.opts.Debugger,
		open: func(ctx context.Context) (*execute.Session, error) {
			return r.open(ctx, src, task, row.TrajectoryID)
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
