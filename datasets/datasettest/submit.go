package datasettest

import (
	"context"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

// Submit is the submission of a program that set answer to raw, in the plain
// codec, and printed nothing.
func Submit(raw string) datasets.Submission {
	return datasets.Submission{Code: "answer = compute()", Answer: datasets.RawValue(raw), Status: "ok"}
}

// Quote is text in the plain codec.
func Quote(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return string(data)
}

// Grade grades a submission where no sandbox is needed, and fails the test on an
// error.
func Grade(t testing.TB, grader datasets.Grader, task schemas.Task, sub datasets.Submission) datasets.Verdict {
	t.Helper()
	v, err := grader.Grade(context.Background(), task, sub, nil)
	if err != nil {
		t.Fatalf("grade %s: %v", task.TaskID, err)
	}
	return v
}
