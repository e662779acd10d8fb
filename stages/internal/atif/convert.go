package atif

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"github.com/medgym-data/medgym-data/stages/internal/recording"
)

// AgentName is the agent of the documents that this program writes.
const AgentName = "medgym-data"

// ExtraKey is the member of every extra below which our own columns stand.
const ExtraKey = "medgym"

// trajectoryExtra are the columns of a trajectory that the format has no member for.
type trajectoryExtra struct {
	TaskID         string             `json:"task_id"`
	Source         string             `json:"source"`
	Split          string             `json:"split"`
	Category       string             `json:"category,omitempty"`
	AccessTier     schemas.Tier       `json:"access_tier"`
	Attempt        *int32             `json:"attempt,omitzero"`
	Policy         schemas.Policy     `json:"policy"`
	Outcome        schemas.Outcome    `json:"outcome"`
	OutcomeReason  string             `json:"outcome_reason,omitempty"`
	Reward         *float64           `json:"reward"`
	RewardUpstream *float64           `json:"reward_upstream"`
	Score          *float64           `json:"score,omitzero"`
	AnswerSeen     string             `json:"answer_seen,omitempty"`
	Feedback       string             `json:"feedback,omitempty"`
	VerifierScore  *float64           `json:"verifier_score,omitzero"`
	Verifier       string             `json:"verifier,omitempty"`
	WallS          *float64           `json:"wall_s,omitzero"`
	CreatedAt      *time.Time         `json:"created_at,omitzero"`
	Sandbox        schemas.SandboxRef `json:"sandbox"`
	GraderVersion  string             `json:"grader_version,omitempty"`
	SchemaVersion  *int32             `json:"schema_version,omitzero"`
}

// stepExtra are those of a step.
type stepExtra struct {
	Turn                *int32   `json:"turn,omitzero"`
	Action              string   `json:"action,omitempty"`
	ParamsJSON          string   `json:"params_json,omitempty"`
	Status              string   `json:"status,omitempty"`
	ErrorType           string   `json:"error_type,omitempty"`
	ExitCode            *int32   `json:"exit_code,omitzero"`
	WallMS              *int64   `json:"wall_ms,omitzero"`
	OutputTruncated     *bool    `json:"output_truncated,omitzero"`
	GraderFeedbackShown *bool    `json:"grader_feedback_shown,omitzero"`
	Submission          string   `json:"submission,omitempty"`
	Reward              *float64 `json:"reward,omitzero"`
	RewardUpstream      *float64 `json:"reward_upstream,omitzero"`
	GradeReason         string   `json:"grade_reason,omitempty"`
	Repairs             []string `json:"repairs,omitempty"`
	DebuggedBy          string   `json:"debugged_by,omitempty"`
	CutMessages         *int32   `json:"cut_messages,omitzero"`
	CutTokens           *int64   `json:"cut_tokens,omitzero"`
	FinishReason        string   `json:"finish_reason,omitempty"`
	// Observation where it was not shown as it is.
	Observation string `json:"observation,omitempty"`
	Name        string `json:"name,omitempty"` // of the message
}

// callExtra tells how a call was written. In a reply of the JSON protocol the call
// stands in the message, and tool_calls repeat it for readers of the format.
type callExtra struct {
	InMessage     bool    `json:"in_message,omitzero"`
	ArgumentsText *string `json:"arguments_text,omitzero"` // where arguments are no object, or spelled otherwise
	ID            *string `json:"id,omitzero"`             // where tool_call_id had to be made up
}

// resultExtra tells of a result that the agent was not shown.
type resultExtra struct {
	Shown bool `json:"shown"`
}

func extraOf(v any) (Extra, error) {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	return Extra{ExtraKey: text}, nil
}

// read fills v with what stands below ExtraKey; nothing where there is nothing, or
// something else.
func (e Extra) read(v any) bool {
	text, ok := e[ExtraKey]
	return ok && json.Unmarshal(text, v) == nil
}

// FromTrajectory makes the document of a trajectory. Every column is in it; a
// trajectory without messages has no document.
func FromTrajectory(t schemas.Trajectory) (Document, error) {
	w := writer{t: t}
	d, err := w.document()
	if err == nil {
		err = d.Validate()
	}
	if err != nil {
		return Document{}, fmt.Errorf("trajectory %s as ATIF: %w", t.TrajectoryID, err)
	}
	return d, nil
}

type writer struct {
	t       schemas.Trajectory
	steps   []Step
	replies int
}

func (w *writer) document() (Document, error) {
	t := w.t
	version := "schema-" + strconv.Itoa(int(schemas.Value(t.SchemaVersion)))
	d := Document{
		SchemaVersion: Version, SessionID: text(t.RunID), TrajectoryID: text(t.TrajectoryID),
		Agent: &Agent{Name: schemas.Ptr(AgentName), Version: &version, ModelName: text(t.Policy.Model)},
	}
	for i := 0; i < len(t.Messages); {
		n, err := w.message(i)
		if err != nil {
			return d, err
		}
		i += n
	}
	d.Steps = w.steps
	total := int64(len(d.Steps))
	d.FinalMetrics = &FinalMetrics{TotalPromptTokens: t.PromptTokens, TotalCompletionTokens: t.CompletionTokens, TotalCostUSD: t.CostUSD, TotalSteps: &total}
	var err error
	d.Extra, err = extraOf(trajectoryExtra{
		TaskID: t.TaskID, Source: t.Source, Split: t.Split, Category: t.Category, AccessTier: t.AccessTier, Attempt: t.Attempt, Policy: t.Policy,
		Outcome: t.Outcome, OutcomeReason: t.OutcomeReason, Reward: t.Reward, RewardUpstream: t.RewardUpstream, Score: t.Score, AnswerSeen: t.AnswerSeen,
		Feedback: t.Feedback, VerifierScore: t.VerifierScore, Verifier: t.Verifier, WallS: t.WallS, CreatedAt: t.CreatedAt, Sandbox: t.Sandbox,
		GraderVersion: t.GraderVersion, SchemaVersion: t.SchemaVersion,
	})
	return d, err
}

// message makes the step of the message at i, with those that answer it, and says how
// many messages went into it.
func (w *writer) message(i int) (int, error) {
	m := w.t.Messages[i]
	step := Step{StepID: int64(len(w.steps)) + 1, Message: &Content{Text: m.Content}}
	n := 1
	var own stepExtra
	switch m.Role {
	case schemas.RoleSystem:
		step.Source = SourceSystem
	case schemas.RoleAssistant:
		step.Source = SourceAgent
		for n < len(w.t.Messages)-i && w.t.Messages[i+n].Role != schemas.RoleAssistant && w.t.Messages[i+n].Role != schemas.RoleSystem {
			n++
		}
		var err error
		if own, err = w.reply(&step, m, w.t.Messages[i+1:i+n]); err != nil {
			return 0, err
		}
	default:
		step.Source = SourceUser
	}
	if len(w.steps) == 0 && w.t.CreatedAt != nil {
		step.Timestamp = schemas.Ptr(w.t.CreatedAt.UTC().Format(time.RFC3339Nano))
	}
	own.Name = m.Name
	if own.any() {
		var err error
		if step.Extra, err = extraOf(own); err != nil {
			return 0, err
		}
	}
	w.steps = append(w.steps, step)
	return n, nil
}

// any says whether there is something in it.
func (s stepExtra) any() bool {
	text, err := json.Marshal(s)
	return err != nil || string(text) != "{}"
}

// reply fills a step of the agent: what it called, what it was shown, and what the
// row's step says of it.
func (w *writer) reply(step *Step, m schemas.ChatMessage, answers []schemas.ChatMessage) (stepExtra, error) {
	var own stepExtra
	row := schemas.Step{}
	if w.replies < len(w.t.Steps) {
		row = w.t.Steps[w.replies]
	}
	w.replies++
	step.ReasoningContent = text(m.Reasoning)
	step.LLMCallCount = schemas.Ptr(int64(1))
	if err := w.calls(step, m, row); err != nil {
		return own, err
	}
	if row.PromptTokens != nil || row.CompletionTokens != nil || len(row.TokenIDs) > 0 || len(row.Logprobs) > 0 {
		step.Metrics = &Metrics{PromptTokens: row.PromptTokens, CompletionTokens: row.CompletionTokens, CompletionTokenIDs: wide(row.TokenIDs), Logprobs: finite(row.Logprobs)}
	}
	own = stepExtra{
		Turn: row.Turn, Action: row.Action, ParamsJSON: row.ParamsJSON, Status: row.Status, ErrorType: row.ErrorType, ExitCode: row.ExitCode, WallMS: row.WallMS,
		OutputTruncated: row.OutputTruncated, GraderFeedbackShown: row.GraderFeedbackShown, Submission: row.Submission, Reward: row.Reward,
		RewardUpstream: row.RewardUpstream, GradeReason: row.GradeReason, Repairs: row.Repairs, DebuggedBy: row.DebuggedBy,
		CutMessages: row.CutMessages, CutTokens: row.CutTokens, FinishReason: row.FinishReason,
	}
	seen := false
	var results []Result
	for _, a := range answers {
		r := Result{Content: &Content{Text: a.Content}}
		for i := range step.ToolCalls {
			if id := step.ToolCalls[i].ToolCallID; a.Role == schemas.RoleTool && *id == a.ToolCallID || len(step.ToolCalls) == 1 && len(answers) == 1 {
				r.SourceCallID = id
			}
		}
		seen = seen || a.Content == row.Observation
		results = append(results, r)
	}
	switch {
	case row.Observation == "" || seen:
	case len(results) == 0: // the last step's, which nobody was shown
		extra, err := extraOf(resultExtra{})
		if err != nil {
			return own, err
		}
		r := Result{Content: &Content{Text: row.Observation}, Extra: extra}
		if len(step.ToolCalls) == 1 {
			r.SourceCallID = step.ToolCalls[0].ToolCallID
		}
		results = append(results, r)
	default:
		own.Observation = row.Observation
	}
	if len(results) > 0 {
		step.Observation = &Observation{Results: results}
	}
	return own, nil
}

// calls fills in the calls of a reply: its native ones, or the action in its text.
func (w *writer) calls(step *Step, m schemas.ChatMessage, row schemas.Step) error {
	if m.ToolCallsJSON == "" {
		if row.Action == "" || jsontext.Value(row.ParamsJSON).Kind() != '{' || !jsontext.Value(row.ParamsJSON).IsValid() {
			return nil
		}
		extra, err := extraOf(callExtra{InMessage: true})
		if err != nil {
			return err
		}
		step.ToolCalls = []ToolCall{{ToolCallID: schemas.Ptr(fmt.Sprintf("step_%d", step.StepID)), FunctionName: schemas.Ptr(row.Action),
			Arguments: jsontext.Value(row.ParamsJSON), Extra: extra}}
		return nil
	}
	calls, err := recording.Calls(m.ToolCallsJSON)
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for i, call := range calls {
		var extra callExtra
		id := call.ID
		if id == "" || used[id] {
			extra.ID = &call.ID
			id = fmt.Sprintf("step_%d_call_%d", step.StepID, i+1)
		}
		used[id] = true
		arguments := jsontext.Value(call.Arguments)
		if !arguments.IsValid() || arguments.Kind() != '{' {
			arguments = jsontext.Value("{}")
		}
		arguments = bytes.Clone(arguments)
		if err := arguments.Compact(); err != nil {
			return fmt.Errorf("arguments: %w", err)
		}
		if string(arguments) != call.Arguments {
			extra.ArgumentsText = &call.Arguments
		}
		c := ToolCall{ToolCallID: &id, FunctionName: &call.Name, Arguments: arguments}
		if extra != (callExtra{}) {
			if c.Extra, err = extraOf(extra); err != nil {
				return err
			}
		}
		step.ToolCalls = append(step.ToolCalls, c)
	}
	return nil
}

// ToRecording takes out of a document what the agent said. It is of the document's own
// steps: trajectories of subagents are counted, and what was copied from an earlier
// document is played with the rest.
func ToRecording(d Document) (recording.Recording, error) {
	var own trajectoryExtra
	r := recording.Recording{Policy: schemas.Policy{}}
	if d.Extra.read(&own) {
		r.TaskID, r.Policy, r.Reward, r.Upstream = own.TaskID, own.Policy, own.Reward, own.RewardUpstream
	} else if text, ok := d.Extra["task_id"]; ok {
		_ = json.Unmarshal(text, &r.TaskID) // one that is no text is not ours
	}
	if r.Policy.Model == "" && d.Agent.ModelName != nil {
		r.Policy.Model = *d.Agent.ModelName
	}
	r.Notes.Delegated = len(d.SubagentTrajectories)
	var opening []byte
	for i := range d.Steps {
		s := &d.Steps[i]
		text, media := s.Message.Plain()
		if s.Source != SourceAgent {
			if len(r.Replies) == 0 {
				opening = append(append(opening, text...), '\n')
			}
			continue
		}
		r.Notes.Media += media
		if s.LLMCallCount != nil && *s.LLMCallCount == 0 {
			r.Notes.Unasked++
			continue
		}
		if r.Policy.Model == "" && s.ModelName != nil {
			r.Policy.Model = *s.ModelName
		}
		reply, err := s.reply(text)
		if err != nil {
			return r, err
		}
		if len(reply.Calls) > 0 && r.Policy.Protocol == "" {
			r.Policy.Protocol = "tools"
		}
		r.Replies = append(r.Replies, reply)
	}
	r.Opening = string(opening)
	return r, nil
}

func (s *Step) reply(text string) (recording.Reply, error) {
	reply := recording.Reply{Content: text, Reasoning: schemas.Value(s.ReasoningContent)}
	var own stepExtra
	if s.Extra.read(&own) {
		reply.Truncated, reply.FinishReason = own.Status == "reply_cut", own.FinishReason
	}
	if s.Metrics != nil {
		reply.CompletionTokens, reply.Logprobs = schemas.Value(s.Metrics.CompletionTokens), s.Metrics.Logprobs
		for _, id := range s.Metrics.CompletionTokenIDs {
			if id < 0 || id > math.MaxInt32 {
				reply.TokenIDs = nil // no vocabulary is so large: not ids
				break
			}
			reply.TokenIDs = append(reply.TokenIDs, int32(id))
		}
	}
	for _, c := range s.ToolCalls {
		var extra callExtra
		c.Extra.read(&extra)
		if extra.InMessage {
			continue
		}
		call := protocol.Call{ID: *c.ToolCallID, Name: *c.FunctionName}
		arguments := bytes.Clone(c.Arguments)
		if err := (*jsontext.Value)(&arguments).Compact(); err != nil {
			return reply, &Fault{What: "has arguments that are not JSON"}
		}
		call.Arguments = string(arguments)
		if extra.ArgumentsText != nil {
			call.Arguments = *extra.ArgumentsText
		}
		if extra.ID != nil {
			call.ID = *extra.ID
		}
		reply.Calls = append(reply.Calls, call)
	}
	return reply, nil
}

// text is nil for none.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func wide(ids []int32) []int64 {
	if len(ids) == 0 {
		return nil
	}
	out := make([]int64, len(ids))
	for i, id := range ids {
		out[i] = int64(id)
	}
	return out
}

// finite is nil where a number is none that JSON can spell.
func finite(numbers []float64) []float64 {
	for _, n := range numbers {
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return nil
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	return numbers
}
