package replay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/internal/atif"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
	"github.com/medgym-data/medgym-data/stages/rollout"
	"github.com/medgym-data/medgym-data/stages/rollout/replay"
)

// played is a corpus with a run folder in which the reference was sampled.
type played struct {
	runtest.Corpus
	play fake.Run
	dir  string
	rows []schemas.Trajectory
}

func reference(t *testing.T, rows, k int) played {
	t.Helper()
	c := runtest.Synthetic(t, runtest.Registry(t), rows)
	p := played{Corpus: c, play: c.Play(t), dir: c.Folder(t)}
	p.sample(t, p.dir, rollout.Reference(c.Registry, schemas.FeedbackStopOnSuccess), k)
	p.rows = runtest.Rows(t, p.dir)
	return p
}

// sample runs the stage in a run folder.
func (p played) sample(t *testing.T, dir string, policies rollout.Policies, k int) pipeline.StageResult {
	t.Helper()
	stage, err := rollout.Stage(rollout.Options{Registry: p.Registry, Policies: policies, K: k, Seed: 7, Concurrency: 4,
		Sandbox: func(context.Context) (sandbox.Sandbox, error) { return fake.New(p.play), nil }})
	if err != nil {
		t.Fatal(err)
	}
	run, err := pipeline.Open(t.Context(), dir, pipeline.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	res, err := run.Do(t.Context(), stage)
	if err := errors.Join(err, run.Close()); err != nil {
		t.Fatal(err)
	}
	return res
}

// open opens recordings for the tasks of the corpus.
func (p played) open(t *testing.T, path string, change ...func(*replay.Options)) (*replay.Recordings, error) {
	t.Helper()
	opts := replay.Options{Path: path, Tasks: filepath.Join(p.dir, "tasks"), Registry: p.Registry, Spool: t.TempDir()}
	for _, c := range change {
		c(&opts)
	}
	r, err := replay.Open(t.Context(), opts)
	if r != nil {
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return r, err
}

func (p played) mustOpen(t *testing.T, path string, change ...func(*replay.Options)) *replay.Recordings {
	t.Helper()
	r, err := p.open(t, path, change...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// same holds replayed rows against those that were recorded: all but who played, and
// what the id says of the settings, is as it was.
func (p played) same(t *testing.T, got []schemas.Trajectory) {
	t.Helper()
	if len(got) != len(p.rows) {
		t.Fatalf("%d rows, want %d", len(got), len(p.rows))
	}
	for i, row := range got {
		want := p.rows[i]
		if row.Policy.Kind != replay.Kind || row.Policy.EndpointClass != "" {
			t.Errorf("%s was played by %+v", row.TrajectoryID, row.Policy)
		}
		row.Policy, want.Policy, row.TrajectoryID, want.TrajectoryID = schemas.Policy{}, schemas.Policy{}, "", ""
		if !reflect.DeepEqual(row, want) {
			a, _ := json.Marshal(row)
			b, _ := json.Marshal(want)
			t.Fatalf("row %d differs:\n got %s\nwant %s", i, a, b)
		}
	}
}

// agrees holds every verdict to being the recorded one.
func agrees(t *testing.T, r *replay.Recordings, dir string, rows int) {
	t.Helper()
	by, err := r.Compare(t.Context(), filepath.Join(dir, "trajectories"))
	if err != nil {
		t.Fatal(err)
	}
	var all replay.Comparison
	for _, c := range by {
		all.Merge(c)
	}
	if all.Rows != rows || all.Strict.Compared == 0 || all.Strict.Differ() != 0 || all.Upstream.Differ() != 0 {
		t.Errorf("verdicts: %+v, want %d rows that agree", all, rows)
	}
}

func TestOwnTrajectories(t *testing.T) {
	p := reference(t, 2, 4)
	for name, path := range map[string]string{"run folder": p.dir, "trajectories": filepath.Join(p.dir, "trajectories")} {
		spool := t.TempDir()
		r, dir := p.mustOpen(t, path, func(o *replay.Options) { o.Spool = spool }), p.Folder(t)
		if a := r.Account(); replay.Total(a.Read) != len(p.rows) || a.Matched[replay.ByID] != len(p.rows) || len(a.Refused) > 0 || r.Most() != 4 {
			t.Errorf("%s: %+v", name, a)
		}
		if entries, err := os.ReadDir(spool); err != nil || len(entries) > 0 {
			t.Errorf("%s: what is kept of recordings has a name: %v, %v", name, entries, err)
		}
		p.sample(t, dir, r, r.Most())
		rows := runtest.Rows(t, dir)
		p.same(t, rows)
		agrees(t, r, dir, len(p.rows))
		if rows[0].Policy.Model != "gold" {
			t.Errorf("%s: who was recorded is not told: %+v", name, rows[0].Policy)
		}
	}
	one, err := pq.Files(filepath.Join(p.dir, "trajectories", schemas.TierOpen))
	if err != nil {
		t.Fatal(err)
	}
	r := p.mustOpen(t, one[0])
	if got := r.Sources(); !slices.Equal(got, []string{runtest.Open}) {
		t.Errorf("one file is of %v", got)
	}
}

// documents writes the rows as ATIF: lines, one pretty document a file, or one array.
func documents(t *testing.T, rows []schemas.Trajectory, how string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "atif")
	write := func(name string, data []byte) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	var all [][]byte
	for i, row := range rows {
		doc, err := atif.FromTrajectory(row)
		if err != nil {
			t.Fatal(err)
		}
		text, err := atif.Format(doc)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
		if how == "pretty" {
			value := jsontext.Value(text)
			if err := value.Indent(); err != nil {
				t.Fatal(err)
			}
			write(fmt.Sprintf("%04d/trajectory.json", i), value)
		}
	}
	switch how {
	case "lines":
		write("all.jsonl", append(bytes.Join(all, []byte("\n")), '\n'))
	case "array":
		write("all.json", append(append([]byte("[\n"), bytes.Join(all, []byte(",\n"))...), ']'))
	}
	return dir
}

func TestATIF(t *testing.T) {
	p := reference(t, 1, 3)
	for _, how := range []string{"lines", "pretty", "array"} {
		r, dir := p.mustOpen(t, documents(t, p.rows, how)), p.Folder(t)
		if a := r.Account(); a.Read[replay.FormatATIF] != len(p.rows) || a.Matched[replay.ByID] != len(p.rows) {
			t.Errorf("%s: %+v", how, a)
		}
		p.sample(t, dir, r, r.Most())
		p.same(t, runtest.Rows(t, dir))
		agrees(t, r, dir, len(p.rows))
	}
}

// histories writes the rows as the public release does, below <source>/tag/<mode>.
// Attempts come in the order of their numbers, 10 after 9.
func (p played) histories(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	tasks := map[string]schemas.Task{}
	for _, task := range p.Tasks {
		tasks[task.TaskID] = task
	}
	for _, row := range p.rows {
		task := tasks[row.TaskID]
		entries := []any{map[string]any{"role": "system", "content": "You are a biomedical expert."},
			map[string]any{"role": "user", "content": "Use the variable 'answer'.\nQuestion: " + task.Question + "\n"}}
		for i, m := range row.Messages[2:] {
			entries = append(entries, map[string]any{"role": m.Role, "content": m.Content})
			if m.Role == schemas.RoleAssistant && i == len(row.Messages)-3 {
				break
			}
		}
		result := map[string]any{"result": "failure"}
		if *row.RewardUpstream > 0 {
			result = map[string]any{"result": "success", "score": *row.RewardUpstream}
		}
		text, err := json.Marshal(append(entries, result), json.Deterministic(true), jsontext.WithIndent("    "))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, row.Source, "test_gpt", row.Split, fmt.Sprintf("history_%d_%d.json", *task.RawLine-1, *row.Attempt))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestHistories(t *testing.T) {
	p := reference(t, 1, 12)
	path := p.histories(t)
	var log bytes.Buffer
	r, dir := p.mustOpen(t, path, func(o *replay.Options) { o.Model, o.Log = "gpt", slog.New(slog.NewTextHandler(&log, nil)) }), p.Folder(t)
	a := r.Account()
	if a.Read[replay.FormatHistory] != len(p.rows) || a.Matched[replay.ByIndex] != len(p.rows) || a.Verdicts != len(p.rows) {
		t.Fatalf("%+v", a)
	}
	p.sample(t, dir, r, r.Most())
	rows := runtest.Rows(t, dir)
	p.same(t, rows)
	if rows[0].Policy.Model != "gpt" || rows[0].Policy.Protocol != "json" {
		t.Errorf("who was recorded: %+v", rows[0].Policy)
	}
	by, err := r.Compare(t.Context(), filepath.Join(dir, "trajectories"))
	if err != nil || by[runtest.Open].Upstream.Compared == 0 || by[runtest.Open].Upstream.Differ() != 0 {
		t.Errorf("upstream verdicts: %+v, %v", by, err)
	}
	// The files of the closed source can be read by others: that is said once.
	if a.Exposed != len(p.rows)/2 || strings.Count(log.String(), "others can read a file") != 1 || strings.Contains(log.String(), "biomedical") {
		t.Errorf("%d exposed; log: %s", a.Exposed, log.String())
	}

	// In a flat folder the flags tell source and split.
	flat := t.TempDir()
	files, err := filepath.Glob(filepath.Join(path, runtest.Open, "*", schemas.SplitTest, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if err := os.Rename(file, filepath.Join(flat, filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
	}
	r = p.mustOpen(t, flat, func(o *replay.Options) {
		o.Sources, o.Splits = []string{runtest.Open}, []string{schemas.SplitTest}
	})
	if a := r.Account(); a.Matched[replay.ByIndex] != len(files) {
		t.Errorf("flat folder: %+v", a)
	}
	r = p.mustOpen(t, flat)
	if a := r.Account(); a.Matched[replay.ByQuestion] != len(files) {
		t.Errorf("flat folder, nothing told: %+v", a)
	}
}

func TestNoMoreThanThereAre(t *testing.T) {
	p := reference(t, 2, 3)
	kept := slices.DeleteFunc(slices.Clone(p.rows), func(row schemas.Trajectory) bool {
		return row.TaskID != p.rows[0].TaskID && *row.Attempt > 0 || row.TaskID == p.rows[len(p.rows)-1].TaskID
	})
	r, dir := p.mustOpen(t, documents(t, kept, "lines")), p.Folder(t)
	res := p.sample(t, dir, r, 5)
	if rows := runtest.Rows(t, dir); len(rows) != len(kept) {
		t.Errorf("%d rows, want %d", len(rows), len(kept))
	}
	var all rollout.SourceSummary
	text, err := json.Marshal(res.Summary["all"])
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil || all.NoPlay != 1 {
		t.Errorf("%d tasks without a play, want 1 (%v)", all.NoPlay, err)
	}
	if _, err := r.New(schemas.Task{TaskID: kept[0].TaskID}, 3, 0); !errors.Is(err, rollout.ErrNoPlay) {
		t.Errorf("a fourth attempt: %v", err)
	}
	if _, err := r.New(schemas.Task{TaskID: "none"}, 0, 0); !errors.Is(err, rollout.ErrNoPlay) {
		t.Errorf("a task without recordings: %v", err)
	}
}

// TestWhichRecordings: other recordings are another policy, and the same ones are the
// same wherever they lie.
func TestWhichRecordings(t *testing.T) {
	p := reference(t, 1, 2)
	about := func(rows []schemas.Trajectory, how string) string {
		r := p.mustOpen(t, documents(t, rows, how))
		return r.Settings()
	}
	want := about(p.rows, "lines")
	if got := about(p.rows, "lines"); got != want || want == "" {
		t.Errorf("the same recordings are %s and %s", want, got)
	}
	changed := slices.Clone(p.rows)
	changed[0].Messages = slices.Clone(changed[0].Messages)
	changed[0].Messages[2].Content += " "
	if about(changed, "lines") == want || about(p.rows[1:], "lines") == want {
		t.Error("other recordings are the same policy")
	}
	closed := p.mustOpen(t, p.dir, func(o *replay.Options) { o.Spool = "" })
	if _, err := closed.New(schemas.Task{TaskID: p.rows[0].TaskID}, 0, 0); err == nil {
		t.Error("what was matched only is played")
	}
}

func TestRefused(t *testing.T) {
	p := reference(t, 1, 2)
	line := func(change func(*atif.Document)) string {
		doc, err := atif.FromTrajectory(p.rows[0])
		if err != nil {
			t.Fatal(err)
		}
		change(&doc)
		text, err := json.Marshal(doc, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		return string(text) + "\n"
	}
	good := line(func(*atif.Document) {})
	late := line(func(d *atif.Document) { d.Steps[1].StepID = 5 })
	history := `[{"role": "user", "content": "Question: SECRET"}, {"role": "assistant", "content": "SECRET"}, {"result": "failure"}]`
	for _, tt := range []struct {
		name    string
		files   map[string]string
		path    string // below the folder; empty: all of it
		format  string
		matched int
		refused map[string]int
		skipped map[string]int
		faults  []string // "file:line what"
		err     string   // part of the error, where nothing can be played
	}{
		{name: "a bad line among good ones", files: map[string]string{"a.jsonl": good + late + "{\"SECRET\n" + good}, matched: 2, refused: map[string]int{"unreadable": 2},
			faults: []string{"a.jsonl:2 ATIF, step 2, steps[1].step_id: is not 2", "a.jsonl:3 ATIF, is not JSON"}},
		{name: "the first line is bad", files: map[string]string{"a.jsonl": strings.Replace(good, "{", "{SECRET", 1) + good}, matched: 1, refused: map[string]int{"unreadable": 1}, faults: []string{"a.jsonl:1 ATIF, is not JSON"}},
		{name: "one bad document", files: map[string]string{"a.json": late}, refused: map[string]int{"unreadable": 1}, err: "a.json:1: ATIF, step 2, steps[1].step_id: is not 2"},
		{name: "a document that is cut", files: map[string]string{"a.json": "{\n \"schema_version\": \"ATIF-v1.7\",\n \"steps\": [SECRET"}, err: "a.json:1: ATIF, is not JSON"},
		{name: "another version", files: map[string]string{"a.jsonl": strings.Replace(good, "v1.7", "v2.0", 1)}, err: "schema_version: is none of ATIF-v1.0 to"},
		{name: "task of another run", files: map[string]string{"a.jsonl": strings.Replace(good, p.rows[0].TaskID, "none/train/1", 2)}, err: "of 1 recordings, 1 unknown_task"},
		{name: "a history that is cut", files: map[string]string{"history_1.json": history[:40]}, err: "history_1.json:1: the array is cut short"},
		{name: "an empty history", files: map[string]string{"history_1.json": "", "a.jsonl": good}, matched: 1, refused: map[string]int{"no_reply": 1}},
		{name: "a history of no task", files: map[string]string{"x/history_1.json": history, "a.jsonl": good}, matched: 1, refused: map[string]int{"no_such_question": 1}},
		{name: "other files", files: map[string]string{"a.jsonl": good, "notes.txt": "SECRET", "b.json": `{"a": 1}`, "c.json": "SECRET", "d.json": `[1]`, "e.jsonl": ""}, matched: 1, skipped: map[string]int{"not_a_recording": 5}},
		{name: "an other file alone", files: map[string]string{"notes.txt": "SECRET"}, path: "notes.txt", err: "notes.txt: is neither Parquet, nor a history of the public release, nor ATIF"},
		{name: "no such file", path: "none", err: "none: cannot be read: no such file or directory"},
		{name: "an empty folder", files: map[string]string{}, err: "holds no recording of a task of this run folder"},
		{name: "another format", files: map[string]string{"a.jsonl": good}, format: "history", err: "holds no recording"},
		{name: "another format, alone", files: map[string]string{"a.jsonl": good}, path: "a.jsonl", format: "history", err: "holds atif, and --format says history"},
		{name: "no Parquet", files: map[string]string{"a.parquet": "SECRET"}, err: "a.parquet:1: is no row of trajectories, or damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				path := filepath.Join(dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			r, err := p.open(t, filepath.Join(dir, tt.path), func(o *replay.Options) { o.Format = tt.format })
			if tt.err != "" {
				var bad *pipeline.InputError
				if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "SECRET") {
					t.Errorf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			a := r.Account()
			if replay.Total(a.Matched) != tt.matched || !maps.Equal(a.Refused, orEmpty(tt.refused)) || !maps.Equal(a.Skipped, orEmpty(tt.skipped)) {
				t.Errorf("%+v", a)
			}
			if replay.Total(a.Read) != tt.matched+replay.Total(a.Refused) {
				t.Errorf("%d read, %d matched, %d refused do not add up", replay.Total(a.Read), tt.matched, replay.Total(a.Refused))
			}
			for i, want := range tt.faults {
				if i >= len(a.Faults) {
					t.Fatalf("faults: %+v, want %s", a.Faults, want)
				}
				f := a.Faults[i]
				if got := fmt.Sprintf("%s:%d %s", filepath.Base(f.File), f.Line, f.What); !strings.HasPrefix(got, want) || strings.Contains(got, "SECRET") {
					t.Errorf("fault %s, want %s", got, want)
				}
			}
		})
	}
}

func orEmpty(m map[string]int) map[string]int {
	if m == nil {
		return map[string]int{}
	}
	return m
}

func TestOnlyWhatIsAskedFor(t *testing.T) {
	p := reference(t, 2, 1)
	r := p.mustOpen(t, p.dir, func(o *replay.Options) {
		o.Sources, o.Splits = []string{runtest.Closed}, []string{schemas.SplitTest}
	})
	if a := r.Account(); a.Refused[replay.NotAsked] != 6 || replay.Total(a.Matched) != 2 {
		t.Errorf("%+v", a)
	}
}

// caller plays the right program by native tool calls, after a look around.
type caller struct {
	played
	turn int
	task schemas.Task
}

func (caller) About() schemas.Policy {
	return schemas.Policy{Kind: "exec", Model: "caller", EndpointClass: "local", Temperature: schemas.Ptr(0.5), Protocol: rollout.ProtocolTools}
}

func (c caller) New(task schemas.Task, _ int, _ uint64) (rollout.Policy, error) {
	c.task = task
	return &c, nil
}

func (c *caller) Next(context.Context, rollout.Conversation) (rollout.Reply, error) {
	adapter, err := c.Registry.Find(c.task.Source)
	if err != nil {
		return rollout.Reply{}, err
	}
	ref, err := adapter.(datasets.Referencer).Reference(c.task)
	if err != nil {
		return rollout.Reply{}, err
	}
	c.turn++
	name, params := schemas.ActionTerminal, map[string]string{"cmd": "ls"}
	if c.turn == 2 {
		name, params = schemas.ActionCodeExecution, map[string]string{"code": ref.Right}
	}
	text, err := json.Marshal(params)
	return rollout.Reply{Content: "so", Reasoning: "hm", FinishReason: "tool_calls", TokenIDs: []int32{1, 2}, Logprobs: []float64{-1, -2}, CompletionTokens: 2,
		Calls: []protocol.Call{{ID: fmt.Sprint("c", c.turn), Name: name, Arguments: " " + string(text)}}}, err
}

func TestNativeCalls(t *testing.T) {
	c := runtest.Synthetic(t, runtest.Registry(t), 1)
	p := played{Corpus: c, play: c.Play(t), dir: c.Folder(t)}
	p.sample(t, p.dir, caller{played: p}, 1)
	p.rows = runtest.Rows(t, p.dir)
	if len(p.rows) == 0 || p.rows[0].Outcome != schemas.OutcomeSolved || p.rows[0].Messages[2].ToolCallsJSON == "" {
		t.Fatalf("nothing was solved by native calls: %+v", p.rows)
	}
	for _, path := range []string{p.dir, documents(t, p.rows, "lines")} {
		r, dir := p.mustOpen(t, path), p.Folder(t)
		p.sample(t, dir, r, r.Most())
		rows := runtest.Rows(t, dir)
		p.same(t, rows)
		agrees(t, r, dir, len(p.rows))
		want := schemas.Policy{Kind: replay.Kind, Model: "caller", Temperature: schemas.Ptr(0.5), Protocol: rollout.ProtocolTools, Seed: rows[0].Policy.Seed}
		if !reflect.DeepEqual(rows[0].Policy, want) {
			t.Errorf("policy %+v, want %+v", rows[0].Policy, want)
		}
	}
}
