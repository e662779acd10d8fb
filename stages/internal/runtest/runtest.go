// Package runtest makes run folders for tests of stages that work on tasks: two
// stand-ins for ingest and normalize over synthetic downloads, and a fake sandbox
// that plays the reference programs of their tasks.
package runtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/all"
	"github.com/medgym-data/medgym-data/datasets/synth"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/internal/rawfiles"
)

// Open is the id of a source that needs no sandbox to grade, Closed that of the
// same source again under a credential, so that its files are private.
const (
	Open   = "npowerai"
	Closed = "closed"
)

// Registry is the two sources.
func Registry(t testing.TB) datasets.Registry {
	t.Helper()
	source, err := all.Registry().Find(Open)
	if err != nil {
		t.Fatal(err)
	}
	return datasets.Registry{closed{source, source.(abilities)}, source}
}

// abilities are what tests ask of a source beside Normalize.
type abilities interface {
	datasets.Grader
	datasets.Referencer
	datasets.Synthesizer
}

type closed struct {
	datasets.Adapter
	abilities
}

// Spec implements datasets.Adapter.
func (c closed) Spec() datasets.Spec {
	spec := c.Adapter.Spec()
	spec.ID, spec.Tier = Closed, schemas.TierCredentialed
	return spec
}

// Corpus is a set of tasks, with the raw download that they came from.
type Corpus struct {
	Registry datasets.Registry
	Raw      string
	Tasks    []schemas.Task
}

// Synthetic makes a corpus of so many rows a split of each source.
func Synthetic(t testing.TB, registry datasets.Registry, rows int) Corpus {
	t.Helper()
	c := Corpus{Registry: registry, Raw: filepath.Join(t.TempDir(), "raw")}
	if _, err := synth.Write(context.Background(), registry, synth.Options{Out: c.Raw, Rows: rows, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	read := pipeline.Stage{Name: "read", Version: "test", Output: "read", Inputs: []string{rawfiles.Stage}, Work: func(ctx context.Context, w *pipeline.Work) error {
		inv, err := rawfiles.Open(w)
		if err != nil {
			return err
		}
		for _, adapter := range registry {
			raw, err := inv.Raw(adapter.Spec().ID)
			if err != nil {
				return err
			}
			if err := adapter.Normalize(ctx, raw, &collector{&c, adapter.Spec()}); err != nil {
				return err
			}
		}
		return nil
	}}
	work(t, t.TempDir(), c.ingest(), read)
	return c
}

// collector is a datasets.Emitter that keeps tasks as normalize writes them.
type collector struct {
	*Corpus
	spec datasets.Spec
}

func (c *collector) Task(row datasets.Row, task schemas.Task) error {
	task.TaskID = fmt.Sprintf("%s/%s/%s", c.spec.ID, row.Split, row.SHA256[:16])
	task.Source, task.Split = c.spec.ID, row.Split
	task.RawFile, task.RawLine = row.File, schemas.Ptr(row.Line)
	task.AccessTier, task.License, task.Actions = c.spec.Tier, c.spec.License, c.spec.Actions
	task.AdapterVersion, task.SchemaVersion = c.spec.AdapterVersion, schemas.Ptr(schemas.Version)
	if task.Status == "" {
		task.Status = schemas.StatusReady
	}
	c.Tasks = append(c.Tasks, task)
	return nil
}

func (c *collector) Reject(row datasets.Row, reason datasets.Reason, _ string) error {
	return fmt.Errorf("%s:%d: a synthetic row was rejected: %s", row.File, row.Line, reason)
}

// work runs stages in a run folder.
func work(t testing.TB, dir string, stages ...pipeline.Stage) {
	t.Helper()
	run, err := pipeline.Open(context.Background(), dir, pipeline.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range stages {
		if _, err := run.Do(context.Background(), st); err != nil {
			t.Fatal(err)
		}
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
}

// Folder makes a run folder in which the stages ingest and normalize are done.
func (c Corpus) Folder(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	work(t, dir, c.ingest(), c.normalize())
	return dir
}

func (c Corpus) ingest() pipeline.Stage {
	return pipeline.Stage{Name: rawfiles.Stage, Version: "test", Output: "raw", Work: func(_ context.Context, w *pipeline.Work) error {
		var inv rawfiles.Inventory
		location := rawfiles.Location{}
		for _, adapter := range c.Registry {
			spec := adapter.Spec()
			root := filepath.Join(c.Raw, spec.ID)
			src := rawfiles.Source{ID: spec.ID, Tier: spec.Tier, Layout: spec.Layouts[0].ID}
			for _, file := range spec.Layouts[0].Files {
				names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(file.Pattern)))
				if err != nil {
					return err
				}
				for _, name := range names {
					data, err := os.ReadFile(name)
					if err != nil {
						return err
					}
					sum := sha256.Sum256(data)
					src.Files = append(src.Files, rawfiles.File{Name: strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(name, root)), "/"), Role: file.Role,
						Split: file.Split, Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
				}
			}
			inv.Sources = append(inv.Sources, src)
			location[spec.ID] = map[string]string{"": root}
		}
		return rawfiles.Write(w, inv, location)
	}}
}

func (c Corpus) normalize() pipeline.Stage {
	return pipeline.Stage{Name: "normalize", Version: "test", Output: "tasks", Inputs: []string{rawfiles.Stage}, Work: func(ctx context.Context, w *pipeline.Work) error {
		for _, adapter := range c.Registry {
			spec := adapter.Spec()
			for _, split := range []string{schemas.SplitTrain, schemas.SplitTest} {
				dir := filepath.Join(w.Dir(), spec.Tier, spec.ID)
				if _, err := pq.WriteShards(ctx, dir, split, c.of(spec.ID, split), pq.Options{Private: spec.Tier != schemas.TierOpen}); err != nil {
					return err
				}
			}
		}
		return nil
	}}
}

// Validate is a stand-in for the validate stage: tasks are proved but for those
// that are named with another state.
func (c Corpus) Validate(t testing.TB, dir string, states map[string]string) {
	t.Helper()
	rows := func(yield func(schemas.TaskValidation, error) bool) {
		for _, task := range c.Tasks {
			state := states[task.TaskID]
			if state == "" {
				state = schemas.ValidationProved
			}
			if !yield(schemas.TaskValidation{TaskID: task.TaskID, Source: task.Source, Split: task.Split, State: state}, nil) {
				return
			}
		}
	}
	st := pipeline.Stage{Name: "validate", Version: "test", Output: "validation", Inputs: []string{"normalize"}, Work: func(ctx context.Context, w *pipeline.Work) error {
		_, err := pq.WriteShards(ctx, filepath.Join(w.Dir(), schemas.TierOpen, "any"), "all", rows, pq.Options{})
		return err
	}}
	work(t, dir, st)
}

// Screen is a stand-in for the screen stage: the tasks that are named are marked to
// be left out.
func (c Corpus) Screen(t testing.TB, dir string, marked ...string) {
	t.Helper()
	rows := func(yield func(schemas.ScreenedTask, error) bool) {
		for _, task := range c.Tasks {
			row := schemas.ScreenedTask{TaskID: task.TaskID, Source: task.Source, Split: task.Split}
			if slices.Contains(marked, task.TaskID) {
				row.DropReason = schemas.DropOverlap10
			}
			if !yield(row, nil) {
				return
			}
		}
	}
	work(t, dir, pipeline.Stage{Name: "screen", Version: "test", Output: "screening", Inputs: []string{"normalize"}, Work: func(ctx context.Context, w *pipeline.Work) error {
		_, err := pq.WriteShards(ctx, filepath.Join(w.Dir(), schemas.TierOpen, "any"), "all", rows, pq.Options{})
		return err
	}})
}

func (c Corpus) of(source, split string) iter.Seq2[schemas.Task, error] {
	return func(yield func(schemas.Task, error) bool) {
		for _, task := range c.Tasks {
			if task.Source == source && task.Split == split && !yield(task, nil) {
				return
			}
		}
	}
}

// Play plays the tasks' reference programs: the right one sets the task's answer,
// the wrong ones another, what a slip broke fails, and all else prints something.
// It suits sources that judge the variable answer.
func (c Corpus) Play(t testing.TB) fake.Run {
	t.Helper()
	answers, printed := map[string]string{}, map[string]string{}
	for _, task := range c.Tasks {
		adapter, err := c.Registry.Find(task.Source)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := adapter.(datasets.Referencer).Reference(task)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range ref.Wrong {
			answers[wrong] = `"no such thing"`
		}
		answers[ref.Right], printed[ref.Right] = plain(task), task.Answer
	}
	return func(_ context.Context, _ *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
		if answer, ok := answers[cmd.Code]; ok {
			return sandbox.Result{Status: sandbox.StatusOK, Stdout: []byte(printed[cmd.Code] + "\n"), Answer: []byte(answer), Wall: time.Millisecond}, nil
		}
		for part, fault := range map[string]string{"print((\n": "SyntaxError", "import numpy as\n": "SyntaxError", "clinical_toolkit": "ModuleNotFoundError",
			"no_such_table": "FileNotFoundError", "measurements[": "NameError", "1 / 0": "ZeroDivisionError"} {
			if strings.Contains(cmd.Code, part) {
				return sandbox.Result{Status: sandbox.StatusError, ExitCode: 1, ErrorType: fault, ErrorMessage: "it failed", ErrorLine: 1, Stderr: []byte("Traceback\n")}, nil
			}
		}
		return sandbox.Result{Status: sandbox.StatusOK, Stdout: []byte("something\n")}, nil
	}
}

// plain is a task's answer in the plain codec, where a float has a point.
func plain(task schemas.Task) string {
	var f float64
	if task.AnswerType == schemas.AnswerNumber && json.Unmarshal([]byte(task.Answer), &f) == nil && !strings.ContainsAny(task.Answer, ".eE") {
		return task.Answer + ".0"
	}
	return task.Answer
}

// Rows reads every trajectory of a run folder, in the order of the files, without
// the columns that tell time or place.
func Rows(t testing.TB, dir string) []schemas.Trajectory {
	t.Helper()
	var rows []schemas.Trajectory
	for row, err := range pq.ReadDir[schemas.Trajectory](context.Background(), filepath.Join(dir, "trajectories")) {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		row.RunID, row.CreatedAt, row.WallS = "any", nil, nil
		for i := range row.Steps {
			row.Steps[i].WallMS = nil
		}
		rows = append(rows, row)
	}
	return rows
}
