package pipeline

import (
	"fmt"
	"strings"
)

// BadInput is a fault of what the user gave: exit code 3.
type BadInput struct {
	File string
	Line int64  // from 1; 0 unknown
	What string // what is wrong, without row content
	Do   string // what mends it
}

func (e BadInput) Error() string {
	var b strings.Builder
	switch {
	case e.File != "" && e.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", e.File, e.Line)
	case e.File != "":
		fmt.Fprintf(&b, "%s: ", e.File)
	}
	b.WriteString(e.What)
	if e.Do != "" {
		b.WriteString("; " + e.Do)
	}
	return b.String()
}

// Refused is an act that policy forbids: exit code 4.
type Refused struct{ What, Do string }

func (e Refused) Error() string { return e.What + "; " + e.Do }
