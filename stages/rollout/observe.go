package rollout

import (
	"bytes"
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
	"github.com/medgym-data/medgym-data/stages/internal/show"
	"github.com/medgym-data/medgym-data/stages/rollout/grounding"
)

//go:embed prompts/*.tmpl
var prompts embed.FS

// promptOf is what the system prompt of an attempt depends on.
type promptOf struct {
	actions  []string
	limits   Limits
	feedback string
	installs bool
	tools    bool
}

// systemPrompt tells the agent the protocol, with the actions that its task has. Native
// tools are described where they are declared.
func systemPrompt(tmpl *template.Template, of promptOf) (string, error) {
	has := func(action string) bool { return slices.Contains(of.actions, action) }
	data := struct {
		CodeExecution, Debugging, Terminal, RequestInfo, SubmitOnce, Installs, Tools bool
		Seconds, Turns                                                               int
	}{
		has(schemas.ActionCodeExecution), has(schemas.ActionDebugging), has(schemas.ActionTerminal), has(schemas.ActionRequestInfo),
		of.feedback == schemas.FeedbackSubmitOnce, of.installs, of.tools, int(of.limits.Execution.Seconds()), of.limits.Turns,
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, data); err != nil {
		return "", fmt.Errorf("system prompt: %w", err)
	}
	return strings.TrimSpace(out.String()), nil
}

// observation builds what the agent is told about one action. It holds nothing
// that differs from run to run: no times, no paths of the host.
type observation struct {
	text   strings.Builder
	budget int // characters of each text
	limits sandbox.Limits
	known  grounding.Context // what is known beside the program and what it printed
	cut    bool
}

func (o *observation) line(format string, args ...any) {
	fmt.Fprintf(&o.text, format+"\n", args...)
}

// short is a clean text of at most budget characters.
func (o *observation) short(text string, budget int) string {
	short, cut := show.Cut(strings.TrimRight(show.Clean(text), " \n\t"), budget)
	o.cut = o.cut || cut
	return short
}

// block shows a text under a heading; nothing for none.
func (o *observation) block(heading, text string) {
	if short := o.short(text, o.budget); short != "" {
		o.line("%s:\n%s", heading, short)
	}
}

func (o *observation) String() string { return strings.TrimRight(o.text.String(), "\n") }

// ended says how a program ended, and at which limit.
func (o *observation) ended(res sandbox.Result) string {
	switch res.Status {
	case sandbox.StatusTimeout:
		return fmt.Sprintf("stopped: it ran longer than the limit of %g s", o.limits.Wall.Seconds())
	case sandbox.StatusMemory:
		return "stopped: it needed more memory than the limit of " + bytesText(o.limits.Memory)
	case sandbox.StatusOutputLimit:
		return fmt.Sprintf("stopped: it printed more than the limit of %s", bytesText(o.limits.Output))
	case sandbox.StatusKilled:
		return "ended by " + signalText(res.Signal)
	}
	return string(res.Status)
}

func bytesText(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.size && n%unit.size == 0 {
			return fmt.Sprintf("%d %s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// signals that end programs, by their Linux numbers.
var signals = map[int]string{4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM", 31: "SIGSYS"}

func signalText(n int) string {
	if name := signals[n]; name != "" {
		return fmt.Sprintf("signal %d (%s)", n, name)
	}
	return fmt.Sprintf("signal %d", n)
}

// program describes how a Python program ended. What went wrong stands with the lines
// of the agent's code around it and with what it means; whole asks for every call that
// led there.
func (o *observation) program(ex execute.Execution, code string, whole bool) {
	res := ex.Result
	o.line("status: %s", o.ended(res))
	o.cut = o.cut || res.Truncated
	stderr := string(res.Stderr)
	var note grounding.Note
	if res.Status != sandbox.StatusOK {
		var fault grounding.Fault
		fault, stderr = reported(res)
		fault, outside := own(fault, code, ex.Program)
		o.fault(fault, code, outside, whole)
		known := o.known
		known.Code, known.Output = code, string(res.Stdout)
		note = grounding.Explain(fault, known)
		if res.ErrorType == "" && res.ExitCode > 0 {
			o.line("exit code: %d", res.ExitCode)
		}
	}
	if note.Text == "" {
		note = grounding.Warning(stderr)
	}
	o.hint(note)
	o.block("output", string(res.Stdout))
	o.block("standard error", stderr)
}

// reported is the error of a result, and what else it wrote to standard error.
func reported(res sandbox.Result) (fault grounding.Fault, stderr string) {
	stderr = string(res.Stderr)
	if res.ErrorType == "" {
		fault.Type = string(res.Status)
		if res.Signal != 0 {
			fault.Message = signalText(res.Signal)
		}
		return fault, stderr
	}
	trace := ""
	if res.ErrorType != "SystemExit" {
		stderr, trace = grounding.Split(stderr)
	}
	fault = grounding.Parse(trace)
	fault.Type, fault.Message, fault.Line = res.ErrorType, grounding.Message(res.ErrorMessage), res.ErrorLine
	return fault, stderr
}

// fault shows an error, the code around it and the calls that led there.
func (o *observation) fault(fault grounding.Fault, code string, outside, whole bool) {
	if fault.Type == "" || strings.ToLower(fault.Type) == fault.Type {
		return // the status says it
	}
	where := ""
	switch {
	case outside:
		where = " (in the code around yours)"
	case fault.Line > 0:
		where = fmt.Sprintf(" (line %d)", fault.Line)
	}
	o.line("error: %s%s", o.short(strings.TrimRight(fault.Type+": "+fault.Message, ": \n"), o.budget/2), where)
	o.block("your code", show.Excerpt(code, fault.Line))
	calls := 0
	for _, frame := range fault.Frames {
		if frame.Own() {
			calls++
		}
	}
	if whole || outside || calls > 1 {
		o.block("calls", fault.Traceback())
	}
}

func (o *observation) hint(note grounding.Note) {
	if note.Text != "" {
		o.line("hint: %s", note.Text)
	}
}

// own puts the lines of an error in terms of the agent's code, where that is but part
// of the program that ran. outside says that the error is not in that part.
func own(fault grounding.Fault, code, program string) (_ grounding.Fault, outside bool) {
	if program == code {
		return fault, false
	}
	first, count := locate(code, program)
	line := func(n int) int {
		if n > first && n <= first+count {
			return n - first
		}
		return 0
	}
	fault.Frames = slices.Clone(fault.Frames)
	at := 0 // the last call in the agent's code
	for i, frame := range fault.Frames {
		if !frame.Own() {
			continue
		}
		if n := line(frame.Line); n > 0 {
			fault.Frames[i].Line, at = n, n
			continue
		}
		fault.Frames[i].File = grounding.Around
	}
	outside = fault.Line > 0 && line(fault.Line) == 0
	if fault.Line = line(fault.Line); outside {
		fault.Line = at
	}
	return fault, outside && at == 0
}

// locate finds the agent's code within a program, whatever its indentation: how many
// lines are before it and how many it has. 0, 0 where it is not there.
func locate(code, program string) (first, count int) {
	lines := func(text string) []string {
		all := strings.Split(strings.Trim(text, "\n"), "\n")
		for i := range all {
			all[i] = strings.TrimSpace(all[i])
		}
		return all
	}
	// Blank lines before the first one count.
	lead := len(code) - len(strings.TrimLeft(code, "\n"))
	want, within := lines(code), strings.Split(program, "\n")
	for i := range within {
		within[i] = strings.TrimSpace(within[i])
	}
	for i := 0; i+len(want) <= len(within); i++ {
		if slices.Equal(within[i:i+len(want)], want) {
			return i - lead, len(want) + lead
		}
	}
	return 0, 0
}

// shell describes how a command ended.
func (o *observation) shell(res sandbox.Result, command string) {
	o.line("status: %s", o.ended(res))
	if res.ExitCode > 0 {
		o.line("exit code: %d", res.ExitCode)
	}
	o.cut = o.cut || res.Truncated
	if res.Status != sandbox.StatusOK {
		fault, _ := reported(res)
		note := grounding.Shell(command, res.ExitCode, string(res.Stderr), o.known)
		if note.Text == "" && res.Status != sandbox.StatusError {
			note = grounding.Explain(fault, o.known)
		}
		o.hint(note)
	}
	o.block("output", string(res.Stdout))
	o.block("standard error", string(res.Stderr))
}

// installing is a command that would add packages.
var installing = regexp.MustCompile(`(?m)(?:^|[;&|(]|\bsudo\s)\s*(?:python[\d.]*\s+-m\s+)?(?:pip[\d.]*|conda|mamba|uv(?:\s+pip)?)\s+(?:install|download|add)\b`)
