package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// writes is a stage that writes the given files and counts its runs.
func writes(name, output string, config any, runs *int, files map[string]string, inputs ...string) Stage {
	return Stage{
		Name: name, Version: "1", Config: config, Inputs: inputs, Output: output,
		Work: func(_ context.Context, w *Work) error {
			*runs++
			for path, text := range files {
				path = filepath.Join(w.Dir(), path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					return err
				}
			}
			w.Summarize("files", len(files))
			return nil
		},
	}
}

func openRun(t *testing.T, dir string, opts Options) *Run {
	t.Helper()
	r, err := Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// do runs a stage in a run folder that is opened and closed for it.
func do(t *testing.T, dir string, opts Options, st Stage) (StageResult, error) {
	t.Helper()
	r, err := Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	return r.Do(t.Context(), st)
}

func mustDo(t *testing.T, dir string, st Stage) StageResult {
	t.Helper()
	res, err := do(t, dir, Options{}, st)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func content(t *testing.T, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSkipAndStale(t *testing.T) {
	dir := t.TempDir()
	var a, b int
	up := writes("up", "raw", 1, &a, map[string]string{"x/one": "1", "two": "2"})
	down := writes("down", "tasks", map[string]int{"k": 1}, &b, map[string]string{"t": "t"}, "up")

	if _, err := do(t, dir, Options{}, down); err == nil || !strings.Contains(err.Error(), "stage up, which has not been run") {
		t.Errorf("missing input: %v", err)
	}
	res := mustDo(t, dir, up)
	if res.Skipped || res.Summary["files"] != float64(2) || len(res.Outputs) != 2 || res.Outputs[0].Path != "raw/two" {
		t.Errorf("first run: %+v", res)
	}
	mustDo(t, dir, down)
	res = mustDo(t, dir, up)
	if !res.Skipped || res.Summary["files"] != float64(2) || len(res.Outputs) != 2 {
		t.Errorf("second run: %+v", res)
	}
	mustDo(t, dir, down)
	if a != 1 || b != 1 {
		t.Fatalf("unchanged stages ran: up %d, down %d", a, b)
	}

	// The same bytes again: what follows stands.
	up.Version = "2"
	mustDo(t, dir, up)
	if mustDo(t, dir, down); a != 2 || b != 1 {
		t.Fatalf("same outputs: up %d, down %d", a, b)
	}
	// Other bytes: what follows is stale, and needs no --force.
	up = writes("up", "raw", 1, &a, map[string]string{"three": "3"})
	up.Version = "3"
	mustDo(t, dir, up)
	if mustDo(t, dir, down); a != 3 || b != 2 {
		t.Fatalf("changed outputs: up %d, down %d", a, b)
	}
	if _, err := os.Stat(filepath.Join(dir, "raw", "two")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the old output was not replaced as a whole")
	}
	// A costly stage is not made anew for that.
	down.Costly = true
	up = writes("up", "raw", 1, &a, map[string]string{"four": "4"})
	up.Version = "4"
	mustDo(t, dir, up)
	if _, err := do(t, dir, Options{}, down); !errors.Is(err, ErrDrift) || !strings.Contains(err.Error(), "input up was") {
		t.Errorf("costly stage with other inputs: %v", err)
	}
}

func TestDriftOfDoneStage(t *testing.T) {
	type config struct {
		K    int
		Name string
		List []string
		Deep map[string]any
	}
	dir := t.TempDir()
	var runs int
	mustDo(t, dir, writes("s", "out", config{K: 4, Name: "a"}, &runs, map[string]string{"f": "12345"}))
	mustDo(t, dir, writes("s", "out", config{K: 4, Name: "a", List: []string{}, Deep: map[string]any{}}, &runs, nil))
	if runs != 1 {
		t.Fatal("empty and nil count as drift")
	}
	other := writes("s", "out", config{K: 8, Name: "a", Deep: map[string]any{"seed": 1}}, &runs, map[string]string{"g": "1"})
	_, err := do(t, dir, Options{}, other)
	var drift *DriftError
	if !errors.As(err, &drift) || len(drift.Differences) != 2 {
		t.Fatalf("drift: %v", err)
	}
	for _, part := range []string{"stage s is done", "config K was 4, is now 8", "config Deep.seed was nothing, is now 1", "--force", "1 published files (5 bytes)"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("message lacks %q: %v", part, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	if got := content(t, dir, "out", "f"); got != "12345" {
		t.Errorf("refused, yet the output is %q", got)
	}
	var log bytes.Buffer
	if _, err := do(t, dir, Options{Force: true, Log: slog.New(slog.NewTextHandler(&log, nil))}, other); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "1 published files") {
		t.Errorf("--force does not say what is lost: %s", &log)
	}
	if got := content(t, dir, "out", "g"); got != "1" {
		t.Errorf("forced output: %q", got)
	}
}

// stopping is a stage that puts one unit a run until it has done all of them.
func stopping(config any, units, perRun int, put *[]string) Stage {
	return Stage{Name: "s", Version: "1", Config: config, Output: "out", Work: func(ctx context.Context, w *Work) error {
		keys, err := w.Journal().Keys(ctx)
		if err != nil {
			return err
		}
		for i := range units {
			key := fmt.Sprintf("u%02d", i)
			if keys[key] {
				continue
			}
			if perRun == 0 {
				return context.Canceled
			}
			perRun--
			if err := w.Journal().Put(ctx, key, []byte("payload "+key)); err != nil {
				return err
			}
			*put = append(*put, key)
		}
		var all []string
		err = w.Journal().Each(ctx, func(key string, payload []byte) error {
			all = append(all, string(payload))
			return nil
		})
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(w.Dir(), "all"), []byte(strings.Join(all, ",")), 0o644)
	}}
}

func TestResume(t *testing.T) {
	dir := t.TempDir()
	var put []string
	for range 2 {
		if _, err := do(t, dir, Options{}, stopping(1, 5, 2, &put)); !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted run: %v", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "out")); !errors.Is(err, os.ErrNotExist) {
			t.Fatal("an unfinished stage has an output")
		}
	}
	// Another config may not go on with these units.
	_, err := do(t, dir, Options{}, stopping(2, 5, 2, &put))
	if !errors.Is(err, ErrDrift) || !strings.Contains(err.Error(), "4 finished units of work") || !strings.Contains(err.Error(), "config was 1, is now 2") {
		t.Errorf("drift of a begun stage: %v", err)
	}
	mustDo(t, dir, stopping(1, 5, 2, &put))
	if got := strings.Join(put, " "); got != "u00 u01 u02 u03 u04" {
		t.Errorf("units done: %s", got)
	}
	if got, want := content(t, dir, "out", "all"), "payload u00,payload u01,payload u02,payload u03,payload u04"; got != want {
		t.Errorf("output: %s", got)
	}
	r := openRun(t, dir, Options{})
	if n, err := r.journal.count(t.Context(), "s"); n != 0 || err != nil {
		t.Errorf("journal after publication: %d units, %v", n, err)
	}
}

func TestForceDropsUnits(t *testing.T) {
	dir := t.TempDir()
	var put []string
	if _, err := do(t, dir, Options{}, stopping(1, 5, 2, &put)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := do(t, dir, Options{Force: true}, stopping(2, 3, 3, &put)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(put, " "); got != "u00 u01 u00 u01 u02" {
		t.Errorf("units done: %s", got)
	}
}

// A forced stage that is interrupted leaves the old output in place and resumes
// without --force; going back to the old config finds it unchanged.
func TestInterruptedAnew(t *testing.T) {
	dir := t.TempDir()
	var put []string
	mustDo(t, dir, stopping(1, 2, 9, &put))
	if _, err := do(t, dir, Options{Force: true}, stopping(2, 4, 3, &put)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := content(t, dir, "out", "all"); got != "payload u00,payload u01" {
		t.Errorf("old output: %s", got)
	}
	if res := mustDo(t, dir, stopping(1, 2, 0, &put)); !res.Skipped {
		t.Error("the old config is not skipped")
	}
	before := len(put)
	mustDo(t, dir, stopping(2, 4, 9, &put))
	if len(put) != before+1 {
		t.Errorf("%d units done on resumption, want 1", len(put)-before)
	}
}

func TestJournal(t *testing.T) {
	r := openRun(t, t.TempDir(), Options{})
	a, b := &Journal{store: r.journal, stage: "a"}, &Journal{store: r.journal, stage: "b"}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Put(done, "k", []byte("finished")); err != nil {
		t.Errorf("a finished unit is lost to cancellation: %v", err)
	}
	if err := a.Put(t.Context(), "k", []byte("again")); !errors.Is(err, ErrRecorded) {
		t.Errorf("second Put of a key: %v", err)
	}
	if err := b.Put(t.Context(), "k", nil); err != nil {
		t.Errorf("the stages share keys: %v", err)
	}
	big := bytes.Repeat([]byte("trajectory "), 1<<18)
	if err := a.Put(t.Context(), "j", big); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := a.Each(t.Context(), func(key string, payload []byte) error {
		got = append(got, fmt.Sprint(key, len(payload)))
		if key == "j" && !bytes.Equal(payload, big) {
			t.Error("payload changed")
		}
		_, err := a.Keys(t.Context()) // the journal can be used meanwhile
		return err
	})
	if err != nil || strings.Join(got, " ") != fmt.Sprint("j", len(big), " k8") {
		t.Errorf("each: %v %v", got, err)
	}
	if info, err := os.Stat(r.Path(journalName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("journal mode %v %v", info.Mode(), err)
	}
	if _, err := os.Stat(r.Path(journalName + "-shm")); err == nil {
		t.Error("the journal uses shared memory")
	}
	if err := r.journal.clear(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if keys, err := b.Keys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("clearing one stage touched another: %v %v", keys, err)
	}
}

func BenchmarkJournalPut(b *testing.B) {
	r, err := Open(b.Context(), b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	j := &Journal{store: r.journal, stage: "bench"}
	payload := bytes.Repeat([]byte(`{"role":"assistant","content":"import pandas as pd"}`), 400) // 20 kB
	for _, writers := range []int{1, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			var next, faults atomic.Int64
			var all sync.WaitGroup
			for range writers {
				all.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if err := j.Put(b.Context(), fmt.Sprintf("%d/%d/%09d", writers, b.N, i), payload); err != nil {
							faults.Add(1)
						}
					}
				})
			}
			all.Wait()
			if faults.Load() > 0 {
				b.Errorf("%d puts failed", faults.Load())
			}
		})
	}
}
