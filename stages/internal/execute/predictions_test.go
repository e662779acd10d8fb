package execute_test

import (
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/datasets/ehrshot"
	mimicextract "github.com/medgym-data/medgym-data/datasets/mimic_extract"
	"github.com/medgym-data/medgym-data/datasets/synth"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
)

var allPredictions = flag.Bool("all-predictions", false, "play every task of the sources of machine learning, not some of each")

var predictionsSeed = flag.Uint64("predictions-seed", 11, "of the synthetic downloads that those tasks are of")

// learner is what a source of machine learning can do.
type learner interface {
	datasets.Adapter
	datasets.Grader
	datasets.Furnisher
	datasets.Referencer
}

// TestPredictions plays tasks of the sources of machine learning as an agent would:
// their own programs earn the reward in a real sandbox, programs that skip the work
// earn none, and no program finds the labels of test rows.
func TestPredictions(t *testing.T) {
	box := runtest.Python(t)
	for _, source := range []struct {
		adapter datasets.Adapter
		rows    int
		tasks   []string // those played, by category
	}{
		{ehrshot.New(), 15, []string{"guo_los", "chexpert"}},
		{mimicextract.New(), 3, []string{"mortality", "intervention"}},
	} {
		adapter := source.adapter
		id := adapter.Spec().ID
		dir := filepath.Join(t.TempDir(), "raw")
		if _, err := synth.Write(t.Context(), datasets.Registry{adapter}, synth.Options{Out: dir, Rows: source.rows, Seed: *predictionsSeed}); err != nil {
			t.Fatal(err)
		}
		raw := datasettest.Dir{Root: filepath.Join(dir, id), LayoutID: adapter.Spec().Layouts[0].ID}
		for _, task := range datasettest.Normalize(t, adapter, raw.Root, "").Tasks {
			if *allPredictions || task.Split == schemas.SplitTest && slices.Contains(source.tasks, task.Category) {
				if id == "ehrshot" && task.Split == schemas.SplitTrain {
					continue // the same task
				}
				playPredictions(t, box, adapter.(learner), task, raw)
			}
		}
	}
}

func playPredictions(t *testing.T, box sandbox.Sandbox, source learner, task schemas.Task, raw datasets.Files) {
	t.Helper()
	name := task.TaskID + " (" + task.Category + ")"
	furnished, err := source.Furnish(t.Context(), task, raw)
	if err != nil {
		t.Fatal(err)
	}
	session, err := execute.Open(t.Context(), box, task.TaskID, furnished, sandbox.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	play := func(code string) (execute.Execution, datasets.Verdict) {
		t.Helper()
		ran, err := session.Run(t.Context(), sandbox.Python, code, 1)
		if err != nil {
			t.Fatal(err)
		}
		if ran.Result.Status != sandbox.StatusOK {
			t.Errorf("%s: status %s: %s\n%s", name, ran.Result.Status, ran.Result.Stderr, code)
		}
		verdict, err := source.Grade(t.Context(), task, ran.Submission, nil)
		if err != nil {
			t.Fatal(err)
		}
		return ran, verdict
	}
	ref, err := source.Reference(task)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	ran, verdict := play(ref.Right)
	t.Logf("%s: %s; %s, %d bytes handed over", name, verdict.Reason, time.Since(began).Round(10*time.Millisecond), len(ran.Submission.Answer))
	if verdict.Reward != 1 || !ran.Submits {
		t.Errorf("%s: its own program has reward %v: %s\n%s", name, verdict.Reward, verdict.Reason, ran.Result.Stdout)
	}
	for i, code := range ref.Wrong {
		if _, verdict := play(code); verdict.Reward != 0 {
			t.Errorf("%s: wrong program %d has reward %v: %s", name, i, verdict.Reward, verdict.Reason)
		}
	}
	for i, code := range ref.Explore {
		if ran, _ := play(code); ran.Submits {
			t.Errorf("%s: program %d that explores submits", name, i)
		}
	}
	ran, _ = play(hunt)
	if found := string(ran.Submission.Answer); !strings.HasPrefix(found, "[]") {
		t.Errorf("%s: labels of test rows can be read in the sandbox: %s", name, found)
	}
}

// hunt looks for files that tell labels of test rows.
const hunt = `
import csv, os

answer = []
for top in ("/workdir", "/data"):
    for folder, _, names in os.walk(top):
        for name in names:
            if "test" not in name or not name.endswith(".csv"):
                continue
            with open(os.path.join(folder, name)) as file:
                header = next(csv.reader(file))
            if name != "test_rows.csv" or {"value", "label_type", "intervention_category", "mort_hosp", "mort_icu", "los_3", "los_7"} & set(header):
                answer.append([name, header])
`
