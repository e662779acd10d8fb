// Package verdict builds the question that a verifier is asked about an attempt: the
// prompt of a row of the verifier set. A verifier that is trained on that set and
// asked for scores sees the same bytes.
//
// An outcome verifier (Cobbe et al. 2021) learns from the attempt alone, so nothing
// that a grader said stands in a question.
package verdict

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/tokens"
)

// Version changes when an attempt gives another question.
const Version = "1"

// Why there is no question about an attempt.
const (
	NoSteps = "no_steps" // there is nothing to judge
	TooLong = "too_long" // also with its outputs cut
)

// MaxTokens is the longest question with its answer, where nobody says otherwise.
const MaxTokens = 32_768

// judge is the system turn of every question.
//
//go:embed judge.txt
var judge string

// outputLimits are the bytes to which each output and value in an attempt is cut,
// one after the other, until a question fits. The first cuts nothing.
var outputLimits = []int{0, 16_384, 8_192, 4_096, 2_048, 1_024, 512, 256}

// Builder makes questions. It is safe for concurrent use.
type Builder struct {
	tokens *tokens.Counter
	most   int // tokens of a question
}

// New makes a Builder of questions that have, with the answer, at most so many tokens.
func New(counter *tokens.Counter, maxTokens int) *Builder {
	answer := tokens.PerMessage + max(counter.Count(schemas.VerdictYes), counter.Count(schemas.VerdictNo))
	return &Builder{counter, maxTokens - answer}
}

// Question is what a verifier is asked.
type Question struct {
	Messages []schemas.Message // a system turn, and the task with the attempt as a user turn
	Tokens   int               // of Messages
	Turns    int32             // of the attempt
	Cut      bool              // outputs were cut, so that it fits
}

// Ask makes the question about an attempt at a task with this instruction, or says
// why there is none. Its error holds nothing of the attempt.
func (b *Builder) Ask(instruction string, t schemas.Trajectory) (q Question, reason string, err error) {
	a, err := attemptOf(t)
	if err != nil {
		return Question{}, "", err
	}
	if len(a.turns) == 0 {
		return Question{}, NoSteps, nil
	}
	q.Turns = a.turns[len(a.turns)-1].number
	before := ""
	for i, limit := range outputLimits {
		text := serialize(instruction, a, limit)
		if text == before {
			continue
		}
		before = text
		q.Messages = []schemas.Message{{Role: schemas.RoleSystem, Content: strings.TrimSpace(judge)}, {Role: schemas.RoleUser, Content: text}}
		q.Tokens, q.Cut = b.tokens.CountMessages(q.Messages), i > 0
		if q.Tokens <= b.most {
			return q, "", nil
		}
	}
	return Question{}, TooLong, nil
}

// LastSubmission is the index of the last step that handed something in; -1 for none.
func LastSubmission(t schemas.Trajectory) int {
	for i := len(t.Steps) - 1; i >= 0; i-- {
		if t.Steps[i].Submission != "" {
			return i
		}
	}
	return -1
}

// attempt is what the verifier sees of a trajectory.
type attempt struct {
	turns    []turn
	handedIn bool // it ends with a submission
}

// turn is one step of it.
type turn struct {
	number  int32
	action  string
	params  []Param
	results []Param
}

// attemptOf reads the steps up to the last submission, which is the one that was
// graded. What happened after it is left out: that the agent went on would say
// that it had been told to.
//
// The outcome of a submission is taken from what the sandbox recorded, never from
// the observation, in which a grader's verdict may stand; other observations in
// which one was shown are left out. So attempts that differ in nothing but their
// verdict give the same text.
func attemptOf(t schemas.Trajectory) (attempt, error) {
	steps, last := t.Steps, LastSubmission(t)
	if last >= 0 {
		steps = steps[:last+1]
	}
	turns := make([]turn, 0, len(steps))
	for i, s := range steps {
		results, err := resultsOf(s)
		if err != nil {
			return attempt{}, fmt.Errorf("trajectory %s: steps[%d]: %w", t.TrajectoryID, i, err)
		}
		turns = append(turns, turn{schemas.Value(s.Turn), s.Action, Params(s), results})
	}
	return attempt{turns, last >= 0}, nil
}

// resultsOf lists what came of a step.
func resultsOf(s schemas.Step) ([]Param, error) {
	if s.Submission == "" {
		if schemas.Value(s.GraderFeedbackShown) {
			return nil, nil
		}
		return filled(Param{"output", s.Observation}), nil
	}
	var sub datasets.Submission
	if err := json.Unmarshal([]byte(s.Submission), &sub); err != nil {
		return nil, errors.New("the submission cannot be read") // the cause may quote it
	}
	status := ""
	if sub.Status != "ok" {
		status = strings.TrimSpace(sub.Status + " " + sub.Error)
	}
	out := filled(Param{"status", status}, Param{"stdout", sub.Stdout}, Param{"stderr", sub.Stderr})
	for _, values := range []map[string]datasets.RawValue{sub.Records, sub.Captured} {
		names := make([]string, 0, len(values))
		for name := range values {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if name != "answer" { // it stands at the end
				out = append(out, Param{name, string(values[name])})
			}
		}
	}
	answer := sub.Answer
	if answer == nil {
		answer = sub.Captured["answer"]
	}
	return append(out, filled(Param{"answer", string(answer)})...), nil
}

func filled(params ...Param) []Param {
	return slices.DeleteFunc(params, func(p Param) bool { return strings.TrimSpace(p.Text) == "" })
}

// serialize writes a task and an attempt at it as one text, with outputs of more
// than limit bytes cut in their middle; 0 cuts nothing.
func serialize(instruction string, a attempt, limit int) string {
	var s strings.Builder
	fmt.Fprintf(&s, "<task>\n%s\n</task>\n\n<attempt>\n", strings.TrimSpace(instruction))
	for _, t := range a.turns {
		action := t.action
		if action == "" {
			action = "no action that could be read"
		}
		fmt.Fprintf(&s, "[turn %d] %s\n", t.number, action)
		for _, p := range t.params {
			fmt.Fprintf(&s, "%s:\n%s\n", p.Name, strings.TrimRight(p.Text, "\n"))
		}
		for _, p := range t.results {
			fmt.Fprintf(&s, "-> %s:\n%s\n", p.Name, strings.TrimRight(cutMiddle(p.Text, limit), "\n"))
		}
		s.WriteByte('\n')
	}
	if !a.handedIn {
		s.WriteString("Nothing was handed in.\n")
	}
	s.WriteString("</attempt>")
	return s.String()
}

// cutMiddle keeps the beginning and the end of a text, about limit bytes in all.
func cutMiddle(text string, limit int) string {
	if limit == 0 || len(text) <= limit {
		return text
	}
	head, tail := limit/2, len(text)-limit/2
	for head > 0 && !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text) && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return fmt.Sprintf("%s\n[%d bytes left out]\n%s", text[:head], tail-head, text[tail:])
}
