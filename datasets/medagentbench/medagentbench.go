// Package medagentbench reads MedAgentBench: requests of a clinician that are
// answered with a hospital's FHIR R4 server, in ten kinds.
//
// Jiang et al., "MedAgentBench: a realistic virtual EHR environment to benchmark
// medical LLM agents" (arXiv 2501.14654), in the split that MedAgentGym publishes
// (arXiv 2506.04405).
//
// The benchmark's own release has the same rows as one array, without a split. There
// one is drawn by patient, since all questions about a patient read the same chart.
//
// The rows name patients, not answers. The answer of a task is computed here, when
// rows are normalized, from the FHIR data that the user has: a Bulk Data export
// below fhir/ of the source's folder, or a server (option fhir-url), which goes
// before it. What a question says besides (the time that counts as now, codes,
// doses) is read from its text. A task whose data is not there is kept with the
// status missing_resources.
//
// An agent's session holds the same data as a service, package fhir. The program
// hands in
//
//	answer = {"GET": [values], "POST": [url, payload, ...]}
//
// and sends its POSTs to the service. The strict verdict looks at GET and at what
// the service recorded while that program ran; the release's looks at text. See
// docs/decisions/0004-medagentbench-posts.md.
package medagentbench

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/fhir"
	"github.com/medgym-data/medgym-data/schemas"
)

//go:embed prompts/*.tmpl
var prompts embed.FS

// Source is the MedAgentBench source. It is safe for concurrent use: it keeps the
// FHIR data that it loaded last, for all sessions over it.
type Source struct {
	prompt   *template.Template
	programs *template.Template
	data     *loader
}

// New returns the adapter.
func New() datasets.Adapter {
	return &Source{
		prompt:   template.Must(template.ParseFS(prompts, "prompts/instruction.tmpl")),
		programs: parsePrograms(),
		data:     &loader{},
	}
}

var (
	_ datasets.Grader      = (*Source)(nil)
	_ datasets.Furnisher   = (*Source)(nil)
	_ datasets.Referencer  = (*Source)(nil)
	_ datasets.Synthesizer = (*Source)(nil)
)

const (
	trainFile = "train_tasks.jsonl"
	testFile  = "test_tasks.jsonl"
	funcsFile = "funcs_v1.json"

	layoutGym     = "medagentgym"
	layoutRelease = "release"
	releaseFile   = "test_data_v2.json"

	plainData  = "fhir/*.ndjson"
	packedData = "fhir/*.ndjson.gz"
	urlOption  = "fhir-url"
)

// serverFiles are the same in both layouts.
var serverFiles = []datasets.LayoutFile{
	{Pattern: funcsFile, Role: datasets.RoleResource, Help: "the server's functions; shown in the instruction"},
	{Pattern: plainData, Role: datasets.RoleResource, Optional: true, Help: "FHIR Bulk Data: one resource a line"},
	{Pattern: packedData, Role: datasets.RoleResource, Optional: true, Help: "the same, gzipped"},
}

// Spec implements datasets.Adapter.
func (*Source) Spec() datasets.Spec {
	return datasets.Spec{
		ID:           "medagentbench",
		Name:         "MedAgentBench",
		Summary:      "Chart questions and orders that are answered and placed through a FHIR server.",
		Reference:    "Jiang et al. 2025, https://arxiv.org/abs/2501.14654",
		Domain:       "DA",
		Kind:         "open-ended",
		Distribution: "in",
		Categories:   10,
		License:      "MIT",
		Tier:         schemas.TierOpen,
		Full:         datasets.Counts{Train: 433, Test: 109},
		Leaderboard:  datasets.Counts{Train: 239, Test: 59},
		Release:      datasets.Counts{Train: 240, Test: 60},
		Actions:      []string{schemas.ActionCodeExecution, schemas.ActionDebugging, schemas.ActionTerminal},
		Layouts: []datasets.Layout{{
			ID:   layoutGym,
			Help: "the MedAgentGym download, data/medagentbench, and FHIR data below fhir/",
			Files: slices.Concat([]datasets.LayoutFile{
				{Pattern: trainFile, Split: schemas.SplitTrain, Role: datasets.RoleRows, Optional: true, Help: "training rows"},
				{Pattern: testFile, Split: schemas.SplitTest, Role: datasets.RoleRows, Help: "test rows"},
			}, serverFiles, []datasets.LayoutFile{
				{Pattern: "*_tasks.csv", Role: datasets.RoleIgnored, Optional: true, Help: "the rows again"},
				{Pattern: "test-temp.*", Role: datasets.RoleIgnored, Optional: true, Help: "a part of the rows again"},
				{Pattern: "split_data.py", Role: datasets.RoleIgnored, Optional: true, Help: "how the rows were split"},
				{Pattern: "start_eval_docker.sh", Role: datasets.RoleIgnored, Optional: true, Help: "how the release starts its server"},
			}),
		}, {
			ID:   layoutRelease,
			Help: "the files of MedAgentBench's repository, data/medagentbench, and FHIR data below fhir/",
			Files: slices.Concat([]datasets.LayoutFile{
				{Pattern: releaseFile, Split: datasets.SplitByGroup, Role: datasets.RoleRows, Help: "all rows, one array"},
			}, serverFiles, []datasets.LayoutFile{
				{Pattern: "test_data_v1.json", Role: datasets.RoleIgnored, Optional: true, Help: "an earlier version of the rows"},
			}),
		}},
		Mounts:         []datasets.Mount{{Prefix: "fhir", Flag: "fhir", Help: "folder with FHIR Bulk Data NDJSON"}},
		Settings:       []datasets.Setting{{Name: urlOption, Help: "base URL of a FHIR R4 server"}},
		AdapterVersion: "1",
		GraderVersion:  "1",
	}
}

// row is a raw row of either layout. Sol is there in task1 only; EvalMRN is not, where
// the patient does not exist. What is not there is null in one layout and absent in
// the other.
type row struct {
	ID          *string  `json:"id"`
	Instruction *string  `json:"instruction"`
	Context     *string  `json:"context"`
	Sol         []string `json:"sol"`
	EvalMRN     *string  `json:"eval_MRN"`
}

// Normalize implements datasets.Adapter.
func (s *Source) Normalize(ctx context.Context, raw datasets.Raw, emit datasets.Emitter) error {
	functions, err := readFunctions(raw)
	if err != nil {
		return err
	}
	source, err := s.data.open(ctx, raw)
	if err != nil {
		return err
	}
	n := normalizer{prompt: s.prompt, functions: functions, chart: chart{source}, resources: resources(raw)}
	return datasets.EachFile(ctx, raw, s.Spec(), emit, func(at *datasets.Row, r row) (schemas.Task, error) {
		q, err := readQuestion(r)
		if err != nil {
			return schemas.Task{}, err
		}
		if at.Split == datasets.SplitByGroup {
			at.Group = q.patient()
		}
		return n.task(ctx, r, q)
	})
}

// normalizer is what all rows of a download share.
type normalizer struct {
	prompt    *template.Template
	functions []function
	chart     chart
	resources []schemas.Resource
}

func (n normalizer) task(ctx context.Context, r row, q question) (schemas.Task, error) {
	found, err := n.chart.expect(ctx, q)
	if err != nil {
		return schemas.Task{}, fmt.Errorf("the FHIR data's answer: %w", err)
	}
	text, err := datasets.Canonical(found.answer)
	if err != nil {
		return schemas.Task{}, err
	}
	task := schemas.Task{
		Category:     kinds[q.Kind].category,
		Question:     strings.TrimSpace(*r.Instruction),
		Context:      strings.TrimSpace(*r.Context),
		AnswerType:   schemas.AnswerFHIR,
		Answer:       text,
		GoldKind:     schemas.GoldNone,
		Resources:    n.resources,
		Status:       found.status,
		StatusReason: found.reason,
	}
	var out bytes.Buffer
	err = n.prompt.Execute(&out, map[string]any{
		"Base": strings.TrimSuffix(fhir.BaseURL, "/"), "Functions": n.functions,
		"Question": task.Question, "Context": task.Context, "Form": kinds[q.Kind].form,
	})
	if err != nil {
		return schemas.Task{}, fmt.Errorf("instruction: %w", err)
	}
	task.Instruction = strings.TrimSpace(out.String())
	return task, nil
}

// function is an entry of the release's function list.
type function struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Parameters  jsontext.Value `json:"parameters"` // JSON Schema
}

const baseMark = "{api_base}"

// readFunctions reads the function list with the base URL that a session has.
func readFunctions(raw datasets.Files) ([]function, error) {
	data, err := raw.ReadFile(funcsFile)
	if err != nil {
		return nil, fmt.Errorf("the server's functions: %w", err)
	}
	functions, err := parseFunctions(data)
	if err != nil {
		return nil, &datasets.FileError{File: funcsFile, Line: 1, Err: err}
	}
	return functions, nil
}

func parseFunctions(data []byte) ([]function, error) {
	var functions []function
	if err := datasets.DecodeJSON(data, &functions); err != nil {
		return nil, err
	}
	if len(functions) == 0 {
		return nil, datasets.Rejectf(datasets.ReasonBadValue, "no function is listed")
	}
	base := strings.TrimSuffix(fhir.BaseURL, "/")
	for i := range functions {
		f := &functions[i]
		if strings.TrimSpace(f.Name) == "" {
			return nil, datasets.Rejectf(datasets.ReasonMissingField, "function %d has no name", i)
		}
		f.Name = strings.ReplaceAll(f.Name, baseMark, base)
		f.Description = strings.ReplaceAll(strings.TrimSpace(f.Description), baseMark, base)
		if len(f.Parameters) == 0 {
			f.Parameters = jsontext.Value("{}")
		}
		if err := f.Parameters.Compact(); err != nil {
			return nil, fmt.Errorf("parameters of function %d: %w", i, err)
		}
	}
	return functions, nil
}
