package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/model"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// request is what a server is asked.
type request struct {
	Model       string           `json:"model"`
	Messages    []map[string]any `json:"messages"`
	Tools       []map[string]any `json:"tools"`
	Temperature *float64         `json:"temperature"`
	TopP        *float64         `json:"top_p"`
	MaxTokens   int              `json:"max_tokens"`
	Seed        *int64           `json:"seed"`
	Stop        []string         `json:"stop"`
	N           int              `json:"n"`
	Logprobs    bool             `json:"logprobs"`
	TokenIDs    bool             `json:"return_token_ids"`
	TopK        int              `json:"top_k"`
}

// server answers with what the test makes of each request, n from 0.
type server struct {
	answer func(n int, r request) (status int, body string)

	mu   sync.Mutex
	seen []request
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req request
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	s.mu.Lock()
	n := len(s.seen)
	s.seen = append(s.seen, req)
	s.mu.Unlock()
	status, body := s.answer(n, req)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

func asked(t *testing.T, opts Options, answer func(n int, r request) (int, string)) (rollout.Policies, *server) {
	t.Helper()
	s := &server{answer: answer}
	real := httptest.NewServer(s)
	t.Cleanup(real.Close)
	endpoint, err := governance.Classify(t.Context(), real.URL+"/v1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	price := Price{Input: 1, Output: 2, CachedInput: 1}
	if opts.Client, err = NewClient(ClientOptions{Endpoints: []governance.Endpoint{endpoint}, Model: "tiny", Backoff: time.Microsecond, Retries: 1, Price: &price}); err != nil {
		t.Fatal(err)
	}
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.(io.Closer).Close() })
	return p, s
}

func ok(int, request) (int, string) { return http.StatusOK, says("fine") }

// says is a response with these replies.
func says(replies ...string) string {
	var choices []any
	for i, text := range replies {
		choices = append(choices, map[string]any{"index": i, "message": map[string]any{"content": text}, "finish_reason": "stop"})
	}
	text, _ := json.Marshal(map[string]any{"choices": choices, "usage": map[string]int{"prompt_tokens": 11, "completion_tokens": 7 * len(replies)}})
	return string(text)
}

var begin = rollout.Conversation{Messages: []schemas.ChatMessage{{Role: "system", Content: "rules"}, {Role: "user", Content: "SECRET question"}},
	Actions: []string{schemas.ActionCodeExecution}, PromptTokens: 10}

func start(t *testing.T, p rollout.Policies, attempt int) rollout.Policy {
	t.Helper()
	policy, err := p.New(schemas.Task{TaskID: "s/test/1", Source: "s", AccessTier: schemas.TierCredentialed}, attempt, uint64(attempt)<<32+77)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func TestChat(t *testing.T) {
	opts := Options{Temperatures: []float64{0.6}, TopP: schemas.Ptr(0.9), MaxTokens: 100, Stop: []string{"END"}, Seeds: true, Logprobs: true, TokenIDs: true,
		Extra: map[string]jsontext.Value{"top_k": jsontext.Value("5")}}
	body := `{"choices":[{"message":{"content":"hello","reasoning_content":"why"},"finish_reason":"length","token_ids":[4],"logprobs":{"content":[{"token":"a","logprob":-1}]}}],"usage":{"prompt_tokens":1000000,"completion_tokens":500000}}`
	p, s := asked(t, opts, func(int, request) (int, string) { return 200, body })
	reply, err := start(t, p, 0).Next(t.Context(), begin)
	want := rollout.Reply{Content: "hello", Reasoning: "why", Truncated: true, PromptTokens: 1000000, CompletionTokens: 500000, CostUSD: schemas.Ptr(2.0), FinishReason: "length", TokenIDs: []int32{4}, Logprobs: []float64{-1}}
	if err != nil || !reflect.DeepEqual(reply, want) {
		t.Errorf("%+v, %v", reply, err)
	}
	req := s.requests()[0]
	if req.Model != "tiny" || len(req.Messages) != 2 || req.Messages[1]["content"] != "SECRET question" || *req.Temperature != 0.6 || *req.TopP != 0.9 || req.MaxTokens != 100 ||
		req.Seed == nil || !slices.Equal(req.Stop, opts.Stop) || req.N != 0 || !req.Logprobs || !req.TokenIDs || req.TopK != 5 || req.Tools != nil {
		t.Errorf("%+v", req)
	}
	if about, want := p.About(), (schemas.Policy{Kind: "openai", Model: "tiny", EndpointClass: "local", Protocol: "json", Temperature: schemas.Ptr(0.6), TopP: schemas.Ptr(0.9), MaxTokens: schemas.Ptr(int32(100))}); !reflect.DeepEqual(about, want) {
		t.Errorf("%+v", about)
	}
}

// Every turn of every attempt has a seed of its own, the same each time.
func TestSeeds(t *testing.T) {
	play := func(seeds bool) (out []int64) {
		p, s := asked(t, Options{Seeds: seeds}, ok)
		for attempt := range 2 {
			policy := start(t, p, attempt)
			c := begin
			for range 2 {
				if _, err := policy.Next(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				c.PromptTokens = 0
				c.Messages = append(slices.Clone(c.Messages), schemas.ChatMessage{Role: "assistant", Content: "fine"}, schemas.ChatMessage{Role: "user", Content: "go on"})
			}
		}
		for _, req := range s.requests() {
			if req.Seed != nil {
				out = append(out, *req.Seed)
			}
		}
		return out
	}
	first, again := play(true), play(true)
	distinct := map[int64]bool{}
	for _, seed := range first {
		distinct[seed] = true
	}
	if len(first) != 4 || len(distinct) != 4 || !slices.Equal(first, again) {
		t.Errorf("%v, %v", first, again)
	}
	if none := play(false); none != nil {
		t.Errorf("%v", none)
	}
}

func TestTemperatures(t *testing.T) {
	p, s := asked(t, Options{Temperatures: []float64{0.2, 1}}, ok)
	for attempt := range 3 {
		if _, err := start(t, p, attempt).Next(t.Context(), begin); err != nil {
			t.Fatal(err)
		}
		about, want := p.(rollout.Varying).AboutAttempt(schemas.Task{}, attempt), []float64{0.2, 1, 0.2}[attempt]
		if got := s.requests()[attempt].Temperature; *got != want || *about.Temperature != want {
			t.Errorf("attempt %d: %v, %v", attempt, *got, *about.Temperature)
		}
	}
	if about := p.About(); about.Temperature != nil {
		t.Errorf("a schedule is told as %v", *about.Temperature)
	}
}

// Another value of what shapes attempts is another text.
func TestSettings(t *testing.T) {
	seen := map[string]bool{}
	for _, opts := range []Options{
		{Seeds: true}, {}, {Seeds: true, Temperatures: []float64{1, 0.5}}, {Seeds: true, Temperatures: []float64{0.5, 1}}, {Seeds: true, Stop: []string{"END"}}, {Seeds: true, N: 4},
		{Seeds: true, Extra: map[string]jsontext.Value{"top_k": jsontext.Value("5")}}, {Seeds: true, Extra: map[string]jsontext.Value{"top_k": jsontext.Value("6")}},
	} {
		p, _ := asked(t, opts, ok)
		text := p.(rollout.Configured).Settings()
		if seen[text] {
			t.Errorf("%+v has the settings %q of another", opts, text)
		}
		seen[text] = true
	}
	a, _ := asked(t, Options{Seeds: true, N: 1, Temperatures: []float64{1}, Extra: map[string]jsontext.Value{"o": jsontext.Value(`{"b":1, "a":2}`)}}, ok)
	b, _ := asked(t, Options{Seeds: true, Extra: map[string]jsontext.Value{"o": jsontext.Value(`{"a":2,"b":1.0}`)}}, ok)
	if !seen[""] || a.(rollout.Configured).Settings() != b.(rollout.Configured).Settings() {
		t.Error("the same settings read otherwise")
	}
}

func TestTools(t *testing.T) {
	calls := func(arguments string) string {
		return fmt.Sprintf(`{"choices":[{"message":{"content":null,"tool_calls":[{"id":"x","function":{"name":"code_execution","arguments":%s}}]},"finish_reason":"tool_calls"}]}`, arguments)
	}
	p, s := asked(t, Options{Protocol: rollout.ProtocolTools}, func(n int, _ request) (int, string) { return 200, calls(`"{\"code\":"`) })
	policy := start(t, p, 0)
	reply, err := policy.Next(t.Context(), begin)
	if want := []protocol.Call{{ID: "x", Name: "code_execution", Arguments: `{"code":`}}; err != nil || !reflect.DeepEqual(reply.Calls, want) {
		t.Errorf("%+v, %v", reply, err)
	}
	req := s.requests()[0]
	if len(req.Tools) != 1 || req.Tools[0]["function"].(map[string]any)["name"] != "code_execution" || req.Tools[0]["function"].(map[string]any)["parameters"].(map[string]any)["required"] == nil {
		t.Errorf("%+v", req.Tools)
	}
	if about := p.About(); about.Protocol != "tools" {
		t.Errorf("%+v", about)
	}
	// What is told again is a conversation as servers take it.
	c := begin
	c.Messages = append(slices.Clone(c.Messages), schemas.ChatMessage{Role: "assistant", Reasoning: "why", ToolCallsJSON: `[{"id":"x","name":"code_execution","arguments":"{\"code\":"}]`},
		schemas.ChatMessage{Role: "tool", ToolCallID: "x", Content: "no action"})
	if _, err := policy.Next(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"role": "assistant", "content": "", "tool_calls": []any{map[string]any{"id": "x", "type": "function", "function": map[string]any{"name": "code_execution", "arguments": `{"malformed":"{\"code\":"}`}}}},
		{"role": "tool", "content": "no action", "tool_call_id": "x"},
	}
	if got := s.requests()[1].Messages[2:]; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	c.Messages[2].ToolCallsJSON = "SECRET"
	if _, err := policy.Next(t.Context(), c); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("%v", err)
	}
	// A call where none was offered is kept as text.
	p, _ = asked(t, Options{}, func(int, request) (int, string) { return 200, calls(`{"code":"1"}`) })
	reply, err = start(t, p, 0).Next(t.Context(), begin)
	if err != nil || reply.Calls != nil || reply.Content != `[{"id":"x","name":"code_execution","arguments":"{\"code\":\"1\"}"}]` {
		t.Errorf("%+v, %v", reply, err)
	}
}

// What an error of the client means for an attempt.
func TestErrors(t *testing.T) {
	const secret = `{"error":{"message":"SECRET question","code":"context_length_exceeded"}}`
	for name, tt := range map[string]struct {
		status int
		body   string
		check  func(error) bool
	}{
		"too long": {400, secret, func(err error) bool { return errors.Is(err, rollout.ErrContextLength) }},
		"refused":  {400, `{"error":"SECRET"}`, func(err error) bool { return errors.Is(err, rollout.ErrRefused) }},
		"withheld": {200, `{"choices":[{"message":{"content":"SECRET"},"finish_reason":"content_filter"}]}`, func(err error) bool { return errors.Is(err, rollout.ErrRefused) }},
		"a key": {401, secret, func(err error) bool {
			var e *pipeline.InputError
			return errors.As(err, &e) && strings.Contains(err.Error(), KeyVariable)
		}},
		"faulty": {500, "SECRET", func(err error) bool {
			var e *model.Error
			return errors.As(err, &e) && e.Class == model.ClassFaulty && !errors.Is(err, rollout.ErrRefused)
		}},
		"no choice": {200, `{"choices":[]}`, func(err error) bool { var e *model.Error; return errors.As(err, &e) && e.Class == model.ClassFaulty }},
	} {
		for _, n := range []int{1, 3} {
			p, _ := asked(t, Options{N: n}, func(int, request) (int, string) { return tt.status, tt.body })
			reply, err := start(t, p, 0).Next(t.Context(), begin)
			if err == nil || !tt.check(err) || strings.Contains(err.Error(), "SECRET") || !reflect.DeepEqual(reply, rollout.Reply{}) {
				t.Errorf("%s, n %d: %v", name, n, err)
			}
		}
	}
	// What a server cannot read of its own model is a reply.
	p, _ := asked(t, Options{}, func(int, request) (int, string) {
		return 500, `{"error":{"code":500,"message":"The model produced output that does not match the expected peg-native format","type":"server_error"}}`
	})
	if reply, err := start(t, p, 0).Next(t.Context(), begin); err != nil || reply.Content != "" || reply.Done {
		t.Errorf("%+v, %v", reply, err)
	}
}

// A server that cuts prompts without a word is found by its counts.
func TestCutPrompts(t *testing.T) {
	for name, tt := range map[string]struct {
		ours, theirs []int
		cut          int // the turn that is found cut; -1: none
	}{
		"grows":                {[]int{100, 200, 300}, []int{90, 210, 320}, -1},
		"falls":                {[]int{100, 200, 300}, []int{90, 210, 150}, 2},
		"stays":                {[]int{100, 900, 1200}, []int{90, 512, 512}, 2},
		"counts by rote":       {[]int{100, 200, 300}, []int{11, 11, 11}, -1},
		"was cut by ourselves": {[]int{100, 200, 150}, []int{90, 210, 140}, -1},
		"is not counted":       {[]int{100, 200, 300}, []int{90, 0, 80}, -1},
	} {
		p, _ := asked(t, Options{}, func(n int, _ request) (int, string) {
			return 200, fmt.Sprintf(`{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":%d}}`, tt.theirs[n])
		})
		policy := start(t, p, 0)
		cut := -1
		for i, n := range tt.ours {
			c := begin
			c.PromptTokens = n
			if _, err := policy.Next(t.Context(), c); errors.Is(err, rollout.ErrContextLength) {
				cut = i
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if cut != tt.cut {
			t.Errorf("%s: found at turn %d, want %d", name, cut, tt.cut)
		}
	}
}

// numbered answers with as many replies as are asked for, or fewer.
func numbered(most int) func(int, request) (int, string) {
	return func(_ int, r request) (int, string) {
		var out []string
		for i := range min(max(r.N, 1), most) {
			out = append(out, fmt.Sprintf("%d of %d by %d", i, r.N, *r.Seed))
		}
		return 200, says(out...)
	}
}

// firsts are the first replies of attempts that are made at once.
func firsts(t *testing.T, p rollout.Policies, attempts ...int) map[int]rollout.Reply {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	out := map[int]rollout.Reply{}
	for _, attempt := range attempts {
		policy := start(t, p, attempt)
		group.Go(func() {
			reply, err := policy.Next(t.Context(), begin)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			out[attempt] = reply
		})
	}
	group.Wait()
	return out
}

// n attempts have their first replies from one request, and one that is made alone has
// the same.
func TestShared(t *testing.T) {
	opts := Options{N: 4, Seeds: true, Seed: 9, Temperatures: []float64{0.5, 1}}
	p, s := asked(t, opts, numbered(4))
	all := firsts(t, p, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	// Four of each temperature, and one that begins the next group of each.
	if got := s.requests(); len(got) != 4 || got[0].N != 4 || got[0].Seed == nil {
		t.Errorf("%d requests", len(got))
	}
	texts := map[string]bool{}
	for _, reply := range all {
		texts[reply.Content] = true
		if reply.PromptTokens != 11 || reply.CompletionTokens != 7 || *reply.CostUSD != (11+28*2)/4.0/1e6 {
			t.Errorf("%+v, %v", reply, *reply.CostUSD)
		}
	}
	if len(texts) != 10 {
		t.Errorf("%d replies of 10 attempts", len(texts))
	}
	for _, attempt := range []int{0, 3, 9} {
		p, s := asked(t, opts, numbered(4))
		if alone := firsts(t, p, attempt)[attempt]; alone.Content != all[attempt].Content || len(s.requests()) != 1 {
			t.Errorf("attempt %d: %q alone, %q with others", attempt, alone.Content, all[attempt].Content)
		}
	}
	// Another run's seed, or another task, is another group.
	opts.Seed = 10
	p, _ = asked(t, opts, numbered(4))
	if other := firsts(t, p, 0)[0]; other.Content == all[0].Content {
		t.Error("two runs have the same seed")
	}
	// Later turns are asked for one by one.
	policy := start(t, p, 0)
	c := begin
	c.Messages = append(slices.Clone(c.Messages), schemas.ChatMessage{Role: "assistant", Content: "a"}, schemas.ChatMessage{Role: "user", Content: "b"})
	if reply, err := policy.Next(t.Context(), c); err != nil || !strings.HasPrefix(reply.Content, "0 of 0") {
		t.Errorf("%+v, %v", reply, err)
	}
}

// A server that gives fewer replies is asked for the others one by one.
func TestFewerChoices(t *testing.T) {
	opts := Options{N: 4, Seeds: true}
	p, s := asked(t, opts, numbered(2))
	all := firsts(t, p, 0, 1, 2, 3)
	if got := s.requests(); len(got) != 3 {
		t.Errorf("%d requests", len(got))
	}
	texts := map[string]bool{}
	for _, reply := range all {
		texts[reply.Content] = true
	}
	p, _ = asked(t, opts, numbered(2))
	if alone := firsts(t, p, 3); len(texts) != 4 || alone[3].Content != all[3].Content {
		t.Errorf("%v, %q alone", texts, alone[3].Content)
	}
}

// What is kept is bounded, and gone when all have taken their part.
func TestSharedMemory(t *testing.T) {
	s := newShared(2)
	ask := func(context.Context) (model.Response, error) {
		return model.Response{Choices: make([]model.Choice, 2)}, nil
	}
	for i := range 2 * maxGroups {
		if _, err := s.get(t.Context(), groupKey{number: i}, 0, ask); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.groups) != maxGroups || len(s.answered) != maxGroups {
		t.Errorf("%d groups are kept, %d in order", len(s.groups), len(s.answered))
	}
	for i := range 2 * maxGroups {
		for part := range 2 {
			if _, err := s.get(t.Context(), groupKey{number: i}, part, ask); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(s.groups) != 0 || len(s.answered) != 0 {
		t.Errorf("%d groups are left, %d in order", len(s.groups), len(s.answered))
	}
}

// Where the one who asks is stopped another asks; where it fails, it fails for those
// who waited, and is asked anew by who comes later.
func TestSharedFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared(3)
		ctx, cancel := context.WithCancel(t.Context())
		asked := 0
		slow := func(ctx context.Context) (model.Response, error) {
			asked++
			select {
			case <-time.After(time.Hour):
				return model.Response{Choices: make([]model.Choice, 3)}, nil
			case <-ctx.Done():
				return model.Response{}, ctx.Err()
			}
		}
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := s.get(ctx, groupKey{}, 0, slow); !errors.Is(err, context.Canceled) {
				t.Errorf("the one who was stopped: %v", err)
			}
		})
		synctest.Wait()
		for part := range 2 {
			group.Go(func() {
				if res, err := s.get(t.Context(), groupKey{}, part+1, slow); err != nil || len(res.Choices) != 3 {
					t.Errorf("who waited: %v", err)
				}
			})
		}
		synctest.Wait()
		cancel()
		group.Wait()
		if asked != 2 {
			t.Errorf("asked %d times", asked)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newShared(3)
		fault := errors.New("no")
		asked := 0
		fails := func(context.Context) (model.Response, error) {
			asked++
			time.Sleep(time.Minute)
			return model.Response{}, fault
		}
		for range 2 {
			var group sync.WaitGroup
			for part := range 3 {
				group.Go(func() {
					if _, err := s.get(t.Context(), groupKey{}, part, fails); !errors.Is(err, fault) {
						t.Errorf("%v", err)
					}
				})
			}
			group.Wait()
		}
		if asked != 2 || len(s.groups) != 0 {
			t.Errorf("asked %d times, %d groups are left", asked, len(s.groups))
		}
	})
}

func TestOptions(t *testing.T) {
	endpoint, err := governance.Classify(t.Context(), "http://127.0.0.1:1/v1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(ClientOptions{Endpoints: []governance.Endpoint{endpoint}, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]Options{
		"no client": {}, "tokens": {Client: client, MaxTokens: -1}, "protocol": {Client: client, Protocol: "xml"}, "n": {Client: client, N: 129}, "temperature": {Client: client, Temperatures: []float64{1, -1}},
		"top-p": {Client: client, TopP: schemas.Ptr(0.0)}, "stop": {Client: client, Stop: []string{""}}, "extra": {Client: client, Extra: map[string]jsontext.Value{"stream": jsontext.Value("true")}},
	} {
		if _, err := New(opts); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// What an attempt has is closed when it ends, and the client is not its own.
func TestAttemptsShareTheClient(t *testing.T) {
	policies, _ := asked(t, Options{}, ok)
	policy := start(t, policies, 0)
	if _, closes := policy.(io.Closer); closes {
		t.Error("an attempt that ends would close the client of all")
	}
}
