package biodsbench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/schemas"
)

// assertions makes a task of tests alone.
func assertions(t *testing.T, tests, prefix string) schemas.Task {
	t.Helper()
	ans := answer{Tests: tests, Prefix: prefix}
	ans.Results, ans.Tables = testNames(tests, nil)
	text, err := datasets.Canonical(ans)
	if err != nil {
		t.Fatal(err)
	}
	return schemas.Task{TaskID: "biodsbench/test/invented", Answer: text, AnswerType: schemas.AnswerAssertions, Status: schemas.StatusReady}
}

// TestGrade plays programs against assertions in a real interpreter. Strict is
// what holds; upstream is what passes where both are one program.
func TestGrade(t *testing.T) {
	const (
		number = "assert abs(result - 12.5) < 1e-6"
		exact  = "assert result == 3, 'other'"
		series = "import pandas as pd\nassert isinstance(result, pd.Series)\nassert result.tolist() == [1.0, 2.5]\nassert list(result.index) == ['a', 'b']"
		equals = "import pandas as pd\nassert result.equals(pd.Series([1.0, 2.5]))"
		frame  = "assert result.shape == (2, 2)\nassert (result['age'] > 50).all()"
		counts = "for name, n in [('A', 2), ('B', 1)]:\n    assert result[name] == n\nassert len(result) == 2"
		two    = "assert low < high\nassert high == 9"
		curve  = "assert abs(fit.median_survival_time_ - 8.0) < 1e-6\nassert fit.event_observed.sum() == 3"
		caught = "try:\n    assert result == 3\nexcept Exception:\n    pass"
	)
	tests := []struct {
		name, tests, code string
		strict, upstream  float64
		reason            string
	}{
		{"right", number, "result = 25 / 2", 1, 1, "assertions_hold"},
		{"numpy's number", number, "import numpy as np\nresult = np.float32(12.5)", 1, 1, "assertions_hold"},
		{"wrong", number, "result = 12.6", 0, 0, "assertion_failed"},
		{"not set", number, "value = 12.5", 0, 0, "result_not_set"},
		{"none", number, "result = None", 0, 0, "tests_raised_TypeError"},
		{"text", number, "result = '12.5'", 0, 0, "tests_raised_TypeError"},
		{"nan", number, "result = float('nan')", 0, 0, "assertion_failed"},
		{"numpy's nan", exact, "import numpy as np\nresult = np.nan", 0, 0, "assertion_failed"},
		{"infinity", number, "result = float('inf')", 0, 0, "assertion_failed"},
		{"empty list", exact, "result = []", 0, 0, "assertion_failed"},
		{"array of answers", exact, "import numpy as np\nresult = np.arange(9)", 0, 0, "tests_raised_ValueError"},
		{"series of answers", exact, "import pandas as pd\nresult = pd.Series([3, 3])", 0, 0, "tests_raised_ValueError"},

		{"fails", number, "result = 12.5\nraise ValueError", 0, 0, "run_error"},
		{"leaves early, right", number, "result = 12.5\nraise SystemExit(0)", 1, 1, "assertions_hold"},
		{"leaves early, wrong", number, "result = 1\nexit(0)", 0, 1, "assertion_failed"},
		{"leaves early with nothing", number, "import sys\nsys.exit(0)", 0, 1, "result_not_set"},
		{"leaves past the interpreter", number, "import os\nresult = 1\nos._exit(0)", 0, 1, "result_not_set"},

		{"says it equals all", exact, "class Same:\n    def __eq__(self, other): return True\nresult = Same()", 0, 1, "result_not_plain_data"},
		{"a number that equals all", exact, "class Same(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\nresult = Same(1)", 0, 1, "assertion_failed"},
		{"a list that is as long as asked", counts, "class Long(dict):\n    def __getitem__(self, key): return {'A': 2}.get(key, 1)\n    def __len__(self): return 2\nresult = Long()", 0, 1, "tests_raised_KeyError"},
		{"raises when compared", exact, "class Bomb:\n    def __eq__(self, other): raise SystemExit(0)\nresult = Bomb()", 0, 1, "result_not_plain_data"},
		{"other abs", number, "import builtins\nbuiltins.abs = lambda x: 0\nresult = 1", 0, 1, "assertion_failed"},
		{"own abs", number, "abs = lambda x: 0\nresult = 1", 0, 1, "assertion_failed"},
		{"other AssertionError", exact, "import sys\nsys.excepthook = lambda *a: None\nAssertionError = SystemExit\nresult = 1", 0, 0, "assertion_failed"},
		{"other pandas", equals, "import pandas as pd\npd.Series.equals = lambda *a: True\nresult = pd.Series([0.0, 0.0])", 0, 1, "assertion_failed"},
		{"lies about its class", series, "class L(list):\n    @property\n    def __class__(self):\n        import pandas as pd\n        return pd.Series\nresult = L([1.0, 2.5])", 0, 0, "assertion_failed"},
		{"forges the verdict", exact, "import json\nresult = 1\nanswer = json.dumps({'tag': '', 'asserts': 1, 'passed': 1, 'error': ''})", 0, 0, "assertion_failed"},
		{"forges what marks rebuilt objects", exact, "result = {'$': 'int', 'v': '3', 'tag': 'curve', 'attrs': {}}", 0, 0, "assertion_failed"},

		{"series", series, "import pandas as pd\nresult = pd.Series([1, 2.5], index=['a', 'b'])", 1, 1, "assertions_hold"},
		{"series as a list", series, "result = [1, 2.5]", 0, 0, "assertion_failed"},
		{"series with other labels", series, "import pandas as pd\nresult = pd.Series([1, 2.5])", 0, 0, "assertion_failed"},
		{"frame", frame, "import pandas as pd\nresult = pd.DataFrame({'id': ['a', 'b'], 'age': [61, 70]})", 1, 1, "assertions_hold"},
		{"frame with a hole", frame, "import pandas as pd\nresult = pd.DataFrame({'id': ['a', 'b'], 'age': [61, None]})", 0, 0, "assertion_failed"},
		{"empty frame", frame, "import pandas as pd\nresult = pd.DataFrame({'id': [], 'age': []})", 0, 0, "assertion_failed"},
		{"dict", counts, "from collections import Counter\nresult = Counter('AAB')", 1, 1, "assertions_hold"},
		{"dict, second wrong", counts, "result = {'A': 2, 'B': 2}", 0, 0, "assertion_failed"},
		{"two results", two, "low, high = 1, 9", 1, 1, "assertions_hold"},
		{"one of two results", two, "high = 9", 0, 0, "result_not_set"},
		{"caught assertion", caught, "result = 1", 0, 1, "assertion_not_reached"},
		{"caught assertion that holds", caught, "result = 3", 1, 1, "assertions_hold"},

		{"curve", curve, "from lifelines import KaplanMeierFitter\nfit = KaplanMeierFitter().fit([3, 8, 8, 12], [1, 1, 1, 0])", 1, 1, "assertions_hold"},
		{"other curve", curve, "from lifelines import KaplanMeierFitter\nfit = KaplanMeierFitter().fit([3, 5, 8, 12], [1, 1, 1, 0])", 0, 0, "assertion_failed"},
		{"not a curve", curve, "from types import SimpleNamespace\nimport numpy as np\nfit = SimpleNamespace(median_survival_time_=8.0, event_observed=np.ones(3))", 0, 1, "result_not_plain_data"},
	}
	python := datasettest.FindPython(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := New().(*Adapter)
			task := assertions(t, tt.tests, "")
			session, err := a.Furnish(t.Context(), task, nil)
			if err != nil {
				t.Fatal(err)
			}
			sub := python.Submission(t, session, tt.code)
			got, err := a.Grade(t.Context(), task, sub, python)
			if err != nil {
				t.Fatal(err)
			}
			if got.Reward != tt.strict || got.Upstream != tt.upstream || got.Reason != tt.reason {
				t.Errorf("strict %v, upstream %v, %s; want %v, %v, %s", got.Reward, got.Upstream, got.Reason, tt.strict, tt.upstream, tt.reason)
			}
		})
	}
}

// TestPrefix: code that a task continues from runs before the agent's, with the
// imports that it takes for granted.
func TestPrefix(t *testing.T) {
	python := datasettest.FindPython(t)
	a := New().(*Adapter)
	task := assertions(t, "assert total == 6", "base = np.array([1, 2, 3])")
	session, err := a.Furnish(t.Context(), task, nil)
	if err != nil {
		t.Fatal(err)
	}
	sub := python.Submission(t, session, "total = int(base.sum())")
	if !session.Submits(sub) {
		t.Errorf("no submission: %s %s", sub.Status, sub.Error)
	}
	if got, err := a.Grade(t.Context(), task, sub, python); err != nil || got.Reward != 1 || got.Upstream != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// scripted plays a Runner whose programs all end alike.
type scripted struct {
	out datasets.Output
	err error
}

func (s scripted) Run(context.Context, datasets.Program) (datasets.Output, error) {
	return s.out, s.err
}

// TestFaults: what no value of an agent causes is an error, never a verdict, and
// what a forged value causes is a verdict, never a pass.
func TestFaults(t *testing.T) {
	const tests = "assert result == 3"
	fault := errors.New("the cell is gone")
	for _, tt := range []struct {
		name, raw string
		run       scripted
		reason    string // of the verdict; empty where an error is due
	}{
		{"sandbox fails", "3", scripted{err: fault}, ""},
		{"judge fails", "3", scripted{out: datasets.Output{Status: "error", Error: "NameError"}}, ""},
		{"judge says nothing", "3", scripted{out: datasets.Output{Status: "ok"}}, ""},
		{"judge says no text", "3", scripted{out: datasets.Output{Status: "ok", Answer: datasets.RawValue("{}")}}, ""},
		{"verdict of another run", "3", scripted{out: datasets.Output{Status: "ok", Answer: datasets.RawValue(`"{\"tag\":\"x\",\"asserts\":1,\"passed\":1}"`)}}, ""},
		{"too much memory", "3", scripted{out: datasets.Output{Status: "memory"}}, "tests_memory"},
		{"too long", "3", scripted{out: datasets.Output{Status: "timeout"}}, "tests_timeout"},
		{"no JSON", "{", scripted{}, "result_malformed"},
		{"unheard kind", `{"$":"unheard","v":1}`, scripted{}, "result_malformed"},
		{"opaque", `{"$":"opaque","type":"x.Y"}`, scripted{}, "result_not_plain_data"},
		{"unknown object", `{"$":"object","type":"evil.Equal","attrs":{}}`, scripted{}, "result_not_plain_data"},
		{"deep", strings.Repeat("[", 100_000), scripted{}, "result_malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			task := assertions(t, tests, "")
			sub := datasets.Submission{Status: "ok", Captured: map[string]datasets.RawValue{"result": datasets.RawValue(tt.raw)}}
			got, err := New().(*Adapter).Grade(t.Context(), task, sub, tt.run)
			if (err != nil) != (tt.reason == "") || got.Reason != tt.reason || got.Reward != 0 {
				t.Errorf("%+v, %v; want reason %q", got, err, tt.reason)
			}
			if tt.run.err != nil && !errors.Is(err, tt.run.err) {
				t.Errorf("%v does not wrap what the sandbox said", err)
			}
		})
	}
	for _, status := range []string{"error", "timeout", "memory", "killed", "output_limit"} {
		sub := datasets.Submission{Status: status, Captured: map[string]datasets.RawValue{"result": datasets.RawValue("3")}}
		if got, err := New().(*Adapter).Grade(t.Context(), assertions(t, tests, ""), sub, scripted{err: fault}); err != nil || got.Reward != 0 || got.Reason != "run_"+status {
			t.Errorf("status %s: %+v, %v", status, got, err)
		}
	}
	for _, none := range []string{"print(result)", "from PyComplexHeatmap import x\nassert result == x"} {
		var gold *datasets.GoldError
		if _, err := New().(*Adapter).Grade(t.Context(), assertions(t, none, ""), datasets.Submission{Status: "ok"}, scripted{}); !errors.As(err, &gold) {
			t.Errorf("%q: %v, want a GoldError", none, fmt.Sprint(err))
		}
	}
}
