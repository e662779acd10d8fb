// Package model asks models behind chat-completions endpoints, as vLLM, SGLang,
// llama.cpp, Ollama, Azure and OpenAI speak that protocol: one client for the agent,
// for a debugger and for a verifier. It spreads requests over several endpoints, waits
// for a server that is away, sends again what may pass, and tells apart the faults
// that no second request mends.
package model

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/stages/internal/stopwatch"
)

// Options of a client. Zero values mean the defaults.
type Options struct {
	Endpoints []governance.Endpoint // classified; a request goes to the one with the fewest in flight
	Model     string
	// Key is sent as a bearer token, or as Azure's api-key header to the deployments
	// there. Empty: none.
	Key     string
	Timeout time.Duration // of one request, its body read: 10 min
	// Patience is how long a request waits for servers that are away (refused, reset,
	// 502 to 504) or busy (429) before it fails: 10 min.
	Patience time.Duration
	// Retries is how often a request is sent again for other faults that may pass.
	// Waiting for a server that is away or busy does not count. 0: 4; negative: none.
	Retries int
	// Backoff is the first pause before a request is sent again: half a second. It
	// doubles up to sixty times that.
	Backoff   time.Duration
	InFlight  int    // requests at a time to one endpoint: 256
	PerMinute int    // requests a minute to one endpoint; 0: no limit
	Price     *Price // nil: what a reply costs is not known
	Resolver  governance.Resolver
	Log       *slog.Logger // nil: nothing is logged

	transport func(governance.Endpoint) http.RoundTripper // of tests; nil: the network
}

// Client asks one model, behind one or more endpoints. It is safe for concurrent use.
type Client struct {
	opts  Options
	log   *slog.Logger
	queue *queue
}

// New makes a client. It sends nothing.
func New(opts Options) (*Client, error) {
	switch {
	case opts.Model == "":
		return nil, errors.New("no model is named")
	case len(opts.Endpoints) == 0:
		return nil, errors.New("no endpoint is named")
	case opts.Timeout < 0 || opts.Patience < 0 || opts.Backoff < 0:
		return nil, errors.New("times of requests cannot be negative")
	case opts.InFlight < 0 || opts.PerMinute < 0:
		return nil, errors.New("limits of an endpoint cannot be negative")
	case strings.ContainsFunc(opts.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the key holds a space or a character that no key has")
	}
	seen := map[string]bool{}
	for _, e := range opts.Endpoints {
		if e.URL == nil || e.Class == "" {
			return nil, errors.New("no endpoint is named")
		}
		if seen[e.Name()] {
			return nil, fmt.Errorf("the endpoint %s is named twice", e.Name())
		}
		seen[e.Name()] = true
	}
	defaults(&opts.Timeout, 10*time.Minute)
	defaults(&opts.Patience, 10*time.Minute)
	defaults(&opts.Backoff, 500*time.Millisecond)
	defaults(&opts.Retries, 4)
	defaults(&opts.InFlight, 256)
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Client{opts: opts, log: log}
	var hosts []*host
	for _, e := range opts.Endpoints {
		hosts = append(hosts, c.host(e))
	}
	c.queue = newQueue(hosts, opts, log)
	return c, nil
}

func defaults[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// host prepares an endpoint. As many connections are kept as there may be requests.
func (c *Client) host(e governance.Endpoint) *host {
	h := &host{endpoint: e, url: e.URL.JoinPath("chat", "completions").String(), http: e.Client(c.opts.Resolver)}
	if t, ok := h.http.Transport.(*http.Transport); ok {
		t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, c.opts.InFlight)
	}
	if c.opts.transport != nil {
		h.http.Transport = c.opts.transport(e)
	}
	return h
}

// Permit refuses (pipeline.PolicyError) where one of the endpoints must not have rows
// of sources that are not open.
func (c *Client) Permit(sources []string) error {
	for _, e := range c.opts.Endpoints {
		if err := e.Check(sources); err != nil {
			return err
		}
	}
	return nil
}

// KeyVariable is the environment variable that commands read the key from.
const KeyVariable = "MEDGYM_API_KEY"

// Class is the least trusted one of all endpoints.
func (c *Client) Class() governance.Class {
	class := governance.Local
	for _, e := range c.opts.Endpoints {
		if e.Class == governance.Open || class == governance.Local {
			class = e.Class
		}
	}
	return class
}

// Model is the name of the model that is asked.
func (c *Client) Model() string { return c.opts.Model }

// Close gives idle connections back. It returns nil.
func (c *Client) Close() error {
	for _, h := range c.queue.hosts {
		h.http.CloseIdleConnections()
	}
	return nil
}

// Message is one turn. Role is one of schemas.Role…; ToolCallID names the call that a
// tool turn answers; Calls are those of an assistant turn.
type Message struct {
	Role, Content, Name, ToolCallID string
	Calls                           []Call
}

// Call is a call of a tool. Arguments is JSON text as the model wrote it, which may be
// none.
type Call struct{ ID, Name, Arguments string }

// Tool is what a model may call. Parameters is a JSON schema.
type Tool struct {
	Name, Description string
	Parameters        jsontext.Value
}

// Request is one question to a model. Nil and zero values are left to the server.
type Request struct {
	Messages          []Message
	Tools             []Tool
	Temperature, TopP *float64
	MaxTokens         int    // of each choice
	Seed              *int64 // cut to the 31 bits that all servers take
	Stop              []string
	N                 int // choices; a server may give fewer
	Logprobs          bool
	TopLogprobs       int // alternatives of each token
	TokenIDs          bool
	// Extra is merged into the body. Keys that this package sets are refused, see
	// CheckExtra.
	Extra map[string]jsontext.Value
}

// Response holds at least one choice.
type Response struct {
	Choices []Choice
	Usage   Usage // of all choices together; zero where the server counted nothing
	Model   string
	Took    time.Duration // of the request that was answered, without waiting and what failed
}

// Usage is what the server counted. Cost, in US dollars, is nil where no price is
// known or nothing was counted.
type Usage struct {
	Prompt, Completion, Cached int64
	Cost                       *float64
}

// Choice is one reply. Texts are valid UTF-8. Reasoning is what the server gave apart,
// or what the content began with in <think> tags. Every call has an id of its own.
type Choice struct {
	Content, Reasoning string
	Calls              []Call
	Finish             string    // stop, length, tool_calls, …; empty: unknown
	TokenIDs           []int32   // nil: not given
	Logprobs           []float64 // of each token; nil: not given
	Top                [][]TokenLogprob
}

// TokenLogprob is a token and its natural log probability.
type TokenLogprob struct {
	Token   string
	Logprob float64
}

// Chat asks. Its error is ctx's cause, an *Error, or for what no request can mend (a
// key, a model, an address that is wrong) a pipeline.InputError that wraps one, or a
// pipeline.PolicyError where the endpoint is no longer one that may be asked.
//
// A stopwatch of ctx is charged with the time of the request that was answered alone:
// what waiting, and requests that failed, took is none of the asker's doing.
func (c *Client) Chat(ctx context.Context, r Request) (Response, error) {
	defer stopwatch.Pause(ctx)()
	q := question{client: c, request: r}
	if err := q.encode(); err != nil {
		return Response{}, err
	}
	for {
		h, err := c.queue.enter(ctx, &q.wait)
		if err != nil {
			return Response{}, err
		}
		begun := time.Now()
		res, fault := q.ask(ctx, h)
		took := time.Since(begun)
		pause, err := c.settle(ctx, &q, h, fault)
		switch {
		case err != nil:
			return Response{}, err
		case fault == nil:
			stopwatch.Charge(ctx, took)
			res.Took = took
			return res, nil
		}
		if err := sleep(ctx, pause); err != nil {
			return Response{}, err
		}
	}
}

// settle gives the place at the host back and says how long to pause before the
// question is asked again, or why it is not.
func (c *Client) settle(ctx context.Context, q *question, h *host, fault *Error) (time.Duration, error) {
	if ctx.Err() != nil {
		c.queue.leave(h, &q.wait, nil, true)
		return 0, context.Cause(ctx)
	}
	aside, elsewhere := c.queue.leave(h, &q.wait, fault, false)
	if fault == nil {
		return 0, nil
	}
	q.wait.avoid = h
	if q.adapt(h, fault) {
		return 0, nil
	}
	now := time.Now()
	switch fault.Class {
	case ClassAway, ClassBusy:
		if q.wait.since.IsZero() {
			q.wait.since = now
		}
		q.passing++
		if now.Sub(q.wait.since) >= c.opts.Patience {
			return 0, fault.final()
		}
		c.log.Debug("asking again", "endpoint", fault.Endpoint, "class", fault.Class, "status", fault.Status)
		if aside || elsewhere && q.passing < len(c.opts.Endpoints) {
			return 0, nil // the queue lets it wait, or another endpoint may serve
		}
		return max(c.backoff(q.passing-1), fault.after), nil
	case ClassFaulty, ClassTimeout:
		q.wait.since, q.passing = time.Time{}, 0
		if q.tries >= c.opts.Retries {
			return 0, fault.final()
		}
		q.tries++
		c.log.Debug("asking again", "endpoint", fault.Endpoint, "class", fault.Class, "status", fault.Status, "try", q.tries)
		return max(c.backoff(q.tries-1), fault.after), nil
	}
	return 0, fault.final()
}

// question is one call of Chat.
type question struct {
	client  *Client
	request Request
	body    []byte // with max_tokens
	newer   []byte // with max_completion_tokens instead; nil until it is needed
	free    []byte // with neither; nil until it is needed
	tries   int    // sent again for faults that may pass
	passing int    // away or busy, in a row
	wait    wait

	sentNewer bool // what was sent last had max_completion_tokens
	uncapped  bool // without a limit of reply tokens: see Error.uncapped
}

// adapt changes the dialect of the question where the fault says so, once each, and
// says whether it did: it is then sent again at once.
func (q *question) adapt(h *host, fault *Error) bool {
	switch {
	case q.request.MaxTokens == 0 || q.uncapped:
		return false
	case fault.older && h.newer.CompareAndSwap(false, true):
		q.client.log.Info("the endpoint takes max_completion_tokens", "endpoint", fault.Endpoint)
		return true
	case fault.older && !q.sentNewer:
		return true // another question has found out meanwhile
	case fault.uncapped:
		// What is left of the context is below the limit: the server's own cut is tighter.
		q.uncapped = true
		return true
	}
	return false
}

// ask sends the question to a host once. Where a kept connection turns out to be dead,
// which servers that close idle ones make happen all the time, it is sent over a new
// one.
func (q *question) ask(ctx context.Context, h *host) (Response, *Error) {
	bounded, cancel := context.WithTimeout(ctx, q.client.opts.Timeout)
	defer cancel()
	res, fault, stale := q.send(bounded, h)
	if stale && bounded.Err() == nil {
		h.http.CloseIdleConnections()
		res, fault, _ = q.send(bounded, h)
	}
	res.hide(q.client.opts.Key)
	return res, fault
}

// shortKey is the length below which a key is a dummy, as servers of one's own take, and
// may well be a word of a reply.
const shortKey = 16

// hide takes the key out of replies: a server, or a proxy before it, may give it back,
// and replies are kept and shown.
func (r *Response) hide(key string) {
	if len(key) < shortKey {
		return
	}
	for i := range r.Choices {
		c := &r.Choices[i]
		texts := []*string{&c.Content, &c.Reasoning}
		for j := range c.Calls {
			texts = append(texts, &c.Calls[j].ID, &c.Calls[j].Name, &c.Calls[j].Arguments)
		}
		for _, text := range texts {
			*text = strings.ReplaceAll(*text, key, "[key]")
		}
	}
}

func (q *question) post(ctx context.Context, h *host, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if key := q.client.opts.Key; key != "" {
		if azure(h.endpoint) && !strings.HasPrefix(key, "eyJ") { // a token of Entra is a bearer's there too
			req.Header.Set("Api-Key", key)
		} else {
			req.Header.Set("Authorization", "Bearer "+key)
		}
	}
	return h.http.Do(req)
}

func azure(e governance.Endpoint) bool { return strings.Contains(e.URL.Path, "/openai/deployments/") }

// backoff grows from Options.Backoff to sixty times that, with jitter, so that many
// requests do not come back at once.
func (c *Client) backoff(try int) time.Duration { return spread(c.opts.Backoff, try) }

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
