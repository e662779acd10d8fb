// Package biocoder reads BioCoder: Python functions and methods from open
// bioinformatics projects, each with the program around it, whose output tells
// whether the function is right.
//
// Tang et al., "BioCoder: a benchmark for bioinformatics code generation with
// large language models", Bioinformatics 40 (2024), in the selection that
// MedAgentGym publishes (arXiv 2506.04405).
//
// The paper counts eight categories and names none of them, and the rows carry no
// topic; guessing one from words in the text would be noise. The category here is
// what stands in the gap, which the row does tell: function, method, property,
// staticmethod or classmethod.
package biocoder

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/pysrc"
	"github.com/medgym-data/medgym-data/schemas"
)

//go:embed prompts/*.tmpl
var prompts embed.FS

// Adapter is the BioCoder source. It is safe for concurrent use: it keeps the
// outputs of gold programs, so that each is run once for many submissions.
type Adapter struct {
	instruction *template.Template
	golds       *goldCache
}

// New makes the adapter.
func New() datasets.Adapter {
	return &Adapter{
		instruction: template.Must(template.ParseFS(prompts, "prompts/instruction.tmpl")),
		golds:       newGoldCache(),
	}
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

	layoutGym     = "medagentgym"
	layoutRelease = "release"
	publicFile    = "python_public.json"
	hiddenFile    = "python_hidden.json"
	withTexts     = "biocoder.json"
)

// Spec implements datasets.Adapter.
func (*Adapter) Spec() datasets.Spec {
	return datasets.Spec{
		ID:           "biocoder",
		Name:         "BioCoder",
		Summary:      "Bioinformatics functions and methods to write into a given program, judged by what the program then prints.",
		Reference:    "Tang et al. 2024, doi:10.1093/bioinformatics/btae230",
		Domain:       "Bioinfo",
		Kind:         "open-ended",
		Distribution: "in",
		Categories:   8,
		License:      "CC-BY-4.0",
		Tier:         schemas.TierOpen,
		Full:         datasets.Counts{Train: 981, Test: 157},
		Leaderboard:  datasets.Counts{Train: 981, Test: 156},
		Release:      datasets.Counts{Train: 981, Test: 157},
		Actions:      []string{schemas.ActionCodeExecution, schemas.ActionDebugging, schemas.ActionTerminal},
		Layouts: []datasets.Layout{{
			ID:   layoutGym,
			Help: "the MedAgentGym download: data/biocoder",
			Files: []datasets.LayoutFile{
				{Pattern: trainFile, Split: schemas.SplitTrain, Role: datasets.RoleRows, Optional: true, Help: "training rows"},
				{Pattern: testFile, Split: schemas.SplitTest, Role: datasets.RoleRows, Help: "test rows"},
			},
		}, {
			ID:   layoutRelease,
			Help: "the files of BioCoder's repository, datasets/, and of its page on Hugging Face",
			Files: []datasets.LayoutFile{
				{Pattern: publicFile, Split: schemas.SplitTest, Role: datasets.RoleRows, Optional: true, Help: "public functions; the repository's file has no texts, which makes no tasks"},
				{Pattern: hiddenFile, Split: schemas.SplitTrain, Role: datasets.RoleRows, Optional: true, Help: "hidden functions; the same holds"},
				{Pattern: withTexts, Split: schemas.SplitTest, Role: datasets.RoleRows, Optional: true, Help: "public functions with their texts"},
				{Pattern: "python_similar.json", Role: datasets.RoleIgnored, Optional: true, Help: "a sample of the hidden functions"},
				{Pattern: "java_*.json", Role: datasets.RoleIgnored, Optional: true, Help: "functions in Java"},
				{Pattern: "rosalind.json", Role: datasets.RoleIgnored, Optional: true, Help: "programs without tasks"},
				{Pattern: "test_combined.json", Role: datasets.RoleIgnored, Optional: true, Help: "an earlier form of biocoder.json"},
				{Pattern: "Prompts.zip", Role: datasets.RoleIgnored, Optional: true, Help: "prompts of the benchmark's own"},
			},
		}},
		AdapterVersion: "2",
		GraderVersion:  "2",
	}
}

// row is a raw row. Code is the program with the solution in the gap, as the
// public release runs it.
type row struct {
	Idx       *string `json:"idx"`
	Problem   *string `json:"problem"`
	Solution  *string `json:"solution"`
	Context   *string `json:"context"`
	Signature *string `json:"signature"`
	Code      *string `json:"code"`
}

// answer is Task.Answer: what the grader needs beside Task.Context and Task.Gold.
type answer struct {
	Function string `json:"function"`
	// Code is the release's own program with the solution; empty where it is the
	// context with the solution put into the gap, as in every published row.
	Code string `json:"code,omitempty"`
}

// Normalize implements datasets.Adapter.
func (a *Adapter) Normalize(ctx context.Context, raw datasets.Raw, emit datasets.Emitter) error {
	if raw.Layout() == layoutRelease {
		return a.release(ctx, raw, emit)
	}
	return datasets.EachFile(ctx, raw, a.Spec(), emit, a.task)
}

func (a *Adapter) task(_ *datasets.Row, r row) (schemas.Task, error) {
	if err := datasets.RequireText(datasets.Text{Name: "idx", Value: r.Idx}, datasets.Text{Name: "problem", Value: r.Problem},
		datasets.Text{Name: "solution", Value: r.Solution}, datasets.Text{Name: "context", Value: r.Context},
		datasets.Text{Name: "signature", Value: r.Signature}, datasets.Text{Name: "code", Value: r.Code}); err != nil {
		return schemas.Task{}, err
	}
	context, solution := unixLines(*r.Context), unixLines(*r.Solution)
	if n := strings.Count(context, marker); n != 1 {
		return schemas.Task{}, datasets.Rejectf(datasets.ReasonBadValue, "field \"context\" has %d gaps, not one", n)
	}
	function, decorator := readSignature(*r.Signature)
	if function == "" {
		return schemas.Task{}, datasets.Rejectf(datasets.ReasonBadValue, "field \"signature\" names no function")
	}
	indent := gapIndent(context)
	ans := answer{Function: function}
	if code := unixLines(*r.Code); code != releaseSplice(context, solution) {
		ans.Code = code
	}
	text, err := datasets.Canonical(ans)
	if err != nil {
		return schemas.Task{}, err
	}
	instruction, err := a.instruct(strings.TrimSpace(*r.Problem), context, strings.TrimSpace(*r.Signature), indent)
	if err != nil {
		return schemas.Task{}, err
	}
	task := schemas.Task{
		Question:    strings.TrimSpace(*r.Problem),
		Context:     context,
		Instruction: instruction,
		Category:    category(indent, decorator),
		AnswerType:  schemas.AnswerProgramOutput,
		Answer:      text,
		Gold:        solution,
		GoldKind:    schemas.GoldPython,
		Status:      schemas.StatusReady,
	}
	switch {
	case redefined(context, function):
		task.Status = schemas.StatusUngradable
		task.StatusReason = "the program defines the function again below the gap, so no submission is ever run"
	case definedBefore(context, function) && !extends(*r.Signature, function):
		task.Status = schemas.StatusUngradable
		task.StatusReason = "the program defines the function above the gap already, so a submission that does nothing may pass"
	case !strings.HasPrefix(function, "__") && !mentions(context, function):
		task.Status = schemas.StatusUngradable
		task.StatusReason = "the program never uses the function, so no submission makes a difference"
	}
	return task, nil
}

func (a *Adapter) instruct(problem, context, signature, indent string) (string, error) {
	data := struct {
		Problem, Context, Signature, Marker, What, Noun string
		Indented                                        bool
	}{
		Problem: problem, Context: strings.TrimRight(context, "\n"), Signature: signature, Marker: marker,
		What: "Write a Python function", Noun: "function",
	}
	if indent != "" {
		data.What, data.Noun, data.Indented = "Write a method of the class that the gap is in,", "method", true
	}
	var out bytes.Buffer
	if err := a.instruction.Execute(&out, data); err != nil {
		return "", fmt.Errorf("instruction: %w", err)
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// readSignature finds the function's name and its built-in decorator, if any.
func readSignature(signature string) (function, decorator string) {
	tokens := pysrc.Tokenize(signature)
	for i, tok := range tokens {
		next := ""
		if i+1 < len(tokens) && tokens[i+1].Kind == pysrc.Name {
			next = tokens[i+1].Text
		}
		switch tok.Text {
		case "@":
			switch next {
			case "property", "staticmethod", "classmethod":
				decorator = next
			}
		case "def":
			return next, decorator
		}
	}
	return "", decorator
}

func category(indent, decorator string) string {
	switch {
	case decorator != "":
		return decorator
	case indent != "":
		return "method"
	default:
		return "function"
	}
}

func readAnswer(task schemas.Task) (answer, error) {
	var ans answer
	if err := json.Unmarshal([]byte(task.Answer), &ans); err != nil {
		return answer{}, fmt.Errorf("task %s: answer is not one of this source: %w", task.TaskID, err)
	}
	if ans.Function == "" || task.Context == "" || task.Gold == "" {
		return answer{}, fmt.Errorf("task %s: %w", task.TaskID, errors.New("function, context or gold is missing"))
	}
	return ans, nil
}
