package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/schemas"
)

// Every published row of the five open sources ends as a task or as a rejected row
// with a reason, and the two add up.
func TestPreparePublishedRows(t *testing.T) {
	shared := datasettest.SharedData(t)
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"medgym-data", "--quiet", "prepare", "--raw", filepath.Join(shared, "medagentgym", "data"),
		"--fhir", filepath.Join(shared, "fhir"), "--no-validate", "--json", "--dir", filepath.Join(t.TempDir(), "run")}, &out, &errs)
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	var got prepared
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{"biocoder": 157, "biodsbench": 99, "medagentbench": 300, "medcalcbench": 1047, "npowerai": 1208}
	if len(got.Tasks.Sources) != len(rows) {
		t.Fatalf("sources: %+v", got.Tasks.Sources)
	}
	total := 0
	for _, s := range got.Tasks.Sources {
		status := 0
		for _, n := range s.ByStatus {
			status += n
		}
		if s.RawRows != rows[s.Source] || s.Tasks+s.RejectedRows() != s.RawRows || status != s.Tasks {
			t.Errorf("%+v", s)
		}
		total += s.RawRows
		switch s.Source {
		case "biodsbench": // its tables are not part of the download
			if s.ByStatus[schemas.StatusMissingResources] != 99 {
				t.Errorf("%+v", s)
			}
		case "medagentbench":
			if s.ByStatus[schemas.StatusReady] < 58 {
				t.Errorf("%+v", s)
			}
		}
	}
	if total != 2811 {
		t.Errorf("%d raw rows", total)
	}
}

// An interrupted command says that it can go on, leaves no output, and has its own
// exit code.
func TestInterrupted(t *testing.T) {
	raw := filepath.Join(t.TempDir(), "raw")
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"medgym-data", "synth", "--out", raw, "--rows", "2", "--source", "npowerai"}, &out, &errs); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	dir := filepath.Join(t.TempDir(), "run")
	args := []string{"medgym-data", "--quiet", "prepare", "--raw", raw, "--no-validate", "--dir", dir}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out.Reset()
	errs.Reset()
	code := run(ctx, args, &out, &errs)
	if code != exitInterrupted || out.Len() > 0 || strings.Count(errs.String(), "\n") != 1 || !strings.HasPrefix(errs.String(), "medgym-data: interrupted; what was finished is kept") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, &out, &errs)
	}
	if _, err := os.Stat(filepath.Join(dir, "tasks")); !os.IsNotExist(err) {
		t.Error("an interrupted stage published")
	}
	if code := run(t.Context(), args, &out, &errs); code != exitDone {
		t.Errorf("the same command again: exit code %d, %s", code, &errs)
	}
}
