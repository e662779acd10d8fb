package score

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/model"
)

// Model is a verifier that is asked; *model.Client is one.
type Model interface {
	Model() string
	// Permit refuses (pipeline.PolicyError) where rows of sources that are not open
	// must not be sent there.
	Permit(sources []string) error
	Chat(context.Context, model.Request) (model.Response, error)
	Close() error
}

// How a score came about.
const (
	HowKept     = "kept"     // this verifier gave it before
	HowFile     = "file"     // it stands in the file
	HowLogprobs = "logprobs" // by the log probabilities of the first token
	HowText     = "text"     // 1 or 0, by the word that was said
)

// Why a trajectory has no score, beside verdict.NoSteps and verdict.TooLong. The
// last two may pass: nothing is published with them unless Options.Partial.
const (
	NoneMissing = "missing"    // the file has none
	NoneChosen  = "not_chosen" // its source was not asked for
	NoneVerdict = "no_verdict" // the verifier said neither YES nor NO
	NoneContext = "context"    // the question is longer than the verifier reads
	NoneRefused = "refused"    // the endpoint refuses the question
	NoneFaulty  = "faulty"     // the endpoint kept failing
	NoneTimeout = "timed_out"  // the endpoint kept taking too long
)

// passing says whether the same question may be answered another time.
func passing(none string) bool { return none == NoneFaulty || none == NoneTimeout }

// judgement is what is known of one trajectory: a score and how it came about, or
// why there is none.
type judgement struct {
	Score float64 `json:"score"`
	How   string  `json:"how,omitempty"`
	None  string  `json:"none,omitempty"`
	// What the question took, as the endpoint counted it.
	Tokens int64   `json:"tokens,omitempty"`
	Cost   float64 `json:"cost,omitempty"`
}

// alternatives are how many of them are asked for with the first token, until the
// endpoint takes it: twenty are the most that OpenAI and vLLM give, five are for
// servers that are set to fewer, and 0 asks for the word alone.
var alternatives = []int{20, 5, 0}

// asker asks a verifier. It is safe for concurrent use.
type asker struct {
	model Model
	extra map[string]jsontext.Value
	level atomic.Int32 // index of alternatives that the endpoint takes
}

// ask gets the verdict on a question. An error is one that ends the stage: of ctx,
// or of an endpoint that cannot be asked.
func (a *asker) ask(ctx context.Context, question []schemas.Message) (judgement, error) {
	messages := make([]model.Message, len(question))
	for i, m := range question {
		messages[i] = model.Message{Role: m.Role, Content: m.Content}
	}
	greedy := 0.0
	for level := a.level.Load(); ; level++ {
		top := alternatives[level]
		res, err := a.model.Chat(ctx, model.Request{Messages: messages, Temperature: &greedy, MaxTokens: 1,
			Logprobs: top > 0, TopLogprobs: top, Extra: a.extra})
		var fault *model.Error
		switch {
		case err == nil:
			if level > a.level.Load() {
				a.level.Store(level) // that was what it refused
			}
			j := judge(res.Choices[0])
			j.Tokens, j.Cost = res.Usage.Prompt, schemas.Value(res.Usage.Cost)
			return j, nil
		case ctx.Err() != nil || !errors.As(err, &fault):
			return judgement{}, err
		}
		switch fault.Class {
		case model.ClassRefused:
			if top > 0 {
				continue
			}
			return judgement{None: NoneRefused}, nil
		case model.ClassContext, model.ClassTooLarge:
			return judgement{None: NoneContext}, nil
		case model.ClassFaulty:
			return judgement{None: NoneFaulty}, nil
		case model.ClassTimeout:
			return judgement{None: NoneTimeout}, nil
		}
		return judgement{}, err
	}
}

// judge reads a reply. Where there are alternatives to its first token the score is
// P(YES) / (P(YES) + P(NO)), each summed over all ways to write the word.
func judge(c model.Choice) judgement {
	if len(c.Top) == 0 || len(c.Top[0]) == 0 {
		switch yes, ok := answer(c.Content); {
		case !ok:
			return judgement{None: NoneVerdict}
		case yes:
			return judgement{Score: 1, How: HowText}
		}
		return judgement{Score: 0, How: HowText}
	}
	var yes, no float64
	for _, t := range c.Top[0] {
		is, ok := answer(t.Token)
		p := math.Exp(min(t.Logprob, 0))
		switch {
		case !ok || math.IsNaN(p):
		case is:
			yes += p
		default:
			no += p
		}
	}
	if yes+no == 0 {
		return judgement{None: NoneVerdict}
	}
	return judgement{Score: yes / (yes + no), How: HowLogprobs}
}

// answer says whether a word is the answer YES or NO, in any case, with the space
// before it as tokenizers write it. Where a vocabulary has no token for the whole
// word its beginning is one, so the beginning of an answer is that answer.
func answer(word string) (yes, ok bool) {
	word = strings.ToLower(strings.Trim(word, " \t\r\n\u2581\u0120\u010a.,:;!*\"'`"))
	if word == "" {
		return false, false
	}
	yes = strings.HasPrefix(strings.ToLower(schemas.VerdictYes), word)
	return yes, yes || strings.HasPrefix(strings.ToLower(schemas.VerdictNo), word)
}
