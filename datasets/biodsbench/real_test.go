package biodsbench

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/schemas"
)

// TestRealRows reads the published rows. Their study tables are not beside them,
// so every task must say which are missing.
func TestRealRows(t *testing.T) {
	dir := filepath.Join(datasettest.SharedData(t), "medagentgym", "data", "biodsbench")
	got := datasettest.Normalize(t, New(), dir, "")
	if len(got.Tasks) != 99 || len(got.Rejected) != 0 {
		t.Fatalf("%d tasks, %d rejected rows; want 99 and 0", len(got.Tasks), len(got.Rejected))
	}
	studies := map[string]bool{}
	objects := 0
	var names []string
	for _, task := range got.Tasks {
		studies[task.Category] = true
		if task.Status != schemas.StatusMissingResources || len(task.Resources) < 3 {
			t.Errorf("%s:%d: status %q, %d resources", task.RawFile, *task.RawLine, task.Status, len(task.Resources))
		}
		ans, err := readAnswer(task)
		if err != nil {
			t.Fatal(err)
		}
		why := ungradable(ans)
		switch {
		case strings.Contains(why, "PyComplexHeatmap"):
			objects++
		case why != "":
			t.Errorf("%s:%d: %s", task.RawFile, *task.RawLine, why)
		}
		for _, r := range ans.Results {
			text := r.Name
			if len(r.Attrs) > 0 {
				text += "." + strings.Join(r.Attrs, ",")
			}
			names = append(names, text)
			if !strings.Contains(task.Instruction, "`"+r.Name+"`") {
				t.Errorf("%s:%d: %s is not named in the instruction", task.RawFile, *task.RawLine, r.Name)
			}
		}
		for _, line := range strings.Split(ans.Tests, "\n") {
			if strings.HasPrefix(line, "assert ") && strings.Contains(task.Instruction, line) {
				t.Errorf("%s:%d: an assertion stands in the instruction", task.RawFile, *task.RawLine)
			}
		}
	}
	if len(studies) != 11 {
		t.Errorf("%d studies, want 11", len(studies))
	}
	if objects != 7 {
		t.Errorf("%d tests look into PyComplexHeatmap objects, want 7", objects)
	}
	t.Logf("studies: %v", slices.Sorted(maps.Keys(studies)))
	t.Logf("results: %v", names)
}
