package rollout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/schemas"
)

// KeyVariable is the environment variable that holds the endpoint's key.
const KeyVariable = "MEDGYM_API_KEY"

// ChatOptions describe a model behind a chat-completions endpoint.
type ChatOptions struct {
	Endpoint    governance.Endpoint // classified
	Model       string
	Key         string // sent as a bearer token; empty: none
	Temperature *float64
	TopP        *float64
	MaxTokens   int           // of a reply: 8,192
	Timeout     time.Duration // of one request: 10 min
	// Retries is how often a request is sent again when the endpoint is busy, faulty
	// or out of reach. 0: 4; negative: none.
	Retries  int
	Resolver governance.Resolver // nil: the system's

	pause func(context.Context, time.Duration) // nil: waits
}

// Chat is the policy of a model that is asked over HTTP, by the chat-completions
// protocol that most servers of models speak. Its replies are actions in JSON, as
// the system prompt asks for; nothing is streamed.
//
// Rows of sources that are not open go to no endpoint but one that may have them:
// the tasks are refused before anything is sent, and what is connected to is held
// to the class each time.
func Chat(opts ChatOptions) (Policies, error) {
	if opts.Model == "" {
		return nil, errors.New("no model is named")
	}
	if opts.Endpoint.URL == nil || opts.Endpoint.Class == "" {
		return nil, errors.New("no endpoint is named")
	}
	if opts.MaxTokens < 0 || opts.Timeout < 0 {
		return nil, errors.New("the tokens of a reply and the time of a request cannot be negative")
	}
	if opts.MaxTokens == 0 {
		opts.MaxTokens = 8_192
	}
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Minute
	}
	if opts.Retries == 0 {
		opts.Retries = 4
	}
	if opts.pause == nil {
		opts.pause = pause
	}
	return &chat{opts, opts.Endpoint.Client(opts.Resolver)}, nil
}

type chat struct {
	opts   ChatOptions
	client *http.Client
}

// About implements Policies.
func (c *chat) About() schemas.Policy {
	return schemas.Policy{Kind: "openai", Model: c.opts.Model, EndpointClass: string(c.opts.Endpoint.Class),
		Temperature: c.opts.Temperature, TopP: c.opts.TopP, MaxTokens: schemas.Ptr(int32(c.opts.MaxTokens))}
}

// Permit implements Sender.
func (c *chat) Permit(sources []string) error { return c.opts.Endpoint.Check(sources) }

// New implements Policies.
func (c *chat) New(task schemas.Task, _ int, seed uint64) (Policy, error) {
	if task.AccessTier != schemas.TierOpen {
		if err := c.Permit([]string{task.Source}); err != nil {
			return nil, err
		}
	}
	return &chatAttempt{chat: c, seed: int64(seed >> 1)}, nil
}

// chatAttempt is the policy in one attempt.
type chatAttempt struct {
	*chat
	seed int64
}

type chatRequest struct {
	Model       string            `json:"model"`
	Messages    []schemas.Message `json:"messages"`
	Temperature *float64          `json:"temperature,omitzero"`
	TopP        *float64          `json:"top_p,omitzero"`
	MaxTokens   int               `json:"max_tokens"`
	Seed        int64             `json:"seed"`
	Stream      bool              `json:"stream"`
}

type chatResponse struct {
	Choices []struct {
		Message struct {
			Content *string `json:"content"`
		} `json:"message"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
	} `json:"usage"`
}

// Next implements Policy.
func (a *chatAttempt) Next(ctx context.Context, c Conversation) (Reply, error) {
	// The seed is kept to what servers take: a positive number of 32 bits.
	var messages []schemas.Message
	for _, m := range c.Messages {
		messages = append(messages, schemas.Message{Role: m.Role, Content: m.Content})
	}
	body, err := json.Marshal(chatRequest{Model: a.opts.Model, Messages: messages, Temperature: a.opts.Temperature, TopP: a.opts.TopP,
		MaxTokens: a.opts.MaxTokens, Seed: a.seed & (1<<31 - 1)})
	if err != nil {
		return Reply{}, errors.New("the request cannot be encoded") // the cause may quote it
	}
	for try := 0; ; try++ {
		reply, err := a.ask(ctx, body)
		var again *retryable
		if err == nil || !errors.As(err, &again) || try >= a.opts.Retries || ctx.Err() != nil {
			return reply, err
		}
		a.opts.pause(ctx, again.wait(try))
	}
}

// retryable is a fault that may pass.
type retryable struct {
	err   error
	after time.Duration // what the endpoint asked for; 0: nothing
}

func (r *retryable) Error() string { return r.err.Error() }
func (r *retryable) Unwrap() error { return r.err }

// wait doubles from half a second to half a minute, with jitter, so that many
// attempts do not come back at once.
func (r *retryable) wait(try int) time.Duration {
	d := min(500*time.Millisecond<<min(try, 6), 30*time.Second)
	return max(d/2+rand.N(d), min(r.after, 2*time.Minute))
}

const maxResponse = 32 << 20

// lenient reads what a foreign server wrote: what cannot be text is replaced later.
var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// ask sends one request. Its errors hold nothing of what was sent or received.
func (a *chatAttempt) ask(ctx context.Context, body []byte) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, a.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.opts.Endpoint.URL.JoinPath("chat", "completions").String(), bytes.NewReader(body))
	if err != nil {
		return Reply{}, errors.New("the request cannot be made")
	}
	req.Header.Set("Content-Type", "application/json")
	if a.opts.Key != "" {
		req.Header.Set("Authorization", "Bearer "+a.opts.Key)
	}
	res, err := a.client.Do(req)
	var refused *pipeline.PolicyError
	switch {
	case errors.As(err, &refused):
		return Reply{}, refused
	case err != nil:
		return Reply{}, &retryable{err: fmt.Errorf("endpoint %s: %w", a.opts.Endpoint.Name(), err)}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	switch {
	case err != nil:
		return Reply{}, &retryable{err: fmt.Errorf("endpoint %s: the response broke off", a.opts.Endpoint.Name())}
	case len(text) > maxResponse:
		return Reply{}, fmt.Errorf("endpoint %s: the response is above %d bytes", a.opts.Endpoint.Name(), maxResponse)
	case res.StatusCode != http.StatusOK:
		return Reply{}, a.status(res, text)
	}
	return a.reply(text)
}

// status is the error of a response that is none. Some a second request may mend;
// some no request will, and end the stage.
func (a *chatAttempt) status(res *http.Response, text []byte) error {
	err := fmt.Errorf("endpoint %s: status %d%s", a.opts.Endpoint.Name(), res.StatusCode, errorCode(text))
	switch {
	case res.StatusCode == http.StatusTooManyRequests, res.StatusCode == http.StatusRequestTimeout, res.StatusCode >= 500:
		seconds, _ := strconv.ParseFloat(res.Header.Get("Retry-After"), 64) // a date, or nothing: 0
		return &retryable{err: err, after: time.Duration(max(0, min(seconds, 3600)) * float64(time.Second))}
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return &pipeline.InputError{What: "the key is not accepted", Err: err, Do: "set " + KeyVariable + " to one that is"}
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusMethodNotAllowed:
		return &pipeline.InputError{What: "there is no such model or no such API", Err: err, Do: "check --endpoint, which often ends in /v1, and --model"}
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return &pipeline.InputError{What: "the endpoint leads elsewhere, and redirects are not followed", Err: err, Do: "name the endpoint itself"}
	}
	return err
}

var plainCode = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

// errorCode is the name that an endpoint gives to an error. Its message may quote the
// request.
func errorCode(text []byte) string {
	var fault struct {
		Error struct {
			Code any `json:"code"`
			Type any `json:"type"`
		} `json:"error"`
	}
	if json.Unmarshal(text, &fault, lenient) != nil {
		return ""
	}
	for _, name := range []any{fault.Error.Code, fault.Error.Type} {
		if s, ok := name.(string); ok && plainCode.MatchString(s) {
			return " (" + s + ")"
		}
	}
	return ""
}

// reply reads a response. One without text is an empty reply, which the agent is
// told about; one without a choice is a fault of the endpoint.
func (a *chatAttempt) reply(text []byte) (Reply, error) {
	var res chatResponse
	if err := json.Unmarshal(text, &res, lenient); err != nil || len(res.Choices) == 0 {
		return Reply{}, &retryable{err: fmt.Errorf("endpoint %s: the response holds no choice", a.opts.Endpoint.Name())}
	}
	choice := res.Choices[0]
	if choice.FinishReason == "content_filter" {
		return Reply{}, fmt.Errorf("endpoint %s: the reply was withheld (content_filter)", a.opts.Endpoint.Name())
	}
	return Reply{Content: schemas.Value(choice.Message.Content), Truncated: choice.FinishReason == "length",
		PromptTokens: max(0, res.Usage.Prompt), CompletionTokens: max(0, res.Usage.Completion)}, nil
}
