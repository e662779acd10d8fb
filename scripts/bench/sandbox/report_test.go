package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestRatio: rounds are compared with each other, so a machine that slows down for
// both changes nothing.
func TestRatio(t *testing.T) {
	ours := &series{PerCore: []float64{100, 50, 20}}
	theirs := &series{PerCore: []float64{10, 5, 2}}
	if got := ratio(ours, theirs); got != 10 {
		t.Errorf("ratio %g, want 10", got)
	}
	if got := ratio(ours, nil); got == got {
		t.Errorf("ratio to what was not measured: %g", got)
	}
}

func TestJudge(t *testing.T) {
	of := func(way string, perCore, p50, p99 float64) *series {
		return &series{Part: "one core", Program: "import", Way: way, PerCore: []float64{perCore}, CPU: []float64{1}, P50MS: p50, P99MS: p99}
	}
	r := report{Missing: map[string]string{dockerExec: "missing: apt-get install docker.io"}, Series: []*series{
		of(embedded, 150, 7, 15.1), of(embeddedFresh, 149, 7.1, 15), of(plainPython, 3.75, 300, 400), of(bareFork, 300, 3, 5), of(pool, 99, 9, 9),
	}}
	var out strings.Builder
	if err := r.print(&out, false); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{ // session, fresh
		"executions a second and core":      "150.00 met, 149.00 missed",
		"p50 ms":                            "7.00 met, 7.10 missed",
		"p99 ms":                            "15.10 missed, 15.00 met",
		"times python file.py":              "40.00 met, 39.73 missed",
		"times docker exec":                 "not measured, not measured",
		"bare fork + exit is faster, times": "2.00 met, 2.01 missed",
		"docker pool is slower, times":      "1.52 missed, 1.51 missed",
	}
	got := map[string][]string{}
	for _, v := range r.Goals {
		if v.Program == "import" {
			got[v.Goal] = append(got[v.Goal], v.String())
		} else if v.Measured != nil {
			t.Errorf("%s: %v for a program that was not measured", v.Goal, v)
		}
	}
	for goal, text := range want {
		if both := strings.Join(got[goal], ", "); both != text {
			t.Errorf("%s: %s, want %s", goal, both, text)
		}
	}
	if !strings.Contains(out.String(), "missing: apt-get install docker.io") {
		t.Errorf("the table does not say what is missing:\n%s", out.String())
	}
	out.Reset()
	if err := r.print(&out, true); err != nil {
		t.Fatal(err)
	}
	if !json.Valid([]byte(out.String())) {
		t.Errorf("no JSON: %s", out.String())
	}
}
