package datasets

import (
	"encoding/json"
	"net/http"
)

// RawValue is a value in the plain codec, as JSON text.
type RawValue = json.RawMessage

// HTTPHandler serves one session's service.
type HTTPHandler = http.Handler
