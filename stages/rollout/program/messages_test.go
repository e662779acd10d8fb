package program

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// A message is one line, whatever stands in the conversation, and native calls come as
// they are.
func TestTurnMessage(t *testing.T) {
	text, err := encode(turnOf("a#0", 2, rollout.Conversation{TurnsLeft: 3, PromptTokens: 9, Messages: []schemas.ChatMessage{
		{Role: "user", Content: "two\nlines\u2028and more", Reasoning: "not told"},
		{Role: "assistant", ToolCallsJSON: `[{"id":"c","name":"terminal","arguments":"{}"}]`},
		{Role: "tool", ToolCallID: "c", Name: "terminal", Content: "x"},
	}}))
	want := `{"type":"turn","id":"a#0","turn":2,"turns_left":3,"prompt_tokens":9,"messages":[{"role":"user","content":"two\nlines` + "\u2028" + `and more"},` +
		`{"role":"assistant","content":"","tool_calls":[{"id":"c","name":"terminal","arguments":"{}"}]},{"role":"tool","content":"x","name":"terminal","tool_call_id":"c"}]}` + "\n"
	if err != nil || string(text) != want {
		t.Errorf("%v\n got %s\nwant %s", err, text, want)
	}
	if _, err := encode(chatMessage{Content: "\xff" + secret}); err == nil || strings.Contains(err.Error(), "Ada") {
		t.Errorf("%v", err)
	}
}

// Whatever a program says is an answer that can be recorded, or a fault of a known
// class that does not quote it.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"type":"reply","id":"a","turn":1,"content":"x","calls":[{"id":"c","name":"n","arguments":{"a":1}}],"reasoning":"r","finish_reason":"stop","usage":{"prompt_tokens":1,"completion_tokens":2},"cost_usd":0.1,"token_ids":[1],"logprobs":[-1]}`,
		`{"type":"done","id":"a","turn":1}`, `{"type":"error","id":"a","turn":1,"kind":"context_length","message":"m"}`, `{"type":"ready","protocol":1}`,
		`{}`, `[]`, ``, `{"type":`, `{"type":"done","type":"done"}`, `{"type":"reply","id":"a","turn":1,"content":"\ud800"}`, "{\"type\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		whole := bytes.Clone(line)
		reply, _, err := readAnswer(line, "a", 1)
		if !bytes.Equal(line, whole) {
			t.Error("the line was changed")
		}
		var fault *Fault
		switch {
		case err == nil:
			if !utf8.ValidString(reply.Content) || reply.PromptTokens < 0 || reply.CompletionTokens < 0 {
				t.Errorf("%+v", reply)
			}
		case errors.As(err, &fault):
			if explained[fault.Class] == "" {
				t.Errorf("class %q", fault.Class)
			}
		case !errors.Is(err, rollout.ErrContextLength):
			t.Errorf("%v", err)
		}
		if err := readReady(line); err != nil && !errors.As(err, &fault) {
			t.Errorf("%v", err)
		}
	})
}
