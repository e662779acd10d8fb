package rollout

import (
	"errors"
	"fmt"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"slices"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

// gold is a source with reference programs alone.
type gold struct {
	datasets.Adapter
	ref datasets.Reference
}

func (gold) Spec() datasets.Spec { return datasets.Spec{ID: "s"} }

func (g gold) Reference(schemas.Task) (datasets.Reference, error) { return g.ref, nil }

// replies plays a script to its end, as if every observation told of an error.
func replies(t *testing.T, p Policy) []string {
	t.Helper()
	var out []string
	for {
		reply, err := p.Next(t.Context(), Conversation{Messages: []schemas.ChatMessage{{Role: schemas.RoleUser, Content: "status: error\nerror: KeyError: 'x' (line 1)\n"}}})
		if err != nil {
			t.Fatal(err)
		}
		if reply.Done {
			return out
		}
		out = append(out, reply.Content)
	}
}

func TestReference(t *testing.T) {
	ref := datasets.Reference{Right: "answer = 1\n", Wrong: []string{"answer = 2\n", "answer = 3\n"}, Explore: []string{"print('look')\n"}}
	task := schemas.Task{TaskID: "s/test/1", Source: "s", Actions: []string{schemas.ActionCodeExecution, schemas.ActionDebugging, schemas.ActionTerminal}}
	for _, feedback := range []string{schemas.FeedbackStopOnSuccess, schemas.FeedbackSubmitOnce} {
		policies := Reference(datasets.Registry{gold{ref: ref}}, feedback)
		meant := 0
		for attempt := range 500 {
			seed := derive(1, fmt.Sprint(attempt))
			first, err := policies.New(task, attempt, seed)
			if err != nil {
				t.Fatal(err)
			}
			again, err := policies.New(task, attempt, seed)
			if err != nil {
				t.Fatal(err)
			}
			said := replies(t, first)
			if !slices.Equal(said, replies(t, again)) {
				t.Fatalf("attempt %d: the same seed says other things", attempt)
			}
			right, submitted := 0, 0
			for _, text := range said {
				action, _, err := protocol.Parse(text)
				if err != nil || action.Name != schemas.ActionCodeExecution {
					continue
				}
				switch {
				case action.Code == ref.Right:
					right++
					if feedback == schemas.FeedbackSubmitOnce && submitted > 0 {
						t.Errorf("attempt %d: a wrong submission comes before the right one, and the first is final", attempt)
					}
				case slices.Contains(ref.Wrong, action.Code):
					submitted++
				}
			}
			if solves := meantToSolve(task.TaskID, attempt); solves != (right == 1) || right > 1 {
				t.Errorf("attempt %d is meant to be solved: %v; it plays the right program %d times", attempt, solves, right)
			}
			meant += right
		}
		if meant != 300 {
			t.Errorf("%s: %d of 500 attempts are meant to be solved, want 300", feedback, meant)
		}
	}
}

// A source that gives nothing but the right program can be played too.
func TestReferenceWithLittle(t *testing.T) {
	policies := Reference(datasets.Registry{gold{ref: datasets.Reference{Right: "    return 1\n"}}}, schemas.FeedbackStopOnSuccess)
	task := schemas.Task{TaskID: "s/test/2", Source: "s", Actions: []string{schemas.ActionCodeExecution}}
	for attempt := range 200 {
		p, err := policies.New(task, attempt, uint64(attempt))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range replies(t, p) {
			action, _, err := protocol.Parse(text)
			if err != nil {
				continue
			}
			if action.Name != schemas.ActionCodeExecution {
				t.Fatalf("attempt %d: %s is not an action of the task", attempt, action.Name)
			}
			if strings.Contains(action.Code, "import clinical_toolkit") && !strings.HasPrefix(action.Code, "    import") {
				t.Fatalf("the slip is not indented as the program is: %q", action.Code)
			}
		}
	}
	for name, registry := range map[string]datasets.Registry{"nothing right": {gold{}}, "no reference": {bare{}}} {
		if _, err := Reference(registry, "").New(task, 0, 1); !errors.Is(err, ErrNoPlay) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// bare is a source that knows no programs.
type bare struct{ datasets.Adapter }

func (bare) Spec() datasets.Spec { return datasets.Spec{ID: "s"} }

func TestErrorLine(t *testing.T) {
	if got := errorLine("status: error\nerror: KeyError: 'x' (line 1)\noutput:\nerror: no"); got != "KeyError: 'x' (line 1)" {
		t.Errorf("got %q", got)
	}
	if got := errorLine("status: ok"); got == "" {
		t.Error("nothing is said where there is no error")
	}
}
