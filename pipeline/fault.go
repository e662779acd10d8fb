package pipeline

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// InputError says that something the user gave is at fault, and where. It never
// quotes content. Commands end with exit code 3.
type InputError struct {
	File string // as the user can find it
	Line int64  // from 1; 0 where the whole file is at fault
	What string // what is wrong
	Do   string // what to do about it; may be empty
	Err  error  // what caused it; may be nil
}

func (e *InputError) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.What)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Do != "" {
		b.WriteString(": " + e.Do)
	}
	return b.String()
}

func (e *InputError) Unwrap() error { return e.Err }

// BadInput makes an InputError: what is wrong with a file, at which line (0 for
// the file as a whole), and what to do.
func BadInput(file string, line int64, what, do string) error {
	return &InputError{File: file, Line: line, What: what, Do: do}
}

// PolicyError says that a rule about data or endpoints forbids what was asked.
// Commands end with exit code 4.
type PolicyError struct {
	What string
	Do   string
}

func (e *PolicyError) Error() string {
	if e.Do == "" {
		return e.What
	}
	return e.What + ": " + e.Do
}

// Refused makes a PolicyError.
func Refused(what, do string) error { return &PolicyError{What: what, Do: do} }

// DiskFull says whether err comes from a full disk or a spent quota.
func DiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, errJournalFull)
}
