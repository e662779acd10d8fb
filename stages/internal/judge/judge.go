// Package judge applies a source's grader to recorded submissions, for the stage
// that samples trajectories and the one that grades them again: both then agree
// on what a trajectory's rewards and outcome are.
package judge

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
)

// tries is how often a submission is judged when the grader's sandbox fails.
const tries = 3

// Judge grades submissions of one source.
type Judge struct {
	Grader datasets.Grader
	Runner datasets.Runner // resolves the source's raw files
}

// Verdict judges one submission. Its error is ctx's or says, without row content,
// that no verdict could be had.
func (j Judge) Verdict(ctx context.Context, task schemas.Task, sub datasets.Submission) (datasets.Verdict, error) {
	for try := 1; ; try++ {
		v, err := j.Grader.Grade(ctx, task, sub, j.Runner)
		switch {
		case err == nil:
			return v, check(task, v)
		case ctx.Err() != nil:
			return v, fmt.Errorf("grade %s: %w", task.TaskID, context.Cause(ctx))
		case try == tries || !errors.Is(err, execute.ErrSandbox):
			return v, fmt.Errorf("grade %s: %w", task.TaskID, err)
		}
	}
}

// check holds a grader to the range of rewards.
func check(task schemas.Task, v datasets.Verdict) error {
	for _, x := range []float64{v.Reward, v.Upstream, schemas.Value(v.Score)} {
		if !(x >= 0 && x <= 1) { // NaN too
			return fmt.Errorf("grade %s: the grader gave a reward outside 0 to 1", task.TaskID)
		}
	}
	return nil
}

// Reason names an error of Verdict for the column outcome_reason.
func Reason(err error) string {
	var gold *datasets.GoldError
	switch {
	case errors.As(err, &gold):
		return gold.Reason
	case errors.Is(err, execute.ErrSandbox):
		return "grader_sandbox"
	}
	return "grader"
}

// Record writes a verdict into a step.
func Record(step *schemas.Step, v datasets.Verdict) {
	step.Reward, step.RewardUpstream, step.GradeReason = schemas.Ptr(v.Reward), schemas.Ptr(v.Upstream), v.Reason
}

// Settle sets a trajectory's rewards from its steps: strict is the last
// submission's, upstream the best of all, since the public release stops at the
// first that passes. An attempt that submitted nothing has 0. Rewards of
// infra_error and grader_error are null.
func Settle(t *schemas.Trajectory, score *float64) {
	t.Reward, t.RewardUpstream, t.Score, t.AnswerSeen = nil, nil, nil, ""
	if t.Outcome == schemas.OutcomeInfraError {
		return
	}
	var strict, upstream float64
	for _, s := range t.Steps {
		if s.Submission == "" {
			continue
		}
		strict, upstream = schemas.Value(s.Reward), max(upstream, schemas.Value(s.RewardUpstream))
		t.AnswerSeen = answerOf(s.Submission)
	}
	if t.Outcome == schemas.OutcomeGraderError {
		return
	}
	t.Reward, t.RewardUpstream, t.Score = schemas.Ptr(strict), schemas.Ptr(upstream), score
}

// Encode writes a submission as the JSON of a step.
func Encode(sub datasets.Submission) (string, error) {
	text, err := json.Marshal(sub, json.Deterministic(true), jsontext.AllowInvalidUTF8(false))
	if err != nil {
		return "", fmt.Errorf("encode submission: %w", err)
	}
	return string(text), nil
}

// Decode reads what Encode wrote.
func Decode(text string) (datasets.Submission, error) {
	var sub datasets.Submission
	if err := json.Unmarshal([]byte(text), &sub); err != nil {
		return sub, errors.New("decode submission: not JSON of one") // the cause may quote content
	}
	return sub, nil
}

func answerOf(submission string) string {
	sub, err := Decode(submission)
	if err != nil {
		return ""
	}
	return string(sub.Answer)
}
