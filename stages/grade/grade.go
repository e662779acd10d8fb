// Package grade judges recorded trajectories again: the graders of today over the
// submissions of then, with no model and no agent's sandbox. It rewrites the
// trajectories and says which labels flipped.
//
// Every step keeps its submission, so each is judged anew; rewards and outcome of
// the trajectory follow from the steps as they do when it is sampled. What the
// policy did is not touched: an attempt that ended after a verdict stays as long
// as it was, and its observations keep the verdict that it was shown.
//
//	outcome before   all submissions judged, the last is correct   … is not
//	solved           solved                                        failed
//	grader_error     solved                                        failed
//	infra_error      stays: it has no steps
//	any other        solved                                        stays
//
// Beside the trajectories of each source lies FlipsName, the list of every label in
// which our verdict differs from the public release's, or the verdict now from the
// one recorded.
//
// A grader's error makes an attempt grader_error with null rewards. A sandbox that
// fails while grading is no reason to take a label back: the stage fails then.
package grade

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
	"github.com/medgym-data/medgym-data/stages/internal/judge"
	"github.com/medgym-data/medgym-data/stages/internal/rawfiles"
	"github.com/medgym-data/medgym-data/stages/internal/rewrite"
)

// Name of the stage.
const Name = "grade"

const (
	tasksStage   = "normalize"
	rolloutStage = "rollout"
)

// Options of the stage.
type Options struct {
	Registry datasets.Registry
	// Sandbox opens the sandbox for graders that run programs; it is asked at the
	// first that does.
	Sandbox     func(context.Context) (sandbox.Sandbox, error)
	Concurrency int // trajectories at a time; 0: one for each processor
}

// Report accounts for the trajectories of one source.
type Report struct {
	Attempts    int            `json:"attempts"`
	Graded      int            `json:"graded"` // with rewards; the rest are infra_error and grader_error
	Submissions int            `json:"submissions"`
	Outcomes    map[string]int `json:"outcomes"`

	// Flipped counts trajectories whose strict label changed, by "0 to 1", "1 to 0",
	// "null to 1" and so on; FlippedUpstream the same for the release's verdict,
	// FlippedSteps submissions whose strict label did.
	Flipped         map[string]int `json:"flipped"`
	FlippedUpstream map[string]int `json:"flipped_upstream"`
	FlippedSteps    int            `json:"flipped_submissions"`
	// Compared counts what FlipsName lists, by kind and reason.
	Compared Comparison `json:"compared"`

	// Strict against upstream, graded trajectories.
	Both         int `json:"strict_and_upstream"`
	StrictOnly   int `json:"strict_only"`
	UpstreamOnly int `json:"upstream_only"`
	Neither      int `json:"neither"`
}

// Stage makes the stage. Its summary holds a Report for each source under its id,
// and the sum under "all".
func Stage(opts Options) (pipeline.Stage, error) {
	if opts.Sandbox == nil || opts.Concurrency < 0 {
		return pipeline.Stage{}, errors.New("grade: a sandbox has to be given, and the concurrency cannot be negative")
	}
	if opts.Concurrency == 0 {
		opts.Concurrency = runtime.GOMAXPROCS(0)
	}
	versions := map[string]string{}
	for _, a := range opts.Registry {
		versions["grader of "+a.Spec().ID] = a.Spec().GraderVersion
	}
	return pipeline.Stage{
		Name: Name, Version: "2", Output: "trajectories", Inputs: []string{rolloutStage, tasksStage, rawfiles.Stage},
		// Not part of the config: another grader is a reason to grade, no drift.
		Extern: versions,
		Work:   func(ctx context.Context, w *pipeline.Work) error { return work(ctx, w, opts) },
	}, nil
}

func work(ctx context.Context, w *pipeline.Work, opts Options) (err error) {
	inv, err := rawfiles.Open(w)
	if err != nil {
		return err
	}
	groups, err := rewrite.Groups(w.Input(rolloutStage))
	if err != nil {
		return err
	}
	box := &lazyBox{open: opts.Sandbox}
	defer func() { err = errors.Join(err, box.close()) }()
	meter := w.Progress(Name, attempts(w))
	defer meter.Done()
	reports := map[string]*Report{}
	for _, g := range groups {
		adapter, err := opts.Registry.Find(g.Source)
		if err != nil {
			return err
		}
		grader, ok := adapter.(datasets.Grader)
		if !ok {
			return fmt.Errorf("source %s has no grader", g.Source)
		}
		raw, err := inv.Raw(g.Source)
		if err != nil {
			return err
		}
		tasks, err := g.Tasks(ctx, w.Input(tasksStage))
		if err != nil {
			return err
		}
		if reports[g.Source] == nil {
			reports[g.Source] = newReport()
		}
		r := regrader{judge: judge.Judge{Grader: grader, Runner: datasets.WithRaw(runner{box}, raw)}, version: adapter.Spec().GraderVersion, tasks: tasks}
		flips, err := openFlips(g.Path(w.Dir()), g.Private())
		if err != nil {
			return fmt.Errorf("write flips: %w", err)
		}
		rows := func(yield func(schemas.Trajectory, error) bool) {
			for graded, err := range rewrite.Ordered(ctx, opts.Concurrency, g.Rows(ctx), r.grade) {
				if err == nil {
					meter.Add(1)
					err = reports[g.Source].add(graded, flips)
				}
				if !yield(graded.after, err) {
					return
				}
			}
		}
		if err := errors.Join(g.Write(ctx, w.Dir(), rows), flips.close()); err != nil {
			return err
		}
	}
	all := newReport()
	for source, r := range reports {
		w.Summarize(source, r)
		all.merge(r)
	}
	w.Summarize("all", all)
	return nil
}

// attempts is the number of rows that rollout wrote; 0 where it is not known.
func attempts(w *pipeline.Work) int64 {
	var all struct {
		Attempts int64 `json:"attempts"`
	}
	if err := w.InputSummary(rolloutStage, "all", &all); err != nil {
		return 0
	}
	return all.Attempts
}

// regrader judges the trajectories of one source and split.
type regrader struct {
	judge   judge.Judge
	version string
	tasks   map[string]schemas.Task
}

// graded is a trajectory before and after.
type graded struct {
	before, after schemas.Trajectory
}

func (r regrader) grade(ctx context.Context, t schemas.Trajectory) (graded, error) {
	g := graded{before: t, after: t}
	if t.Outcome == schemas.OutcomeInfraError {
		return g, nil
	}
	task, ok := r.tasks[t.TaskID]
	if !ok {
		return g, fmt.Errorf("trajectory %s: its task is not in the corpus any more: run rollout again", t.TrajectoryID)
	}
	after := &g.after
	after.Steps = slices.Clone(t.Steps)
	after.GraderVersion = r.version
	verdicts, err := r.steps(ctx, task, after.Steps)
	switch {
	case err != nil && (ctx.Err() != nil || errors.Is(err, execute.ErrSandbox) || errors.Is(err, sandbox.ErrUnavailable)):
		return g, fmt.Errorf("trajectory %s: %w", t.TrajectoryID, err)
	case err != nil:
		after.Outcome, after.OutcomeReason = schemas.OutcomeGraderError, judge.Reason(err)
		judge.Settle(after, nil)
	case len(verdicts) == 0:
		judge.Settle(after, nil)
	default:
		last := verdicts[len(verdicts)-1]
		settle(after, last)
	}
	if err := after.Validate(); err != nil {
		return g, fmt.Errorf("internal error: %w", err)
	}
	return g, nil
}

// steps judges every submission, and clears the verdict of one that cannot be.
func (r regrader) steps(ctx context.Context, task schemas.Task, steps []schemas.Step) ([]datasets.Verdict, error) {
	var verdicts []datasets.Verdict
	for i := range steps {
		if steps[i].Submission == "" {
			continue
		}
		sub, err := judge.Decode(steps[i].Submission)
		if err != nil {
			return nil, err
		}
		v, err := r.judge.Verdict(ctx, task, sub)
		if err != nil {
			steps[i].Reward, steps[i].RewardUpstream, steps[i].GradeReason = nil, nil, ""
			return nil, err
		}
		judge.Record(&steps[i], v)
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

// settle sets outcome and rewards by the verdict on the last submission.
func settle(t *schemas.Trajectory, last datasets.Verdict) {
	switch {
	case last.Reward == 1:
		t.Outcome, t.OutcomeReason = schemas.OutcomeSolved, last.Reason
	case t.Outcome == schemas.OutcomeSolved, t.Outcome == schemas.OutcomeGraderError, t.Outcome == schemas.OutcomeFailed:
		t.Outcome, t.OutcomeReason = schemas.OutcomeFailed, last.Reason
	case t.Outcome == schemas.OutcomeTurnLimit:
		t.OutcomeReason = last.Reason
	}
	judge.Settle(t, last.Score)
}

func newReport() *Report {
	return &Report{Outcomes: map[string]int{}, Flipped: map[string]int{}, FlippedUpstream: map[string]int{}, Compared: Comparison{}}
}

func (r *Report) add(g graded, list *flipList) error {
	for _, f := range g.flips() {
		r.Compared.add(f)
		if err := list.add(f); err != nil {
			return err
		}
	}
	r.count(g)
	return nil
}

func (r *Report) count(g graded) {
	r.Attempts++
	r.Outcomes[g.after.Outcome]++
	for i, step := range g.after.Steps {
		if step.Submission == "" {
			continue
		}
		r.Submissions++
		if label(step.Reward) != label(g.before.Steps[i].Reward) {
			r.FlippedSteps++
		}
	}
	flip(r.Flipped, g.before.Reward, g.after.Reward)
	flip(r.FlippedUpstream, g.before.RewardUpstream, g.after.RewardUpstream)
	if g.after.Reward == nil {
		return
	}
	r.Graded++
	switch strict, upstream := *g.after.Reward == 1, schemas.Value(g.after.RewardUpstream) == 1; {
	case strict && upstream:
		r.Both++
	case strict:
		r.StrictOnly++
	case upstream:
		r.UpstreamOnly++
	default:
		r.Neither++
	}
}

func flip(counts map[string]int, before, after *float64) {
	if b, a := label(before), label(after); a != b {
		counts[b+" to "+a]++
	}
}

// label is a reward as a table shows it.
func label(reward *float64) string {
	if reward == nil {
		return "null"
	}
	return fmt.Sprint(*reward)
}

func (r *Report) merge(o *Report) {
	for _, m := range []struct{ into, from map[string]int }{{r.Outcomes, o.Outcomes}, {r.Flipped, o.Flipped}, {r.FlippedUpstream, o.FlippedUpstream}} {
		for key, n := range m.from {
			m.into[key] += n
		}
	}
	r.Compared.merge(o.Compared)
	r.Attempts += o.Attempts
	r.Graded += o.Graded
	r.Submissions += o.Submissions
	r.FlippedSteps += o.FlippedSteps
	r.Both += o.Both
	r.StrictOnly += o.StrictOnly
	r.UpstreamOnly += o.UpstreamOnly
	r.Neither += o.Neither
}

// lazyBox opens the sandbox when a grader first asks for it: most never do.
type lazyBox struct {
	open func(context.Context) (sandbox.Sandbox, error)

	mu  sync.Mutex
	box sandbox.Sandbox
}

func (l *lazyBox) get(ctx context.Context) (sandbox.Sandbox, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.box != nil {
		return l.box, nil
	}
	var err error
	if l.box, err = l.open(ctx); err != nil {
		return nil, fmt.Errorf("open sandbox: %w: %w", execute.ErrSandbox, err)
	}
	return l.box, nil
}

func (l *lazyBox) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.box == nil {
		return nil
	}
	return l.box.Close()
}

type runner struct{ box *lazyBox }

func (r runner) Run(ctx context.Context, p datasets.Program) (datasets.Output, error) {
	box, err := r.box.get(ctx)
	if err != nil {
		return datasets.Output{}, err
	}
	return execute.Runner(box).Run(ctx, p)
}
