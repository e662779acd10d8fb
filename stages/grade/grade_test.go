package grade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/internal/judge"
	"github.com/medgym-data/medgym-data/stages/internal/rawfiles"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
)

// attempt is a way in which an attempt can have come out.
type attempt struct {
	outcome string
	submits []string // "right", "wrong"
}

var attempts4 = []attempt{
	{schemas.OutcomeSolved, []string{"wrong", "right"}},
	{schemas.OutcomeFailed, []string{"wrong"}},
	{schemas.OutcomeTurnLimit, nil},
	{schemas.OutcomeInfraError, nil},
}

// sampled is a stand-in for the stage that samples: four attempts at each task.
func sampled(t *testing.T, c runtest.Corpus) pipeline.Stage {
	return pipeline.Stage{Name: rolloutStage, Version: "test", Output: "trajectories", Inputs: []string{tasksStage, rawfiles.Stage}, Costly: true,
		Work: func(ctx context.Context, w *pipeline.Work) error {
			for _, a := range c.Registry {
				spec := a.Spec()
				for _, split := range []string{schemas.SplitTrain, schemas.SplitTest} {
					var rows []schemas.Trajectory
					for _, task := range c.Tasks {
						if task.Source == spec.ID && task.Split == split {
							for n, at := range attempts4 {
								rows = append(rows, trajectory(t, a.(datasets.Grader), task, n, at))
							}
						}
					}
					slices.SortStableFunc(rows, func(a, b schemas.Trajectory) int { return strings.Compare(a.TaskID, b.TaskID) })
					dir := filepath.Join(w.Dir(), spec.Tier, spec.ID)
					if _, err := pq.WriteShards(ctx, dir, split, seq(rows), pq.Options{ShardBytes: 1, Private: spec.Tier != schemas.TierOpen}); err != nil {
						return err
					}
				}
			}
			return nil
		}}
}

func seq(rows []schemas.Trajectory) iter.Seq2[schemas.Trajectory, error] {
	return func(yield func(schemas.Trajectory, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func trajectory(t *testing.T, grader datasets.Grader, task schemas.Task, n int, at attempt) schemas.Trajectory {
	t.Helper()
	row := schemas.Trajectory{
		TrajectoryID: fmt.Sprintf("%s#%d", task.TaskID, n), TaskID: task.TaskID, Source: task.Source, Split: task.Split, AccessTier: task.AccessTier,
		RunID: "r", Attempt: schemas.Ptr(int32(n)), Policy: schemas.Policy{Kind: "test"}, Outcome: at.outcome, Feedback: schemas.FeedbackStopOnSuccess,
		GraderVersion: "1", SchemaVersion: schemas.Ptr(schemas.Version), WallS: schemas.Ptr(1.5),
	}
	if at.outcome == schemas.OutcomeInfraError {
		return row
	}
	row.Messages = []schemas.ChatMessage{{Role: schemas.RoleSystem, Content: "s"}, {Role: schemas.RoleUser, Content: "u"}}
	for i, kind := range at.submits {
		sub := datasets.Submission{Status: "ok", Answer: datasets.RawValue(`"no"`), Stdout: "no\n"}
		if kind == "right" {
			sub.Answer = datasets.RawValue(task.Answer)
			sub.Stdout = task.Answer + "\n"
		}
		text, err := judge.Encode(sub)
		if err != nil {
			t.Fatal(err)
		}
		step := schemas.Step{Turn: schemas.Ptr(int32(i + 1)), Action: schemas.ActionCodeExecution, Status: "ok", Submission: text}
		v, err := grader.Grade(t.Context(), task, sub, nil)
		if err != nil {
			t.Fatal(err)
		}
		judge.Record(&step, v)
		row.Steps = append(row.Steps, step)
		row.OutcomeReason = v.Reason
	}
	if len(at.submits) == 0 {
		row.OutcomeReason = "no_submission"
	}
	judge.Settle(&row, nil)
	return row
}

func noSandbox(context.Context) (sandbox.Sandbox, error) {
	return nil, fmt.Errorf("%w: none is needed here", sandbox.ErrUnavailable)
}

func do(t *testing.T, dir string, stages ...pipeline.Stage) (res pipeline.StageResult, err error) {
	t.Helper()
	run, err := pipeline.Open(t.Context(), dir, pipeline.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, st := range stages {
		if res, err = run.Do(t.Context(), st); err != nil {
			return res, err
		}
	}
	return res, nil
}

func report(t *testing.T, res pipeline.StageResult, key string) Report {
	t.Helper()
	text, err := json.Marshal(res.Summary[key])
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func stage(t *testing.T, opts Options) pipeline.Stage {
	t.Helper()
	st, err := Stage(opts)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// The same graders give the same rows, and need no sandbox here.
func TestSameGraders(t *testing.T) {
	c := runtest.Synthetic(t, runtest.Registry(t), 6)
	dir := c.Folder(t)
	if _, err := do(t, dir, sampled(t, c)); err != nil {
		t.Fatal(err)
	}
	before := runtest.Rows(t, dir)
	st := stage(t, Options{Registry: c.Registry, Sandbox: noSandbox, Concurrency: 3})
	res, err := do(t, dir, st)
	if err != nil {
		t.Fatal(err)
	}
	if after := runtest.Rows(t, dir); len(after) != 4*len(c.Tasks) || !reflect.DeepEqual(after, before) {
		t.Errorf("%d rows, and the same graders changed them", len(after))
	}
	n := len(c.Tasks)
	all := report(t, res, "all")
	if len(all.Flipped)+len(all.FlippedUpstream)+all.FlippedSteps != 0 || all.Attempts != 4*n || all.Graded != 3*n || all.Submissions != 3*n {
		t.Errorf("report: %+v", all)
	}
	if all.Both+all.StrictOnly != n || all.Neither+all.UpstreamOnly != 2*n || all.Outcomes[schemas.OutcomeInfraError] != n {
		t.Errorf("confusion: %+v", all)
	}
	if again, err := do(t, dir, st); err != nil || !again.Skipped {
		t.Errorf("graded again without a reason: %v, %v", again.Skipped, err)
	}
	if again, err := do(t, dir, sampled(t, c)); err != nil || !again.Skipped {
		t.Errorf("grading made the rollout stale: %v, %v", again.Skipped, err)
	}
}

// another is a source whose grader has changed.
type another struct {
	datasets.Adapter
	grade func(schemas.Task, datasets.Submission, datasets.Runner) (datasets.Verdict, error)
}

func (a another) Spec() datasets.Spec {
	spec := a.Adapter.Spec()
	spec.GraderVersion += "b"
	return spec
}

func (a another) Grade(_ context.Context, task schemas.Task, sub datasets.Submission, run datasets.Runner) (datasets.Verdict, error) {
	return a.grade(task, sub, run)
}

func changed(c runtest.Corpus, grade func(schemas.Task, datasets.Submission, datasets.Runner) (datasets.Verdict, error)) datasets.Registry {
	var out datasets.Registry
	for _, a := range c.Registry {
		out = append(out, another{a, grade})
	}
	return out
}

func TestChangedGraders(t *testing.T) {
	wrong := func(sub datasets.Submission) bool { return string(sub.Answer) == `"no"` }
	for name, tc := range map[string]struct {
		grade    func(schemas.Task, datasets.Submission, datasets.Runner) (datasets.Verdict, error)
		outcomes map[string]int // of each task's four attempts
		flipped  map[string]int // for each task
		reason   string         // of the first attempt
	}{
		"all is right": {
			func(schemas.Task, datasets.Submission, datasets.Runner) (datasets.Verdict, error) {
				return datasets.Verdict{Reward: 1, Upstream: 1, Reason: "lenient"}, nil
			},
			map[string]int{schemas.OutcomeSolved: 2, schemas.OutcomeTurnLimit: 1, schemas.OutcomeInfraError: 1},
			map[string]int{"0 to 1": 1}, "lenient",
		},
		"nothing is right": {
			func(schemas.Task, datasets.Submission, datasets.Runner) (datasets.Verdict, error) {
				return datasets.Verdict{Reason: "harsh", Score: schemas.Ptr(0.25)}, nil
			},
			map[string]int{schemas.OutcomeFailed: 2, schemas.OutcomeTurnLimit: 1, schemas.OutcomeInfraError: 1},
			map[string]int{"1 to 0": 1}, "harsh",
		},
		"the gold is at fault": {
			func(_ schemas.Task, sub datasets.Submission, _ datasets.Runner) (datasets.Verdict, error) {
				if wrong(sub) {
					return datasets.Verdict{Reason: "wrong_value"}, nil
				}
				return datasets.Verdict{}, &datasets.GoldError{Reason: "gold_error"}
			},
			map[string]int{schemas.OutcomeGraderError: 1, schemas.OutcomeFailed: 1, schemas.OutcomeTurnLimit: 1, schemas.OutcomeInfraError: 1},
			map[string]int{"1 to null": 1}, "gold_error",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := runtest.Synthetic(t, runtest.Registry(t), 3)
			dir := c.Folder(t)
			if _, err := do(t, dir, sampled(t, c)); err != nil {
				t.Fatal(err)
			}
			before := runtest.Rows(t, dir)
			res, err := do(t, dir, stage(t, Options{Registry: changed(c, tc.grade), Sandbox: noSandbox}))
			if err != nil {
				t.Fatal(err)
			}
			n := len(c.Tasks)
			all := report(t, res, "all")
			if want := times(tc.outcomes, n); !maps.Equal(all.Outcomes, want) {
				t.Errorf("outcomes %v, want %v", all.Outcomes, want)
			}
			if want := times(tc.flipped, n); !maps.Equal(all.Flipped, want) {
				t.Errorf("flipped %v, want %v", all.Flipped, want)
			}
			rows := runtest.Rows(t, dir)
			if rows[0].OutcomeReason != tc.reason || rows[0].GraderVersion != "1b" || rows[3].GraderVersion != "1" {
				t.Errorf("first row: %s %s", rows[0].OutcomeReason, rows[0].GraderVersion)
			}
			for i, row := range rows {
				if err := row.Validate(); err != nil {
					t.Error(err)
				}
				if !reflect.DeepEqual(row.Messages, before[i].Messages) || row.TrajectoryID != before[i].TrajectoryID {
					t.Errorf("row %d: what the policy did has changed", i)
				}
			}
			// The former graders bring the former labels back.
			res, err = do(t, dir, stage(t, Options{Registry: c.Registry, Sandbox: noSandbox}))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(runtest.Rows(t, dir), before) {
				t.Errorf("back to the former graders, the rows differ; report %+v", report(t, res, "all"))
			}
		})
	}
}

// Every label that differs is listed once for each way in which it does, with the
// reason, in a file as private as the trajectories.
func TestFlips(t *testing.T) {
	c := runtest.Synthetic(t, runtest.Registry(t), 3)
	dir := c.Folder(t)
	if _, err := do(t, dir, sampled(t, c)); err != nil {
		t.Fatal(err)
	}
	lenient := func(_ schemas.Task, sub datasets.Submission, _ datasets.Runner) (datasets.Verdict, error) {
		if string(sub.Answer) == `"no"` {
			return datasets.Verdict{Upstream: 1, Reason: "below (0.25 of 0.5)"}, nil
		}
		return datasets.Verdict{Reward: 1, Reason: "correct"}, nil
	}
	res, err := do(t, dir, stage(t, Options{Registry: changed(c, lenient), Sandbox: noSandbox}))
	if err != nil {
		t.Fatal(err)
	}
	flips, err := ReadFlips(filepath.Join(dir, "trajectories"))
	if err != nil {
		t.Fatal(err)
	}
	n := len(c.Tasks)
	counts := Comparison{}
	seen := map[string]bool{}
	for _, f := range flips {
		counts.add(f)
		key := f.TrajectoryID + " " + f.Kind
		if seen[key] || label(f.Was) == label(f.Is) || !strings.HasPrefix(f.TrajectoryID, f.Source+"/") {
			t.Errorf("%+v", f)
		}
		seen[key] = true
	}
	// The first attempt of each task was right, after a wrong submission that the
	// release now takes; the second was wrong, and is right by the release alone.
	all := report(t, res, "all")
	if !reflect.DeepEqual(counts, all.Compared) || counts[FlipUpstreamOnly]["below"] != n || len(counts[FlipStrict]) != 0 || len(counts[FlipStrictOnly]) != 0 {
		t.Errorf("listed %v, counted %v", counts, all.Compared)
	}
	if changed := all.FlippedUpstream["0 to 1"]; changed < n || changed != counts[FlipUpstream]["below"]+counts[FlipUpstream]["correct"] {
		t.Errorf("upstream's label changed %v times, listed %v", all.FlippedUpstream, counts[FlipUpstream])
	}
	for folder, mode := range map[string]fs.FileMode{"open/" + runtest.Open: 0o644, "credentialed/" + runtest.Closed: 0o600} {
		info, err := os.Stat(filepath.Join(dir, "trajectories", folder, FlipsName))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", folder, info, err)
		}
	}
	// The same graders once more: nothing differs from what is recorded.
	if res, err = do(t, dir, stage(t, Options{Registry: changed(c, lenient), Sandbox: noSandbox, Concurrency: 3})); err != nil || !res.Skipped {
		t.Fatalf("%v, %v", res.Skipped, err)
	}
	if again, err := ReadFlips(filepath.Join(dir, "trajectories")); err != nil || !reflect.DeepEqual(again, flips) {
		t.Errorf("skipped, and the list differs: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "trajectories", "open", runtest.Open, FlipsName), []byte("{\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFlips(filepath.Join(dir, "trajectories")); err == nil || !strings.Contains(err.Error(), FlipsName) {
		t.Errorf("a damaged list: %v", err)
	}
}

func times(m map[string]int, n int) map[string]int {
	out := map[string]int{}
	for k, v := range m {
		out[k] = v * n
	}
	return out
}

// A sandbox is opened once, for graders that run programs; its faults take no
// label back.
func TestSandbox(t *testing.T) {
	c := runtest.Synthetic(t, runtest.Registry(t), 2)
	dir := c.Folder(t)
	if _, err := do(t, dir, sampled(t, c)); err != nil {
		t.Fatal(err)
	}
	before := runtest.Rows(t, dir)
	runs := func(_ schemas.Task, _ datasets.Submission, run datasets.Runner) (datasets.Verdict, error) {
		out, err := run.Run(context.Background(), datasets.Program{Code: "x"})
		if err != nil {
			return datasets.Verdict{}, err
		}
		return datasets.Verdict{Reason: out.Stdout}, nil
	}
	if _, err := do(t, dir, stage(t, Options{Registry: changed(c, runs), Sandbox: noSandbox})); !errors.Is(err, sandbox.ErrUnavailable) {
		t.Errorf("no sandbox: %v", err)
	}
	broken := fake.New(func(context.Context, *fake.Session, sandbox.Command) (sandbox.Result, error) {
		return sandbox.Result{}, errors.New("the cell died")
	})
	if _, err := do(t, dir, stage(t, Options{Registry: changed(c, runs), Sandbox: func(context.Context) (sandbox.Sandbox, error) { return broken, nil }})); err == nil {
		t.Error("a broken sandbox is no error")
	}
	if !reflect.DeepEqual(runtest.Rows(t, dir), before) {
		t.Error("a failed grading has changed the rows")
	}
	var opened atomic.Int64
	box := fake.Always(sandbox.Result{Status: sandbox.StatusOK, Stdout: []byte("ran")})
	open := func(context.Context) (sandbox.Sandbox, error) { opened.Add(1); return box, nil }
	if _, err := do(t, dir, stage(t, Options{Registry: changed(c, runs), Sandbox: open, Concurrency: 4})); err != nil {
		t.Fatal(err)
	}
	if opened.Load() != 1 || box.Running() != 0 || len(box.Sessions()) != 3*len(c.Tasks) {
		t.Errorf("opened %d times, %d sessions, %d still running", opened.Load(), len(box.Sessions()), box.Running())
	}
	if _, err := box.Open(t.Context(), sandbox.Spec{}); !errors.Is(err, fake.ErrClosed) {
		t.Errorf("the sandbox was not closed: %v", err)
	}
}
