package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/rollout/chat"
)

func writeFile(t *testing.T, mode os.FileMode, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

// Slips in what asks a model are told in one line, before anything is made or sent.
func TestModelSlips(t *testing.T) {
	var asked sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Do(func() { t.Error("a request was sent") }) }))
	defer server.Close()
	readable, empty, words := writeFile(t, 0o640, "k-SECRET"), writeFile(t, 0o600, " \n"), writeFile(t, 0o600, "k-SECRET and more")
	prices := writeFile(t, 0o600, "models:\n  big: {input: 1, output: 2}\n")
	badPrices := writeFile(t, 0o600, "models:\n  m: {input: 1}\n")
	extra := writeFile(t, 0o600, `{"top_k": 5, "top_k": 6}`)
	good := []string{"--endpoint", server.URL + "/v1", "--model", "m"}
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--model", "m"}, exitUsage, "--endpoint is required"},
		{good[:2], exitUsage, "--model is required"},
		{append(good, "--endpoint", server.URL+"/v1/"), exitUsage, "is there twice"},
		{append(good, "--endpoint", "ftp://x"), exitUsage, "--endpoint cannot be used"},
		{append(good, "--endpoint", "http://127.0.0.1/v1?key=k-SECRET"), exitUsage, "a query"},
		{append(good, "--protocol", "xml"), exitUsage, "xml"},
		{append(good, "--temperature", "0.5", "--temperature", "-1"), exitUsage, "temperature"},
		{append(good, "--temperature", "warm"), exitUsage, "--temperature"},
		{append(good, "--top-p", "0"), exitUsage, "top-p"},
		{append(good, "--reply-tokens", "0"), exitUsage, "--reply-tokens"},
		{append(good, "--n", "0"), exitUsage, "--n"},
		{append(good, "--n", "1000"), exitUsage, "1000"},
		{append(good, "--stop", ""), exitUsage, "stop"},
		{append(good, "--patience", "0s"), exitUsage, "--patience"},
		{append(good, "--request-timeout", "-1s"), exitUsage, "--request-timeout"},
		{append(good, "--request-retries", "-1"), exitUsage, "--request-retries"},
		{append(good, "--endpoint-concurrency", "0"), exitUsage, "--endpoint-concurrency"},
		{append(good, "--rate", "0"), exitUsage, "--rate"},
		{append(good, "--extra-body", "[1]"), exitUsage, "no JSON object"},
		{append(good, "--extra-body", "null"), exitUsage, "no JSON object"},
		{append(good, "--extra-body", `{"messages":[]}`), exitUsage, "messages"},
		{append(good, "--extra-body", "@"+extra), exitBadInput, extra},
		{append(good, "--extra-body", "@"+extra+".none"), exitBadInput, "cannot be read"},
		{append(good, "--key-file", readable), exitBadInput, "chmod 600"},
		{append(good, "--key-file", empty), exitBadInput, "holds no key"},
		{append(good, "--key-file", words), exitBadInput, "holds no key"},
		{append(good, "--key-file", t.TempDir()), exitBadInput, "is not a file"},
		{append(good, "--key-file", readable+".none"), exitBadInput, "cannot be read"},
		{append(good, "--prices", prices), exitBadInput, "no price of the model m"},
		{append(good, "--prices", badPrices), exitBadInput, badPrices + ":2: the price of m has no output"},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		args := append([]string{"medgym-data", "--quiet", "rollout", "--policy", "openai", "--dir", dir}, tt.args...)
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), args, &stdout, &stderr)
		if said := stderr.String(); code != tt.code || !strings.Contains(said, tt.says) || strings.Count(said, "\n") != 1 || strings.Contains(said, "SECRET") {
			t.Errorf("%v: exit code %d, want %d; %s", tt.args, code, tt.code, said)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%v: a run folder was made", tt.args)
		}
	}
}

func TestKey(t *testing.T) {
	t.Setenv(chat.KeyVariable, " k-env\n")
	if key, err := keyOf(""); err != nil || key != "k-env" {
		t.Errorf("%q, %v", key, err)
	}
	if key, err := keyOf(writeFile(t, 0o400, "k-file\n")); err != nil || key != "k-file" {
		t.Errorf("%q, %v", key, err)
	}
	t.Setenv(chat.KeyVariable, "k\nSECRET")
	var bad *pipeline.InputError
	if _, err := keyOf(""); !errors.As(err, &bad) || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("%v", err)
	}
}

// TestModelFlags: what the flags say reaches the servers, is told in the rows, and each
// server is noted in the access log.
func TestModelFlags(t *testing.T) {
	p := newProgram(t)
	var mu sync.Mutex
	var bodies []map[string]any
	asked := map[string]int{}
	answer := func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Header.Get("Authorization") != "Bearer k-FILE" {
			t.Errorf("%v, %q", err, r.Header.Get("Authorization"))
		}
		mu.Lock()
		bodies = append(bodies, body)
		asked[r.Host]++
		mu.Unlock()
		_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"{\"action\":\"code_execution\",\"params\":{\"code\":\"answer = 'MARK-ANSWER 0'\"}}","reasoning":"hm"},"finish_reason":"stop",`+
			`"token_ids":[1,2],"logprobs":{"content":[{"token":"a","logprob":-1},{"token":"b","logprob":-2}]}}],"usage":{"prompt_tokens":1000,"completion_tokens":500}}`)
	}
	var urls []string
	for range 2 {
		server := httptest.NewServer(http.HandlerFunc(answer))
		defer server.Close()
		urls = append(urls, server.URL+"/v1")
	}
	raw, dir := p.path("raw"), p.path("run")
	p.must("synth", "--out", raw, "--rows", "1")
	p.must("prepare", "--raw", raw, "--dir", dir, "--no-validate")
	p.must("rollout", "--dir", dir, "--policy", "openai", "--model", "tiny", "--endpoint", urls[0], "--endpoint", urls[1], "-k", "2", "--turns", "1",
		"--key-file", writeFile(t, 0o600, "k-FILE\n"), "--prices", writeFile(t, 0o600, "models:\n  tiny: {input: 10, output: 20}\n"),
		"--temperature", "0.25", "--temperature", "0.75", "--top-p", "0.9", "--reply-tokens", "700", "--stop", "a, b", "--stop", "c", "--logprobs", "--token-ids",
		"--extra-body", `{"top_k": 5}`, "--rate", "100000", "--endpoint-concurrency", "3", "--patience", "1m", "--request-retries", "0", "--request-timeout", "1m")
	if strings.Contains(p.said.String(), "k-FILE") {
		t.Error("the key was said")
	}
	rows := 0
	for _, tier := range []string{"open/plaza", "credentialed/vault"} {
		eachIn(t, filepath.Join(dir, "trajectories", tier, "test-00000-of-00001.parquet"), func(r schemas.Trajectory) {
			rows++
			step := r.Steps[0]
			if *r.CostUSD != 0.02 || *r.Policy.TopP != 0.9 || *r.Policy.MaxTokens != 700 || r.Policy.Protocol != "json" || len(step.TokenIDs) != 2 || len(step.Logprobs) != 2 ||
				step.FinishReason != "stop" || r.Messages[2].Reasoning != "hm" {
				t.Errorf("%+v", r)
			}
		})
	}
	temperatures := map[any]int{}
	for _, body := range bodies {
		temperatures[body["temperature"]]++
		stop, _ := body["stop"].([]any)
		if body["top_p"] != 0.9 || body["max_tokens"] != 700.0 || len(stop) != 2 || stop[0] != "a, b" || body["top_k"] != 5.0 || body["return_token_ids"] != true || body["logprobs"] != true || body["seed"] == nil {
			t.Errorf("%v", body)
		}
	}
	if rows == 0 || len(bodies) < rows || len(asked) != 2 || temperatures[0.25] != len(bodies)/2 || temperatures[0.75] != len(bodies)/2 {
		t.Errorf("%d rows, %d requests: %v, %v", rows, len(bodies), asked, temperatures)
	}
	log, err := os.ReadFile(filepath.Join(dir, governance.AccessFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range urls {
		if strings.Count(string(log), `"endpoint":"`+url+`"`) != 1 {
			t.Errorf("the access log is %s", log)
		}
	}
	// Another schedule is another rollout, and is not made in the place of this one.
	if code, out := p.run("rollout", "--dir", dir, "--policy", "openai", "--model", "tiny", "--endpoint", urls[0], "-k", "2", "--turns", "1", "--temperature", "0.25"); code == 0 {
		t.Errorf("%s", out)
	}
}
