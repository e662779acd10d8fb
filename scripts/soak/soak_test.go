package main

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestDraw: every trial is drawn about as often as its weight says.
func TestDraw(t *testing.T) {
	trials := slices.Concat(small, rough)
	sum := 0
	for _, trial := range trials {
		sum += trial.weight
	}
	rng, drawn := rand.New(rand.NewPCG(1, 2)), map[string]int{}
	for range 100 * sum {
		drawn[draw(rng, trials).name]++
	}
	for _, trial := range trials {
		if n := drawn[trial.name]; n < 60*trial.weight || n > 140*trial.weight {
			t.Errorf("%s, weight %d of %d: drawn %d times of %d", trial.name, trial.weight, sum, n, 100*sum)
		}
	}
}

func TestIntersect(t *testing.T) {
	before := leftovers{Files: []string{"a", "b"}, Cgroups: []string{"c"}}
	after := leftovers{Files: []string{"b", "d"}, Cgroups: []string{"e"}, Containers: []string{"f"}}
	if got := intersect(before, after).String(); got != "b" {
		t.Errorf("in both: %q, want b", got)
	}
}

func TestJudgeKills(t *testing.T) {
	for _, tt := range []struct {
		name   string
		deaths []death
		last   leftovers
		want   bool
	}{
		{"clean", []death{{Processes: 9, GoneMS: 80, leftovers: leftovers{Files: []string{"for the next start"}}}}, leftovers{}, true},
		{"a process", []death{{}, {Alive: 1}}, leftovers{}, false},
		{"a mount", []death{{Mounts: 1}}, leftovers{}, false},
		{"a folder at last", []death{{}}, leftovers{Files: []string{"folder"}}, false},
	} {
		if err := judge(tt.deaths, tt.last); (err == nil) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
