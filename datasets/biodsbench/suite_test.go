package biodsbench

import (
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
)

// TestSuite: grading needs an interpreter; grade_test.go has one.
func TestSuite(t *testing.T) {
	datasettest.Run(t, New(), datasettest.Fixtures{
		Files: map[string]string{
			"data/colon/patients.csv": "data/colon/patients.csv",
			"data/lung/patients.csv":  "data/lung/patients.csv",
			"data/flat.csv":           "data/flat.csv",
		},
		AnswerFields: []string{"reference_answer", "test_cases"},
		Synth:        datasets.SynthOptions{Train: 20, Test: 20},
	})
}
