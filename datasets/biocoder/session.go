package biocoder

import (
	"context"
	"fmt"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

// Furnish implements datasets.Furnisher. The agent's code runs in the gap; a run
// that ended well is a submission if it names the function at all, so that
// looking around and leaving early is none.
func (a *Adapter) Furnish(_ context.Context, task schemas.Task, _ datasets.Files) (datasets.Session, error) {
	ans, err := readAnswer(task)
	if err != nil {
		return datasets.Session{}, err
	}
	return datasets.Session{
		Wrap: func(code string) string { return splice(task.Context, code) },
		Submits: func(sub datasets.Submission) bool {
			return sub.Status == "ok" && mentions(unfence(sub.Code), ans.Function)
		},
	}, nil
}

// Reference implements datasets.Referencer. The wrong programs are what a hasty
// author writes: a stub, a result that is off by one, a print left in.
func (a *Adapter) Reference(task schemas.Task) (datasets.Reference, error) {
	ans, err := readAnswer(task)
	if err != nil {
		return datasets.Reference{}, err
	}
	ref := datasets.Reference{
		Right:   task.Gold,
		Wrong:   []string{debugPrint(task)},
		Explore: []string{explore},
	}
	stub := fmt.Sprintf("def %s(*args, **kwargs):\n    return None\n", ans.Function)
	switch task.Category {
	case "function", "method":
		if discards(task.Context, ans.Function) {
			break // nobody looks at the result
		}
		ref.Wrong = append(ref.Wrong, fmt.Sprintf(offByOne, task.Gold, ans.Function))
	default:
		stub = "@" + task.Category + "\n" + stub
	}
	ref.Wrong = append(ref.Wrong, stub)
	return ref, nil
}

const explore = `import sys
print(sys.version.split()[0])
print(sorted(name for name in globals() if not name.startswith("_")))
sys.exit(0)
`

// debugPrint prints when the definition is run, so that it shows however the
// function is called.
func debugPrint(task schemas.Task) string {
	return task.Gold + "\nprint(\"debug: function defined\")\n"
}

// offByOne works in a class body too: the default is evaluated there. Of a text
// the last character goes as well: of a path programs look at the end alone.
const offByOne = `%[1]s

def %[2]s(*args, _first=%[2]s, **kwargs):
    value = _first(*args, **kwargs)
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float, complex)):
        return value + 1
    if isinstance(value, str):
        return value[1:-1]
    if isinstance(value, (list, tuple)):
        return value[1:]
    if isinstance(value, dict):
        return dict(list(value.items())[1:])
    return None
`
