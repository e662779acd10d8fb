package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/export"
)

// sampledRun is a run folder with one task, solved and failed.
func sampledRun(t *testing.T) string {
	t.Helper()
	task := schemas.Task{TaskID: "npowerai/train/1", Source: "npowerai", Split: schemas.SplitTrain, AccessTier: schemas.TierOpen, License: "MIT",
		Instruction: "i", Status: schemas.StatusReady}
	var rows []schemas.Trajectory
	for attempt, reward := range []float64{1, 0} {
		outcome := map[float64]string{1: schemas.OutcomeSolved, 0: schemas.OutcomeFailed}[reward]
		rows = append(rows, schemas.Trajectory{TrajectoryID: outcome, TaskID: task.TaskID, Source: task.Source, Split: task.Split, AccessTier: task.AccessTier,
			RunID: "r", Attempt: schemas.Ptr(int32(attempt)), Policy: schemas.Policy{Kind: "reference"}, Outcome: outcome,
			Reward: schemas.Ptr(reward), RewardUpstream: schemas.Ptr(reward), Feedback: schemas.FeedbackSubmitOnce, SchemaVersion: schemas.Ptr(schemas.Version),
			Messages: []schemas.ChatMessage{{Role: "user", Content: "i"}, {Role: "assistant", Content: outcome}},
			Steps:    []schemas.Step{{Turn: schemas.Ptr(int32(1)), Submission: `{"code":"` + outcome + `","status":"ok"}`, Reward: schemas.Ptr(reward)}}})
	}
	dir := t.TempDir()
	run, err := pipeline.Open(t.Context(), dir, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []pipeline.Stage{
		{Name: "normalize", Output: "tasks", Work: func(ctx context.Context, w *pipeline.Work) error {
			_, err := pq.WriteShards(ctx, filepath.Join(w.Dir(), "open", "npowerai"), "train", rowsIn(task), pq.Options{})
			return err
		}},
		{Name: "rollout", Output: "trajectories", Work: func(ctx context.Context, w *pipeline.Work) error {
			_, err := pq.WriteShards(ctx, filepath.Join(w.Dir(), "open", "npowerai"), "train", rowsIn(rows...), pq.Options{})
			return err
		}},
	} {
		if _, err := run.Do(t.Context(), stage); err != nil {
			t.Fatal(err)
		}
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func rowsIn[T any](rows ...T) func(func(T, error) bool) {
	return func(yield func(T, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// runProgram is the program as a user starts it.
func runProgram(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"medgym-data", "--quiet"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func TestExportCommand(t *testing.T) {
	dir := sampledRun(t)
	code, out, errs := runProgram(t, "export", "sft", "--dir", dir)
	if code != exitDone || !strings.Contains(out, "open │ sft │ train │          2 │        1 │    1") || strings.Contains(out, "dpo") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	// A set that is made alone joins those that are there.
	code, out, errs = runProgram(t, "export", "dpo", "--dir", dir, "--json")
	var reports []export.Report
	if err := json.Unmarshal([]byte(out), &reports); code != exitDone || err != nil {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, out, errs)
	}
	if len(reports) != 1 || strings.Join(reports[0].Configs, " ") != "sft dpo" {
		t.Errorf("reports %+v", reports)
	}
	if code, _, errs := runProgram(t, "export", "all", "--dir", dir, "--max-tokens", "99"); code != exitBadInput || !strings.Contains(errs, "max_tokens was 32768, is now 99") {
		t.Errorf("other settings: exit code %d, %s", code, errs)
	}
	if code, out, errs := runProgram(t, "export", "all", "--dir", dir, "--max-tokens", "99", "--force"); code != exitDone {
		t.Errorf("forced: exit code %d\n%s%s", code, out, errs)
	}
}

func TestExportCommandRefuses(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"export"}, exitUsage, "sft, dpo, verifier, all or atif"},
		{[]string{"export", "rl"}, exitUsage, "sft, dpo, verifier, all or atif"},
		{[]string{"export", "sft", "extra"}, exitUsage, "takes no argument"},
		{[]string{"export", "sft", "--colour"}, exitUsage, "colour"},
		{[]string{"export", "all", "--dir", absent}, exitBadInput, "run medgym-data rollout"},
		{[]string{"export", "all", "--dir", sampledRun(t), "--strategy", "best"}, exitUsage, "intermediate, best_worst"},
		{[]string{"export", "all", "--dir", sampledRun(t), "--source", "nobody"}, exitUsage, "unknown source"},
		{[]string{"export", "all", "--dir", sampledRun(t), "--source", "biocoder"}, exitBadInput, "holds no trajectories of source biocoder"},
	} {
		code, out, errs := runProgram(t, c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 || out != "" {
			t.Errorf("%v: exit code %d, want %d, stdout %q, stderr %q, want %q", c.args, code, c.code, out, errs, c.want)
		}
	}
	if _, err := os.Stat(absent); !os.IsNotExist(err) {
		t.Errorf("a slip made a run folder: %v", err)
	}
}
