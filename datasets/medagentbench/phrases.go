package medagentbench

import "github.com/medgym-data/medgym-data/schemas"

// Phrases implements datasets.Phraser: the public release puts the context behind the
// question.
func (*Source) Phrases(task schemas.Task) []string {
	return []string{task.Question + " " + task.Context}
}
