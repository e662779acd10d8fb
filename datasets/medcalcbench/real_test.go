package medcalcbench

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/schemas"
)

func realTasks(t *testing.T) []schemas.Task {
	dir := filepath.Join(datasettest.SharedData(t), "medagentgym", "data", "medcalcbench")
	out := datasettest.Normalize(t, New(), dir, "")
	if len(out.Tasks) != 1047 || len(out.Rejected) != 0 {
		t.Fatalf("%d tasks, %d rejected, want 1047 and 0", len(out.Tasks), len(out.Rejected))
	}
	return out.Tasks
}

// TestRealCounts pins what the release's test file holds.
func TestRealCounts(t *testing.T) {
	types, categories := map[string]int{}, map[string]bool{}
	for _, task := range realTasks(t) {
		types[task.AnswerType]++
		categories[task.Category] = true
		if !strings.Contains(task.Instruction, "# How the calculator works") {
			t.Errorf("%s: no method in the instruction", task.TaskID)
		}
	}
	want := map[string]int{schemas.AnswerNumber: 627, schemas.AnswerInteger: 360, schemas.AnswerDate: 40, schemas.AnswerDuration: 20}
	for typ, n := range want {
		if types[typ] != n {
			t.Errorf("%d tasks of type %s, want %d", types[typ], typ, n)
		}
	}
	if len(categories) != 55 {
		t.Errorf("%d categories, want 55", len(categories))
	}
}

// rightForms are the right answer in several forms, in the plain codec.
func rightForms(task schemas.Task) []string {
	switch task.AnswerType {
	case schemas.AnswerNumber:
		f, _ := strconv.ParseFloat(task.Answer, 64)
		forms := []string{strconv.FormatFloat(f, 'e', -1, 64), `"` + task.Answer + `"`, `" ` + task.Answer + `\n"`, `{"$":"decimal","v":"` + task.Answer + `"}`,
			`{"$":"ndarray","dtype":"float64","shape":[],"v":[` + strconv.FormatFloat(f, 'e', -1, 64) + `]}`,
			strconv.FormatFloat(*task.AnswerLower, 'e', -1, 64), strconv.FormatFloat(*task.AnswerUpper, 'e', -1, 64)}
		return forms
	case schemas.AnswerInteger:
		return []string{task.Answer, task.Answer + ".0", `"` + task.Answer + `"`, `{"$":"int","v":"` + task.Answer + `"}`}
	case schemas.AnswerDate:
		d, _ := time.Parse(`"2006-01-02"`, task.Answer)
		return []string{task.Answer, `"` + d.Format("01/02/2006") + `"`, `"` + d.Format("1/2/2006") + `"`, `"` + d.Format("January 2, 2006") + `"`, `"` + d.Format("02 Jan 2006") + `"`,
			`{"$":"date","v":` + task.Answer + `}`, `{"$":"datetime","v":"` + d.Format("2006-01-02T15:04:05") + `"}`}
	case schemas.AnswerDuration:
		var w, d int
		fmt.Sscanf(task.Answer, "[%d,%d]", &w, &d)
		return []string{task.Answer, fmt.Sprintf(`{"$":"tuple","v":[%d,%d]}`, w, d), fmt.Sprintf(`{"$":"tuple","v":["%d weeks","%d days"]}`, w, d),
			fmt.Sprintf(`"(%d weeks, %d days)"`, w, d), fmt.Sprintf(`"('%d weeks', '%d days')"`, w, d), fmt.Sprintf(`{"$":"dict","v":[["weeks",%d],["days",%d]]}`, w, d)}
	}
	return nil
}

// wrongForms are near misses and cheats; none may pass.
func wrongForms(task schemas.Task) []string {
	forms := []string{"", "null", "true", "false", `""`, `" "`, "[]", `{"$":"dict","v":[]}`, `{"$":"float","v":"nan"}`, `{"$":"float","v":"inf"}`, `{"$":"nat"}`,
		`{"$":"opaque","type":"x","why":"too_large"}`, "999999", "-999999", `"nan"`, `"None"`, "{", `{"$":"what"}`}
	for _, right := range rightForms(task) {
		forms = append(forms, "["+right+"]", `{"$":"tuple","v":[`+right+`,`+right+`]}`, `{"$":"dict","v":[["answer",`+right+`]]}`, right+" "+right)
		if strings.HasPrefix(right, `"`) {
			text := strings.Trim(right, `"`)
			forms = append(forms, `"answer is `+text+`"`, `"`+text+` mg"`, `"`+text+` or 0"`, `"`+text+`%"`)
		}
	}
	switch task.AnswerType {
	case schemas.AnswerNumber, schemas.AnswerInteger:
		f, _ := strconv.ParseFloat(task.Answer, 64)
		misses := []float64{f + math.Abs(f) + 1, f - math.Abs(f) - 1}
		if f != 0 {
			misses = append(misses, f*1.1, f*0.9, f*2, f/2, -f)
		}
		if task.AnswerType == schemas.AnswerInteger {
			misses = append(misses, f+1, f-1, f+0.5)
		}
		for _, miss := range misses {
			forms = append(forms, strconv.FormatFloat(miss, 'e', -1, 64))
		}
	case schemas.AnswerDate:
		d, _ := time.Parse(`"2006-01-02"`, task.Answer)
		forms = append(forms, `"`+d.AddDate(0, 0, 1).Format("01/02/2006")+`"`, `"`+d.AddDate(1, 0, 0).Format("01/02/2006")+`"`, `"`+d.Format("2006-01-02T10:00:00")+`"`, `"`+d.Format("01/02/06")+`"`)
	case schemas.AnswerDuration:
		var w, d int
		fmt.Sscanf(task.Answer, "[%d,%d]", &w, &d)
		forms = append(forms, fmt.Sprint(w*7+d), fmt.Sprintf("[%d,%d]", w, d+1), fmt.Sprintf("[%d,%d]", w+1, d), fmt.Sprintf("[%d,%d,0]", w, d), fmt.Sprintf("[0,%d]", w*7+d+7))
	}
	return forms
}

func TestRealRightAnswers(t *testing.T) {
	source, judged := Source{}, 0
	for _, task := range realTasks(t) {
		for _, form := range rightForms(task) {
			if v := datasettest.Grade(t, source, task, datasettest.Submit(form)); v.Reward != 1 {
				t.Errorf("%s (%s): a right answer fails: %s: %s", task.TaskID, task.Category, form, v.Reason)
			}
			judged++
		}
	}
	t.Logf("%d right answers accepted", judged)
}

func TestRealWrongAnswers(t *testing.T) {
	source, judged := Source{}, 0
	for _, task := range realTasks(t) {
		for _, form := range wrongForms(task) {
			if v := datasettest.Grade(t, source, task, datasettest.Submit(form)); v.Reward != 0 {
				t.Errorf("%s (%s): a wrong answer passes: %s", task.TaskID, task.Category, form)
			}
			judged++
		}
	}
	t.Logf("%d wrong answers refused", judged)
}

// TestRealUpstream pins the release's verdicts: any number passes its numeric
// tasks, its own right answers do not all: the 65 negative
// ones fail in it, as do dates and weeks.
func TestRealUpstream(t *testing.T) {
	source := Source{}
	var big, bigStrict, gold, goldStrict int
	for _, task := range realTasks(t) {
		v := datasettest.Grade(t, source, task, datasets.Submission{Code: "answer = 999999\nprint(answer)", Answer: datasets.RawValue("999999"), Stdout: "999999\n", Status: "ok"})
		big, bigStrict = big+int(v.Upstream), bigStrict+int(v.Reward)
		v = datasettest.Grade(t, source, task, datasettest.Submit(rightForms(task)[0]))
		gold, goldStrict = gold+int(v.Upstream), goldStrict+int(v.Reward)
	}
	t.Logf("999999: strict %d, upstream %d; right answer: strict %d, upstream %d; of 1047", bigStrict, big, goldStrict, gold)
	if big != 987 || bigStrict != 0 {
		t.Errorf("999999: strict %d, upstream %d, want 0 and 987", bigStrict, big)
	}
	if goldStrict != 1047 || gold != 922 {
		t.Errorf("right answers: strict %d, upstream %d, want 1047 and 922", goldStrict, gold)
	}
}
