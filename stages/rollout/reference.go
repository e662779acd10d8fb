package rollout

import (
	"context"
	"errors"
	"fmt"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

// Reference is the policy that knows the gold solution: it plays a source's
// reference programs as attempts of several turns, with mistakes and recoveries
// drawn from the seed. It is for tests, the quickstart and expert data.
//
// Of any five attempts at a task that follow each other three are meant to be
// solved, in an order drawn for the task, so that from four attempts on a task has
// solved and failed ones to compare. An attempt that is meant to fail hands in
// wrong answers and gives up, runs in a circle, loses the protocol, or uses up its
// turns. What is meant is not what is recorded: that is for the sandbox and the
// grader to say.
//
// feedback is the mode of the rollout: where the first submission is final, no
// wrong one comes before the right one.
func Reference(registry datasets.Registry, feedback string) Policies {
	return reference{registry: registry, once: feedback == schemas.FeedbackSubmitOnce}
}

type reference struct {
	registry datasets.Registry
	once     bool
}

// About implements Policies.
func (reference) About() schemas.Policy {
	return schemas.Policy{Kind: "reference", Model: "gold", EndpointClass: "local"}
}

// New implements Policies.
func (r reference) New(task schemas.Task, attempt int, seed uint64) (Policy, error) {
	adapter, err := r.registry.Find(task.Source)
	if err != nil {
		return nil, err
	}
	source, ok := adapter.(datasets.Referencer)
	if !ok {
		return nil, fmt.Errorf("source %s has no reference programs: %w", task.Source, ErrNoPlay)
	}
	ref, err := source.Reference(task)
	if err != nil {
		return nil, err
	}
	if ref.Right == "" {
		return nil, fmt.Errorf("task %s has no reference program: %w", task.TaskID, ErrNoPlay)
	}
	w := &writer{rng: rand.New(rand.NewPCG(seed, 0x7265666572656e63)), ref: ref, actions: task.Actions, asks: requests(task), once: r.once}
	w.wrong = w.rng.IntN(max(1, len(ref.Wrong)))
	w.explored = w.rng.IntN(max(1, len(ref.Explore)))
	if meantToSolve(task.TaskID, attempt) {
		w.solving()
	} else {
		w.failing()
	}
	return &script{moves: w.moves}, nil
}

// meantToSolve deals three of every five attempts at a task to success.
func meantToSolve(taskID string, attempt int) bool {
	const round, solved = 5, 3
	rng := rand.New(rand.NewPCG(derive(0, "deal", taskID, fmt.Sprint(attempt/round)), 1))
	return rng.Perm(round)[attempt%round] < solved
}

// script plays moves in order, then gives up.
type script struct {
	moves []move
	next  int
}

// move makes a reply. It may look at the last observation.
type move func(observed string) (string, error)

// Next implements Policy.
func (s *script) Next(ctx context.Context, c Conversation) (Reply, error) {
	if err := ctx.Err(); err != nil {
		return Reply{}, err
	}
	if len(c.Messages) == 0 {
		return Reply{}, errors.New("the conversation is empty")
	}
	if s.next == len(s.moves) {
		return Reply{Done: true}, nil
	}
	s.next++
	content, err := s.moves[s.next-1](c.Messages[len(c.Messages)-1].Content)
	return Reply{Content: content}, err
}

// writer writes the script of one attempt.
type writer struct {
	rng      *rand.Rand
	ref      datasets.Reference
	actions  []string
	asks     []protocol.Info // what the solution shows to be worth asking
	once     bool
	moves    []move
	wrong    int // next wrong program
	explored int // next exploration

	unreadableAt int // how many moves there were after the last reply that is no action
}

// weighted draws the index of a weight.
func (w *writer) weighted(weights ...int) int {
	total := 0
	for _, n := range weights {
		total += n
	}
	at := w.rng.IntN(total)
	for i, n := range weights {
		if at -= n; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}

func (w *writer) pick(texts ...string) string { return texts[w.rng.IntN(len(texts))] }

func (w *writer) say(action, thought string, params map[string]string) {
	w.moves = append(w.moves, func(string) (string, error) { return protocol.Format(action, thought, params) })
}

func (w *writer) code(code, thought string) {
	w.say(schemas.ActionCodeExecution, thought, map[string]string{protocol.ParamCode: code})
}

func (w *writer) has(action string) bool { return slices.Contains(w.actions, action) }

// solving is none to three detours, then the right program.
func (w *writer) solving() {
	for range w.weighted(25, 35, 25, 15) {
		w.detour()
	}
	w.code(w.ref.Right, w.pick(
		"I have what I need: compute the result and hand it in.",
		"This should settle it.",
		"Now the whole calculation, with the result in place.",
		"Put the steps together and submit.",
	))
}

// detour is something that costs a turn or two and does not solve the task.
func (w *writer) detour() {
	wrong := 20
	if w.once || len(w.ref.Wrong) == 0 {
		wrong = 0
	}
	switch w.weighted(30, wrong, 15, 15, 8, 12) {
	case 0:
		w.explore()
	case 1:
		w.submitWrong()
	case 2:
		w.broken(w.syntaxError())
	case 3:
		w.broken(w.runtimeError())
	case 4:
		if w.unreadableAt > 0 && w.unreadableAt == len(w.moves) { // a second one would end the attempt
			w.waste()
			return
		}
		w.unreadable()
	default:
		w.waste()
	}
}

func (w *writer) explore() {
	if w.has(schemas.ActionRequestInfo) && len(w.asks) > 0 && w.rng.IntN(2) == 0 {
		w.ask()
		return
	}
	if len(w.ref.Explore) == 0 {
		w.waste()
		return
	}
	w.code(w.ref.Explore[w.explored%len(w.ref.Explore)], w.pick(
		"First I look at what is there.",
		"Before I compute anything I check the inputs.",
		"Let me see what I have to work with.",
	))
	w.explored++
}

// ask requests information about the data.
func (w *writer) ask() {
	info := w.asks[w.rng.IntN(len(w.asks))]
	params := map[string]string{protocol.ParamDataPath: info.DataPath, protocol.ParamInfoType: info.InfoType}
	if info.KeyTerm != "" {
		params[protocol.ParamKeyTerm] = info.KeyTerm
	}
	w.say(schemas.ActionRequestInfo, w.pick(
		"I look up what the data says about this first.",
		"How is it written in the data?",
		"Before I write a query I check names and values.",
	), params)
}

func (w *writer) submitWrong() {
	if len(w.ref.Wrong) == 0 {
		w.broken(w.runtimeError())
		return
	}
	w.code(w.ref.Wrong[w.wrong%len(w.ref.Wrong)], w.pick(
		"A direct attempt.",
		"I think this is what is asked for.",
		"Try it this way.",
	))
	w.wrong++
}

// broken runs a program that fails and, at times, looks into the failure.
func (w *writer) broken(code string) {
	w.code(code, w.pick("Write the program and run it.", "A first version.", "Run the calculation."))
	if !w.has(schemas.ActionDebugging) || w.rng.IntN(2) == 0 {
		return
	}
	w.moves = append(w.moves, func(observed string) (string, error) {
		return protocol.Format(schemas.ActionDebugging, "It failed; where exactly?", map[string]string{protocol.ParamCode: code, protocol.ParamError: errorLine(observed)})
	})
}

// errorLine is what an observation says about an error.
func errorLine(observed string) string {
	for line := range strings.Lines(observed) {
		if text, ok := strings.CutPrefix(line, "error: "); ok {
			return strings.TrimSpace(text)
		}
	}
	return "the program did not end well"
}

// syntaxError is the right program with a slip that no parser lets pass.
func (w *writer) syntaxError() string {
	if w.rng.IntN(2) == 0 {
		return strings.TrimRight(w.ref.Right, "\n") + "\n" + lastIndent(w.ref.Right) + "print((\n"
	}
	return firstIndent(w.ref.Right) + "import numpy as\n" + w.ref.Right
}

// runtimeError is the right program after a line that fails.
func (w *writer) runtimeError() string {
	return firstIndent(w.ref.Right) + w.pick(
		"import clinical_toolkit\n",
		"import pandas as pd; pd.read_csv('/workdir/no_such_table.csv')\n",
		"values = measurements['first']\n",
		"ratio = 1 / 0\n",
	) + w.ref.Right
}

func firstIndent(code string) string {
	for line := range strings.Lines(code) {
		if strings.TrimSpace(line) != "" {
			return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		}
	}
	return ""
}

func lastIndent(code string) string {
	indent := ""
	for line := range strings.Lines(code) {
		if strings.TrimSpace(line) != "" {
			indent = line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		}
	}
	return indent
}

// unreadable is a reply that keeps to no protocol.
func (w *writer) unreadable() {
	text := w.pick(
		"I would first read the inputs, then compute the result, and then check that it makes sense.",
		"{\"action\": \"code_execution\", \"params\": {\"code\": \"import math",
		"{\"action\": \"calculate\", \"params\": {\"code\": \"answer = None\"}}",
		"{\"action\": \"code_execution\", \"params\": {}}",
	)
	w.moves = append(w.moves, func(string) (string, error) { return text, nil })
	w.unreadableAt = len(w.moves)
}

// waste is a turn that brings the attempt nowhere.
func (w *writer) waste() {
	if w.has(schemas.ActionTerminal) && w.rng.IntN(2) == 0 {
		w.say(schemas.ActionTerminal, "", map[string]string{protocol.ParamCommand: w.pick("ls", "pwd", "python3 --version || true", "echo ready")})
		return
	}
	w.code(w.pick("import math\nprint(math.pi)\n", "print('ready')\n", "import sys\nprint(sys.version_info[:2])\n", "numbers = [1, 2, 3]\nprint(sum(numbers))\n"), "")
}

// failing is one of the ways in which attempts come to nothing.
func (w *writer) failing() {
	if w.rng.IntN(3) == 0 {
		w.explore()
	}
	switch w.weighted(50, 16, 14, 8, 12) {
	case 0: // wrong answers, then nothing more to try
		for range 1 + w.rng.IntN(max(1, min(3, len(w.ref.Wrong)))) {
			w.submitWrong()
		}
	case 1: // the same thing over and over
		var code string
		switch {
		case len(w.ref.Wrong) > 0 && !w.once:
			code = w.ref.Wrong[w.wrong%len(w.ref.Wrong)]
		case len(w.ref.Explore) > 0:
			code = w.ref.Explore[w.explored%len(w.ref.Explore)]
		default:
			code = w.runtimeError()
		}
		for range loopLength {
			w.code(code, "")
		}
	case 2: // no action at all
		for range unreadableInARow {
			w.unreadable()
		}
	case 3: // the turns run out
		for range defaultTurns {
			w.broken(w.runtimeError())
			w.explore()
			w.waste()
		}
	default: // looks around and stops
		w.explore()
		w.broken(w.syntaxError())
	}
}
