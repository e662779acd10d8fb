package ehrcon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/sqltask"
	"github.com/medgym-data/medgym-data/schemas"
)

// Why tasks are not ready, beside package sqltask's reasons.
const (
	noNotes             = "no_notes"             // missing_resources
	contradictingLabels = "contradicting_labels" // ungradable
)

// row is a raw row.
type row struct {
	Stay   jsontext.Value `json:"Hospital admission"` // "123456.0"
	Entity *string        `json:"Medical entity"`
	Count  *int64         `json:"Number of inconsistencies"`
	Wrong  *bool          `json:"Has error"`
}

// subject is what a row asks about.
type subject struct {
	stay   int64
	entity string
}

// read takes a row apart.
func (r row) read() (subject, bool, error) {
	if err := datasets.RequireText(datasets.Text{Name: "Medical entity", Value: r.Entity}); err != nil {
		return subject{}, false, err
	}
	if len(r.Stay) == 0 {
		return subject{}, false, datasets.Rejectf(datasets.ReasonMissingField, "no field %q", "Hospital admission")
	}
	text := string(r.Stay)
	if r.Stay.Kind() == '"' {
		if err := datasets.DecodeJSON(r.Stay, &text); err != nil {
			return subject{}, false, err
		}
	}
	stay, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), ".0"), 10, 64)
	if err != nil {
		return subject{}, false, datasets.Rejectf(datasets.ReasonBadValue, "field %q is not a whole number", "Hospital admission")
	}
	switch {
	case r.Wrong == nil:
		return subject{}, false, datasets.Rejectf(datasets.ReasonMissingField, "no field %q", "Has error")
	case r.Count != nil && (*r.Count < 0 || (*r.Count > 0) != *r.Wrong):
		return subject{}, false, datasets.Rejectf(datasets.ReasonBadValue, "fields %q and %q contradict each other", "Number of inconsistencies", "Has error")
	}
	return subject{stay, strings.TrimSpace(*r.Entity)}, *r.Wrong, nil
}

// same is the subject for which rows are compared.
func (s subject) same() subject { return subject{s.stay, strings.ToLower(s.entity)} }

// Normalize implements datasets.Adapter.
func (s Source) Normalize(ctx context.Context, raw datasets.Raw, emit datasets.Emitter) (err error) {
	contradicted, err := s.contradicted(ctx, raw)
	if err != nil {
		return err
	}
	notes, err := readNotes(ctx, raw)
	if err != nil {
		return err
	}
	claims, err := readClaims(ctx, raw)
	if err != nil {
		return err
	}
	n, err := database(raw).Normalizer(ctx, raw, sqltask.Template(prompts, "prompts/instruction.tmpl"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	return datasets.EachFile(ctx, raw, s.Spec(), emit, func(_ *datasets.Row, r row) (schemas.Task, error) {
		about, wrong, err := r.read()
		if err != nil {
			return schemas.Task{}, err
		}
		q := sqltask.Question{
			Text:     fmt.Sprintf(questionHead+"%d, %s"+questionTail, about.stay, about.entity),
			Category: notes.category(about), Listed: []string{strconv.FormatBool(wrong)},
			Values: map[string]any{"Stay": about.stay, "Entity": about.entity, "Notes": notesPath},
		}
		task, err := n.Task(ctx, q)
		if err != nil {
			return task, err
		}
		if gold := claims[about.same()]; len(gold) > 0 {
			task.Gold, task.GoldKind = program(about, gold), schemas.GoldPython
		}
		if notes.resource != nil {
			task.Resources = append(task.Resources, *notes.resource)
		} else if task.Status == schemas.StatusReady {
			task.Status, task.StatusReason = schemas.StatusMissingResources, noNotes
		}
		if contradicted[about.same()] {
			task.Status, task.StatusReason = schemas.StatusUngradable, contradictingLabels
		}
		return task, nil
	})
}

// contradicted are the subjects of which rows say both.
func (s Source) contradicted(ctx context.Context, raw datasets.Raw) (map[subject]bool, error) {
	said := map[subject]bool{}
	both := map[subject]bool{}
	for _, layout := range s.Spec().Layouts {
		for _, f := range layout.Files {
			if f.Role != datasets.RoleRows {
				continue
			}
			for _, name := range raw.Glob(f.Pattern) {
				if err := raw.Rows(ctx, name, func(line datasets.Row) error {
					var r row
					if line.Decode(&r) != nil {
						return nil // rejected when the tasks are made
					}
					about, wrong, err := r.read()
					if err != nil {
						return nil
					}
					about = about.same()
					if before, ok := said[about]; ok && before != wrong {
						both[about] = true
					}
					said[about] = wrong
					return nil
				}); err != nil {
					return nil, err
				}
			}
		}
	}
	return both, nil
}
