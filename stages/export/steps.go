package export

import (
	"cmp"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/schemas"
)

// param is a named text of a step: what an action was given, or what came of it.
type param struct{ name, text string }

// paramsOf lists what an action was given, by name, code last. Params that are no
// JSON object come as one text.
func paramsOf(s schemas.Step) []param {
	if s.ParamsJSON == "" {
		return nil
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(s.ParamsJSON), &values); err != nil {
		return []param{{"params", s.ParamsJSON}}
	}
	var out []param
	for name, value := range values {
		text, ok := value.(string)
		if !ok {
			other, err := json.Marshal(value, json.Deterministic(true))
			if err != nil {
				return []param{{"params", s.ParamsJSON}}
			}
			text = string(other)
		}
		out = append(out, param{name, text})
	}
	slices.SortFunc(out, func(a, b param) int { return cmp.Or(a.rank()-b.rank(), cmp.Compare(a.name, b.name)) })
	return out
}

func (p param) rank() int {
	if p.name == "code" {
		return 1
	}
	return 0
}

// stepText is what a step does, without the JSON around it.
func stepText(s schemas.Step) string {
	text := s.Action
	for _, p := range paramsOf(s) {
		text += "\n" + p.text
	}
	return text
}
