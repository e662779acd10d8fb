package rollout

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/window"
)

// Old observations are shown in short where the prompt would be too long, which the
// step says; the row keeps them whole.
func TestCut(t *testing.T) {
	p := play(t, schemas.FeedbackStopOnSuccess, Limits{PromptTokens: 4500}, code("flood one"), code("flood two"), code("flood three"), code("set 1"))
	if p.err != nil || p.row.Outcome != schemas.OutcomeSolved {
		t.Fatalf("%v, %s (%s)", p.err, p.row.Outcome, p.row.OutcomeReason)
	}
	cuts := 0
	for i, s := range p.row.Steps {
		cut := int(schemas.Value(s.CutMessages))
		cuts += cut
		if (s.CutMessages == nil) != (s.CutTokens == nil) || cut > 0 && *s.CutTokens <= 0 {
			t.Errorf("step %d: cut %v messages, %v tokens", i, s.CutMessages, s.CutTokens)
		}
		// What it was shown can be made again from the row.
		seen := p.policy.seen[i].Messages
		if !reflect.DeepEqual(seen, window.Shown(p.row.Messages[:len(seen)], cut)) {
			t.Errorf("step %d was shown something else than its row says", i)
		}
		if i < 3 && len(s.Observation) < 4000 {
			t.Errorf("step %d lost its observation", i)
		}
	}
	if cuts == 0 {
		t.Error("nothing was cut")
	}
}

// oracle is a Debugger.
type oracle struct{ fail error }

func (oracle) Name() string { return "oracle" }

func (o oracle) Explain(_ context.Context, code, message string, _ uint64) (Reply, error) {
	return Reply{Content: fmt.Sprintf("%s fails: %s\x1b[31m", code, message), PromptTokens: 1000, CompletionTokens: 7, CostUSD: schemas.Ptr(0.25)}, o.fail
}

func TestDebugger(t *testing.T) {
	ask := do(schemas.ActionDebugging, "code", "raise luck", "error_msg", "ValueError: no luck")
	p := playAs(t, func(a *agent) { a.debugger = oracle{} }, schemas.FeedbackStopOnSuccess, Limits{}, ask)
	if p.err != nil {
		t.Fatal(p.err)
	}
	s := p.row.Steps[0]
	if s.DebuggedBy != "oracle" || s.Status != StepExplained || !strings.HasPrefix(s.Observation, "raise luck fails: ValueError: no luck\nreplies left") {
		t.Errorf("%+v", s)
	}
	if *p.row.CostUSD != 0.25 || *p.row.PromptTokens < 1000 || *p.row.CompletionTokens < 7 {
		t.Errorf("usage %v %v %v", *p.row.CostUSD, *p.row.PromptTokens, *p.row.CompletionTokens)
	}
	if rules := play(t, schemas.FeedbackStopOnSuccess, Limits{}, ask).row.Steps[0]; rules.DebuggedBy != DebuggedByRules {
		t.Errorf("%+v", rules)
	}
	lost := playAs(t, func(a *agent) { a.debugger = oracle{errors.New("gone")} }, schemas.FeedbackStopOnSuccess, Limits{}, ask)
	var infra *infraError
	if !errors.As(lost.err, &infra) || infra.part != "debugger" {
		t.Errorf("a debugger that is gone: %v", lost.err)
	}
}

// Each step tells whether a verdict was shown with it.
func TestFeedbackOnEveryStep(t *testing.T) {
	for feedback, want := range map[string][]bool{schemas.FeedbackStopOnSuccess: {false, false, true, true}, schemas.FeedbackSubmitOnce: {false, false, false}} {
		var got []bool
		for _, s := range play(t, feedback, Limits{}, say("?"), code("print x"), code("set 2"), code("set 1")).row.Steps {
			if s.GraderFeedbackShown == nil {
				t.Fatalf("%s: a step does not tell", feedback)
			}
			got = append(got, *s.GraderFeedbackShown)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", feedback, got, want)
		}
	}
}

func TestReplyColumns(t *testing.T) {
	reply := code("set 1")
	reply.FinishReason, reply.TokenIDs, reply.Logprobs = "stop", []int32{0, 5}, []float64{0, -1.5}
	reply.PromptTokens, reply.CompletionTokens = 10, 2
	s := play(t, schemas.FeedbackStopOnSuccess, Limits{}, reply).row.Steps[0]
	if s.FinishReason != "stop" || !reflect.DeepEqual(s.TokenIDs, reply.TokenIDs) || !reflect.DeepEqual(s.Logprobs, reply.Logprobs) || *s.PromptTokens != 10 || *s.CompletionTokens != 2 {
		t.Errorf("%+v", s)
	}
}
