// Package eicu is the source eICU of EHRSQL: questions of hospital staff
// about eICU's records, with gold SQL (Lee et al., "EHRSQL", NeurIPS 2022), as
// MedAgentGym uses them. What it has in common with the other SQL sources is in
// package sqltask.
package eicu

import (
	"context"
	"embed"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/ehrdb"
	"github.com/medgym-data/medgym-data/datasets/sqltask"
)

// Source implements datasets.Adapter, Builder, Grader, Furnisher, Referencer and
// Synthesizer.
type Source struct {
	sqltask.Answered
	questions sqltask.EHRSQL
}

//go:embed prompts/*.tmpl
var prompts embed.FS

const id = "eicu"

// New returns the adapter.
func New() datasets.Adapter {
	return Source{questions: sqltask.EHRSQL{ID: id, Prompt: sqltask.Template(prompts, "prompts/instruction.tmpl"), Database: sqltask.Database{
		File: "eicu.db", Ready: []string{"eicu.sqlite"}, Schema: ehrdb.EICU(), Tables: []string{"*.csv", "*.csv.gz"},
		Aliases: map[string]string{"vitalperiod": "vitalperiodic"}, Mount: sqltask.EICUMount(),
	}}}
}

// Spec implements datasets.Adapter.
func (s Source) Spec() datasets.Spec {
	return s.questions.Spec(datasets.Spec{
		Name:           "eICU (EHRSQL)",
		Summary:        "Questions of hospital staff, answered from the records of eICU's intensive care units.",
		Reference:      "Lee et al., EHRSQL, NeurIPS 2022, https://arxiv.org/abs/2301.07695; database: https://physionet.org/content/eicu-crd/",
		Agreement:      datasets.PhysioNetCredentialed("eicu-crd", "2.0"),
		Full:           datasets.Counts{Train: 6213, Test: 611},
		Leaderboard:    datasets.Counts{Train: 559, Test: 610},
		Release:        datasets.Counts{Train: 560, Test: 611},
		AdapterVersion: "1",
		GraderVersion:  "1",
	})
}

// Builds implements datasets.Builder.
func (s Source) Builds(raw datasets.Raw) ([]datasets.Build, error) { return s.questions.Builds(raw) }

// Normalize implements datasets.Adapter.
func (s Source) Normalize(ctx context.Context, raw datasets.Raw, emit datasets.Emitter) error {
	return s.questions.Normalize(ctx, raw, s.Spec(), emit)
}
