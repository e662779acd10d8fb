package grading

import (
	"errors"

	"github.com/medgym-data/medgym-data/datasets"
)

// The reasons that graders share for a verdict.
const (
	ReasonCorrect       = "correct"
	ReasonWrong         = "wrong_value"
	ReasonOutOfBounds   = "out_of_bounds"
	ReasonWrongType     = "wrong_type"        // not a number, date, ... as asked
	ReasonNoAnswer      = "no_answer"         // the variable was not set
	ReasonEmpty         = "empty_answer"      // null, NaN, "", []
	ReasonUnreadable    = "unreadable_answer" // not in the plain codec, or too large for it
	ReasonProgramFailed = "program_failed"    // the program did not end by itself, without an error
)

// Answer is the value that a submission hands in. Where there is none to judge,
// the reason says why and the verdict is wrong: a program that failed has no
// answer, whatever it had set until then.
func Answer(sub datasets.Submission) (v Value, reason string) {
	if sub.Status != statusOK {
		return Value{}, ReasonProgramFailed
	}
	v, err := Parse(sub.Answer)
	switch {
	case errors.Is(err, ErrNotSet):
		return Value{}, ReasonNoAnswer
	case err != nil || v.Kind == Opaque:
		return Value{}, ReasonUnreadable
	case v.Empty():
		return Value{}, ReasonEmpty
	}
	return v, ""
}
