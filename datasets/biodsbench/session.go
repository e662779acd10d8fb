package biodsbench

import (
	"context"
	"fmt"
	"strings"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/pysrc"
	"github.com/medgym-data/medgym-data/schemas"
)

// Furnish implements datasets.Furnisher: the study's tables in /workdir, the code
// that the task continues from before the agent's, and the variables that the
// tests read handed over. A run that ends well and has set all of them is a
// submission.
func (a *Adapter) Furnish(_ context.Context, task schemas.Task, raw datasets.Files) (datasets.Session, error) {
	ans, err := readAnswer(task)
	if err != nil {
		return datasets.Session{}, err
	}
	session := datasets.Session{
		Wrap: func(code string) string { return program(ans, code) },
		Submits: func(sub datasets.Submission) bool {
			for _, r := range ans.Results {
				if sub.Captured[r.Name] == nil {
					return false
				}
			}
			return sub.Status == "ok" && len(ans.Results) > 0
		},
	}
	for _, r := range ans.Results {
		session.Capture = append(session.Capture, datasets.Capture{Name: r.Name, Attrs: r.Attrs})
	}
	for _, r := range task.Resources {
		if r.Path == "" {
			return datasets.Session{}, fmt.Errorf("task %s: %s is missing", task.TaskID, r.Name)
		}
		session.Files = append(session.Files, datasets.File{Path: r.Name, HostPath: raw.Path(r.Path)})
	}
	return session, nil
}

// program is what runs for the agent's code.
func program(ans answer, code string) string {
	if ans.Prefix == "" {
		return code
	}
	return preamble(ans.Prefix) + ans.Prefix + "\n\n" + code
}

// preamble imports what given code uses and does not import.
func preamble(code string) string {
	var out strings.Builder
	for _, line := range missingImports(code) {
		out.WriteString(line + "\n")
	}
	return out.String()
}

func missingImports(code string) []string {
	var lines []string
	for _, free := range pysrc.FreeNames(code) {
		if line := importable[free.Name]; line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// Reference implements datasets.Referencer. The release's solutions lean on names
// that earlier code imported; those imports are put before them.
func (a *Adapter) Reference(task schemas.Task) (datasets.Reference, error) {
	ans, err := readAnswer(task)
	if err != nil {
		return datasets.Reference{}, err
	}
	gold := csvNames(task.Gold)
	right := preamble(ans.Prefix+"\n"+gold) + gold
	ref := datasets.Reference{Right: right}
	var nothing, shifted strings.Builder
	for _, r := range ans.Results {
		fmt.Fprintf(&nothing, "%s = None\n", r.Name)
		fmt.Fprintf(&shifted, "%[1]s = shifted(%[1]s)\n", r.Name)
	}
	ref.Wrong = []string{right + "\n\n" + shift + "\n" + shifted.String(), nothing.String()}
	for _, r := range task.Resources {
		ref.Explore = append(ref.Explore, fmt.Sprintf("import pandas as pd\npreview = pd.read_csv(%q)\nprint(preview.shape)\nprint(preview.dtypes)\n", r.Name))
	}
	return ref, nil
}

// shift spoils a result the way an error of one, or a row too few, would.
const shift = `def shifted(value):
    import numpy as np
    import pandas as pd
    if isinstance(value, (bool, np.bool_)):
        return not value
    if isinstance(value, (int, float, np.number)):
        return value + 1
    if isinstance(value, pd.DataFrame):
        value = value.iloc[1:].copy()
        for column in value.select_dtypes("number").columns:
            value[column] = value[column] + 1
        return value
    if isinstance(value, pd.Series):
        return value.iloc[1:] + 1 if pd.api.types.is_numeric_dtype(value) else value.iloc[1:]
    if isinstance(value, dict):
        return {key: shifted(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)) and len(value) > 0:
        return value[1:]
    return None
`
