package replay

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets/all"
	"github.com/medgym-data/medgym-data/pipeline/jsonl"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
)

const ask = "Write a python code to solve the given question. Use the variable 'answer' to store the answer of the code.\nQuestion: %v\n"

// goals are what the public release's agent is asked, by source, made of a raw row as its
// task classes do.
var goals = map[string]func(r map[string]any) string{
	"mimic_iii":    func(r map[string]any) string { return fmt.Sprintf(ask, r["template"]) },
	"eicu":         func(r map[string]any) string { return fmt.Sprintf(ask, r["template"]) },
	"treqs":        func(r map[string]any) string { return fmt.Sprintf(ask, r["question"]) },
	"medcalcbench": func(r map[string]any) string { return fmt.Sprintf(ask, r["Question"]) },
	"medagentbench": func(r map[string]any) string {
		question := r["instruction"].(string)
		if context, _ := r["context"].(string); context != "" {
			question += context
		}
		return "You are an expert in using FHIR functions to assist medical professionals.\n…\nQuestion: " + question + "\n. The FHIR server base URL is http://localhost:8080/fhir/. Do not directly write the GET and POST requests.\n        "
	},
	"biocoder":   func(r map[string]any) string { return r["problem"].(string) },
	"ehrshot":    func(r map[string]any) string { return r["task_description"].(string) },
	"biodsbench": func(r map[string]any) string { return r["queries"].(string) + "\n" + r["cot_instructions"].(string) },
	"ehr_seqsql": func(r map[string]any) string {
		return fmt.Sprintf(ask, r["seed_question"].(string)+r["question"].(string))
	},
	"mimic_extract": func(r map[string]any) string { return r["task_description"].(string) },
	"npowerai": func(r map[string]any) string {
		return fmt.Sprintf("Write a python code to solve the a statistic question. Use the variable 'answer' to store the answer of the code.\nQuestion: %v\n", r["question"])
	},
	"ehrcon": func(r map[string]any) string {
		return fmt.Sprintf(ask, fmt.Sprintf("\n            For a given admission id %v and the corresponding medical entity %v, identify if there is any inconsistency between the database and the clinical note. Return the answer as a boolean value\n        ", r["Hospital admission"], r["Medical entity"]))
	},
}

// TestEverySource: a recording of the public release is matched with its task, by its
// index and what it asks, for every source; and with no other.
func TestEverySource(t *testing.T) {
	registry := all.Registry()
	c := runtest.Synthetic(t, registry, 3)
	catalog := catalogOf(t, c.Tasks, c)
	rows := map[string]map[int64]map[string]any{}
	byQuestion := map[string]int{}
	for _, task := range c.Tasks {
		path := filepath.Join(c.Raw, task.Source, filepath.FromSlash(task.RawFile))
		if rows[path] == nil {
			rows[path] = map[int64]map[string]any{}
			err := jsonl.ReadFile(t.Context(), path, jsonl.Options{}, func(line jsonl.Line) error {
				var row map[string]any
				err := json.Unmarshal(line.Data, &row)
				rows[path][line.Number] = row
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		goal := goals[task.Source]
		if goal == nil {
			t.Fatalf("source %s: how does the public release ask?", task.Source)
		}
		opening := "You are a biomedical expert.\n- No additional text or formatting allowed\n" + goal(rows[path][*task.RawLine])
		h := hint{task.Source, task.Split, *task.RawLine - 1}
		if n, how := catalog.match("", opening, h); n < 0 || catalog.tasks[n].id != task.TaskID || how != ByIndex {
			t.Errorf("%s, by index: %s", task.TaskID, how)
		}
		if n, how := catalog.match("", opening, hint{index: -1}); n >= 0 && catalog.tasks[n].id != task.TaskID {
			t.Errorf("%s, by question: matched with %s", task.TaskID, catalog.tasks[n].id)
		} else if n >= 0 {
			byQuestion[task.Source]++
		} else if how != Ambiguous {
			t.Errorf("%s, by question: %s", task.TaskID, how)
		}
		h.index++
		if n, how := catalog.match("", opening, h); n >= 0 && catalog.tasks[n].id == task.TaskID && how != ByQuestion {
			t.Errorf("%s: matched by the index of another row, %s", task.TaskID, how)
		}
	}
	for _, source := range []string{"mimic_iii", "eicu", "treqs", "npowerai", "medagentbench", "ehrcon"} {
		if byQuestion[source] == 0 {
			t.Errorf("%s: no task is known by its question", source)
		}
	}
	// The patient's note is no part of what the public release asks.
	if byQuestion["medcalcbench"] != 0 {
		t.Error("a task of medcalcbench is known by a question that leaves out its note")
	}
}

// catalogOf is the catalog of tasks.
func catalogOf(t testing.TB, tasks []schemas.Task, c runtest.Corpus) *catalog {
	t.Helper()
	dir := t.TempDir()
	rows := func(yield func(schemas.Task, error) bool) {
		for _, task := range tasks {
			if !yield(task, nil) {
				return
			}
		}
	}
	if _, err := pq.WriteShards(t.Context(), dir, "all", rows, pq.Options{}); err != nil {
		t.Fatal(err)
	}
	out, err := loadTasks(t.Context(), dir, c.Registry)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMatch(t *testing.T) {
	task := func(source, split string, line int64, file, question, context string) schemas.Task {
		return schemas.Task{TaskID: fmt.Sprintf("%s/%s/%d", source, split, line), Source: source, Split: split, Question: question, Context: context,
			RawFile: file, RawLine: &line, Status: schemas.StatusReady, AccessTier: schemas.TierOpen}
	}
	const train, test = "train_tasks.jsonl", "sub/test_tasks.jsonl.gz"
	c := catalogOf(t, []schemas.Task{
		task("a", "train", 1, train, "How many patients?", ""),
		task("a", "train", 2, train, "How many patients? Since\n 2100?", ""),
		task("a", "test", 1, test, "Count them.", ""),
		task("b", "test", 1, test, "Count them.", ""),
		task("b", "test", 2, test, "What is the score?", "A note about Ann."),
		task("b", "test", 3, test, "What is the score?", "A note about Bob."),
		task("b", "train", 1, "train.json", "How old is the patient?", ""),
		task("b", "train", 2, "train.json", "Line one of two.\nLine two.", ""),
		task("b", "train", 3, "train.json", "Line one of two.", ""),
	}, runtest.Corpus{})
	none := hint{index: -1}
	for _, tt := range []struct {
		name, id, opening string
		hint              hint
		want, how         string
	}{
		{"id", "b/test/3", "Count them.", none, "b/test/3", ByID},
		{"id of no task", "b/test/9", "How many patients?", none, "", UnknownTask},
		{"question", "", "Question: How many patients?", none, "a/train/1", ByQuestion},
		{"white space does not count", "", "system\n\n  Question:  How  many\tpatients?  \nmore", none, "a/train/1", ByQuestion},
		{"question over lines", "", "How many patients? Since\n2100?", none, "a/train/2", ByQuestion},
		{"a longer question of no task", "", "How many patients? Since 2101?", none, "", NoTask},
		{"the beginning of a line", "", "Say: How many patients?", none, "", NoTask},
		{"a longer one holds a shorter one", "", "Line one of two.\nLine two.", none, "b/train/2", ByQuestion},
		{"two questions", "", "How many patients?\nHow old is the patient?", none, "", Ambiguous},
		{"two questions and an index", "", "How many patients?\nHow many patients? Since 2100?", hint{"a", "train", 1}, "a/train/2", ByIndex},
		{"two sources", "", "Count them.", none, "", Ambiguous},
		{"two sources, one is named", "", "Count them.", hint{"b", "", -1}, "b/test/1", ByQuestion},
		{"the context tells", "", "A note about Bob.\nQuestion: What is the score?", none, "b/test/3", ByQuestion},
		{"the context is left out", "", "Question: What is the score?", none, "", Ambiguous},
		{"the index tells", "", "Question: What is the score?", hint{"b", "test", 1}, "b/test/2", ByIndex},
		{"index and question disagree", "", "How many patients?", hint{"a", "train", 1}, "", Disagrees},
		{"index of a row that there is not", "", "How many patients?", hint{"a", "train", 7}, "a/train/1", ByQuestion},
		{"index of another split", "", "How many patients?", hint{"a", "test", 0}, "", Disagrees},
		{"an index alone", "", "", hint{"a", "train", 0}, "", Disagrees},
		{"rows of a benchmark's own file are not counted", "", "How old is the patient?", hint{"b", "train", 1}, "b/train/1", ByQuestion},
		{"index without source", "", "Count them.", hint{"", "test", 0}, "", Ambiguous},
		{"nothing", "", "", none, "", NoTask},
	} {
		n, how := c.match(tt.id, tt.opening, tt.hint)
		got := ""
		if n >= 0 {
			got = c.tasks[n].id
		}
		if got != tt.want || how != tt.how {
			t.Errorf("%s: %q by %s, want %q by %s", tt.name, got, how, tt.want, tt.how)
		}
	}
}

// FuzzMatch: a task is found by its question whatever stands before and behind it, and
// a text that does not hold it never leads to it.
func FuzzMatch(f *testing.F) {
	f.Add("before", "What is asked here?", "behind")
	f.Add("Question:", "Count\nthem.", "")
	f.Fuzz(func(t *testing.T, before, question, behind string) {
		c := &catalog{byID: map[string]int32{}, byRow: map[rowKey][]int32{}, byHead: map[string][]phrase{}}
		text := compact(question)
		if text == "" { // a task asks something
			return
		}
		c.tasks = []known{{id: "t", phrases: []string{text}}}
		c.byHead[text[:min(len(text), headBytes)]] = []phrase{{text, 0}}
		for _, opening := range []string{before + "\n" + question + "\n" + behind, before + "\n" + marker + question + "\n" + behind} {
			if n, how := c.match("", opening, hint{index: -1}); n != 0 || how != ByQuestion {
				t.Errorf("%q is not found in %q: %s", question, opening, how)
			}
		}
		if n, _ := c.match("", before, hint{index: -1}); n >= 0 && !strings.Contains(compact(before), text) {
			t.Errorf("%q was found in %q", question, before)
		}
	})
}
