package biocoder

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/schemas"
)

// TestRealRows reads the published test rows: which can be judged, and that the
// program with the solution in place is the release's own, indentation aside.
func TestRealRows(t *testing.T) {
	dir := filepath.Join(datasettest.SharedData(t), "medagentgym", "data", "biocoder")
	got := datasettest.Normalize(t, New(), dir, "")
	if len(got.Tasks) != 157 || len(got.Rejected) != 0 {
		t.Fatalf("%d tasks, %d rejected rows; want 157 and 0", len(got.Tasks), len(got.Rejected))
	}
	status, categories := map[string]int{}, map[string]int{}
	for _, task := range got.Tasks {
		status[task.Status+": "+task.StatusReason]++
		categories[task.Category]++
		ans, err := readAnswer(task)
		if err != nil {
			t.Fatal(err)
		}
		if ans.Code != "" {
			t.Errorf("line %d: the release's program is not the context with the solution", *task.RawLine)
		}
		ours, theirs := splice(task.Context, task.Gold), releaseSplice(task.Context, task.Gold)
		if margin(ours) != margin(theirs) {
			t.Errorf("line %d: more than indentation differs", *task.RawLine)
		}
		if gapIndent(task.Context) == "" && ours != theirs {
			t.Errorf("line %d: a gap at the margin must be filled as it stands", *task.RawLine)
		}
	}
	for want, n := range map[string]int{
		schemas.StatusReady + ": ": 142,
		"ungradable: the program defines the function again below the gap, so no submission is ever run":                 12,
		"ungradable: the program defines the function above the gap already, so a submission that does nothing may pass": 2,
		"ungradable: the program never uses the function, so no submission makes a difference":                           1,
	} {
		if status[want] != n {
			t.Errorf("%d tasks are %q, want %d", status[want], want, n)
		}
	}
	t.Logf("categories: %v", categories)
}

// margin drops indentation and blank lines.
func margin(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
