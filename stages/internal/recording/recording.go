// Package recording holds what is kept of an attempt that was made elsewhere or
// before: what the agent said, and what it was told about it in the end. It is what a
// replay plays.
package recording

import (
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
)

// Recording is one recorded attempt.
type Recording struct {
	TaskID string // as the recording names it; empty where it does not
	// Opening is all that was shown before the first reply: the system prompt and the
	// task. It is what the task is known by where it is not named.
	Opening string
	Replies []Reply
	Policy  schemas.Policy // who was recorded: kind, model and sampling, as far as told
	// Reward and Upstream are the recorded verdicts, strict and the public release's.
	// nil: none.
	Reward, Upstream *float64
	Notes            Notes
}

// Reply is one turn of the agent.
type Reply struct {
	Content          string          `json:"content,omitempty"`
	Reasoning        string          `json:"reasoning,omitempty"`
	Calls            []protocol.Call `json:"calls,omitempty"` // native tool calls
	Truncated        bool            `json:"truncated,omitzero"`
	CompletionTokens int64           `json:"completion_tokens,omitzero"`
	FinishReason     string          `json:"finish_reason,omitempty"`
	TokenIDs         []int32         `json:"token_ids,omitempty"`
	Logprobs         []float64       `json:"logprobs,omitempty"`
}

// Notes count what a recording has that a replay cannot give back.
type Notes struct {
	Replaced  int // replies in whose place upstream's own message about them stands
	Media     int // images and sounds in the agent's messages
	Unasked   int // steps of the agent's program that no model was asked for
	Delegated int // trajectories of subagents
}

// FromTrajectory takes a recording out of a row of ours. A row without messages,
// which is one of infra_error, has no replies.
func FromTrajectory(t schemas.Trajectory) (Recording, error) {
	r := Recording{TaskID: t.TaskID, Policy: t.Policy, Reward: t.Reward, Upstream: t.RewardUpstream}
	var opening []string
	for _, m := range t.Messages {
		if m.Role != schemas.RoleAssistant {
			if len(r.Replies) == 0 {
				opening = append(opening, m.Content)
			}
			continue
		}
		reply := Reply{Content: m.Content, Reasoning: m.Reasoning}
		if m.ToolCallsJSON != "" {
			calls, err := Calls(m.ToolCallsJSON)
			if err != nil {
				return r, err
			}
			reply.Calls = calls
		}
		if i := len(r.Replies); i < len(t.Steps) {
			s := t.Steps[i]
			reply.Truncated = s.Status == statusCut
			reply.CompletionTokens, reply.FinishReason = schemas.Value(s.CompletionTokens), s.FinishReason
			reply.TokenIDs, reply.Logprobs = s.TokenIDs, s.Logprobs
		}
		r.Replies = append(r.Replies, reply)
	}
	r.Opening = strings.Join(opening, "\n")
	return r, nil
}

// statusCut is the status of a step whose reply passed the output limit.
const statusCut = "reply_cut"

// Calls reads the column tool_calls_json.
func Calls(text string) ([]protocol.Call, error) {
	var calls []protocol.Call
	if json.Unmarshal([]byte(text), &calls) != nil {
		return nil, errCalls // the cause may quote them
	}
	return calls, nil
}

type fault string

func (f fault) Error() string { return string(f) }

const errCalls = fault("its tool calls cannot be read")
