// Package treqs is the source TREQS: MIMICSQL's questions about five tables made of
// MIMIC-III, with gold SQL (Wang, Shi and Reddy, WWW 2020), as MedAgentGym uses them.
// What it has in common with the other SQL sources is in package sqltask.
package treqs

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

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

const id = "treqs"

// The files. MIMICSQL's development set belongs to the training rows.
const (
	trainTasks  = "train_tasks.jsonl"
	testTasks   = "test_tasks.jsonl"
	release     = "mimicsql_data/mimicsql_natural_v2/"
	trainJSON   = release + "train.json"
	devJSON     = release + "dev.json"
	testJSON    = release + "test.json"
	namesFile   = "id2name.csv"
	namesInTree = "evaluation/process_mimic_db/" + namesFile
)

const optionAdmissions = "treqs-admissions"

// New returns the adapter.
func New() datasets.Adapter { return Source{} }

// database is where the questions are answered from. It is built as MIMICSQL's own
// scripts do, with the made-up names where the release's file of them is there.
func database(raw datasets.Files) (sqltask.Database, error) {
	admissions := 0
	if text := raw.Option(optionAdmissions); text != "" {
		var err error
		if admissions, err = strconv.Atoi(text); err != nil || admissions < 0 {
			return sqltask.Database{}, &datasets.SetupError{What: "--" + optionAdmissions + " is not a whole number, 0 for all admissions"}
		}
	}
	name := names(raw)
	var path string
	if name != "" {
		path = raw.Path(name)
	}
	d := of(admissions, path)
	d.Make = func(ctx context.Context, to string, opts ehrdb.Options) error {
		err := build(ctx, to, opts, admissions, path)
		var fault *ehrdb.InputError
		if errors.As(err, &fault) && name != "" && fault.File == filepath.Base(path) {
			return &datasets.FileError{File: name, Line: fault.Line, Err: errors.New(fault.Problem)}
		}
		return err
	}
	return d, nil
}

// of is the database of so many admissions, with the names of a file.
func of(admissions int, names string) sqltask.Database {
	return sqltask.Database{File: "treqs.db", Schema: ehrdb.TREQS(), Tables: []string{"*.csv", "*.csv.gz"}, Mount: sqltask.MIMICMount(),
		Version: fmt.Sprintf("1 of %d admissions", admissions),
		Make: func(ctx context.Context, to string, opts ehrdb.Options) error {
			return build(ctx, to, opts, admissions, names)
		}}
}

// build takes of the options what MIMICSQL has: no date is moved, no patient drawn.
func build(ctx context.Context, to string, opts ehrdb.Options, admissions int, names string) error {
	own := ehrdb.Options{Schema: opts.Schema, Files: opts.Files, Progress: opts.Progress, Cohort: ehrdb.Cohort{Admissions: admissions}}
	if names != "" {
		own.Files = append(own.Files, names)
	}
	_, err := ehrdb.Build(ctx, to, own)
	return err
}

// names is the file of made-up names, if there is one.
func names(raw datasets.Files) string {
	for _, name := range []string{namesFile, namesInTree} {
		if _, ok := raw.Stat(name); ok {
			return name
		}
	}
	return ""
}

// Spec implements datasets.Adapter.
func (Source) Spec() datasets.Spec {
	resource := func(pattern, help string) datasets.LayoutFile {
		return datasets.LayoutFile{Pattern: pattern, Role: datasets.RoleResource, Optional: true, Help: help}
	}
	rows := func(pattern, split, help string, optional bool) datasets.LayoutFile {
		return datasets.LayoutFile{Pattern: pattern, Split: split, Role: datasets.RoleRows, Optional: optional, Help: help}
	}
	ignored := func(pattern, help string) datasets.LayoutFile {
		return datasets.LayoutFile{Pattern: pattern, Role: datasets.RoleIgnored, Optional: true, Help: help}
	}
	var mount sqltask.Database
	mount.Mount = sqltask.MIMICMount()
	mounted := []datasets.LayoutFile{mount.MountedTables(), mount.MountedPacked()}
	return datasets.Spec{
		ID:           id,
		Name:         "TREQS (MIMICSQL)",
		Summary:      "Questions about patients, diagnoses, procedures, prescriptions and lab tests, answered from five tables.",
		Reference:    "Wang et al., Text-to-SQL Generation for Question Answering on Electronic Medical Records, WWW 2020, https://arxiv.org/abs/1908.01839",
		Domain:       "DB",
		Kind:         "structured",
		Distribution: "in",
		Categories:   4,
		License:      "PhysioNet Credentialed Health Data License 1.5.0; questions MIT",
		Tier:         schemas.TierCredentialed,
		Agreement:    datasets.PhysioNetCredentialed("mimiciii", "1.4"),
		Full:         datasets.Counts{Train: 8988, Test: 996},
		Leaderboard:  datasets.Counts{Train: 897, Test: 995},
		Release:      datasets.Counts{Train: 898, Test: 996},
		Actions:      []string{schemas.ActionRequestInfo, schemas.ActionCodeExecution, schemas.ActionDebugging},
		Layouts: []datasets.Layout{
			{ID: sqltask.LayoutA, Help: "the MedAgentGym download, data/" + id, Files: append([]datasets.LayoutFile{
				rows(trainTasks, schemas.SplitTrain, "training rows", true),
				rows(testTasks, schemas.SplitTest, "test rows", false),
				resource("treqs.db", "the database"),
				resource("*.csv", "the database's tables, for where the database is absent"),
				resource("*.csv.gz", "the same, packed"),
			}, mounted...)},
			{ID: sqltask.LayoutB, Help: "the TREQS repository, and MIMIC-III's tables", Files: append([]datasets.LayoutFile{
				rows(trainJSON, schemas.SplitTrain, "training questions", true),
				rows(devJSON, schemas.SplitTrain, "development questions, training rows here", true),
				rows(testJSON, schemas.SplitTest, "test questions", false),
				resource(namesFile, "the made-up names of patients"),
				resource(namesInTree, "the same, where the repository has it"),
				resource("treqs.db", "the database, if it is there"),
				ignored(release+"vocab", "words of the questions"),
				ignored("mimicsql_data/mimicsql_natural/*", "the questions before they were revised"),
				ignored("mimicsql_data/mimicsql_template/*", "the questions as templates have them"),
			}, mounted...)},
		},
		Mounts:         []datasets.Mount{mount.Mount},
		Settings:       settings(),
		AdapterVersion: "1",
		GraderVersion:  "1",
	}
}

// settings are those of the SQL sources that mean something here: no date is moved
// and no patient drawn.
func settings() []datasets.Setting {
	out := []datasets.Setting{{Name: optionAdmissions, Default: "0", Help: fmt.Sprintf("admissions in TREQS's database, drawn as the benchmark draws its %d; 0 for all, as MedAgentGym has", ehrdb.TREQSAdmissions)}}
	for _, s := range sqltask.Settings() {
		if s.Name == "query-time-limit" || s.Name == "keep-unanswerable" {
			out = append(out, s)
		}
	}
	return out
}

// Builds implements datasets.Builder.
func (Source) Builds(raw datasets.Raw) ([]datasets.Build, error) {
	d, err := database(raw)
	if err != nil {
		return nil, err
	}
	builds, err := d.Builds(raw)
	if name := names(raw); name != "" {
		for i := range builds {
			builds[i].Inputs = append(builds[i].Inputs, name)
		}
	}
	return builds, err
}
