package modelserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Request is what a server is asked, as far as an answer depends on it.
type Request struct {
	Model    string    `json:"model"`
	Messages []Message `json:"messages"`
	Tools    []Tool    `json:"tools"`
	Seed     int64     `json:"seed"`
	N        int       `json:"n"`
}

// Message is one turn.
type Message struct {
	Role    string           `json:"role"`
	Content jsontext.Value   `json:"content"` // a string, or null beside calls
	Calls   []jsontext.Value `json:"tool_calls"`
}

// Text is the content where it is one.
func (m Message) Text() string {
	var s string
	if m.Content.Kind() != '"' || json.Unmarshal(m.Content, &s) != nil {
		return ""
	}
	return s
}

// Tool is one that may be called.
type Tool struct {
	Function struct {
		Name string `json:"name"`
	} `json:"function"`
}

// Task is the first user turn: the instruction of a task.
func (r Request) Task() string {
	for _, m := range r.Messages {
		if m.Role == "user" {
			return m.Text()
		}
	}
	return ""
}

// Turn counts the replies so far.
func (r Request) Turn() (n int) {
	for _, m := range r.Messages {
		if m.Role == "assistant" {
			n++
		}
	}
	return n
}

// first is the first reply, with its calls; empty: there is none yet.
func (r Request) first() string {
	for _, m := range r.Messages {
		if m.Role == "assistant" {
			text := "reply " + m.Text()
			for _, call := range m.Calls {
				text += string(call)
			}
			return text
		}
	}
	return ""
}

// Has says whether there is a tool of this name.
func (r Request) Has(tool string) bool {
	for _, t := range r.Tools {
		if t.Function.Name == tool {
			return true
		}
	}
	return false
}

// conversation names a request by what is said in it and by its seed, whatever else a
// client sends: the same question asked again has the same name.
func (r Request) conversation() string {
	parts := []string{fmt.Sprint(r.Seed)}
	for _, m := range r.Messages {
		parts = append(parts, m.Role, m.Text())
		for _, call := range m.Calls {
			parts = append(parts, string(call))
		}
	}
	return string(digest(parts...))
}

// digest of texts, each with its length before it.
func digest(parts ...string) []byte {
	h := sha256.New()
	for _, part := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

// lot is a number from 0 to below 1 that the texts decide.
func lot(parts ...string) float64 {
	return float64(binary.BigEndian.Uint64(digest(parts...))>>11) / (1 << 53)
}

// Reply is one answer of the model.
type Reply struct {
	Content, Reasoning string
	Calls              []Call
	// Cut says that the reply was cut at the limit of its tokens.
	Cut bool
}

// Call is a call of a tool; Arguments is JSON text.
type Call struct{ Name, Arguments string }

// invalid stands in a reply for a byte that no UTF-8 has.
const invalid = "\uE0FF"

type wireReply struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Model   string       `json:"model"`
	Choices []wireChoice `json:"choices"`
	Usage   wireUsage    `json:"usage"`
}

type wireChoice struct {
	Index   int `json:"index"`
	Message struct {
		Role      string     `json:"role"`
		Content   *string    `json:"content"`
		Reasoning string     `json:"reasoning_content,omitempty"`
		Calls     []wireCall `json:"tool_calls,omitempty"`
	} `json:"message"`
	Finish string `json:"finish_reason"`
}

type wireCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type wireUsage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

// perToken is how many bytes count as a token here.
const perToken = 4

// render writes a response with these replies.
func render(r Request, replies []Reply) ([]byte, error) {
	w := wireReply{ID: "chatcmpl-" + fmt.Sprintf("%x", r.conversation()[:8]), Object: "chat.completion", Model: r.Model}
	for _, m := range r.Messages {
		w.Usage.Prompt += 4 + len(m.Text())/perToken
	}
	for i, reply := range replies {
		c := wireChoice{Index: i, Finish: "stop"}
		c.Message.Role, c.Message.Reasoning = "assistant", reply.Reasoning
		if len(reply.Calls) == 0 || reply.Content != "" {
			c.Message.Content = &reply.Content
		}
		size := len(reply.Content) + len(reply.Reasoning)
		for n, call := range reply.Calls {
			wire := wireCall{ID: fmt.Sprintf("call_%d_%d", r.Turn(), n), Type: "function"}
			wire.Function.Name, wire.Function.Arguments = call.Name, call.Arguments
			c.Message.Calls, c.Finish = append(c.Message.Calls, wire), "tool_calls"
			size += len(call.Arguments)
		}
		if reply.Cut {
			c.Finish = "length"
		}
		w.Usage.Completion += 1 + size/perToken
		w.Choices = append(w.Choices, c)
	}
	w.Usage.Total = w.Usage.Prompt + w.Usage.Completion
	text, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("write a response: %w", err)
	}
	return bytes.ReplaceAll(text, []byte(invalid), []byte{0xff}), nil
}
