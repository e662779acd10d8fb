package program

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// Protocol is the version of the protocol.
const Protocol = 1

// The types of messages: ours, then the program's.
const (
	typeHello = "hello"
	typeStart = "start"
	typeTurn  = "turn"
	typeEnd   = "end"

	typeReady = "ready"
	typeReply = "reply"
	typeDone  = "done"
	typeError = "error"
)

type helloMessage struct {
	Type     string `json:"type"`
	Protocol int    `json:"protocol"`
	Version  string `json:"version,omitempty"`
}

type startMessage struct {
	Type     string        `json:"type"`
	ID       string        `json:"id"`
	Task     string        `json:"task"`
	Source   string        `json:"source"`
	Attempt  int           `json:"attempt"`
	Seed     int64         `json:"seed"` // below 2^53, which every reader of JSON can hold
	Actions  []string      `json:"actions"`
	Feedback string        `json:"feedback,omitempty"`
	Limits   limitsMessage `json:"limits"`
}

type limitsMessage struct {
	Turns        int     `json:"turns,omitzero"`
	ExecutionS   float64 `json:"execution_s,omitzero"`
	AttemptS     float64 `json:"attempt_s,omitzero"`
	PromptTokens int     `json:"prompt_tokens,omitzero"`
	ReplyTokens  int     `json:"reply_tokens,omitzero"`
	Observation  int     `json:"observation_chars,omitzero"`
}

func limitsOf(l rollout.Limits) limitsMessage {
	return limitsMessage{l.Turns, l.Execution.Seconds(), l.Attempt.Seconds(), l.PromptTokens, l.ReplyTokens, l.Observation}
}

type turnMessage struct {
	Type         string        `json:"type"`
	ID           string        `json:"id"`
	Turn         int           `json:"turn"` // from 1
	TurnsLeft    int           `json:"turns_left"`
	PromptTokens int           `json:"prompt_tokens"`
	Messages     []chatMessage `json:"messages"` // the whole conversation
}

type chatMessage struct {
	Role       string         `json:"role"`
	Content    string         `json:"content"`
	Name       string         `json:"name,omitempty"`
	ToolCallID string         `json:"tool_call_id,omitempty"`
	ToolCalls  jsontext.Value `json:"tool_calls,omitzero"`
}

type endMessage struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

func turnOf(id string, turn int, c rollout.Conversation) turnMessage {
	m := turnMessage{Type: typeTurn, ID: id, Turn: turn, TurnsLeft: c.TurnsLeft, PromptTokens: c.PromptTokens, Messages: make([]chatMessage, len(c.Messages))}
	for i, msg := range c.Messages {
		m.Messages[i] = chatMessage{Role: msg.Role, Content: msg.Content, Name: msg.Name, ToolCallID: msg.ToolCallID}
		if msg.ToolCallsJSON != "" {
			m.Messages[i].ToolCalls = jsontext.Value(msg.ToolCallsJSON)
		}
	}
	return m
}

// encode writes messages as lines.
func encode(messages ...any) ([]byte, error) {
	var out bytes.Buffer
	for _, m := range messages {
		if err := json.MarshalWrite(&out, m); err != nil {
			return nil, errors.New("a message to the program cannot be encoded") // the cause may quote it
		}
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// The program's messages. Every key of one is known, and none is there twice.
type (
	readyMessage struct {
		Type     string `json:"type"`
		Protocol int    `json:"protocol"`
	}
	replyMessage struct {
		Type         string    `json:"type"`
		ID           string    `json:"id"`
		Turn         int       `json:"turn"`
		Content      *string   `json:"content"`
		Calls        []call    `json:"calls"`
		Reasoning    string    `json:"reasoning"`
		FinishReason string    `json:"finish_reason"`
		Usage        usage     `json:"usage"`
		CostUSD      *float64  `json:"cost_usd"`
		TokenIDs     []int32   `json:"token_ids"`
		Logprobs     []float64 `json:"logprobs"`
	}
	call struct {
		ID        string         `json:"id"`
		Name      string         `json:"name"`
		Arguments jsontext.Value `json:"arguments"` // JSON text, or the object itself
	}
	usage struct {
		PromptTokens     int64 `json:"prompt_tokens"`
		CompletionTokens int64 `json:"completion_tokens"`
	}
	doneMessage struct {
		Type string `json:"type"`
		ID   string `json:"id"`
		Turn int    `json:"turn"`
	}
	errorMessage struct {
		Type    string `json:"type"`
		ID      string `json:"id"`
		Turn    int    `json:"turn"`
		Kind    string `json:"kind"`
		Message string `json:"message"`
	}
)

// Kinds of errors that a program tells.
const (
	kindFailed  = "failed"
	kindContext = "context_length"
)

// Class says what is wrong with a program. The set is closed.
type Class string

// The classes of faults.
const (
	NotStarted Class = "not_started"   // the system could not start it
	Died       Class = "died"          // it ended, or closed its stdout
	Silent     Class = "silent"        // no answer in time
	Flood      Class = "stderr_flood"  // it wrote too much to stderr
	TooLong    Class = "line_too_long" // a line of its stdout
	NotUTF8    Class = "invalid_utf8"
	NotJSON    Class = "not_json" // no JSON object, or a key twice
	BadKey     Class = "unknown_key"
	BadType    Class = "unknown_type" // of a message
	BadValue   Class = "bad_value"    // of a key: its type or range
	WrongTurn  Class = "wrong_turn"   // an id or a turn that was not asked about
	Told       Class = "told"         // it says itself that it failed
)

var explained = map[Class]string{
	NotStarted: "it could not be started",
	Died:       "it ended in the middle of an attempt",
	Silent:     "no answer came in time",
	Flood:      "it wrote too much to stderr",
	TooLong:    "a line of its output is too long",
	NotUTF8:    "a line of its output is not UTF-8",
	NotJSON:    "a line of its output is no JSON object, or has a key twice",
	BadKey:     "its message has a key that there is not",
	BadType:    "its message is of no type that fits here",
	BadValue:   "a value in its message is missing, of the wrong type or out of range",
	WrongTurn:  "its message is about another attempt or turn",
	Told:       "it said that it failed",
}

// Fault is what is wrong with a program. It quotes nothing that the program said.
type Fault struct {
	Class  Class
	Detail string // how a process ended, or a key of ours; may be empty
}

func (f *Fault) Error() string {
	text := fmt.Sprintf("%s (%s)", explained[f.Class], f.Class)
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	return text
}

// readReady reads the answer to hello.
func readReady(line []byte) error {
	kind, err := typeOf(line)
	if err != nil {
		return err
	}
	if kind != typeReady {
		return &Fault{BadType, typeReady + " is the answer to hello"}
	}
	var m readyMessage
	if err := decode(line, &m); err != nil {
		return err
	}
	if m.Protocol != Protocol {
		return &Fault{BadValue, fmt.Sprintf("protocol, which is %d", Protocol)}
	}
	return nil
}

// readAnswer reads the answer to a turn. said is the text of an error that the program
// tells, for its own log alone.
func readAnswer(line []byte, id string, turn int) (reply rollout.Reply, said string, err error) {
	kind, err := typeOf(line)
	if err != nil {
		return reply, "", err
	}
	same := func(gotID string, gotTurn int) error {
		if gotID != id || gotTurn != turn {
			return &Fault{Class: WrongTurn}
		}
		return nil
	}
	switch kind {
	case typeReply:
		var m replyMessage
		if err = decode(line, &m); err == nil {
			if err = same(m.ID, m.Turn); err == nil {
				reply, err = m.reply()
			}
		}
	case typeDone:
		var m doneMessage
		if err = decode(line, &m); err == nil {
			err = same(m.ID, m.Turn)
		}
		reply.Done = err == nil
	case typeError:
		var m errorMessage
		if err = decode(line, &m); err == nil {
			err = same(m.ID, m.Turn)
		}
		switch {
		case err != nil:
		case m.Kind == kindContext:
			said, err = m.Message, fmt.Errorf("the program says so: %w", rollout.ErrContextLength)
		case m.Kind == "" || m.Kind == kindFailed:
			said, err = m.Message, &Fault{Class: Told}
		default:
			err = &Fault{BadValue, "kind"}
		}
	default:
		err = &Fault{Class: BadType}
	}
	if err != nil {
		reply = rollout.Reply{}
	}
	return reply, said, err
}

var plainName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

// finishLength is the finish reason of a reply that was cut at the output limit.
const finishLength = "length"

func (m replyMessage) reply() (rollout.Reply, error) {
	bad := func(key string) (rollout.Reply, error) { return rollout.Reply{}, &Fault{BadValue, key} }
	switch {
	case m.Content == nil && len(m.Calls) == 0:
		return bad("content or calls, of which one has to be there")
	case m.FinishReason != "" && !plainName.MatchString(m.FinishReason):
		return bad("finish_reason")
	case m.Usage.PromptTokens < 0 || m.Usage.CompletionTokens < 0:
		return bad("usage")
	case m.CostUSD != nil && *m.CostUSD < 0:
		return bad("cost_usd")
	case len(m.TokenIDs) > 0 && len(m.Logprobs) > 0 && len(m.TokenIDs) != len(m.Logprobs):
		return bad("logprobs, of which there is one for each of token_ids")
	}
	reply := rollout.Reply{
		Content: schemas.Value(m.Content), Reasoning: m.Reasoning, Truncated: m.FinishReason == finishLength, FinishReason: m.FinishReason,
		PromptTokens: m.Usage.PromptTokens, CompletionTokens: m.Usage.CompletionTokens, CostUSD: m.CostUSD, TokenIDs: m.TokenIDs, Logprobs: m.Logprobs,
	}
	for _, c := range m.Calls {
		call := protocol.Call{ID: c.ID, Name: c.Name, Arguments: string(c.Arguments)}
		switch c.Arguments.Kind() {
		case '"':
			if json.Unmarshal(c.Arguments, &call.Arguments) != nil {
				return bad("arguments")
			}
		case '{':
		default:
			return bad("arguments")
		}
		reply.Calls = append(reply.Calls, call)
	}
	return reply, nil
}

// typeOf reads the type of a message, and that it is an object without a key twice.
func typeOf(line []byte) (string, error) {
	var m struct {
		Type jsontext.Value `json:"type"`
	}
	if jsontext.Value(line).Kind() != '{' || json.Unmarshal(line, &m) != nil {
		return "", &Fault{Class: NotJSON}
	}
	var kind string
	if m.Type.Kind() != '"' || json.Unmarshal(m.Type, &kind) != nil {
		return "", &Fault{Class: BadType}
	}
	return kind, nil
}

// decode reads a message that is known to be an object.
func decode(line []byte, m any) error {
	err := json.Unmarshal(line, m, json.RejectUnknownMembers(true))
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return &Fault{Class: BadKey}
	case err != nil:
		return &Fault{Class: BadValue}
	}
	return nil
}
