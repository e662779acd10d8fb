package chat

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/model"
	"github.com/medgym-data/medgym-data/stages/internal/show"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

//go:embed prompts/debugger.txt
var debuggerPrompt string

// Characters that a debugger is shown of a program, and of an error.
const (
	debuggedCode  = 24_000
	debuggedError = 8_000
)

const explanationTokens = 1_024

// Debugger makes a debugger of a model: it is shown a program and its error, and nothing
// of the task. maxTokens bound an explanation; 0: 1,024. Its errors are those of the
// policy; where the model says nothing, so does the explanation.
func Debugger(client *Client, maxTokens int) (rollout.Debugger, error) {
	switch {
	case client == nil:
		return nil, errors.New("no client of a model is given")
	case maxTokens < 0:
		return nil, errors.New("the tokens of an explanation cannot be negative")
	case maxTokens == 0:
		maxTokens = explanationTokens
	}
	return &debugger{client, maxTokens}, nil
}

type debugger struct {
	client    *Client
	maxTokens int
}

// Name implements rollout.Debugger.
func (d *debugger) Name() string { return d.client.Model() }

// Permit implements rollout.Sender: programs and their errors hold row content.
func (d *debugger) Permit(sources []string) error { return d.client.Permit(sources) }

// Close implements io.Closer.
func (d *debugger) Close() error { return d.client.Close() }

// Explain implements rollout.Debugger.
func (d *debugger) Explain(ctx context.Context, code, message string, seed uint64) (rollout.Reply, error) {
	program, _ := show.Cut(show.Clean(code), debuggedCode)
	fault, _ := show.Cut(show.Clean(message), debuggedError)
	if strings.TrimSpace(fault) == "" {
		fault = "(none was given)"
	}
	res, err := d.client.Chat(ctx, model.Request{
		Messages: []model.Message{
			{Role: schemas.RoleSystem, Content: strings.TrimSpace(debuggerPrompt)},
			{Role: schemas.RoleUser, Content: fmt.Sprintf("<program>\n%s\n</program>\n\n<error>\n%s\n</error>", program, fault)},
		},
		MaxTokens: d.maxTokens, Seed: schemas.Ptr(int64(seed >> 1)), N: 1,
	})
	var known *model.Error
	switch {
	case errors.As(err, &known) && (known.Class == model.ClassContext || known.Class == model.ClassRefused || known.Class == model.ClassGarbled):
		return rollout.Reply{}, nil // the same would be answered again: nothing is known about the error
	case err != nil:
		return rollout.Reply{}, err
	}
	choice := res.Choices[0]
	return rollout.Reply{Content: choice.Content, PromptTokens: res.Usage.Prompt, CompletionTokens: res.Usage.Completion, CostUSD: res.Usage.Cost}, nil
}
