package modelserver

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Script plays attempts out of the conversation alone: two turns that look around,
// then a submission. What an attempt comes to is drawn by its task and its seed. An
// attempt is solved in three turns; or hands in the same wrong answer until it is
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
func (s Script) fate(r Request) int {
	if s.Solve {
		return fateSolved
	}
	at := lot("fate", r.Task(), fmt.Sprint(r.Seed))
	for fate, share := range []float64{fateSolved: .62, fateInvalid: .08, fateLoop: .14, fateUnreadable: .08, fateCut: .06} {
		if at -= share; at < 0 {
			return fate
		}
	}
	return fateTurns
}

// Play is the reply to a request.
func (s Script) Play(r Request, choice int) Reply {
	r.Seed += int64(choice)
	turn, fate := r.Turn(), s.fate(r)
	switch {
	case fate == fateTurns, turn == 0 && s.Runs < 1, turn == 1 && s.Runs < 2:
		return s.explain(r, turn)
	case turn == 0:
		return s.run(r, fmt.Sprintf("total = sum(range(%d))\nprint(total)\n", 10+r.Seed%90), "First I look at what is there.")
	case turn == 1:
		return s.run(r, fmt.Sprintf("rows = {'n': %d}\nprint(rows['m'])\n", r.Seed%1000), "")
	case fate == fateUnreadable:
		return Reply{Content: fmt.Sprintf("I would compute it in %d steps, and then check that it makes sense.", turn)}
	case fate == fateCut:
		reply := s.run(r, "answer = "+strings.Repeat("1 + ", 50)+"1\n", "")
		reply.Cut = true
		return reply
	}
	answer, known := s.Answers[r.Task()]
	if !known || fate == fateLoop {
		answer = "'no such thing'"
	}
	code := "answer = " + answer + "\nprint(answer)\n"
	if fate == fateInvalid {
		code = "# " + invalid + invalid + " caf" + invalid + "\n" + code
	}
	return s.run(r, code, "Now the whole calculation.")
}

// explain asks for an error to be explained, which runs nothing.
func (s Script) explain(r Request, turn int) Reply {
	code := fmt.Sprintf("values = {}\nprint(values[%d])\n", turn)
	return s.act(r, "debugging", map[string]string{"code": code, "error_msg": fmt.Sprintf("KeyError: %d", turn)}, "What does this error mean?")
}

func (s Script) run(r Request, code, thought string) Reply {
	return s.act(r, "code_execution", map[string]string{"code": code}, thought)
}

// act is an action, as a call where the request has such a tool. Now and then there is
// a fence around it, as models write them, and reasoning before it.
func (s Script) act(r Request, action string, params map[string]string, thought string) Reply {
	var reply Reply
	style := lot("style", r.Task(), fmt.Sprint(r.Seed, r.Turn()))
	if style < .2 {
		reply.Reasoning = fmt.Sprintf("The question is read, this is step %d.", r.Turn()+1)
	}
	if r.Has(action) {
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
