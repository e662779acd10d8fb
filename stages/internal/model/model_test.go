package model

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/medgym-data/medgym-data/pipeline/governance"
)

func TestSmoke(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"choices":[{"message":{"content":"<think>a</think>\nb","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}`))
	}))
	defer server.Close()
	e, err := governance.Classify(t.Context(), server.URL+"/v1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Endpoints: []governance.Endpoint{e}, Model: "tiny"})
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Chat(t.Context(), Request{Messages: []Message{{Role: "user", Content: "q"}}})
	t.Logf("%+v %v", res, err)
	f := readFault([]byte(`{"error":{"message":"Hi","code":"context_length_exceeded"}}`))
	t.Logf("%+v", f)
	f = readFault([]byte(`{"message":"Hi","type":"BadRequestError", "code":400}`))
	t.Logf("%+v", f)
}
