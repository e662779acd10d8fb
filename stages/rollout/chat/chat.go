// Package chat is the policy of a model that is asked over HTTP, by the
// chat-completions protocol. Its replies are actions as JSON in the text, as the
// system prompt asks for, or native tool calls; nothing is streamed.
//
// Rows of sources that are not open go to no endpoint but one that may have them: the
// tasks are refused before anything is sent, and what is connected to is held to its
// class each time.
package chat

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/model"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// What a command needs of the client of model servers.
type (
	Client        = model.Client
	ClientOptions = model.Options
	Price         = model.Price
	Prices        = model.Prices
)

// KeyVariable is the environment variable that commands read the key from.
const KeyVariable = model.KeyVariable

// NewClient makes a client. It sends nothing.
func NewClient(opts ClientOptions) (*Client, error) { return model.New(opts) }

// ReadPrices reads a table of prices in US dollars per million tokens.
func ReadPrices(file string) (Prices, error) { return model.ReadPrices(file) }

// CheckExtra refuses what cannot be merged into the body of a request.
func CheckExtra(extra map[string]jsontext.Value) error { return model.CheckExtra(extra) }

// Options describe how a model is asked.
type Options struct {
	Client   *Client
	Protocol string // rollout.ProtocolJSON, which is the default, or rollout.ProtocolTools
	// Temperatures are a schedule: attempt i has the i-th, round and round. None: the
	// server's.
	Temperatures []float64
	TopP         *float64
	MaxTokens    int // of a reply: 8,192
	Stop         []string
	// Seeds sends a seed with each request, which follows from the run's seed, the
	// task, the attempt and the turn.
	Seeds bool
	// N attempts at a task have their first replies from one request, where they have
	// the same temperature. 0 and 1: each asks by itself.
	N int
	// Seed is the run's: of what attempts have in common.
	Seed               uint64
	Logprobs, TokenIDs bool
	Extra              map[string]jsontext.Value // merged into the body of each request
}

const (
	maxN      = 128
	defaultN  = 1
	maxTokens = 8_192
)

// New makes the policies of the attempts. Closing them (io.Closer) closes the client.
func New(opts Options) (rollout.Policies, error) {
	if opts.Protocol == "" {
		opts.Protocol = rollout.ProtocolJSON
	}
	switch {
	case opts.Client == nil:
		return nil, errors.New("no client of a model is given")
	case opts.Protocol != rollout.ProtocolJSON && opts.Protocol != rollout.ProtocolTools:
		return nil, fmt.Errorf("the protocol %q is not known; known: %s, %s", opts.Protocol, rollout.ProtocolJSON, rollout.ProtocolTools)
	case opts.MaxTokens < 0:
		return nil, errors.New("the tokens of a reply cannot be negative")
	case opts.N < 0 || opts.N > maxN:
		return nil, fmt.Errorf("a request for %d replies at once: not 1 to %d", opts.N, maxN)
	case slices.ContainsFunc(opts.Temperatures, func(t float64) bool { return !(t >= 0 && t <= 2) }): // NaN too
		return nil, errors.New("a temperature is not between 0 and 2")
	case opts.TopP != nil && !(*opts.TopP > 0 && *opts.TopP <= 1):
		return nil, errors.New("top-p is not above 0 and at most 1")
	case slices.Contains(opts.Stop, ""):
		return nil, errors.New("a stop sequence is empty")
	}
	if err := model.CheckExtra(opts.Extra); err != nil {
		return nil, err
	}
	if opts.MaxTokens == 0 {
		opts.MaxTokens = maxTokens
	}
	if opts.N == 0 {
		opts.N = defaultN
	}
	return &policies{opts: opts, shared: newShared(opts.N)}, nil
}

type policies struct {
	opts   Options
	shared *shared
}

// About implements rollout.Policies. A schedule of several temperatures is told by the
// attempts.
func (p *policies) About() schemas.Policy {
	about := schemas.Policy{Kind: "openai", Model: p.opts.Client.Model(), EndpointClass: string(p.opts.Client.Class()), Protocol: p.opts.Protocol,
		TopP: p.opts.TopP, MaxTokens: schemas.Ptr(int32(p.opts.MaxTokens))}
	if len(p.opts.Temperatures) == 1 {
		about.Temperature = p.temperature(0)
	}
	return about
}

// AboutAttempt implements rollout.Varying.
func (p *policies) AboutAttempt(_ schemas.Task, attempt int) schemas.Policy {
	about := p.About()
	about.Temperature = p.temperature(attempt)
	return about
}

func (p *policies) temperature(attempt int) *float64 {
	if len(p.opts.Temperatures) == 0 {
		return nil
	}
	return schemas.Ptr(p.opts.Temperatures[attempt%len(p.opts.Temperatures)])
}

// Settings implements rollout.Configured.
func (p *policies) Settings() string {
	settings := struct {
		Temperatures []float64         `json:"temperatures,omitempty"`
		Stop         []string          `json:"stop,omitempty"`
		NoSeeds      bool              `json:"no_seeds,omitzero"`
		N            int               `json:"n,omitzero"`
		Extra        map[string]string `json:"extra,omitempty"`
	}{Stop: p.opts.Stop, NoSeeds: !p.opts.Seeds, Extra: map[string]string{}}
	if len(p.opts.Temperatures) > 1 {
		settings.Temperatures = p.opts.Temperatures
	}
	if p.opts.N > 1 {
		settings.N = p.opts.N
	}
	for key, value := range p.opts.Extra {
		value = value.Clone()
		if value.Canonicalize() == nil { // New has seen that it is JSON
			settings.Extra[key] = string(value)
		}
	}
	text, err := json.Marshal(settings, json.Deterministic(true))
	if err != nil || string(text) == "{}" {
		return ""
	}
	return string(text)
}

// Permit implements rollout.Sender.
func (p *policies) Permit(sources []string) error { return p.opts.Client.Permit(sources) }

// Close implements io.Closer.
func (p *policies) Close() error { return p.opts.Client.Close() }

// New implements rollout.Policies.
func (p *policies) New(task schemas.Task, attempt int, seed uint64) (rollout.Policy, error) {
	if attempt < 0 {
		return nil, errors.New("attempts count from 0")
	}
	if task.AccessTier != schemas.TierOpen {
		if err := p.Permit([]string{task.Source}); err != nil {
			return nil, err
		}
	}
	return &policy{of: p, task: task.TaskID, attempt: attempt, seed: seed}, nil
}

// policy is the model in one attempt. It embeds nothing: what can be done to all
// attempts, closing among it, is not to be done to one.
type policy struct {
	of      *policies
	task    string
	attempt int
	seed    uint64

	counted, prompt int64 // tokens of the prompt before, by our count and by the server's
}

// Next implements rollout.Policy.
func (a *policy) Next(ctx context.Context, c rollout.Conversation) (rollout.Reply, error) {
	messages, turn, err := messagesOf(c.Messages)
	if err != nil {
		return rollout.Reply{}, err
	}
	r := model.Request{Messages: messages, Temperature: a.of.temperature(a.attempt), TopP: a.of.opts.TopP, MaxTokens: a.of.opts.MaxTokens, Stop: a.of.opts.Stop,
		Logprobs: a.of.opts.Logprobs, TokenIDs: a.of.opts.TokenIDs, Extra: a.of.opts.Extra}
	if a.of.opts.Protocol == rollout.ProtocolTools {
		r.Tools = toolsOf(c.Actions)
	}
	var choice model.Choice
	var usage model.Usage
	if turn == 0 && a.of.opts.N > 1 {
		choice, usage, err = a.first(ctx, r)
	} else {
		choice, usage, err = a.of.ask(ctx, r, seedOf(a.seed, "turn", strconv.Itoa(turn)))
	}
	if err != nil {
		return a.failed(err)
	}
	if a.cuts(int64(c.PromptTokens), usage.Prompt) {
		return rollout.Reply{}, fmt.Errorf("%w: the server cuts prompts without a word, it counts fewer tokens in a longer one", rollout.ErrContextLength)
	}
	return a.reply(choice, usage)
}

// ask asks for one reply.
func (p *policies) ask(ctx context.Context, r model.Request, seed uint64) (model.Choice, model.Usage, error) {
	r.N = 1
	p.seeded(&r, seed)
	res, err := p.opts.Client.Chat(ctx, r)
	if err != nil {
		return model.Choice{}, model.Usage{}, err
	}
	return res.Choices[0], res.Usage, nil
}

func (p *policies) seeded(r *model.Request, seed uint64) {
	if p.opts.Seeds {
		r.Seed = schemas.Ptr(int64(seed >> 1))
	}
}

// failed tells apart what an error means for the attempt. A call that the server itself
// cannot read is a reply without an action: the same seed would give it again.
func (a *policy) failed(err error) (rollout.Reply, error) {
	var fault *model.Error
	if errors.As(err, &fault) {
		switch fault.Class {
		case model.ClassContext:
			return rollout.Reply{}, fmt.Errorf("%w: %w", rollout.ErrContextLength, err)
		case model.ClassRefused, model.ClassTooLarge:
			return rollout.Reply{}, fmt.Errorf("%w: %w", rollout.ErrRefused, err)
		case model.ClassGarbled:
			return rollout.Reply{FinishReason: "garbled_call"}, nil
		}
	}
	return rollout.Reply{}, err
}

// smallContext is a context that no model in use is below. (Ollama's is 4,096.)
const smallContext = 512

// cuts says whether the server must have cut the prompt: it has grown by our count, and
// not by the server's. Some servers tell in no other way.
func (a *policy) cuts(counted, prompt int64) bool {
	cut := prompt > 0 && counted > a.counted && (prompt < a.prompt || prompt == a.prompt && prompt >= smallContext)
	a.counted, a.prompt = counted, prompt
	return cut
}

func (a *policy) reply(c model.Choice, u model.Usage) (rollout.Reply, error) {
	reply := rollout.Reply{Content: c.Content, Reasoning: c.Reasoning, Truncated: c.Finish == "length", FinishReason: c.Finish,
		PromptTokens: u.Prompt, CompletionTokens: u.Completion, CostUSD: u.Cost, TokenIDs: c.TokenIDs, Logprobs: c.Logprobs}
	for _, call := range c.Calls {
		reply.Calls = append(reply.Calls, protocol.Call(call))
	}
	if a.of.opts.Protocol == rollout.ProtocolTools || len(reply.Calls) == 0 {
		return reply, nil
	}
	// Nothing was offered to be called, and a server that was offered no tools may not
	// take the call back as a turn: it is kept as text.
	if reply.Content == "" {
		text, err := json.Marshal(reply.Calls, json.Deterministic(true))
		if err != nil {
			return rollout.Reply{}, errors.New("the tool calls cannot be encoded") // the cause may quote them
		}
		reply.Content = string(text)
	}
	reply.Calls = nil
	return reply, nil
}

// messagesOf are the turns of a conversation as a request has them, and how many of
// them the model wrote. What it thought is not told again.
func messagesOf(chat []schemas.ChatMessage) (messages []model.Message, replies int, err error) {
	for _, m := range chat {
		out := model.Message{Role: m.Role, Content: m.Content, Name: m.Name, ToolCallID: m.ToolCallID}
		if m.Role == schemas.RoleAssistant {
			replies++
		}
		if m.ToolCallsJSON != "" {
			var calls []protocol.Call
			if json.Unmarshal([]byte(m.ToolCallsJSON), &calls) != nil {
				return nil, 0, errors.New("the tool calls of the conversation cannot be read")
			}
			for _, c := range calls {
				out.Calls = append(out.Calls, model.Call(c))
			}
		}
		messages = append(messages, out)
	}
	return messages, replies, nil
}

func toolsOf(actions []string) (tools []model.Tool) {
	for _, t := range protocol.Tools(actions) {
		tools = append(tools, model.Tool(t))
	}
	return tools
}

// seedOf makes a seed out of a seed and what it is for.
func seedOf(seed uint64, parts ...string) uint64 {
	h := fnv.New64a()
	for _, part := range append([]string{strconv.FormatUint(seed, 16)}, parts...) {
		_, _ = h.Write([]byte(part)) // a hash takes everything
		_, _ = h.Write([]byte{0})
	}
	// FNV's low bits follow the last bytes closely: mixed as splitmix64 does.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
