package protocol

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/schemas"
)

// Tool is an action as a model server is told of it.
type Tool struct {
	Name        string
	Description string
	Parameters  jsontext.Value // JSON schema of the params
}

// tools are all of them, in the order of the system prompt.
var tools = []Tool{
	{
		schemas.ActionCodeExecution,
		"Runs a Python program and shows how it ended, what it printed, and of an error the lines around it and what it means. " +
			"A program that hands in what the problem asks for is a submission.",
		jsontext.Value(`{"type":"object","properties":{` +
			`"code":{"type":"string","description":"The whole program. It starts in a new interpreter: variables of earlier programs are gone, files are not."}` +
			`},"required":["code"],"additionalProperties":false}`),
	},
	{
		schemas.ActionDebugging,
		"Explains an error of a program: the lines around it, the calls that led there, and what errors of this kind mean. " +
			"The program is run again only if error_msg names no error. It is never a submission.",
		jsontext.Value(`{"type":"object","properties":{` +
			`"code":{"type":"string","description":"The program that failed."},` +
			`"error_msg":{"type":"string","description":"The error you got."}` +
			`},"required":["code"],"additionalProperties":false}`),
	},
	{
		schemas.ActionTerminal,
		"Runs a command of sh, with the usual small tools (ls, head, grep, sed, awk) and python, in the same folder as the programs, " +
			"and shows its exit code and output.",
		jsontext.Value(`{"type":"object","properties":{` +
			`"cmd":{"type":"string","description":"The command."}` +
			`},"required":["cmd"],"additionalProperties":false}`),
	},
	{
		schemas.ActionRequestInfo,
		"Looks into databases and CSV files without a program.",
		jsontext.Value(`{"type":"object","properties":{` +
			`"data_path":{"type":"string","description":"A file, a folder, or file/table."},` +
			`"info_type":{"type":"string","enum":["column_names","column_values","term"],"description":"column_names lists tables with their columns; ` +
			`column_values the values of the column that keyterm names; term where the keyterm occurs, or what is written alike."},` +
			`"keyterm":{"type":"string","description":"The column or the term. Left out for column_names."}` +
			`},"required":["data_path","info_type"],"additionalProperties":false}`),
	},
}

// Tools describes actions, in the order of the system prompt. Names that are none of
// ours are left out.
func Tools(actions []string) []Tool {
	var out []Tool
	for _, tool := range tools {
		if slices.Contains(actions, tool.Name) {
			tool.Parameters = tool.Parameters.Clone()
			out = append(out, tool)
		}
	}
	return out
}

// Call is a native tool call, as a model wrote it.
type Call struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON text, or what the model took for it
}

// ParseCalls reads the one action of a reply of one that was offered tools. A call's
// content is its thought, the text of its arguments is mended as Parse does, and the
// same call made several times is one. Without calls, content is read by Parse, which
// is a repair: where no tools were offered, Parse alone is to be asked.
//
// Errors are *Error.
func ParseCalls(content string, calls []Call) (Action, []string, error) {
	a, repairs, _, err := parseCalls(content, calls)
	return a, repairs, err
}

// parseCalls also tells how many bytes were looked at.
func parseCalls(content string, calls []Call) (Action, []string, int, error) {
	if len(calls) == 0 {
		a, repairs, work, err := parse(content)
		if err == nil {
			repairs = append([]string{mendCallInText}, repairs...)
		}
		return a, repairs, work, err
	}
	first, mended, work, err := parseCall(calls[0])
	for _, call := range calls[1:] {
		if call.Name == calls[0].Name && call.Arguments == calls[0].Arguments {
			mended.add(mendRepeated)
			continue
		}
		next, _, more, nextErr := parseCall(call)
		work += more
		if err != nil || nextErr != nil || next.Name != first.Name || next.Params != first.Params {
			return Action{}, nil, work, &Error{FaultSeveral, "the reply has more than one call; make one at a time"}
		}
		mended.add(mendRepeated)
	}
	if err != nil {
		return Action{}, nil, work, err
	}
	if thought := strings.TrimSpace(strings.ToValidUTF8(afterReasoning(content), "\uFFFD")); thought != "" {
		first.Thought = thought
	}
	return first, mended, work, nil
}

func parseCall(call Call) (Action, mends, int, error) {
	var mended mends
	a := Action{Name: call.Name}
	if err := a.resolve(&mended); err != nil {
		return Action{}, nil, 0, err
	}
	given, work, err := arguments(call.Arguments, &mended)
	if err == nil {
		err = a.fillNested(given, &mended)
	}
	if errors.Is(err, errCut) {
		err = &Error{FaultNoObject, "the arguments of the call are not closed"}
	}
	if err != nil {
		return Action{}, nil, work, err
	}
	return a, mended, work, nil
}

// arguments reads those of a call: one value, in fences or other text if need be.
func arguments(given string, mended *mends) (v value, work int, err error) {
	given = strings.TrimSpace(given)
	if given == "" {
		return value{kind: '{'}, 0, nil
	}
	r := reader{text: given}
	if v, ok := r.whole(); ok {
		mended.add(r.mends...)
		return v, r.at, nil
	}
	work = r.at
	why := r.why
	var object *reader
	var begin, end int
	repeated := false
	limit := work + perByte*len(given) + perReply
	for i, failed := 0, 0; ; {
		n := strings.IndexByte(given[i:], '{')
		if n < 0 {
			break
		}
		at := i + n
		r := &reader{text: given, at: at}
		next, ok := r.object(0)
		work += r.at - at
		switch {
		case !ok && object == nil:
			return value{}, work, &Error{FaultNoObject, "the arguments of the call are no JSON object: " + why}
		case !ok:
			if failed++; failed == maxFailed || work > limit {
				return value{}, work, &Error{FaultNoObject, "the arguments of the call have too many braces that begin no JSON object"}
			}
			i = at + 1
			continue
		case object == nil:
			object, v, begin, end = r, next, at, r.at
		case given[begin:object.at] == given[at:r.at]:
			repeated = true
			end = r.at
		default:
			return value{}, work, &Error{FaultSeveral, "the call has more than one object of arguments"}
		}
		i = r.at
	}
	if object == nil {
		return value{}, work, &Error{FaultNoObject, "the arguments of the call are no JSON object: " + why}
	}
	mended.add(around(given[:begin], given[end:])...)
	mended.add(object.mends...)
	if repeated {
		mended.add(mendRepeated)
	}
	return v, work, nil
}

// fillNested reads the params from arguments that may hold them, or the whole
// action, once more inside.
func (a *Action) fillNested(given value, mended *mends) error {
	clear, _ := names(given)
	_, inner, ok := given.one(paramsKeys...)
	switch {
	case given.twice:
	case clear:
		mended.add(mendNested)
		again, err := readAction(given, mended)
		if err == nil && again.Name != a.Name {
			err = &Error{FaultSeveral, fmt.Sprintf("the call is of %s, its arguments name %s", a.Name, again.Name)}
		}
		*a = again
		return err
	case ok && inner.kind == '{' && len(given.members) == 1:
		mended.add(mendNested)
		given = inner
	}
	return a.fill(given, mended)
}

func afterReasoning(content string) string {
	marks := marksOf(content)
	for _, m := range slices.Backward(marks) {
		if m.closes {
			return content[m.end:]
		}
	}
	return content
}
