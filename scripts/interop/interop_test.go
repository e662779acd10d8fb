//go:build interop

// Run by make interop: it installs 650 MB of Python packages the first time.
package main

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/export"
)

// texts are what a text column must bring through unharmed.
var texts = []string{"plain", "é ü 漢字 🧬", "line\nbreak\r\n\ttab", `"quotes" and \backslash`, "\x00 zero byte", strings.Repeat("long ", 5_000), " leading and trailing "}

func sampleTask(tier, source, split string, n int) schemas.Task {
	t := schemas.Task{
		TaskID: fmt.Sprintf("%s/%s/%04d", source, split, n), Source: source, Split: split, Subset: "full", AccessTier: tier, License: "MIT",
		Instruction: fmt.Sprintf("Task %d: %s", n, texts[n%len(texts)]), Actions: []string{schemas.ActionCodeExecution}, AnswerType: schemas.AnswerNumber,
		Answer: "0", GoldKind: schemas.GoldNone, Status: schemas.StatusReady, SchemaVersion: schemas.Ptr(schemas.Version),
	}
	if split == schemas.SplitTrain {
		t.TrainFraction, t.SplitGroup = schemas.Ptr(schemas.TrainFractions()[n%4]), fmt.Sprint("group", n%5)
	}
	switch n % 3 { // null, zero and other numbers
	case 0:
		t.AnswerLower, t.AnswerUpper = schemas.Ptr(0.0), schemas.Ptr(math.MaxFloat64)
		t.Resources = []schemas.Resource{{Name: "empty.csv", Bytes: schemas.Ptr(int64(0))}, {Name: "unknown.csv"}}
	case 1:
		t.AnswerLower = schemas.Ptr(-0.1)
		t.Validation = &schemas.Validation{GoldReward: schemas.Ptr(1.0), NoopReward: schemas.Ptr(0.0), Flaky: schemas.Ptr(false)}
	}
	return t
}

func sampleTrajectory(task schemas.Task, attempt int, reward *float64) schemas.Trajectory {
	t := schemas.Trajectory{
		TrajectoryID: fmt.Sprintf("%s/%d", task.TaskID, attempt), TaskID: task.TaskID, Source: task.Source, Split: task.Split,
		AccessTier: task.AccessTier, RunID: "run", Attempt: schemas.Ptr(int32(attempt)), Policy: schemas.Policy{Kind: "reference", Seed: schemas.Ptr(int64(0))},
		Outcome: schemas.OutcomeInfraError, Feedback: schemas.FeedbackStopOnSuccess, SchemaVersion: schemas.Ptr(schemas.Version),
		CreatedAt: schemas.Ptr(time.Date(2026, 3, 1, 12, 0, 0, 123_000, time.UTC)), WallS: schemas.Ptr(0.0),
	}
	if reward == nil {
		return t
	}
	code := fmt.Sprintf("answer = %d # %q", attempt, texts[attempt%len(texts)])
	t.Outcome, t.Reward, t.RewardUpstream = schemas.OutcomeFailed, reward, schemas.Ptr(0.0)
	if *reward == 1 {
		t.Outcome = schemas.OutcomeSolved
	}
	t.Messages = []schemas.ChatMessage{{Role: "system", Content: "protocol"}, {Role: "user", Content: task.Instruction}, {Role: "assistant", Content: code}}
	t.Steps = []schemas.Step{{Turn: schemas.Ptr(int32(1)), Action: schemas.ActionCodeExecution, ParamsJSON: fmt.Sprintf(`{"code":%q}`, fmt.Sprint("answer = ", attempt)), Status: "ok", ExitCode: schemas.Ptr(int32(0)),
		Submission: fmt.Sprintf(`{"code":%q,"answer":%d,"status":"ok"}`, "x", attempt), Reward: reward, RewardUpstream: schemas.Ptr(0.0),
		Repairs: []string{"fence"}, TokenIDs: []int32{0, 5, 0}, Logprobs: []float64{0, -1.5, 0}, CutTokens: schemas.Ptr(int64(0))}}
	return t
}

// sampleRun makes a run folder of two tiers with an export in several shards.
func sampleRun(t *testing.T) string {
	t.Helper()
	var tasks []schemas.Task
	var rows []schemas.Trajectory
	for _, at := range [][3]string{{schemas.TierOpen, "alpha", "test"}, {schemas.TierOpen, "alpha", "train"}, {schemas.TierCredentialed, "beta", "train"}} {
		for n := range 60 {
			task := sampleTask(at[0], at[1], at[2], n)
			tasks = append(tasks, task)
			rows = append(rows, sampleTrajectory(task, 0, schemas.Ptr(1.0)), sampleTrajectory(task, 1, schemas.Ptr(0.0)), sampleTrajectory(task, 2, nil))
		}
	}
	dir := t.TempDir()
	run, err := pipeline.Open(t.Context(), dir, pipeline.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	}()
	sets, err := export.Stage(export.Options{ShardBytes: 4_000})
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []pipeline.Stage{
		{Name: "normalize", Version: "1", Output: "tasks", Work: func(ctx context.Context, w *pipeline.Work) error {
			w.Summarize("alpha", map[string]any{"tasks_by_split": map[string]int{"train": 60, "test": 60}})
			w.Summarize("beta", map[string]any{"tasks_by_split": map[string]int{"train": 60}})
			return place(ctx, w.Dir(), tasks, func(t schemas.Task) [3]string { return [3]string{t.AccessTier, t.Source, t.Split} })
		}},
		{Name: "rollout", Version: "1", Output: "trajectories", Inputs: []string{"normalize"}, Work: func(ctx context.Context, w *pipeline.Work) error {
			w.Summarize("alpha", map[string]any{"attempts": 360})
			w.Summarize("beta", map[string]any{"attempts": 180})
			return place(ctx, w.Dir(), rows, func(t schemas.Trajectory) [3]string { return [3]string{t.AccessTier, t.Source, t.Split} })
		}},
		sets,
	} {
		if _, err := run.Do(t.Context(), stage); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// place writes rows to the files of their tier, source and split.
func place[T any](ctx context.Context, dir string, rows []T, of func(T) [3]string) error {
	for len(rows) > 0 {
		at, n := of(rows[0]), 0
		for n < len(rows) && of(rows[n]) == at {
			n++
		}
		var some iter.Seq2[T, error] = func(yield func(T, error) bool) {
			for _, row := range rows[:n] {
				if !yield(row, nil) {
					return
				}
			}
		}
		if _, err := pq.WriteShards(ctx, filepath.Join(dir, at[0], at[1]), at[2], some, pq.Options{}); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func TestEveryLibraryReadsARun(t *testing.T) {
	dir := sampleRun(t)
	var out bytes.Buffer
	if err := check(t.Context(), dir, &out, os.Stderr); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Logf("\n%s", out.String())
	for _, want := range []string{
		"ok tasks/open/alpha/train-00000-of-00001.parquet: 60 rows", "ok manifest.json",
		"ok datasets/open sft: {'train': 60, 'test': 60}", "ok datasets/credentialed verifier: {'train': 120}", ", 0 faults",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if !strings.Contains(out.String(), "sft/train-00001-of-0000") {
		t.Error("no set has several shards")
	}

	// Each of these spoils one thing that must be noticed.
	want, err := expect(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range want.Files {
		if f.Path == "tasks/open/alpha/test-00000-of-00001.parquet" {
			want.Files[i].Digest = "0"
		}
	}
	want.Tables["dpo"][0][1] = "double"
	edit(t, dir, "manifest.json", `"attempts": 360`, `"attempts": 361`)
	edit(t, dir, "datasets/open/README.md", "num_examples: 60", "num_examples: 61")
	edit(t, dir, "datasets/credentialed/stats.json", `"rows": 60`, `"rows": 59`)
	out.Reset()
	if err := compare(t.Context(), dir, want, &out, os.Stderr); err == nil {
		t.Error("no fault was found")
	}
	for _, fault := range []string{
		"FAIL tasks/open/alpha/test-00000-of-00001.parquet: Differs: pyarrow: other values than were written",
		"FAIL datasets/open/dpo/train-00000-of-0000",
		"FAIL manifest.json: Differs: trajectories of alpha: 360",
		"FAIL datasets/open: NonMatchingSplitsSizesError",
		"FAIL datasets/credentialed: Differs",
	} {
		if !strings.Contains(out.String(), fault) {
			t.Errorf("the output lacks %q", fault)
		}
	}
	if t.Failed() {
		t.Logf("\n%s", out.String())
	}
}

// edit changes a file of the run folder until the test ends.
func edit(t *testing.T, dir, name, old, now string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), old, now, 1)
	if changed == string(data) {
		t.Fatalf("%s does not hold %q", name, old)
	}
	if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Error(err)
		}
	})
}
