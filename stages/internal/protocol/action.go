package protocol

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/schemas"
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

// What models also call them, ours first.
var (
	actionKeys   = []string{keyAction, "name", "tool", "tool_name", "function", "function_name"}
	paramsKeys   = []string{keyParams, "parameters", "arguments", "args", "input", "action_input", "tool_input"}
	thoughtKeys  = []string{keyThought, "thoughts", "reasoning", "thinking", "rationale", "explanation"}
	envelopeKeys = []string{"type", "id", "call_id", "tool_call_id", "index"} // of native calls: they mean nothing here
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

// errCut says that the end of a reply closes an object to which more may have belonged.
var errCut = errors.New("the object is cut")

func known(name string) bool {
	_, ours := params[name]
	_, theirs := aliases[name]
	return ours || theirs
}

// unwrap takes calls out of the envelope in which servers' answers hold them.
func unwrap(v value) (calls []value, wrapped bool) {
	if len(v.members) == 1 && !v.twice {
		switch m := v.members[0]; {
		case m.key == "tool_calls" && m.value.kind == '[':
			for _, item := range m.value.items {
				inner, _ := unwrap(item)
				calls = append(calls, inner...)
			}
			return calls, true
		case slices.Contains([]string{"tool_call", "function_call"}, m.key) && m.value.kind == '{':
			return []value{m.value}, true
		}
	}
	if _, of, ok := v.one("function"); ok && of.kind == '{' && !v.twice {
		for _, m := range v.members {
			if m.key != "function" && !slices.Contains(envelopeKeys, m.key) {
				return []value{v}, false
			}
		}
		return []value{of}, true
	}
	return []value{v}, false
}

// names says whether an object names an action, or is at least written like a call.
func names(v value) (clear, doubtful bool) {
	key, name, ok := v.one(actionKeys...)
	if !ok || v.kind != '{' {
		return false, false
	}
	if key == keyAction || name.kind == '"' && known(name.text) {
		return true, false
	}
	_, _, called := v.one(paramsKeys...)
	return false, called && name.kind == '"'
}

// readAction reads an object that names an action. Errors are *Error, or errCut.
func readAction(v value, mended *mends) (Action, error) {
	var a Action
	var err error
	actionKey, action, _ := v.one(actionKeys...)
	if a.Name, err = text(action, actionKey); err != nil {
		return Action{}, err
	}
	thoughtKey, thought, ok := v.one(thoughtKeys...)
	if ok {
		if a.Thought, err = text(thought, thoughtKey); err != nil {
			return Action{}, err
		}
	}
	paramsKey, given, inside := v.one(paramsKeys...)
	beside := value{kind: '{', cut: v.cut}
	for _, m := range v.members {
		switch {
		case m.key == actionKey || m.key == paramsKey || m.key == thoughtKey:
		case actionKey != keyAction && slices.Contains(envelopeKeys, m.key):
			mended.add(mendEnvelope)
		case !inside && isParam(m.key):
			beside.members = append(beside.members, m)
		default:
			return Action{}, &Error{FaultKey, fmt.Sprintf("key %q is not one of action, params, thought", m.key)}
		}
	}
	if actionKey != keyAction {
		mended.add(mendActionName)
	}
	if err := a.resolve(mended); err != nil {
		return Action{}, err
	}
	if ok && thoughtKey != keyThought {
		mended.add(mendThoughtName)
	}
	switch {
	case !inside && len(beside.members) > 0:
		mended.add(mendFlat)
		given = beside
	case !inside && v.cut:
		return Action{}, errCut
	case !inside:
		return Action{}, &Error{FaultMissing, `the key "params" is missing`}
	case paramsKey != keyParams:
		mended.add(mendParamsName)
	}
	if err := a.fill(given, mended); err != nil {
		return Action{}, err
	}
	return a, nil
}

// resolve replaces an alias by the action it means.
func (a *Action) resolve(mended *mends) error {
	if name, ok := aliases[a.Name]; ok {
		a.Name = name
		mended.add(mendAlias)
	}
	if _, ok := params[a.Name]; !ok {
		return &Error{FaultAction, fmt.Sprintf("there is no action %q", a.Name)}
	}
	return nil
}

// fill reads the action's params.
func (a *Action) fill(given value, mended *mends) error {
	if given.kind == '"' {
		r := reader{text: given.text}
		v, ok := r.whole()
		if !ok || v.kind != '{' {
			return &Error{FaultType, `"params" is not an object`}
		}
		mended.add(mendParamsText)
		mended.add(r.mends...)
		given = v
	}
	if given.kind != '{' {
		return &Error{FaultType, `"params" is not an object`}
	}
	if given.twice {
		return &Error{FaultDuplicate, "a key of params is there twice"}
	}
	want := params[a.Name]
	values := make(map[string]string, len(given.members))
	for _, m := range given.members {
		optional := slices.Contains(want.optional, m.key)
		if !optional && !slices.Contains(want.required, m.key) {
			if missing := a.missing(given); missing != "" {
				return &Error{FaultMissing, fmt.Sprintf("%s needs %q in params, and takes no %q", a.Name, missing, m.key)}
			}
			return &Error{FaultKey, fmt.Sprintf("%s takes no %q in params", a.Name, m.key)}
		}
		if optional && m.value.kind == 'n' {
			mended.add(mendNull)
			continue
		}
		s, err := text(m.value, m.key)
		if err != nil {
			return err
		}
		*a.field(m.key), values[m.key] = s, s
	}
	if missing := a.missing(given); missing != "" {
		if given.cut {
			return errCut
		}
		return &Error{FaultMissing, fmt.Sprintf("%s needs %q in params", a.Name, missing)}
	}
	if given.cut && len(given.members) < len(want.required)+len(want.optional) {
		return errCut // an optional one may have been to come
	}
	var err error
	if a.Params, err = canonical(values); err != nil {
		return &Error{FaultNoObject, "params cannot be read"}
	}
	return nil
}

// missing names a required param that is not there.
func (a *Action) missing(given value) string {
	for _, key := range params[a.Name].required {
		if _, _, ok := given.one(key); !ok {
			return key
		}
	}
	return ""
}

func (a *Action) field(key string) *string {
	return map[string]*string{
		ParamCode: &a.Code, ParamError: &a.Error, ParamCommand: &a.Command,
		ParamDataPath: &a.Info.DataPath, ParamInfoType: &a.Info.InfoType, ParamKeyTerm: &a.Info.KeyTerm,
	}[key]
}

func isParam(key string) bool {
	var a Action
	return a.field(key) != nil
}

// canonical writes params as canonical JSON (RFC 8785).
func canonical(values map[string]string) (string, error) {
	out := []byte{'{'}
	for i, key := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = jsontext.AppendQuote(out, key); err != nil {
			return "", fmt.Errorf("params: %w", err)
		}
		out = append(out, ':')
		if out, err = jsontext.AppendQuote(out, values[key]); err != nil {
			return "", fmt.Errorf("params: %w", err)
		}
	}
	return string(append(out, '}')), nil
}

func text(v value, key string) (string, error) {
	if v.kind != '"' {
		return "", &Error{FaultType, fmt.Sprintf("%q is not a text", key)}
	}
	return v.text, nil
}
