package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/schemas"
)

// model is a scripted server: the n-th request gets the n-th answer, the last one
// from then on.
type model struct {
	t       *testing.T
	answers []http.HandlerFunc
	mu      sync.Mutex
	seen    []chatRequest
	keys    []string
}

func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	var req chatRequest
	if err == nil {
		err = json.Unmarshal(text, &req)
	}
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/chat/completions" {
		m.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	m.mu.Lock()
	answer := m.answers[min(len(m.seen), len(m.answers)-1)]
	m.seen, m.keys = append(m.seen, req), append(m.keys, r.Header.Get("Authorization"))
	m.mu.Unlock()
	answer(w, r)
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func completes(content, finish string) http.HandlerFunc {
	text, _ := json.Marshal(map[string]any{
		"choices": []any{map[string]any{"message": map[string]any{"role": "assistant", "content": content}, "finish_reason": finish}},
		"usage":   map[string]int{"prompt_tokens": 11, "completion_tokens": 7}})
	return says(http.StatusOK, string(text))
}

// asked is a model behind a server on this machine, and what it was asked.
func asked(t *testing.T, change func(*ChatOptions), answers ...http.HandlerFunc) (Policies, *model) {
	t.Helper()
	m := &model{t: t, answers: answers}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	endpoint, err := governance.Classify(t.Context(), server.URL+"/v1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	opts := ChatOptions{Endpoint: endpoint, Model: "tiny", pause: func(context.Context, time.Duration) {}}
	if change != nil {
		change(&opts)
	}
	p, err := Chat(opts)
	if err != nil {
		t.Fatal(err)
	}
	return p, m
}

func next(t *testing.T, p Policies) (Reply, error) {
	t.Helper()
	policy, err := p.New(schemas.Task{TaskID: "s/test/1", Source: "s", AccessTier: schemas.TierCredentialed}, 0, 1<<40+6)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Next(t.Context(), Conversation{Messages: []schemas.ChatMessage{{Role: "system", Content: "rules"}, {Role: "user", Content: "SECRET question"}}})
}

func TestChat(t *testing.T) {
	p, m := asked(t, func(o *ChatOptions) { o.Key, o.Temperature, o.MaxTokens = "k-1", schemas.Ptr(0.6), 100 }, completes("hello", "stop"))
	reply, err := next(t, p)
	if err != nil || reply.Content != "hello" || reply.Truncated || reply.PromptTokens != 11 || reply.CompletionTokens != 7 {
		t.Errorf("%+v, %v", reply, err)
	}
	req := m.seen[0]
	if req.Model != "tiny" || len(req.Messages) != 2 || req.Messages[1].Content != "SECRET question" || *req.Temperature != 0.6 || req.TopP != nil ||
		req.MaxTokens != 100 || req.Seed != 3 || req.Stream || m.keys[0] != "Bearer k-1" {
		t.Errorf("%+v, %s", req, m.keys)
	}
	about := p.About()
	if about.Kind != "openai" || about.EndpointClass != "local" || about.Model != "tiny" || *about.MaxTokens != 100 {
		t.Errorf("%+v", about)
	}
}

func TestChatReplies(t *testing.T) {
	for name, tt := range map[string]struct {
		body      string
		content   string
		truncated bool
	}{
		"cut":         {`{"choices":[{"message":{"content":"half"},"finish_reason":"length"}]}`, "half", true},
		"null":        {`{"choices":[{"message":{"content":null},"finish_reason":"stop"}]}`, "", false},
		"extra keys":  {`{"id":"1","choices":[{"index":0,"message":{"content":"a","reasoning_content":"b"}}],"usage":{"prompt_tokens":-4}}`, "a", false},
		"no UTF-8":    {"{\"choices\":[{\"message\":{\"content\":\"a\xff\"}}]}", "a\uFFFD", false},
		"a key twice": {`{"choices":[{"message":{"content":"a","content":"b"}}]}`, "b", false},
	} {
		p, _ := asked(t, nil, says(http.StatusOK, tt.body))
		reply, err := next(t, p)
		if err != nil || reply.Content != tt.content || reply.Truncated != tt.truncated || reply.PromptTokens < 0 {
			t.Errorf("%s: %+v, %v", name, reply, err)
		}
	}
}

// Faults that may pass are tried again; others are not, and those that no task can
// pass end the stage. No error holds what was sent or received.
func TestChatFaults(t *testing.T) {
	const echo = `{"error":{"message":"SECRET question is too long","code":"context_length_exceeded"}}`
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	ok := completes("fine", "stop")
	for name, tt := range map[string]struct {
		answers  []http.HandlerFunc
		requests int
		want     string // of the error; empty: the reply came in the end
		ends     bool   // the stage
	}{
		"busy, then not":       {[]http.HandlerFunc{says(429, echo), says(503, ""), ok}, 3, "", false},
		"broken off":           {[]http.HandlerFunc{hangUp, ok}, 2, "", false},
		"no JSON, then JSON":   {[]http.HandlerFunc{says(200, "<html>"), ok}, 2, "", false},
		"always busy":          {[]http.HandlerFunc{says(429, echo)}, 3, "status 429 (context_length_exceeded)", false},
		"always faulty":        {[]http.HandlerFunc{says(500, `{"error":{"type":"a b SECRET"}}`)}, 3, "status 500", false},
		"no choice":            {[]http.HandlerFunc{says(200, `{"choices":[]}`)}, 3, "holds no choice", false},
		"too long":             {[]http.HandlerFunc{says(400, echo)}, 1, "status 400 (context_length_exceeded)", false},
		"withheld":             {[]http.HandlerFunc{completes("", "content_filter")}, 1, "was withheld", false},
		"no key":               {[]http.HandlerFunc{says(401, echo)}, 1, "set " + KeyVariable, true},
		"no model":             {[]http.HandlerFunc{says(404, echo)}, 1, "--model", true},
		"leads elsewhere":      {[]http.HandlerFunc{says(307, "", "Location", "http://203.0.113.7/")}, 1, "redirects are not followed", true},
		"a response of no end": {[]http.HandlerFunc{says(200, strings.Repeat(" ", maxResponse+1))}, 1, "above", false},
	} {
		t.Run(name, func(t *testing.T) {
			p, m := asked(t, func(o *ChatOptions) { o.Retries, o.Key = 2, "k-SECRET" }, tt.answers...)
			reply, err := next(t, p)
			if len(m.seen) != tt.requests {
				t.Errorf("%d requests, want %d", len(m.seen), tt.requests)
			}
			if tt.want == "" {
				if err != nil || reply.Content != "fine" {
					t.Errorf("%+v, %v", reply, err)
				}
				return
			}
			var input *pipeline.InputError
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "SECRET") || errors.As(err, &input) != tt.ends {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestChatWaits(t *testing.T) {
	var waited []time.Duration
	p, _ := asked(t, func(o *ChatOptions) {
		o.pause = func(_ context.Context, d time.Duration) { waited = append(waited, d) }
	}, says(429, "", "Retry-After", "17"), says(503, "", "Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"), says(500, "", "Retry-After", "99999"), completes("fine", "stop"))
	if _, err := next(t, p); err != nil {
		t.Fatal(err)
	}
	if len(waited) != 3 || waited[0] != 17*time.Second || waited[1] < 500*time.Millisecond || waited[1] > 2*time.Second || waited[2] != 2*time.Minute {
		t.Errorf("%v", waited)
	}
}

// A request that takes too long is given up, and the attempt's end ends it at once.
func TestChatTimeouts(t *testing.T) {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	hang := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}
	p, m := asked(t, func(o *ChatOptions) { o.Timeout, o.Retries = 200*time.Millisecond, 1 }, hang)
	_, err := next(t, p)
	m.mu.Lock() // a request that was given up is still being served
	requests := len(m.seen)
	m.mu.Unlock()
	if !errors.Is(err, context.DeadlineExceeded) || requests != 2 {
		t.Errorf("%v after %d requests", err, requests)
	}
	p, _ = asked(t, nil, hang)
	policy, err := p.New(schemas.Task{AccessTier: schemas.TierOpen}, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := policy.Next(ctx, Conversation{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestChatOptions(t *testing.T) {
	endpoint, err := governance.Classify(t.Context(), "http://127.0.0.1:1/v1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]ChatOptions{
		"no model": {Endpoint: endpoint}, "no endpoint": {Model: "m"}, "tokens": {Endpoint: endpoint, Model: "m", MaxTokens: -1}, "time": {Endpoint: endpoint, Model: "m", Timeout: -1},
	} {
		if _, err := Chat(opts); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
