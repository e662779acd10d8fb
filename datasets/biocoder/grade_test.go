package biocoder

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/schemas"
)

// gap makes a task of a program with a gap and what belongs there.
func gap(t *testing.T, function, context, gold string) schemas.Task {
	t.Helper()
	text, err := datasets.Canonical(answer{Function: function})
	if err != nil {
		t.Fatal(err)
	}
	return schemas.Task{TaskID: "biocoder/test/invented", Context: context, Gold: gold, Answer: text, Category: "function", Status: schemas.StatusReady}
}

const (
	halves  = "<<insert solution here>>\n\nprint('values', half(9), half(2))\n"
	draw    = "import random\n<<insert solution here>>\n\nprint(draw())\n"
	dice    = "import random\n<<insert solution here>>\n\nprint(twice(random.randint(0, 9)))\n"
	letters = "<<insert solution here>>\n\nprint(letters('ACDEFGHIKLMNPQRSTVWY'))\n"
	known   = "class Box:\n    size = 3\n    <<insert solution here>>\n\nprint(Box().area())\n"
	alone   = "class Box:\n    <<insert solution here>>\n\nprint(Box().area())\n"
	half    = "def half(x):\n    return x / 2\n"
	area    = "def area(self):\n    return 3 ** 2\n"
)

// TestGrade plays submissions in a real interpreter: strict by the rule, upstream
// by what the public release would say.
func TestGrade(t *testing.T) {
	tests := []struct {
		name, function, context, gold, code string
		strict, upstream                    float64
		reason                              string
	}{
		{"gold", "half", halves, half, half, 1, 1, "output_equal"},
		{"in other words", "half", halves, half, "half = lambda x: x * 0.5", 1, 1, "output_equal"},
		{"fenced", "half", halves, half, "```python\n" + half + "```", 1, 0, "output_equal"},
		{"rounding error", "half", halves, half, "def half(x):\n    return x / 2 + 1e-8", 1, 0, "output_equal"},
		{"wrong", "half", halves, half, "def half(x):\n    return x // 2", 0, 0, "output_differs"},
		{"stub", "half", halves, half, "def half(*args):\n    pass", 0, 0, "output_differs"},
		{"nothing", "half", halves, half, "pass", 0, 0, "run_error_NameError"},
		{"no code", "half", halves, half, " \n", 0, 0, "no_code"},
		{"print left in", "half", halves, half, half + "print('here')", 0, 0, "output_differs"},
		{"print taken away", "half", halves, half, "def half(x):\n    return x / 2\nprint = lambda *a: None", 0, 0, "output_differs"},
		{"no Python", "half", halves, half, "def half(x:\n", 0, 0, "run_error_SyntaxError"},
		{"raises", "half", halves, half, "def half(x):\n    raise KeyError(x)", 0, 0, "run_error_KeyError"},
		{"leaves early", "half", halves, half, "raise SystemExit(0)\n" + half, 0, 0, "output_differs"},
		{"leaves past the interpreter", "half", halves, half, "import os\nos._exit(0)\n" + half, 0, 0, "output_differs"},
		{"says it is a number", "half", halves, half, "class N(float):\n    __eq__ = lambda a, b: True\ndef half(x):\n    return N(0)", 0, 0, "output_differs"},
		{"nan", "half", halves, half, "def half(x):\n    return float('nan')", 0, 0, "output_differs"},

		// Both runs have one seed here, and different ones in the release.
		{"unseeded", "draw", draw, "def draw():\n    return random.random()", "def draw():\n    return random.random()", 1, 0, "output_equal"},
		{"unseeded, few values", "draw", draw, "def draw():\n    return random.randint(3, 6)", "def draw():\n    return random.randint(3, 6)", 1, 0, "output_equal"},
		{"right for every seed", "twice", dice, "def twice(x):\n    return 2 * x", "def twice(x):\n    return x + x", 1, 0, "output_equal"},
		{"right for one seed", "twice", dice, "def twice(x):\n    return 2 * x", "def twice(x):\n    return 16", 0, 0, "output_differs"},
		{"fails for one seed", "twice", dice, "def twice(x):\n    return 2 * x", "def twice(x):\n    return {8: 16}[x]", 0, 0, "run_error_KeyError"},
		{"gold fails for some seeds", "twice", dice, "def twice(x):\n    return {8: 16, 9: 18}[x]", "def twice(x):\n    return 2 * x", 1, 0, "output_equal"},
		{"sets have no order", "letters", letters, "def letters(s):\n    return set(s)", "def letters(s):\n    return '{' + ', '.join(repr(c) for c in sorted(set(s), reverse=True)) + '}'", 1, 0, "output_equal"},
		{"address", "half", halves, "def half(x):\n    return x / 2, object()", "def half(x):\n    return x / 2, object()", 1, 0, "output_equal"},
		{"warning of the program", "half", halves, "import warnings\ndef half(x):\n    warnings.warn('old')\n    return x / 2", half, 1, 0, "output_equal"},

		// The release puts a method at the margin, out of its class: where the class
		// has other content the program fails differently each time, where it has
		// none nothing compiles, and what fails alike passes.
		{"method", "area", known, area, area, 1, 0, "output_equal"},
		{"method, wrong", "area", known, area, "def area(self):\n    return 3", 0, 0, "output_differs"},
		{"method alone", "area", alone, area, area, 1, 1, "output_equal"},
		{"method alone, wrong", "area", alone, area, "def area(self):\n    return 3", 0, 1, "output_differs"},
	}
	python := datasettest.FindPython(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := New().(*Adapter)
			task := gap(t, tt.function, tt.context, tt.gold)
			session, err := a.Furnish(t.Context(), task, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.Grade(t.Context(), task, python.Submission(t, session, tt.code), python)
			if err != nil {
				t.Fatal(err)
			}
			if got.Reward != tt.strict || got.Upstream != tt.upstream || got.Reason != tt.reason {
				t.Errorf("strict %v, upstream %v, %s; want %v, %v, %s", got.Reward, got.Upstream, got.Reason, tt.strict, tt.upstream, tt.reason)
			}
		})
	}
}

// TestGoldFaults: a task whose own solution shows nothing says so, whatever is
// submitted.
func TestGoldFaults(t *testing.T) {
	python := datasettest.FindPython(t)
	for _, tt := range []struct{ name, gold, reason, detail string }{
		{"raises", "def half(x):\n    raise ValueError('secret')", "gold_error", "ValueError"},
		{"module is missing", "import no_such_module.inside\n" + half, "gold_error", "ModuleNotFoundError no_such_module"},
		{"prints nothing", "print = lambda *a: None\n" + half, "gold_output_empty", ""},
		{"prints None", "_print, print = print, lambda *a: _print(None)\n" + half, "gold_output_none", ""},
		{"prints addresses", "_print, print = print, lambda *a: _print(object(), half)\n" + half, "gold_output_addresses", ""},
		{"prints other things each time", "import os\ndef half(x):\n    return os.urandom(8)", "gold_nondeterministic", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := New().(*Adapter).Grade(t.Context(), gap(t, "half", halves, tt.gold), datasets.Submission{Code: half, Status: "ok"}, python)
			var fault *datasets.GoldError
			if !errors.As(err, &fault) || fault.Reason != tt.reason || fault.Detail != tt.detail {
				t.Fatalf("%v, want %s %q", err, tt.reason, tt.detail)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Error("the error quotes the program's message")
			}
		})
	}
}

// counter plays a Runner that prints each program's length, and fails first.
type counter struct {
	mu    sync.Mutex
	runs  map[string]int
	fails int
}

var errGone = errors.New("the cell is gone")

func (c *counter) Run(ctx context.Context, p datasets.Program) (datasets.Output, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails > 0 {
		c.fails--
		return datasets.Output{}, errGone
	}
	c.runs[p.Code]++
	return datasets.Output{Status: "ok", Stdout: strings.Repeat("x", len(p.Code))}, ctx.Err()
}

// TestGoldOnce: gold is run for the first submission alone, however many come at
// once, and again when it could not be run.
func TestGoldOnce(t *testing.T) {
	a, run := New().(*Adapter), &counter{runs: map[string]int{}, fails: 1}
	task := gap(t, "half", halves, half)
	if _, err := a.Grade(t.Context(), task, datasets.Submission{Code: half, Status: "ok"}, run); !errors.Is(err, errGone) {
		t.Fatalf("%v, want what the sandbox said", err)
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if got, err := a.Grade(t.Context(), task, datasets.Submission{Code: "half = None", Status: "ok"}, run); err != nil || got.Reward != 0 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	wait.Wait()
	if n, want := run.runs[splice(halves, half)], 2+1+1; n != want { // twice the first seed, another one, the release's
		t.Errorf("gold ran %d times, want %d", n, want)
	}
	for _, status := range []string{"timeout", "memory", "killed", "output_limit"} {
		if got, err := a.Grade(t.Context(), task, datasets.Submission{Code: half, Status: status}, run); err != nil || got.Reward != 0 || got.Reason != "run_"+status {
			t.Errorf("status %s: %+v, %v", status, got, err)
		}
	}
}

// TestPlaces: where the function is defined beside the gap, and how it is used.
func TestPlaces(t *testing.T) {
	const at = "<<insert solution here>>"
	for _, tt := range []struct {
		name, context, signature     string
		before, extends, below, drop bool
	}{
		{"nowhere", at + "\nprint(f(1))\n", "def f(x)", false, false, false, false},
		{"above", "def f(x):\n    return x\n\n" + at + "\nprint(f(1))\n", "def f(x)", true, false, false, false},
		{"above, far", "def f (x):\n\n    return x\nimport os\n\nclass A:\n    pass\n" + at + "\n", "def f(x)", true, false, false, false},
		{"above, async", "async def f(x):\n    return x\n" + at + "\n", "async def f(x)", true, false, false, false},
		{"longer name above", "def ff(x):\n    return x\n" + at + "\n", "def f(x)", false, false, false, false},
		{"in a class above", "class A:\n    def f(self):\n        pass\n" + at + "\n", "def f(x)", false, false, false, false},
		{"outside the class", "def f(x):\n    pass\nclass A:\n    " + at + "\n", "def f(self)", false, false, false, false},
		{"in another class above", "class A:\n    def f(self):\n        pass\nclass B:\n    " + at + "\n", "def f(self)", false, false, false, false},
		{"in the class above", "class A:\n    def f(self):\n        pass\n\n    x = 1\n    " + at + "\n", "def f(self)", true, false, false, false},
		{"getter above", "class A:\n    @property\n    def f(self):\n        pass\n    " + at + "\n", "@f.setter\ndef f(self, x)", true, true, false, false},
		{"below", at + "\n\ndef f(x):\n    return x\nprint(f(1))\n", "def f(x)", false, false, true, false},
		{"in a class below", at + "\nclass A:\n    def f(self):\n        pass\n", "def f(x)", false, false, false, false},
		{"result dropped", at + "\ndef main():\n    f(1)\n", "def f(x)", false, false, false, true},
		{"result of a method dropped", at + "\nA().f(1)\n", "def f(self)", false, false, false, true},
		{"result kept", at + "\ny = f(1)\nprint(A().f(1))\n", "def f(x)", false, false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := definedBefore(tt.context, "f"); got != tt.before {
				t.Errorf("defined before: %v", got)
			}
			if got := extends(tt.signature, "f"); got != tt.extends {
				t.Errorf("extends: %v", got)
			}
			if got := redefined(tt.context, "f"); got != tt.below {
				t.Errorf("redefined: %v", got)
			}
			if got := discards(tt.context, "f"); got != tt.drop {
				t.Errorf("discards: %v", got)
			}
		})
	}
}

// TestReleaseText: what the release shows after a run, and whether another run
// could show the same.
func TestReleaseText(t *testing.T) {
	ok := func(stdout, stderr string) datasets.Output {
		return datasets.Output{Status: "ok", Stdout: stdout, Stderr: stderr}
	}
	for _, tt := range []struct {
		name   string
		out    datasets.Output
		text   string
		unique bool
	}{
		{"output", ok("1\n", ""), "1\n", false},
		{"standard error too", ok("1\n", "note"), "1\n\nnote", false},
		{"warning of a library", ok("1\n", "/opt/lib/a.py:3: UserWarning: old\n"), "1\n\n/opt/lib/a.py:3: UserWarning: old\n", false},
		{"warning of the program", ok("1\n", "<program>:3: UserWarning: old\n"), "", true},
		{"address", ok("<object object at 0x7f00>\n", ""), "", true},
		{"failure", datasets.Output{Status: "error", Error: "KeyError", Stdout: "1\n"}, "", true},
		{"timeout", datasets.Output{Status: "timeout"}, "", true},
		{"does not compile", datasets.Output{Status: "error", Error: "IndentationError", Message: "expected an indented block (<program>, line 2)"},
			"IndentationError: expected an indented block (<program>, line 2)\ndef f():", false},
		{"compiles something else later", datasets.Output{Status: "error", Error: "SyntaxError", Stdout: "1\n"}, "", true},
	} {
		got := releaseText("class A:\n  def f():\n", tt.out)
		if got.unique != tt.unique || !tt.unique && got.text != tt.text {
			t.Errorf("%s: %+v", tt.name, got)
		}
		if got.same(got) == tt.unique {
			t.Errorf("%s: equals itself: %v", tt.name, !tt.unique)
		}
	}
}
