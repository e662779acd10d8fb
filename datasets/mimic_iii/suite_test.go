package mimiciii

import (
	"testing"

	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/datasets/sqltask"
)

func TestSuite(t *testing.T) {
	datasettest.Run(t, New(), datasettest.Fixtures{
		File: sqltask.ValidTasks, Files: map[string]string{"ADMISSIONS.csv": "admissions.csv", "PATIENTS.csv": "patients.csv"},
		AnswerFields: []string{"answer", "query"}, Right: datasettest.Forms, Layouts: []string{sqltask.LayoutB},
	})
}
