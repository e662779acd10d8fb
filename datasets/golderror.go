package datasets

import "fmt"

// GoldError is the error of a Grader that finds the task itself at fault: its own
// solution fails, or gives nothing to compare with. No submission can be judged,
// whoever made it; validate quarantines the task with the reason.
type GoldError struct {
	Reason string // short and stable: gold_error, gold_output_empty, ...
	Detail string // holds no row content: an exception's type, a module's name
}

func (e *GoldError) Error() string {
	if e.Detail == "" {
		return "the task's own solution: " + e.Reason
	}
	return fmt.Sprintf("the task's own solution: %s: %s", e.Reason, e.Detail)
}
