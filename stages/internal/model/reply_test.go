package model

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/medgym-data/medgym-data/pipeline"
)

// What servers make of the protocol.
func TestReplies(t *testing.T) {
	tools := `{"choices":[{"message":{"content":null,"tool_calls":[`
	for name, tt := range map[string]struct {
		body string
		want Choice
	}{
		"plain":                 {`{"choices":[{"message":{"content":"a"},"finish_reason":"length"}]}`, Choice{Content: "a", Finish: "length"}},
		"null":                  {`{"choices":[{"message":{"content":null},"finish_reason":null}]}`, Choice{}},
		"nothing":               {`{"choices":[{"message":{}}]}`, Choice{}},
		"parts":                 {`{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"image"},"c"]}}]}`, Choice{Content: "abc"}},
		"a refusal":             {`{"choices":[{"message":{"content":null,"refusal":"no"}}]}`, Choice{Content: "no"}},
		"bytes that are none":   {"{\"choices\":[{\"message\":{\"content\":\"a\xffb\xc3\"}}]}", Choice{Content: "a\uFFFDb\uFFFD"}},
		"lone surrogates":       {`{"choices":[{"message":{"content":"a\ud800b\udc00\ud83d\ude00","reasoning":"\ud800"}}]}`, Choice{Content: "a\uFFFDb\uFFFD😀", Reasoning: "\uFFFD"}},
		"a key twice":           {`{"choices":[{"message":{"content":"a","content":"b"}}]}`, Choice{Content: "b"}},
		"reasoning":             {`{"choices":[{"message":{"content":"a","reasoning":"why"}}]}`, Choice{Content: "a", Reasoning: "why"}},
		"reasoning of vLLM":     {`{"choices":[{"message":{"content":"a","reasoning_content":"why","reasoning":"other"}}]}`, Choice{Content: "a", Reasoning: "why"}},
		"no reasoning":          {`{"choices":[{"message":{"content":"a","reasoning_content":null,"reasoning":""}}]}`, Choice{Content: "a"}},
		"odd reasoning":         {`{"choices":[{"message":{"content":"a","reasoning":{"x":1}}}]}`, Choice{Content: "a"}},
		"thought":               {`{"choices":[{"message":{"content":"\n<think>\nwhy\n</think>\n\n{\"action\":1}"}}]}`, Choice{Content: `{"action":1}`, Reasoning: "why"}},
		"thought, then cut":     {`{"choices":[{"message":{"content":"<think>\nwhy"},"finish_reason":"length"}]}`, Choice{Reasoning: "why", Finish: "length"}},
		"thought of a prompt":   {`{"choices":[{"message":{"content":"why\n</think>\na"}}]}`, Choice{Content: "a", Reasoning: "why"}},
		"a tag in an action":    {`{"choices":[{"message":{"content":"{\"code\":\"</think>\"}"}}]}`, Choice{Content: `{"code":"</think>"}`}},
		"a tag in what is said": {`{"choices":[{"message":{"content":"say <think>x</think>"}}]}`, Choice{Content: "say <think>x</think>"}},
		"a tag and reasoning":   {`{"choices":[{"message":{"content":"<think>x</think>a","reasoning":"why"}}]}`, Choice{Content: "<think>x</think>a", Reasoning: "why"}},
		"a call":                {tools + `{"id":"x1","type":"function","function":{"name":"run","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}]}`, Choice{Calls: []Call{{"x1", "run", `{"a":1}`}}, Finish: "tool_calls"}},
		"arguments as object":   {tools + `{"id":"x1","function":{"name":"run","arguments":{"a": "\u00e9"}}}]}}]}`, Choice{Calls: []Call{{"x1", "run", `{"a": "\u00e9"}`}}}},
		"no arguments":          {tools + `{"id":"x1","function":{"name":"run"}},{"id":"x2","function":{"name":"run","arguments":null}}]}}]}`, Choice{Calls: []Call{{"x1", "run", ""}, {"x2", "run", ""}}}},
		"no ids":                {tools + `{"function":{"name":"f"}},{"id":null,"function":{"name":"g"}},{"id":"a","function":{"name":"h"}},{"id":"a","function":{"name":"i"}}]}}]}`, Choice{Calls: []Call{{"call_3", "f", ""}, {"call_4", "g", ""}, {"a", "h", ""}, {"call_6", "i", ""}}}},
		"an id that is counted": {tools + `{"function":{"name":"f"}},{"id":"call_3","function":{"name":"g"}},{"id":"call_6","function":{"name":"h"}},{"function":{"name":"i"}}]}}]}`,
			Choice{Calls: []Call{{"call_3", "f", ""}, {"call_4", "g", ""}, {"call_6", "h", ""}, {"call_7", "i", ""}}}},
		"no calls":      {`{"choices":[{"message":{"content":"a","tool_calls":null}}]}`, Choice{Content: "a"}},
		"a call of old": {`{"choices":[{"message":{"content":null,"function_call":{"name":"run","arguments":"{}"}}}]}`, Choice{Calls: []Call{{"call_3", "run", "{}"}}}},
		"odd finish":    {`{"choices":[{"message":{"content":"a"},"finish_reason":"SOME TEXT"}]}`, Choice{Content: "a"}},
		"log probabilities": {`{"choices":[{"message":{"content":"ab"},"logprobs":{"content":[{"token":"a","logprob":-0.5,"top_logprobs":[{"token":"a","logprob":-0.5},{"token":"c","logprob":-2}]},{"token":"b","logprob":-1,"top_logprobs":[]}]}}]}`,
			Choice{Content: "ab", Logprobs: []float64{-0.5, -1}, Top: [][]TokenLogprob{{{"a", -0.5}, {"c", -2}}, nil}}},
		"half of them":           {`{"choices":[{"message":{"content":"ab"},"logprobs":{"content":[{"token":"a","logprob":-0.5},{"token":"b","logprob":null}]}}]}`, Choice{Content: "ab"}},
		"none":                   {`{"choices":[{"message":{"content":"ab"},"logprobs":null}]}`, Choice{Content: "ab"}},
		"odd ones":               {`{"choices":[{"message":{"content":"ab"},"logprobs":[1,2]}]}`, Choice{Content: "ab"}},
		"token ids of vLLM":      {`{"choices":[{"message":{"content":"ab"},"token_ids":[5,6]}]}`, Choice{Content: "ab", TokenIDs: []int32{5, 6}}},
		"token ids as names":     {`{"choices":[{"message":{"content":"ab"},"logprobs":{"content":[{"token":"token_id:7","logprob":-1}]}}]}`, Choice{Content: "ab", Logprobs: []float64{-1}, TokenIDs: []int32{7}}},
		"token ids of SGLang":    {`{"choices":[{"message":{"content":"ab"},"meta_info":{"output_token_logprobs":[[-0.5,8,"a"],[-1,9,null]]}}]}`, Choice{Content: "ab", TokenIDs: []int32{8, 9}}},
		"token ids of llama.cpp": {`{"choices":[{"message":{"content":"ab"},"logprobs":{"content":[{"id":267,"token":"a","logprob":-1,"bytes":[97]}]}}]}`, Choice{Content: "ab", Logprobs: []float64{-1}, TokenIDs: []int32{267}}},
		"odd token ids":          {`{"choices":[{"message":{"content":"ab"},"token_ids":["a"],"meta_info":[]}]}`, Choice{Content: "ab"}},
		"no token ids":           {`{"choices":[{"message":{"content":"ab"},"token_ids":null}]}`, Choice{Content: "ab"}},
	} {
		res, err := parse([]byte(tt.body), 3)
		if err != nil || len(res.Choices) != 1 || !reflect.DeepEqual(res.Choices[0], tt.want) {
			t.Errorf("%s: %+v, %v", name, res, err)
		}
	}
	for name, tt := range map[string]struct {
		body string
		want error
	}{
		"a list": {`[]`, errMalformed}, "no choices": {`{}`, errNoChoice}, "text": {`SECRET`, errMalformed}, "content of another kind": {`{"choices":[{"message":{"content":7}}]}`, errMalformed},
		"two documents": {fine + fine, errMalformed}, "a call that is none": {tools + `7]}}]}`, errMalformed}, "an error": {`{"error":"SECRET"}`, errInstead},
	} {
		if _, err := parse([]byte(tt.body), 0); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChoices(t *testing.T) {
	body := `{"choices":[{"index":2,"message":{"content":"c"}},{"index":0,"message":{"content":"a"}},{"index":1,"message":{"content":"x"},"finish_reason":"content_filter"}]}`
	res, err := parse([]byte(body), 0)
	if err != nil || len(res.Choices) != 2 || res.Choices[0].Content != "a" || res.Choices[1].Content != "c" {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestUsage(t *testing.T) {
	for text, want := range map[string]Usage{
		``: {}, `null`: {}, `[1]`: {}, `{"prompt_tokens":"3"}`: {}, `{"prompt_tokens":-4,"completion_tokens":1e300}`: {},
		`{"prompt_tokens":3,"completion_tokens":2.0}`:                                             {Prompt: 3, Completion: 2},
		`{"prompt_tokens":3,"prompt_tokens_details":null}`:                                        {Prompt: 3},
		`{"prompt_tokens":30,"prompt_tokens_details":{"cached_tokens":20,"audio":1}}`:             {Prompt: 30, Cached: 20},
		`{"prompt_tokens":30,"prompt_cache_hit_tokens":10}`:                                       {Prompt: 30, Cached: 10},
		`{"prompt_tokens":30,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":99}}`: {Prompt: 30, Completion: 2, Cached: 30},
	} {
		if got := usage([]byte(text)); got != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestPrices(t *testing.T) {
	read := func(text string) (Prices, error) {
		file := filepath.Join(t.TempDir(), "prices.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return ReadPrices(file)
	}
	p, err := read("models:\n  org/big: {input: 2.5, output: 10, cached_input: 0.5}\n  small:\n    input: 1\n    output: 2\n")
	if err != nil || *p.Of("org/big") != (Price{2.5, 10, 0.5}) || *p.Of("small") != (Price{1, 2, 1}) || p.Of("other") != nil {
		t.Errorf("%v, %v", p, err)
	}
	s := scripted(t, says(200, fine), says(200, `{"choices":[{"message":{"content":"a"}}]}`))
	c := client(t, func(o *Options) { o.Price = p.Of("org/big") }, s.url)
	res, err := c.Chat(t.Context(), question1)
	// 6 tokens at 2.5, 5 at 0.5 and 7 at 10 dollars a million.
	if err != nil || res.Usage.Cost == nil || *res.Usage.Cost != 87.5/1e6 {
		t.Errorf("%+v, %v", res.Usage, err)
	}
	if res, err = c.Chat(t.Context(), question1); err != nil || res.Usage.Cost != nil {
		t.Errorf("%+v, %v: the server counted nothing", res.Usage, err)
	}
	for name, tt := range map[string]struct {
		text string
		line int64
		want string
	}{
		"unknown key":   {"models:\n  a: {input: 1, output: 2, outputs: 3}\n", 2, `unknown key "outputs"`},
		"no output":     {"models:\n  a:\n    input: 1\n", 3, "the price of a has no output"},
		"no number":     {"models:\n  a: {input: 1, output: free}\n", 2, "output is not a number"},
		"a text":        {"models:\n  a: {input: 1, output: \"2\"}\n", 2, "output is not a number"},
		"endless":       {"models:\n  a: {input: .inf, output: 2}\n", 2, "input is not a number"},
		"negative":      {"models:\n  a: {input: 1, output: -2}\n", 2, "output is negative"},
		"twice":         {"models:\n  a: {input: 1, output: 2}\n  a: {input: 1, output: 2}\n", 3, "is there twice"},
		"a list":        {"models: [a]\n", 1, "models is not a mapping"},
		"no models":     {"{}\n", 1, "there is no mapping models"},
		"another key":   {"prices: {}\n", 1, `unknown key "prices"`},
		"nothing":       {"", 0, "is empty"},
		"not a mapping": {"models:\n  a: 3\n", 2, "a price is not a mapping"},
	} {
		_, err := read(tt.text)
		var bad *pipeline.InputError
		if !errors.As(err, &bad) || bad.Line != tt.line || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a server sends: what is read is text, has no more than it may, and reads the
// same again; and no error, of a response or of a fault, holds a part of it.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		fine, `{"choices":[]}`, `{"error":{"message":"m","code":"context_length_exceeded"}}`, `{"choices":[{"message":{"content":[{"text":"a\ud800"}],"tool_calls":[{"function":{"arguments":{"a":1}}}]},"logprobs":{"content":[{"token":"token_id:1","logprob":-1,"top_logprobs":[{"token":"b","logprob":-2}]}]}}]}`,
		`{"choices":[{"index":1e308,"message":{"content":"<think>a</think>b"}},{"index":-1,"message":{"reasoning":"x","function_call":{"name":"f"}},"meta_info":{"output_token_logprobs":[[0,1]]}}],"usage":{"prompt_tokens":1}}`,
		"\xff", `{"error":"e"}`, `{"error":{"code":500,"innererror":{"code":"x"}}}`,
	} {
		f.Add([]byte(seed), 200)
		f.Add([]byte(seed), 400)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		res, err := parse(body, 1)
		again, err2 := parse(body, 1)
		if !reflect.DeepEqual(res, again) || (err == nil) != (err2 == nil) {
			t.Error("the same response reads otherwise")
		}
		if err == nil && len(res.Choices) == 0 {
			t.Error("no choice and no error")
		}
		for _, c := range res.Choices {
			texts := []string{c.Content, c.Reasoning, c.Finish, res.Model}
			ids := map[string]bool{}
			for _, call := range c.Calls {
				texts = append(texts, call.ID, call.Name, call.Arguments)
				if call.ID == "" || ids[call.ID] {
					t.Errorf("the id %q", call.ID)
				}
				ids[call.ID] = true
			}
			for _, text := range texts {
				if !utf8.ValidString(text) {
					t.Errorf("%q is no text", text)
				}
			}
			if c.Top != nil && len(c.Top) != len(c.Logprobs) {
				t.Error("alternatives of other tokens")
			}
		}
		if res.Usage.Prompt < 0 || res.Usage.Completion < 0 || res.Usage.Cached > res.Usage.Prompt {
			t.Errorf("%+v", res.Usage)
		}
		e := answered("e", status, nil, body)
		if e.Class == "" || classes[e.Class] == "" || e.Code != "" && !strings.Contains(strings.Join(names, " "), e.Code) {
			t.Errorf("%+v", e)
		}
		if e.Error() != (&Error{Endpoint: "e", Status: e.Status, Code: e.Code, Class: e.Class, Err: e.Err}).Error() {
			t.Errorf("%v", e)
		}
	})
}
