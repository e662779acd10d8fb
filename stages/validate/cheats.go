package validate

import "github.com/medgym-data/medgym-data/schemas"

// noop does nothing: it sets no answer and prints nothing.
const noop = "pass\n"

// cheat is a program that does not look at the task.
type cheat struct {
	name, code string
	// fair says that it may be right by chance, as a guess is: it is then not run.
	fair func(schemas.Task) bool
}

// The cheats that the public release's graders, or graders made in haste, accept.
var cheats = []cheat{
	{name: "none", code: "answer = None\n"},
	{name: "nan", code: "answer = float('nan')\n"},
	{name: "empty", code: "answer = ''\n"},
	{name: "true", code: "answer = True\nprint(answer)\n", fair: func(t schemas.Task) bool {
		return t.AnswerType == schemas.AnswerBoolean
	}},
	{name: "999999", code: "answer = 999999\nprint(answer)\n", fair: func(t schemas.Task) bool {
		return t.Answer == "999999"
	}},
	{name: "all_numbers", code: "answer = ' '.join(map(str, range(1001)))\nprint(answer)\n"},
	// Says everything and sets nothing: for graders that search what was printed.
	{name: "print_everything", code: "print(*range(1001))\nprint('true', 'false', 'yes', 'no', 'None', '[]', '{}')\n"},
}
