package program

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// example plays one attempt with docs/examples/agent.py.
func example(t *testing.T, args ...string) (*Policies, rollout.Policy) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		const line = "THE EXAMPLE AGENT WAS NOT RUN: there is no python3"
		if os.Getenv("CI") != "" {
			t.Fatal(line)
		}
		t.Skip(line)
	}
	environment, err := Environment(nil)
	if err != nil {
		t.Fatal(err)
	}
	opts := options(t, "")
	opts.Command, opts.Environment = append([]string{"python3", filepath.Join("..", "..", "..", "docs", "examples", "agent.py")}, args...), environment
	p := policies(t, opts)
	return p, attempt(t, p, 0)
}

// The example explores with the actions that the task has, and gives up.
func TestExampleDemo(t *testing.T) {
	p, a := example(t, "--demo")
	reply, err := a.Next(t.Context(), talk(1))
	if err != nil {
		t.Fatalf("%v\n%s", err, logOf(t, p))
	}
	action, _, err := protocol.ParseCalls(reply.Content, nil)
	if err != nil || action.Name != schemas.ActionTerminal || action.Command != "ls -l" {
		t.Errorf("%+v, %v", action, err)
	}
	if reply, err := a.Next(t.Context(), talk(2)); err != nil || !reply.Done {
		t.Errorf("%+v, %v", reply, err)
	}
	if err := a.(*player).Close(); err != nil {
		t.Error(err)
	}
}

// The example asks a model for its replies: what the server says comes through, a
// conversation that is too long is said to be, and no redirect is followed.
func TestExampleModel(t *testing.T) {
	var asked []map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer sk-1" {
			t.Errorf("%s, %v, %v", r.URL.Path, r.Header, err)
		}
		switch asked = append(asked, body); len(asked) {
		case 1:
			_, _ = w.Write([]byte(`{"choices":[{"message":{"content":"act","reasoning_content":"think"},"finish_reason":"length"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}`))
		case 2:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":{"message":"maximum context length"}}`))
		default:
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	t.Setenv("MEDGYM_EXEC_ENDPOINT", server.URL+"/v1/")
	t.Setenv("MEDGYM_EXEC_KEY", "sk-1")
	t.Setenv("MEDGYM_EXEC_MODEL", "tiny")
	p, a := example(t)
	reply, err := a.Next(t.Context(), talk(1))
	if err != nil {
		t.Fatalf("%v\n%s", err, logOf(t, p))
	}
	if reply.Content != "act" || reply.Reasoning != "think" || !reply.Truncated || reply.PromptTokens != 7 || reply.CompletionTokens != 2 {
		t.Errorf("%+v", reply)
	}
	if asked[0]["model"] != "tiny" || len(asked[0]["messages"].([]any)) != 2 || asked[0]["seed"] != 0.0 {
		t.Errorf("%v", asked[0])
	}
	if _, err := a.Next(t.Context(), talk(2)); !errors.Is(err, rollout.ErrContextLength) {
		t.Errorf("%v", err)
	}
	var fault *Fault
	if _, err := a.Next(t.Context(), talk(3)); !errors.As(err, &fault) || fault.Class != Told || len(asked) != 3 {
		t.Errorf("%v, %d requests", err, len(asked))
	}
	if text := logOf(t, p); !strings.Contains(text, "says: HTTPError: HTTP Error 307") {
		t.Errorf("the log:\n%s", text)
	}
}
