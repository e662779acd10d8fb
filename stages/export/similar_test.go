package export

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
)

// slowDistance counts insertions and deletions by the table that defines them.
func slowDistance(a, b []string) int {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
		for j := range table[i] {
			switch {
			case i == 0 || j == 0:
				table[i][j] = i + j
			case a[i-1] == b[j-1]:
				table[i][j] = table[i-1][j-1]
			default:
				table[i][j] = 1 + min(table[i-1][j], table[i][j-1])
			}
		}
	}
	return table[len(a)][len(b)]
}

func TestEditDistance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func() []string {
		out := make([]string, r.IntN(12))
		for i := range out {
			out[i] = string(rune('a' + r.IntN(3)))
		}
		return out
	}
	for range 5_000 {
		a, b, most := text(), text(), r.IntN(20)
		want := slowDistance(a, b)
		got, ok := editDistance(a, b, most)
		if ok != (want <= most) || ok && got != want {
			t.Fatalf("%v, %v, at most %d: %d, %v; want %d", a, b, most, got, ok, want)
		}
	}
}

func TestSimilar(t *testing.T) {
	hundred := strings.Repeat("w ", 99)
	for _, c := range []struct {
		a, b  string
		limit float64
		want  bool
	}{
		{"x = 1", "x=1", 1, true},
		{"x = 1", "x = 2", 1, false},
		{"", "", 0.5, true},
		{"", "x", 0.5, false},
		{"a b", "a c", 0.5, true}, // 2·1/4
		{"a b", "a c", 0.51, false},
		{"a b c d x", "a b c d x y", 0.9, true}, // 2·5/11
		{"a b c d e", "a b c d x", 0.8, true},   // 2·4/10
		{"a b c d e", "a b c d x", 0.81, false},
		{hundred + "x", hundred + "y", 0.99, true}, // 2·99/200
		{hundred + "x", hundred + "y", 0.991, false},
		{hundred + "x", "x " + hundred, 0.99, true},
	} {
		if got := similar(words(c.a), words(c.b), c.limit); got != c.want {
			t.Errorf("%.20q, %.20q at %v: %v", c.a, c.b, c.limit, got)
		}
	}
}

func TestStepText(t *testing.T) {
	for _, c := range []struct{ params, want string }{
		{`{"error_msg":"e","code":"c"}`, "debugging\ne\nc"},
		{`{"code":"c","n":1.50}`, "debugging\n1.5\nc"},
		{`[1]`, "debugging\n[1]"},
		{``, "debugging"},
	} {
		if got := stepText(schemas.Step{Action: schemas.ActionDebugging, ParamsJSON: c.params}); got != c.want {
			t.Errorf("%s: %q, want %q", c.params, got, c.want)
		}
	}
}

func TestHistogram(t *testing.T) {
	h := histogram{}
	for v := range int32(100) {
		h[v+1]++
	}
	if got, want := h.lengths(), (Lengths{Min: 1, Mean: 50.5, P50: 50, P95: 95, Max: 100, Sum: 5050}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := (histogram{1024: 3, 1025: 1}).over()[0]; got != (Over{1024, 1, 0.25}) {
		t.Errorf("%+v", got)
	}
	if got := (histogram{}).lengths(); got != (Lengths{}) {
		t.Errorf("no rows: %+v", got)
	}
}
