package biodsbench

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
)

// FuzzPlainValue: of whatever an agent hands over, nothing reaches the tests that
// could pass for a rebuilt object.
func FuzzPlainValue(f *testing.F) {
	for _, seed := range []string{
		"12.0", `{"$":"dict","v":[["a",1]]}`, `{"$":"object","type":"matplotlib.container.BarContainer","attrs":{"patches":[1,2]}}`,
		`{"$":"object","type":"evil.Equal","attrs":{}}`, `[{"$":"opaque","type":"x"}]`, `{"$":"frame"}`, "[[[[", "\xff", `{"$":{}}`,
	} {
		f.Add([]byte(seed))
	}
	const tag = "TAGTAGTAGTAGTAG"
	f.Fuzz(func(t *testing.T, raw []byte) {
		value, reason := plainValue(datasets.RawValue(raw), tag)
		if reason != "" {
			return
		}
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("%q cannot be handed on: %v", raw, err)
		}
		for _, kind := range []string{`"$":"opaque"`, `"$":"object"`} {
			if strings.Contains(string(data), kind) {
				t.Errorf("%q becomes %s", raw, data)
			}
		}
		if !strings.Contains(string(raw), "object") && strings.Contains(string(data), tag) && !strings.Contains(string(raw), tag) {
			t.Errorf("%q is given the tag: %s", raw, data)
		}
	})
}

// FuzzTests: test code and descriptions of whatever form are read without a panic,
// and no table of the study is taken for a result.
func FuzzTests(f *testing.F) {
	f.Add("assert x.a == 1\nassert len(y) == 2", "Table at /workdir/a.csv. Shape is (1, 2).")
	f.Add("import a.b as c; from d import *\nfor i in x: assert i", "/workdir/x.csv /workdir/x.csv Shape is (99999999999999999999, 1)")
	f.Add("assert '''", "")
	f.Fuzz(func(t *testing.T, tests, frames string) {
		names := neededTables(describedTables(frames), tests)
		results, fresh := testNames(tests, names)
		for _, r := range results {
			for _, name := range append(fresh, names...) {
				if r.Name == strings.TrimSuffix(name, ".csv") {
					t.Errorf("%q is a table and a result", r.Name)
				}
			}
		}
		ungradable(answer{Tests: tests, Results: results})
		csvNames(tests)
	})
}
