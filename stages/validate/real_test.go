package validate

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
)

func TestMain(m *testing.M) { runtest.Main(m) }

// real is a validator with a sandbox that runs Python.
func real(t *testing.T) *validator {
	t.Helper()
	return &validator{
		w: &pipeline.Work{Log: slog.New(slog.NewTextHandler(t.Output(), nil))}, box: runtest.Python(t), corpus: corpus(), kept: newSubmissions(),
		opts: Options{Seed: 1, Execution: 60 * time.Second},
	}
}

func play(t *testing.T, v *validator, session datasets.Session, code string) datasets.Submission {
	t.Helper()
	sub, err := v.execute(context.WithoutCancel(t.Context()), "test", session, code, 1)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// Every cheat does what it is there for: it runs to the end that it means to take,
// and what crosses is what it lies about, not what it says.
func TestCorpusRuns(t *testing.T) {
	v := real(t)
	silent := []string{
		"print_words", "print_pipe", "print_everything", "exit", "os_exit", "os_exit_answer", "forge_keys", "forge_broken", "huge_output",
	}
	f := form{class: valued}
	for _, c := range v.corpus {
		t.Run(c.name, func(t *testing.T) {
			sub := play(t, v, datasets.Session{}, f.program(c))
			want := sandbox.StatusOK
			if c.name == "huge_output" {
				want = sandbox.StatusOutputLimit
			}
			if sub.Status != string(want) {
				t.Errorf("ended with %s %s, want %s: %s", sub.Status, sub.Error, want, sub.Stderr)
			}
			if answered := len(sub.Answer) > 0; answered == slices.Contains(silent, c.name) {
				t.Errorf("an answer was set: %v", answered)
			}
		})
	}
}

// What crosses is what objects hold, whatever they say.
func TestLies(t *testing.T) {
	v := real(t)
	f := form{class: valued}
	for _, c := range v.corpus {
		want := map[string]string{
			"always_equal": `"why": "no_form"`, "always_equal_number": "424242.5", "lie_object": `"why": "no_form"`,
			"lie_builtin": `["lie", {"$": "dict", "v": [["$", "any"], ["v", "lie"]]}]`, "patch_numpy": "424242.5", "patch_trace": "424242.5",
			"replace_pandas": "424242.5", "forge_frames": "424242.5", "forge_files": "424242.5",
		}[c.name]
		if want == "" {
			continue
		}
		if got := play(t, v, datasets.Session{}, f.program(c)).Answer; !strings.Contains(string(got), want) {
			t.Errorf("%s handed in %s, want %s", c.name, got, want)
		}
	}
}

// Values that cross together are the same, and print the same, as one by one.
func TestTogether(t *testing.T) {
	v := real(t)
	for _, task := range nearTasks {
		tr := &trial{v: v, src: &source{}, task: task}
		values := nears(task)
		together, err := tr.together(t.Context(), values)
		if err != nil || len(together) != len(values) || len(values) < 4 {
			t.Fatalf("%s %s: %d of %d values: %v", task.AnswerType, task.Answer, len(together), len(values), err)
		}
		for i, n := range values {
			if i%3 != 0 && n.family == familyNear {
				continue // each takes its time
			}
			alone := play(t, v, datasets.Session{}, valueProgram(n.value))
			if !reflect.DeepEqual(alone, together[i]) {
				t.Errorf("%s %s, %s: %+v, alone %+v", task.AnswerType, task.Answer, n.name, together[i], alone)
			}
		}
	}
	// Too much for one program: then each runs for itself.
	much := near{value: strings.Repeat("x", 300_000)}
	if subs, err := (&trial{v: v, src: &source{}}).together(t.Context(), []near{much, much, much, much}); subs != nil || err != nil {
		t.Errorf("%d values that do not fit, %v", len(subs), err)
	}
}

var nearTasks = []schemas.Task{
	{AnswerType: schemas.AnswerInteger, Answer: "42", Instruction: "Say 42: é😀\u2028\" \\ \x00"},
	{AnswerType: schemas.AnswerNumber, Answer: "0.8125"},
	{AnswerType: schemas.AnswerBoolean, Answer: "true"},
	{AnswerType: schemas.AnswerText, Answer: `"a \\ 'text'\n"`},
	{AnswerType: schemas.AnswerDate, Answer: `"2014-02-28"`},
	{AnswerType: schemas.AnswerDuration, Answer: "[3, 5]"},
	{AnswerType: schemas.AnswerSet, Answer: `["a", 2.5, true]`},
	{AnswerType: schemas.AnswerTable, Answer: `[["a", 1], ["b", 2]]`},
}

// Derived programs spoil predictions of every form.
func TestSpoil(t *testing.T) {
	v := real(t)
	f := form{class: predicted}
	for _, right := range []string{
		"answer = {5: 1, 6: 0, 7: 0}\n", "answer = {'row': [5, 6, 7], 'prediction': [1, 0, 0]}\n",
		"import pandas\nanswer = pandas.DataFrame({'row': [5, 6, 7], 'prediction': [1, 0, 0]})\n",
		"import pandas\nanswer = pandas.DataFrame({'prediction': [1, 0, 0]}, index=pandas.Index([5, 6, 7], name='row'))\n",
	} {
		for _, d := range derivedNames {
			want := map[string]string{
				"one_row":        `{"$": "dict", "v": [["row", [5]], ["prediction", [1]]]}`,
				"rows_twice":     `{"$": "dict", "v": [["row", [5, 6, 7, 5, 6, 7]], ["prediction", [1, 0, 0, 1, 0, 0]]]}`,
				"constant_first": `{"$": "dict", "v": [["row", [5, 6, 7]], ["prediction", [1, 1, 1]]]}`,
				"constant_most":  `{"$": "dict", "v": [["row", [5, 6, 7]], ["prediction", [0, 0, 0]]]}`,
				"constant_least": `{"$": "dict", "v": [["row", [5, 6, 7]], ["prediction", [1, 1, 1]]]}`,
			}[d.name]
			if d.on != predicted {
				continue
			}
			sub := play(t, v, datasets.Session{}, f.derive(d, right))
			if string(sub.Answer) != want {
				t.Errorf("%s of %s: %s %s", d.name, right, sub.Answer, sub.Stderr)
			}
		}
	}
}
