package rollout_test

import (
	"context"
	"encoding/json"
	"errors"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
	"github.com/medgym-data/medgym-data/stages/rollout"
	"github.com/medgym-data/medgym-data/stages/rollout/chat"
	"github.com/medgym-data/medgym-data/stages/rollout/wheels"
)

// table is a resolver that knows names by heart; later answers come later.
type table struct {
	answers []string
	asked   atomic.Int32
}

func (a *table) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr(a.answers[min(int(a.asked.Add(1))-1, len(a.answers)-1)])}, nil
}

// asking is the policy of a model at one endpoint.
func asking(endpoint governance.Endpoint, name string, resolver governance.Resolver) (rollout.Policies, error) {
	client, err := chat.NewClient(chat.ClientOptions{Endpoints: []governance.Endpoint{endpoint}, Model: name, Resolver: resolver})
	if err != nil {
		return nil, err
	}
	return chat.New(chat.Options{Client: client, Seeds: true})
}

// Rows that are not open go to no public endpoint: the whole is refused before
// anything is sent or a sandbox is opened. Open rows do go there.
func TestGuard(t *testing.T) {
	c := corpus(t, 2)
	public, err := governance.Classify(t.Context(), "https://api.example.com/v1", nil, &table{answers: []string{"93.184.215.14"}})
	if err != nil {
		t.Fatal(err)
	}
	policies, err := asking(public, "big", nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := c.Folder(t)
	opts := options(c, nil)
	opts.Policies = policies
	opts.Sandbox = func(context.Context) (sandbox.Sandbox, error) {
		t.Error("a sandbox was opened")
		return fake.New(nil), nil
	}
	_, err = do(t, t.Context(), dir, opts, nil)
	var refused *pipeline.PolicyError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "https://api.example.com/v1 is an open endpoint (93.184.215.14 is not in a private network), and rows of closed must not leave") {
		t.Errorf("%v", err)
	}
	// Whoever passes the stage by meets the same rule at each task.
	if _, err := policies.New(schemas.Task{Source: runtest.Closed, AccessTier: schemas.TierCredentialed}, 0, 1); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	if _, err := policies.New(schemas.Task{Source: runtest.Open, AccessTier: schemas.TierOpen}, 0, 1); err != nil {
		t.Error(err)
	}
}

// An index of packages outside the private network is for open rows alone. A folder is
// for all, stands in the config and in the digest of the environment, and is a service
// of every session; the agent is told.
func TestPackages(t *testing.T) {
	c := corpus(t, 1)
	public, err := governance.Classify(t.Context(), "https://93.184.215.14/simple", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	opts := options(c, c.Play(t))
	opts.Packages = wheels.Index(public, "")
	var refused *pipeline.PolicyError
	if _, err := do(t, t.Context(), c.Folder(t), opts, nil); !errors.As(err, &refused) || !strings.Contains(err.Error(), "could carry rows of closed") {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "greeting-1.0-py3-none-any.whl"), []byte("any"), 0o600); err != nil {
		t.Fatal(err)
	}
	digests := map[string]bool{}
	for _, with := range []bool{false, true} {
		box := fake.New(c.Play(t))
		opts := options(c, nil)
		opts.Sandbox = func(context.Context) (sandbox.Sandbox, error) { return box, nil }
		if with {
			if opts.Packages, err = wheels.Folder(dir, ""); err != nil {
				t.Fatal(err)
			}
		}
		run := c.Folder(t)
		mustDo(t, run, opts)
		for _, row := range runtest.Rows(t, run) {
			digests[row.Sandbox.EnvironmentDigest] = true
			if told := strings.Contains(row.Messages[0].Content, "pip install"); told != with {
				t.Errorf("packages %v: the prompt says %s", with, row.Messages[0].Content)
			}
		}
		for _, session := range box.Sessions() {
			if session.Spec.Name == "grading" {
				continue
			}
			if given := len(session.Spec.Services) == 1 && session.Spec.Services[0].Port == wheels.Port; given != with {
				t.Errorf("packages %v: %d services", with, len(session.Spec.Services))
			}
		}
	}
	if len(digests) != 2 {
		t.Errorf("%d digests of two environments", len(digests))
	}
}

// A name that was local and is so no more ends the stage as a refusal; it is no
// fault of one attempt.
func TestGuardAtTheConnection(t *testing.T) {
	c := corpus(t, 1)
	resolver := &table{answers: []string{"127.0.0.1", "203.0.113.7"}}
	endpoint, err := governance.Classify(t.Context(), "http://model.example:9/v1", nil, resolver)
	if err != nil {
		t.Fatal(err)
	}
	policies, err := asking(endpoint, "big", resolver)
	if err != nil {
		t.Fatal(err)
	}
	opts := options(c, nil)
	opts.Policies = policies
	_, err = do(t, t.Context(), c.Folder(t), opts, nil)
	var refused *pipeline.PolicyError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "its name now stands for an address outside") {
		t.Errorf("%v", err)
	}
}

// A whole rollout with a model: its replies are actions, what it is told leads to
// the next, and rows say who played.
func TestChatRollout(t *testing.T) {
	c := corpus(t, 2)
	text, err := protocol.Format(schemas.ActionCodeExecution, "", map[string]string{"code": "print('look')"})
	if err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct{ Messages []schemas.Message }
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || len(req.Messages) < 2 || len(req.Messages)%2 != 0 || req.Messages[0].Role != "system" {
			t.Errorf("%d messages, %v", len(req.Messages), err)
		}
		requests.Add(1)
		err := json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]any{"content": text}}},
			"usage": map[string]int{"prompt_tokens": 11, "completion_tokens": 7}})
		if err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	endpoint, err := governance.Classify(t.Context(), server.URL+"/v1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	policies, err := asking(endpoint, "tiny", nil)
	if err != nil {
		t.Fatal(err)
	}
	opts := options(c, c.Play(t))
	opts.Policies, opts.K, opts.Limits.Turns = policies, 1, 2
	dir := c.Folder(t)
	mustDo(t, dir, opts)
	rows := runtest.Rows(t, dir)
	if len(rows) != len(c.Tasks) || int(requests.Load()) != 2*len(rows) {
		t.Fatalf("%d rows of %d tasks, %d requests", len(rows), len(c.Tasks), requests.Load())
	}
	for _, row := range rows {
		if row.Policy.Kind != "openai" || row.Policy.EndpointClass != "local" || row.Outcome != schemas.OutcomeTurnLimit ||
			*row.PromptTokens != 22 || *row.CompletionTokens != 14 || len(row.Steps) != 2 {
			t.Errorf("%+v", row)
		}
	}
}
