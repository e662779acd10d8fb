package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// ended makes rows that ended so.
func ended(outcomes ...string) (rows []schemas.Trajectory) {
	for _, o := range outcomes {
		rows = append(rows, schemas.Trajectory{Outcome: o})
	}
	return rows
}

// acted is a row with steps that are each written as "action status".
func acted(steps ...string) []schemas.Trajectory {
	row := schemas.Trajectory{Outcome: schemas.OutcomeTurnLimit}
	for _, s := range steps {
		action, status, _ := strings.Cut(s, " ")
		row.Steps = append(row.Steps, schemas.Step{Action: action, Status: status})
	}
	return []schemas.Trajectory{row}
}

func TestChecks(t *testing.T) {
	limit, infra := schemas.OutcomeTokenLimit, schemas.OutcomeInfraError
	talked := func(protocol, step string, messages ...schemas.ChatMessage) result {
		rows := acted(step)
		rows[0].Policy.Protocol, rows[0].Messages = protocol, messages
		return result{rows: rows}
	}
	call, answer := schemas.ChatMessage{Role: "assistant", ToolCallsJSON: "[]"}, schemas.ChatMessage{Role: "tool"}
	for name, tt := range map[string]struct {
		faults []string
		want   string // a part of the only fault; empty: none
	}{
		"sampled":                       {sampled(kind{}, result{rows: ended(limit, schemas.OutcomeParseFailure)}), ""},
		"a fault graded":                {sampled(kind{}, result{rows: ended(limit, infra)}), "1 infra_error"},
		"the rollout failed":            {sampled(kind{}, result{exit: 1, message: "disk"}), "exit code 1: disk"},
		"executed":                      {executed(result{rows: acted("code_execution ok", "code_execution error", "terminal ok")}), ""},
		"no command ran":                {executed(result{rows: acted("code_execution ok", "terminal error")}), "no terminal"},
		"called":                        {called(talked("tools", "terminal error", call, answer)), ""},
		"never called":                  {called(talked("tools", "terminal ok", schemas.ChatMessage{Role: "assistant"})), "0 turns with calls"},
		"called, not answered":          {called(talked("tools", "terminal ok", call)), "0 answers"},
		"called, nothing ran":           {called(talked("tools", "terminal "+rollout.StepInvalid, call, answer)), "0 that ran"},
		"another protocol":              {called(talked("json", "terminal ok", call, answer)), `"json"`},
		"short":                         {short(kind{}, result{rows: ended(limit, limit), asked: 2}), ""},
		"short, asked again":            {short(kind{}, result{rows: ended(limit, limit), asked: 3}), "3 requests"},
		"short, another end":            {short(kind{}, result{rows: ended(limit, schemas.OutcomeFailed), asked: 2}), "1 of 2"},
		"short, of one that cuts":       {short(kind{cutsPrompts: true}, result{rows: ended(schemas.OutcomeFailed), asked: 9}), ""},
		"short, a fault of one so":      {short(kind{cutsPrompts: true}, result{rows: ended(infra)}), "1 infra_error"},
		"misnamed":                      {misnamed(kind{}, result{exit: 3, message: "no such model"}), ""},
		"misnamed, another exit code":   {misnamed(kind{}, result{exit: 1, message: "no such model"}), "exit code 1"},
		"misnamed, several lines":       {misnamed(kind{}, result{exit: 3, message: "a\nb"}), "one line"},
		"misnamed, where all names do":  {misnamed(kind{anyModel: true}, result{rows: ended(limit)}), ""},
		"misnamed, a fault of one such": {misnamed(kind{anyModel: true}, result{exit: 3}), "exit code 3"},
	} {
		switch {
		case tt.want == "" && len(tt.faults) > 0, tt.want != "" && (len(tt.faults) != 1 || !strings.Contains(tt.faults[0], tt.want)):
			t.Errorf("%s: %q, want %q", name, tt.faults, tt.want)
		}
	}
}

func TestTally(t *testing.T) {
	if got := tally(map[string]int{"failed": 1, "loop": 7, "solved": 1}); got != "loop 7, failed 1, solved 1" {
		t.Error(got)
	}
}

func TestChoose(t *testing.T) {
	for name, tt := range map[string]struct {
		o              options
		servers, tries int // 0: an error
	}{
		"one":       {options{server: "llama", rows: 1, attempts: 1}, 1, len(trials)},
		"all":       {options{server: "all", rows: 1, attempts: 1}, len(kinds), len(trials)},
		"one trial": {options{server: "all", trial: "tools", rows: 1, attempts: 1}, len(kinds), 1},
		"no server": {options{server: "vllm", rows: 1, attempts: 1}, 0, 0},
		"no trial":  {options{server: "llama", trial: "x", rows: 1, attempts: 1}, 0, 0},
		"no rows":   {options{server: "llama", attempts: 1}, 0, 0},
	} {
		servers, tries, err := tt.o.choose()
		if len(servers) != tt.servers || len(tries) != tt.tries || (err == nil) != (tt.servers > 0) {
			t.Errorf("%s: %d servers, %d trials, %v", name, len(servers), len(tries), err)
		}
	}
}

// TestBodies: what goes into --extra-body is an object.
func TestBodies(t *testing.T) {
	for name, body := range map[string]string{"actions": actionsFormat, "llama": llamaCalls, "ollama": ollamaCalls} {
		var object map[string]any
		if err := json.Unmarshal([]byte(body), &object); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExtract(t *testing.T) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "a.tar.gz")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	zipped := gzip.NewWriter(f)
	files := tar.NewWriter(zipped)
	for name, text := range map[string]string{"a-1/x/other.h": "other", "a-1/x/y.h": "text"} {
		err = errors.Join(err, files.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))}))
		_, werr := files.Write([]byte(text))
		err = errors.Join(err, werr)
	}
	if err := errors.Join(err, files.Close(), zipped.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "include", "y.h")
	if err := extract(archive, "/x/y.h", to); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(to); err != nil || string(text) != "text" {
		t.Errorf("%q %v", text, err)
	}
	if extract(archive, "/z.h", to) == nil {
		t.Error("a file that is not there: no error")
	}
}
