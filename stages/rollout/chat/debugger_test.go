package chat

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/stages/internal/model"
)

func TestDebugger(t *testing.T) {
	var seen request
	answer := func() (int, string) {
		return 200, `{"choices":[{"message":{"content":"Line 2 divides by zero."},"finish_reason":"stop"}],"usage":{"prompt_tokens":90,"completion_tokens":6}}`
	}
	real := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&seen); err != nil {
			t.Error(err)
		}
		status, body := answer()
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	defer real.Close()
	endpoint, err := governance.Classify(t.Context(), real.URL+"/v1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(ClientOptions{Endpoints: []governance.Endpoint{endpoint}, Model: "tutor", Retries: -1, Price: &model.Price{Input: 1, Output: 2}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := Debugger(client, 0)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := d.Explain(t.Context(), "x = 0\nprint(1 / x)\n"+strings.Repeat("#", 100_000), "ZeroDivisionError: division by zero", 7)
	if err != nil || reply.Content != "Line 2 divides by zero." || reply.PromptTokens != 90 || reply.CompletionTokens != 6 || reply.CostUSD == nil {
		t.Errorf("%+v, %v", reply, err)
	}
	text := fmt.Sprint(seen.Messages[1]["content"])
	if seen.Model != "tutor" || seen.MaxTokens != explanationTokens || seen.Seed == nil || !strings.Contains(text, "print(1 / x)") || !strings.Contains(text, "ZeroDivisionError") || len(text) > 40_000 {
		t.Errorf("asked %+v", seen)
	}
	if d.Name() != "tutor" {
		t.Errorf("name %s", d.Name())
	}

	// What the server will not answer explains nothing; a server that fails is a fault.
	answer = func() (int, string) { return 400, `{"error":{"message":"no"}}` }
	if reply, err := d.Explain(t.Context(), "x", "", 7); err != nil || reply.Content != "" {
		t.Errorf("refused: %+v, %v", reply, err)
	}
	answer = func() (int, string) { return 500, `{}` }
	if _, err := d.Explain(t.Context(), "SECRET", "", 7); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("a faulty server: %v", err)
	}
	for _, bad := range []struct {
		client *Client
		tokens int
	}{{nil, 0}, {client, -1}} {
		if _, err := Debugger(bad.client, bad.tokens); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
