package export

import (
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/verdict"
)

// stepText is what a step does, without the JSON around it.
func stepText(s schemas.Step) string {
	text := s.Action
	for _, p := range verdict.Params(s) {
		text += "\n" + p.Text
	}
	return text
}
