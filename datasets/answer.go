package datasets

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Canonical is RFC 8785 JSON, as Task.Answer is.
func Canonical(answer any) (string, error) {
	data, err := json.Marshal(answer)
	if err != nil {
		return "", fmt.Errorf("write an answer: %w", err)
	}
	value := jsontext.Value(data)
	if err := value.Canonicalize(); err != nil {
		return "", fmt.Errorf("write an answer: %w", err)
	}
	return string(value), nil
}
