package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/rollout/chat"
)

// scores DIR FILE [VERIFIER] writes a score for each trajectory of a run folder, as
// JSON Lines: what it is, right or wrong, less a bit.
func scores(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: scores run-folder file [verifier]")
	}
	var out bytes.Buffer
	for row, err := range pq.ReadDir[schemas.Trajectory](context.Background(), ts.MkAbs(filepath.Join(args[0], "trajectories"))) {
		ts.Check(err)
		line := map[string]any{"trajectory_id": row.TrajectoryID, "score": 0.1 + 0.8*schemas.Value(row.Reward)}
		if len(args) > 2 {
			line["verifier"] = args[2]
		}
		text, err := json.Marshal(line)
		ts.Check(err)
		out.Write(append(text, '\n'))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out.Bytes(), 0o600))
}

// TestScoreByModel asks a verifier about open and closed rows: with the prompts of the
// verifier set, byte for byte, only where they may go, and noted.
func TestScoreByModel(t *testing.T) {
	const key = "sk-MARK-KEY"
	t.Setenv(chat.KeyVariable, key)
	p := newProgram(t)
	raw, run := p.path("raw"), p.path("run")
	p.must("synth", "--out", raw, "--rows", "4")
	p.must("prepare", "--raw", raw, "--dir", run, "--no-validate")
	p.must("rollout", "--dir", run, "-k", "3", "--policy", "reference")
	p.must("export", "all", "--dir", run)

	var mu sync.Mutex
	asked := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Messages []schemas.Message `json:"messages"`
		}
		text, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(text, &body); err != nil || r.Header.Get("Authorization") != "Bearer "+key {
			t.Errorf("%v", err)
		}
		mu.Lock()
		asked[fmt.Sprint(body.Messages)]++
		mu.Unlock()
		yes, no := -0.1, -3.0
		if len(text)%2 == 0 {
			yes, no = no, yes
		}
		fmt.Fprintf(w, `{"choices":[{"message":{"content":"YES"},"logprobs":{"content":[{"token":"YES","logprob":%v,"top_logprobs":[{"token":"YES","logprob":%v},{"token":"NO","logprob":%v}]}]}}]}`, yes, yes, no)
	}))
	defer server.Close()

	score := []string{"score", "--dir", run, "--model", "judge", "--endpoint"}
	p.refused(append(score, "https://93.184.215.14/v1"), "https://93.184.215.14/v1 is an open endpoint", "rows of vault must not leave")
	if out := p.must(append(score, server.URL+"/v1")...); !strings.Contains(out, "logprobs") || !strings.Contains(out, "verifier: judge;") {
		t.Errorf("score:\n%s", out)
	}
	set := 0
	walkFiles(t, run, func(rel string, _ fs.FileInfo) {
		if !strings.HasPrefix(rel, "datasets/") || !strings.Contains(rel, "/verifier/") || !strings.HasSuffix(rel, ".parquet") {
			return
		}
		eachIn(t, filepath.Join(run, rel), func(row schemas.Verifier) {
			set++
			if asked[fmt.Sprint(row.Prompt)] == 0 {
				t.Errorf("the verifier was not asked with the prompt of row %s", row.ID)
			}
		})
	})
	rows := 0
	walkFiles(t, run, func(rel string, _ fs.FileInfo) {
		if !strings.HasPrefix(rel, "trajectories/") || !strings.HasSuffix(rel, ".parquet") {
			return
		}
		eachIn(t, filepath.Join(run, rel), func(row schemas.Trajectory) {
			rows++
			if row.VerifierScore == nil || row.Verifier != "judge" {
				t.Errorf("%s has no score", row.TrajectoryID)
			}
		})
	})
	if rows != 2*2*4*3 {
		t.Errorf("%d rows", rows)
	}
	if set < 8 {
		t.Errorf("only %d rows of the verifier set were looked at", set)
	}
	if out := p.must("stats", "--dir", run); !strings.Contains(out, "best@k by the verifier's choice") {
		t.Errorf("stats:\n%s", out)
	}
	if out := p.must("grade", "--dir", run); !strings.Contains(out, "all") {
		t.Errorf("grade:\n%s", out)
	}
	before := len(asked)
	p.must("export", "all", "--dir", run)
	p.must(append(score, server.URL+"/v1")...)
	if len(asked) != before {
		t.Error("grading made the verifier be asked again")
	}

	log, err := os.ReadFile(filepath.Join(run, governance.AccessFile))
	if want := fmt.Sprintf(`"endpoint":%q,"endpoint_class":"local"`, server.URL+"/v1"); err != nil || !strings.Contains(string(log), `"stage":"score"`) || !strings.Contains(string(log), want) {
		t.Errorf("%v\n%s", err, log)
	}
	for _, mark := range append([]string{key}, marks...) {
		if strings.Contains(p.said.String(), mark) {
			t.Errorf("%s was printed", mark)
		}
		walkFiles(t, run, func(rel string, _ fs.FileInfo) {
			if strings.HasSuffix(rel, ".parquet") || strings.Contains(rel, "/built/") {
				return
			}
			if text, err := os.ReadFile(filepath.Join(run, rel)); err != nil || bytes.Contains(text, []byte(mark)) {
				t.Errorf("%s holds %s, %v", rel, mark, err)
			}
		})
	}
}
