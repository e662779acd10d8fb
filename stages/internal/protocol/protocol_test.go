package protocol

import (
	"errors"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
)

func TestParse(t *testing.T) {
	const plain = `{"action": "code_execution", "params": {"code": "answer = 1"}}`
	for name, tc := range map[string]struct {
		reply string
		want  Action
		fault string
	}{
		"plain":              {plain, Action{Name: "code_execution", Code: "answer = 1", Params: `{"code":"answer = 1"}`}, ""},
		"with a thought":     {`{"thought": "now", "action": "terminal", "params": {"cmd": "ls"}}`, Action{Name: "terminal", Thought: "now", Command: "ls", Params: `{"cmd":"ls"}`}, ""},
		"release's names":    {`{"action": "validate_code", "params": {"code": "x"}}`, Action{Name: "code_execution", Code: "x", Params: `{"code":"x"}`}, ""},
		"debug":              {`{"action": "debug", "params": {"error_msg": "e", "code": "x"}}`, Action{Name: "debugging", Code: "x", Error: "e", Params: `{"code":"x","error_msg":"e"}`}, ""},
		"debugging, bare":    {`{"action": "debugging", "params": {"code": "x"}}`, Action{Name: "debugging", Code: "x", Params: `{"code":"x"}`}, ""},
		"request_info":       {`{"action": "request_info", "params": {"data_path": "d", "info_type": "term", "keyterm": "k"}}`, Action{Name: "request_info", Info: Info{"d", "term", "k"}, Params: `{"data_path":"d","info_type":"term","keyterm":"k"}`}, ""},
		"fenced":             {"Here it is:\n```json\n" + plain + "\n```\nDone.", Action{Name: "code_execution", Code: "answer = 1", Params: `{"code":"answer = 1"}`}, ""},
		"text around":        {"I use {braces} first. " + plain + " That is all {", Action{Name: "code_execution", Code: "answer = 1", Params: `{"code":"answer = 1"}`}, ""},
		"after a thought":    {"<think>maybe {\"action\": \"terminal\", \"params\": {\"cmd\": \"rm\"}}</think>\n" + plain, Action{Name: "code_execution", Code: "answer = 1", Params: `{"code":"answer = 1"}`}, ""},
		"other object":       {`Given {"age": 4}: ` + plain, Action{Name: "code_execution", Code: "answer = 1", Params: `{"code":"answer = 1"}`}, ""},
		"raw line breaks":    {"{\"action\": \"code_execution\", \"params\": {\"code\": \"a = 1\n\tb = \\\"{\\\"\"}}", Action{Name: "code_execution", Code: "a = 1\n\tb = \"{\"", Params: `{"code":"a = 1\n\tb = \"{\""}`}, ""},
		"braces in a text":   {`{"action": "code_execution", "params": {"code": "d = {'a': {}}\nprint('}')"}}`, Action{Name: "code_execution", Code: "d = {'a': {}}\nprint('}')", Params: `{"code":"d = {'a': {}}\nprint('}')"}`}, ""},
		"inside an object":   {`[{"reply": 1}, ` + plain + `]`, Action{Name: "code_execution", Code: "answer = 1", Params: `{"code":"answer = 1"}`}, ""},
		"empty":              {" \n", Action{}, FaultEmpty},
		"only a thought":     {"<think>hm</think>", Action{}, FaultEmpty},
		"prose":              {"I would compute it.", Action{}, FaultNoObject},
		"cut off":            {`{"action": "code_execution", "params": {"code": "imp`, Action{}, FaultNoObject},
		"not closed":         {`{"action": "code_execution", "params": {"code": "x"}`, Action{Name: "code_execution", Code: "x", Params: `{"code":"x"}`}, ""},
		"python's quotes":    {`{'action': 'code_execution', 'params': {'code': 'x'}}`, Action{Name: "code_execution", Code: "x", Params: `{"code":"x"}`}, ""},
		"one action, twice":  {plain + "\n" + plain, Action{Name: "code_execution", Code: "answer = 1", Params: `{"code":"answer = 1"}`}, ""},
		"two different":      {plain + ` or {"action": "terminal", "params": {"cmd": "ls"}}`, Action{}, FaultSeveral},
		"two actions in it":  {`{"action": "terminal", "action": "code_execution", "params": {"code": "x"}}`, Action{}, FaultDuplicate},
		"two codes":          {`{"action": "code_execution", "params": {"code": "x", "code": "y"}}`, Action{}, FaultDuplicate},
		"doubt spoils all":   {`{"a": 1, "a": 2} ` + plain, Action{}, FaultDuplicate},
		"unknown action":     {`{"action": "give_up", "params": {}}`, Action{}, FaultAction},
		"action is a list":   {`{"action": ["terminal"], "params": {}}`, Action{}, FaultType},
		"no params":          {`{"action": "terminal"}`, Action{}, FaultMissing},
		"params is a text":   {`{"action": "terminal", "params": "ls"}`, Action{}, FaultType},
		"params is null":     {`{"action": "terminal", "params": null}`, Action{}, FaultType},
		"no code":            {`{"action": "code_execution", "params": {}}`, Action{}, FaultMissing},
		"code is a number":   {`{"action": "code_execution", "params": {"code": 1}}`, Action{}, FaultType},
		"code is null":       {`{"action": "code_execution", "params": {"code": null}}`, Action{}, FaultType},
		"another param":      {`{"action": "code_execution", "params": {"code": "x", "language": "r"}}`, Action{}, FaultKey},
		"another key":        {`{"action": "terminal", "params": {"cmd": "ls"}, "confidence": 1}`, Action{}, FaultKey},
		"too many braces":    {strings.Repeat("{", 300) + plain, Action{}, FaultNoObject},
		"many braces before": {strings.Repeat("{", 300) + "</think>" + plain, Action{Name: "code_execution", Code: "answer = 1", Params: `{"code":"answer = 1"}`}, ""},
		"much work before":   {strings.Repeat("{“", 100) + strings.Repeat("x", 20000) + "</think> {“</think>" + plain, Action{Name: "code_execution", Code: "answer = 1", Params: `{"code":"answer = 1"}`}, ""},
		"much work, no mark": {strings.Repeat("{“", 100) + strings.Repeat("x", 20000) + plain, Action{}, FaultNoObject},
		"every escape":       {`{"action": "terminal", "params": {"cmd": "\"\\\/\b\f\n\r\t\u00E9\uD83D\uDE00\u12"}}`, Action{Name: "terminal", Command: "\"\\/\b\f\n\r\té😀\\u12", Params: `{"cmd":"\"\\/\b\f\n\r\té😀\\u12"}`}, ""},
		"thought is a list":  {`{"thought": ["a"], "action": "terminal", "params": {"cmd": "ls"}}`, Action{}, FaultType},
		"lists":              {`[1, [2, ], {"a": [1.5e3, -1, true, {"b": null}]}] ` + plain, Action{Name: "code_execution", Code: "answer = 1", Params: `{"code":"answer = 1"}`}, ""},
		"a list cut":         {`{"action": "terminal", "params": [1`, Action{}, FaultNoObject},
		"two keys in text":   {`{"action": "terminal", "params": "{\"cmd\": \"ls\", \"cmd\": \"ls\"}"}`, Action{}, FaultDuplicate},
		"a comment cut":      {`{"action": "terminal", /* "params": {"cmd": "ls"}}`, Action{}, FaultNoObject},
		"half a surrogate":   {`{"action": "terminal", "params": {"cmd": "\ud800"}}`, Action{}, FaultNoObject},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := Parse(tc.reply)
			if tc.fault == "" {
				if err != nil || got != tc.want {
					t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
				}
				return
			}
			var fault *Error
			if !errors.As(err, &fault) || fault.Fault != tc.fault {
				t.Errorf("got %+v, %v; want %s", got, err, tc.fault)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	if text, err := Format("terminal", "\xff", nil); err == nil {
		t.Errorf("invalid UTF-8 became %s", text)
	}
	text, err := Format(schemas.ActionCodeExecution, "a \"thought\"", map[string]string{"code": "print('{')\n"})
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := Parse(text)
	if err != nil || got.Code != "print('{')\n" || got.Thought != "a \"thought\"" || got.Name != schemas.ActionCodeExecution {
		t.Errorf("%s was read as %+v, %v", text, got, err)
	}
}
