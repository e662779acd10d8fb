package npowerai

import (
	"strconv"
	"testing"

	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/schemas"
)

func TestSuite(t *testing.T) {
	datasettest.Run(t, New(), datasettest.Fixtures{AnswerFields: []string{"answer"}, Right: rightForms})
}

// rightForms are the right answer in several forms, in the plain codec.
func rightForms(task schemas.Task) []string {
	forms := []string{task.Answer, `"` + task.Answer + `"`, `{"$":"decimal","v":"` + task.Answer + `"}`}
	if x, err := strconv.ParseFloat(task.Answer, 64); err == nil {
		forms = append(forms, strconv.FormatFloat(x, 'e', -1, 64))
	}
	return forms
}
