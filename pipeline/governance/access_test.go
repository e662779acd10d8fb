package governance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/pipeline"
)

func entries(t *testing.T, path string) []Access {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []Access
	for line := range bytes.Lines(text) {
		var a Access
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("line %d: %v", len(out)+1, err)
		}
		out = append(out, a)
	}
	return out
}

// Many at once leave whole lines, and none is lost.
func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), AccessFile)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 10 {
				if err := Append(path, Access{Command: "rollout", Sources: []Read{{Source: strings.Repeat("x", 5000)}}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := len(entries(t, path)); n != 80 {
		t.Errorf("%d entries", n)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A line that was cut, by a full disk, spoils no other.
func TestTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), AccessFile)
	if err := os.WriteFile(path, []byte(`{"at":"20`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Append(path, Access{Command: "stats"}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	var a Access
	if len(lines) != 2 || json.Unmarshal(lines[1], &a) != nil || a.Command != "stats" {
		t.Errorf("%s", text)
	}
}

// A process that is killed while it appends spoils no line but its last.
func TestAppendKilled(t *testing.T) {
	path := os.Getenv("GOVERNANCE_APPEND_TO")
	if path != "" {
		for {
			if err := Append(path, Access{Command: "killed", Sources: []Read{{Source: strings.Repeat("x", 3000)}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	path = filepath.Join(t.TempDir(), AccessFile)
	cmd := exec.Command(os.Args[0], "-test.run=^TestAppendKilled$")
	cmd.Env = append(os.Environ(), "GOVERNANCE_APPEND_TO="+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() > 20_000 {
			break
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := Append(path, Access{Command: "after"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	spoilt, last := 0, Access{}
	for line := range bytes.Lines(text) {
		if json.Unmarshal(line, &last) != nil {
			spoilt++
		}
	}
	if spoilt > 1 || last.Command != "after" || len(text) < 20_000 {
		t.Errorf("%d lines are spoilt, the last is of %q", spoilt, last.Command)
	}
}

// Every stage that reads rows that are not open is noted before it does, with the
// record that permits it; one that reads none is not.
func TestReading(t *testing.T) {
	dir := t.TempDir()
	used := []InUse{
		{Source: "icu", Tier: "credentialed", Agreement: "Health Data Use Agreement 1.5.0", Holder: "Jane Doe", Record: "dua.yaml:3"},
		{Source: "campus", Tier: "separate", Agreement: "Campus Agreement", Expires: "2026-12-31", Record: "dua.yaml:9"},
	}
	log := Log{Program: "1.2", Command: "prepare", Ingest: "ingest", Key: "records", Now: func() time.Time { return noon },
		Endpoints: []Endpoint{
			{URL: &url.URL{Scheme: "https", Host: "m.example", Path: "/v1"}, Class: Attested, Attestation: &Attestation{File: "a.yaml", VerifiedBy: "Jane Doe", Date: "2026-06-01"}},
			{URL: &url.URL{Scheme: "http", Host: "10.0.0.1", Path: "/v1"}, Class: Local},
		}}
	stage := func(name string, change func(*pipeline.Stage)) error {
		run, err := pipeline.Open(t.Context(), dir, pipeline.Options{Reading: log.Reading})
		if err != nil {
			t.Fatal(err)
		}
		defer run.Close()
		st := pipeline.Stage{Name: name, Version: "1", Output: name, Work: func(_ context.Context, w *pipeline.Work) error {
			if name == "ingest" {
				w.Summarize("records", used)
			}
			return nil
		}}
		if change != nil {
			change(&st)
		}
		_, err = run.Do(t.Context(), st)
		return err
	}
	if err := stage("ingest", func(st *pipeline.Stage) { st.Reads = used }); err != nil {
		t.Fatal(err)
	}
	log.Command = "rollout"
	if err := stage("rollout", func(st *pipeline.Stage) { st.Sources, st.Sends = []string{"icu", "free"}, true }); err != nil {
		t.Fatal(err)
	}
	if err := stage("open", func(st *pipeline.Stage) { st.Sources = []string{"free"} }); err != nil {
		t.Fatal(err)
	}
	got := entries(t, filepath.Join(dir, AccessFile))
	if len(got) != 3 || len(got[0].Sources) != 2 || len(got[1].Sources) != 1 || len(got[2].Sources) != 1 {
		t.Fatalf("%+v", got)
	}
	want := Read{"icu", "credentialed", "Health Data Use Agreement 1.5.0", "dua.yaml:3"}
	if got[0].Command != "prepare" || got[0].Stage != "ingest" || got[0].Endpoint != "" || got[0].Sources[0] != want || !got[0].At.Equal(noon) || got[0].User == "" ||
		got[1].Command != "rollout" || got[1].EndpointClass != "attested" || got[1].Endpoint != "https://m.example/v1" ||
		got[1].Attestation != "a.yaml, verified by Jane Doe on 2026-06-01" || got[2].Endpoint != "http://10.0.0.1/v1" || got[2].EndpointClass != "local" || got[2].Attestation != "" {
		t.Errorf("%+v", got)
	}
	// A record that has expired since permits nothing more.
	log.Now = func() time.Time { return noon.AddDate(1, 0, 0) }
	var refused *pipeline.PolicyError
	if err := stage("late", nil); !errors.As(err, &refused) || !strings.Contains(err.Error(), "expired on 2026-12-31") {
		t.Errorf("%v", err)
	}
	if err := stage("late", func(st *pipeline.Stage) { st.Sources = []string{"icu"} }); err != nil {
		t.Errorf("a source whose record stands: %v", err)
	}
}
