package ehrseqsql_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	ehrseqsql "github.com/medgym-data/medgym-data/datasets/ehr_seqsql"
)

func TestSource(t *testing.T) {
	datasettest.Run(t, ehrseqsql.New(), datasettest.Fixtures{
		Files:        map[string]string{"PATIENTS.csv": "patients.csv", "ADMISSIONS.csv": "admissions.csv"},
		AnswerFields: []string{"ans"},
		Right:        datasettest.Forms,
		Layouts:      []string{"release"},
	})
}

// folder is a download of the release.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"data.json", "patients.csv", "admissions.csv"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if strings.HasSuffix(name, ".csv") {
			to = filepath.Join(dir, "tables", name)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestRelease: each turn of a dialogue is a task or a rejection of its own.
func TestRelease(t *testing.T) {
	adapter := ehrseqsql.New()
	for _, tt := range []struct {
		options map[string]string
		tasks   []string
		shown   string // in the last turn's instruction
		hidden  string
		rejects string
	}{
		{nil, []string{"train [2,3]", "train [2,3]", "train 2"}, "how many men were admitted since 2104?", "Which patients are men?",
			"2 missing_column, 2 bad_value, 2 missing_table, 3 bad_value, 4 bad_value"},
		{map[string]string{"seqsql-split": "compositional", "seqsql-earlier-turns": "true", "ehr-shift": "none"}, []string{"test [2,3]", "test [2,3]", "test 2"}, "Which patients are men?", "nothing like it",
			"2 missing_column, 2 bad_value, 2 missing_table, 3 bad_value, 5 missing_field"},
	} {
		raw := datasettest.Dir{Root: folder(t), LayoutID: "release", Options: tt.options}
		raw.Options = withShift(raw.Options)
		datasettest.Build(t, adapter, raw)
		out := &datasettest.Collector{Source: "ehr_seqsql"}
		if err := adapter.Normalize(t.Context(), raw, out); err != nil {
			t.Fatal(err)
		}
		var tasks, rejects []string
		hashes := map[string]bool{}
		for _, task := range out.Tasks {
			if *task.RawLine == 1 {
				tasks = append(tasks, task.Split+" "+task.Answer)
			}
			hashes[task.RawSHA256] = true
		}
		for _, r := range out.Rejected {
			rejects = append(rejects, fmt.Sprintf("%d %s", r.Line, r.Reason))
		}
		if fmt.Sprint(tasks) != fmt.Sprint(tt.tasks) || len(hashes) != len(out.Tasks) {
			t.Errorf("%v: tasks %v, want %v", tt.options, tasks, tt.tasks)
		}
		if got := strings.Join(rejects, ", "); got != tt.rejects {
			t.Errorf("%v: rejected %s, want %s", tt.options, got, tt.rejects)
		}
		if text := out.Tasks[2].Instruction; !strings.Contains(text, tt.shown) || strings.Contains(text, tt.hidden) {
			t.Errorf("%v: the instruction is %s", tt.options, text)
		}
	}
	raw := datasettest.Dir{Root: folder(t), LayoutID: "release", Options: map[string]string{"seqsql-split": "other"}}
	if err := adapter.Normalize(t.Context(), raw, &datasettest.Collector{}); err == nil || !strings.Contains(err.Error(), "--seqsql-split") {
		t.Errorf("another split: %v", err)
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "data.json"), []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := adapter.(datasets.Builder).Builds(datasettest.Dir{Root: empty, LayoutID: "release"}); err == nil || !strings.Contains(err.Error(), "--mimic-iii") {
		t.Errorf("without a database: %v", err)
	}
}

// withShift leaves the times of the few patients as they are.
func withShift(options map[string]string) map[string]string {
	out := map[string]string{"ehr-shift": "none"}
	for name, value := range options {
		out[name] = value
	}
	return out
}

// TestUpstream: the public release passes whatever was run.
func TestUpstream(t *testing.T) {
	adapter := ehrseqsql.New()
	raw := datasettest.Dir{Root: folder(t), LayoutID: "release", Options: withShift(nil)}
	datasettest.Build(t, adapter, raw)
	out := &datasettest.Collector{Source: "ehr_seqsql"}
	if err := adapter.Normalize(t.Context(), raw, out); err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]float64{"2": 1, "3": 0, `"anything"`: 0, "": 0} {
		v := datasettest.Grade(t, adapter.(datasets.Grader), out.Tasks[2], datasettest.Submit(answer))
		if v.Reward != want || v.Upstream != 1 {
			t.Errorf("%s: %+v", answer, v)
		}
	}
}
