// Package ehrseqsql is the source EHR-SeqSQL: EHRSQL's questions about MIMIC-III
// broken into the turns of a dialogue (Ryu et al., Findings of ACL 2024), as
// MedAgentGym uses them: each turn is a task of its own, and the agent sees the seed
// question and the turn. What it has in common with the other SQL sources is in
// package sqltask.
package ehrseqsql

import (
	"context"
	"embed"
	"fmt"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/ehrdb"
	"github.com/medgym-data/medgym-data/datasets/sqltask"
	"github.com/medgym-data/medgym-data/schemas"
)

// Source implements datasets.Adapter, Builder, Grader, Furnisher, Referencer and
// Synthesizer.
type Source struct{ sqltask.Answered }

//go:embed prompts/*.tmpl
var prompts embed.FS

const id = "ehr_seqsql"

const (
	trainTasks = "train_tasks.jsonl"
	testTasks  = "test_tasks.jsonl"
	dataJSON   = "data.json"
)

// The settings that only this source has.
const (
	optionSplit = "seqsql-split"
	optionTurns = "seqsql-earlier-turns"
)

// New returns the adapter.
func New() datasets.Adapter { return Source{} }

// database is EHRSQL's. Its name is EHRSQL's too, so that the two share what is built.
func database() sqltask.Database {
	return sqltask.Database{File: "mimic_iii.db", Ready: []string{"mimic_iii.sqlite"}, Schema: ehrdb.MIMICIII(), Tables: []string{"*.csv", "*.csv.gz"},
		Aliases: map[string]string{"procedures": "procedures_icd"}, Mount: sqltask.MIMICMount()}
}

// Spec implements datasets.Adapter.
func (Source) Spec() datasets.Spec {
	resource := func(pattern, help string) datasets.LayoutFile {
		return datasets.LayoutFile{Pattern: pattern, Role: datasets.RoleResource, Optional: true, Help: help}
	}
	d := database()
	tables := []datasets.LayoutFile{
		resource("mimic_iii.db", "the database, if it is there"),
		resource("mimic_iii.sqlite", "EHRSQL's preprocessed database, if it is there"),
		d.MountedTables(), d.MountedPacked(),
	}
	return datasets.Spec{
		ID:           id,
		Name:         "EHR-SeqSQL",
		Summary:      "Questions of hospital staff in several turns, answered from MIMIC-III's records.",
		Reference:    "Ryu et al., EHR-SeqSQL, Findings of ACL 2024, https://arxiv.org/abs/2406.00019",
		Domain:       "DB",
		Kind:         "structured",
		Distribution: "out",
		Categories:   4,
		License:      "PhysioNet Credentialed Health Data License 1.5.0",
		Tier:         schemas.TierCredentialed,
		Agreement:    datasets.PhysioNetCredentialed("mimiciii", "1.4"),
		Full:         datasets.Counts{Train: 18950, Test: 7913},
		Leaderboard:  datasets.Counts{Train: 1000, Test: 500},
		Release:      datasets.Counts{Train: 1000, Test: 500},
		Actions:      []string{schemas.ActionRequestInfo, schemas.ActionCodeExecution, schemas.ActionDebugging},
		Layouts: []datasets.Layout{
			{ID: sqltask.LayoutA, Help: "the MedAgentGym download, data/" + id, Files: append([]datasets.LayoutFile{
				{Pattern: trainTasks, Split: schemas.SplitTrain, Role: datasets.RoleRows, Optional: true, Help: "training rows"},
				{Pattern: testTasks, Split: schemas.SplitTest, Role: datasets.RoleRows, Help: "test rows"},
				resource("*.csv", "the database's tables, for where the database is absent"),
				resource("*.csv.gz", "the same, packed"),
			}, tables...)},
			{ID: sqltask.LayoutB, Help: "EHR-SeqSQL's own release, and MIMIC-III's tables", Files: append([]datasets.LayoutFile{
				{Pattern: dataJSON, Split: schemas.SplitTrain, Role: datasets.RoleRows, Help: "dialogues of either split"},
			}, tables...)},
		},
		Mounts: []datasets.Mount{d.Mount},
		Settings: append(sqltask.Settings(),
			datasets.Setting{Name: optionSplit, Default: "random", Help: "which of EHR-SeqSQL's own splits is used: random or compositional"},
			datasets.Setting{Name: optionTurns, Switch: true, Help: "show the agent the earlier questions of a dialogue, which MedAgentGym does not"}),
		AdapterVersion: "1",
		GraderVersion:  "1",
	}
}

// Builds implements datasets.Builder.
func (Source) Builds(raw datasets.Raw) ([]datasets.Build, error) {
	d := database()
	builds, err := d.Builds(raw)
	if err != nil || len(builds) > 0 || raw.Layout() != sqltask.LayoutB {
		return builds, err
	}
	if _, ok := d.Find(raw); !ok {
		return nil, &datasets.SetupError{What: "the answers follow from a database, which is not there",
			Do: fmt.Sprintf("name the folder of MIMIC-III's tables with --%s, or put %s beside %s", d.Mount.Flag, d.File, dataJSON)}
	}
	return nil, nil
}

// Grade implements datasets.Grader. The public release compares only where the
// program's output is a list, which it never is: whatever was run passes, an error
// included.
func (Source) Grade(_ context.Context, task schemas.Task, sub datasets.Submission, _ datasets.Runner) (datasets.Verdict, error) {
	verdict, err := sqltask.Grade(task, sub)
	if err == nil {
		verdict.Upstream = 1
	}
	return verdict, err
}

// Reference implements datasets.Referencer. The MedAgentGym download has answers
// without SQL, so that the right program of its tasks can only say them.
func (Source) Reference(task schemas.Task) (datasets.Reference, error) {
	if task.GoldKind == schemas.GoldSQL || task.Answer == `"`+sqltask.Unanswerable+`"` {
		return sqltask.Reference(task)
	}
	return said(task)
}
