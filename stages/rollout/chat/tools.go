package chat

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/stages/internal/model"
)

func toolsOf(actions []string) (tools []model.Tool) {
	for _, name := range slices.Clone(actions) {
		tools = append(tools, model.Tool{Name: name, Parameters: jsontext.Value(`{"type":"object"}`)})
	}
	return tools
}
