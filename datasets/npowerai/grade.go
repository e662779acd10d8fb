package npowerai

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/grading"
	"github.com/medgym-data/medgym-data/schemas"
)

// Grade implements datasets.Grader. Nothing is run.
func (Source) Grade(_ context.Context, task schemas.Task, sub datasets.Submission, _ datasets.Runner) (datasets.Verdict, error) {
	gold, err := goldOf(task)
	if err != nil {
		return datasets.Verdict{}, fmt.Errorf("grade %s: %w", task.TaskID, err)
	}
	verdict := datasets.Verdict{Reason: strict(task, gold, sub)}
	if verdict.Reason == grading.ReasonCorrect {
		verdict.Reward = 1
	}
	if upstream(task, gold, sub) {
		verdict.Upstream = 1
	}
	return verdict, nil
}

func goldOf(task schemas.Task) (float64, error) {
	n, err := strconv.ParseFloat(task.Answer, 64)
	if err != nil || task.AnswerType != schemas.AnswerInteger && task.AnswerType != schemas.AnswerNumber {
		return 0, fmt.Errorf("the task's answer is no size and no power")
	}
	return n, nil
}

// nearPower reports whether x is within 1 % of a power. The slack covers what
// binary floats lose at the bound.
func nearPower(x, gold float64) bool {
	return math.Abs(x-gold) <= powerTolerance*gold*(1+1e-9)
}

func strict(task schemas.Task, gold float64, sub datasets.Submission) string {
	v, reason := grading.Answer(sub)
	if reason != "" {
		return reason
	}
	x, ok := v.Number()
	if !ok {
		return grading.ReasonWrongType
	}
	if task.AnswerType == schemas.AnswerNumber {
		if !nearPower(x, gold) {
			return grading.ReasonOutOfBounds
		}
		return grading.ReasonCorrect
	}
	if n, ok := v.Integer(); !ok || !n.IsInt64() || n.Int64() != int64(gold) {
		return grading.ReasonWrong
	}
	return grading.ReasonCorrect
}

// upstream is the public release's verdict on the printed text, without the space
// around it: int() of it for a size, so 42.0 fails, float() of it for a power,
// strictly inside 1 %. Whatever else is printed is an error, and fails.
func upstream(task schemas.Task, gold float64, sub datasets.Submission) bool {
	text := grading.UpstreamOutput(sub)
	if task.AnswerType == schemas.AnswerInteger {
		n, ok := grading.PyInt(text)
		return ok && n == gold
	}
	x, ok := grading.PyFloat(text)
	return ok && x > gold*0.99 && x < gold*1.01
}
