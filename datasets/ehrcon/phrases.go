package ehrcon

import (
	"fmt"
	"strings"

	"github.com/medgym-data/medgym-data/schemas"
)

// The words around the subject in Task.Question.
const (
	questionHead = "Hospital admission "
	questionTail = ": is there any inconsistency between the notes and the database?"
)

// Phrases implements datasets.Phraser: the public release asks in its own words, and
// spells admissions as its files do.
func (Source) Phrases(task schemas.Task) []string {
	about, ok := strings.CutPrefix(task.Question, questionHead)
	about, ok2 := strings.CutSuffix(about, questionTail)
	stay, entity, ok3 := strings.Cut(about, ", ")
	if !ok || !ok2 || !ok3 {
		return nil
	}
	var phrases []string
	for _, spelled := range []string{stay + ".0", stay} {
		phrases = append(phrases, fmt.Sprintf("For a given admission id %s and the corresponding medical entity %s, identify if there is any inconsistency between the database and the clinical note. Return the answer as a boolean value", spelled, entity))
	}
	return phrases
}
