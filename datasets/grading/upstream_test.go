package grading

import (
	"math"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
)

// pyNumbers are texts and what Python 3.11 makes of them; an empty text stands for
// ValueError.
var pyNumbers = []struct{ text, float, int string }{
	{"12", "12.0", "12"}, {" \t12\n", "12.0", "12"}, {"+12", "12.0", "12"}, {"-0", "-0.0", "0"}, {"007", "7.0", "7"},
	{"1_000", "1000.0", "1000"}, {"1__0", "", ""}, {"_1", "", ""}, {"1_", "", ""}, {"1_0.0_1e1_0", "100100000000.0", ""},
	{"12.", "12.0", ""}, {".5", "0.5", ""}, {".", "", ""}, {"1e3", "1000.0", ""}, {"1E-400", "0.0", ""}, {"1e400", "inf", ""}, {"-1e400", "-inf", ""}, {"1e", "", ""}, {"e5", "", ""},
	{"nan", "nan", ""}, {"-NaN", "nan", ""}, {"+-nan", "", ""}, {"inf", "inf", ""}, {"-Infinity", "-inf", ""}, {"infinit", "", ""}, {"nan(1)", "", ""}, {"+", "", ""}, {"--1", "", ""},
	{"", "", ""}, {" ", "", ""}, {"1 2", "", ""}, {"+ 1", "", ""}, {"1,024", "", ""}, {"0x10", "", ""}, {"0b1", "", ""}, {"True", "", ""}, {"None", "", ""}, {"12 mg", "", ""}, {"1\x00", "", ""}, {"\x1c1", "", ""}, {"1j", "", ""},
	{"\u00a012\u2003", "12.0", "12"}, {"\u0661\u0662.\u0665", "12.5", ""}, {"\u0661\u0662", "12.0", "12"}, {"\uff11\uff12", "12.0", "12"}, {"\U0001d7d9\U0001d7da", "12.0", "12"}, {"\u2212" + "1", "", ""}, {"\u00b2", "", ""}, {"\u2460", "", ""},
	{strings.Repeat("9", 4300), "inf", strings.Repeat("9", 4300)}, {strings.Repeat("9", 4301), "inf", ""},
}

func TestPyNumbers(t *testing.T) {
	for _, test := range pyNumbers {
		f, ok := PyFloat(test.text)
		if got := reprFloat(f); ok != (test.float != "") || ok && got != test.float {
			t.Errorf("float(%.40q): %s %v, want %s", test.text, got, ok, test.float)
		}
		n, ok := PyInt(test.text)
		want, _ := PyFloat(test.int)
		if ok != (test.int != "") || ok && n != want {
			t.Errorf("int(%.40q): %v %v, want %.40s", test.text, n, ok, test.int)
		}
	}
	if f, _ := PyFloat("-0"); !math.Signbit(f) {
		t.Error("float('-0') has lost its sign")
	}
}

func TestUpstreamOutput(t *testing.T) {
	long := strings.Repeat("x", pipeBytes)
	const timeout = "\nProcess timed out (timeout limit: 120s)"
	for _, test := range []struct {
		name string
		sub  datasets.Submission
		want string
	}{
		{"the answer is printed", datasets.Submission{Status: "ok", Code: "answer = 12.0", Answer: []byte("12.0")}, "12.0\n"},
		{"text is printed as it is", datasets.Submission{Status: "ok", Code: "answer = 'a'", Answer: []byte(`"a"`)}, "a\n"},
		{"None is printed", datasets.Submission{Status: "ok", Code: "answer = None", Answer: []byte("null")}, "None\n"},
		{"code that prints", datasets.Submission{Status: "ok", Code: "answer = 12; print('x')", Answer: []byte("12"), Stdout: "x\n"}, "x\n"},
		{"print in a comment", datasets.Submission{Status: "ok", Code: "answer = 12 # print", Answer: []byte("12")}, ""},
		{"no answer in the code", datasets.Submission{Status: "ok", Code: "x = 12"}, ""},
		{"answer only in a comment", datasets.Submission{Status: "ok", Code: "x = 12 # answer"}, "\nTraceback (most recent call last):\nNameError: name 'answer' is not defined\n"},
		{"warnings follow", datasets.Submission{Status: "ok", Code: "answer = 12", Answer: []byte("12"), Stderr: "warning^\n"}, "12\n\nwarning^\n"},
		{"an error", datasets.Submission{Status: "error", Code: "answer = 1/0", Stdout: "5\n", Stderr: "Traceback\n  ^^^\nZeroDivisionError\n"}, "5\n\nTraceback\n  \nZeroDivisionError\n"},
		{"an error without its text", datasets.Submission{Status: "error", Error: "KeyError"}, "\nTraceback (most recent call last):\nKeyError\n"},
		{"an exit", datasets.Submission{Status: "error", Error: "SystemExit", Stdout: "5\n"}, "5\n"},
		{"no time left", datasets.Submission{Status: "timeout", Stdout: "5\n", Code: "answer = 5"}, timeout},
		{"a full pipe", datasets.Submission{Status: "ok", Code: "print(1)", Stdout: long}, long},
		{"more than a pipe holds", datasets.Submission{Status: "ok", Code: "print(1)", Stdout: long + "x"}, timeout},
		{"an answer of more than a pipe holds", datasets.Submission{Status: "ok", Code: "answer = 'x' * 65536", Answer: []byte(`"` + long + `"`)}, timeout},
	} {
		if got := UpstreamOutput(test.sub); got != test.want {
			t.Errorf("%s: %.200q, want %.200q", test.name, got, test.want)
		}
	}
}
