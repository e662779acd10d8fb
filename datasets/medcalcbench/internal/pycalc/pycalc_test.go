package pycalc

import (
	"slices"
	"strings"
	"testing"
)

func TestEval(t *testing.T) {
	names := map[string]Value{"age": number(70), "sex": {Kind: Text, Text: "Female"}, "yes": boolean(true)}
	for _, c := range []struct{ src, want string }{
		{"1 + 2 * 3", "7e+00"},
		{"(1 + 2) * 3", "9e+00"},
		{"-2 ** 2", "-4e+00"},
		{"2 ** -1", "5e-01"},
		{"2 ** 3 ** 2", "5.12e+02"},
		{"7 // 2 + 7 % 2", "4e+00"},
		{"-7 // 2", "-4e+00"},
		{"-7 % 3", "2e+00"},
		{"10 - 3 - 2", "5e+00"},
		{"1e3 + .5 + 2.", "1.0025e+03"},
		{"65 <= age < 75", "true"},
		{"65 <= age < 70", "false"},
		{"2 if age >= 75 else 1 if age >= 65 else 0", "1e+00"},
		{"1 / 0 if age < 0 else 3", "3e+00"},
		{"0 or 5", "5e+00"},
		{"0 and 1 / 0", "0e+00"},
		{"not yes or not not yes", "true"},
		{"yes + yes", "2e+00"},
		{"3 * (age > 60)", "3e+00"},
		{`sex == "Female"`, "true"},
		{`sex != 'Female'`, "false"},
		{`sex == 1`, "false"},
		{`sex in ("Male", "Female")`, "true"},
		{`sex in ["Male"]`, "false"},
		{"None is None and age is not None", "true"},
		{`{"a": 1, "b": 2,}["b"]`, "2e+00"},
		{"(4, 5)[1]", "5e+00"},
		{"(age // 7, age % 7)", `{"$":"tuple","v":[1e+01,0e+00]}`},
		{"[1, 'x']", `[1e+00,"x"]`},
		{"()", `{"$":"tuple","v":[]}`},
		{"(1,)", `{"$":"tuple","v":[1e+00]}`},
		{"round(2.5)", "2e+00"},
		{"round(0.15, 1)", "1e-01"},
		{"round(1.005, 2)", "1e+00"},
		{"min(3, 1, 2) + max(1, 5)", "6e+00"},
		{"sqrt(16) + abs(-1) + floor(1.9)", "6e+00"},
		{"log(exp(2))", "2e+00"},
		{"date(2013, 12, 11) + timedelta(days=274)", `{"$":"date","v":"2014-09-11"}`},
		{"date(2020, 3, 1) - timedelta(1)", `{"$":"date","v":"2020-02-29"}`},
		{"(date(2020, 3, 29) - date(2020, 3, 23)).days", "6e+00"},
		{"timedelta(days=2)", `{"$":"timedelta","v":172800.0}`},
		{"None", "null"},
		{"{'a': [1.0, 'µmol/L']}['a'][1]", `"µmol/L"`},
		{`"\x7f\v"`, "\"\x7f\\u000b\""},
		{"1  # a comment", "1e+00"},
		{"(1 +\n 2)", "3e+00"},
	} {
		v, err := Eval(c.src, names)
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		if got, err := v.JSON(); err != nil || got != c.want {
			t.Errorf("%s = %s, %v; want %s", c.src, got, err, c.want)
		}
	}
}

// TestEvalErrors has what Python refuses or raises, and what is not of the part.
func TestEvalErrors(t *testing.T) {
	for _, src := range []string{
		"", "1 +", "(1", "1 2", "x", "1 / 0", "1 % 0", "(-8) ** 0.5", "10 ** 400", "log(0)", "sqrt(-1)", "exp(1000)", "007", "0x10", "0x1p-2", "1_000", "1j",
		`"a" + 1`, `"a" < 1`, "None + 1", `{"a": 1}["b"]`, "{1: 2}", "(1, 2)[2]", "(1, 2)[-1]", "(1, 2)[0.5]", "1[0]", "f'x'", "b'x'", "open('x')", "min(1)", "round(1, 20)",
		"date(2020, 2, 30)", "date(2020, 13, 1)", "date(1, 1, 1) - timedelta(days=1)", "date(9999, 12, 31) + timedelta(days=1)", "timedelta(days=0.5)", "timedelta(days=1e9)",
		"(1).real", "1 if 2", "lambda: 1", "[x for x in (1, 2)]", "1 is 1", "1 in 2", "date(2020, 1, 1) * 2", "{'a' 1}", "{'a': 1", "'unended", "1 ; 2",
		strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200), strings.Repeat("2 ** ", 200) + "1", strings.Repeat(" ", maxSource+1),
	} {
		if v, err := Eval(src, nil); err == nil {
			t.Errorf("%.40q is %+v, want an error", src, v)
		}
	}
}

func TestRun(t *testing.T) {
	names, err := Run(`# a note
from math import sqrt

weight = 80  # kg
table = {
    "a": 1,
    "b": 2,
}

answer = sqrt(weight + 1)
answer += table["b"]
print(answer)
`)
	if err != nil || names["answer"].Number != 11 {
		t.Errorf("answer %v, %v; want 11", names["answer"], err)
	}
	for _, src := range []string{"1", "x", "x + 1", "x += 1", "x = ", "x = 1 y = 2", "if x:\n  y = 1", "print(x)", "print", "= 1", "x = 1\n  )", "while True: pass"} {
		if _, err := Run(src); err == nil {
			t.Errorf("%q runs", src)
		}
	}
}

func TestGetAndNames(t *testing.T) {
	v, err := Eval("{'a': 1, 'a': 2}", nil)
	if got, ok := v.Get("a"); err != nil || !ok || got.Number != 2 {
		t.Errorf("the last of two equal keys should count: %v %v", got, err)
	}
	if _, ok := v.Get("b"); ok {
		t.Error("a key that is not there was found")
	}
	if _, err := v.JSON(); err == nil {
		t.Error("a dict has a JSON form")
	}
	if got := strings.Join(Names("a = b(c) + 'd' # e"), " "); got != "a b c" {
		t.Errorf("names %q", got)
	}
}

func FuzzEval(f *testing.F) {
	for _, seed := range []string{
		"{'sex': 'Male', 'age': [87, 'years'], 'Stroke': False}", `{"weight": [5, "ft", 9, "in"], "x": null}`, "1 if 2 else 3", "-2 ** 2", "(a, b)[0].days", "date(2020, 2, 29) - timedelta(days=1)",
		"not 1 is not None", "{", "((((", "'\\ud800'", "x in (1, 2,)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		names := map[string]Value{"a": number(1), "b": boolean(true)}
		one, err := Eval(src, names)
		two, again := Eval(src, names)
		if (err == nil) != (again == nil) {
			t.Fatalf("%q: %v, then %v", src, err, again)
		}
		if err != nil {
			return
		}
		first, errOne := one.JSON()
		second, errTwo := two.JSON()
		if first != second || (errOne == nil) != (errTwo == nil) {
			t.Fatalf("%q: %s, then %s", src, first, second)
		}
	})
}

func FuzzRun(f *testing.F) {
	f.Add("from math import sqrt\nx = 1  # kg\nanswer = x\nanswer += 2\nprint(answer)\n")
	f.Add("x = {\n'a': 1,\n}\nprint(x['a'])")
	f.Add("a = 1\na = b\nanswer = {'a': a}['a'] // 0")
	f.Fuzz(func(t *testing.T, src string) {
		one, err := Run(src)
		two, again := Run(src)
		if (err == nil) != (again == nil) || len(one) != len(two) {
			t.Fatalf("%q: %d names, %v; then %d, %v", src, len(one), err, len(two), again)
		}
		for name, v := range one {
			if !slices.Contains(Names(src), name) {
				t.Fatalf("%q sets %q, which it does not name", src, name)
			}
			if text, err := v.JSON(); err == nil && strings.ContainsAny(text, "\n") {
				t.Fatalf("%q: the JSON of %q has a line feed", src, name)
			}
		}
	})
}
