package sqltask

import (
	"context"
	"fmt"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

// Answered is embedded by the sources whose tasks are judged, furnished and solved as
// this package does. It implements datasets.Grader, Furnisher and Referencer.
type Answered struct{}

// Grade implements datasets.Grader.
func (Answered) Grade(_ context.Context, task schemas.Task, sub datasets.Submission, _ datasets.Runner) (datasets.Verdict, error) {
	return Grade(task, sub)
}

// Furnish implements datasets.Furnisher.
func (Answered) Furnish(_ context.Context, task schemas.Task, raw datasets.Files) (datasets.Session, error) {
	return Furnish(task, raw)
}

// Reference implements datasets.Referencer.
func (Answered) Reference(task schemas.Task) (datasets.Reference, error) { return Reference(task) }

// Furnish gives a session the files that its task names as resources.
func Furnish(task schemas.Task, raw datasets.Files) (datasets.Session, error) {
	var session datasets.Session
	for _, r := range task.Resources {
		if _, ok := raw.Stat(r.Path); !ok {
			return session, fmt.Errorf("task %s needs %s, which is not there: run prepare again", task.TaskID, r.Path)
		}
		session.Files = append(session.Files, datasets.File{Path: r.Name, HostPath: raw.Path(r.Path)})
	}
	return session, nil
}
