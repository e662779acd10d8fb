package npowerai

import (
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/schemas"
)

func realTasks(t *testing.T) []schemas.Task {
	dir := filepath.Join(datasettest.SharedData(t), "medagentgym", "data", "npowerai")
	out := datasettest.Normalize(t, New(), dir, "")
	if len(out.Tasks) != 865+343 || len(out.Rejected) != 0 {
		t.Fatalf("%d tasks, %d rejected, want 1208 and 0", len(out.Tasks), len(out.Rejected))
	}
	return out.Tasks
}

// TestRealCounts pins what the release's files hold: among it, that no question
// is there twice, in or across the splits.
func TestRealCounts(t *testing.T) {
	splits, questions := map[string]int{}, map[string]bool{}
	for _, task := range realTasks(t) {
		splits[task.Split]++
		questions[task.Question] = true
	}
	if splits[schemas.SplitTrain] != 865 || splits[schemas.SplitTest] != 343 {
		t.Errorf("splits: %v", splits)
	}
	if len(questions) != 1208 {
		t.Errorf("%d different questions, want 1208", len(questions))
	}
}

// TestRealTextbook pins how many of the source's answers the textbook power of
// the stated study gives: all of seven designs, next to none of the other five.
func TestRealTextbook(t *testing.T) {
	agree := map[string]int{}
	for _, task := range realTasks(t) {
		if task.GoldKind == schemas.GoldPython {
			agree[task.Category+" "+task.AnswerType]++
		}
	}
	want := map[string]int{
		"One-sample t-test integer": 101, "One-sample t-test number": 101,
		"Two independent samples t-test integer": 1, "Two independent samples t-test number": 101,
		"Paired t-test integer": 101, "Paired t-test number": 58,
		"One-way ANOVA number":                    1,
		"Chi-square test of independence integer": 100, "Chi-square test of independence number": 100,
		"Cox proportional-hazards model integer": 101, "Cox proportional-hazards model number": 2,
	}
	if !maps.Equal(agree, want) {
		t.Errorf("answers that the textbook gives:\n%v, want\n%v", agree, want)
	}
}

func TestRealGrades(t *testing.T) {
	source := Source{}
	var right, wrong, upstreamRight, upstreamStripped int
	for _, task := range realTasks(t) {
		f, err := strconv.ParseFloat(task.Answer, 64)
		if err != nil {
			t.Fatal(err)
		}
		text := func(x float64) string { return strconv.FormatFloat(x, 'e', -1, 64) }
		good := []string{task.Answer, text(f), `"` + task.Answer + `"`, `{"$":"decimal","v":"` + task.Answer + `"}`}
		bad := []string{"", "null", "true", "false", `""`, "[]", `{"$":"float","v":"nan"}`, `{"$":"float","v":"inf"}`, "999999", "-1", "0", "0.0",
			"[" + task.Answer + "]", `"n = ` + task.Answer + `"`, `"` + task.Answer + `%"`, text(1.1 * f), text(0.9 * f), text(2 * f), text(f + 0.5), text(-f)}
		if task.AnswerType == schemas.AnswerInteger {
			bad = append(bad, text(f+1), text(f-1))
		} else {
			good = append(good, text(f*1.0099), text(f*0.9901), text(f*1.01), text(f*0.99))
			bad = append(bad, text(f*1.0101), text(f*0.9899), text(100*f))
		}
		for _, form := range good {
			if v := datasettest.Grade(t, source, task, datasettest.Submit(form)); v.Reward != 1 {
				t.Errorf("%s: a right answer fails: %s: %s", task.TaskID, form, v.Reason)
			}
			right++
		}
		for _, form := range bad {
			if v := datasettest.Grade(t, source, task, datasettest.Submit(form)); v.Reward != 0 {
				t.Errorf("%s: a wrong answer passes: %s", task.TaskID, form)
			}
			wrong++
		}
		printed := task.Answer
		if task.AnswerType == schemas.AnswerNumber && !strings.Contains(printed, ".") {
			printed += ".0"
		}
		upstreamRight += int(datasettest.Grade(t, source, task, datasets.Submission{Code: "print(answer)", Stdout: " " + printed + "\n", Status: "ok"}).Upstream)
		upstreamStripped += int(datasettest.Grade(t, source, task, datasets.Submission{Code: "print(answer)", Stdout: "The answer is " + printed + "\n", Status: "ok"}).Upstream)
	}
	t.Logf("%d right forms accepted, %d wrong ones refused; upstream passes %d of 1208 printed answers", right, wrong, upstreamRight)
	if upstreamRight != 1208 || upstreamStripped != 0 {
		t.Errorf("upstream: %d printed answers pass, %d with words around them; want 1208 and 0", upstreamRight, upstreamStripped)
	}
}
