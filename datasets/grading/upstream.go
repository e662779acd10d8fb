package grading

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/medgym-data/medgym-data/datasets"
)

// pipeBytes is what a Linux pipe holds. The release waits for the program to end
// before it reads, so a program that prints more blocks until its time is over.
const pipeBytes = 65536

// UpstreamOutput is the text that the public release would judge (env_message)
// had it run the submission's code.
//
// The release appends print(answer) to code that has the word answer and not the
// word print. It joins standard output and, after a newline, standard error. For
// a program that failed it takes out every caret; the text of a failed program
// is judged all the same, as the type of the observation stays code_execution.
// What a Submission does not hold (a traceback's lines) is stood in for by text
// that is neither a number nor a date.
func UpstreamOutput(sub datasets.Submission) string { return UpstreamOutputOf(sub.Code, sub) }

// UpstreamOutputOf is UpstreamOutput for sources in which the release runs
// another program than the agent's own code: its code inside the task's context.
func UpstreamOutputOf(program string, sub datasets.Submission) string {
	stdout, stderr := sub.Stdout, sub.Stderr
	if sub.Status == statusOK && !strings.Contains(program, "print") && strings.Contains(program, "answer") {
		if v, err := Parse(sub.Answer); err == nil {
			stdout += Print(v) + "\n"
		} else {
			return joinOutput(stdout, "Traceback (most recent call last):\nNameError: name 'answer' is not defined\n")
		}
	}
	switch {
	case sub.Status == statusTimeout || len(stdout) > pipeBytes || len(stderr) > pipeBytes:
		return joinOutput("", "Process timed out (timeout limit: 120s)")
	case sub.Status == statusOK:
		return joinOutput(stdout, stderr)
	case stderr == "" && sub.Error != "" && sub.Error != "SystemExit":
		stderr = "Traceback (most recent call last):\n" + sub.Error + "\n"
	}
	return strings.ReplaceAll(joinOutput(stdout, stderr), "^", "")
}

// The sandbox's statuses that matter here.
const (
	statusOK      = "ok"
	statusTimeout = "timeout"
)

func joinOutput(stdout, stderr string) string {
	if stderr == "" {
		return stdout
	}
	return stdout + "\n" + stderr
}

var (
	pyFloat = regexp.MustCompile(`^[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)([eE][+-]?\d+(_\d+)*)?$`)
	pyInt   = regexp.MustCompile(`^[+-]?\d+(_\d+)*$`)
)

// pyNumeral is text as float and int read it: space around it does not count, and
// the decimal digits of every script are digits.
func pyNumeral(text string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf || !unicode.IsDigit(r) {
			return r
		}
		for _, digits := range unicode.Nd.R16 { // each range begins with a zero
			if lo, hi := rune(digits.Lo), rune(digits.Hi); lo <= r && r <= hi {
				return '0' + (r-lo)%10
			}
		}
		for _, digits := range unicode.Nd.R32 {
			if lo, hi := rune(digits.Lo), rune(digits.Hi); lo <= r && r <= hi {
				return '0' + (r-lo)%10
			}
		}
		return r
	}, trim(text))
}

// PyFloat is Python's float(text): space around it, underscores between digits,
// nan and inf are accepted. False stands for ValueError.
func PyFloat(text string) (float64, bool) {
	text = pyNumeral(text)
	unsigned := strings.ToLower(text)
	if unsigned != "" && strings.ContainsRune("+-", rune(unsigned[0])) {
		unsigned = unsigned[1:]
	}
	switch {
	case unsigned == "nan":
		return math.NaN(), true
	case unsigned == "inf" || unsigned == "infinity":
		sign := 1
		if text[0] == '-' {
			sign = -1
		}
		return math.Inf(sign), true
	case !pyFloat.MatchString(text):
		return 0, false
	}
	// Out of range is no error in Python: the result is inf.
	f, _ := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	return f, true
}

// PyInt is Python's int(text), for integers that a float64 holds; beyond them the
// nearest one, which compares unequal to any real count all the same.
func PyInt(text string) (float64, bool) {
	text = pyNumeral(text)
	digits := strings.ReplaceAll(text, "_", "")
	if !pyInt.MatchString(text) || len(strings.TrimLeft(digits, "+-")) > maxDigits {
		return 0, false
	}
	f, _ := strconv.ParseFloat(digits, 64)
	return f, true
}
