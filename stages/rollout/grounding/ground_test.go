package grounding

import (
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
	"github.com/medgym-data/medgym-data/stages/internal/show"
)

var update = flag.Bool("update", false, "record the errors that the programs raise")

func TestMain(m *testing.M) { runtest.Main(m) }

const (
	programsFile = "testdata/programs.txtar"
	errorsFile   = "testdata/errors.json"
)

// raised is what a program raised in a real sandbox.
type raised struct {
	Program string `json:"program"` // its name: the rule, and what tells it from others
	Status  string `json:"status"`
	Type    string `json:"type"`
	Message string `json:"message"`
	Line    int    `json:"line"`
	Stderr  string `json:"stderr"`
}

func (r raised) rule() string {
	name, _, _ := strings.Cut(r.Program, "/")
	return name
}

// fault is the error as the rollout makes it of a result.
func (r raised) fault() Fault {
	f := Parse(r.Stderr)
	return Fault{Type: r.Type, Message: r.Message, Line: r.Line, Frames: f.Frames}
}

func recorded(t testing.TB) []raised {
	t.Helper()
	data, err := os.ReadFile(errorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var out []raised
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func programs(t testing.TB) []txtar.File {
	t.Helper()
	archive, err := txtar.ParseFile(programsFile)
	if err != nil {
		t.Fatal(err)
	}
	return archive.Files
}

// TestRealErrors runs every program in a real sandbox: it fails as it did when it was
// recorded, and its rule explains it.
func TestRealErrors(t *testing.T) {
	box := runtest.Python(t)
	was := map[string]raised{}
	if !*update {
		for _, r := range recorded(t) {
			was[r.Program] = r
		}
	}
	var all []raised
	for _, program := range programs(t) {
		session, err := box.Open(t.Context(), sandbox.Spec{Name: program.Name, Limits: sandbox.Limits{Memory: 512 << 20}})
		if err != nil {
			t.Fatal(err)
		}
		res, err := session.Run(t.Context(), sandbox.Command{Language: sandbox.Python, Code: string(program.Data), Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := session.Close(); err != nil {
			t.Error(err)
		}
		got := raised{program.Name, string(res.Status), res.ErrorType, res.ErrorMessage, res.ErrorLine, string(res.Stderr)}
		if got.Type == "" {
			got.Type = got.Status
		}
		all = append(all, got)
		note := Explain(got.fault(), Context{Code: string(program.Data)})
		if res.Status == sandbox.StatusOK || note.Rule != got.rule() {
			t.Errorf("%s: %s: %s: %s: explained by %q\n%s", program.Name, got.Status, got.Type, got.Message, note.Rule, got.Stderr)
		}
		if old := was[program.Name]; !*update && (old.Type != got.Type || addresses(old.Message) != addresses(got.Message) || old.Line != got.Line) {
			t.Errorf("%s: was recorded as %s: %s (line %d), and is %s: %s (line %d): -update records it anew",
				program.Name, old.Type, old.Message, old.Line, got.Type, got.Message, got.Line)
		}
	}
	if *update {
		data, err := json.MarshalIndent(all, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(errorsFile, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// unproved are the rules that no program of ours raises: ends that statuses tell of,
// warnings, and errors of other versions of the packages.
var unproved = []string{Timeout, "output", "killed-segfault", "killed", "copy-warning", "chained-warning", "converge-warning", "types-warning", "date-warning",
	"numeric-warning", "perfect-separation", "import", "no-file-unnamed"}

// TestRules holds every rule against the recorded errors: its own fire it, as reported
// and as an agent would paste them.
func TestRules(t *testing.T) {
	fired := map[string]bool{}
	codes := map[string]string{}
	for _, program := range programs(t) {
		codes[program.Name] = string(program.Data)
	}
	for _, r := range recorded(t) {
		c := Context{Code: codes[r.Program]}
		note := Explain(r.fault(), c)
		fired[note.Rule] = true
		if note.Rule != r.rule() || note.Text == "" || strings.Contains(note.Text, "  ") || len(note.Text) > 420 {
			t.Errorf("%s: explained by %q: %s", r.Program, note.Rule, note.Text)
		}
		if r.Type == "SystemExit" {
			continue // it leaves no traceback
		}
		pasted := Parse("I ran it and got\n" + r.Stderr)
		if pasted.Type != r.Type || pasted.Line != r.Line {
			t.Errorf("%s: pasted, it is a %s in line %d, not a %s in line %d:\n%s", r.Program, pasted.Type, pasted.Line, r.Type, r.Line, r.Stderr)
		}
		if got := Explain(pasted, c); got.Rule != note.Rule {
			t.Errorf("%s: pasted, it is explained by %q:\n%s", r.Program, got.Rule, pasted.Message)
		}
		if last := Explain(Parse(r.Type+": "+r.Message), c); last.Rule != note.Rule && note.Rule != "merge-key" {
			t.Errorf("%s: the last line alone is explained by %q", r.Program, last.Rule)
		}
	}
	seen := map[string]bool{}
	for _, rule := range rules {
		if seen[rule.name] {
			t.Errorf("two rules are called %s", rule.name)
		}
		seen[rule.name] = true
		if !fired[rule.name] && !slices.Contains(unproved, rule.name) {
			t.Errorf("no program raises what %s explains", rule.name)
		}
	}
}

// addresses takes out what differs from run to run.
func addresses(message string) string { return hexNumber.ReplaceAllString(message, "0x") }

var hexNumber = regexp.MustCompile(`0x[0-9a-f]{6,}`)

// TestContext: what is known beside the error stands in what is said.
func TestContext(t *testing.T) {
	given := []string{"/workdir/notes/patients.csv", "/data/mimic.db"}
	for _, tc := range []struct {
		fault Fault
		c     Context
		want  string
	}{
		{Fault{Type: "KeyError", Message: "'SubjectID'"}, Context{Output: "Index(['subject_id', 'age'])"}, "There is no key SubjectID. Written alike: subject_id. "},
		{Fault{Type: "KeyError", Message: "'gendr'"}, Context{Code: "df['gender']; df.gendr"}, "Written alike: gender."},
		{Fault{Type: "KeyError", Message: "'x'"}, Context{Code: "df['y']"}, "There is no key x. Print"},
		{Fault{Type: "NameError", Message: "name 'patients_df' is not defined"}, Context{Code: "patient_df = 1\nprint(patients_df)"}, "Written alike: patient_df."},
		{Fault{Type: "OperationalError", Message: "no such table: Patient"}, Context{Output: "patients, labevents", Files: given}, "Written alike: patients."},
		{Fault{Type: "FileNotFoundError", Message: "[Errno 2] No such file or directory: 'patients.csv'"}, Context{Files: given}, "There is no file patients.csv. Written alike: /workdir/notes/patients.csv. Files that are given: /data/mimic.db, /workdir/notes/patients.csv."},
		{Fault{Type: "ModuleNotFoundError", Message: "No module named 'xgboost.sklearn'"}, Context{}, "Use sklearn.ensemble.Hist"},
		{Fault{Type: "ModuleNotFoundError", Message: "No module named 'odd'"}, Context{}, "Packages cannot be installed"},
		{Fault{Type: "ModuleNotFoundError", Message: "No module named 'odd'"}, Context{Installs: true}, "may be installed with pip install"},
		{Fault{Type: "KeyError", Message: "'a\x1b[31m\x00b'"}, Context{}, "There is no key ab."},
		{Fault{Type: Killed, Message: "SIGSEGV"}, Context{}, "Native code crashed"},
		{Fault{Type: Killed, Message: "SIGKILL"}, Context{}, "ended by a signal"},
		{Fault{Type: Timeout}, Context{}, "ran too long"},
		{Fault{Type: OutputLimit}, Context{}, "printed more"},
		{Fault{Type: "OddError", Message: "no"}, Context{}, ""},
		{Fault{}, Context{}, ""},
	} {
		got := Explain(tc.fault, tc.c).Text
		if !strings.Contains(got, tc.want) || tc.want == "" && got != "" {
			t.Errorf("%s: %s: %q lacks %q", tc.fault.Type, tc.fault.Message, got, tc.want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		text, kind, message string
		line                int
	}{
		{"KeyError: 'x' (line 3)", "KeyError", "'x'", 3},
		{"status: error\nerror: ZeroDivisionError: division by zero (line 12)\n->   12  a / b", "ZeroDivisionError", "division by zero", 12},
		{"pandas.errors.MergeError: No common columns", "MergeError", "No common columns", 0},
		{"I get a \"ValueError: bad\" here", "ValueError", "bad\" here", 0},
		{"StopIteration", "StopIteration", "", 0},
		{"json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)", "JSONDecodeError", "Expecting value: line 1 column 1 (char 0)", 0},
		{"  File \"<program>\", line 2\n    print((\n         ^\nSyntaxError: '(' was never closed", "SyntaxError", "'(' was never closed", 2},
		{"SyntaxError: invalid syntax (<program>, line 7)", "SyntaxError", "invalid syntax", 7},
		{"Traceback (most recent call last):\n  File \"/home/u/x.py\", line 4, in <module>\n    f()\n  File \"/usr/lib/python3.11/json/decoder.py\", line 99, in g\n    raise E\nmy.lib.Oops: a\nb\n\nand so on", "Oops", "a\nb", 4},
		{"KeyError                                  Traceback (most recent call last)\nCell In[3], line 2\n      1 import pandas\n----> 2 df['x']\n\nFile /opt/x/site-packages/pandas/core/frame.py:1\n\nKeyError: 'x'", "KeyError", "'x'", 2},
		{"Traceback (most recent call last):\n  File \"<stdin>\", line 1, in <module>\nKeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"<stdin>\", line 3, in <module>\nTypeError: no", "TypeError", "no", 3},
		{"it does not work", "", "", 0},
		{"", "", "", 0},
	} {
		if got := Parse(tc.text); got.Type != tc.kind || got.Message != tc.message || got.Line != tc.line {
			t.Errorf("%q: %s: %q, line %d", tc.text, got.Type, got.Message, got.Line)
		}
	}
}

// TestTraceback: the agent's calls and the last of a library remain, without places.
func TestTraceback(t *testing.T) {
	const text = `Traceback (most recent call last):
  File "<program>", line 5, in <module>
    load("x")
  File "<program>", line 3, in load
    return pd.read_csv(path)
           ^^^^^^^^^^^^^^^^^
  File "/opt/env/pandas/io/parsers/readers.py", line 1026, in read_csv
    return _read(filepath_or_buffer, kwds)
  File "/opt/python/lib/python3.11/codecs.py", line 1, in open
    x
  File "/root/.cache/env/site-packages/pandas/io/common.py", line 873, in get_handle
    handle = open(
FileNotFoundError: [Errno 2] No such file or directory: 'x'
`
	f := Parse(text)
	want := "  line 5, in <module>: load(\"x\")\n  line 3, in load: return pd.read_csv(path)\n  (inside libraries: 2 more)\n  pandas/io/common.py, in get_handle: handle = open("
	if got := f.Traceback(); got != want || f.Library() != "pandas" || f.Line != 3 {
		t.Errorf("%s, line %d:\n%s", f.Library(), f.Line, got)
	}
	deep := Fault{Frames: slices.Repeat([]Frame{{File: "<program>", Line: 2, Func: "f", Code: "f()"}}, 100)}
	if got := deep.Traceback(); strings.Count(got, "\n") != 12 || !strings.Contains(got, "(88 calls left out)") {
		t.Error(got)
	}
}

func TestWarning(t *testing.T) {
	for text, want := range map[string]string{
		"<program>:3: SettingWithCopyWarning: \nA value is trying to be set on a copy":       "copy-warning",
		"/opt/env/sklearn/linear_model/_logistic.py:470: ConvergenceWarning: lbfgs failed":   "converge-warning",
		"<program>:1: RuntimeWarning: invalid value encountered in scalar divide":            "numeric-warning",
		"<program>:1: FutureWarning: something goes\n<program>:2: DtypeWarning: Columns (3)": "types-warning",
		"<program>:1: UserWarning: Could not infer format, so each element":                  "date-warning",
		"all is well": "",
	} {
		if got := Warning(text).Rule; got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzGround: whatever an agent pastes, what is said is short clean text, and the same
// each time.
func FuzzGround(f *testing.F) {
	for _, r := range recorded(f) {
		f.Add("x = 1\n", r.Stderr)
	}
	f.Add("df['age']", "KeyError: 'agee'\x00\x1b[31m")
	f.Add("", "----> 99999999999999999999 \nCell In[1], line 3\nKeyError")
	f.Fuzz(func(t *testing.T, code, text string) {
		c := Context{Code: code, Output: text, Files: []string{"/data/a.db"}}
		fault := Parse(text)
		note, trace := Explain(fault, c), fault.Traceback()
		if note != Explain(Parse(text), c) || trace != Parse(text).Traceback() {
			t.Error("not the same twice")
		}
		if said := note.Text + trace; show.Clean(said) != said || len(note.Text) > 2500 {
			t.Errorf("%d bytes: %q", len(said), said)
		}
		if said := Warning(text).Text; fault.Line < 0 || show.Clean(said) != said {
			t.Errorf("line %d, warning %q", fault.Line, said)
		}
	})
}
