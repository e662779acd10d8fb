package grading

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// equal says that both values are scalars, and equal in normal form.
func equal(a, b Value) bool {
	x, okX := a.Normal()
	y, okY := b.Normal()
	return okX && okY && x.Equal(y)
}

// TestEqual is the table of scalar verdicts. Each row holds in both orders.
func TestEqual(t *testing.T) {
	date := func(kind, text string) string { return `{"$":"` + kind + `","v":"` + text + `"}` }
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"12", "12.0", true}, {"12", `"12"`, true}, {"12", `" +12.00 "`, true}, {"12.5", `"12.5"`, true}, {"12", `"1.2e1"`, true},
		{"12", `"12 mg"`, false}, {"1024", `"1,024"`, false}, {"12", `"twelve"`, false}, {"12", `[12]`, false}, {"12", `{"$":"ndarray","dtype":"int64","shape":[],"v":[12]}`, true},
		{"12", `{"$":"decimal","v":"12.0"}`, true}, {"12.5", `{"$":"decimal","v":"12.5"}`, true}, {"12", `{"$":"bytes","v":"MTI="}`, false},
		{"true", "1", true}, {"true", "1.0", true}, {"false", "0", true}, {"true", `"TRUE "`, true}, {"true", `"1"`, true}, {"true", `"yes"`, false}, {"true", "2", false}, {"true", "false", false},
		// Codes.
		{`"0389"`, "389", false}, {`"0389"`, `"389"`, false}, {`"0389"`, `" 0389"`, true}, {`"00"`, "0", false}, {`"0"`, "0", true}, {`"0.50"`, "0.5", true}, {`"-05"`, "-5", true},
		// The relative error of floats, and none of integers.
		{"1000000.0", "1000000.5", true}, {"1.0", "1.0000009", true}, {"1.0", "1.0000011", false}, {"1.5", "1.5000014", true}, {"1.5", "1.5000016", false}, {"-1.5", "-1.5000014", true}, {"-1.5", "1.5", false},
		{"1e-30", "1.0000009e-30", true}, {"1e-30", "2e-30", false}, {"1000000000", "1000000001", false}, {"1000000000.0", "1000000001", false}, {"1000000000.0", "1000000000.5", true},
		{`{"$":"int","v":"9007199254740993"}`, "9007199254740992", false}, {`{"$":"int","v":"9007199254740993"}`, `"9007199254740993"`, true},
		{`{"$":"int","v":"9007199254740993"}`, "9007199254740992.0", false},
		{strings.Repeat("9", 400), `"` + strings.Repeat("9", 400) + `"`, true}, {strings.Repeat("9", 400), strings.Repeat("9", 399) + "8", false}, {strings.Repeat("9", 400), "1.5e300", false},
		// Nothing but zero is near zero.
		{"0", "0.0", true}, {"0", "-0.0", true}, {"0", "1e-300", false}, {"0.0", `"0"`, true}, {"0", `""`, false}, {"0", "null", false}, {"0", "[]", false}, {"0", `{"$":"float","v":"nan"}`, false},
		{"0", `{"$":"nat"}`, false}, {"0", `{"$":"timedelta","v":0.0}`, false}, {"0", `{"$":"decimal","v":"NaN"}`, false}, {"0", `{"$":"opaque","type":"C","why":"no_form"}`, false},
		{"0", `"none"`, false}, {"0", `{"$":"bytes","v":""}`, false}, {`""`, `""`, false}, {"null", "null", false}, {`{"$":"float","v":"nan"}`, `{"$":"float","v":"nan"}`, false},
		{`{"$":"nat"}`, `{"$":"nat"}`, false}, {"null", `{"$":"float","v":"nan"}`, false}, {"null", `"null"`, false}, {`{"$":"float","v":"nan"}`, `"nan"`, false}, {`"nan"`, `"NaN "`, true},
		{`{"$":"float","v":"inf"}`, `{"$":"float","v":"inf"}`, false}, {`{"$":"float","v":"inf"}`, "1e308", false}, {`{"$":"float","v":"inf"}`, `"inf"`, false},
		{`"Sepsis "`, `"sepsis"`, true}, {`"sepsis"`, `"septic"`, false}, {`"sepsis"`, `{"$":"bytes","v":"U2Vwc2lz"}`, true}, {`{"$":"bytes","v":"/w=="}`, `{"$":"bytes","v":"/g=="}`, false},
		// Instants.
		{date("date", "2014-09-23"), `"09/23/2014"`, true}, {date("date", "2014-09-23"), date("datetime", "2014-09-23T00:00:00"), true}, {date("date", "2014-09-23"), date("datetime", "2014-09-23T00:00:01"), false},
		{date("datetime", "2014-09-23T01:00:00"), `"2014-09-23 01:00"`, true}, {date("datetime", "2014-09-23T01:00:00+05:00"), date("datetime", "2014-09-22T20:00:00+00:00"), true},
		{date("datetime", "2014-09-23T00:00:00+05:00"), date("datetime", "2014-09-22T19:00:00"), true}, {date("datetime", "2014-09-23T00:00:00+05:00"), date("date", "2014-09-23"), false},
		{date("datetime", "2014-09-23T01:00:00.500000"), `"2014-09-23 01:00:00.5"`, true}, {date("datetime", "2014-09-23T01:00:00"), "1411434000", false}, {date("date", "2014-09-23"), "20140923", false},
		{date("time", "01:02:03"), `"01:02:03"`, true}, {`{"$":"timedelta","v":60.0}`, `{"$":"timedelta","v":60.00001}`, true}, {`{"$":"timedelta","v":60.0}`, "60", false},
		{`{"$":"complex","v":[1.0,0.0]}`, "1", false}, {"[1]", "[1]", false},
	} {
		a, b := parse(t, test.a), parse(t, test.b)
		if equal(a, b) != test.want || equal(b, a) != test.want {
			t.Errorf("%.60s and %.60s: %v and %v, want %v", test.a, test.b, equal(a, b), equal(b, a), test.want)
		}
	}
}

func TestEqualMultiset(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"12", "[12]", true}, {"12", "[[12.0]]", true}, {`[["a",1],["b",2]]`, `[["B",2.0],["A","1"]]`, true}, {`[["a",1],["b",2]]`, `[[1,"a"],[2,"b"]]`, false},
		{"[1,1,2]", "[1,2,2]", false}, {"[1,1,2]", "[2,1,1]", true}, {"[1,2]", "[1,2,3]", false}, {"[[1,2]]", "[1,2]", false}, {"[[1],[1,2]]", "[[1],[1,2]]", false},
		{"[1,null]", "[1,null]", false}, {"[]", "[]", false}, {"[[]]", "[[]]", false}, {"[[],1]", "[[],1]", false}, {"null", "null", false}, {"[0]", "[null]", false}, {`[1,{"$":"float","v":"nan"}]`, `[1,{"$":"float","v":"nan"}]`, false},
		{"[0,1,2]", index3, true}, {"[0,1,2]", `{"$":"ndarray","dtype":"x","shape":[3],"v":[2,1,0]}`, true}, {"[[0,1],[2,3]]", `{"$":"ndarray","dtype":"x","shape":[2,2],"v":[2,3,0,1]}`, true},
		{`[{"$":"ndarray","dtype":"x","shape":[2],"v":[1,2]}]`, "[[1,2]]", true}, {`{"$":"ndarray","dtype":"x","shape":[1,1,1],"v":[1]}`, "[1]", false},
		{`[["x",1],["y",2]]`, `{"$":"frame","columns":{"$":"index","dtype":"object","name":null,"v":["p","q"]},"index":{"$":"index","dtype":"int64","name":null,"v":[5,5]},"dtypes":["object","int64"],"v":[["y","x"],[2,1]]}`, true},
		{frame, frame, false}, {`{"$":"dict","v":[["a",1]]}`, `{"$":"dict","v":[["a",1]]}`, false}, {`{"$":"set","v":[1,2]}`, "[2,1]", true}, {"[true]", "[1]", true},
		{"[1.0,1.0000009]", "[1.0000009,1.0000018]", true}, {"[1.0,1.0000009]", "[1.0000018,1.0000027]", false},
		{`[[1.0,"a"],[1.0000005,"b"]]`, `[[1.0,"b"],[1.0000005,"a"]]`, true}, {`[[1.0,"a"],[1.0000005,"b"]]`, `[[1.0,"b"],[1.0000005,"b"]]`, false},
		{"[1000000,1000001,1000000.5]", "[1000000,1000001,1000001.5]", true}, {"[1000000,1000001]", "[1000000,1000000.5]", true}, {"[1000000,1000001]", "[1000000,1000000]", false},
	} {
		a, b := parse(t, test.a), parse(t, test.b)
		if EqualMultiset(a, b) != test.want || EqualMultiset(b, a) != test.want {
			t.Errorf("%.80s and %.80s: %v and %v, want %v", test.a, test.b, EqualMultiset(a, b), EqualMultiset(b, a), test.want)
		}
	}
	if EqualRows(nil, nil) {
		t.Error("tables without rows are equal")
	}
}

// TestLarge: tables of any order and any content are compared in time that is not
// quadratic, or the test would not end.
func TestLarge(t *testing.T) {
	const n = 100_000
	table := func(cell func(i int) []Scalar) [][]Scalar {
		rows := make([][]Scalar, n)
		for i := range rows {
			rows[i] = cell(i)
		}
		return rows
	}
	scalar := func(f float64) Scalar { s, _ := (Value{Kind: Float, Float: f}).Normal(); return s }
	for _, test := range []struct {
		name string
		a, b [][]Scalar
		want bool
	}{
		{"all alike but one", table(func(int) []Scalar { return []Scalar{scalar(5)} }), table(func(i int) []Scalar { return []Scalar{scalar(5 + float64(i/(n-1)))} }), false},
		{"first column alike", table(func(i int) []Scalar { return []Scalar{scalar(5), scalar(float64(i))} }), table(func(i int) []Scalar { return []Scalar{scalar(5), scalar(float64(n - i))} }), false},
		{"backwards", table(func(i int) []Scalar { return []Scalar{scalar(5), scalar(float64(i))} }), table(func(i int) []Scalar { return []Scalar{scalar(5), scalar(float64(n - 1 - i))} }), true},
		{"a chain", table(func(i int) []Scalar { return []Scalar{scalar(1.1 + float64(i)*1e-7)} }), table(func(i int) []Scalar { return []Scalar{scalar(1.1 + float64(n-1-i)*1e-7)} }), true},
		{"another chain", table(func(i int) []Scalar { return []Scalar{scalar(1.1 + float64(i)*1e-7)} }), table(func(i int) []Scalar { return []Scalar{scalar(1.2 + float64(i)*1e-7)} }), false},
	} {
		if got := EqualRows(test.a, test.b); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// matched is EqualRows as it is defined: some order of b pairs every row with its equal.
func matched(a, b [][]Scalar) bool {
	if len(a) == 0 {
		return len(b) == 0
	}
	for j := range b {
		if equalRow(a[0], b[j]) && matched(a[1:], slices.Delete(slices.Clone(b), j, j+1)) {
			return true
		}
	}
	return false
}

// FuzzRows compares small tables of near numbers by EqualRows and by its definition.
func FuzzRows(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint8(4), uint8(2))
	}
	f.Fuzz(func(t *testing.T, seed uint64, rows, width uint8) {
		n, w := int(rows%6)+1, int(width%3)+1
		rng := rand.New(rand.NewPCG(seed, 1))
		cell := func() Scalar {
			v := Value{Kind: Float, Float: 1e6 + float64(rng.IntN(5))*.5}
			switch rng.IntN(6) {
			case 0:
				v = Value{Kind: Int, Int: big.NewInt(1e6 + int64(rng.IntN(3)))}
			case 1:
				v = Value{Kind: Text, Text: string(rune('a' + rng.IntN(2)))}
			}
			s, _ := v.Normal()
			return s
		}
		a, b := make([][]Scalar, n), make([][]Scalar, n)
		for i := range n {
			a[i] = make([]Scalar, w)
			for j := range w {
				a[i][j] = cell()
			}
			b[i] = slices.Clone(a[i])
			if rng.IntN(2) == 0 {
				b[i][rng.IntN(w)] = cell()
			}
		}
		rng.Shuffle(n, func(i, j int) { b[i], b[j] = b[j], b[i] })
		want := matched(a, b)
		if got := EqualRows(a, b); got != want {
			t.Fatalf("EqualRows %v, by definition %v:\n%v\n%v", got, want, a, b)
		}
		if EqualRows(b, a) != want || !EqualRows(a, a) {
			t.Fatalf("not symmetric, or not reflexive:\n%v\n%v", a, b)
		}
	})
}
