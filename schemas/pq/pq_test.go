package pq_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

func seq[T any](rows ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func roundTrip[T any](t *testing.T, rows ...T) {
	t.Helper()
	dir := t.TempDir()
	files, err := pq.WriteShards(t.Context(), dir, "train", seq(rows...), pq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 || filepath.Base(files[0].Path) != "train-00000-of-00001.parquet" || files[0].Rows != int64(len(rows)) {
		t.Fatalf("files: %+v", files)
	}
	var got []T
	for row, err := range pq.ReadDir[T](t.Context(), dir) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row)
	}
	if diff := cmp.Diff(rows, got); diff != "" {
		t.Errorf("rows came back changed (-wrote +read):\n%s", diff)
	}
	again := t.TempDir()
	if _, err := pq.WriteShards(t.Context(), again, "train", seq(rows...), pq.Options{}); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(files[0].Path)
	b, _ := os.ReadFile(filepath.Join(again, filepath.Base(files[0].Path)))
	if !bytes.Equal(a, b) {
		t.Error("the same rows gave other bytes")
	}
}

// Zeros, falses and nulls must stay apart, in every table.
func TestRoundTrip(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123000, time.UTC)
	msg := []schemas.Message{{Role: "user", Content: "é\n"}, {Role: "assistant", Content: "{}"}}
	prefix := schemas.Prefix{ID: "a", TrajIDs: []string{"x", "y"}, NTurns: 3}
	t.Run("task", func(t *testing.T) {
		roundTrip(t, schemas.Task{TaskID: "a", AnswerLower: schemas.Ptr(0.0), Actions: []string{"terminal"},
			Resources:  []schemas.Resource{{Name: "x.csv", Bytes: schemas.Ptr(int64(0))}},
			Validation: &schemas.Validation{GoldReward: schemas.Ptr(1.0), NoopReward: schemas.Ptr(0.0), Flaky: schemas.Ptr(false)}},
			schemas.Task{TaskID: "b"})
	})
	t.Run("trajectory", func(t *testing.T) {
		roundTrip(t, schemas.Trajectory{TrajectoryID: "a", Attempt: schemas.Ptr(int32(0)), Reward: schemas.Ptr(0.0), CreatedAt: &at,
			Messages: []schemas.ChatMessage{{Role: "user", Content: "q"}},
			Steps:    []schemas.Step{{Turn: schemas.Ptr(int32(1)), OutputTruncated: schemas.Ptr(false), Submission: `{"a":1}`}},
			Sandbox:  schemas.SandboxRef{Controls: []string{"net"}}}, schemas.Trajectory{TrajectoryID: "b"})
	})
	t.Run("sft", func(t *testing.T) { roundTrip(t, schemas.SFT{Prefix: prefix, Messages: msg}, schemas.SFT{}) })
	t.Run("dpo", func(t *testing.T) {
		roundTrip(t, schemas.DPO{Prefix: prefix, Prompt: msg[:1], Chosen: msg[1:], Rejected: msg[1:], RejectedReward: schemas.Ptr(0.0)})
	})
	t.Run("verifier", func(t *testing.T) {
		roundTrip(t, schemas.Verifier{Prefix: prefix, Prompt: msg[:1], Completion: msg[1:], Label: schemas.Ptr(false), Reward: schemas.Ptr(0.0)})
	})
}

func TestNothingIsLeftOnError(t *testing.T) {
	dir := t.TempDir()
	broken := errors.New("broken")
	rows := func(yield func(schemas.Task, error) bool) {
		if yield(schemas.Task{TaskID: "a"}, nil) {
			yield(schemas.Task{}, broken)
		}
	}
	if _, err := pq.WriteShards(t.Context(), dir, "train", rows, pq.Options{}); !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pq.WriteShards(ctx, dir, "train", seq(schemas.Task{}), pq.Options{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestShards(t *testing.T) {
	dir := t.TempDir()
	rows := func(yield func(schemas.SFT, error) bool) {
		for range 25_000 {
			if !yield(schemas.SFT{Messages: []schemas.Message{{Role: "user", Content: "q"}}}, nil) {
				return
			}
		}
	}
	files, err := pq.WriteShards(t.Context(), dir, "test", rows, pq.Options{ShardBytes: 1, Private: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 || filepath.Base(files[2].Path) != "test-00002-of-00003.parquet" || files[2].Rows != 5_000 {
		t.Fatalf("files: %+v", files)
	}
	info, err := os.Stat(files[0].Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestForeignAndDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	files, err := pq.WriteShards(t.Context(), dir, "train", seq(schemas.SFT{}), pq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	firstError := func(path string) error {
		for _, err := range pq.ReadFile[schemas.DPO](t.Context(), path) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := firstError(files[0].Path); err == nil || !strings.Contains(err.Error(), "column") || !strings.Contains(err.Error(), files[0].Path) {
		t.Errorf("another table's file: %v", err)
	}
	data, _ := os.ReadFile(files[0].Path)
	cut := filepath.Join(dir, "cut.parquet")
	if err := os.WriteFile(cut, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := firstError(cut); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("truncated file: %v", err)
	}
}

func FuzzReadFile(f *testing.F) {
	dir := f.TempDir()
	files, err := pq.WriteShards(f.Context(), dir, "train", seq(schemas.SFT{Messages: []schemas.Message{{Role: "user", Content: "q"}}}), pq.Options{})
	if err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(files[0].Path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.parquet")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, err := range pq.ReadFile[schemas.SFT](t.Context(), path) {
			if err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("error without the file's name: %v", err)
			}
		}
	})
}

// Some columns can be read alone; one that is not there is an error.
func TestReadColumns(t *testing.T) {
	dir := t.TempDir()
	rows := []schemas.Trajectory{
		{TaskID: "a", Attempt: schemas.Ptr(int32(0)), CostUSD: schemas.Ptr(0.5), Steps: []schemas.Step{{Turn: schemas.Ptr(int32(1))}}},
		{TaskID: "b"}, {TaskID: "c", Attempt: schemas.Ptr(int32(7))}}
	files, err := pq.WriteShards(t.Context(), dir, "train", seq(rows...), pq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	type some struct {
		Attempt *int32   `parquet:"attempt,optional"`
		TaskID  string   `parquet:"task_id,optional"`
		CostUSD *float64 `parquet:"cost_usd,optional"`
	}
	var got []some
	for row, err := range pq.ReadColumns[some](t.Context(), files[0].Path) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row)
	}
	want := []some{{rows[0].Attempt, "a", rows[0].CostUSD}, {nil, "b", nil}, {rows[2].Attempt, "c", nil}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, err := range pq.ReadColumns[struct {
		Other string `parquet:"other,optional"`
	}](t.Context(), files[0].Path) {
		if err == nil || !strings.Contains(err.Error(), "column other is missing") {
			t.Errorf("a column that is not there: %v", err)
		}
	}
}
