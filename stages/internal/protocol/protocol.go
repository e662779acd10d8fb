// Package protocol reads and writes what an agent says: one action a reply, as a JSON
// object in its text or as a native tool call.
//
// Language models write JSON as they have seen it written: in fences, after their
// reasoning, with Python's quotes. Reading mends what can mean one thing only, names
// what it mended (Repairs), and refuses everything else.
package protocol

import (
	"fmt"

	"github.com/go-json-experiment/json"
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
