package judge_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
	"github.com/medgym-data/medgym-data/stages/internal/judge"
)

// answers is a grader that gives what is next in line.
type answers struct {
	verdicts []datasets.Verdict
	errs     []error
	asked    int
}

func (a *answers) Grade(context.Context, schemas.Task, datasets.Submission, datasets.Runner) (datasets.Verdict, error) {
	a.asked++
	return a.verdicts[min(a.asked, len(a.verdicts))-1], a.errs[min(a.asked, len(a.errs))-1]
}

func TestVerdict(t *testing.T) {
	fault := fmt.Errorf("run: %w", execute.ErrSandbox)
	gold := &datasets.GoldError{Reason: "gold_error"}
	one := datasets.Verdict{Reward: 1, Upstream: 1}
	for name, tc := range map[string]struct {
		verdict datasets.Verdict
		errs    []error
		asked   int
		reason  string
	}{
		"at once":                     {one, []error{nil}, 1, ""},
		"after faults of the sandbox": {one, []error{fault, fault, nil}, 3, ""},
		"the sandbox keeps failing":   {one, []error{fault}, 3, "grader_sandbox"},
		"the gold is at fault":        {one, []error{gold}, 1, "gold_error"},
		"another error":               {one, []error{errors.New("odd")}, 1, "grader"},
		"a reward above 1":            {datasets.Verdict{Reward: 2}, []error{nil}, 1, "grader"},
		"no number":                   {datasets.Verdict{Upstream: math.NaN()}, []error{nil}, 1, "grader"},
		"a score below 0":             {datasets.Verdict{Score: schemas.Ptr(-0.1)}, []error{nil}, 1, "grader"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &answers{verdicts: []datasets.Verdict{tc.verdict}, errs: tc.errs}
			v, err := judge.Judge{Grader: g}.Verdict(t.Context(), schemas.Task{TaskID: "s/test/1"}, datasets.Submission{})
			if g.asked != tc.asked {
				t.Errorf("asked %d times, want %d", g.asked, tc.asked)
			}
			if tc.reason == "" {
				if err != nil || v != tc.verdict {
					t.Errorf("%+v, %v", v, err)
				}
				return
			}
			if err == nil || judge.Reason(err) != tc.reason || !strings.Contains(err.Error(), "s/test/1") {
				t.Errorf("%v, reason %s", err, judge.Reason(err))
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g := &answers{verdicts: []datasets.Verdict{{}}, errs: []error{fault}}
	if _, err := (judge.Judge{Grader: g}).Verdict(ctx, schemas.Task{}, datasets.Submission{}); !errors.Is(err, context.Canceled) || g.asked != 1 {
		t.Errorf("cancelled: %v, asked %d times", err, g.asked)
	}
}

func TestSubmissionRoundTrip(t *testing.T) {
	sub := datasets.Submission{
		Code: "x = '<\u2028é\"'\n", Answer: datasets.RawValue(`12.0`), Captured: map[string]datasets.RawValue{"b": []byte(`{"$":"int","v":"1"}`), "a": []byte("null")},
		Stdout: "a\x00b", Stderr: "e", Records: map[string]datasets.RawValue{"fhir": []byte(`[{"url":"u"}]`)}, Status: "error", Error: "KeyError",
	}
	text, err := judge.Encode(sub)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, err := judge.Encode(sub); err != nil || again != text {
			t.Fatalf("encoded as\n%s and as\n%s, %v", text, again, err)
		}
	}
	got, err := judge.Decode(text)
	if err != nil || !reflect.DeepEqual(got, sub) {
		t.Errorf("%s was read as %+v, %v", text, got, err)
	}
	if _, err := judge.Decode(`{"code": "patient`); err == nil || strings.Contains(err.Error(), "patient") {
		t.Errorf("a broken submission: %v", err)
	}
}

func TestSettle(t *testing.T) {
	step := func(strict, upstream float64, answer string) schemas.Step {
		return schemas.Step{Submission: `{"code":"","status":"ok","answer":` + answer + `}`, Reward: &strict, RewardUpstream: &upstream}
	}
	for name, tc := range map[string]struct {
		outcome          string
		steps            []schemas.Step
		strict, upstream float64 // -1: null
		seen             string
	}{
		"nothing submitted":         {schemas.OutcomeTurnLimit, []schemas.Step{{}}, 0, 0, ""},
		"the last counts, and best": {schemas.OutcomeFailed, []schemas.Step{step(0, 1, "1"), {}, step(0, 0, "2")}, 0, 1, "2"},
		"solved":                    {schemas.OutcomeSolved, []schemas.Step{step(0, 0, "1"), step(1, 0, `{"$":"nat"}`)}, 1, 0, `{"$":"nat"}`},
		"no verdict":                {schemas.OutcomeGraderError, []schemas.Step{step(0, 1, "1")}, -1, -1, "1"},
		"no attempt":                {schemas.OutcomeInfraError, nil, -1, -1, ""},
	} {
		row := schemas.Trajectory{Outcome: tc.outcome, Steps: tc.steps, Reward: schemas.Ptr(0.5), AnswerSeen: "old"}
		judge.Settle(&row, nil)
		null := func(p *float64) float64 {
			if p == nil {
				return -1
			}
			return *p
		}
		if null(row.Reward) != tc.strict || null(row.RewardUpstream) != tc.upstream || row.AnswerSeen != tc.seen {
			t.Errorf("%s: %v, %v, %q", name, row.Reward, row.RewardUpstream, row.AnswerSeen)
		}
	}
}
