package verdict

import (
	"cmp"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/schemas"
)

// Param is a named text of a step: what an action was given, or what came of it.
type Param struct{ Name, Text string }

// Params lists what an action was given, by name, code last. Params that are no
// JSON object come as one text.
func Params(s schemas.Step) []Param {
	if s.ParamsJSON == "" {
		return nil
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(s.ParamsJSON), &values); err != nil {
		return []Param{{"params", s.ParamsJSON}}
	}
	var out []Param
	for name, value := range values {
		text, ok := value.(string)
		if !ok {
			other, err := json.Marshal(value, json.Deterministic(true))
			if err != nil {
				return []Param{{"params", s.ParamsJSON}}
			}
			text = string(other)
		}
		out = append(out, Param{name, text})
	}
	slices.SortFunc(out, func(a, b Param) int { return cmp.Or(a.rank()-b.rank(), cmp.Compare(a.Name, b.Name)) })
	return out
}

func (p Param) rank() int {
	if p.Name == "code" {
		return 1
	}
	return 0
}
