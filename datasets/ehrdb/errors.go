package ehrdb

import (
	"errors"
	"fmt"
)

// InputError is a fault in a CSV file: where it is and what to do. Line is 1 for
// the header, 0 where the file as a whole is at fault. It never holds a value.
type InputError struct {
	File    string
	Line    int64
	Column  string
	Problem string
	Err     error
}

func (e *InputError) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s, line %d", where, e.Line)
	}
	if e.Column != "" {
		where += ", column " + e.Column
	}
	return where + ": " + e.Problem
}

func (e *InputError) Unwrap() error { return e.Err }

// Why a query gave no answer; errors.Is tells them apart.
var (
	ErrSyntax        = errors.New("syntax error")
	ErrMissingTable  = errors.New("missing table")
	ErrMissingColumn = errors.New("missing column")
	ErrTimeout       = errors.New("time limit reached")
	ErrTooManyRows   = errors.New("row limit reached")
	ErrTooLarge      = errors.New("result too large")
	ErrNotReadOnly   = errors.New("not a single SELECT")
	ErrQuery         = errors.New("query failed")
)

// QueryError is a query that gave no answer. Kind is one of the errors above. Name
// is the missing table or column. The driver's own words may quote the query, which
// may quote a patient, so Error leaves them out; Unwrap gives them.
type QueryError struct {
	Kind error
	Name string
	Err  error
}

func (e *QueryError) Error() string {
	if e.Name != "" {
		return e.Kind.Error() + " " + e.Name
	}
	return e.Kind.Error()
}

func (e *QueryError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}
