package rollout

import (
	"reflect"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
)

func call(id, name, arguments string) protocol.Call {
	return protocol.Call{ID: id, Name: name, Arguments: arguments}
}

// Native calls stand in the conversation as the protocol of chats has them: each is
// answered by a tool turn of its id.
func TestTools(t *testing.T) {
	tools := func(a *agent) { a.tools = true }
	p := playAs(t, tools, schemas.FeedbackStopOnSuccess, Limits{},
		Reply{Content: "I look.", Reasoning: "What is there?", Calls: []protocol.Call{call("a", "code_execution", `{"code": "print x"}`)}},
		Reply{Calls: []protocol.Call{call("", "code_execution", `{"code": "print y"}`)}},
		Reply{Calls: []protocol.Call{call("b", "terminal", `{"cmd": "ls"}`), call("b", "code_execution", `{"code": "print z"}`)}},
		code("print w"),
		Reply{Calls: []protocol.Call{call("a", "code_execution", `{"code": "set 1"}`)}},
	)
	if p.err != nil {
		t.Fatal(p.err)
	}
	row := p.row
	if row.Outcome != schemas.OutcomeSolved || len(row.Steps) != 5 {
		t.Fatalf("%s (%s), %d steps", row.Outcome, row.OutcomeReason, len(row.Steps))
	}
	if err := row.Validate(); err != nil {
		t.Error(err)
	}
	var turns []string
	for _, m := range row.Messages {
		turns = append(turns, strings.TrimRight(m.Role+" "+m.ToolCallID, " "))
	}
	want := []string{"system", "user", "assistant", "tool a", "assistant", "tool call_2_1", "assistant", "tool b", "tool call_3_2", "assistant", "user", "assistant"}
	if !reflect.DeepEqual(turns, want) {
		t.Errorf("turns %q", turns)
	}
	if m := row.Messages[2]; m.Reasoning != "What is there?" || m.Content != "I look." || m.ToolCallsJSON != `[{"id":"a","name":"code_execution","arguments":"{\"code\": \"print x\"}"}]` {
		t.Errorf("first turn %+v", m)
	}
	if s := row.Steps[2]; s.Status != StepInvalid || s.ErrorType != protocol.FaultSeveral || !strings.Contains(s.Observation, "Call one of the tools") {
		t.Errorf("two calls: %+v", s)
	}
	for _, c := range p.policy.seen {
		for _, m := range c.Messages[:2] {
			if strings.Contains(m.Content, `{"action"`) {
				t.Error("the prompt speaks of JSON actions")
			}
		}
	}
}
