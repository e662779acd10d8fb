package medagentbench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/schemas"
)

// realFolder is the published rows, with or without the patients of the server.
func realFolder(t *testing.T, patients bool) string {
	t.Helper()
	shared := datasettest.SharedData(t)
	dir := t.TempDir()
	copyFile := func(to string, from ...string) {
		data, err := os.ReadFile(filepath.Join(append([]string{shared}, from...)...))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, to), data)
	}
	for _, name := range []string{trainFile, testFile, funcsFile} {
		copyFile(name, "medagentgym", "data", "medagentbench", name)
	}
	if patients {
		copyFile("fhir/Patient.ndjson.gz", "fhir", "Patient.ndjson.gz")
	}
	return dir
}

// TestRealRows reads the published rows with the 500 patients, and nothing else, of
// the release's server: the patients answer 58 of the 60 items of task1 and task2,
// and tell whom the 60 of task3 and task8 are about.
func TestRealRows(t *testing.T) {
	got := datasettest.Normalize(t, New(), realFolder(t, true), "")
	if len(got.Tasks) != 300 || len(got.Rejected) != 0 {
		t.Fatalf("%d tasks, %d rejected rows; want 300 and 0", len(got.Tasks), len(got.Rejected))
	}
	have := map[string]map[string]int{}
	for _, task := range got.Tasks {
		if have[task.Category] == nil {
			have[task.Category] = map[string]int{}
		}
		have[task.Category][strings.TrimSuffix(task.Status+": "+task.StatusReason, ": ")]++
		for _, want := range []string{"http://localhost:8080/fhir/Observation", "boundsPeriod", task.Question, task.Context} {
			if !strings.Contains(task.Instruction, want) {
				t.Errorf("%s:%d: the instruction lacks a part", task.RawFile, *task.RawLine)
			}
		}
		if strings.Contains(task.Instruction, baseMark) {
			t.Errorf("%s:%d: the instruction has the mark of the base URL", task.RawFile, *task.RawLine)
		}
	}
	noObservation := "missing_resources: the FHIR data has no Observation"
	want := map[string]map[string]int{
		"patient lookup":        {"ready": 28, "missing_resources: " + partialData: 2},
		"patient age":           {"ready": 30},
		"vital signs entry":     {"ready": 30},
		"magnesium level":       {noObservation: 30},
		"magnesium replacement": {noObservation: 30},
		"mean glucose":          {noObservation: 30},
		"glucose level":         {noObservation: 30},
		"referral":              {"ready": 30},
		"potassium replacement": {noObservation: 30},
		"hba1c check":           {noObservation: 30},
	}
	for category, states := range want {
		for state, n := range states {
			if have[category][state] != n {
				t.Errorf("%s: %d are %q, want %d", category, have[category][state], state, n)
			}
		}
		if len(have[category]) != len(states) {
			t.Errorf("%s: %v", category, have[category])
		}
	}
}

// TestRealReferences plays every task that the patients suffice for. The release
// refuses 29 of the 30 right entries of a blood pressure: its check has one patient.
func TestRealReferences(t *testing.T) {
	dir := realFolder(t, true)
	ready, upstream := checkReferences(t, dir, datasettest.Normalize(t, New(), dir, "").Tasks)
	if ready != 118 || upstream != 89 {
		t.Errorf("%d ready, %d pass upstream; want 118 and 89", ready, upstream)
	}
}

// TestRealRowsWithoutData keeps every row.
func TestRealRowsWithoutData(t *testing.T) {
	got := datasettest.Normalize(t, New(), realFolder(t, false), "")
	for _, task := range got.Tasks {
		if task.Status != schemas.StatusMissingResources || task.StatusReason != noData || len(task.Resources) != 0 {
			t.Errorf("%s:%d: %s: %s", task.RawFile, *task.RawLine, task.Status, task.StatusReason)
		}
	}
	if len(got.Tasks) != 300 {
		t.Errorf("%d tasks, want 300", len(got.Tasks))
	}
}
