package rollout

import (
	"context"
	"errors"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
)

// Policy plays the agent in one attempt.
type Policy interface {
	// Next gives the agent's next reply. An error says that the policy could not be
	// reached, or failed; it must hold no row content, for it is logged. The attempt
	// is then tried again with a new Policy, and ends as infra_error after a few
	// tries; ErrContextLength (wrapped) ends it as token_limit, ErrRefused as
	// infra_error at once.
	Next(ctx context.Context, c Conversation) (Reply, error)
}

// Conversation is what the agent sees: a system turn, the task as a user turn,
// then its own replies and the observations in alternation, ending with an
// observation: a user turn, or a tool turn after a native tool call. It is the
// policy's to read, not to keep or to change.
type Conversation struct {
	Messages     []schemas.ChatMessage
	Actions      []string // those of the task
	TurnsLeft    int      // this reply included
	PromptTokens int      // of Messages, by our count
}

// Reply is one assistant turn.
type Reply struct {
	Content string
	// Reasoning is what the model thought before it, where the endpoint tells. It is
	// kept beside the turn and is no part of the conversation.
	Reasoning string
	// Calls are native tool calls, in place of an action in Content.
	Calls []protocol.Call
	// Done ends the attempt without a further turn: the policy gives up, or what it
	// replays is over. Content is then ignored.
	Done bool
	// Truncated says that the reply was cut at the output limit.
	Truncated bool
	// Usage as the endpoint counted it; zero where it did not.
	PromptTokens, CompletionTokens int64
	CostUSD                        *float64
	// FinishReason, token ids and log probabilities of the reply, where the endpoint
	// gives them.
	FinishReason string
	TokenIDs     []int32
	Logprobs     []float64
}

// Policies makes the policy of each attempt. Where they are an io.Closer they are
// closed when the last attempt has ended; where a Policy is, when its attempt has.
type Policies interface {
	// About describes the policy for the rows and for the stage's config. The seed
	// is filled in for each attempt.
	About() schemas.Policy
	// New starts an attempt. All randomness must come from the seed, so that an
	// attempt that is done again comes out the same. ErrNoPlay (wrapped) says that
	// this policy cannot play the task; it is then counted and left out.
	New(task schemas.Task, attempt int, seed uint64) (Policy, error)
}

// Varying is for Policies whose attempts are not all described alike: by a schedule
// of temperatures, or because each replays another recording.
type Varying interface {
	AboutAttempt(task schemas.Task, attempt int) schemas.Policy
}

// Configured is for Policies that more shapes than About tells. Settings is a text
// that is another where an attempt could come out otherwise.
type Configured interface{ Settings() string }

// Sender is for Policies that send rows to an endpoint outside this process.
type Sender interface {
	// Permit refuses (pipeline.PolicyError) where rows of sources that are not open
	// must not be sent there. It is asked before anything is.
	Permit(sources []string) error
}

// ErrNoPlay says that a policy has nothing to play for a task.
var ErrNoPlay = errors.New("the policy cannot play this task")

// ErrContextLength says that a conversation is longer than the model can read.
var ErrContextLength = errors.New("the conversation is longer than the model's context")

// ErrRefused says that a model will not answer a conversation, however often it is
// asked.
var ErrRefused = errors.New("the model does not answer this conversation")

// The protocols of schemas.Policy: actions as JSON in the text, or native tool calls.
// Policies that name none speak the first.
const (
	ProtocolJSON  = "json"
	ProtocolTools = "tools"
)

// DebuggedByRules is the debugged_by of steps that the rules explained.
const DebuggedByRules = "rules"

// Debugger explains errors to agents in the place of the rules, as a model does that
// is asked what a program and its error mean.
type Debugger interface {
	// Name goes into the column debugged_by.
	Name() string
	// Explain says what an error means. Of the reply, the content and the usage count.
	// Its errors are as those of Policy.Next. All randomness comes from the seed.
	Explain(ctx context.Context, code, message string, seed uint64) (Reply, error)
}
