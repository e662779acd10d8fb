package ehrseqsql

import (
	"strings"

	"github.com/medgym-data/medgym-data/schemas"
)

// Phrases implements datasets.Phraser: the public release puts the seed question
// before the step.
func (Source) Phrases(task schemas.Task) []string {
	seed, _, _ := strings.Cut(task.Context, "\n")
	return []string{seed + " " + task.Question}
}
