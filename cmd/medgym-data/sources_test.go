package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/stats"
)

// sample is a source that exists only in this test.
type sample struct{}

func (sample) Spec() datasets.Spec {
	return datasets.Spec{
		ID: "sample", Name: "Sample", Tier: schemas.TierOpen, License: "MIT",
		Full: datasets.Counts{Train: 200, Test: 100}, Layouts: []datasets.Layout{{ID: "medgym"}},
	}
}

func (sample) Normalize(context.Context, datasets.Raw, datasets.Emitter) error { return nil }

func (sample) Synthesize(_ context.Context, opts datasets.SynthOptions, create func(string) (io.WriteCloser, error)) error {
	w, err := create("test_tasks.jsonl")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, strings.Repeat("{}\n", opts.Test))
	return errors.Join(err, w.Close())
}

func runCommand(t *testing.T, cmd *cli.Command, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	app := &cli.App{Name: "medgym-data", Writer: &out, ErrWriter: io.Discard, Commands: []*cli.Command{cmd}}
	err := app.RunContext(t.Context(), append([]string{"medgym-data", cmd.Name}, args...))
	return out.String(), err
}

// runWithReport makes a run folder whose report counts three rows of sample.
func runWithReport(t *testing.T) string {
	t.Helper()
	c := stats.New([]datasets.Spec{sample{}.Spec()})
	c.Task(schemas.Task{Source: "sample", Split: schemas.SplitTrain, Status: schemas.StatusReady})
	c.Task(schemas.Task{Source: "sample", Split: schemas.SplitTest, Status: schemas.StatusReady})
	c.Reject("sample", schemas.SplitTest, "malformed_json")
	dir := t.TempDir()
	if err := c.Report().Save(filepath.Join(dir, "reports")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSourcesCommand(t *testing.T) {
	out, err := runCommand(t, sourcesCommand(datasets.Registry{sample{}}), "--json", "--dir", runWithReport(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []catalogueEntry
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Found == nil || *got[0].Found != (catalogueCount{1, 2}) || got[0].Full != (catalogueCount{200, 100}) || got[0].Layouts[0] != "medgym" {
		t.Errorf("catalogue: %+v", got)
	}

	out, err = runCommand(t, sourcesCommand(datasets.Registry{sample{}}))
	if err != nil || !strings.Contains(out, "200/100") || strings.Contains(out, "1/2") {
		t.Errorf("table without a run folder: %v\n%s", err, out)
	}
	if _, err := runCommand(t, sourcesCommand(nil), "--dir", t.TempDir()); err == nil || !strings.Contains(err.Error(), "run stats") {
		t.Errorf("run folder without a report: %v", err)
	}
}

func TestSynthCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "raw")
	out, err := runCommand(t, synthCommand(datasets.Registry{sample{}}), "--out", dir, "--scale", "0.05")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "sample: 10 train and 5 test rows, 1 files, 15 bytes") {
		t.Errorf("output: %s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, "sample", "test_tasks.jsonl")); err != nil {
		t.Error(err)
	}
	if _, err := runCommand(t, synthCommand(datasets.Registry{sample{}}), "--out", dir, "--source", "nobody"); err == nil || !strings.Contains(err.Error(), "unknown source") {
		t.Errorf("unknown source: %v", err)
	}
}
