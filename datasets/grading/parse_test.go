package grading

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets"
)

var update = flag.Bool("update", false, "write the golden files anew")

func parse(t testing.TB, text string) Value {
	t.Helper()
	v, err := Parse(datasets.RawValue(text))
	if err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return v
}

const (
	index3 = `{"$":"index","dtype":"int64","name":null,"v":[0,1,2]}`
	multi  = `{"$":"index","dtype":"object","name":null,"names":["a",null],"v":[{"$":"tuple","v":[1,"x"]},{"$":"tuple","v":[2,"y"]}]}`
	series = `{"$":"series","dtype":"float64","name":"n","index":` + index3 + `,"v":[1.0,{"$":"float","v":"nan"},3.0]}`
	frame  = `{"$":"frame","columns":{"$":"index","dtype":"object","name":null,"v":["a","b"]},"index":` + index3 +
		`,"dtypes":["int64","object"],"v":[[1,2,3],["x",null,{"$":"nat"}]]}`
	noFrame = `{"$":"frame","columns":{"$":"index","dtype":"object","name":null,"v":[]},"index":` + index3 + `,"dtypes":[],"v":[]}`
)

// values are read, and what is read of them lies in testdata/values.golden.
var values = []string{
	`null`, `true`, `false`, `0`, `-0`, `12`, `12.0`, `-0.0`, `1e300`, `1.5e-07`, `0.0001`, `1e+16`, `123456789012345678`,
	`{"$":"int","v":"9007199254740993"}`, `{"$":"int","v":"-1606938044258990275541962092341162602522202993782792835301376"}`,
	`{"$":"float","v":"nan"}`, `{"$":"float","v":"inf"}`, `{"$":"float","v":"-inf"}`,
	`""`, `" \t"`, `"12"`, `" 12.50 "`, `"1,024"`, `"1e3"`, `"25.2 mg"`, `"it's"`, `"\"'\n\u0000é\u00a0\ud83d\ude00\u200b"`, `"True"`, `"2014-09-23"`,
	`[]`, `[1,"a",[null]]`, `{"$":"tuple","v":[]}`, `{"$":"tuple","v":[1]}`, `{"$":"tuple","v":[1,2.0]}`,
	`{"$":"set","v":[]}`, `{"$":"set","v":[1,{"$":"set","v":["a"]}]}`,
	`{"$":"dict","v":[]}`, `{"$":"dict","v":[["a",1],[{"$":"tuple","v":[1,2]},[true]]]}`,
	`{"$":"dict","v":[[{"$":"float","v":"nan"},1],[{"$":"float","v":"nan"},2]]}`,
	`{"$":"bytes","v":""}`, `{"$":"bytes","v":"/wBhJw=="}`, `{"v":"ICA=","$":"bytes"}`,
	`{"$":"decimal","v":"1.50"}`, `{"$":"decimal","v":"1E+5000"}`, `{"$":"decimal","v":"sNaN12"}`, `{"$":"decimal","v":"-Infinity"}`,
	`{"$":"complex","v":[0.0,-1.5]}`, `{"$":"complex","v":[-0.0,{"$":"float","v":"nan"}]}`,
	`{"$":"datetime","v":"2014-09-23T00:00:00"}`, `{"$":"datetime","v":"2014-09-23T01:02:03.000004+05:30"}`,
	`{"$":"date","v":"2014-09-23"}`, `{"$":"time","v":"01:02:03"}`, `{"$":"nat"}`,
	`{"$":"timedelta","v":0.0}`, `{"$":"timedelta","v":-1e-06}`, `{"$":"timedelta","v":90061.5}`, `{"$":"timedelta","v":9467280000.0}`, `{"$":"timedelta","v":86400}`,
	`{"$":"ndarray","dtype":"int64","shape":[],"v":[5]}`, `{"$":"ndarray","dtype":"float64","shape":[3],"v":[1.0,2.5,{"$":"float","v":"nan"}]}`,
	`{"$":"ndarray","dtype":"bool","shape":[2,2],"v":[true,false,true,false]}`, `{"$":"ndarray","dtype":"float64","shape":[0,3],"v":[]}`,
	`{"$":"ndarray","dtype":"object","shape":[],"v":[null]}`,
	index3, multi, series, frame, noFrame,
	`{"$":"object","type":"m.C","attrs":{"p":0.5,"q":[1]}}`, `{"$":"object","type":"m.C","attrs":{}}`, `{"$":"opaque","type":"m.C","why":"no_form"}`,
}

func TestValues(t *testing.T) {
	var b strings.Builder
	for _, text := range values {
		v := parse(t, text)
		fmt.Fprintf(&b, "%s\n\tkind %s, print %s, empty %v", text, v.Kind, strconv.QuoteToASCII(Print(v)), v.Empty())
		if x, ok := v.Number(); ok {
			fmt.Fprintf(&b, ", number %v", x)
		}
		if n, ok := v.Integer(); ok {
			fmt.Fprintf(&b, ", integer %v", n)
		}
		if truth, ok := v.Boolean(); ok {
			fmt.Fprintf(&b, ", boolean %v", truth)
		}
		if d, ok := v.Date(); ok {
			fmt.Fprintf(&b, ", date %v", d)
		}
		if rows, ok := v.Rows(); ok {
			fmt.Fprintf(&b, ", rows %d by %d", len(rows), len(rows[0]))
		}
		b.WriteByte('\n')
		if again := parse(t, string(encode(v))); string(encode(again)) != string(encode(v)) {
			t.Errorf("%s: read again as %s", text, encode(again))
		}
	}
	path := filepath.Join("testdata", "values.golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(b.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Fatalf("line %d: got %q, want %q", i+1, append(got, "")[min(i, len(got))], line)
		}
	}
}

func TestRefused(t *testing.T) {
	tag := func(kind, v string) string { return `{"$":"` + kind + `","v":` + v + `}` }
	for _, text := range []string{
		`nul`, `[`, `[1`, `[1,]`, `{`, `1 2`, `[] []`, `NaN`, `Infinity`, `01`, `1.`, `+1`, `'a'`, `{"$":"nat"`, `{"$":"nat",}`,
		`{}`, `{"a":1}`, `{"$":1}`, `{"$":null}`, `{"$":"nothing"}`, `{"$":"text","v":"a"}`, `{"$":"null"}`, `{"$":""}`, `{"$":"nat","x":1}`,
		`{"$":"nat","$":"nat"}`, `{"$":"set","v":[],"v":[1]}`, // duplicate names
		"\"\xff\"", `"\ud800"`, `"\udc00\ud800"`, `{"$":"opaque","type":"\ud800","why":""}`, "[\"a\x00\"]",
		`1e400`, `-1e999`, strings.Repeat("9", maxDigits+1), tag("int", `"`+strings.Repeat("9", maxDigits+1)+`"`),
		tag("int", "5"), tag("int", `""`), tag("int", `"-"`), tag("int", `"5.0"`), tag("int", `"٣"`), tag("int", `"1_0"`), tag("int", `" 5"`),
		tag("float", `"1.0"`), tag("float", `"NaN"`), tag("float", `1.0`), tag("float", "null"), `{"$":"float"}`,
		tag("tuple", "1"), tag("tuple", `{"$":"tuple","v":[]}`), tag("list", "[]"), `{"$":"tuple"}`,
		tag("set", "[[1]]"), tag("set", "[1,1]"), tag("set", "[1,true]"), tag("set", "[1,1.0]"), tag("set", `["a","a"]`),
		tag("set", `[{"$":"tuple","v":[[1]]}]`), tag("set", `[{"$":"dict","v":[]}]`),
		tag("dict", "[1]"), tag("dict", "[[1]]"), tag("dict", "[[1,2,3]]"), tag("dict", "{}"), tag("dict", `[[[1],2]]`), tag("dict", `[[`+series+`,2]]`),
		tag("dict", `[["a",1],["a",2]]`), tag("dict", `[[1,1],[1.0,2]]`), tag("dict", `[[0,1],[false,2]]`), tag("dict", `[[0.5,1],[0.5,2]]`),
		tag("dict", `[[{"$":"bytes","v":"YQ=="},1],[{"$":"bytes","v":"YQ=="},2]]`),
		tag("bytes", `"*"`), tag("bytes", `[]`), `{"$":"bytes"}`, tag("decimal", `""`), tag("decimal", `"1,0"`), tag("decimal", `"x"`), tag("decimal", "1"),
		tag("decimal", `"`+strings.Repeat("9", maxDigits+1)+`"`),
		tag("complex", "[1.0]"), tag("complex", "[1,2]"), tag("complex", `["a","b"]`),
		tag("datetime", `""`), tag("date", `"yesterday"`), tag("time", "1"), tag("date", `"2014-09-23\n"`), `{"$":"date"}`,
		tag("timedelta", `"1"`), tag("timedelta", `{"$":"float","v":"nan"}`), tag("timedelta", "true"), `{"$":"timedelta"}`,
		`{"$":"ndarray","dtype":"x","shape":[3],"v":[1]}`, `{"$":"ndarray","dtype":"x","v":[1]}`, `{"$":"ndarray","dtype":"x","shape":null,"v":[1]}`,
		`{"$":"ndarray","dtype":"x","shape":[-1],"v":[]}`, `{"$":"ndarray","dtype":"x","shape":[4294967296,4294967296],"v":[]}`,
		`{"$":"ndarray","dtype":"x","shape":[1.0],"v":[1]}`, `{"$":"ndarray","dtype":"x","shape":[1],"v":{"$":"nat"}}`,
		`{"$":"ndarray","dtype":"x","shape":[2147483647,2147483647,2147483647,2147483647,2147483647],"v":[]}`,
		strings.Replace(series, `[0,1,2]`, `[0,1]`, 1), strings.Replace(series, index3, `[0,1,2]`, 1), strings.Replace(series, index3, `null`, 1),
		strings.Replace(frame, `[1,2,3]`, `[1,2]`, 1), strings.Replace(frame, `["a","b"]`, `["a"]`, 1), strings.Replace(frame, `"dtypes":["int64",`, `"dtypes":[`, 1),
		strings.Replace(frame, `["x",null,{"$":"nat"}]`, `"xyz"`, 1), strings.Replace(frame, index3, `5`, 1), strings.Replace(noFrame, index3, `5`, 1),
		strings.Replace(multi, `[1,"x"]`, `[1]`, 1), strings.Replace(multi, `{"$":"tuple","v":[1,"x"]}`, `1`, 1),
		`{"$":"object","type":"m.C"}`, `{"$":"object","type":"m.C","attrs":[]}`, `{"$":"object","type":"m.C","attrs":{"p":{}}}`, `{"$":"object","attrs":{"p":1,"p":2}}`,
	} {
		v, err := Parse(datasets.RawValue(text))
		if err == nil {
			t.Errorf("%.100q was read as %s", text, v.Kind)
		} else if !strings.HasPrefix(err.Error(), "plain value: ") || strings.Contains(err.Error(), "\n") || len(err.Error()) > 120 {
			t.Errorf("%.100q: error %q", text, err)
		}
	}
	for _, text := range []string{"", " \n"} {
		if _, err := Parse(datasets.RawValue(text)); !errors.Is(err, ErrNotSet) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Parse(datasets.RawValue(`["secret of a patient", nonsense]`)); err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("the error quotes: %v", err)
	}
}

// TestBounds: depth, number and size are bounded, and reading takes time in
// proportion to the length, however deep the value is.
func TestBounds(t *testing.T) {
	nest := func(begin, end string, n int, inner string) string {
		return strings.Repeat(begin, n) + inner + strings.Repeat(end, n)
	}
	for _, test := range []struct {
		name, begin, end string
		levels           int // brackets a level
	}{
		{"list", "[", "]", 1},
		{"tuple", `{"$":"tuple","v":[`, "]}", 2},
		{"dict", `{"$":"dict","v":[[1,`, "]]}", 3},
		{"attributes", `{"$":"object","type":"","attrs":{"a":`, "}}", 1},
	} {
		// What the encoder makes: 64 levels in one, and a mark in the last.
		parse(t, nest(test.begin, test.end, MaxDepth+1, `{"$":"opaque","type":"x","why":"too_deep"}`))
		if _, err := Parse(datasets.RawValue(nest(test.begin, test.end, maxLevels/test.levels+2, "[1]"))); err == nil {
			t.Errorf("%s: no bound on depth", test.name)
		}
	}
	if _, err := Parse(datasets.RawValue(nest("[", "]", 1_000_000, ""))); err == nil {
		t.Error("a million levels were read")
	}
	for _, n := range []int{3, 4} { // of values that may still be read, where four are there
		p := &parser{dec: jsontext.NewDecoder(strings.NewReader("[0,[],0]")), values: maxValues - n}
		if _, err := p.value(0); (err == nil) != (n == 4) {
			t.Errorf("four values where %d are left: %v", n, err)
		}
	}
	if _, err := Parse(datasets.RawValue(`"` + strings.Repeat("x", MaxBytes) + `"`)); err == nil {
		t.Error("no bound on the size")
	}
	begin := time.Now()
	long := strings.Repeat("x", 8<<20)
	v := parse(t, nest(`{"$":"tuple","v":[`, "]}", 90, `"`+long+`"`))
	if n := len(Print(v)); n < len(long) {
		t.Errorf("printed %d bytes", n)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("8 MB below 90 levels took %s", took)
	}
}

func TestAnswer(t *testing.T) {
	for _, test := range []struct{ status, text, reason string }{
		{"ok", "12", ""}, {"ok", "0", ""}, {"ok", "false", ""}, {"ok", `{"$":"float","v":"inf"}`, ""}, {"ok", "[0]", ""}, {"ok", "[null]", ""},
		{"error", "12", ReasonProgramFailed}, {"timeout", "12", ReasonProgramFailed}, {"", "12", ReasonProgramFailed},
		{"ok", "", ReasonNoAnswer}, {"ok", "{}", ReasonUnreadable}, {"ok", `"\ud800"`, ReasonUnreadable},
		{"ok", `{"$":"opaque","type":"m.C","why":"too_large"}`, ReasonUnreadable},
		{"ok", "null", ReasonEmpty}, {"ok", `{"$":"float","v":"nan"}`, ReasonEmpty}, {"ok", `{"$":"nat"}`, ReasonEmpty}, {"ok", `" "`, ReasonEmpty}, {"ok", "[]", ReasonEmpty},
		{"ok", `{"$":"ndarray","dtype":"float64","shape":[],"v":[{"$":"float","v":"nan"}]}`, ReasonEmpty}, {"ok", noFrame, ReasonEmpty},
		{"ok", `{"$":"decimal","v":"NaN"}`, ReasonEmpty},
	} {
		v, reason := Answer(datasets.Submission{Status: test.status, Answer: datasets.RawValue(test.text)})
		if reason != test.reason || (reason != "") != (v.Kind == "") {
			t.Errorf("%s %s: %q %s, want %q", test.status, test.text, reason, v.Kind, test.reason)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range values {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Parse(data)
		if err != nil {
			return
		}
		text := encode(v)
		again, err := Parse(text)
		if err != nil || string(encode(again)) != string(text) {
			t.Fatalf("%s is read, and written as %s, which is read as %s: %v", data, text, encode(again), err)
		}
		if Print(v) != Print(again) {
			t.Fatalf("printed as %q and as %q", Print(v), Print(again))
		}
		_, whole := v.Integer()
		_, number := v.Number()
		_, span := v.Span()
		_, date := v.Date()
		truth, boolean := v.Boolean()
		rows, table := v.Rows()
		if v.Empty() && (whole || number || span || date || boolean || table || equal(v, v) || EqualMultiset(v, v)) {
			t.Fatalf("%s says nothing, and something", data)
		}
		if boolean && equal(v, Value{Kind: Bool, Bool: !truth}) {
			t.Fatalf("%s is true and false", data)
		}
		if table && !EqualRows(rows, rows) {
			t.Fatalf("%s has other rows than itself", data)
		}
		for _, text := range values {
			other := parse(t, text)
			if equal(v, other) != equal(other, v) {
				t.Fatalf("%s and %s are equal in one order only", data, text)
			}
			if other.Empty() && (equal(v, other) || EqualMultiset(v, other)) {
				t.Fatalf("%s equals %s, which equals nothing", data, text)
			}
		}
	})
}

func FuzzNumber(f *testing.F) {
	for _, text := range []string{"12", "00", "0389", " 12.0 ", "+5", "-.5", "5.", "1e4", "1E-400", "1e9999", "1_000", "0x1", "nan", "inf", "٣", "1e", strings.Repeat("9", 400)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := Value{Kind: Text, Text: text}
		x, number := v.Number()
		n, whole := v.Integer()
		if number {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Fatalf("%q is %v", text, x)
			}
			if py, ok := PyFloat(text); !ok || py != x {
				t.Fatalf("%q is %v, in Python %v %v", text, x, py, ok)
			}
		}
		if whole && number && !isCode(strings.TrimSpace(text)) && !equal(Value{Kind: Int, Int: n}, v) {
			t.Fatalf("%q is not its integer %v", text, n)
		}
		py, okFloat := PyFloat(text)
		if count, ok := PyInt(text); ok && (!okFloat || py != count) {
			t.Fatalf("int(%q) is %v, float %v %v", text, count, py, okFloat)
		}
		if number && equal(v, Value{Kind: Bool, Bool: true}) && x != 1 && math.Abs(x-1) > 2*Tolerance {
			t.Fatalf("%q is True", text)
		}
	})
}
