package rollout

import (
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
)

// TestRealObservations: what agents are told of programs and commands that really ran.
func TestRealObservations(t *testing.T) {
	const (
		load = "import pandas as pd\ndef load(name):\n    df = pd.DataFrame({'subject_id': [1]})\n    return df[name]\nload('SUBJECT_ID')\n"
		calm = "Nothing was submitted by this program.\n"
	)
	command := func(text string) Reply { return do(schemas.ActionTerminal, protocol.ParamCommand, text) }
	debug := func(code, text string) Reply {
		return do(schemas.ActionDebugging, protocol.ParamCode, code, protocol.ParamError, text)
	}
	tests := []struct {
		reply Reply
		want  []string
		not   string
	}{
		{code(load), []string{
			"status: error\nerror: KeyError: 'SUBJECT_ID' (line 4)\nyour code:\n      1  import pandas as pd\n",
			"\n->    4      return df[name]\n", "\ncalls:\n  line 5, in <module>: load('SUBJECT_ID')\n  line 4, in load: return df[name]\n", "(inside libraries: 1 more)\n  pandas/core/", "Written alike: subject_id. ", calm}, "/opt/env"},
		{debug(load, "KeyError: 'SUBJECT_ID' (line 4)"), []string{"error: KeyError: 'SUBJECT_ID' (line 4)\nyour code:\n", "->    4  ", "Written alike: subject_id."}, "status"},
		{debug(load, "it fails"), []string{"status: error\nerror: KeyError", "calls:\n", "hint: "}, "Traceback"},
		{debug("print(1)", ""), []string{"status: ok\noutput:\n1"}, "hint"},
		{code("import warnings\nwarnings.warn('careful')\nopen('/data/ward.db')\n"), []string{"error: FileNotFoundError: [Errno 2] No such file or directory: '/data/ward.db' (line 3)\n",
			"hint: There is no file /data/ward.db. Written alike: ", "Files that are given: /data/wards.db, /workdir/broken.csv.gz", "standard error:\n<program>:2: UserWarning: careful"}, "Traceback"},
		{code("print((\n"), []string{"error: SyntaxError: '(' was never closed (line 1)\nyour code:\n->    1  print((\nhint: The bracket ("}, "File"},
		{code("import sys\nsys.exit('nothing found')\n"), []string{"error: SystemExit", "standard error:\nnothing found"}, ""},
		{code("import os\nos.kill(os.getpid(), 11)\nimport time; time.sleep(9)\n"), []string{"status: "}, ""},
		{code("import ctypes\nctypes.string_at(0)\n"), []string{"status: ended by signal 11 (SIGSEGV)\nhint: Native code crashed"}, ""},
		{code("import time\ntime.sleep(60)\n"), []string{"status: stopped: it ran longer than the limit of 3 s\nhint: The program ran too long."}, ""},
		{code("while True: print('x' * 1000)\n"), []string{"status: stopped: it printed more than the limit of 1 MiB\nhint: ", "characters left out]"}, ""},
		{code("import sys\nsys.stdout.buffer.write(b'\\x1b[31mred\\x1b[0m \\x00\\x07\\xff \\xed\\xa0\\x80 50%\\r100%\\n')\nprint('\\ud800')\n"), []string{"output:\nred ", "\n100%\n"}, ""},
		{code("print(open('/proc/self/mountinfo').read())\n"), []string{"/data/wards.db", " /opt/env /opt/env "}, "env-"},
		{code("import numpy as np\nx = np.array([1, 0]) / np.array([0, 0])\nprint(x)\n"), []string{"status: ok\nhint: The calculation met zero, missing or too large values", "RuntimeWarning: divide by zero"}, ""},
		{command("echo out; echo err >&2; exit 3"), []string{"status: error\nexit code: 3\noutput:\nout\nstandard error:\nerr\n"}, "hint"},
		{command("no_such_tool"), []string{"exit code: 127\nhint: There is no such command here.", "not found"}, ""},
		{command("cat nothing.csv"), []string{"hint: The path is not there. Files that are given: /data/wards.db"}, ""},
		{command("rm /data/wards.db"), []string{"hint: This is not allowed here"}, ""},
		{command("python -c 'import torch'"), []string{"hint: torch is not installed here. Use sklearn", "Traceback"}, ""},
		{command("seq 1 100000"), []string{"status: ok\noutput:\n1\n2\n3\n", "characters left out]", "\n100000\n"}, ""},
		{command("cd /tmp && python3 -m pip install lifelines==0.1"), []string{"Not run. Packages cannot be installed in this run. There are numpy"}, "status"},
		{command("echo pip install x"), []string{"status: ok\noutput:\npip install x\n"}, ""},
		{command("ls /data; pwd; echo kept > kept.txt"), []string{"status: ok\noutput:\nwards.db\n/session\n"}, ""},
		{code("print(open('kept.txt').read())\n"), []string{"output:\nkept\n"}, ""},
	}
	var replies []Reply
	for _, test := range tests {
		replies = append(replies, test.reply)
	}
	session := wards(t)
	folder := t.TempDir()
	row := inform(t, runtest.Python(t), session, Limits{Execution: 3 * time.Second}, replies...)
	for i, test := range tests {
		step := row.Steps[i]
		for _, want := range test.want {
			if !strings.Contains(step.Observation, want) {
				t.Errorf("%.200s: no %q in\n%s", step.ParamsJSON, want, step.Observation)
			}
		}
		if test.not != "" && strings.Contains(step.Observation, test.not) {
			t.Errorf("%s: %q in\n%s", step.ParamsJSON, test.not, step.Observation)
		}
		if n := len([]rune(step.Observation)); n > 3*8000 {
			t.Errorf("%s: %d characters", step.ParamsJSON, n)
		}
		for _, r := range step.Observation {
			if unicode.IsControl(r) && r != '\n' && r != '\t' || r >= 0xd800 && r < 0xe000 {
				t.Errorf("%s: %U in the observation", step.ParamsJSON, r)
			}
		}
		for _, file := range session.Files {
			if place := file.HostPath; place != "" && strings.Contains(step.Observation, place) {
				t.Errorf("%s: the host's %s in\n%s", step.ParamsJSON, place, step.Observation)
			}
		}
		if strings.Contains(step.Observation, folder[:strings.LastIndexByte(folder, '/')]) {
			t.Errorf("%s: a folder of the host in\n%s", step.ParamsJSON, step.Observation)
		}
	}
}

// TestWrappedObservation: where the source makes a program of the agent's code, lines
// are told as the agent counts them.
func TestWrappedObservation(t *testing.T) {
	wrap := datasets.Session{Wrap: func(code string) string {
		var b strings.Builder
		b.WriteString("import math\n\ndef given(f):\n    return f(0)\n\nclass Task:\n")
		for line := range strings.Lines(code) {
			b.WriteString("    " + line)
		}
		return b.String() + "\ngiven(Task.work)\n"
	}}
	row := inform(t, runtest.Python(t), wrap, Limits{},
		code("def work(n):\n    m = n\n    return 1 / m\n"), code("def work(n, m):\n    return n\n"), code("def work(n):\n    return (n\n"))
	for i, want := range []string{
		"error: ZeroDivisionError: division by zero (line 3)\nyour code:\n      1  def work(n):\n      2      m = n\n->    3      return 1 / m\nhint: Something is divided by zero",
		"error: TypeError: Task.work() missing 1 required positional argument: 'm' (in the code around yours)\ncalls:\n  around your code, in <module>: given(Task.work)\n  around your code, in given: return f(0)\nhint: ",
		"error: SyntaxError: '(' was never closed (line 2)\nyour code:\n      1  def work(n):\n->    2      return (n\n",
	} {
		if got := row.Steps[i].Observation; !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestLocate(t *testing.T) {
	for _, tc := range []struct {
		code, program string
		first, count  int
	}{
		{"a\nb\n", "a\nb\n", 0, 2},
		{"a\nb", "x\n\n  a\n  b\ny", 2, 2},
		{"\n\na\n", "x\n\n\na\n", 1, 3},
		{"a\nb", "a\nc\na\nb", 2, 2},
		{"a", "b", 0, 0},
		{"a\nb\nc", "a", 0, 0},
	} {
		if first, count := locate(tc.code, tc.program); first != tc.first || count != tc.count {
			t.Errorf("%q in %q: %d, %d", tc.code, tc.program, first, count)
		}
	}
}

func TestLimitsInWords(t *testing.T) {
	o := observation{limits: sandbox.Limits{Wall: 90 * time.Second, Memory: 1536 << 20, Output: 1000}}
	for _, tc := range []struct {
		res  sandbox.Result
		want string
	}{
		{sandbox.Result{Status: sandbox.StatusOK}, "ok"},
		{sandbox.Result{Status: sandbox.StatusError}, "error"},
		{sandbox.Result{Status: sandbox.StatusTimeout}, "stopped: it ran longer than the limit of 90 s"},
		{sandbox.Result{Status: sandbox.StatusMemory}, "stopped: it needed more memory than the limit of 1536 MiB"},
		{sandbox.Result{Status: sandbox.StatusOutputLimit}, "stopped: it printed more than the limit of 1000 bytes"},
		{sandbox.Result{Status: sandbox.StatusKilled, Signal: 9}, "ended by signal 9 (SIGKILL)"},
		{sandbox.Result{Status: sandbox.StatusKilled, Signal: 40}, "ended by signal 40"},
	} {
		if got := o.ended(tc.res); got != tc.want {
			t.Errorf("%s: %q", tc.res.Status, got)
		}
	}
}
