// Package grounding says in plain words what an error of a Python program means and
// what to do about it. It needs no model: a table of rules (rules.go) is held against
// the type and the message of the error, as the sandbox reports them or as an agent
// pasted them.
package grounding

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/medgym-data/medgym-data/stages/internal/show"
)

// Fault is one error.
type Fault struct {
	Type    string // KeyError, without its module
	Message string
	Line    int // of the agent's code, from 1; 0 unknown
	Frames  []Frame
}

// Frame is one call of a traceback, the outermost first.
type Frame struct {
	File string
	Line int
	Func string
	Code string // the line as the traceback shows it
}

// Around is the File of a frame that is of the program around the agent's code.
const Around = "<around>"

// Own says whether a frame is the agent's code, as a sandbox, a notebook or a shell
// names it, or a file of its own.
func (f Frame) Own() bool {
	switch {
	case f.File == Around, strings.HasPrefix(f.File, "<frozen"), strings.HasPrefix(f.File, "<__array_function__"), strings.HasPrefix(f.File, "<decorator"):
		return false
	case strings.HasPrefix(f.File, "<"):
		return true
	}
	return !library.MatchString(f.File)
}

var library = regexp.MustCompile(`(^|/)(site-packages|dist-packages|python3[.\d]*|opt/(env|python|medgym))/|^[^/]*\.pyx$|^[a-z_]+/.*\.pyx$`)

// Library is the package whose code raised the error; empty where it was the agent's.
func (f Fault) Library() string {
	if len(f.Frames) == 0 || f.Frames[len(f.Frames)-1].Own() {
		return ""
	}
	name, _, _ := strings.Cut(within(f.Frames[len(f.Frames)-1].File), "/")
	return strings.TrimSuffix(name, ".py")
}

// within is a library's file as one imports it: pandas/core/frame.py.
func within(file string) string {
	for _, above := range []string{"site-packages/", "dist-packages/", "opt/env/"} {
		if at := strings.LastIndex(file, above); at >= 0 {
			return file[at+len(above):]
		}
	}
	if m := stdlib.FindStringIndex(file); m != nil {
		return file[m[1]:]
	}
	return strings.TrimPrefix(file, "/")
}

var stdlib = regexp.MustCompile(`.*/python3[.\d]*/`)

// Traceback shows the calls that lead to the error: the agent's own, and the last one
// of a library. It is empty where there is but one.
func (f Fault) Traceback() string {
	if len(f.Frames) < 2 {
		return ""
	}
	var lines []string
	skipped := 0
	for i, frame := range f.Frames {
		last := i == len(f.Frames)-1
		switch {
		case frame.File == Around:
			lines = append(lines, fmt.Sprintf("  around your code, in %s: %s", frame.Func, frame.Code))
		case frame.Own():
			lines = append(lines, fmt.Sprintf("  line %d, in %s: %s", frame.Line, frame.Func, frame.Code))
		case last:
			if skipped > 0 {
				lines = append(lines, fmt.Sprintf("  (inside libraries: %d more)", skipped))
			}
			lines = append(lines, fmt.Sprintf("  %s, in %s: %s", within(frame.File), frame.Func, frame.Code))
		default:
			skipped++
			continue
		}
		skipped = 0
	}
	const most = 12
	if len(lines) > most {
		left := fmt.Sprintf("  (%d calls left out)", len(lines)-most)
		lines = append(append(append([]string{}, lines[:most/2]...), left), lines[len(lines)-most/2:]...)
	}
	return strings.Join(lines, "\n")
}

// Split parts what a failed program wrote to standard error: its own words, and from
// the traceback of what ended it on.
func Split(stderr string) (words, trace string) {
	thread, at := false, 0
	for line := range strings.Lines(stderr) {
		if begins.MatchString(line) && !thread || strings.HasPrefix(line, `  File "<program>", line `) {
			return stderr[:at], stderr[at:]
		}
		thread = strings.HasPrefix(line, "Exception ") // in a thread, or one that was ignored
		at += len(line)
	}
	return stderr, ""
}

// Message is the message of an exception as the sandbox reports it, without the place
// that a SyntaxError puts into it.
func Message(text string) string {
	return strings.TrimSpace(atProgram.ReplaceAllString(show.Clean(text), ""))
}

var atProgram = regexp.MustCompile(`\s*\(<\w+>, line \d+\)$`)

// maxText bounds what is read of an error as an agent pasted it: the end tells most.
const maxText = 64 << 10

var (
	begins   = regexp.MustCompile(`^\s*(?:[|+ -]*)Traceback \(most recent call last\):?`)
	place    = regexp.MustCompile(`^\s*File "([^"]*)", line (\d+)(?:, in (.*))?$`)
	cell     = regexp.MustCompile(`(?:^|\s)(?:Cell In\s?\[\d*\]|<ipython-input-[^>]*>|Input In \[\d*\])(?:, (?:line|in line) (\d+)|\(\d+\))?`)
	pointer  = regexp.MustCompile(`^-{2,}> ?(\d+) `)
	headline = regexp.MustCompile(`(?:^|[\s"'])((?:[A-Za-z_]\w*\.)*)(_?[A-Z]\w*(?:Error|Exception|Warning|Interrupt|Exit|Iteration|Fault|NotFound|Mismatch))(?:: ?(.*)|$)`)
	atLine   = regexp.MustCompile(`\s*\((?:[^()]*, )?line (\d+)\)\s*$`)
	carets   = regexp.MustCompile(`^[\s^~]*$`)
)

// Parse reads an error out of text: a whole traceback, a notebook's, its last line,
// or what an observation said about it. What cannot be read is a Fault without a type.
func Parse(text string) Fault {
	if len(text) > maxText {
		text = text[len(text)-maxText:]
	}
	lines := strings.Split(show.Clean(text), "\n")
	start := 0
	for i, line := range lines {
		if begins.MatchString(line) {
			start = i + 1
		}
	}
	f, rest := frames(lines[start:])
	f.headline(rest, start > 0 || len(f.Frames) > 0)
	for i := len(f.Frames) - 1; i >= 0 && f.Line == 0; i-- {
		if f.Frames[i].Own() {
			f.Line = f.Frames[i].Line
		}
	}
	return f
}

// frames reads the calls of a traceback; rest is what comes after the last of them.
func frames(lines []string) (f Fault, rest []string) {
	rest = lines
	for i := 0; i < len(lines); i++ {
		if m := place.FindStringSubmatch(lines[i]); m != nil {
			frame := Frame{File: m[1], Func: strings.TrimSpace(m[3])}
			frame.Line, _ = strconv.Atoi(m[2])
			rest = lines[i+1:]
			if i+1 < len(lines) && strings.HasPrefix(lines[i+1], "  ") && !place.MatchString(lines[i+1]) {
				frame.Code = strings.TrimSpace(lines[i+1])
				rest = lines[i+2:]
			}
			if m[3] == "" { // a SyntaxError's place is no call
				f.Line = 0
				if frame.Own() {
					f.Line = frame.Line
				}
				continue
			}
			f.Frames = append(f.Frames, frame)
			continue
		}
		if f.Line == 0 && len(f.Frames) == 0 {
			if m := cell.FindStringSubmatch(lines[i]); m != nil && m[1] != "" {
				f.Line, _ = strconv.Atoi(m[1])
			} else if m := pointer.FindStringSubmatch(lines[i]); m != nil {
				f.Line, _ = strconv.Atoi(m[1])
			}
		}
	}
	return f, rest
}

// headline finds the line that names the error. After a traceback it is the first,
// elsewhere the last; what follows it is of the message.
func (f *Fault) headline(lines []string, traced bool) {
	at := -1
	var found []string
	for i, line := range lines {
		if traced && carets.MatchString(line) {
			continue
		}
		m := headline.FindStringSubmatch(line)
		if m == nil && at < 0 {
			if m = plainName.FindStringSubmatch(line); m != nil && !traced && !known[m[2]] {
				m = nil
			}
		}
		if m == nil || traced && at >= 0 {
			continue
		}
		at, found = i, m
	}
	if at < 0 {
		return
	}
	f.Type, f.Message = found[2], strings.TrimSpace(found[3])
	if traced {
		for _, line := range lines[at+1:] {
			if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "Nothing was submitted") {
				break
			}
			f.Message += "\n" + strings.TrimRight(line, " \t")
		}
	}
	if m := atLine.FindStringSubmatch(f.Message); m != nil {
		if f.Line == 0 {
			f.Line, _ = strconv.Atoi(m[1])
		}
		f.Message = strings.TrimSuffix(f.Message, m[0])
	}
}

// plainName is an error whose name does not say that it is one: OutOfBoundsDatetime.
// Without a traceback above it has to be one that is known.
var plainName = regexp.MustCompile(`^(?:error: )?((?:[A-Za-z_]\w*\.)*)([A-Za-z_]\w*)(?:: (.*)|$)`)

var known = func() map[string]bool {
	names := map[string]bool{}
	for _, r := range rules {
		for _, name := range strings.Fields(r.types) {
			if strings.ToLower(name) != name { // an exception, not how a program was stopped
				names[name] = true
			}
		}
	}
	return names
}()
