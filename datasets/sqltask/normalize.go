package sqltask

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/ehrdb"
	"github.com/medgym-data/medgym-data/schemas"
)

// Normalizer makes tasks of the questions of one source in one run. Close it.
type Normalizer struct {
	database Database
	prompt   *template.Template
	brief    Brief
	clock    ehrdb.Clock
	keep     bool
	db       *ehrdb.DB // nil where there is none
	resource schemas.Resource
	asked    map[string]outcome // by bound query: paraphrases have the same
}

type outcome struct {
	result ehrdb.Result
	err    error
}

// Normalizer opens the database, where there is one, and reads the settings.
func (d Database) Normalizer(ctx context.Context, raw datasets.Raw, prompt *template.Template) (*Normalizer, error) {
	clock, err := Clock(raw)
	if err != nil {
		return nil, err
	}
	perQuery, err := limit(raw)
	if err != nil {
		return nil, err
	}
	n := &Normalizer{database: d, prompt: prompt, clock: clock, keep: raw.Option(optionKeep) != "", asked: map[string]outcome{}}
	n.brief = Brief{Path: d.Path(), Now: clock.Now.Format(clockForm), Keep: n.keep, Unanswerable: Unanswerable}
	for _, table := range d.Schema.Tables {
		n.brief.Tables = append(n.brief.Tables, describe(table))
	}
	name, ok := d.Find(raw)
	if !ok {
		return n, nil
	}
	if n.db, err = ehrdb.Open(ctx, raw.Path(name), clock, ehrdb.Limits{Time: perQuery}); err != nil {
		return nil, err
	}
	info, _ := raw.Stat(name)
	n.resource = schemas.Resource{Name: d.Path(), Kind: "sqlite", Path: name, SHA256: info.SHA256, Bytes: schemas.Ptr(info.Bytes)}
	return n, nil
}

// Close closes the database.
func (n *Normalizer) Close() error {
	if n.db == nil {
		return nil
	}
	return n.db.Close()
}

// HasDatabase says whether there is one.
func (n *Normalizer) HasDatabase() bool { return n.db != nil }

// Task makes the task of a question. A row that cannot be one is a
// *datasets.RejectError; other errors end the run.
func (n *Normalizer) Task(ctx context.Context, q Question) (schemas.Task, error) {
	task := schemas.Task{Category: q.Category, Question: strings.TrimSpace(q.Text), Context: q.Context, Status: schemas.StatusReady, GoldKind: schemas.GoldNone}
	if n.db == nil {
		task.Status, task.StatusReason = schemas.StatusMissingResources, NoDatabase
	} else {
		task.Resources = []schemas.Resource{n.resource}
	}
	if q.Impossible {
		if !n.keep {
			return task, datasets.Rejectf(ReasonUnanswerable, "is_impossible: the benchmark has no answer; --%s keeps it", optionKeep)
		}
		task.AnswerType, task.Answer = schemas.AnswerText, `"`+Unanswerable+`"`
		return n.instruct(task, q)
	}
	unwritten := q.Query == "" && q.Listed != nil
	if !unwritten && (strings.TrimSpace(q.Query) == "" || strings.EqualFold(strings.TrimSpace(q.Query), "nan")) {
		return task, datasets.Rejectf(datasets.ReasonBadValue, "no gold SQL, and not marked as impossible")
	}
	bound := n.clock.Bind(q.Query)
	answer, err := n.answer(ctx, q, bound)
	if err != nil {
		return task, err
	}
	answer.Fill(&task)
	if !unwritten {
		task.Gold, task.GoldKind = strings.TrimSuffix(strings.TrimSpace(bound), ";"), schemas.GoldSQL
	}
	return n.instruct(task, q)
}

func (n *Normalizer) answer(ctx context.Context, q Question, bound string) (Answer, error) {
	truth := q.Truth || AsksTruth(bound)
	if q.Listed != nil {
		return FromStrings(q.Listed, q.Columns, truth)
	}
	result, err := n.Query(ctx, bound)
	if err != nil {
		return Answer{}, err
	}
	return FromResult(result, truth)
}

// Query runs gold SQL on the database, once for equal queries. A query without a
// result is a *datasets.RejectError.
func (n *Normalizer) Query(ctx context.Context, query string) (ehrdb.Result, error) {
	if n.db == nil {
		return ehrdb.Result{}, n.database.absent()
	}
	if err := ctx.Err(); err != nil {
		return ehrdb.Result{}, err
	}
	key := strings.Join(strings.Fields(query), " ")
	if known, ok := n.asked[key]; ok {
		return known.result, known.err
	}
	result, err := n.db.Query(ctx, query)
	var fault *ehrdb.QueryError
	if err != nil && !errors.As(err, &fault) {
		return ehrdb.Result{}, err
	}
	if err != nil {
		err = reject(fault)
	}
	if len(n.asked) < mostAsked {
		n.asked[key] = outcome{result, err}
	}
	return result, err
}

// absent says that answers need a database.
func (d Database) absent() error {
	return &datasets.SetupError{What: "the answers follow from a database, which is not there",
		Do: fmt.Sprintf("name the folder of its tables with --%s, or put %s beside the questions", d.Mount.Flag, d.File)}
}

// mostAsked bounds the results that are kept; their rows are bounded by ehrdb.
const mostAsked = 50_000

// reject says why a gold query gives no answer. Names of tables and columns are the
// schema's or the query's, never a patient's.
func reject(fault *ehrdb.QueryError) error {
	reason := ReasonQueryError
	switch fault.Kind {
	case ehrdb.ErrMissingTable:
		reason = ReasonMissingTable
	case ehrdb.ErrMissingColumn:
		reason = ReasonMissingColumn
	case ehrdb.ErrTimeout:
		reason = ReasonQueryTimeout
	case ehrdb.ErrTooManyRows, ehrdb.ErrTooLarge:
		reason = ReasonTooManyRows
	}
	return datasets.Rejectf(reason, "gold SQL: %s", fault.Error())
}
