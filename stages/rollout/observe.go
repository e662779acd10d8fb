package rollout

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
)

//go:embed prompts/*.tmpl
var prompts embed.FS

// systemPrompt tells the agent the protocol, with the actions that its task has.
func systemPrompt(tmpl *template.Template, actions []string, limits Limits, feedback string) (string, error) {
	has := func(action string) bool { return slices.Contains(actions, action) }
	data := struct {
		CodeExecution, Debugging, Terminal, RequestInfo, SubmitOnce bool
		Seconds, Turns                                              int
	}{
		has(schemas.ActionCodeExecution), has(schemas.ActionDebugging), has(schemas.ActionTerminal), has(schemas.ActionRequestInfo),
		feedback == schemas.FeedbackSubmitOnce, int(limits.Execution.Seconds()), limits.Turns,
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
	budget int
	cut    bool
}

func (o *observation) line(format string, args ...any) {
	fmt.Fprintf(&o.text, format+"\n", args...)
}

// block shows a text under a heading, shortened to the budget; nothing for none.
func (o *observation) block(heading, text string) {
	text = strings.TrimRight(text, " \n\r\t")
	if text == "" {
		return
	}
	short := shorten(text, o.budget)
	o.cut = o.cut || len(short) < len(text)
	o.line("%s:\n%s", heading, short)
}

func (o *observation) String() string { return strings.TrimRight(o.text.String(), "\n") }

// shorten keeps three quarters of the budget from the head and the rest from the
// tail, whole characters.
func shorten(text string, budget int) string {
	if len(text) <= budget {
		return text
	}
	head := text[:budget*3/4]
	for len(head) > 0 && !utf8.RuneStart(text[len(head)]) {
		head = head[:len(head)-1]
	}
	tail := text[len(text)-budget/4:]
	for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	if marked := fmt.Sprintf("%s\n[%d bytes left out]\n%s", head, len(text)-len(head)-len(tail), tail); len(marked) < len(text) {
		return marked
	}
	return text
}

// statusWords say how a program ended.
var statusWords = map[sandbox.Status]string{
	sandbox.StatusOK:          "ok",
	sandbox.StatusError:       "error",
	sandbox.StatusTimeout:     "stopped: the time was over",
	sandbox.StatusMemory:      "stopped: the memory was full",
	sandbox.StatusOutputLimit: "stopped: it printed too much",
	sandbox.StatusKilled:      "stopped by a signal",
}

// execution describes a program's end. The line of an error is told only where
// the program is the agent's code as it stands; whole asks for all of standard
// error.
func (o *observation) execution(res sandbox.Result, wrapped, whole bool) {
	o.line("status: %s", statusWords[res.Status])
	if res.ErrorType != "" {
		at := fmt.Sprintf("line %d", res.ErrorLine)
		if res.ErrorLine > 0 && !wrapped && !strings.Contains(res.ErrorMessage, at) {
			at = " (" + at + ")"
		} else {
			at = ""
		}
		o.line("error: %s", strings.TrimRight(shorten(res.ErrorType+": "+res.ErrorMessage, o.budget/2), ": \n")+at)
	} else if res.ExitCode != 0 {
		o.line("exit code: %d", res.ExitCode)
	}
	o.cut = o.cut || res.Truncated
	o.block("output", string(res.Stdout))
	if whole || res.ErrorType == "" {
		o.block("standard error", string(res.Stderr))
	}
}

// around shows the lines of code near a fault.
func (o *observation) around(code string, line int) {
	lines := strings.Split(strings.TrimRight(code, "\n"), "\n")
	if line < 1 || line > len(lines) {
		return
	}
	var b strings.Builder
	for n := max(1, line-3); n <= min(len(lines), line+3); n++ {
		mark := ' '
		if n == line {
			mark = '>'
		}
		fmt.Fprintf(&b, "%c %4d  %s\n", mark, n, lines[n-1])
	}
	o.block("code near the fault", b.String())
}
