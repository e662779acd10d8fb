package datasettest

import (
	"context"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

// Rejected is a row that an adapter rejected.
type Rejected struct {
	File   string          `json:"file"`
	Line   int64           `json:"line"`
	Reason datasets.Reason `json:"reason"`
	Detail string          `json:"detail"`
}

// Collector is a datasets.Emitter that keeps what it is given. It fills of a
// task only what tests need: id, source, split, raw file and line.
type Collector struct {
	Source   string
	Tasks    []schemas.Task
	Rejected []Rejected
}

// Task implements datasets.Emitter.
func (c *Collector) Task(row datasets.Row, task schemas.Task) error {
	task.Source = c.Source
	if task.Split == "" {
		task.Split = row.Split
	}
	if task.TaskID == "" {
		task.TaskID = c.Source + "/" + task.Split + "/" + row.SHA256[:16]
	}
	task.RawFile, task.RawLine, task.RawSHA256 = row.File, schemas.Ptr(row.Line), row.SHA256
	c.Tasks = append(c.Tasks, task)
	return nil
}

// Reject implements datasets.Emitter.
func (c *Collector) Reject(row datasets.Row, reason datasets.Reason, detail string) error {
	c.Rejected = append(c.Rejected, Rejected{File: row.File, Line: row.Line, Reason: reason, Detail: detail})
	return nil
}

// Normalize runs an adapter over a folder in the layout named by id, or the
// adapter's first one for "", and fails the test on an error.
func Normalize(t testing.TB, adapter datasets.Adapter, dir, layout string) *Collector {
	t.Helper()
	spec := adapter.Spec()
	if layout == "" && len(spec.Layouts) > 0 {
		layout = spec.Layouts[0].ID
	}
	out := &Collector{Source: spec.ID}
	if err := adapter.Normalize(context.Background(), Dir{Root: dir, LayoutID: layout}, out); err != nil {
		t.Fatalf("normalize %s: %v", spec.ID, err)
	}
	return out
}
