package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

// The marks stand in rows, in files that are built of them and in what programs say.
// None may be seen outside the files that hold rows.
var marks = []string{"MARK-QUESTION", "MARK-ANSWER", "MARK-NOTE", "MARK-PRINTED", "MARK-RAISED", "MARK-BROKEN"}

// vault is a source of notes and questions about them, credentialed or open.
type vault struct{ spec datasets.Spec }

func newVault(id, tier string) vault {
	spec := datasets.Spec{ID: id, Name: id, Summary: "Notes that were made up.", Reference: "none", Domain: "DB", Kind: "structured", Distribution: "in", Categories: 1,
		License: "CC0-1.0", Tier: tier, Full: datasets.Counts{Train: 6, Test: 6}, Leaderboard: datasets.Counts{Train: 6, Test: 6}, Release: datasets.Counts{Train: 6, Test: 6},
		Actions: []string{schemas.ActionCodeExecution, schemas.ActionDebugging, schemas.ActionTerminal},
		Layouts: []datasets.Layout{{ID: "medagentgym", Help: "made up", Files: []datasets.LayoutFile{
			{Pattern: "train_tasks.jsonl", Split: schemas.SplitTrain, Role: datasets.RoleRows}, {Pattern: "test_tasks.jsonl", Split: schemas.SplitTest, Role: datasets.RoleRows},
			{Pattern: "notes.txt", Role: datasets.RoleResource}}}},
		AdapterVersion: "1", GraderVersion: "1"}
	if tier != schemas.TierOpen {
		spec.License, spec.Agreement = "Ward licence 2", datasets.Agreement{Name: "Ward Data Agreement", Version: "2", URL: "https://example.org/text", Apply: "https://example.org/apply", Needs: []string{"a course"}}
	}
	return vault{spec}
}

func (v vault) Spec() datasets.Spec { return v.spec }

type vaultRow struct {
	N        int    `json:"n"`
	Question string `json:"question"`
	Answer   string `json:"answer"`
}

// Synthesize writes good rows and broken ones: what is wrong with a row is told
// without its content too.
func (v vault) Synthesize(_ context.Context, opts datasets.SynthOptions, create func(string) (io.WriteCloser, error)) error {
	for name, rows := range map[string]int{"train_tasks.jsonl": opts.Train, "test_tasks.jsonl": opts.Test, "notes.txt": 0} {
		w, err := create(name)
		if err != nil {
			return err
		}
		if name == "notes.txt" {
			fmt.Fprintln(w, "MARK-NOTE of "+v.spec.ID)
		}
		for i := range rows {
			fmt.Fprintf(w, "{\"n\":%d,\"question\":\"MARK-QUESTION %s %s %d\",\"answer\":\"MARK-ANSWER %d\"}\n", i, v.spec.ID, name, i, i)
		}
		if rows > 0 {
			fmt.Fprintf(w, "{\"n\":\"MARK-BROKEN %d\"}\n{\"n\":1,\"question\":MARK-BROKEN\n{\"MARK-BROKEN\":1,\"n\":2}\n{\"n\":3,\"n\":4,\"question\":\"MARK-BROKEN\"}\n", rows)
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (v vault) Builds(datasets.Raw) ([]datasets.Build, error) {
	return []datasets.Build{{Name: "notes.db", Inputs: []string{"notes.txt"}, Key: "1", Make: func(_ context.Context, path string, _ func(int64)) error {
		return os.WriteFile(path, []byte("MARK-NOTE"), 0o600)
	}}}, nil
}

func (v vault) Normalize(ctx context.Context, raw datasets.Raw, emit datasets.Emitter) error {
	return datasets.EachFile(ctx, raw, v.spec, emit, func(_ *datasets.Row, row vaultRow) (schemas.Task, error) {
		if err := datasets.RequireText(datasets.Text{Name: "question", Value: &row.Question}); err != nil {
			return schemas.Task{}, err
		}
		text, err := json.Marshal(row.Answer)
		return schemas.Task{Category: fmt.Sprint(row.N), Question: row.Question, Instruction: row.Question + " Set answer.", AnswerType: schemas.AnswerText, Answer: string(text),
			Gold: fmt.Sprintf("answer = %s", text), GoldKind: schemas.GoldPython}, err
	})
}

func (v vault) Furnish(_ context.Context, _ schemas.Task, raw datasets.Files) (datasets.Session, error) {
	return datasets.Session{Files: []datasets.File{{Path: "/workdir/notes.txt", HostPath: raw.Path("notes.txt")}, {Path: "/workdir/notes.db", HostPath: raw.Path(datasets.BuiltPrefix + "notes.db")}}}, nil
}

func (v vault) Reference(task schemas.Task) (datasets.Reference, error) {
	return datasets.Reference{Right: task.Gold, Wrong: []string{"print('MARK-PRINTED')\nanswer = 'MARK-ANSWER of none'"},
		Explore: []string{"print(open('/workdir/notes.txt').read())", "import sys\nsys.stderr.write('MARK-PRINTED')\nraise ValueError('MARK-RAISED')"}}, nil
}

// Grade fails for one task in each split, and runs code that crashes for another.
func (v vault) Grade(ctx context.Context, task schemas.Task, sub datasets.Submission, run datasets.Runner) (datasets.Verdict, error) {
	switch task.Category {
	case "2":
		return datasets.Verdict{}, &datasets.GoldError{Reason: "gold_error"}
	case "3":
		out, err := run.Run(ctx, datasets.Program{Code: "raise RuntimeError('MARK-RAISED')"})
		if err != nil || out.Status != "error" {
			return datasets.Verdict{}, fmt.Errorf("status %s: %w", out.Status, err)
		}
	}
	if string(sub.Answer) == task.Answer {
		return datasets.Verdict{Reward: 1, Upstream: 1, Reason: "correct"}, nil
	}
	return datasets.Verdict{Reason: "wrong_value"}, nil
}

// program runs commands with the two sources, in this process.
type program struct {
	t        *testing.T
	registry datasets.Registry
	dir      string
	said     bytes.Buffer // all that was ever printed
}

func newProgram(t *testing.T) *program {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	if exec.Command("unshare", "-Ur", "true").Run() != nil {
		const line = "GOVERNANCE IS NOT TESTED WITH PROGRAMS THAT RUN: no sandbox on this machine"
		if os.Getenv("CI") != "" {
			t.Fatal(line)
		}
		t.Skip(line)
	}
	return &program{t: t, registry: datasets.Registry{newVault("plaza", schemas.TierOpen), newVault("vault", schemas.TierCredentialed)}, dir: t.TempDir()}
}

func (p *program) path(elem ...string) string {
	return filepath.Join(append([]string{p.dir}, elem...)...)
}

// run runs a command and gives its exit code and what it said.
func (p *program) run(args ...string) (int, string) {
	p.t.Helper()
	var out bytes.Buffer
	err := newAppOf(p.registry, &out, &out).RunContext(p.t.Context(), append([]string{"medgym-data", "--log-level", "debug"}, args...))
	code := 0
	if err != nil {
		report(&out, err, slices.Contains(args, "--json"))
		code = exitCode(err)
	}
	p.said.Write(out.Bytes())
	return code, out.String()
}

func (p *program) must(args ...string) string {
	p.t.Helper()
	code, out := p.run(args...)
	if code != 0 {
		p.t.Fatalf("%v: exit code %d:\n%s", args, code, out)
	}
	return out
}

// refused holds a command to a refusal with one line that says all of want.
func (p *program) refused(args []string, want ...string) {
	p.t.Helper()
	code, out := p.run(args...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := lines[len(lines)-1]
	if code != exitRefused || !strings.HasPrefix(last, "medgym-data: ") {
		p.t.Errorf("%v: exit code %d:\n%s", args, code, out)
	}
	for _, text := range want {
		if !strings.Contains(last, text) {
			p.t.Errorf("%v: %q is not said: %s", args, text, last)
		}
	}
}

// TestGovernance walks the whole road with a credentialed source beside an open one
// and holds everything that is left behind to the rules: no content of a row outside
// the files that hold rows, tiers apart, closed rows closed, and who read them noted.
func TestGovernance(t *testing.T) {
	p := newProgram(t)
	raw, run := p.path("raw"), p.path("run")
	p.must("synth", "--out", raw, "--rows", "4")
	// The tasks that are drawn are of all categories: their programs fail, too.
	p.must("prepare", "--raw", raw, "--dir", run, "--gold-repeats", "1", "--validate-tasks", "4")
	rollout := []string{"rollout", "--dir", run, "-k", "2"}
	p.refused(append(rollout, "--policy", "openai", "--model", "m", "--endpoint", "https://93.184.215.14/v1"), "https://93.184.215.14/v1 is an open endpoint", "rows of vault must not leave")
	p.must(append(rollout, "--policy", "reference")...)
	p.must("grade", "--dir", run)
	p.refused([]string{"export", "all", "--dir", run, "--public"}, "would mix in rows of vault (credentialed)")
	p.must("export", "all", "--dir", run)
	// What stands already is refused just so.
	p.refused([]string{"export", "all", "--dir", run, "--public"}, "would mix in rows of vault (credentialed)")
	p.must("stats", "--dir", run)
	if out := p.must("sources", "--dir", run); !strings.Contains(out, "vault: no agreement (The data are synthetic") {
		t.Errorf("sources:\n%s", out)
	}
	t.Run("content", func(t *testing.T) { noContent(t, p, run) })
	t.Run("modes", func(t *testing.T) { closedModes(t, run) })
	t.Run("tiers", func(t *testing.T) { tiersApart(t, run) })
	t.Run("access", func(t *testing.T) { accessNoted(t, run) })
	t.Run("cards", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(run, "datasets", "credentialed", "README.md"))
		if err != nil || !strings.Contains(string(text), "Ward Data Agreement 2") || !strings.Contains(string(text), "made up by `medgym-data synth`") {
			t.Errorf("%v\n%s", err, text)
		}
	})
	// The open rows alone may go anywhere.
	p.must("export", "all", "--dir", run, "--public", "--source", "plaza", "--force")
	if _, err := os.Stat(filepath.Join(run, "datasets", "credentialed")); err == nil {
		t.Error("an export for a public hub holds a closed tier")
	}
}

// noContent: what commands say, and every file but those of rows, is free of rows.
func noContent(t *testing.T, p *program, run string) {
	if !strings.Contains(p.said.String(), "rejected") || p.said.Len() < 2000 {
		t.Errorf("the commands said next to nothing:\n%s", p.said.String())
	}
	check := func(where string, text []byte) {
		for _, mark := range marks {
			if at := bytes.Index(text, []byte(mark)); at >= 0 {
				t.Errorf("%s holds %s: …%s…", where, mark, text[max(0, at-100):min(len(text), at+40)])
			}
		}
	}
	check("stdout or stderr", p.said.Bytes())
	read := 0
	walkFiles(t, run, func(rel string, _ fs.FileInfo) {
		if strings.HasSuffix(rel, ".parquet") || strings.Contains(rel, "/built/") {
			return
		}
		text, err := os.ReadFile(filepath.Join(run, rel))
		if err != nil {
			t.Error(err)
		}
		read++
		check(rel, text)
	})
	for _, name := range []string{"manifest.json", "access.log", "journal.db", "tasks/rejected.jsonl", "tasks/credentialed/rejected.jsonl", "tasks/report.json",
		"validation/report.json", "screening/report.json", "datasets/credentialed/README.md", "reports/stats.json"} {
		if info, err := os.Stat(filepath.Join(run, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s was not looked into: %v", name, err)
		}
	}
	if read < 15 {
		t.Errorf("only %d files were looked into", read)
	}
}

func walkFiles(t *testing.T, root string, visit func(rel string, info fs.FileInfo)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		rel, _ := filepath.Rel(root, path)
		visit(filepath.ToSlash(rel), info)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// closedModes: everything is closed to other users but the way to the open rows.
func closedModes(t *testing.T, run string) {
	seen := 0
	err := filepath.WalkDir(run, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(run, path)
		parts := strings.Split(filepath.ToSlash(rel), "/")
		info, err := entry.Info()
		if err != nil {
			return err
		}
		perm := info.Mode().Perm()
		isOpen := len(parts) > 1 && parts[1] == schemas.TierOpen
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		}
		switch {
		case rel == "run.lock": // names a process, and no row
		case isOpen && parts[0] == "screening": // says of open tasks how they overlap closed ones
		case isOpen:
			if entry.IsDir() && perm&0o055 != 0o055 || perm&0o044 != 0o044 {
				t.Errorf("%s is open data, and is closed: %v", rel, perm)
			}
		case len(parts) == 1 && entry.IsDir() && exists(filepath.Join(path, schemas.TierOpen)): // the way to what is open
		case rel == ".":
		case perm != want:
			t.Errorf("%s has mode %v, want %v", rel, perm, want)
		}
		seen++
		return nil
	})
	if err != nil || seen < 40 {
		t.Errorf("%d files and folders, %v", seen, err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// tiersApart: each row lies in a folder of its tier, and in no file of another.
func tiersApart(t *testing.T, run string) {
	tier := map[string]string{"plaza": schemas.TierOpen, "vault": schemas.TierCredentialed}
	rows := map[string]int{}
	walkFiles(t, run, func(rel string, _ fs.FileInfo) {
		parts := strings.Split(rel, "/")
		path := filepath.Join(run, rel)
		of := func(source string) {
			if tier[source] != parts[1] {
				t.Errorf("%s holds a row of %s", rel, source)
			}
			rows[parts[0]+"/"+parts[1]]++
		}
		switch {
		case strings.HasSuffix(rel, "rejected.jsonl"):
			text, _ := os.ReadFile(path)
			for line := range bytes.Lines(text) {
				var row struct{ Source string }
				if err := json.Unmarshal(line, &row); err != nil || (tier[row.Source] == schemas.TierOpen) != (len(parts) == 2) {
					t.Errorf("%s holds a row of %q, %v", rel, row.Source, err)
				}
				rows["rejected/"+tier[row.Source]]++
			}
		case !strings.HasSuffix(rel, ".parquet"):
		case parts[0] == "tasks":
			eachIn(t, path, func(r schemas.Task) { of(r.Source) })
		case parts[0] == "validation":
			eachIn(t, path, func(r schemas.TaskValidation) { of(r.Source) })
		case parts[0] == "screening":
			eachIn(t, path, func(r schemas.ScreenedTask) { of(r.Source) })
		case parts[0] == "trajectories":
			eachIn(t, path, func(r schemas.Trajectory) { of(r.Source) })
		case parts[0] == "datasets" && parts[2] == schemas.ConfigSFT:
			eachIn(t, path, func(r schemas.SFT) { of(r.Source) })
		case parts[0] == "datasets" && parts[2] == schemas.ConfigDPO:
			eachIn(t, path, func(r schemas.DPO) { of(r.Source) })
		case parts[0] == "datasets" && parts[2] == schemas.ConfigVerifier:
			eachIn(t, path, func(r schemas.Verifier) { of(r.Source) })
		default:
			t.Errorf("%s holds rows of an unknown table", rel)
		}
	})
	for _, table := range []string{"tasks", "validation", "screening", "trajectories", "datasets", "rejected"} {
		for _, of := range []string{schemas.TierOpen, schemas.TierCredentialed} {
			if rows[table+"/"+of] == 0 {
				t.Errorf("no %s row in %s: nothing was held to the rule", of, table)
			}
		}
	}
}

func eachIn[T any](t *testing.T, path string, visit func(T)) {
	t.Helper()
	for row, err := range pq.ReadFile[T](t.Context(), path) {
		if err != nil {
			t.Fatal(err)
		}
		visit(row)
	}
}

// accessNoted: every command that read closed rows stands in the access log, in
// order, with the record that it did so under.
func accessNoted(t *testing.T, run string) {
	text, err := os.ReadFile(filepath.Join(run, governance.AccessFile))
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for line := range bytes.Lines(text) {
		var entry governance.Access
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatal(err)
		}
		if len(entry.Sources) != 1 || entry.Sources[0].Source != "vault" || entry.Sources[0].Agreement != "none" || !strings.Contains(entry.Sources[0].Record, "dua.yaml:") || entry.User == "" {
			t.Errorf("%+v", entry)
		}
		commands = append(commands, entry.Command+" "+entry.Stage)
	}
	for _, want := range []string{"prepare ingest", "prepare normalize", "prepare screen", "prepare validate", "rollout rollout", "grade grade", "stats stats"} {
		if !slices.Contains(commands, want) {
			t.Errorf("%s is not noted: %v", want, commands)
		}
	}
	if !slices.ContainsFunc(commands, func(c string) bool { return strings.HasSuffix(c, " export") }) {
		t.Errorf("export is not noted: %v", commands)
	}
	var used []governance.InUse
	if ok, err := pipeline.ReadSummary(run, "ingest", "dua_records", &used); err != nil || !ok || len(used) != 1 || used[0].Source != "vault" {
		t.Errorf("the manifest names %v, %v", used, err)
	}
}

// TestRecordsOfCommands: what prepare and doctor say without a record, with a faulty
// one, with one, and once it has expired.
func TestRecordsOfCommands(t *testing.T) {
	p := newProgram(t)
	raw, run, dua := p.path("raw"), p.path("run"), p.path("mine.yaml")
	p.must("synth", "--out", raw, "--rows", "1")
	if err := errors.Join(os.Remove(filepath.Join(raw, "dua.yaml")), os.Remove(filepath.Join(raw, "synthetic.json"))); err != nil {
		t.Fatal(err)
	}
	prepare := []string{"prepare", "--raw", raw, "--dir", run, "--no-validate"}
	p.refused(prepare, "source vault is credentialed data under the Ward Data Agreement 2, which needs a DUA record, and none was found",
		"medgym-data sources --dua-template prints a dua.yaml to fill in", "https://example.org/apply")
	if exists(run) {
		t.Error("a refused prepare left a run folder")
	}
	template := p.must("sources", "--dua-template")
	write := func(text string) {
		if err := os.WriteFile(dua, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(template)
	prepare = append(prepare, "--dua", dua)
	if code, out := p.run(prepare...); code != exitBadInput || !strings.Contains(out, dua+":10: holder is still the one of the template") {
		t.Errorf("exit code %d: %s", code, out)
	}
	filled := strings.NewReplacer("<your name, as it was signed>", "Jane Doe", "signed: <2026-01-31>", "signed: 2026-01-31",
		"<certificate and its date>", "a course, 2025", "<folder of the data; a list where there are several>", raw).Replace(template)
	write(filled)
	if out := p.must("doctor", "--dua", dua); !strings.Contains(out, "permitted  vault") || !strings.Contains(out, "signed by Jane Doe on 2026-01-31") {
		t.Errorf("doctor:\n%s", out)
	}
	p.must(prepare...)
	p.must("stats", "--dir", run)
	if out := p.must("sources", "--dir", run); !strings.Contains(out, "vault: Ward Data Agreement 2, signed by Jane Doe on 2026-01-31") {
		t.Errorf("sources:\n%s", out)
	}
	write(strings.Replace(filled, "# expires: <2027-01-31>", "expires: 2026-02-01", 1))
	p.refused(prepare, "the DUA record for source vault", "expired on 2026-02-01")
	if out := p.must("doctor", "--dua", dua); !strings.Contains(out, "refused    vault") {
		t.Errorf("doctor:\n%s", out)
	}
}

// TestEndpoints: the classes, at the commands.
func TestEndpoints(t *testing.T) {
	p := newProgram(t)
	reply := `{"choices":[{"message":{"content":"{\"action\":\"code_execution\",\"params\":{\"code\":\"answer = 'MARK-ANSWER 0'\"}}"}}],"usage":{"prompt_tokens":5,"completion_tokens":3}}`
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, reply) }))
	defer model.Close()
	raw, run := p.path("raw"), p.path("run")
	p.must("synth", "--out", raw, "--rows", "1")
	p.must("prepare", "--raw", raw, "--dir", run, "--no-validate")
	p.must("rollout", "--dir", run, "--policy", "openai", "--model", "tiny", "--endpoint", model.URL+"/v1", "-k", "1", "--turns", "2")
	for _, tier := range []string{"open/plaza", "credentialed/vault"} {
		eachIn(t, filepath.Join(run, "trajectories", tier, "test-00000-of-00001.parquet"), func(r schemas.Trajectory) {
			if r.Policy.Kind != "openai" || r.Policy.EndpointClass != "local" || r.Outcome != schemas.OutcomeSolved {
				t.Errorf("%+v", r)
			}
		})
	}
	// A refusal comes before all else that could be said of a run that is done.
	p.refused([]string{"rollout", "--dir", run, "--policy", "openai", "--model", "m", "--endpoint", "https://93.184.215.14/v1"}, "rows of vault must not leave")
	text, err := os.ReadFile(filepath.Join(run, governance.AccessFile))
	if err != nil || !strings.Contains(string(text), `"endpoint":"`+model.URL+`/v1","endpoint_class":"local"`) {
		t.Errorf("%v\n%s", err, text)
	}
	attestation := p.path("attestation.yaml")
	if err := os.WriteFile(attestation, []byte("endpoint: https://93.184.215.14/v1\nzero_retention: true\nno_training_use: true\nno_human_review: true\nverified_by: Jane Doe\ndate: 2026-01-31\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	public := []string{"doctor", "--endpoint", "https://93.184.215.14/v1"}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"doctor", "--endpoint", model.URL}, "permitted  vault          " + model.URL + " is local"},
		{public, "refused    vault          https://93.184.215.14/v1 is an open endpoint"},
		{public, "permitted  plaza          https://93.184.215.14/v1 is open"},
		{append(public, "--attestation", attestation), "permitted  vault          https://93.184.215.14/v1 is attested: verified by Jane Doe on 2026-01-31"},
	} {
		if out := p.must(tt.args...); !strings.Contains(out, tt.want) {
			t.Errorf("%v lacks %q:\n%s", tt.args, tt.want, out)
		}
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"rollout", "--dir", run, "--policy", "openai", "--model", "m"}, exitUsage, "--endpoint is required"},
		{[]string{"rollout", "--dir", run, "--policy", "openai", "--endpoint", model.URL}, exitUsage, "--model is required"},
		{[]string{"rollout", "--dir", run, "--policy", "openai", "--model", "m", "--endpoint", "ftp://x"}, exitUsage, "--endpoint cannot be used"},
		{[]string{"rollout", "--dir", run, "--policy", "openai", "--model", "m", "--endpoint", model.URL, "--attestation", attestation}, exitBadInput, "is an attestation for https://93.184.215.14/v1"},
		{[]string{"rollout", "--dir", run, "--package-index", "https://93.184.215.14/simple"}, exitRefused, "the package index https://93.184.215.14/simple is not in a private network"},
		{[]string{"doctor", "--endpoint", model.URL, "--attestation", p.path("none.yaml")}, exitBadInput, "cannot be read"},
	} {
		if code, out := p.run(tt.args...); code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("%v: exit code %d:\n%s", tt.args, code, out)
		}
	}
}

// The engine's name for what stays open is the open tier's.
func TestPublicFolder(t *testing.T) {
	if pipeline.PublicFolder != schemas.TierOpen {
		t.Errorf("%s and %s", pipeline.PublicFolder, schemas.TierOpen)
	}
}
