// Package atif reads and writes the Agent Trajectory Interchange Format of the Harbor
// framework, versions 1.0 to 1.8 in and 1.7 out (docs/atif.md).
//
// A document is held to the rules of the reference models: no member that the format
// does not name, step_id in sequence from 1, results that refer to calls of their own
// step, and what is the agent's alone on steps of the agent alone. Two rules are
// stricter: schema_version has to be there, and numbers are numbers.
package atif

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Version is what is written.
const Version = "ATIF-v1.7"

// versions are what is read. 1.8 adds sounds to 1.7.
var versions = []string{"ATIF-v1.0", "ATIF-v1.1", "ATIF-v1.2", "ATIF-v1.3", "ATIF-v1.4", "ATIF-v1.5", "ATIF-v1.6", Version, "ATIF-v1.8"}

// Prefix begins every schema_version.
const Prefix = "ATIF-v"

// The sources of steps.
const (
	SourceSystem = "system"
	SourceUser   = "user"
	SourceAgent  = "agent"
)

// Extra is the place of what the format has no member for.
type Extra map[string]jsontext.Value

// Document is one trajectory.
type Document struct {
	SchemaVersion          string        `json:"schema_version"`
	SessionID              *string       `json:"session_id,omitzero"`    // of the run
	TrajectoryID           *string       `json:"trajectory_id,omitzero"` // of this document
	Agent                  *Agent        `json:"agent"`
	Steps                  []Step        `json:"steps"`
	Notes                  *string       `json:"notes,omitzero"`
	FinalMetrics           *FinalMetrics `json:"final_metrics,omitzero"`
	ContinuedTrajectoryRef *string       `json:"continued_trajectory_ref,omitzero"`
	Extra                  Extra         `json:"extra,omitzero"`
	SubagentTrajectories   []Document    `json:"subagent_trajectories,omitzero"`
}

// Agent is the program that took the steps.
type Agent struct {
	Name            *string          `json:"name"`
	Version         *string          `json:"version"`
	ModelName       *string          `json:"model_name,omitzero"`
	ToolDefinitions []jsontext.Value `json:"tool_definitions,omitzero"`
	Extra           Extra            `json:"extra,omitzero"`
}

// Step is one turn: what was said, and, where the agent said it, what came of it.
type Step struct {
	StepID           int64          `json:"step_id"` // from 1
	Timestamp        *string        `json:"timestamp,omitzero"`
	Source           string         `json:"source"`
	ModelName        *string        `json:"model_name,omitzero"`
	ReasoningEffort  jsontext.Value `json:"reasoning_effort,omitzero"` // text or number
	Message          *Content       `json:"message"`
	ReasoningContent *string        `json:"reasoning_content,omitzero"`
	ToolCalls        []ToolCall     `json:"tool_calls,omitzero"`
	Observation      *Observation   `json:"observation,omitzero"`
	Metrics          *Metrics       `json:"metrics,omitzero"`
	IsCopiedContext  *bool          `json:"is_copied_context,omitzero"`
	LLMCallCount     *int64         `json:"llm_call_count,omitzero"`
	Extra            Extra          `json:"extra,omitzero"`
}

// ToolCall is an action of the agent.
type ToolCall struct {
	ToolCallID   *string        `json:"tool_call_id"`
	FunctionName *string        `json:"function_name"`
	Arguments    jsontext.Value `json:"arguments"` // an object
	Extra        Extra          `json:"extra,omitzero"`
}

// Observation is what the environment answered.
type Observation struct {
	Results Items[Result] `json:"results"`
}

// Result is one answer.
type Result struct {
	SourceCallID          *string       `json:"source_call_id,omitzero"` // a call of the same step
	Content               *Content      `json:"content,omitzero"`
	SubagentTrajectoryRef []SubagentRef `json:"subagent_trajectory_ref,omitzero"`
	Extra                 Extra         `json:"extra,omitzero"`
}

// SubagentRef points to the trajectory of a subagent, in the document or elsewhere.
type SubagentRef struct {
	TrajectoryID   *string `json:"trajectory_id,omitzero"`
	SessionID      *string `json:"session_id,omitzero"`
	TrajectoryPath *string `json:"trajectory_path,omitzero"`
	Extra          Extra   `json:"extra,omitzero"`
}

// Metrics tell what a step cost.
type Metrics struct {
	PromptTokens       *int64         `json:"prompt_tokens,omitzero"`
	CompletionTokens   *int64         `json:"completion_tokens,omitzero"`
	CachedTokens       *int64         `json:"cached_tokens,omitzero"`
	CostUSD            *float64       `json:"cost_usd,omitzero"`
	PromptTokenIDs     Items[int64]   `json:"prompt_token_ids,omitzero"`
	CompletionTokenIDs Items[int64]   `json:"completion_token_ids,omitzero"`
	Logprobs           Items[float64] `json:"logprobs,omitzero"`
	Extra              Extra          `json:"extra,omitzero"`
}

// FinalMetrics tell what the whole cost.
type FinalMetrics struct {
	TotalPromptTokens     *int64   `json:"total_prompt_tokens,omitzero"`
	TotalCompletionTokens *int64   `json:"total_completion_tokens,omitzero"`
	TotalCachedTokens     *int64   `json:"total_cached_tokens,omitzero"`
	TotalCostUSD          *float64 `json:"total_cost_usd,omitzero"`
	TotalSteps            *int64   `json:"total_steps,omitzero"`
	Extra                 Extra    `json:"extra,omitzero"`
}

// Content is a text, or a list of parts.
type Content struct {
	Text  string
	Parts []ContentPart // nil: Text is all
}

// ContentPart is a text, an image or a sound.
type ContentPart struct {
	Type   string       `json:"type"`
	Text   *string      `json:"text,omitzero"`
	Source *MediaSource `json:"source,omitzero"`
}

// MediaSource says where an image or a sound lies.
type MediaSource struct {
	MediaType   string   `json:"media_type"`
	Path        *string  `json:"path"`
	DurationSec *float64 `json:"duration_sec,omitzero"` // of a sound
}

// Plain is the text of a content, and how many of its parts are none.
func (c *Content) Plain() (text string, media int) {
	if c == nil {
		return "", 0
	}
	if c.Parts == nil {
		return c.Text, 0
	}
	var texts []string
	for _, p := range c.Parts {
		if p.Text == nil {
			media++
			continue
		}
		texts = append(texts, *p.Text)
	}
	return strings.Join(texts, "\n"), media
}

// MarshalJSON implements json.Marshaler.
func (c Content) MarshalJSON() ([]byte, error) {
	if c.Parts != nil {
		return json.Marshal(c.Parts)
	}
	return json.Marshal(c.Text)
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (c *Content) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '"':
		return json.UnmarshalDecode(dec, &c.Text)
	case '[':
		c.Parts = []ContentPart{}
		return json.UnmarshalDecode(dec, &c.Parts)
	}
	if err := dec.SkipValue(); err != nil {
		return err
	}
	return errors.New("is neither a text nor a list of parts")
}

// Items is a list without nulls, which the decoder would take for zeros.
type Items[T any] []T

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *Items[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var items []*T
	if err := json.UnmarshalDecode(dec, &items); err != nil || items == nil {
		return err
	}
	*l = make([]T, 0, len(items))
	for _, item := range items {
		if item == nil {
			return errors.New("has an item that is null")
		}
		*l = append(*l, *item)
	}
	return nil
}

// Fault says what is wrong with a document, and where. It quotes nothing of it.
type Fault struct {
	Step int    // number of the step, from 1; 0: outside the steps
	At   string // the member: steps[0].message; empty: the document
	What string
}

func (f *Fault) Error() string {
	switch {
	case f.Step > 0:
		return fmt.Sprintf("step %d, %s: %s", f.Step, f.At, f.What)
	case f.At != "":
		return f.At + ": " + f.What
	}
	return f.What
}

// Parse reads a document and holds it to the rules. Errors are *Fault.
func Parse(data []byte) (Document, error) {
	var d Document
	err := json.Unmarshal(data, &d, json.RejectUnknownMembers(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return Document{}, decodeFault(err)
	}
	if err := d.Validate(); err != nil {
		return Document{}, err
	}
	return d, nil
}

// Format writes a document on one line, without its end.
func Format(d Document) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	out, err := json.Marshal(d, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("write ATIF: %w", decodeFault(err))
	}
	return out, nil
}

// decodeFault says where in a document the decoder stopped, without its words, which
// quote it.
func decodeFault(err error) *Fault {
	f := &Fault{What: "is not JSON"}
	pointer := jsontext.Pointer("")
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntactic) && errors.Is(err, jsontext.ErrDuplicateName):
		pointer, f.What = syntactic.JSONPointer, "has a member twice"
	case errors.As(err, &syntactic):
		f.What = fmt.Sprintf("is not JSON at byte %d", syntactic.ByteOffset)
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		pointer, f.What = semantic.JSONPointer.Parent(), "has a member that the format does not name"
	case errors.As(err, &semantic):
		pointer, f.What = semantic.JSONPointer, "is of another type than the format says"
	}
	f.At, f.Step = place(pointer)
	return f
}

// members are the names that may stand in an error: others are of the document.
var members = []string{"schema_version", "session_id", "trajectory_id", "agent", "steps", "notes", "final_metrics", "continued_trajectory_ref",
	"extra", "subagent_trajectories", "name", "version", "model_name", "tool_definitions", "step_id", "timestamp", "source", "reasoning_effort",
	"message", "reasoning_content", "tool_calls", "observation", "metrics", "is_copied_context", "llm_call_count", "tool_call_id",
	"function_name", "arguments", "results", "source_call_id", "content", "subagent_trajectory_ref", "trajectory_path", "prompt_tokens",
	"completion_tokens", "cached_tokens", "cost_usd", "prompt_token_ids", "completion_token_ids", "logprobs", "total_prompt_tokens",
	"total_completion_tokens", "total_cached_tokens", "total_cost_usd", "total_steps", "type", "text", "media_type", "path", "duration_sec"}

// place spells a pointer as steps[0].message, as far as its names are the format's.
func place(p jsontext.Pointer) (at string, step int) {
	var b strings.Builder
	depth := 0
	last := ""
	for name := range p.Tokens() {
		var n int
		isIndex := len(name) > 0 && len(name) < 10 && strings.Trim(name, "0123456789") == ""
		switch {
		case isIndex:
			_, _ = fmt.Sscan(name, &n)
			fmt.Fprintf(&b, "[%d]", n)
			if depth == 1 && last == "steps" {
				step = n + 1
			}
		case slices.Contains(members, name):
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(name)
		default:
			return b.String(), step
		}
		last = name
		depth++
	}
	return b.String(), step
}

// Validate holds a document to the rules of the format. Its error is a *Fault.
func (d *Document) Validate() error {
	if f := d.check(""); f != nil {
		return f
	}
	return nil
}

func (d *Document) check(at string) *Fault {
	switch {
	case d.SchemaVersion == "":
		return &Fault{At: at + "schema_version", What: "is missing"}
	case !slices.Contains(versions, d.SchemaVersion):
		return &Fault{At: at + "schema_version", What: "is none of " + versions[0] + " to " + versions[len(versions)-1]}
	case d.Agent == nil:
		return &Fault{At: at + "agent", What: "is missing"}
	case d.Agent.Name == nil:
		return &Fault{At: at + "agent.name", What: "is missing"}
	case d.Agent.Version == nil:
		return &Fault{At: at + "agent.version", What: "is missing"}
	case len(d.Steps) == 0:
		return &Fault{At: at + "steps", What: "is missing or empty"}
	case d.FinalMetrics != nil && d.FinalMetrics.TotalSteps != nil && *d.FinalMetrics.TotalSteps < 0:
		return &Fault{At: at + "final_metrics.total_steps", What: "is negative"}
	}
	for i, tool := range d.Agent.ToolDefinitions {
		if tool.Kind() != '{' {
			return &Fault{At: fmt.Sprintf("%sagent.tool_definitions[%d]", at, i), What: "is not an object"}
		}
	}
	for i := range d.Steps {
		if f := d.Steps[i].check(int64(i) + 1); f != nil {
			if at == "" {
				f.Step = i + 1
			}
			f.At = fmt.Sprintf("%ssteps[%d].%s", at, i, f.At)
			return f
		}
	}
	seen := map[string]bool{}
	for i := range d.SubagentTrajectories {
		sub := &d.SubagentTrajectories[i]
		in := fmt.Sprintf("%ssubagent_trajectories[%d].", at, i)
		switch {
		case sub.TrajectoryID == nil:
			return &Fault{At: in + "trajectory_id", What: "is missing, and a subagent needs one"}
		case seen[*sub.TrajectoryID]:
			return &Fault{At: in + "trajectory_id", What: "is another subagent's too"}
		}
		seen[*sub.TrajectoryID] = true
		if f := sub.check(in); f != nil {
			return f
		}
	}
	return nil
}

// check gives a fault with At relative to the step.
func (s *Step) check(number int64) *Fault {
	fault := func(at, what string) *Fault { return &Fault{At: at, What: what} }
	switch {
	case s.StepID != number:
		return fault("step_id", fmt.Sprintf("is not %d: steps are numbered in sequence from 1", number))
	case s.Source != SourceSystem && s.Source != SourceUser && s.Source != SourceAgent:
		return fault("source", "is none of system, user, agent")
	case s.Message == nil:
		return fault("message", "is missing")
	case s.Timestamp != nil && !isTime(*s.Timestamp):
		return fault("timestamp", "is no ISO 8601 time")
	case s.LLMCallCount != nil && *s.LLMCallCount < 0:
		return fault("llm_call_count", "is negative")
	}
	effort := s.ReasoningEffort.Kind()
	if len(s.ReasoningEffort) > 0 && effort != 'n' && effort != '"' && effort != '0' {
		return fault("reasoning_effort", "is neither a text nor a number")
	}
	if s.Source != SourceAgent {
		for _, only := range []struct {
			name  string
			given bool
		}{
			{"model_name", s.ModelName != nil}, {"reasoning_effort", len(s.ReasoningEffort) > 0 && effort != 'n'},
			{"reasoning_content", s.ReasoningContent != nil}, {"tool_calls", s.ToolCalls != nil}, {"metrics", s.Metrics != nil},
		} {
			if only.given {
				return fault(only.name, "is for steps of the agent, and this is another's")
			}
		}
	} else if s.LLMCallCount != nil && *s.LLMCallCount == 0 && (s.Metrics != nil || s.ReasoningContent != nil) {
		return fault("llm_call_count", "is 0, and there are metrics or reasoning of a model")
	}
	if f := s.Message.check("message"); f != nil {
		return f
	}
	ids := map[string]bool{}
	for i, call := range s.ToolCalls {
		at := fmt.Sprintf("tool_calls[%d].", i)
		switch {
		case call.ToolCallID == nil:
			return fault(at+"tool_call_id", "is missing")
		case call.FunctionName == nil:
			return fault(at+"function_name", "is missing")
		case call.Arguments.Kind() != '{':
			return fault(at+"arguments", "is missing or no object")
		}
		ids[*call.ToolCallID] = true
	}
	if s.Observation == nil {
		return nil
	}
	if s.Observation.Results == nil {
		return fault("observation.results", "is missing")
	}
	for i, r := range s.Observation.Results {
		at := fmt.Sprintf("observation.results[%d].", i)
		if r.SourceCallID != nil && !ids[*r.SourceCallID] {
			return fault(at+"source_call_id", "is no tool_call_id of its step")
		}
		if f := r.Content.check(at + "content"); f != nil {
			return f
		}
		for j, ref := range r.SubagentTrajectoryRef {
			if ref.TrajectoryID == nil && ref.TrajectoryPath == nil {
				return fault(fmt.Sprintf("%ssubagent_trajectory_ref[%d]", at, j), "has neither trajectory_id nor trajectory_path")
			}
		}
	}
	return nil
}

var images = []string{"image/jpeg", "image/png", "image/gif", "image/webp"}

// sounds are the media types of 1.8, and the other spellings that its models take.
var sounds = []string{"audio/wav", "audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/flac", "audio/webm", "audio/aiff",
	"audio/mp3", "audio/mpga", "audio/x-mpeg", "audio/x-wav", "audio/wave", "audio/vnd.wave", "audio/x-m4a", "audio/m4a", "audio/x-aac", "audio/x-flac", "audio/x-aiff"}

func (c *Content) check(at string) *Fault {
	if c == nil {
		return nil
	}
	for i, p := range c.Parts {
		fault := func(what string) *Fault { return &Fault{At: fmt.Sprintf("%s[%d]", at, i), What: what} }
		isImage, isSound := p.Type == "image", p.Type == "audio"
		switch {
		case p.Type == "text" && p.Text == nil:
			return fault("is a text without text")
		case p.Type == "text" && p.Source != nil:
			return fault("is a text with a source")
		case p.Type == "text":
			continue
		case !isImage && !isSound:
			return fault("is none of text, image, audio")
		case p.Source == nil:
			return fault("has no source")
		case p.Text != nil:
			return fault("has a text, and is none")
		case p.Source.Path == nil:
			return fault("has a source without path")
		case isImage && (!slices.Contains(images, p.Source.MediaType) || p.Source.DurationSec != nil),
			isSound && !slices.Contains(sounds, strings.ToLower(strings.TrimSpace(p.Source.MediaType))):
			return fault("has a media type that the format does not name for it")
		case p.Source.DurationSec != nil && *p.Source.DurationSec < 0:
			return fault("lasts less than no time")
		}
	}
	return nil
}

// isTime says whether a text is a time in one of the common forms of ISO 8601.
func isTime(text string) bool {
	text = strings.Replace(text, " ", "T", 1)
	for _, day := range []string{"2006-01-02", "20060102"} {
		if _, err := time.Parse(day, text); err == nil {
			return true
		}
		for _, clock := range []string{"15", "15:04", "1504", "15:04:05", "150405"} {
			for _, zone := range []string{"", "Z07:00", "Z0700", "Z07"} {
				if _, err := time.Parse(day+"T"+clock+zone, text); err == nil {
					return true
				}
			}
		}
	}
	return false
}
