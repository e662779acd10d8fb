package biodsbench

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/grading"
	"github.com/medgym-data/medgym-data/schemas"
)

//go:embed judge.py
var judge string

// seed of every grading run.
const seed = 20241028

// Grade implements datasets.Grader.
//
// Strict: the assertions run in a fresh sandbox on the values that the agent's
// program left, handed over as plain data, and on the study's tables. Each
// assertion must have been reached and have held. Only lifelines' curves and
// matplotlib's bars are rebuilt, from the few attributes that assertions read; any
// other object stays behind, and a test that needs it fails. An error means that
// the tests themselves cannot be run.
//
// Upstream: the program and the assertions run as one program, which passes when
// it ends without an error, so one that leaves early passes too.
func (a *Adapter) Grade(ctx context.Context, task schemas.Task, sub datasets.Submission, run datasets.Runner) (datasets.Verdict, error) {
	ans, err := readAnswer(task)
	if err != nil {
		return datasets.Verdict{}, err
	}
	if why := ungradable(ans); why != "" {
		return datasets.Verdict{}, fmt.Errorf("task %s: %w", task.TaskID, &datasets.GoldError{Reason: "ungradable"})
	}
	if sub.Status != "ok" {
		return datasets.Verdict{Reason: "run_" + sub.Status}, nil
	}
	files := make([]datasets.File, 0, len(task.Resources))
	for _, r := range task.Resources {
		if r.Path == "" {
			return datasets.Verdict{}, fmt.Errorf("task %s: %s is missing", task.TaskID, r.Name)
		}
		files = append(files, datasets.File{Path: r.Name, RawName: r.Path})
	}
	verdict, err := a.strict(ctx, task, ans, sub, files, run)
	if err != nil {
		return datasets.Verdict{}, err
	}
	out, err := run.Run(ctx, datasets.Program{Code: program(ans, sub.Code) + "\n" + ans.Tests, Files: files, Seed: seed})
	if err != nil {
		return datasets.Verdict{}, fmt.Errorf("task %s: run program and tests: %w", task.TaskID, err)
	}
	if out.Status == "ok" {
		verdict.Upstream = 1
	}
	return verdict, nil
}

// judged is what judge.py says.
type judged struct {
	Tag     string `json:"tag"`
	Asserts int    `json:"asserts"`
	Passed  int    `json:"passed"`
	Error   string `json:"error"`
}

func (a *Adapter) strict(ctx context.Context, task schemas.Task, ans answer, sub datasets.Submission, files []datasets.File, run datasets.Runner) (datasets.Verdict, error) {
	tag := rand.Text()
	captured := [][2]any{}
	for _, r := range ans.Results {
		raw := sub.Captured[r.Name]
		if raw == nil {
			return datasets.Verdict{Reason: "result_not_set"}, nil
		}
		value, reason := plainValue(raw, tag)
		if reason != "" {
			return datasets.Verdict{Reason: reason}, nil
		}
		captured = append(captured, [2]any{r.Name, value})
	}
	inject := map[string]datasets.RawValue{}
	for name, value := range map[string]any{
		"tests":    ans.Tests,
		"imports":  append([]string{}, missingImports(ans.Tests)...),
		"tables":   append([]string{}, ans.Tables...),
		"captured": map[string]any{"$": "dict", "v": captured},
		"tag":      tag,
	} {
		data, err := json.Marshal(value)
		if err != nil {
			return datasets.Verdict{}, fmt.Errorf("task %s: %w", task.TaskID, err)
		}
		inject[name] = data
	}
	out, err := run.Run(ctx, datasets.Program{Code: judge, Files: files, Inject: inject, Seed: seed})
	if err != nil {
		return datasets.Verdict{}, fmt.Errorf("task %s: run the tests: %w", task.TaskID, err)
	}
	switch out.Status {
	case "ok":
	case "error":
		return datasets.Verdict{}, fmt.Errorf("task %s: the tests could not be run: %s", task.TaskID, out.Error)
	default: // values so large or so odd that asserting on them hits a limit
		return datasets.Verdict{Reason: "tests_" + out.Status}, nil
	}
	var text string
	var said judged
	if err := json.Unmarshal(out.Answer, &text); err != nil {
		return datasets.Verdict{}, fmt.Errorf("task %s: the tests gave no verdict: %w", task.TaskID, err)
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil || said.Tag != tag {
		return datasets.Verdict{}, fmt.Errorf("task %s: the tests gave no verdict of this run", task.TaskID)
	}
	switch {
	case slices.Contains([]string{"ImportError", "ModuleNotFoundError", "FileNotFoundError"}, said.Error):
		// no value does this: the environment lacks what the tests need
		return datasets.Verdict{}, fmt.Errorf("task %s: the tests could not be run: %s", task.TaskID, said.Error)
	case said.Error == "AssertionError":
		return datasets.Verdict{Reason: "assertion_failed"}, nil
	case said.Error != "":
		return datasets.Verdict{Reason: "tests_raised_" + said.Error}, nil
	case said.Asserts == 0 || said.Passed != said.Asserts:
		return datasets.Verdict{Reason: "assertion_not_reached"}, nil
	}
	return datasets.Verdict{Reward: 1, Reason: "assertions_hold"}, nil
}

// The objects that judge.py rebuilds, by the type that the codec names.
var rebuilt = map[string]string{
	"lifelines.fitters.kaplan_meier_fitter.KaplanMeierFitter": "curve",
	"matplotlib.container.BarContainer":                       "bars",
}

// plainValue makes of a captured value one that the grading sandbox can be given:
// known objects become dicts that carry the tag, what else is no plain data
// becomes None inside a container and is refused at the top.
func plainValue(raw datasets.RawValue, tag string) (value any, reason string) {
	if _, err := grading.Parse(raw); err != nil {
		return nil, "result_malformed"
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // 12.0 must stay a float
	if err := decoder.Decode(&value); err != nil {
		return nil, "result_malformed"
	}
	value, ok := plain(value, tag)
	if !ok {
		return nil, "result_not_plain_data"
	}
	return value, ""
}

func plain(value any, tag string) (any, bool) {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i], _ = plain(v[i], tag)
		}
	case map[string]any:
		switch v["$"] {
		case "opaque":
			return nil, false
		case "object":
			name, _ := v["type"].(string)
			attrs, _ := v["attrs"].(map[string]any)
			kind := rebuilt[name]
			if kind == "" || attrs == nil || kind == "bars" && attrs[barsAttr] == nil {
				return nil, false
			}
			pairs := [][2]any{}
			for _, name := range slices.Sorted(maps.Keys(attrs)) {
				attr, _ := plain(attrs[name], tag)
				pairs = append(pairs, [2]any{name, attr})
			}
			return map[string]any{"$": "dict", "v": [][2]any{
				{tag, kind},
				{"attrs", map[string]any{"$": "dict", "v": pairs}},
			}}, true
		}
		for key, entry := range v {
			v[key], _ = plain(entry, tag)
		}
	}
	return value, true
}
