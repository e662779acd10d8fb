package sqltask

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

// The files of EHRSQL's questions. Its validation set is MedAgentGym's test set, see
// docs/decisions/0010.
const (
	TrainTasks = "train_tasks.jsonl"
	ValidTasks = "valid_tasks.jsonl"
	TrainJSON  = "train.json"
	ValidJSON  = "valid.json"
	testJSON   = "test.json"
)

// The layouts.
const (
	LayoutA = "medagentgym"
	LayoutB = "release"
)

// EHRSQL is what the two sources made of EHRSQL are: one set of templates over two
// databases.
type EHRSQL struct {
	ID       string
	Database Database
	Prompt   *template.Template
}

// Spec adds to what one source says of itself what both have in common.
func (e EHRSQL) Spec(spec datasets.Spec) datasets.Spec {
	spec.ID = e.ID
	spec.Domain, spec.Kind, spec.Distribution, spec.Categories = "DB", "structured", "in", 9
	spec.License, spec.Tier = "PhysioNet Credentialed Health Data License 1.5.0; questions CC-BY-4.0", schemas.TierCredentialed
	spec.Actions = []string{schemas.ActionRequestInfo, schemas.ActionCodeExecution, schemas.ActionDebugging}
	spec.Layouts, spec.Mounts, spec.Settings = e.layouts(), []datasets.Mount{e.Database.Mount}, Settings()
	return spec
}

// layouts are the source's two.
func (e EHRSQL) layouts() []datasets.Layout {
	resource := func(pattern, help string) datasets.LayoutFile {
		return datasets.LayoutFile{Pattern: pattern, Role: datasets.RoleResource, Optional: true, Help: help}
	}
	a := datasets.Layout{ID: LayoutA, Help: "the MedAgentGym download, data/" + e.ID, Files: []datasets.LayoutFile{
		{Pattern: TrainTasks, Split: schemas.SplitTrain, Role: datasets.RoleRows, Optional: true, Help: "training rows"},
		{Pattern: ValidTasks, Split: schemas.SplitTest, Role: datasets.RoleRows, Help: "test rows"},
		resource(e.Database.File, "the database"),
	}}
	b := datasets.Layout{ID: LayoutB, Help: "EHRSQL's own release, dataset/ehrsql/" + e.ID + ", and the tables", Files: []datasets.LayoutFile{
		{Pattern: TrainJSON, Split: schemas.SplitTrain, Role: datasets.RoleRows, Optional: true, Help: "training questions"},
		{Pattern: ValidJSON, Split: schemas.SplitTest, Role: datasets.RoleRows, Optional: true, Help: "validation questions, the test set of MedAgentGym"},
		{Pattern: testJSON, Role: datasets.RoleIgnored, Optional: true, Help: "EHRSQL's own test questions, which MedAgentGym does not use"},
		{Pattern: e.ID + ".sql", Role: datasets.RoleIgnored, Optional: true, Help: "the schema, which is known"},
		resource(e.Database.File, "the database, if it is there"),
	}}
	for _, name := range e.Database.Ready {
		b.Files = append(b.Files, resource(name, "EHRSQL's preprocessed database, if it is there"))
	}
	for _, pattern := range e.Database.Tables {
		a.Files = append(a.Files, resource(pattern, "the database's tables, for where the database is absent"))
	}
	a.Files = append(a.Files, e.Database.MountedTables(), e.Database.MountedPacked())
	b.Files = append(b.Files, e.Database.MountedTables(), e.Database.MountedPacked())
	return []datasets.Layout{a, b}
}

// Builds implements datasets.Builder.
func (e EHRSQL) Builds(raw datasets.Raw) ([]datasets.Build, error) {
	builds, err := e.Database.Builds(raw)
	if err != nil || raw.Layout() != LayoutB {
		return builds, err
	}
	_, train := raw.Stat(TrainJSON)
	_, valid := raw.Stat(ValidJSON)
	switch _, ready := e.Database.Find(raw); {
	case !train && !valid && len(raw.Glob(TrainJSON))+len(raw.Glob(ValidJSON)) == 0:
		return nil, &datasets.SetupError{What: fmt.Sprintf("there is neither %s nor %s", TrainJSON, ValidJSON), Do: "put one of EHRSQL's into the source's folder"}
	case len(builds) == 0 && !ready:
		return nil, e.Database.absent()
	}
	return builds, nil
}

// ehrsqlRow is a raw row, without the fields that nothing here needs.
type ehrsqlRow struct {
	DB         *string        `json:"db_id"`
	Question   *string        `json:"question"`
	Template   *string        `json:"template"`
	Query      *string        `json:"query"`
	Tag        *string        `json:"q_tag"`
	Impossible *bool          `json:"is_impossible"`
	Answer     jsontext.Value `json:"answer"`
}

// Normalize implements datasets.Adapter.
func (e EHRSQL) Normalize(ctx context.Context, raw datasets.Raw, spec datasets.Spec, emit datasets.Emitter) (err error) {
	n, err := e.Database.Normalizer(ctx, raw, e.Prompt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	return datasets.EachFile(ctx, raw, spec, emit, func(_ *datasets.Row, r ehrsqlRow) (schemas.Task, error) {
		q, err := e.question(r, raw.Layout() == LayoutA)
		if err != nil {
			return schemas.Task{}, err
		}
		return n.Task(ctx, q)
	})
}

// asksWhether matches the templates that are answered with yes or no. Some of eICU's
// have gold SQL that counts.
var asksWhether = regexp.MustCompile(`(?i)^\s*(has|have|had|is|are|was|were|did|does|do)\s`)

// question reads a row. The agent is shown the template, as in the release; a
// question without one is shown as it is.
func (e EHRSQL) question(r ehrsqlRow, listed bool) (Question, error) {
	q := Question{Impossible: r.Impossible != nil && *r.Impossible}
	if r.DB != nil && *r.DB != e.ID {
		return q, datasets.Rejectf(datasets.ReasonBadValue, "field %q is not %s", "db_id", e.ID)
	}
	text := r.Template
	if text == nil || strings.TrimSpace(*text) == "" || strings.EqualFold(strings.TrimSpace(*text), "nan") {
		text = r.Question
	}
	if err := datasets.RequireText(datasets.Text{Name: "question", Value: text}); err != nil {
		return q, err
	}
	q.Text = *text
	q.Truth = asksWhether.MatchString(q.Text)
	q.Category = Subject(q.Text)
	if r.Tag != nil {
		q.Category = Subject(*r.Tag)
	}
	if q.Impossible {
		return q, nil
	}
	if err := datasets.RequireText(datasets.Text{Name: "query", Value: r.Query}); err != nil {
		return q, err
	}
	q.Query = *r.Query
	if !listed {
		return q, nil
	}
	var err error
	q.Listed, err = ListedAnswer(r.Answer)
	return q, err
}

// ListedAnswer reads the field answer of the MedAgentGym download: a list of texts.
// It is not nil where there is no error.
func ListedAnswer(raw jsontext.Value) ([]string, error) {
	if len(raw) == 0 || raw.Kind() == 'n' {
		return nil, datasets.Rejectf(datasets.ReasonMissingField, "field %q is absent or null", "answer")
	}
	values := []string{}
	var single string
	switch raw.Kind() {
	case '"':
		if err := datasets.DecodeJSON(raw, &single); err != nil {
			return nil, err
		}
		return append(values, single), nil
	case '[':
		if err := datasets.DecodeJSON(raw, &values); err != nil {
			return nil, datasets.Rejectf(datasets.ReasonWrongType, "field %q is not a list of texts", "answer")
		}
		return values, nil
	}
	return nil, datasets.Rejectf(datasets.ReasonWrongType, "field %q is not a list of texts", "answer")
}

// subjects are what EHRSQL's questions ask for, by the words that say so. The paper
// counts nine categories and does not name them; these are ours, by subject.
var subjects = []struct {
	name  string
	words *regexp.Regexp
}{
	{"cost", regexp.MustCompile(`\bcosts?\b`)},
	{"medication", regexp.MustCompile(`\b(drugs?|medications?|prescri\w+|intake method|dose)\b`)},
	{"microbiology", regexp.MustCompile(`\b(microbiology|culture\w*|organism|specimens?)\b`)},
	{"laboratory", regexp.MustCompile(`\b(labs?|lab_\w+)\b`)},
	{"measurement", regexp.MustCompile(`\b(vital_\w+|intakes?|intake_\w+|outputs?|output_\w+|weight|height)\b`)},
	{"procedure", regexp.MustCompile(`\b(procedures?|treatments?)\b`)},
	{"diagnosis", regexp.MustCompile(`\b(diagnos\w+|abbreviation|allerg\w+|allergy_\w+)\b`)},
	{"stay", regexp.MustCompile(`\b(admi\w+|discharged?|visits?|stay\w*|wards?|careunits?|icu|hospital|current patients|emergency)\b`)},
}

// Subject is the category of a question: the subject that it names first. What names
// none is about the patients themselves.
func Subject(question string) string {
	text := strings.ToLower(question)
	best, at := "patient", len(text)
	for _, s := range subjects {
		if found := s.words.FindStringIndex(text); found != nil && found[0] < at {
			best, at = s.name, found[0]
		}
	}
	return best
}
