package modelserver

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Script plays attempts out of the conversation alone: two turns that look around,
// then a submission. What an attempt comes to is drawn by its task and its
// first reply. It is solved in three turns; or hands in the same wrong answer until it is
// stopped; or says what is no action; or is cut; or explains errors until its turns are
// over. Where the request has tools it calls them.
type Script struct {
	// Answers are the right ones, as Python literals, by the instructions of the tasks.
	// A task without one is answered wrongly.
	Answers map[string]string
	// Runs is how many of the two turns before the submission run a program, which
	// fails in the second of them. The others explain an error and run nothing.
	Runs int
	// Solve has every attempt solved in three turns.
	Solve bool
}

// The fates of attempts.
const (
	fateSolved     = iota
	fateInvalid    // solved, by a program that holds bytes of no text
	fateLoop       // the same wrong answer again and again
	fateUnreadable // no action
	fateCut        // a reply that is cut
	fateTurns      // never hands anything in
)

// fate draws what an attempt comes to.
func (s Script) fate(task, attempt string) int {
	if s.Solve {
		return fateSolved
	}
	at := lot("fate", task, attempt)
	for fate, share := range []float64{fateSolved: .62, fateInvalid: .08, fateLoop: .14, fateUnreadable: .08, fateCut: .06} {
		if at -= share; at < 0 {
			return fate
		}
	}
	return fateTurns
}

// Play is the reply to a request. The seed decides the first one alone, which holds a
// number drawn by it: clients may send another seed with each request of an attempt.
func (s Script) Play(r Request, choice int) Reply {
	attempt := r.first()
	if attempt == "" {
		attempt = fmt.Sprint(r.Seed, choice)
	}
	return s.reply(r.Task(), attempt, r.Turn(), r.Has)
}

// Reply is that of an attempt which is told apart from others by its seed in every
// turn, to one who keeps count of them.
func (s Script) Reply(task string, seed int64, turn int) Reply {
	return s.reply(task, fmt.Sprint(seed), turn, func(string) bool { return false })
}

// script is a Script in one turn.
type script struct {
	Script
	task, attempt string
	turn          int
	has           func(tool string) bool
}

func (s Script) reply(task, attempt string, turn int, has func(string) bool) Reply {
	t := script{s, task, attempt, turn, has}
	fate := s.fate(task, attempt)
	number := int(1e6 * lot("number", task, attempt))
	switch {
	case turn == 0 && s.Runs < 1, turn == 1 && s.Runs < 2, turn > 1 && fate == fateTurns:
		return t.explain(number)
	case turn == 0:
		return t.run(fmt.Sprintf("total = sum(range(10))\nprint(total, %d)\n", number), "First I look at what is there.")
	case turn == 1:
		return t.run(fmt.Sprintf("rows = {'n': %d}\nprint(rows['m'])\n", number), "")
	case fate == fateUnreadable:
		return Reply{Content: fmt.Sprintf("I would compute it in %d steps, and then check that it makes sense.", turn)}
	case fate == fateCut:
		reply := t.run("answer = "+strings.Repeat("1 + ", 50)+"1\n", "")
		reply.Cut = true
		return reply
	}
	answer, known := s.Answers[task]
	if !known || fate == fateLoop {
		answer = "'no such thing'"
	}
	code := "answer = " + answer + "\nprint(answer)\n"
	if fate == fateInvalid {
		code = "# " + invalid + invalid + " caf" + invalid + "\n" + code
	}
	return t.run(code, "Now the whole calculation.")
}

// explain asks for an error to be explained, which runs nothing.
func (t script) explain(number int) Reply {
	code := fmt.Sprintf("values = {%d: 1}\nprint(values[%d])\n", number, t.turn)
	return t.act("debugging", map[string]string{"code": code, "error_msg": fmt.Sprintf("KeyError: %d", t.turn)}, "What does this error mean?")
}

func (t script) run(code, thought string) Reply {
	return t.act("code_execution", map[string]string{"code": code}, thought)
}

// act is an action, as a call where the request has such a tool. Now and then there is
// a fence around it, as models write them, and reasoning before it.
func (t script) act(action string, params map[string]string, thought string) Reply {
	var reply Reply
	style := lot("style", t.task, t.attempt, fmt.Sprint(t.turn))
	if style < .2 {
		reply.Reasoning = fmt.Sprintf("The question is read, this is step %d.", t.turn+1)
	}
	if t.has(action) {
		reply.Calls, reply.Content = []Call{{action, object(params)}}, thought
		return reply
	}
	said := map[string]any{"action": action, "params": params}
	if thought != "" {
		said["thought"] = thought
	}
	reply.Content = object(said)
	if style > .9 {
		reply.Content = "Here it is:\n```json\n" + reply.Content + "\n```"
	}
	return reply
}

// object is a map as JSON; one of texts cannot fail to encode.
func object(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(text)
}
