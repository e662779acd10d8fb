package protocol

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/schemas"
)

func TestParseCalls(t *testing.T) {
	call := func(name, arguments string) Call { return Call{ID: "1", Name: name, Arguments: arguments} }
	ls := call("terminal", `{"cmd": "ls"}`)
	for name, tc := range map[string]struct {
		content string
		calls   []Call
		want    string // as in the corpus
		thought string
	}{
		"a call":                   {"", []Call{ls}, `terminal {"cmd":"ls"}`, ""},
		"with content":             {"I look.\n", []Call{ls}, `terminal {"cmd":"ls"}`, "I look."},
		"content reasons":          {"<think>hm</think>\n\nI look.", []Call{ls}, `terminal {"cmd":"ls"}`, "I look."},
		"content is no UTF-8":      {"I l\xffok.", []Call{ls}, `terminal {"cmd":"ls"}`, "I l\uFFFDok."},
		"content holds JSON":       {`I could {"action": "terminal", "params": {"cmd": "pwd"}}`, []Call{ls}, `terminal {"cmd":"ls"}`, `I could {"action": "terminal", "params": {"cmd": "pwd"}}`},
		"alias":                    {"", []Call{call("debug", `{"code": "x", "error_msg": "e"}`)}, `debugging {"code":"x","error_msg":"e"} alias`, ""},
		"none, JSON":               {`{"action": "terminal", "params": {"cmd": "ls"}}`, nil, `terminal {"cmd":"ls"} call_in_text`, ""},
		"none, in text":            {"<tool_call>{\"name\": \"terminal\", \"arguments\": {\"cmd\": \"ls\"}}</tool_call>", []Call{}, `terminal {"cmd":"ls"} call_in_text tool_tags action_name params_name`, ""},
		"none, prose":              {"I look.", []Call{}, "! no_json_object", ""},
		"none, empty":              {"", []Call{}, "! empty_reply", ""},
		"unknown tool":             {"", []Call{call("python", `{"code": "x"}`)}, "! unknown_action", ""},
		"no name":                  {"", []Call{call("", `{"cmd": "ls"}`)}, "! unknown_action", ""},
		"no arguments":             {"", []Call{call("terminal", "")}, "! missing_key", ""},
		"empty arguments":          {"", []Call{call("terminal", "{}")}, "! missing_key", ""},
		"unknown param":            {"", []Call{call("terminal", `{"cmd": "ls", "cwd": "/"}`)}, "! unknown_key", ""},
		"another name":             {"", []Call{call("terminal", `{"command": "ls"}`)}, "! missing_key", ""},
		"wrong type":               {"", []Call{call("terminal", `{"cmd": ["ls"]}`)}, "! wrong_type", ""},
		"a list":                   {"", []Call{call("terminal", `["ls"]`)}, "! wrong_type", ""},
		"bare text":                {"", []Call{call("code_execution", "import os\nprint(os.sep)")}, "! no_json_object", ""},
		"bare text in quotes":      {"", []Call{call("terminal", `"ls"`)}, "! wrong_type", ""},
		"a key twice":              {"", []Call{call("terminal", `{"cmd": "ls", "cmd": "pwd"}`)}, "! duplicate_key", ""},
		"null for an optional":     {"", []Call{call("debugging", `{"code": "x", "error_msg": null}`)}, `debugging {"code":"x"} null_param`, ""},
		"python's":                 {"", []Call{call("terminal", `{'cmd': 'ls',}`)}, `terminal {"cmd":"ls"} single_quotes trailing_comma`, ""},
		"raw line breaks":          {"", []Call{call("code_execution", "{\"code\": \"a = 1\nprint(a)\"}")}, `code_execution {"code":"a = 1\nprint(a)"} raw_controls`, ""},
		"encoded twice":            {"", []Call{call("terminal", `"{\"cmd\": \"ls\"}"`)}, `terminal {"cmd":"ls"} params_text`, ""},
		"fenced":                   {"", []Call{call("terminal", "```json\n{\"cmd\": \"ls\"}\n```")}, `terminal {"cmd":"ls"} code_fence`, ""},
		"text around":              {"", []Call{call("terminal", "{\"cmd\": \"ls\"}</s>")}, `terminal {"cmd":"ls"} text_around`, ""},
		"not closed":               {"", []Call{call("terminal", `{"cmd": "ls"`)}, `terminal {"cmd":"ls"} unclosed`, ""},
		"not closed, doubtful":     {"", []Call{call("debugging", `{"code": "x"`)}, "! no_json_object", ""},
		"cut":                      {"", []Call{call("terminal", `{"cmd": "l`)}, "! no_json_object", ""},
		"quotes not escaped":       {"", []Call{call("terminal", `{"cmd": "echo "x""}`)}, "! no_json_object", ""},
		"written twice":            {"", []Call{call("terminal", `{"cmd": "ls"}{"cmd": "ls"}`)}, `terminal {"cmd":"ls"} repeated`, ""},
		"two in one":               {"", []Call{call("terminal", `{"cmd": "ls"}{"cmd": "pwd"}`)}, "! several_actions", ""},
		"braces behind":            {"", []Call{call("terminal", `{"cmd": "ls"}`+strings.Repeat("{", maxFailed))}, "! no_json_object", ""},
		"whole action inside":      {"", []Call{call("terminal", `{"action": "terminal", "params": {"cmd": "ls"}}`)}, `terminal {"cmd":"ls"} nested_params`, ""},
		"flat action inside":       {"", []Call{call("terminal", `{"action": "terminal", "cmd": "ls", "thought": "look"}`)}, `terminal {"cmd":"ls"} nested_params flat_params`, "look"},
		"another action inside":    {"", []Call{call("terminal", `{"action": "code_execution", "params": {"code": "x"}}`)}, "! several_actions", ""},
		"params inside":            {"", []Call{call("terminal", `{"params": {"cmd": "ls"}}`)}, `terminal {"cmd":"ls"} nested_params`, ""},
		"text where params may be": {"", []Call{call("terminal", `{"input": "ls"}`)}, "! missing_key", ""},
		"repeated":                 {"", []Call{ls, ls, {ID: "2", Name: "terminal", Arguments: `{"cmd":"ls"}`}}, `terminal {"cmd":"ls"} repeated`, ""},
		"several":                  {"", []Call{ls, call("terminal", `{"cmd": "pwd"}`)}, "! several_actions", ""},
		"several, one unreadable":  {"", []Call{ls, call("terminal", `{"cmd": "pw`)}, "! several_actions", ""},
		"several, one unknown":     {"", []Call{call("look", "{}"), ls}, "! several_actions", ""},
		"repeated and unknown":     {"", []Call{call("look", "{}"), call("look", "{}")}, "! unknown_action", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, repairs, err := ParseCalls(tc.content, tc.calls)
			if got := said(a, repairs, err); got != tc.want || a.Thought != tc.thought {
				t.Errorf("got  %s, thought %q (%v)\nwant %s", got, a.Thought, err, tc.want)
			}
			check(t, a, repairs, err)
		})
	}
}

// formatCall writes an action as a native tool call.
func formatCall(t *testing.T, action string, params map[string]string) Call {
	t.Helper()
	text, err := json.Marshal(params, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return Call{ID: "1", Name: action, Arguments: string(text)}
}

// TestTools: what servers are told agrees with what is read.
func TestTools(t *testing.T) {
	all := Tools([]string{schemas.ActionTerminal, "give_up", schemas.ActionRequestInfo, schemas.ActionDebugging, schemas.ActionCodeExecution, schemas.ActionTerminal})
	if len(all) != len(params) {
		t.Fatalf("%d tools, %d actions", len(all), len(params))
	}
	for _, tool := range all {
		var schema struct {
			Type       string `json:"type"`
			Properties map[string]struct {
				Type        string   `json:"type"`
				Description string   `json:"description"`
				Enum        []string `json:"enum"`
			} `json:"properties"`
			Required             []string `json:"required"`
			AdditionalProperties *bool    `json:"additionalProperties"`
		}
		if err := json.Unmarshal(tool.Parameters, &schema, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%s: %v", tool.Name, err)
		}
		want := params[tool.Name]
		if schema.Type != "object" || schema.AdditionalProperties == nil || *schema.AdditionalProperties || !slices.Equal(schema.Required, want.required) ||
			len(schema.Properties) != len(want.required)+len(want.optional) || tool.Description == "" || !strings.HasSuffix(tool.Description, ".") {
			t.Errorf("%+v", schema)
		}
		given := map[string]string{}
		for _, key := range slices.Concat(want.required, want.optional) {
			if p := schema.Properties[key]; p.Type != "string" || p.Description == "" {
				t.Errorf("%s: %s is %+v", tool.Name, key, p)
			}
			given[key] = key
		}
		call := formatCall(t, tool.Name, given)
		if a, repairs, err := ParseCalls("", []Call{call}); err != nil || a.Name != tool.Name || repairs != nil {
			t.Errorf("%+v, %v, %v", a, repairs, err)
		}
	}
	all[0].Parameters[0] = 'x'
	if got := Tools([]string{schemas.ActionTerminal, schemas.ActionCodeExecution}); len(got) != 2 || got[0].Name != schemas.ActionCodeExecution || got[0].Parameters[0] != '{' {
		t.Errorf("%+v", got)
	}
	if got := Tools(nil); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func FuzzParseCalls(f *testing.F) {
	for _, r := range replies(f) {
		f.Add(r.text, 0, "", "", "")
		f.Add("", 1, "terminal", r.text, "")
	}
	for _, arguments := range []string{`{"cmd": "ls"}`, `"{\"code\": \"x\"}"`, "```json\n{'code': None}\n```", `{"params": {"cmd": "ls"`, `{"cmd":"a"}{"cmd":"a"}`, "{}", "{{{"} {
		f.Add("look", 2, "debug", arguments, arguments)
	}
	f.Fuzz(func(t *testing.T, content string, n int, name, first, second string) {
		calls := []Call{{"1", name, first}, {"2", name, second}, {"3", "terminal", first}}[:min(max(n, 0), 3)]
		a, repairs, work, err := parseCalls(content, calls)
		check(t, a, repairs, err)
		size := len(content)
		for _, call := range calls {
			size += len(call.Arguments) + perReply
		}
		if most := bound(size); work > most {
			t.Fatalf("%d bytes were looked at, at most %d may be", work, most)
		}
	})
}
