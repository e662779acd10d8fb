// Package protocol reads and writes what an agent says: one action a reply, as a JSON
// object in its text or as a native tool call.
package protocol

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/schemas"
)

// Action is one action of an agent, as its reply states it.
type Action struct {
	Name    string // schemas.Action…
	Thought string // what the agent says about it; not part of the action
	Params  string // canonical JSON

	Code    string // code_execution, debugging
	Error   string // debugging: error_msg
	Command string // terminal
	Info    Info   // request_info
}

// Info is what request_info asks for.
type Info struct {
	DataPath string
	InfoType string // column_names, column_values, term
	KeyTerm  string
}

// Error says why a reply is no action. Fault is one of a closed set of
// names; Detail is for the agent that wrote the reply and may quote it.
type Error struct {
	Fault  string
	Detail string
}

func (e *Error) Error() string { return e.Fault + ": " + e.Detail }

// The faults of replies.
const (
	FaultEmpty     = "empty_reply"
	FaultNoObject  = "no_json_object"
	FaultSeveral   = "several_actions"
	FaultDuplicate = "duplicate_key"
	FaultKey       = "unknown_key"
	FaultMissing   = "missing_key"
	FaultType      = "wrong_type"
	FaultAction    = "unknown_action"
)

// The keys of a reply and of its params.
const (
	keyAction  = "action"
	keyParams  = "params"
	keyThought = "thought"

	ParamCode     = "code"
	ParamError    = "error_msg"
	ParamCommand  = "cmd"
	ParamDataPath = "data_path"
	ParamInfoType = "info_type"
	ParamKeyTerm  = "keyterm"
)

const (
	endOfThought = "</think>"
	maxObjects   = 256 // opening braces tried: bounds the work on hostile text
)

// aliases are the public release's names of actions.
var aliases = map[string]string{"validate_code": schemas.ActionCodeExecution, "debug": schemas.ActionDebugging}

// params are the keys of each action's params.
var params = map[string]struct{ required, optional []string }{
	schemas.ActionCodeExecution: {required: []string{ParamCode}},
	schemas.ActionTerminal:      {required: []string{ParamCommand}},
	schemas.ActionDebugging:     {required: []string{ParamCode}, optional: []string{ParamError}},
	schemas.ActionRequestInfo:   {required: []string{ParamDataPath, ParamInfoType}, optional: []string{ParamKeyTerm}},
}

// Parse reads the one action of a reply: a JSON object with action and
// params, and thought if the agent likes. Text around it is passed over, code
// fences among it, and everything up to </think>. Line breaks inside JSON strings,
// which many models leave as they are, count as escaped. It is strict about
// everything that could mean two things: a second action, a key that is there
// twice, keys that it does not know.
//
// What had to be mended to read it is named, in the order of mending.
func Parse(reply string) (Action, []string, error) {
	if i := strings.LastIndex(reply, endOfThought); i >= 0 {
		reply = reply[i+len(endOfThought):]
	}
	if strings.TrimSpace(reply) == "" {
		return Action{}, nil, &Error{FaultEmpty, "the reply has no text"}
	}
	object, err := findObject(reply)
	if err != nil {
		return Action{}, nil, err
	}
	a, err := readAction(object)
	return a, nil, err
}

// Call is a native tool call, as a model wrote it.
type Call struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON text, or what the model took for it
}

// ParseCalls reads the one action of a reply with native tool calls. A reply without
// one is read as text, as Parse does.
func ParseCalls(content string, calls []Call) (Action, []string, error) {
	switch len(calls) {
	case 0:
		return Parse(content)
	case 1:
		return Action{}, nil, &Error{FaultAction, "no tool"}
	}
	return Action{}, nil, &Error{FaultSeveral, "the reply has more than one call; make one at a time"}
}

// findObject finds the one JSON object that has an action.
func findObject(text string) (jsontext.Value, error) {
	var found jsontext.Value
	var fault error
	for tried, i := 0, 0; i < len(text) && tried < maxObjects; tried++ {
		open := strings.IndexByte(text[i:], '{')
		if open < 0 {
			break
		}
		i += open
		object, n := cutObject(text[i:])
		if n == 0 {
			i++
			continue
		}
		keys, err := keysOf(object)
		var bad *Error
		switch {
		case errors.As(err, &bad):
			fault = err
			i += n
		case err != nil: // no JSON: one may stand inside
			i++
		case slices.Contains(keys, keyAction):
			if found != nil {
				return nil, &Error{FaultSeveral, "the reply has more than one action; give one at a time"}
			}
			found = object
			i += n
		default:
			i += n
		}
	}
	switch {
	case fault != nil: // which of two values was meant is not ours to guess
		return nil, fault
	case found == nil:
		return nil, &Error{FaultNoObject, `the reply holds no whole JSON object with "action" and "params"`}
	}
	return found, nil
}

// cutObject takes the object that text begins with, up to the brace that closes
// it, with control characters inside strings escaped. It looks at braces and
// quotes alone; n is its length in text, 0 when it is not closed.
func cutObject(text string) (object jsontext.Value, n int) {
	var out []byte
	depth, inString, escaped := 0, false, false
	for i := range len(text) {
		c := text[i]
		switch {
		case inString && c < ' ' && !escaped:
			out = append(out, controlEscape(c)...)
			continue
		case inString && escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case inString:
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
		out = append(out, c)
		if depth == 0 {
			return out, i + 1
		}
	}
	return nil, 0
}

func controlEscape(c byte) string {
	switch c {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	return fmt.Sprintf(`\u%04x`, c)
}

// keysOf lists an object's keys. A key that is there twice, anywhere, is a
// Error; other errors say that it is no JSON.
func keysOf(object jsontext.Value) ([]string, error) {
	var members map[string]jsontext.Value
	err := json.Unmarshal(object, &members)
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return nil, &Error{FaultDuplicate, "a key of the JSON object is there twice"}
	}
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(members))
	for key := range members {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys, nil
}

func readAction(object jsontext.Value) (Action, error) {
	var a Action
	members := map[string]jsontext.Value{}
	if err := json.Unmarshal(object, &members); err != nil {
		return a, &Error{FaultNoObject, "the JSON object cannot be read"}
	}
	var err error
	for _, key := range sortedKeys(members) {
		switch key {
		case keyAction:
			a.Name, err = text(members, key)
		case keyThought:
			a.Thought, err = text(members, key)
		case keyParams:
		default:
			err = &Error{FaultKey, fmt.Sprintf("key %q is not one of action, params, thought", key)}
		}
		if err != nil {
			return Action{}, err
		}
	}
	if name, ok := aliases[a.Name]; ok {
		a.Name = name
	}
	want, known := params[a.Name]
	if !known {
		return Action{}, &Error{FaultAction, fmt.Sprintf("there is no action %q", a.Name)}
	}
	given, ok := members[keyParams]
	if !ok {
		return Action{}, &Error{FaultMissing, `the key "params" is missing`}
	}
	values := map[string]jsontext.Value{}
	if given.Kind() != '{' || json.Unmarshal(given, &values) != nil {
		return Action{}, &Error{FaultType, `"params" is not an object`}
	}
	for _, key := range want.required {
		if _, ok := values[key]; !ok {
			return Action{}, &Error{FaultMissing, fmt.Sprintf("%s needs %q in params", a.Name, key)}
		}
	}
	for _, key := range sortedKeys(values) {
		if !slices.Contains(want.required, key) && !slices.Contains(want.optional, key) {
			return Action{}, &Error{FaultKey, fmt.Sprintf("%s takes no %q in params", a.Name, key)}
		}
		if err := a.set(key, values); err != nil {
			return Action{}, err
		}
	}
	if err := given.Canonicalize(); err != nil {
		return Action{}, &Error{FaultNoObject, "params cannot be read"}
	}
	a.Params = string(given)
	return a, nil
}

func (a *Action) set(key string, values map[string]jsontext.Value) (err error) {
	into := map[string]*string{
		ParamCode: &a.Code, ParamError: &a.Error, ParamCommand: &a.Command,
		ParamDataPath: &a.Info.DataPath, ParamInfoType: &a.Info.InfoType, ParamKeyTerm: &a.Info.KeyTerm,
	}[key]
	*into, err = text(values, key)
	return err
}

func text(members map[string]jsontext.Value, key string) (string, error) {
	var s string
	if members[key].Kind() != '"' || json.Unmarshal(members[key], &s) != nil {
		return "", &Error{FaultType, fmt.Sprintf("%q is not a text", key)}
	}
	return s, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Format writes an action as a reply of the protocol.
func Format(action, thought string, params map[string]string) (string, error) {
	reply := struct {
		Thought string            `json:"thought,omitempty"`
		Action  string            `json:"action"`
		Params  map[string]string `json:"params"`
	}{thought, action, params}
	out, err := json.Marshal(reply, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("format reply: %w", err)
	}
	return string(out), nil
}
