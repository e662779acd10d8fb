package treqs_test

import (
	"testing"

	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/datasets/treqs"
)

func TestSource(t *testing.T) {
	datasettest.Run(t, treqs.New(), datasettest.Fixtures{
		Files: map[string]string{"DEMOGRAPHIC.csv": "demographic.csv", "DIAGNOSES.csv": "diagnoses.csv", "PROCEDURES.csv": "procedures.csv",
			"PRESCRIPTIONS.csv": "prescriptions.csv", "LAB.csv": "lab.csv"},
		AnswerFields: []string{"answer", "query"},
		Right:        datasettest.Forms,
		Layouts:      []string{"release"},
	})
}
