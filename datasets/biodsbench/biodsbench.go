// Package biodsbench reads BioDSBench: analyses from published cancer studies,
// with the study's tables, and assertions on the variables that an analysis leaves.
//
// Wang et al., "Can large language models replace data scientists in biomedical
// research?" (arXiv 2410.21591), in the selection of MedAgentGym (arXiv
// 2506.04405).
//
// What an agent sees. The release shows the query and the suggested steps
// (cot_instructions), so both are shown. It shows neither the description of the
// tables nor the code that some tasks continue from, without which those tasks
// cannot be done; both are shown here, and the code is run before the agent's.
//
// Categories. The paper counts twelve and names none; the rows tell the study and
// nothing else, so the category is the study (its PubMed id), eleven in the
// published rows.
//
// Study tables lie under data/<study id>/<table>.csv, or, when someone has put a
// single study's tables straight under data/, there: such a file is taken only if
// it has just the rows and columns that the row's description states, since every
// study names its tables alike.
package biodsbench

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"path"
	"strings"
	"text/template"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/pysrc"
	"github.com/medgym-data/medgym-data/schemas"
)

//go:embed prompts/*.tmpl
var prompts embed.FS

// Adapter is the BioDSBench source. It is safe for concurrent use.
type Adapter struct {
	instruction *template.Template
}

// New makes the adapter.
func New() datasets.Adapter {
	return &Adapter{instruction: template.Must(template.ParseFS(prompts, "prompts/instruction.tmpl"))}
}

var (
	_ datasets.Grader      = (*Adapter)(nil)
	_ datasets.Furnisher   = (*Adapter)(nil)
	_ datasets.Referencer  = (*Adapter)(nil)
	_ datasets.Synthesizer = (*Adapter)(nil)
)

const (
	trainFile = "train_tasks.jsonl"
	testFile  = "test_tasks.jsonl"
)

// Spec implements datasets.Adapter.
func (*Adapter) Spec() datasets.Spec {
	return datasets.Spec{
		ID:           "biodsbench",
		Name:         "BioDSBench",
		Summary:      "Analyses of published cancer studies, judged by assertions on the variables that they leave.",
		Reference:    "Wang et al. 2024, arXiv:2410.21591",
		Domain:       "Bioinfo",
		Kind:         "open-ended",
		Distribution: "in",
		Categories:   12,
		License:      "MIT",
		Tier:         schemas.TierOpen,
		Full:         datasets.Counts{Train: 50, Test: 49},
		Leaderboard:  datasets.Counts{Train: 50, Test: 49},
		Release:      datasets.Counts{Train: 50, Test: 49},
		Actions:      []string{schemas.ActionCodeExecution, schemas.ActionDebugging, schemas.ActionTerminal},
		Layouts: []datasets.Layout{{
			ID:   "medagentgym",
			Help: "the MedAgentGym download: data/biodsbench",
			Files: []datasets.LayoutFile{
				{Pattern: trainFile, Split: schemas.SplitTrain, Role: datasets.RoleRows, Help: "training rows"},
				{Pattern: testFile, Split: schemas.SplitTest, Role: datasets.RoleRows, Help: "test rows"},
				{Pattern: "data/*/*.csv", Role: datasets.RoleResource, Optional: true, Help: "tables by study: data/<study id>/<table>.csv"},
				{Pattern: "data/*.csv", Role: datasets.RoleResource, Optional: true, Help: "tables of a single study"},
			},
		}},
		AdapterVersion: "1",
		GraderVersion:  "1",
	}
}

// row is a raw row. CodeHistories is a Python literal: the list of programs that
// came before; the task continues from the last.
type row struct {
	Queries         *string `json:"queries"`
	CotInstructions *string `json:"cot_instructions"`
	Dataframes      *string `json:"dataframes"`
	ChatHistories   *string `json:"chat_histories"`
	CodeHistories   *string `json:"code_histories"`
	ReferenceCodes  *string `json:"reference_codes"`
	ReferenceAnswer *string `json:"reference_answer"`
	TestCases       *string `json:"test_cases"`
	StudyIDs        *string `json:"study_ids"`
	QuestionIDs     *string `json:"question_ids"`
}

// answer is Task.Answer: what session and grader need and the agent may not see.
type answer struct {
	Tests   string   `json:"tests"`
	Prefix  string   `json:"prefix,omitempty"`
	Results []result `json:"results"`          // variables of the agent that the tests read
	Tables  []string `json:"tables,omitempty"` // study tables that the tests read by name, loaded afresh
}

// result is a variable that crosses from the agent's sandbox to the tests'.
type result struct {
	Name  string   `json:"name"`
	Attrs []string `json:"attrs,omitempty"`
}

// Normalize implements datasets.Adapter.
func (a *Adapter) Normalize(ctx context.Context, raw datasets.Raw, emit datasets.Emitter) error {
	tables := newTables(raw)
	build := func(_ *datasets.Row, r row) (schemas.Task, error) { return a.task(tables, r) }
	return datasets.EachFile(ctx, raw, a.Spec(), emit, build)
}

func (a *Adapter) task(tables *tables, r row) (schemas.Task, error) {
	if err := datasets.RequireText(datasets.Text{Name: "queries", Value: r.Queries}, datasets.Text{Name: "dataframes", Value: r.Dataframes},
		datasets.Text{Name: "test_cases", Value: r.TestCases}, datasets.Text{Name: "reference_answer", Value: r.ReferenceAnswer},
		datasets.Text{Name: "study_ids", Value: r.StudyIDs}, datasets.Text{Name: "question_ids", Value: r.QuestionIDs}); err != nil {
		return schemas.Task{}, err
	}
	// These may be blank: a row without a hint, or without programs before it.
	for _, f := range []datasets.Text{{Name: "cot_instructions", Value: r.CotInstructions}, {Name: "code_histories", Value: r.CodeHistories}} {
		if f.Value == nil {
			return schemas.Task{}, datasets.Rejectf(datasets.ReasonMissingField, "no field %q", f.Name)
		}
	}
	study := strings.TrimSpace(*r.StudyIDs)
	if study != path.Base(path.Clean(study)) || study == "." || study == ".." {
		return schemas.Task{}, datasets.Rejectf(datasets.ReasonBadValue, "field \"study_ids\" is no folder name")
	}
	history, err := pysrc.StringList(*r.CodeHistories)
	if err != nil {
		return schemas.Task{}, datasets.Rejectf(datasets.ReasonBadValue, "field \"code_histories\": %v", err)
	}
	ans := answer{Tests: *r.TestCases}
	if len(history) > 0 {
		ans.Prefix = strings.TrimSpace(history[len(history)-1])
	}
	described := describedTables(*r.Dataframes)
	needed := neededTables(described, ans.Prefix, *r.ReferenceAnswer, ans.Tests)
	ans.Results, ans.Tables = testNames(ans.Tests, needed)
	text, err := datasets.Canonical(ans)
	if err != nil {
		return schemas.Task{}, err
	}
	task := schemas.Task{
		Category:   study,
		Question:   strings.TrimSpace(*r.Queries),
		Context:    strings.TrimSpace(*r.Dataframes),
		AnswerType: schemas.AnswerAssertions,
		Answer:     text,
		Gold:       *r.ReferenceAnswer,
		GoldKind:   schemas.GoldPython,
		Status:     schemas.StatusReady,
	}
	task.Instruction, err = a.instruct(task, strings.TrimSpace(*r.CotInstructions), ans)
	if err != nil {
		return schemas.Task{}, err
	}
	var missing []string
	for _, name := range needed {
		resource, ok, err := tables.find(study, name, described)
		if err != nil {
			return schemas.Task{}, err
		}
		if !ok {
			missing = append(missing, name)
		}
		task.Resources = append(task.Resources, resource)
	}
	var reasons []string
	if why := ungradable(ans); why != "" {
		task.Status = schemas.StatusUngradable
		reasons = append(reasons, why)
	}
	if len(missing) > 0 {
		task.Status = schemas.StatusMissingResources
		reasons = append([]string{fmt.Sprintf("tables of study %s are not in data/%s: %s", study, study, strings.Join(missing, ", "))}, reasons...)
	}
	task.StatusReason = strings.Join(reasons, "; ")
	return task, nil
}

func (a *Adapter) instruct(task schemas.Task, plan string, ans answer) (string, error) {
	data := struct {
		Query, Plan, Tables, Prefix string
		Names                       []string
	}{Query: task.Question, Plan: plan, Tables: task.Context, Prefix: ans.Prefix}
	for _, r := range ans.Results {
		data.Names = append(data.Names, r.Name)
	}
	var out bytes.Buffer
	if err := a.instruction.Execute(&out, data); err != nil {
		return "", fmt.Errorf("instruction: %w", err)
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

func readAnswer(task schemas.Task) (answer, error) {
	var ans answer
	if err := json.Unmarshal([]byte(task.Answer), &ans); err != nil {
		return answer{}, fmt.Errorf("task %s: answer is not one of this source: %w", task.TaskID, err)
	}
	if ans.Tests == "" {
		return answer{}, fmt.Errorf("task %s: %w", task.TaskID, errors.New("no test code"))
	}
	return ans, nil
}
