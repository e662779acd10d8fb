package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// reserved are the keys of a request's body that this package sets, and those that
// would change the form of the response.
var reserved = []string{"model", "messages", "tools", "temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "stop", "n",
	"logprobs", "top_logprobs", "return_token_ids", "stream", "stream_options"}

// CheckExtra refuses what cannot be merged into the body of a request.
func CheckExtra(extra map[string]jsontext.Value) error {
	for _, key := range slices.Sorted(maps.Keys(extra)) {
		switch {
		case slices.Contains(reserved, key):
			return fmt.Errorf("the key %s of a request is not for an extra body: it is set by other means", key)
		case !extra[key].IsValid():
			return fmt.Errorf("the value of the extra key %q is not JSON", key)
		}
	}
	return nil
}

type wireRequest struct {
	Model       string                    `json:"model"`
	Messages    []wireMessage             `json:"messages"`
	Tools       []wireTool                `json:"tools,omitempty"`
	Temperature *float64                  `json:"temperature,omitzero"`
	TopP        *float64                  `json:"top_p,omitzero"`
	MaxTokens   int                       `json:"max_tokens,omitzero"`
	Completion  int                       `json:"max_completion_tokens,omitzero"`
	Seed        *int64                    `json:"seed,omitzero"`
	Stop        []string                  `json:"stop,omitempty"`
	N           int                       `json:"n,omitzero"`
	Logprobs    bool                      `json:"logprobs,omitzero"`
	TopLogprobs int                       `json:"top_logprobs,omitzero"`
	TokenIDs    bool                      `json:"return_token_ids,omitzero"`
	Stream      bool                      `json:"stream"`
	Extra       map[string]jsontext.Value `json:",embed"`
}

type wireMessage struct {
	Role       string     `json:"role"`
	Content    string     `json:"content"`
	Name       string     `json:"name,omitzero"`
	ToolCallID string     `json:"tool_call_id,omitzero"`
	Calls      []wireCall `json:"tool_calls,omitempty"`
}

type wireCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function wireFunction `json:"function"`
}

type wireFunction struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type wireTool struct {
	Type     string      `json:"type"`
	Function wireDefined `json:"function"`
}

type wireDefined struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	Parameters  jsontext.Value `json:"parameters,omitempty"`
}

// errEncoding says that a request cannot be written; the cause may quote it.
var errEncoding = errors.New("the request cannot be encoded")

// encode writes the body of the question as most servers take it.
func (q *question) encode() (err error) {
	r := q.request
	if len(r.Messages) == 0 || r.MaxTokens < 0 || r.N < 0 || r.TopLogprobs < 0 {
		return errors.New("a request needs messages, and its numbers cannot be negative")
	}
	if err := CheckExtra(r.Extra); err != nil {
		return err
	}
	q.body, err = q.write(func(w *wireRequest) { w.MaxTokens = r.MaxTokens })
	return err
}

func (q *question) write(cap func(*wireRequest)) ([]byte, error) {
	r := q.request
	w := wireRequest{Model: q.client.opts.Model, Temperature: r.Temperature, TopP: r.TopP, Stop: r.Stop,
		Logprobs: r.Logprobs || r.TopLogprobs > 0, TopLogprobs: r.TopLogprobs, TokenIDs: r.TokenIDs, Extra: r.Extra}
	if r.N > 1 { // some servers know no other number, and refuse the key
		w.N = r.N
	}
	if r.Seed != nil {
		seed := *r.Seed & (1<<31 - 1)
		w.Seed = &seed
	}
	for _, m := range r.Messages {
		w.Messages = append(w.Messages, wired(m))
	}
	for _, t := range r.Tools {
		w.Tools = append(w.Tools, wireTool{"function", wireDefined(t)})
	}
	cap(&w)
	body, err := json.Marshal(w, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, errEncoding
	}
	return body, nil
}

func wired(m Message) wireMessage {
	w := wireMessage{Role: m.Role, Content: m.Content, Name: m.Name, ToolCallID: m.ToolCallID}
	for _, c := range m.Calls {
		w.Calls = append(w.Calls, wireCall{c.ID, "function", wireFunction{c.Name, replayable(c.Arguments)}})
	}
	return w
}

// replayable are arguments as servers take them back: many templates read them as an
// object, and the whole request fails where a model had written something else.
func replayable(arguments string) string {
	if v := jsontext.Value(arguments); v.IsValid() && v.Kind() == '{' {
		return arguments
	}
	text, err := json.Marshal(map[string]string{"malformed": arguments}, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return "{}"
	}
	return string(text)
}

// bodyFor is the question in the dialect of a host.
func (q *question) bodyFor(newer bool) ([]byte, error) {
	var err error
	switch {
	case q.request.MaxTokens == 0:
		return q.body, nil
	case q.uncapped && q.free == nil:
		q.free, err = q.write(func(*wireRequest) {})
	case !q.uncapped && newer && q.newer == nil:
		q.newer, err = q.write(func(w *wireRequest) { w.Completion = q.request.MaxTokens })
	}
	switch {
	case err != nil:
		return nil, err
	case q.uncapped:
		return q.free, nil
	case newer:
		return q.newer, nil
	}
	return q.body, nil
}
