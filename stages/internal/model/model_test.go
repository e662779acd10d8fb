package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/stopwatch"
)

// server is a scripted one: the n-th request gets the n-th answer, the last one from
// then on.
type server struct {
	t       *testing.T
	url     string
	answers []http.HandlerFunc

	mu      sync.Mutex
	bodies  []map[string]any
	headers []http.Header
	paths   []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || !strings.HasSuffix(r.URL.Path, "/chat/completions") {
		s.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	s.mu.Lock()
	answer := s.answers[min(len(s.bodies), len(s.answers)-1)]
	s.bodies, s.headers, s.paths = append(s.bodies, body), append(s.headers, r.Header), append(s.paths, r.URL.RequestURI())
	s.mu.Unlock()
	answer(w, r)
}

func (s *server) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bodies)
}

func scripted(t *testing.T, answers ...http.HandlerFunc) *server {
	t.Helper()
	s := &server{t: t, answers: answers}
	real := httptest.NewServer(s)
	t.Cleanup(real.Close)
	s.url = real.URL
	return s
}

func local(t *testing.T, url string) governance.Endpoint {
	t.Helper()
	e, err := governance.Classify(t.Context(), url, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// client asks servers on this machine, without long pauses.
func client(t *testing.T, change func(*Options), urls ...string) *Client {
	t.Helper()
	opts := Options{Model: "tiny", Key: "k-SECRET", Backoff: time.Microsecond}
	for _, url := range urls {
		opts.Endpoints = append(opts.Endpoints, local(t, url))
	}
	if change != nil {
		change(&opts)
	}
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
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

const fine = `{"model":"tiny-1","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":5}}}`

var question1 = Request{Messages: []Message{{Role: "system", Content: "rules"}, {Role: "user", Content: "SECRET question"}}}

func TestRequest(t *testing.T) {
	s := scripted(t, says(200, fine))
	c := client(t, nil, s.url+"/v1")
	r := Request{
		Messages: []Message{
			{Role: "user", Content: "go\xff", Name: "n"},
			{Role: "assistant", Calls: []Call{{"a", "run", `{"code":"1"}`}, {"b", "run", `{"code":`}, {"c", "run", `[1]`}}},
			{Role: "tool", ToolCallID: "a", Content: "1"},
		},
		Tools:       []Tool{{"run", "runs", jsontext.Value(`{"type":"object"}`)}},
		Temperature: schemas.Ptr(0.0), TopP: schemas.Ptr(0.5), MaxTokens: 100, Seed: schemas.Ptr(int64(1<<40 + 6)), Stop: []string{"END"}, N: 2,
		TopLogprobs: 3, TokenIDs: true, Extra: map[string]jsontext.Value{"top_k": jsontext.Value("5")},
	}
	res, err := c.Chat(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	res.Took = 0
	if want := (Response{Choices: []Choice{{Content: "fine", Finish: "stop"}}, Usage: Usage{Prompt: 11, Completion: 7, Cached: 5}, Model: "tiny-1"}); !reflect.DeepEqual(res, want) {
		t.Errorf("%+v", res)
	}
	call := func(id, arguments string) map[string]any {
		return map[string]any{"id": id, "type": "function", "function": map[string]any{"name": "run", "arguments": arguments}}
	}
	want := map[string]any{
		"model": "tiny", "temperature": 0.0, "top_p": 0.5, "max_tokens": 100.0, "seed": 6.0, "stop": []any{"END"}, "n": 2.0, "logprobs": true, "top_logprobs": 3.0,
		"return_token_ids": true, "top_k": 5.0, "stream": false,
		"messages": []any{
			map[string]any{"role": "user", "content": "go\uFFFD", "name": "n"},
			map[string]any{"role": "assistant", "content": "", "tool_calls": []any{call("a", `{"code":"1"}`), call("b", `{"malformed":"{\"code\":"}`), call("c", `{"malformed":"[1]"}`)}},
			map[string]any{"role": "tool", "content": "1", "tool_call_id": "a"},
		},
		"tools": []any{map[string]any{"type": "function", "function": map[string]any{"name": "run", "description": "runs", "parameters": map[string]any{"type": "object"}}}},
	}
	if !reflect.DeepEqual(s.bodies[0], want) {
		t.Errorf("%v", s.bodies[0])
	}
	if s.headers[0].Get("Authorization") != "Bearer k-SECRET" || s.headers[0].Get("Api-Key") != "" || s.paths[0] != "/v1/chat/completions" {
		t.Errorf("%s, %v", s.paths[0], s.headers[0])
	}
	// What is not asked for is left to the server.
	if _, err := c.Chat(t.Context(), Request{Messages: []Message{{Role: "user", Content: "go"}}}); err != nil {
		t.Fatal(err)
	}
	want = map[string]any{"model": "tiny", "stream": false, "messages": []any{map[string]any{"role": "user", "content": "go"}}}
	if !reflect.DeepEqual(s.bodies[1], want) {
		t.Errorf("%v", s.bodies[1])
	}
}

func TestAzure(t *testing.T) {
	s := scripted(t, says(200, fine))
	c := client(t, nil, s.url+"/openai/deployments/d?api-version=2024-10-21")
	for i, key := range []string{"k-SECRET", "eyJtoken"} {
		c.opts.Key = key
		if _, err := c.Chat(t.Context(), question1); err != nil {
			t.Fatal(err)
		}
		plain, bearer := s.headers[i].Get("Api-Key"), s.headers[i].Get("Authorization")
		if s.paths[i] != "/openai/deployments/d/chat/completions?api-version=2024-10-21" || (i == 0) != (plain == key && bearer == "") || (i == 1) != (bearer == "Bearer "+key && plain == "") {
			t.Errorf("%s, %q, %q", s.paths[i], plain, bearer)
		}
	}
}

// OpenAI's newer models refuse max_tokens. It is tried once for the client.
func TestNewerName(t *testing.T) {
	refuses := says(400, `{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}`)
	s := scripted(t, refuses, says(200, fine))
	c := client(t, nil, s.url)
	r := question1
	r.MaxTokens = 9
	for range 2 {
		if _, err := c.Chat(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"max_tokens", "max_completion_tokens", "max_completion_tokens"} {
		if s.bodies[i][want] != 9.0 || s.bodies[i]["max_tokens"] != nil && s.bodies[i]["max_completion_tokens"] != nil {
			t.Errorf("request %d: %v", i, s.bodies[i])
		}
	}
	// A server that refuses both ends it.
	s = scripted(t, refuses)
	if _, err := client(t, nil, s.url).Chat(t.Context(), r); !is(err, ClassRefused) || s.requests() != 2 {
		t.Errorf("%v after %d requests", err, s.requests())
	}
}

// Where the prompt fits and the limit of the reply does not, the limit is left to the
// server, which then cuts at the end of its context.
func TestReplyPastTheContext(t *testing.T) {
	for name, message := range map[string]string{
		"vLLM":   "'max_tokens' or 'max_completion_tokens' is too large: 8192. This model's maximum context length is 4096 tokens and your request has 30 input tokens (8192 > 4096 - 30).",
		"older":  "This model's maximum context length is 4096 tokens. However, you requested 8222 tokens (30 in the messages, 8192 in the completion).",
		"SGLang": "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of 8222 tokens",
	} {
		text, err := json.Marshal(map[string]any{"object": "error", "message": message, "type": "BadRequestError", "code": 400})
		if err != nil {
			t.Fatal(err)
		}
		s := scripted(t, says(400, string(text)), says(200, fine))
		r := question1
		r.MaxTokens = 8192
		if _, err := client(t, nil, s.url).Chat(t.Context(), r); err != nil || s.bodies[1]["max_tokens"] != nil {
			t.Errorf("%s: %v", name, err)
		}
		// The prompt alone is too long: that is found at the second try.
		s = scripted(t, says(400, string(text)))
		if _, err := client(t, nil, s.url).Chat(t.Context(), r); !is(err, ClassContext) || s.requests() != 2 {
			t.Errorf("%s: %v after %d requests", name, err, s.requests())
		}
	}
}

func is(err error, class Class) bool {
	var e *Error
	return errors.As(err, &e) && e.Class == class
}

// Each class of fault: whether the request is sent again, what the error says, and
// whether it ends the run. No error holds what was sent or received.
func TestFaults(t *testing.T) {
	const echo = `{"error":{"message":"SECRET question","type":"SECRET","code":"k-SECRET"}}`
	coded := func(code string) string {
		return fmt.Sprintf(`{"error":{"message":"SECRET question","code":%q}}`, code)
	}
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, fine[:40])
	}
	ok := says(200, fine)
	for name, tt := range map[string]struct {
		answers  []http.HandlerFunc
		requests int
		class    Class  // empty: the reply came in the end
		want     string // in the error
	}{
		"429, then not":          {[]http.HandlerFunc{says(429, echo), says(429, echo, "Retry-After", "0"), ok}, 3, "", ""},
		"503, then not":          {[]http.HandlerFunc{says(503, ""), says(502, "<html>"), says(504, ""), ok}, 4, "", ""},
		"reset, then not":        {[]http.HandlerFunc{hangUp, hangUp, ok}, 3, "", ""},
		"500, then not":          {[]http.HandlerFunc{says(500, echo), says(500, ""), ok}, 3, "", ""},
		"cut, then not":          {[]http.HandlerFunc{cut, cut, ok}, 3, "", ""},
		"no JSON, then JSON":     {[]http.HandlerFunc{says(200, "<html>"), ok}, 2, "", ""},
		"always 500":             {[]http.HandlerFunc{says(500, echo)}, 3, ClassFaulty, "status 500: it is faulty"},
		"always cut":             {[]http.HandlerFunc{cut}, 3, ClassFaulty, "the response broke off"},
		"always cut JSON":        {[]http.HandlerFunc{says(200, fine[:60])}, 3, ClassFaulty, "not what the protocol says"},
		"no choice":              {[]http.HandlerFunc{says(200, `{"choices":[]}`)}, 3, ClassFaulty, "holds no choice"},
		"nothing":                {[]http.HandlerFunc{says(200, ``)}, 3, ClassFaulty, "not what the protocol says"},
		"no message":             {[]http.HandlerFunc{says(200, `{"choices":[{"text":"SECRET"}]}`)}, 3, ClassFaulty, "not what the protocol says"},
		"an odd status":          {[]http.HandlerFunc{says(204, "")}, 3, ClassFaulty, "status 204"},
		"an error as 200":        {[]http.HandlerFunc{says(200, `{"error":{"message":"SECRET","code":502}}`), ok}, 2, "", ""},
		"OpenAI's context":       {[]http.HandlerFunc{says(400, coded("context_length_exceeded"))}, 1, ClassContext, "status 400 (context_length_exceeded): the prompt is too long"},
		"llama.cpp's context":    {[]http.HandlerFunc{says(400, `{"error":{"code":400,"type":"exceed_context_size_error","message":"request (9 tokens) exceeds the available context size (8 tokens), try increasing it"}}`)}, 1, ClassContext, "(exceed_context_size_error)"},
		"llama.cpp's of old":     {[]http.HandlerFunc{says(500, `{"error":{"code":500,"type":"server_error","message":"the request exceeds the available context size."}}`)}, 1, ClassContext, "(server_error)"},
		"vLLM's context":         {[]http.HandlerFunc{says(400, `{"error":{"message":"The decoder prompt (length 9) is longer than the maximum model length of 8.","type":"BadRequestError","code":400}}`)}, 1, ClassContext, "(badrequesterror)"},
		"vLLM's of old":          {[]http.HandlerFunc{says(400, `{"object":"error","message":"max_tokens must be at least 1, got -7.","type":"BadRequestError","param":null,"code":400}`)}, 1, ClassContext, ""},
		"SGLang's context":       {[]http.HandlerFunc{says(400, `{"object":"error","message":"The input (9 tokens) is longer than the model's context length (8 tokens).","type":"BadRequestError","code":400}`)}, 1, ClassContext, ""},
		"Ollama's context":       {[]http.HandlerFunc{says(400, `{"error":"the input length exceeds the context length"}`)}, 1, ClassContext, ""},
		"413":                    {[]http.HandlerFunc{says(413, "")}, 1, ClassContext, ""},
		"400":                    {[]http.HandlerFunc{says(400, echo)}, 1, ClassRefused, "status 400: it refuses the request"},
		"422":                    {[]http.HandlerFunc{says(422, `{"detail":[{"input":"SECRET"}]}`)}, 1, ClassRefused, ""},
		"llama.cpp's own call":   {[]http.HandlerFunc{says(500, `{"error":{"code":500,"message":"The model produced output that does not match the expected peg-native format","type":"server_error"}}`)}, 1, ClassGarbled, ""},
		"withheld prompt":        {[]http.HandlerFunc{says(400, coded("content_filter"))}, 1, ClassRefused, "(content_filter)"},
		"withheld reply":         {[]http.HandlerFunc{says(200, `{"choices":[{"message":{"content":"SECRET"},"finish_reason":"content_filter"}]}`)}, 1, ClassRefused, "was withheld"},
		"401":                    {[]http.HandlerFunc{says(401, echo)}, 1, ClassKey, "the key is not accepted"},
		"403":                    {[]http.HandlerFunc{says(403, echo)}, 1, ClassKey, "the key is not accepted"},
		"no money":               {[]http.HandlerFunc{says(429, coded("insufficient_quota"))}, 1, ClassKey, "(insufficient_quota)"},
		"404":                    {[]http.HandlerFunc{says(404, echo)}, 1, ClassModel, "--model"},
		"405":                    {[]http.HandlerFunc{says(405, "")}, 1, ClassModel, "--endpoint"},
		"no model":               {[]http.HandlerFunc{says(400, coded("model_not_found"))}, 1, ClassModel, "(model_not_found)"},
		"leads elsewhere":        {[]http.HandlerFunc{says(307, "", "Location", "http://203.0.113.7/")}, 1, ClassAddress, "redirects are not followed"},
		"HTTP at an HTTPS port":  {[]http.HandlerFunc{says(400, "Client sent an HTTP request to an HTTPS server.\n")}, 1, ClassAddress, "it speaks TLS"},
		"no end":                 {[]http.HandlerFunc{says(200, strings.Repeat(" ", maxResponse+1))}, 1, ClassTooLarge, "above"},
		"no end, as it says":     {[]http.HandlerFunc{says(200, "", "Content-Length", fmt.Sprint(maxResponse+1))}, 1, ClassTooLarge, "above"},
		"a reply of 11 MiB":      {[]http.HandlerFunc{says(200, `{"choices":[{"message":{"content":"`+strings.Repeat("a", 11<<20)+`"}}]}`)}, 1, ClassTooLarge, "above"},
		"a line that is no HTTP": {[]http.HandlerFunc{hijack("SECRET question\r\n\r\n")}, 3, ClassFaulty, "not what the protocol says"},
	} {
		t.Run(name, func(t *testing.T) {
			s := scripted(t, tt.answers...)
			c := client(t, func(o *Options) { o.Retries = 2 }, s.url+"/v1")
			res, err := c.Chat(t.Context(), question1)
			if s.requests() != tt.requests {
				t.Errorf("%d requests, want %d", s.requests(), tt.requests)
			}
			if tt.class == "" {
				if err != nil || res.Choices[0].Content != "fine" {
					t.Errorf("%+v, %v", res, err)
				}
				return
			}
			var input *pipeline.InputError
			ends := tt.class == ClassKey || tt.class == ClassModel || tt.class == ClassAddress
			if !is(err, tt.class) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "SECRET") || errors.As(err, &input) != ends {
				t.Errorf("%v", err)
			}
		})
	}
}

// hijack answers with bytes that are no HTTP.
func hijack(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

// A reply of 10 MB is read whole.
func TestLargeReply(t *testing.T) {
	text := strings.Repeat("0123456789", 1_000_000)
	s := scripted(t, says(200, `{"choices":[{"message":{"content":"`+text+`"}}]}`))
	res, err := client(t, nil, s.url).Chat(t.Context(), question1)
	if err != nil || res.Choices[0].Content != text {
		t.Errorf("%v", err)
	}
}

// TLS faults are of the address: no second request mends them.
func TestTLS(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.HandlerFunc(says(200, fine)))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	plain := scripted(t, says(200, fine))
	for name, tt := range map[string]struct{ url, want string }{
		"a certificate of nobody": {secure.URL, "its certificate does not hold"},
		"TLS at a plain port":     {strings.Replace(plain.url, "http:", "https:", 1), "use http://"},
		"HTTP at a TLS port":      {strings.Replace(secure.URL, "https:", "http:", 1), "use https://"},
	} {
		var input *pipeline.InputError
		_, err := client(t, nil, tt.url).Chat(t.Context(), question1)
		if !is(err, ClassAddress) || !errors.As(err, &input) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// drip is a body that never ends, a byte each second.
type drip struct{ ctx context.Context }

func (d drip) Read(p []byte) (int, error) {
	if err := sleep(d.ctx, time.Second); err != nil {
		return 0, d.ctx.Err()
	}
	p[0] = ' '
	return 1, nil
}

func (drip) Close() error { return nil }

// The time of a request covers its body: a server that drips is given up.
func TestTimeout(t *testing.T) {
	for name, answer := range map[string]func(int, context.Context) (*http.Response, error){
		"hangs": takes(time.Hour),
		"drips": func(_ int, ctx context.Context) (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: -1, Body: drip{ctx}}, nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{answer: answer}
			c := fakes(t, func(o *Options) { o.Timeout, o.Retries = time.Minute, 1 }, f)
			_, err := c.Chat(t.Context(), question1)
			if took := time.Since(f.from); !is(err, ClassTimeout) || !errors.Is(err, context.DeadlineExceeded) || f.requests() != 2 || took > 130*time.Second {
				t.Errorf("%s: %v after %d requests and %s", name, err, f.requests(), took)
			}
		})
	}
}

// The caller's end is not the server's.
func TestCallersEnd(t *testing.T) {
	reason := errors.New("over")
	for name, begin := range map[string]func(http.ResponseWriter){
		"before the response": func(http.ResponseWriter) {},
		"in the body":         func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		asked := make(chan struct{}, 1)
		s := scripted(t, func(w http.ResponseWriter, r *http.Request) {
			begin(w)
			asked <- struct{}{}
			<-r.Context().Done()
		})
		go func() { <-asked; cancel(reason) }()
		if _, err := client(t, nil, s.url).Chat(ctx, question1); !errors.Is(err, reason) || s.requests() != 1 {
			t.Errorf("%s: %v after %d requests", name, err, s.requests())
		}
	}
}

// A server that is not there is waited for: here it is, at the same address, after the
// first request has failed. Nothing is asked of it while it is away but by a probe.
func TestReturn(t *testing.T) {
	// A socket's path is nobody else's, as a port that was given back may be.
	path := filepath.Join(t.TempDir(), "socket")
	address := "unix:" + path
	c := client(t, func(o *Options) { o.Patience = time.Nanosecond }, address)
	if _, err := c.Chat(t.Context(), question1); !is(err, ClassAway) {
		t.Errorf("%v", err)
	}
	c = client(t, func(o *Options) { o.Backoff = 5 * time.Millisecond }, address)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, err := c.Chat(t.Context(), question1); err != nil {
				t.Error(err)
			}
		})
	}
	for { // until it has been found away
		c.queue.mu.Lock()
		away := c.queue.hosts[0].away
		c.queue.mu.Unlock()
		if away > 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	s := &server{t: t, answers: []http.HandlerFunc{says(200, fine)}}
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	real := &http.Server{Handler: s}
	go func() { _ = real.Serve(listener) }()
	defer real.Close()
	group.Wait()
	if s.requests() != 20 {
		t.Errorf("%d requests", s.requests())
	}
}

// Servers close connections that idle, often just as the next request is sent. That
// is no fault of theirs.
func TestStaleConnection(t *testing.T) {
	var dead atomic.Int32
	stale := func(w http.ResponseWriter, _ *http.Request) {
		dead.Add(1)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	s := scripted(t, says(200, fine), stale, says(200, fine))
	c := client(t, nil, s.url)
	for range 2 {
		if _, err := c.Chat(t.Context(), question1); err != nil {
			t.Fatal(err)
		}
	}
	if sent := c.queue.hosts[0].sent; dead.Load() != 1 || s.requests() != 3 || sent != 2 {
		t.Errorf("%d dead connections, %d requests, %d times a place was taken", dead.Load(), s.requests(), sent)
	}
}

// Connections are used again, as many as there are requests at a time.
func TestConnections(t *testing.T) {
	const many = 100
	var opened atomic.Int32
	arrived := make(chan struct{}, many)
	release := make(chan struct{})
	real := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		says(200, fine)(w, r)
	}))
	real.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	real.Start()
	defer real.Close()
	c := client(t, func(o *Options) { o.InFlight = many }, real.URL)
	for range 3 {
		var group sync.WaitGroup
		for range many {
			group.Go(func() {
				if _, err := c.Chat(t.Context(), question1); err != nil {
					t.Error(err)
				}
			})
		}
		for range many {
			<-arrived
		}
		for range many {
			release <- struct{}{}
		}
		group.Wait()
	}
	if opened.Load() > many+many/10 { // one that is closing as it is wanted is replaced
		t.Errorf("%d connections for %d requests at a time", opened.Load(), many)
	}
}

func TestOptions(t *testing.T) {
	e := local(t, "http://127.0.0.1:1/v1")
	for name, opts := range map[string]Options{
		"no model": {Endpoints: []governance.Endpoint{e}}, "no endpoint": {Model: "m"}, "not classified": {Endpoints: []governance.Endpoint{{URL: e.URL}}, Model: "m"},
		"twice": {Endpoints: []governance.Endpoint{e, e}, Model: "m"}, "time": {Endpoints: []governance.Endpoint{e}, Model: "m", Timeout: -1},
		"rate": {Endpoints: []governance.Endpoint{e}, Model: "m", PerMinute: -1}, "key": {Endpoints: []governance.Endpoint{e}, Model: "m", Key: "SECRET\n"},
	} {
		if _, err := New(opts); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := client(t, nil, "http://127.0.0.1:1/v1")
	for name, r := range map[string]Request{
		"no messages": {}, "negative": {Messages: question1.Messages, MaxTokens: -1},
		"reserved":   {Messages: question1.Messages, Extra: map[string]jsontext.Value{"stream": jsontext.Value("true")}},
		"not JSON":   {Messages: question1.Messages, Extra: map[string]jsontext.Value{"top_k": jsontext.Value("SECRET")}},
		"a bad tool": {Messages: question1.Messages, Tools: []Tool{{Name: "f", Parameters: jsontext.Value("{SECRET")}}},
	} {
		if _, err := c.Chat(t.Context(), r); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// known is a resolver that knows names by heart; later answers come later.
type known struct {
	answers []string
	asked   atomic.Int32
}

func (k *known) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr(k.answers[min(int(k.asked.Add(1))-1, len(k.answers)-1)])}, nil
}

// Every endpoint has to be one that may have the rows, and a local one that no longer
// is one is asked nothing.
func TestGuard(t *testing.T) {
	open, err := governance.Classify(t.Context(), "https://api.example.com/v1", nil, &known{answers: []string{"93.184.215.14"}})
	if err != nil {
		t.Fatal(err)
	}
	mine := local(t, "http://127.0.0.1:1/v1")
	attested := governance.Endpoint{URL: open.URL.JoinPath("x"), Class: governance.Attested}
	for _, tt := range []struct {
		endpoints []governance.Endpoint
		class     governance.Class
	}{
		{[]governance.Endpoint{mine}, governance.Local}, {[]governance.Endpoint{mine, attested}, governance.Attested}, {[]governance.Endpoint{attested, mine}, governance.Attested},
		{[]governance.Endpoint{open, attested, mine}, governance.Open}, {[]governance.Endpoint{mine, attested, open}, governance.Open},
	} {
		c, err := New(Options{Endpoints: tt.endpoints, Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		var refused *pipeline.PolicyError
		if c.Class() != tt.class || errors.As(c.Permit([]string{"icu"}), &refused) != (tt.class == governance.Open) || c.Permit(nil) != nil {
			t.Errorf("%s of %v", c.Class(), tt.endpoints)
		}
	}
	resolver := &known{answers: []string{"127.0.0.1", "203.0.113.7"}}
	moved, err := governance.Classify(t.Context(), "http://model.example:9/v1", nil, resolver)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Endpoints: []governance.Endpoint{moved}, Model: "m", Resolver: resolver})
	if err != nil {
		t.Fatal(err)
	}
	var refused *pipeline.PolicyError
	if _, err := c.Chat(t.Context(), question1); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
}

func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.sock")
	c := client(t, func(o *Options) { o.Patience = time.Nanosecond }, "unix:"+path)
	if _, err := c.Chat(t.Context(), question1); !is(err, ClassAway) {
		t.Errorf("without a server: %v", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, answers: []http.HandlerFunc{says(200, fine)}}
	real := &http.Server{Handler: s}
	go func() { _ = real.Serve(listener) }()
	defer real.Close()
	if _, err := client(t, nil, "unix:"+path).Chat(t.Context(), question1); err != nil || s.paths[0] != "/v1/chat/completions" {
		t.Errorf("%v, %v", err, s.paths)
	}
}

// What a stopwatch of the asker is charged with is the request that was answered.
func TestStopwatch(t *testing.T) {
	over := errors.New("over")
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.answer = func(n int, ctx context.Context) (*http.Response, error) {
			if time.Since(f.from) < 8*time.Minute {
				return nobody(n, ctx)
			}
			return takes(20*time.Second)(n, ctx)
		}
		c := fakes(t, nil, f)
		ctx, cancel := stopwatch.With(t.Context(), time.Minute, over)
		defer cancel()
		for range 2 {
			if _, err := c.Chat(ctx, question1); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(19 * time.Second)
		if err := ctx.Err(); err != nil {
			t.Errorf("after 59 s of work: %v", err)
		}
		time.Sleep(2 * time.Second)
		if !errors.Is(context.Cause(ctx), over) {
			t.Error("after 61 s of work there is no end")
		}
	})
}

func BenchmarkChat(b *testing.B) {
	real := httptest.NewServer(http.HandlerFunc(says(200, fine)))
	defer real.Close()
	e, err := governance.Classify(b.Context(), real.URL+"/v1", nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	c, err := New(Options{Endpoints: []governance.Endpoint{e}, Model: "tiny"})
	if err != nil {
		b.Fatal(err)
	}
	r := Request{Messages: []Message{{Role: "system", Content: strings.Repeat("rules ", 1000)}, {Role: "user", Content: "question"}}}
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Chat(b.Context(), r); err != nil {
				b.Error(err)
			}
		}
	})
}

func TestKeyInReplies(t *testing.T) {
	const key = "sk-0123456789abcdef"
	r := Response{Choices: []Choice{{Content: "I know " + key + ".", Reasoning: key, Calls: []Call{{ID: key, Name: "n", Arguments: `{"cmd":"echo ` + key + `"}`}}}}}
	r.hide(key)
	if text := fmt.Sprint(r); strings.Contains(text, key) || !strings.Contains(text, "I know [key].") {
		t.Errorf("%s", text)
	}
	word := Response{Choices: []Choice{{Content: "EMPTY"}}}
	word.hide("EMPTY")
	if word.Choices[0].Content != "EMPTY" {
		t.Error("a dummy key was taken out of a reply")
	}
}
