// Package mimiciii is the source MIMIC-III of EHRSQL: questions of hospital staff
// about MIMIC-III's records, with gold SQL (Lee et al., "EHRSQL", NeurIPS 2022), as
// MedAgentGym uses them. What it has in common with the other SQL sources is in
// package sqltask.
package mimiciii

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

const id = "mimic_iii"

// New returns the adapter.
func New() datasets.Adapter {
	return Source{questions: sqltask.EHRSQL{ID: id, Prompt: sqltask.Template(prompts, "prompts/instruction.tmpl"), Database: sqltask.Database{
		File: "mimic_iii.db", Ready: []string{"mimic_iii.sqlite"}, Schema: ehrdb.MIMICIII(), Tables: []string{"*.csv", "*.csv.gz"},
		Aliases: map[string]string{"procedures": "procedures_icd"}, Mount: sqltask.MIMICMount(),
	}}}
}

// Spec implements datasets.Adapter.
func (s Source) Spec() datasets.Spec {
	return s.questions.Spec(datasets.Spec{
		Name:           "MIMIC-III (EHRSQL)",
		Summary:        "Questions of hospital staff, answered from MIMIC-III's records.",
		Reference:      "Lee et al., EHRSQL, NeurIPS 2022, https://arxiv.org/abs/2301.07695; database: https://physionet.org/content/mimiciii/",
		Agreement:      datasets.PhysioNetCredentialed("mimiciii", "1.4"),
		Full:           datasets.Counts{Train: 9318, Test: 1122},
		Leaderboard:    datasets.Counts{Train: 552, Test: 581},
		Release:        datasets.Counts{Train: 553, Test: 581},
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
