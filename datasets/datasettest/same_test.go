package datasettest

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/grading"
)

func parse(t *testing.T, text string) grading.Value {
	t.Helper()
	v, err := grading.Parse(datasets.RawValue(text))
	if err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return v
}

const (
	index3 = `{"$":"index","dtype":"int64","name":null,"v":[0,1,2]}`
	series = `{"$":"series","dtype":"float64","name":"n","index":` + index3 + `,"v":[1.0,{"$":"float","v":"nan"},3.0]}`
	frame  = `{"$":"frame","columns":{"$":"index","dtype":"object","name":null,"v":["a","b"]},"index":` + index3 +
		`,"dtypes":["int64","object"],"v":[[1,2,3],["x",null,{"$":"nat"}]]}`
)

func TestSame(t *testing.T) {
	loose, exact := SameOptions{Relative: grading.Tolerance}, SameOptions{}
	nan := SameOptions{Relative: grading.Tolerance, NaNEqual: true}
	kinds := SameOptions{Relative: grading.Tolerance, SequenceKinds: true}
	tuple := func(v string) string { return `{"$":"tuple","v":` + v + `}` }
	dict := func(v string) string { return `{"$":"dict","v":` + v + `}` }
	set := func(v string) string { return `{"$":"set","v":` + v + `}` }
	array := func(shape, v string) string {
		return `{"$":"ndarray","dtype":"x","shape":` + shape + `,"v":` + v + `}`
	}
	for _, test := range []struct {
		a, b string
		opts SameOptions
		want bool
	}{
		{"12", "12.0", exact, true}, {"true", "1", exact, false}, {"true", "true", exact, true}, {"12", `"12"`, exact, false}, {`"a"`, `"A"`, exact, false}, {`"a"`, `"a "`, exact, false},
		{"1.0", "1.0000009", loose, true}, {"1.0", "1.0000009", exact, false}, {"1000000000", "1000000001", loose, false},
		{`{"$":"float","v":"inf"}`, `{"$":"float","v":"inf"}`, loose, true}, {`{"$":"float","v":"inf"}`, `{"$":"float","v":"-inf"}`, loose, false}, {`{"$":"float","v":"inf"}`, "1e308", loose, false},
		{`{"$":"decimal","v":"1E+5000"}`, `{"$":"decimal","v":"1E+5000"}`, loose, true}, {`{"$":"decimal","v":"1.50"}`, "1.5", exact, true}, {`{"$":"decimal","v":"NaN"}`, `{"$":"decimal","v":"NaN"}`, nan, false},
		{"null", "null", nan, false}, {"null", "0", nan, false}, {`{"$":"nat"}`, `{"$":"nat"}`, nan, false}, {`{"$":"float","v":"nan"}`, `{"$":"float","v":"nan"}`, nan, false},
		{"[null]", "[null]", loose, false}, {"[null]", "[null]", nan, true}, {"[null]", `[{"$":"float","v":"nan"}]`, nan, true}, {"[null]", "[0]", nan, false}, {"[null]", `[""]`, nan, false}, {"[null]", "[[]]", nan, false}, {"[null]", "[false]", nan, false},
		{`[{"$":"opaque","type":"C","why":"x"}]`, `[{"$":"opaque","type":"C","why":"x"}]`, nan, false}, {`[{"$":"opaque","type":"C","why":"x"}]`, "[null]", nan, false},
		{"[]", "[]", exact, true}, {"[]", tuple("[]"), exact, false}, {"[]", dict("[]"), exact, false}, {`""`, "[]", exact, false}, {"[]", "0", kinds, false},
		{"[1,2]", "[2,1]", exact, false}, {"[1,2]", tuple("[1,2]"), exact, false}, {"[1,2]", tuple("[1.0,2.0]"), kinds, true}, {"[1,2]", array("[2]", "[1,2]"), kinds, true}, {"[1,2,3,4]", array("[2,2]", "[1,2,3,4]"), kinds, false},
		{"[0,1,2]", index3, kinds, true}, {"[1]", "1", kinds, false}, {"1", array("[]", "[1]"), exact, true}, {array("[2,1]", "[1,2]"), array("[1,2]", "[1,2]"), kinds, false},
		{set("[1,2]"), set("[2.0,1]"), exact, true}, {set("[1,2]"), set("[1]"), exact, false}, {set("[1,2]"), "[1,2]", kinds, false}, {set("[1,true]"[:2] + "]"), set("[true]"), exact, false}, {set(`["a",1]`), set(`[1,"a"]`), exact, true},
		{set("[1.0,1.0000009]"), set("[1.0000009,1.0000015]"), loose, true}, {set(`[` + tuple("[1,2]") + `]`), set(`[` + tuple("[2,1]") + `]`), exact, false},
		{dict(`[["a",1],["b",2]]`), dict(`[["b",2],["a",1.0]]`), exact, true}, {dict(`[["a",1]]`), dict(`[["a",1],["b",2]]`), exact, false}, {dict(`[["a",1],["b",2]]`), dict(`[["a",2],["b",1]]`), exact, false},
		{dict(`[[1,"x"]]`), dict(`[[1.0,"x"]]`), exact, true}, {dict(`[["1","x"]]`), dict(`[[1,"x"]]`), exact, false}, {dict(`[[null,"x"]]`), dict(`[[null,"x"]]`), nan, true}, {dict(`[[null,"x"]]`), dict(`[[null,"x"]]`), exact, false},
		{`{"$":"complex","v":[1.0,2.0]}`, `{"$":"complex","v":[1.0,2.0]}`, exact, true}, {`{"$":"complex","v":[1.0,0.0]}`, "1", exact, false}, {`{"$":"bytes","v":"YQ=="}`, `{"$":"bytes","v":"YQ=="}`, exact, true}, {`{"$":"bytes","v":"YQ=="}`, `"a"`, exact, false},
		{`{"$":"date","v":"2014-09-23"}`, `{"$":"datetime","v":"2014-09-23T00:00:00"}`, exact, false}, {`{"$":"timedelta","v":1.0}`, `{"$":"timedelta","v":1.0000001}`, loose, true},
		{series, series, nan, true}, {series, series, loose, false}, {series, strings.Replace(series, "[0,1,2]", "[0,1,3]", 1), nan, false}, {series, strings.Replace(series, "3.0]", "4.0]", 1), nan, false},
		{frame, frame, nan, true}, {frame, strings.Replace(frame, `["a","b"]`, `["a","c"]`, 1), nan, false}, {frame, strings.Replace(frame, "[0,1,2]", "[2,1,0]", 1), nan, false}, {frame, strings.Replace(frame, "[[1,2,3]", "[[1,2,4]", 1), nan, false}, {frame, series, nan, false},
		{`{"$":"object","type":"m.C","attrs":{"p":0.5}}`, `{"$":"object","type":"m.C","attrs":{"p":0.5}}`, exact, true}, {`{"$":"object","type":"m.C","attrs":{"p":0.5}}`, `{"$":"object","type":"m.D","attrs":{"p":0.5}}`, exact, false}, {`{"$":"object","type":"m.C","attrs":{"p":0.5}}`, `{"$":"object","type":"m.C","attrs":{"q":0.5}}`, exact, false},
	} {
		a, b := parse(t, test.a), parse(t, test.b)
		if Same(a, b, test.opts) != test.want || Same(b, a, test.opts) != test.want {
			t.Errorf("%.80s and %.80s with %+v: %v and %v, want %v", test.a, test.b, test.opts, Same(a, b, test.opts), Same(b, a, test.opts), test.want)
		}
	}
}

// TestSameLarge: sets and dicts of any order are compared in time that is not
// quadratic, or the test would not end.
func TestSameLarge(t *testing.T) {
	const n = 100_000
	dict, set := grading.Value{Kind: grading.Dict}, grading.Value{Kind: grading.Set}
	for i := range n {
		key := grading.Value{Kind: grading.Text, Text: fmt.Sprint(i)}
		dict.Pairs = append(dict.Pairs, grading.Pair{Key: key, Value: grading.Value{Kind: grading.Int, Int: big.NewInt(int64(i))}})
		set.Items = append(set.Items, key)
	}
	back := grading.Value{Kind: grading.Dict, Pairs: slices.Clone(dict.Pairs)}
	slices.Reverse(back.Pairs)
	backSet := grading.Value{Kind: grading.Set, Items: slices.Clone(set.Items)}
	slices.Reverse(backSet.Items)
	if !Same(dict, back, SameOptions{}) || !Same(set, backSet, SameOptions{}) {
		t.Error("order counts")
	}
}
