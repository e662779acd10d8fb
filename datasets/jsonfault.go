package datasets

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonFault says what is wrong and at which byte, without quoting the row: an
// error message may reach a log, and a row may be clinical text.
func jsonFault(err error) string {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			return fmt.Sprintf("duplicate key at byte %d", syntactic.ByteOffset)
		default:
			return fmt.Sprintf("not valid JSON at byte %d", syntactic.ByteOffset)
		}
	}
	return "not valid JSON"
}
