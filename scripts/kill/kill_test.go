package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/pipeline"
)

// TestWatch: writes, creations and renames in a folder are told.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	w, err := watchFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	next := func() string {
		select {
		case name, ok := <-w.changes:
			if !ok {
				t.Fatal("the watch has ended")
			}
			return name
		case <-t.Context().Done():
			return ""
		}
	}
	log := filepath.Join(dir, walName)
	if err := os.WriteFile(log, nil, 0o600); err != nil { // created
		t.Fatal(err)
	}
	if got := next(); got != walName {
		t.Errorf("a new file: %q", got)
	}
	f, err := os.OpenFile(log, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := f.WriteString("frame"); err != nil {
			t.Fatal(err)
		}
		if got := next(); got != walName {
			t.Errorf("a write: %q", got)
		}
	}
	if err := errors.Join(f.Close(), os.Rename(log, filepath.Join(dir, "manifest.json"))); err != nil {
		t.Fatal(err)
	}
	if from, to := next(), next(); from != walName || to != "manifest.json" {
		t.Errorf("a rename: %q, %q", from, to)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for range w.changes { // it ends
	}
}

// TestAwait: each phase has its moment, and a rollout that ends by itself ends it.
func TestAwait(t *testing.T) {
	running := func() *process { return &process{begin: time.Now(), ended: make(chan error, 1)} }
	changes := func(names ...string) *watch {
		w := &watch{changes: make(chan string, len(names))}
		for _, name := range names {
			w.changes <- name
		}
		return w
	}
	sampling, publishing := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(publishing, stagingName, stageName, "open"), 0o700); err != nil {
		t.Fatal(err)
	}
	if staged(sampling) || !staged(publishing) {
		t.Error("what is staged is not seen")
	}
	if s := (moment{phase: phaseStart}).await(running(), changes(), sampling); s.writes > 0 || s.publishing || s.ended {
		t.Errorf("starting: %+v", s)
	}
	if s := (moment{phase: phaseSample, writes: 2}).await(running(), changes(walName, "run.lock", walName, walName), sampling); s.writes != 2 || s.first == 0 || s.changes > 0 {
		t.Errorf("sampling: %+v", s)
	}
	if s := (moment{phase: phaseSample, writes: 2}).await(running(), changes(), publishing); !s.publishing {
		t.Errorf("sampling that is over: %+v", s)
	}
	if s := (moment{phase: phasePublish}).await(running(), changes(), publishing); !s.publishing || s.changes > 0 {
		t.Errorf("publishing, by time: %+v", s)
	}
	if s := (moment{phase: phasePublish, changes: 3}).await(running(), changes("a", "b", "c", "d"), publishing); s.changes != 3 {
		t.Errorf("publishing, by changes: %+v", s)
	}
	over := running()
	over.ended <- nil
	if s := (moment{phase: phaseSample, writes: 2}).await(over, changes(), sampling); !s.ended || len(over.ended) != 1 {
		t.Errorf("a rollout that ends: %+v", s)
	}
}

func TestKill(t *testing.T) {
	start := func(args ...string) *process {
		r := &process{cmd: exec.Command(args[0], args[1:]...), said: &strings.Builder{}, ended: make(chan error, 1)}
		if err := r.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { r.ended <- r.cmd.Wait() }()
		return r
	}
	if r := start("sleep", "1000"); !r.kill() {
		t.Error("a process that was killed was not")
	}
	for _, program := range []string{"true", "false"} {
		r := start(program)
		r.ended <- <-r.ended // it has ended
		if r.kill() || (r.err == nil) != (program == "true") {
			t.Errorf("%s was killed, %v", program, r.err)
		}
	}
}

// TestRecorded: the journal is read while a writer holds it, and as it was left.
func TestRecorded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if units, err := recorded(t.Context(), dir); err != nil || len(units) > 0 {
		t.Errorf("no journal: %v, %v", units, err)
	}
	run, err := pipeline.Open(t.Context(), dir, pipeline.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = run.Do(t.Context(), pipeline.Stage{Name: stageName, Version: "1", Output: "out", Work: func(ctx context.Context, w *pipeline.Work) error {
		for i := range 3 {
			if err := w.Journal().Put(ctx, fmt.Sprint("unit ", i), []byte("row")); err != nil {
				return err
			}
		}
		units, err := recorded(ctx, dir)
		if got := slices.Sorted(maps.Keys(units)); err != nil || !slices.Equal(got, []string{"unit 0", "unit 1", "unit 2"}) {
			t.Errorf("%v, %v", got, err)
		}
		return errors.New("stop here")
	}})
	if err == nil {
		t.Fatal("the stage did not stop")
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	if units, err := recorded(t.Context(), dir); err != nil || len(units) != 3 {
		t.Errorf("%v, %v", units, err)
	}
}
