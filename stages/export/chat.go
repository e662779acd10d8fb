package export

import (
	"strings"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/verdict"
	"github.com/medgym-data/medgym-data/stages/internal/window"
)

// The reasons for which something is left out. They are keys of stats.json.
const (
	reasonNullReward   = "null_reward"    // no verdict could be had
	reasonTaskNotReady = "task_not_ready" // its task has been found unsound since
	reasonOverlapsTest = "overlaps_test"  // its training task overlaps test tasks, and screening was told to drop such
	reasonDuplicate    = "duplicate"      // the same row is there already

	// sft, and the solved side of a pair
	reasonNotSolved    = "not_solved"
	reasonNoSubmission = "no_submission"       // solved, and no step says with what
	reasonInconsistent = "inconsistent_reward" // the last submission's reward is not the trajectory's
	reasonNoTurn       = "turn_not_found"      // a step's turn is not among the assistant's
	reasonEmptyTurn    = "empty_turn"
	reasonRoles        = "roles_do_not_alternate"
	reasonToolCalls    = "native_tool_calls" // MSG has no place for them

	// dpo
	reasonUngraded      = "rejected_without_reward"
	reasonRepeated      = "repeated_pair"  // the same mistake again in one trajectory
	reasonNearDuplicate = "near_duplicate" // chosen and rejected hardly differ
	reasonSingle        = "single_attempt"
	reasonAllSolved     = "tie_all_solved"
	reasonAllFailed     = "tie_all_failed"
	reasonPrompts       = "prompts_differ"
	reasonObservations  = "observations_diverge" // before any turn of the assistant does
	reasonNoDivergence  = "no_divergence"        // one is the beginning of the other
	reasonChosenFailed  = "chosen_turn_failed"   // the solved attempt itself went wrong in that turn

	// verifier
	reasonNoSteps       = verdict.NoSteps
	reasonTooLong       = verdict.TooLong
	reasonContradiction = "contradicting_labels" // same prompt, YES and NO
	reasonUnbalanced    = "balance"
)

// conversation is a trajectory's chat as MSG: an optional system turn, then user
// and assistant in alternation. It ends before the first turn that does not fit,
// and fault then says why.
type conversation struct {
	messages []schemas.Message
	turns    []int // turns[n-1] is the place of the assistant's n-th turn
	merged   int   // user turns that were joined to the one before
	fault    string

	chat []schemas.ChatMessage
	cut  map[int32]int // by turn, how many observations it was shown in short
}

// conversationOf is the conversation of a trajectory.
func conversationOf(t schemas.Trajectory) conversation {
	c := converse(t.Messages)
	c.chat = t.Messages
	for _, s := range t.Steps {
		if n := int(schemas.Value(s.CutMessages)); n > 0 {
			if c.cut == nil {
				c.cut = map[int32]int{}
			}
			c.cut[schemas.Value(s.Turn)] = n
		}
	}
	return c
}

// before is what the assistant's n-th turn, which stands at a place, was an answer to:
// the turns before it, the oldest observations in short where the policy was shown
// them so.
func (c conversation) before(turn int32, at int) []schemas.Message {
	n := c.cut[turn]
	if n == 0 {
		return c.messages[:at]
	}
	return converse(window.Shown(c.chat, n)).messages[:at]
}

// converse makes the conversation. Observations are user turns, and user turns in
// a row become one.
func converse(chat []schemas.ChatMessage) conversation {
	var c conversation
	for i, m := range chat {
		last := ""
		if len(c.messages) > 0 {
			last = c.messages[len(c.messages)-1].Role
		}
		role := m.Role
		if role == schemas.RoleTool {
			role = schemas.RoleUser
		}
		switch {
		case m.ToolCallsJSON != "":
			c.fault = reasonToolCalls
		case strings.TrimSpace(m.Content) == "":
			c.fault = reasonEmptyTurn
		case role == schemas.RoleUser && last == schemas.RoleUser:
			c.messages[len(c.messages)-1].Content += "\n\n" + m.Content
			c.merged++
			continue
		case role == schemas.RoleSystem && i == 0, role == schemas.RoleUser:
		case role == schemas.RoleAssistant && last == schemas.RoleUser:
			c.turns = append(c.turns, len(c.messages))
		default:
			c.fault = reasonRoles
		}
		if c.fault != "" {
			return c
		}
		c.messages = append(c.messages, schemas.Message{Role: role, Content: m.Content})
	}
	return c
}

// place is where the assistant's n-th turn stands, from 1.
func (c conversation) place(turn int32) (int, string) {
	switch {
	case turn >= 1 && int(turn) <= len(c.turns):
		return c.turns[turn-1], ""
	case c.fault != "":
		return 0, c.fault
	}
	return 0, reasonNoTurn
}

// solution is the step that solved a trajectory, or why there is none: the last
// submission, since that is the one whose strict reward a trajectory has.
func solution(t schemas.Trajectory) (schemas.Step, string) {
	if t.Reward == nil {
		return schemas.Step{}, reasonNullReward
	}
	if *t.Reward != 1 {
		return schemas.Step{}, reasonNotSolved
	}
	i := verdict.LastSubmission(t)
	if i < 0 {
		return schemas.Step{}, reasonNoSubmission
	}
	if r := t.Steps[i].Reward; r == nil || *r != 1 {
		return schemas.Step{}, reasonInconsistent
	}
	return t.Steps[i], ""
}

// assistantTurns counts the turns of the assistant.
func assistantTurns(messages []schemas.Message) int32 {
	var n int32
	for _, m := range messages {
		if m.Role == schemas.RoleAssistant {
			n++
		}
	}
	return n
}
