package medcalcbench

import (
	"context"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/grading"
	"github.com/medgym-data/medgym-data/schemas"
)

// Grade implements datasets.Grader. Nothing is run.
func (Source) Grade(_ context.Context, task schemas.Task, sub datasets.Submission, _ datasets.Runner) (datasets.Verdict, error) {
	var verdict datasets.Verdict
	var err error
	if verdict.Reason, err = strict(task, sub); err != nil {
		return datasets.Verdict{}, fmt.Errorf("grade %s: %w", task.TaskID, err)
	}
	if verdict.Reason == grading.ReasonCorrect {
		verdict.Reward = 1
	}
	if upstream(task, sub) {
		verdict.Upstream = 1
	}
	return verdict, nil
}

// strict judges the variable answer and gives the reason of the verdict. An error
// is a fault of the task.
func strict(task schemas.Task, sub datasets.Submission) (string, error) {
	gold, err := goldOf(task)
	if err != nil {
		return "", err
	}
	v, reason := grading.Answer(sub)
	if reason != "" {
		return reason, nil
	}
	var typed, right bool
	wrong := grading.ReasonWrong
	switch task.AnswerType {
	case schemas.AnswerNumber:
		var x float64
		x, typed = v.Number()
		right, wrong = grading.Within(x, gold.lower, gold.upper), grading.ReasonOutOfBounds
	case schemas.AnswerInteger:
		n, ok := v.Integer()
		typed, right = ok, ok && n.IsInt64() && n.Int64() == gold.integer
		if !ok {
			_, typed = v.Number() // 3.5 is a number, of the wrong value
		}
	case schemas.AnswerDate:
		d, ok := v.Date()
		typed, right = ok, d == gold.day
	case schemas.AnswerDuration:
		s, ok := v.Span()
		typed, right = ok, s == gold.span
	}
	switch {
	case !typed:
		return grading.ReasonWrongType, nil
	case !right:
		return wrong, nil
	}
	return grading.ReasonCorrect, nil
}

// goldAnswer is a task's answer; which field holds depends on its type.
type goldAnswer struct {
	number, lower, upper float64
	integer              int64
	day                  grading.Day
	span                 grading.Span
}

func goldOf(task schemas.Task) (goldAnswer, error) {
	var g goldAnswer
	switch task.AnswerType {
	case schemas.AnswerNumber:
		n, err := strconv.ParseFloat(task.Answer, 64)
		if err != nil || task.AnswerLower == nil || task.AnswerUpper == nil {
			return g, fmt.Errorf("the task's answer is no number with limits")
		}
		g.number, g.lower, g.upper = n, *task.AnswerLower, *task.AnswerUpper
	case schemas.AnswerInteger:
		n, err := strconv.ParseInt(task.Answer, 10, 64)
		if err != nil {
			return g, fmt.Errorf("the task's answer is no integer")
		}
		g.integer = n
	case schemas.AnswerDate:
		var text string
		if err := json.Unmarshal([]byte(task.Answer), &text); err != nil {
			return g, fmt.Errorf("the task's answer is no date")
		}
		var ok bool
		if g.day, ok = grading.ParseDate(text); !ok {
			return g, fmt.Errorf("the task's answer is no date")
		}
	case schemas.AnswerDuration:
		var pair []int
		if err := json.Unmarshal([]byte(task.Answer), &pair); err != nil || len(pair) != 2 {
			return g, fmt.Errorf("the task's answer is no pair of weeks and days")
		}
		g.span = grading.Span{Weeks: pair[0], Days: pair[1]}
	default:
		return g, fmt.Errorf("answer type %q is not of this source", task.AnswerType)
	}
	return g, nil
}

// upstream is the public release's verdict. It reads the program's output as a
// float and means to allow 5 % either way, but joins the two bounds by or: a
// number above neither fails only where both fail, which takes a negative
// prediction near a negative answer. Dates and weeks are no floats and never pass.
func upstream(task schemas.Task, sub datasets.Submission) bool {
	pred, ok := grading.PyFloat(grading.UpstreamOutput(sub))
	if !ok {
		return false
	}
	gold, err := strconv.ParseFloat(task.Answer, 64)
	if err != nil {
		return false
	}
	return gold >= pred*0.95 || gold <= pred*1.05
}
