package export_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/export"
)

// canary stands wherever a grader's verdict may stand in a trajectory.
const canary = "the grader says no"

// turnSpec is one turn of a hand-made trajectory.
type turnSpec struct {
	code   string
	submit bool
	reward float64 // of a submission
	null   bool    // a submission that could not be graded
	output string
}

func look(code, output string) turnSpec { return turnSpec{code: code, output: output} }
func submit(code string, reward float64) turnSpec {
	return turnSpec{code: code, submit: true, reward: reward, output: "printed by " + code}
}

func attempt(task schemas.Task, n int32, turns ...turnSpec) schemas.Trajectory {
	t := schemas.Trajectory{
		TrajectoryID: fmt.Sprintf("%s/%d", task.TaskID, n), TaskID: task.TaskID, Source: task.Source, Split: task.Split,
		Category: "c", AccessTier: task.AccessTier, RunID: "run", Attempt: schemas.Ptr(n),
		Policy:  schemas.Policy{Kind: "reference", EndpointClass: "local"},
		Outcome: schemas.OutcomeFailed, Reward: schemas.Ptr(0.0), RewardUpstream: schemas.Ptr(0.0),
		Feedback: schemas.FeedbackStopOnSuccess, GraderVersion: "1", SchemaVersion: schemas.Ptr(schemas.Version),
		CreatedAt: schemas.Ptr(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		Sandbox:   schemas.SandboxRef{Backend: "namespace", EnvironmentDigest: "sha256:e", Controls: []string{"net"}},
		Messages:  []schemas.ChatMessage{{Role: "system", Content: "one JSON action a turn"}, {Role: "user", Content: task.Instruction}},
	}
	for i, turn := range turns {
		params, _ := json.Marshal(map[string]string{"code": turn.code}, json.Deterministic(true))
		step := schemas.Step{Turn: schemas.Ptr(int32(i + 1)), Action: schemas.ActionCodeExecution, ParamsJSON: string(params),
			Observation: turn.output, Status: "ok", ExitCode: schemas.Ptr(int32(0)), GraderFeedbackShown: schemas.Ptr(turn.submit)}
		if turn.submit {
			sub, _ := json.Marshal(datasets.Submission{Code: turn.code, Answer: datasets.RawValue(fmt.Sprintf("%q", turn.code)), Stdout: turn.output, Status: "ok"})
			step.Submission, step.Observation = string(sub), turn.output+"\n"+canary
			step.Reward, step.RewardUpstream, step.GradeReason = schemas.Ptr(turn.reward), schemas.Ptr(turn.reward), canary
			t.Reward, t.Outcome = schemas.Ptr(turn.reward), schemas.OutcomeFailed
			if turn.reward == 1 {
				t.Outcome = schemas.OutcomeSolved
			}
			if turn.null {
				step.Reward, step.RewardUpstream = nil, nil
			}
		}
		t.Steps = append(t.Steps, step)
		t.Messages = append(t.Messages,
			schemas.ChatMessage{Role: "assistant", Content: fmt.Sprintf(`{"action":"code_execution","params":%s}`, params)},
			schemas.ChatMessage{Role: "user", Content: step.Observation + "\nGo on."})
	}
	return t
}

func taskOf(source, split string, n int) schemas.Task {
	return schemas.Task{
		TaskID: fmt.Sprintf("%s/%s/%04d", source, split, n), Source: source, Split: split, Subset: "full", Category: "c",
		AccessTier: schemas.TierOpen, License: "MIT", Question: "q", Instruction: fmt.Sprintf("Compute value %d of %s, %s.", n, source, split),
		Actions: []string{schemas.ActionCodeExecution}, AnswerType: schemas.AnswerText, Answer: `"x"`,
		GoldKind: schemas.GoldNone, Status: schemas.StatusReady, ContentSHA256: fmt.Sprint("content", n), SchemaVersion: schemas.Ptr(schemas.Version),
	}
}

// world is what lies in a run folder before an export.
type world struct {
	tasks        []schemas.Task
	trajectories []schemas.Trajectory
	folder       func(schemas.Trajectory) [3]string // tier, source, split; nil: those of the row
}

func (w *world) add(task schemas.Task, attempts ...schemas.Trajectory) {
	w.tasks = append(w.tasks, task)
	w.trajectories = append(w.trajectories, attempts...)
}

// open makes a run folder whose normalize and rollout stages wrote the world, rows
// in the order given.
func (w world) open(t testing.TB, dir string) *pipeline.Run {
	t.Helper()
	run, err := pipeline.Open(t.Context(), dir, pipeline.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	})
	folder := w.folder
	if folder == nil {
		folder = func(t schemas.Trajectory) [3]string { return [3]string{t.AccessTier, t.Source, t.Split} }
	}
	for _, stage := range []pipeline.Stage{
		{Name: "normalize", Version: "1", Output: "tasks", Work: func(ctx context.Context, work *pipeline.Work) error {
			return writeRows(ctx, work.Dir(), w.tasks, func(t schemas.Task) [3]string { return [3]string{t.AccessTier, t.Source, t.Split} })
		}},
		{Name: "rollout", Version: "1", Output: "trajectories", Inputs: []string{"normalize"}, Work: func(ctx context.Context, work *pipeline.Work) error {
			return writeRows(ctx, work.Dir(), w.trajectories, folder)
		}},
	} {
		if _, err := run.Do(t.Context(), stage); err != nil {
			t.Fatal(err)
		}
	}
	return run
}

func writeRows[T any](ctx context.Context, dir string, rows []T, place func(T) [3]string) error {
	var places [][3]string
	for _, row := range rows {
		if p := place(row); !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	for _, p := range places {
		mine := slices.DeleteFunc(slices.Clone(rows), func(row T) bool { return place(row) != p })
		if _, err := pq.WriteShards(ctx, filepath.Join(dir, p[0], p[1]), p[2], each(mine), pq.Options{Private: p[0] != schemas.TierOpen}); err != nil {
			return err
		}
	}
	return nil
}

func each[T any](rows []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func do(t testing.TB, run *pipeline.Run, opts export.Options) error {
	t.Helper()
	stage, err := export.Stage(opts)
	if err != nil {
		t.Fatal(err)
	}
	_, err = run.Do(t.Context(), stage)
	return err
}

// exported exports a world and returns the run folder.
func exported(t testing.TB, w world, opts export.Options) string {
	t.Helper()
	dir := t.TempDir()
	if err := do(t, w.open(t, dir), opts); err != nil {
		t.Fatal(err)
	}
	return dir
}

func rowsOf[T any](t testing.TB, dir, tier, config string) []T {
	t.Helper()
	path := filepath.Join(dir, "datasets", tier, config)
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return nil
	}
	var out []T
	for row, err := range pq.ReadDir[T](t.Context(), path) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	return out
}

func report(t testing.TB, dir string) export.Report {
	t.Helper()
	reports, err := export.ReadReports(dir)
	if err != nil || len(reports) != 1 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	return reports[0]
}

// dropsOf are the drops of a set as "strategy reason": count.
func dropsOf(t testing.TB, dir, config string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for _, s := range report(t, dir).Sets {
		if s.Config == config {
			for _, d := range s.Drops {
				out[strings.TrimSpace(d.Strategy+" "+d.Reason)] += d.Count
			}
		}
	}
	return out
}

// files are all files below a folder of a run with their bytes.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	root := filepath.Join(dir, "datasets")
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(root, path)
		out[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
