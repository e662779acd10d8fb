package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/scripts/internal/modelserver"
)

func tasks(n int) []schemas.Task {
	var out []schemas.Task
	for i := range n {
		out = append(out, schemas.Task{TaskID: fmt.Sprint("task ", i), Instruction: fmt.Sprint("Find ", i), Question: fmt.Sprintf("What is the sample size of study number %d?", i)})
	}
	return out
}

// TestPlan: every kind that stays has a task, and few tasks have one; many requests
// fail where there are few.
func TestPlan(t *testing.T) {
	for _, tt := range []struct {
		tasks    int
		each     int
		least    float64
		most     float64
		outages  int
		outageAt int
	}{{2500, 25, .1, .1, 4, 7400}, {75, 1, .34, .35, 2, 370}, {12, 1, .35, .35, 2, 59}} {
		f := plan(tasks(tt.tasks), 0)
		kinds := map[modelserver.Kind]int{}
		for _, kind := range f.Tasks {
			kinds[kind]++
		}
		for _, kind := range modelserver.Staying() {
			if kinds[kind] != tt.each {
				t.Errorf("%d tasks: %d meet %q", tt.tasks, kinds[kind], kind)
			}
		}
		if f.Rate < tt.least || f.Rate > tt.most || len(f.Outages) != tt.outages || f.Outages[0].After != tt.outageAt {
			t.Errorf("%d tasks: rate %.2f, outages %v", tt.tasks, f.Rate, f.Outages)
		}
	}
	if f := plan(tasks(100), .2); f.Rate != .2 {
		t.Errorf("a rate that is given becomes %.2f", f.Rate)
	}
}

func answered(id, task string) schemas.Trajectory {
	return schemas.Trajectory{TrajectoryID: id, TaskID: task, Outcome: schemas.OutcomeSolved, Reward: schemas.Ptr(1.0), RewardUpstream: schemas.Ptr(1.0),
		Messages: []schemas.ChatMessage{{Role: "user", Content: "x"}}, Steps: []schemas.Step{{}}}
}

func ended(id, task, outcome string) schemas.Trajectory {
	row := schemas.Trajectory{TrajectoryID: id, TaskID: task, Outcome: outcome}
	if outcome == schemas.OutcomeTokenLimit {
		row.OutcomeReason = "server_context"
	}
	return row
}

// TestJudge: each way in which a run with faults may come to other rows is found.
func TestJudge(t *testing.T) {
	faults := modelserver.Faults{Tasks: map[string]modelserver.Kind{"Find 1": modelserver.Refused, "Find 2": modelserver.ContextVLLM}}
	set := func() (calm, rough map[string]schemas.Trajectory) {
		calm, rough = map[string]schemas.Trajectory{}, map[string]schemas.Trajectory{}
		for i := range 3 {
			for n := range k {
				id, task := fmt.Sprintf("%d#%d", i, n), fmt.Sprint("task ", i)
				calm[id] = answered(id, task)
				switch i {
				case 0:
					rough[id] = answered(id, task)
				case 1:
					rough[id] = ended(id, task, schemas.OutcomeInfraError)
				case 2:
					rough[id] = ended(id, task, schemas.OutcomeTokenLimit)
				}
			}
		}
		return calm, rough
	}
	var given []modelserver.Tally
	for _, kind := range append(append(modelserver.Passing(), modelserver.Staying()...), modelserver.Down) {
		given = append(given, modelserver.Tally{Kind: kind, Given: 1, Conversations: 1})
	}
	for name, tt := range map[string]struct {
		change func(calm, rough map[string]schemas.Trajectory) (said string)
		want   string
	}{
		"as it should be": {func(_, _ map[string]schemas.Trajectory) string { return "" }, ""},
		"lost":            {func(_, rough map[string]schemas.Trajectory) string { delete(rough, "0#1"); return "" }, "1 lost (0#1)"},
		"more": {func(_, rough map[string]schemas.Trajectory) string {
			rough["9#9"] = answered("9#9", "task 0")
			return ""
		}, "1 not wanted (9#9)"},
		"another outcome": {func(_, rough map[string]schemas.Trajectory) string {
			rough["0#1"] = ended("0#1", "task 0", schemas.OutcomeFailed)
			return ""
		}, "0#1 differs in"},
		"a fault that should have passed": {func(_, rough map[string]schemas.Trajectory) string {
			rough["0#1"] = ended("0#1", "task 0", schemas.OutcomeInfraError)
			return ""
		}, "1 different (0#1)"},
		"a fault that was graded": {func(_, rough map[string]schemas.Trajectory) string {
			row := ended("1#1", "task 1", schemas.OutcomeInfraError)
			row.Reward = schemas.Ptr(0.0)
			rough["1#1"] = row
			return ""
		}, "has rewards"},
		"a fault that became a failure": {func(_, rough map[string]schemas.Trajectory) string {
			rough["1#1"] = ended("1#1", "task 1", schemas.OutcomeFailed)
			return ""
		}, "not as infra_error"},
		"a context that became a fault": {func(_, rough map[string]schemas.Trajectory) string {
			rough["2#1"] = ended("2#1", "task 2", schemas.OutcomeInfraError)
			return ""
		}, "not as token_limit"},
		"a faulty attempt is lost": {func(_, rough map[string]schemas.Trajectory) string { delete(rough, "1#1"); return "" }, "never answered have no row"},
		"calm infra_error": {func(calm, rough map[string]schemas.Trajectory) string {
			calm["0#1"] = ended("0#1", "task 0", schemas.OutcomeInfraError)
			rough["0#1"] = calm["0#1"]
			return ""
		}, "of the calm run ends as infra_error"},
		"it says the question": {func(_, _ map[string]schemas.Trajectory) string {
			return "bad: What is the sample size of study number 1? x"
		}, "what a task asks"},
		"it says the fault": {func(_, _ map[string]schemas.Trajectory) string { return modelserver.Canary }, "what the server said"},
		"it says the key":   {func(_, _ map[string]schemas.Trajectory) string { return "Bearer " + right }, "a key"},
	} {
		t.Run(name, func(t *testing.T) {
			p := proof{tasks: tasks(3)}
			calm, rough := set()
			said := tt.change(calm, rough)
			p.judge(faults, sampled{name: "calm", rows: calm}, sampled{name: "rough", rows: rough, tallies: given, said: said})
			got := strings.Join(p.faults, "; ")
			if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	p := proof{tasks: tasks(3)}
	calm, rough := set()
	again := slices.Clone(given)
	again[len(again)-2].Given = 6
	p.judge(faults, sampled{rows: calm}, sampled{rows: rough, tallies: again})
	if len(p.faults) != 1 || !strings.Contains(p.faults[0], "1 conversations were asked 6 times") {
		t.Errorf("a refusal that is asked again: %q", p.faults)
	}
	never := proof{tasks: tasks(3)}
	never.judge(faults, sampled{rows: calm}, sampled{rows: rough, tallies: given[1:]})
	if len(never.faults) != 1 || !strings.Contains(never.faults[0], "never came: 429") {
		t.Errorf("a kind that never came: %q", never.faults)
	}
}

// TestEndings: each has its own name and says how it has to end.
func TestEndings(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range slices.Concat(endings(tasks(3))...) {
		if e.name == "" || seen[e.name] || e.code == 3 && e.lines != 1 || e.key == "" {
			t.Errorf("%+v", e)
		}
		seen[e.name] = true
	}
	if len(seen) < 9 {
		t.Errorf("%d endings", len(seen))
	}
}

func TestLast(t *testing.T) {
	for text, want := range map[string]string{"": "", "a\n": "a", "a\nb\n": "b", "b": "b"} {
		if got := last(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
