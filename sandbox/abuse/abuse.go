// Package abuse holds programs that try to hang, drown, deceive or leave the
// sandbox they run in. sandbox/sandboxtest runs them against every backend.
//
// A program is a file of programs/, named after its row of Rows. What it is to
// come to stands in its first lines:
//
//	# status: timeout         the statuses that are right, the usual one first: memory, killed
//	# wall: 500ms             a shorter limit than usual
//	# gap: memory, ok         what is right, too, where that control is not wholly kept
//	# outside: breaks         run by a plain interpreter as root, it does see success
//
// A program that is to end by itself says of each thing that it tried what came of
// it: a line "refused ...", "held ..." for what goes on and harms nobody, or
// "BREACHED ..." (see attempt.py). The last fails the case, and so does silence.
package abuse

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
)

var (
	//go:embed programs
	programs embed.FS
	//go:embed attempt.py
	attempt string
	//go:embed outcomes
	outcomes embed.FS
)

// Row is one line of the list: a kind of abuse, with one or more programs.
type Row struct {
	Number  int
	Name    string
	Attempt string // what it tries, for the table
}

// Program is one way to try it.
type Program struct {
	Name     string // of its file
	Row      int
	Language sandbox.Language
	Code     string // with the helpers in front
	Refused  bool   // it tries what is to fail, else what may go on
	Want     []sandbox.Status
	Wall     time.Duration
	Gap      string // a control without which WithGap is right, too
	WithGap  sandbox.Status
	Breaks   bool // outside of a sandbox, as root, it sees success
}

// Command is a program as a sandbox runs it. canary tells where things lie on the
// host that no program may reach.
func (p Program) Command(canary map[string]string) (sandbox.Command, error) {
	cmd := sandbox.Command{Language: p.Language, Code: p.Code, Wall: p.Wall, Seed: 7}
	if p.Language != sandbox.Python {
		return cmd, nil
	}
	text, err := json.Marshal(canary)
	if err != nil {
		return cmd, fmt.Errorf("abuse program %s: %w", p.Name, err)
	}
	// As text in text: the codec of injected values has its own form for a dictionary.
	if text, err = json.Marshal(string(text)); err != nil {
		return cmd, fmt.Errorf("abuse program %s: %w", p.Name, err)
	}
	cmd.Inject = map[string]json.RawMessage{"canary": text}
	return cmd, nil
}

// Programs reads every program, in the order of the rows.
func Programs() ([]Program, error) {
	entries, err := programs.ReadDir("programs")
	if err != nil {
		return nil, err
	}
	var all []Program
	for _, entry := range entries {
		text, err := programs.ReadFile(path.Join("programs", entry.Name()))
		if err != nil {
			return nil, err
		}
		p, err := parse(entry.Name(), string(text))
		if err != nil {
			return nil, fmt.Errorf("abuse program %s: %w", entry.Name(), err)
		}
		all = append(all, p)
	}
	return all, nil
}

func parse(name, text string) (Program, error) {
	p := Program{Name: name, Language: sandbox.Python, Code: attempt + text, Wall: 10 * time.Second}
	if path.Ext(name) == ".sh" {
		p.Language, p.Code = sandbox.Shell, text
	}
	p.Refused = strings.Contains(text, "refused") || strings.Contains(text, "attempt(") || strings.Contains(text, "call(")
	var err error
	number, _, _ := strings.Cut(name, "-")
	if p.Row, err = strconv.Atoi(number); err != nil {
		return p, fmt.Errorf("its name begins with no row: %w", err)
	}
	for line := range strings.Lines(text) {
		comment, ok := strings.CutPrefix(line, "# ")
		if !ok {
			break
		}
		key, value, ok := strings.Cut(strings.TrimSpace(comment), ": ")
		if !ok {
			continue
		}
		switch key {
		case "status":
			for status := range strings.SplitSeq(value, ", ") {
				p.Want = append(p.Want, sandbox.Status(status))
			}
		case "wall":
			p.Wall, err = time.ParseDuration(value)
		case "gap":
			control, status, _ := strings.Cut(value, ", ")
			p.Gap, p.WithGap = control, sandbox.Status(status)
		case "outside":
			p.Breaks = value == "breaks"
		}
		if err != nil {
			return p, err
		}
	}
	if len(p.Want) == 0 {
		p.Want = []sandbox.Status{sandbox.StatusOK}
	}
	return p, nil
}

// Recorded are the outcomes of a backend as the suite last wrote them down, by row;
// none where it never did.
func Recorded(backend string) (map[int]string, error) {
	text, err := outcomes.ReadFile("outcomes/" + backend + ".json")
	if err != nil {
		return nil, fmt.Errorf("read recorded outcomes: %w", err)
	}
	var rows map[int]string
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, fmt.Errorf("read recorded outcomes of %s: %w", backend, err)
	}
	return rows, nil
}
