package rollout

import (
	"context"
	"database/sql"
	"fmt"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	_ "modernc.org/sqlite"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/sandbox"
	pyenv "github.com/medgym-data/medgym-data/sandbox/python"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
	"github.com/medgym-data/medgym-data/stages/internal/judge"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
	"github.com/medgym-data/medgym-data/stages/internal/tokens"
)

func TestMain(m *testing.M) { runtest.Main(m) }

// wards is a session's data: a private database and a CSV file.
func wards(t *testing.T) datasets.Session {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wards.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		"create table patients (row_id integer, gender text, born text)",
		"create table drugs (row_id integer, subject_id integer, drug text, dose real)",
		"insert into patients values (1, 'f', '2050-01-01'), (2, 'm', '2060-01-01'), (3, 'm', null)",
		"insert into drugs values (1, 1, 'aspirin', 1.5), (2, 1, 'aspirin ec', 2), (3, 2, 'aspirin', 81), (4, 3, 'it''s \"x\"', null)",
		"create table many (n integer)",
		"with recursive r(n) as (select 1 union all select n + 1 from r where n < 500) insert into many select n from r",
		`create table "odd ""name" ("a b" text)`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return datasets.Session{Files: []datasets.File{
		{Path: "/data/wards.db", HostPath: path},
		{Path: "/workdir/notes/Notes.csv", Content: []byte("\ufeffid,text\n1,\"fever, cough\"\n2,Aspirin given\n3,\n")},
		{Path: "/workdir/readme.txt", Content: []byte("nothing")},
		{Path: "/workdir/broken.csv.gz", Content: []byte("not packed")},
	}}
}

// inform plays an attempt with the given replies on real data.
func inform(t *testing.T, box sandbox.Sandbox, session datasets.Session, limits Limits, replies ...Reply) *schemas.Trajectory {
	t.Helper()
	counter, err := tokens.New()
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.ParseFS(prompts, "prompts/system.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	limits.Turns = len(replies)
	task := schemas.Task{TaskID: "s/test/1", Source: "s", Split: schemas.SplitTest, AccessTier: schemas.TierOpen, Instruction: "Find one.",
		Actions: []string{schemas.ActionRequestInfo, schemas.ActionCodeExecution, schemas.ActionDebugging, schemas.ActionTerminal}}
	env, err := pyenv.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{
		places: environmentPlaces(env),
		task:   task, policy: &talker{replies: replies}, judge: judge.Judge{Grader: grader{}}, limits: limits.defaults(), feedback: schemas.FeedbackStopOnSuccess,
		counter: counter, prompt: tmpl, seed: 5, log: slog.New(slog.DiscardHandler),
		open: func(ctx context.Context) (*execute.Session, error) {
			return execute.Open(ctx, box, "t", session, sandbox.Limits{Wall: limits.Execution})
		},
	}
	row := newRow(task, 0, "run", schemas.FeedbackStopOnSuccess, schemas.Policy{Kind: "test"}, box.Info(), "1")
	row.TrajectoryID = "s/test/1#0"
	if err := a.play(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	if len(row.Steps) != len(replies) {
		t.Fatalf("%d steps of %d replies, %s", len(row.Steps), len(replies), row.Outcome)
	}
	return row
}

func ask(path, kind, term string) Reply {
	if term == "" {
		return do(schemas.ActionRequestInfo, protocol.ParamDataPath, path, protocol.ParamInfoType, kind)
	}
	return do(schemas.ActionRequestInfo, protocol.ParamDataPath, path, protocol.ParamInfoType, kind, protocol.ParamKeyTerm, term)
}

func TestRequestInfo(t *testing.T) {
	tests := []struct {
		reply Reply
		wrong bool
		want  []string
		not   string
	}{
		{ask("/data/wards.db", infoColumns, ""), false, []string{"patients: row_id INTEGER, gender TEXT, born TEXT\n", `odd "name: a b TEXT`}, "Notes"},
		{ask("/workdir/notes", infoColumns, ""), false, []string{"Notes.csv: id, text\n"}, "patients"},
		{ask("/workdir", infoColumns, ""), false, []string{"broken.csv.gz cannot be read: BadGzipFile\nNotes.csv: id, text"}, "patients"},
		{ask("PATIENTS.csv", infoColumns, ""), false, []string{"patients: row_id"}, "drugs"},
		{ask("/data/wards.db/drugs", infoColumns, ""), false, []string{"drugs: row_id INTEGER, subject_id INTEGER, drug TEXT, dose REAL"}, "patients"},
		{ask("wards.db:drugs", infoValues, "DRUG"), false, []string{`drugs.drug: 3 different values (with the number of rows): aspirin (2), aspirin ec (1), it's "x" (1)`}, ""},
		{ask("/data/wards.db", infoValues, "row_id"), false, []string{"drugs.row_id: 4 different", "patients.row_id: 3 different values (with the number of rows): 1 (1), 2 (1), 3 (1)"}, ""},
		{ask("/data/wards.db", infoValues, "patients.gender"), false, []string{"patients.gender: 2 different values (with the number of rows): m (2), f (1)"}, ""},
		{ask("/data/wards.db", infoValues, "n"), false, []string{"many.n: 500 different values, from 1 to 500; the most frequent: 1 (1), 2 (1)"}, "41 (1)"},
		{ask("/data/wards.db", infoValues, "a b"), false, []string{`odd "name.a b: no values`}, ""},
		{ask("/workdir/notes/Notes.csv", infoValues, "text"), false, []string{"Notes.csv.text: 2 different values (with the number of rows): Aspirin given (1), fever, cough (1)"}, ""},
		{ask("/data", infoTerm, "Aspirin"), false, []string{"drugs.drug is Aspirin in 2 rows\n", "drugs.drug contains it: aspirin ec (1)"}, "gender"},
		{ask("/workdir/notes", infoTerm, "aspirin"), false, []string{"Notes.csv.text contains it: Aspirin given (1)"}, "drugs"},
		{ask("/data", infoTerm, "aspirine"), false, []string{"aspirine occurs nowhere in 4 tables.\n", "similar: drugs.drug is aspirin\n"}, ""},
		{ask("/data/wards.db/drugs", infoTerm, "81"), false, []string{"drugs.dose is 81 in 1 row\n"}, ""},
		{ask("/data", infoTerm, "it's \"x\""), false, []string{`drugs.drug is it's "x" in 1 row`}, ""},
		{ask("/data", infoTerm, "'; drop table drugs; --"), false, []string{"occurs nowhere"}, ""},
		{ask("/data/other.db", infoColumns, ""), true, []string{"There is no /data/other.db. Data files: /data/wards.db, /workdir/broken.csv.gz, /workdir/notes/Notes.csv"}, ""},
		{ask("/data/wards.db/nurses", infoColumns, ""), true, []string{"There is no table nurses in /data/wards.db. Tables: drugs, many, odd"}, ""},
		{ask("/etc/passwd", infoColumns, ""), true, []string{"There is no /etc/passwd."}, "root"},
		{ask("/data/../etc/passwd", infoTerm, "root"), true, []string{"There is no /data/../etc/passwd."}, ""},
		{ask("/workdir/readme.txt", infoColumns, ""), true, []string{"There is no /workdir/readme.txt."}, ""},
		{ask("/workdir/broken.csv.gz", infoColumns, ""), true, []string{"/workdir/broken.csv.gz cannot be read: BadGzipFile"}, ""},
		{ask("/data", infoValues, "gendre"), true, []string{"There is no column gendre in any of these tables: drugs, many", "called alike: gender"}, ""},
		{ask("/data", infoValues, ""), true, []string{"column_values needs the name of a column as keyterm."}, ""},
		{ask("/data", infoTerm, " "), true, []string{"term needs the term to look for as keyterm."}, ""},
		{ask("/data", "tables", ""), true, []string{`There is no info_type "tables". It is one of column_names, column_values, term.`}, ""},
		{ask(strings.Repeat("x", 2000), infoColumns, ""), true, []string{"at most 1000 bytes"}, ""},
	}
	var replies []Reply
	for _, test := range tests {
		replies = append(replies, test.reply)
	}
	row := inform(t, runtest.Python(t), wards(t), Limits{}, replies...)
	for i, test := range tests {
		step := row.Steps[i]
		wrong := step.Status == string(sandbox.StatusError) && step.ErrorType == StepBadRequest
		if wrong != test.wrong || !wrong && step.Status != string(sandbox.StatusOK) {
			t.Errorf("%s: status %s %s", step.ParamsJSON, step.Status, step.ErrorType)
		}
		for _, want := range test.want {
			if !strings.Contains(step.Observation, want) {
				t.Errorf("%.200s: no %q in\n%s", step.ParamsJSON, want, step.Observation)
			}
		}
		if test.not != "" && strings.Contains(step.Observation, test.not) {
			t.Errorf("%s: %q in\n%s", step.ParamsJSON, test.not, step.Observation)
		}
		if step.Submission != "" || schemas.Value(step.GraderFeedbackShown) {
			t.Errorf("%s: taken for a submission", step.ParamsJSON)
		}
	}
}

// TestRequestInfoIsolated: what the agent left in its folder is not part of the
// program, and long answers are shortened.
func TestRequestInfoIsolated(t *testing.T) {
	box := runtest.Python(t)
	trap := "import os, site\nfor folder in ('/session', site.getusersitepackages()):\n    os.makedirs(folder, exist_ok=True)\n" +
		"    for name in ('sqlite3', 'csv', 'difflib', 'gzip', 'collections'):\n        open(folder + '/' + name + '.py', 'w').write('raise SystemExit(9)')\n"
	row := inform(t, box, wards(t), Limits{}, code(trap), ask("wards.db/drugs", infoValues, "drug"))
	if got := row.Steps[1]; got.Status != string(sandbox.StatusOK) || !strings.Contains(got.Observation, "aspirin (2)") {
		t.Errorf("%s\n%s", got.Status, got.Observation)
	}
	var wide strings.Builder
	for i := range 400 {
		fmt.Fprintf(&wide, "column_%d,", i)
	}
	session := datasets.Session{Files: []datasets.File{{Path: "/data/wide.csv", Content: []byte(wide.String() + "last\n")}}}
	row = inform(t, box, session, Limits{Observation: 500}, ask("wide.csv", infoColumns, ""))
	if got := row.Steps[0]; len(got.Observation) > 700 || !schemas.Value(got.OutputTruncated) || !strings.Contains(got.Observation, "characters left out") {
		t.Errorf("%d bytes\n%s", len(got.Observation), got.Observation)
	}
	row = inform(t, box, datasets.Session{}, Limits{}, ask("x.db", infoColumns, ""))
	if got := row.Steps[0]; !strings.Contains(got.Observation, "There are no databases and no CSV files") {
		t.Errorf("%s", got.Observation)
	}
}

// TestReferenceAsks: where a task has request_info the reference policy asks, of what
// its solution uses.
func TestReferenceAsks(t *testing.T) {
	task := schemas.Task{TaskID: "s/test/1", Source: "s", Actions: []string{schemas.ActionRequestInfo, schemas.ActionCodeExecution},
		GoldKind: schemas.GoldSQL, Gold: "select distinct drugs.route from drugs where drugs.drug = 'what''s that' and datetime(drugs.at,'start of day') > '2100-01-01' and strftime('%Y',drugs.at) = '2100'",
		Resources: []schemas.Resource{{Name: "/data/wards.db", Kind: "sqlite"}, {Name: "/data/a.json", Kind: "json"}}}
	want := []protocol.Info{{DataPath: "/data/wards.db", InfoType: infoColumns, KeyTerm: ""}, {DataPath: "/data/wards.db", InfoType: infoTerm, KeyTerm: "what's that"}, {DataPath: "/data/wards.db/drugs", InfoType: infoValues, KeyTerm: "drug"}}
	if got := requests(task); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	ref := datasets.Reference{Right: "answer = 1\n", Wrong: []string{"answer = 2\n"}, Explore: []string{"print('look')\n"}}
	policies := Reference(datasets.Registry{gold{ref: ref}}, schemas.FeedbackStopOnSuccess)
	asked := map[protocol.Info]int{}
	for attempt := range 200 {
		p, err := policies.New(task, attempt, derive(1, fmt.Sprint(attempt)))
		if err != nil {
			t.Fatal(err)
		}
		for _, reply := range replies(t, p) {
			if action, _, err := protocol.Parse(reply); err == nil && action.Name == schemas.ActionRequestInfo {
				asked[action.Info]++
			}
		}
	}
	for _, info := range want {
		if asked[info] == 0 {
			t.Errorf("%+v is never asked", info)
		}
	}
}
