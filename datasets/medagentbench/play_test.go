package medagentbench

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/datasets/fhir"
	"github.com/medgym-data/medgym-data/schemas"
)

// player runs programs in a plain Python, each beside a session of its own. It
// stands in for the sandbox: the codec is the same, the isolation is not there,
// and what is run is ours.
const player = `
import contextlib, io, json, sys

def plain(v):
    if isinstance(v, dict):
        return {"$": "dict", "v": [[plain(k), plain(x)] for k, x in v.items()]}
    if isinstance(v, tuple):
        return {"$": "tuple", "v": [plain(x) for x in v]}
    if isinstance(v, list):
        return [plain(x) for x in v]
    return v

for line in sys.stdin:
    code, out, names, error = json.loads(line), io.StringIO(), {"__name__": "__main__"}, ""
    with contextlib.redirect_stdout(out):
        try:
            exec(code, names)
        except Exception as e:
            error = type(e).__name__
    answer = json.dumps(plain(names["answer"])) if "answer" in names else ""
    print(json.dumps({"answer": answer, "stdout": out.getvalue(), "error": error}), flush=True)
`

// play is a program to run for a task.
type play struct {
	task schemas.Task
	code string
}

// run runs every play and returns its submission.
func run(t *testing.T, source *Source, raw datasets.Files, plays []play) []datasets.Submission {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		const line = "NO PYTHON: python3 is not on the PATH, so the reference programs did not run"
		if os.Getenv("CI") != "" {
			t.Fatal(line)
		}
		t.Skip(line)
	}
	cmd := exec.CommandContext(t.Context(), python, "-I", "-c", player)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // no proxy
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var sessions []datasets.Service
	for _, p := range plays {
		session, err := source.Furnish(t.Context(), p.task, raw)
		if err != nil {
			t.Fatal(err)
		}
		service := session.Services[0]
		if service.Port != fhir.Port || service.Name != serviceName {
			t.Fatalf("the service is %s on port %d", service.Name, service.Port)
		}
		server := httptest.NewServer(service.Handler)
		t.Cleanup(server.Close)
		sessions = append(sessions, service)
		code := strings.ReplaceAll(p.code, strings.TrimSuffix(fhir.BaseURL, "/fhir/"), server.URL)
		if _, err := in.Write(append(encode(code), '\n')); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var subs []datasets.Submission
	decoder := json.NewDecoder(&out)
	for i, p := range plays {
		var result struct{ Answer, Stdout, Error string }
		if err := decoder.Decode(&result); err != nil {
			t.Fatal(err)
		}
		sub := datasets.Submission{Code: p.code, Answer: datasets.RawValue(result.Answer), Status: "ok"}
		// The release's server has a fixed address; a test's has not.
		sub.Stdout = anyPort(result.Stdout)
		if result.Error != "" {
			sub.Status, sub.Error = "error", result.Error
		}
		if drained := sessions[i].Drain(); drained != nil {
			sub.Records = map[string]datasets.RawValue{serviceName: drained}
		}
		subs = append(subs, sub)
	}
	return subs
}

// anyPort puts the session's address back in the place of a test server's.
func anyPort(text string) string {
	const host = "http://127.0.0.1:"
	for {
		before, after, ok := strings.Cut(text, host)
		if !ok {
			return text
		}
		text = before + "http://localhost:8080" + strings.TrimLeft(after, "0123456789")
	}
}

// checkReferences plays the reference programs of every ready task: the right one
// must earn 1, wrong ones and those that explore nothing. It returns how many of
// the right ones the release would pass.
func checkReferences(t *testing.T, dir string, tasks []schemas.Task) (ready, upstream int) {
	t.Helper()
	source, raw := New().(*Source), datasettest.Dir{Root: dir}
	var plays []play
	var what []string
	for _, task := range tasks {
		if task.Status != schemas.StatusReady {
			continue
		}
		ready++
		ref, err := source.Reference(task)
		if err != nil {
			t.Fatal(err)
		}
		add := func(kind string, programs ...string) {
			for _, code := range programs {
				plays, what = append(plays, play{task, code}), append(what, kind)
			}
		}
		add("right", ref.Right)
		add("wrong", ref.Wrong...)
		add("explore", ref.Explore...)
	}
	for i, sub := range run(t, source, raw, plays) {
		task := plays[i].task
		if sub.Status != "ok" {
			t.Errorf("%s: %s: a %s program ends with %s", task.TaskID, task.Category, what[i], sub.Error)
			continue
		}
		v := datasettest.Grade(t, source, task, sub)
		switch {
		case what[i] == "right" && v.Reward != 1:
			t.Errorf("%s: %s: the right program fails: %s", task.TaskID, task.Category, v.Reason)
		case what[i] == "wrong" && v.Reward != 0:
			t.Errorf("%s: %s: a wrong program passes:\n%s", task.TaskID, task.Category, plays[i].code)
		case what[i] == "explore" && (len(sub.Answer) > 0 || len(sub.Stdout) == 0):
			t.Errorf("%s: %s: a program that explores hands in an answer, or prints nothing", task.TaskID, task.Category)
		case what[i] == "right":
			upstream += int(v.Upstream)
		}
	}
	t.Logf("%d ready tasks, %d programs run, %d right programs pass upstream", ready, len(plays), upstream)
	return ready, upstream
}

// TestReferencesOfFixtures plays the cases of testdata.
func TestReferencesOfFixtures(t *testing.T) {
	dir := t.TempDir()
	for name, from := range map[string]string{testFile: "raw.jsonl", funcsFile: "funcs.json",
		"fhir/Patient.ndjson": "fhir/Patient.ndjson", "fhir/Observation.ndjson": "fhir/Observation.ndjson"} {
		data, err := os.ReadFile(filepath.Join("testdata", from))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name), data)
	}
	checkReferences(t, dir, datasettest.Normalize(t, New(), dir, "").Tasks)
}

func writeFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// synthesize writes a synthetic download.
func synthesize(t *testing.T, opts datasets.SynthOptions) string {
	t.Helper()
	dir := t.TempDir()
	create := func(name string) (io.WriteCloser, error) {
		writeFile(t, filepath.Join(dir, name), nil)
		return os.Create(filepath.Join(dir, name))
	}
	if err := New().(*Source).Synthesize(context.Background(), opts, create); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestReferencesOfSynthetic plays a synthetic download of all kinds and cases end
// to end.
func TestReferencesOfSynthetic(t *testing.T) {
	dir := synthesize(t, datasets.SynthOptions{Train: 60, Test: 40, Seed: 7})
	tasks := datasettest.Normalize(t, New(), dir, "").Tasks
	categories := map[string]int{}
	for _, task := range tasks {
		categories[task.Category]++
	}
	if len(categories) != 10 {
		t.Errorf("%d kinds, want 10", len(categories))
	}
	if ready, _ := checkReferences(t, dir, tasks); ready != 100 {
		t.Errorf("%d tasks are ready, want 100", ready)
	}
}
