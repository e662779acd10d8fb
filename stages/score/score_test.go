package score

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/internal/verdict"
)

// world is a run folder with tasks and trajectories: of the source plaza, which is
// open, and of ward, which is not.
type world struct {
	t   testing.TB
	dir string
}

const attemptsEach = 3 // at two tasks of each split of each source

func newWorld(t testing.TB) world {
	t.Helper()
	w := world{t, filepath.Join(t.TempDir(), "run")}
	w.must(pipeline.Stage{Name: tasksStage, Version: "1", Output: "tasks", Work: func(ctx context.Context, work *pipeline.Work) error {
		return eachGroup(func(tier, source, split string) error {
			var tasks []schemas.Task
			for n := range 2 {
				tasks = append(tasks, schemas.Task{TaskID: fmt.Sprintf("%s/%s/%d", source, split, n), Source: source, Split: split, AccessTier: tier,
					Instruction: fmt.Sprintf("Compute value %d of %s, %s.", n, source, split)})
			}
			_, err := pq.WriteShards(ctx, filepath.Join(work.Dir(), tier, source), split, seq(tasks), pq.Options{Private: tier != schemas.TierOpen})
			return err
		})
	}})
	w.sample("1", attemptsEach)
	return w
}

func eachGroup(f func(tier, source, split string) error) error {
	for _, at := range [][2]string{{schemas.TierOpen, "plaza"}, {schemas.TierCredentialed, "ward"}} {
		for _, split := range []string{schemas.SplitTest, schemas.SplitTrain} {
			if err := f(at[0], at[1], split); err != nil {
				return err
			}
		}
	}
	return nil
}

// sample is the stage that samples, k attempts at each task: what was there keeps its
// row, with all that later stages wrote into it.
func (w world) sample(version string, k int) {
	w.t.Helper()
	former := map[string]schemas.Trajectory{}
	if _, err := os.Stat(filepath.Join(w.dir, "trajectories")); err == nil {
		for _, row := range w.rows() {
			former[row.TrajectoryID] = row
		}
	}
	w.must(pipeline.Stage{Name: rolloutStage, Version: version, Output: "trajectories", Inputs: []string{tasksStage}, Work: func(ctx context.Context, work *pipeline.Work) error {
		return eachGroup(func(tier, source, split string) error {
			var rows []schemas.Trajectory
			for task := range 2 {
				for n := range k {
					row := attempt(tier, source, split, task, n)
					if was, ok := former[row.TrajectoryID]; ok {
						row = was
					}
					rows = append(rows, row)
				}
			}
			folder := filepath.Join(work.Dir(), tier, source)
			if _, err := pq.WriteShards(ctx, folder, split, seq(rows), pq.Options{Private: tier != schemas.TierOpen, ShardBytes: 1}); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(folder, "flips.jsonl"), []byte(source+"\n"), 0o600)
		})
	}})
}

// attempt is the n-th attempt at a task; the last of each is one that nothing came of.
func attempt(tier, source, split string, task, n int) schemas.Trajectory {
	id := fmt.Sprintf("%s/%s/%d", source, split, task)
	row := schemas.Trajectory{TrajectoryID: fmt.Sprintf("%s#%d.tag", id, n), TaskID: id, Source: source, Split: split, AccessTier: tier,
		Attempt: schemas.Ptr(int32(n)), Policy: schemas.Policy{Kind: "test"}, Outcome: schemas.OutcomeInfraError, Feedback: schemas.FeedbackSubmitOnce, SchemaVersion: schemas.Ptr(schemas.Version)}
	if n == attemptsEach-1 {
		return row
	}
	row.Outcome, row.Reward, row.RewardUpstream = schemas.OutcomeFailed, schemas.Ptr(0.0), schemas.Ptr(0.0)
	row.Messages = []schemas.ChatMessage{{Role: schemas.RoleUser, Content: "u"}}
	row.Steps = []schemas.Step{{Turn: schemas.Ptr(int32(1)), Action: schemas.ActionCodeExecution, ParamsJSON: fmt.Sprintf(`{"code":"print(%d)"}`, n), Observation: "o", Status: "ok"}}
	return row
}

func seq[T any](rows []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func (w world) do(ctx context.Context, stage pipeline.Stage) (pipeline.StageResult, error) {
	w.t.Helper()
	run, err := pipeline.Open(context.Background(), w.dir, pipeline.Options{Version: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		if err := run.Close(); err != nil {
			w.t.Error(err)
		}
	}()
	return run.Do(ctx, stage)
}

func (w world) must(stage pipeline.Stage) pipeline.StageResult {
	w.t.Helper()
	res, err := w.do(context.Background(), stage)
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

// score runs the stage.
func (w world) score(ctx context.Context, opts Options) (Report, pipeline.StageResult, error) {
	w.t.Helper()
	run, err := pipeline.Open(context.Background(), w.dir, pipeline.Options{Version: "test", Force: opts.Replace})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		if err := run.Close(); err != nil {
			w.t.Error(err)
		}
	}()
	stage, err := Stage(opts)
	if err != nil {
		return Report{}, pipeline.StageResult{}, err
	}
	res, err := run.Do(ctx, stage)
	if err != nil {
		return Report{}, res, err
	}
	text, err := json.Marshal(res.Summary["all"])
	var all Report
	if err := errors.Join(err, json.Unmarshal(text, &all)); err != nil {
		w.t.Fatal(err)
	}
	return all, res, nil
}

func (w world) rows() (rows []schemas.Trajectory) {
	w.t.Helper()
	for row, err := range pq.ReadDir[schemas.Trajectory](context.Background(), filepath.Join(w.dir, "trajectories")) {
		if err != nil {
			w.t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// scoreOf is a score that follows from the id.
func scoreOf(id string) float64 { return float64(keyOf(id)[0]) / 256 }

// judgeable are the ids of what a verifier can judge.
func (w world) judgeable() (ids []string) {
	for _, row := range w.rows() {
		if len(row.Steps) > 0 {
			ids = append(ids, row.TrajectoryID)
		}
	}
	return ids
}

func line(id string, score any) string {
	return fmt.Sprintf(`{"trajectory_id":%q,"score":%v}`, id, score)
}

// file writes a file of scores.
func (w world) file(name string, lines ...string) string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w world) lines() (lines []string) {
	for _, id := range w.judgeable() {
		lines = append(lines, line(id, scoreOf(id)))
	}
	slices.Reverse(lines) // any order will do
	return lines
}

// unscored are rows without scores, to see what else has changed.
func unscored(rows []schemas.Trajectory) []schemas.Trajectory {
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i].VerifierScore, rows[i].Verifier = nil, ""
	}
	return rows
}

func TestFile(t *testing.T) {
	w := newWorld(t)
	before := w.rows()
	path := w.file("mine.jsonl", w.lines()...)
	all, res, err := w.score(t.Context(), Options{File: path})
	if err != nil {
		t.Fatal(err)
	}
	if all.Trajectories != 24 || all.Scored != 16 || all.How[HowFile] != 16 || all.Unscored[verdict.NoSteps] != 8 || all.Replaced != 0 || all.Verifier != "mine.jsonl" {
		t.Errorf("%+v", all)
	}
	after := w.rows()
	if !reflect.DeepEqual(unscored(after), before) {
		t.Error("more than scores has changed")
	}
	for _, row := range after {
		switch {
		case len(row.Steps) == 0:
			if row.VerifierScore != nil || row.Verifier != "" {
				t.Errorf("%s has a score", row.TrajectoryID)
			}
		case row.VerifierScore == nil || *row.VerifierScore != scoreOf(row.TrajectoryID) || row.Verifier != "mine.jsonl":
			t.Errorf("%s: %v of %s", row.TrajectoryID, row.VerifierScore, row.Verifier)
		}
		if err := row.Validate(); err != nil && len(row.Steps) > 0 && strings.Contains(err.Error(), "verifier") {
			t.Error(err)
		}
	}
	ward := filepath.Join(w.dir, "trajectories", schemas.TierCredentialed, "ward")
	if info, err := os.Stat(ward); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("closed rows lie in the open: %v, %v", info.Mode(), err)
	}
	if text, err := os.ReadFile(filepath.Join(ward, "flips.jsonl")); err != nil || string(text) != "ward\n" {
		t.Errorf("what lay beside the rows: %q, %v", text, err)
	}
	if len(res.Outputs) == 0 {
		t.Error("no outputs")
	}
	if _, res, err := w.score(t.Context(), Options{File: path}); err != nil || !res.Skipped {
		t.Errorf("scored again without a reason: %v, %v", res.Skipped, err)
	}
	w.must(pipeline.Stage{Name: "export", Version: "1", Output: "sets", Inputs: []string{rolloutStage}, Work: func(_ context.Context, work *pipeline.Work) error {
		return os.WriteFile(filepath.Join(work.Dir(), "x"), nil, 0o600)
	}})
}

// Each fault ends the stage with the file and the line, and is counted with Partial.
func TestFaultsOfFiles(t *testing.T) {
	w, part := newWorld(t), newWorld(t)
	good := w.lines()
	id := w.judgeable()[3]
	swap := func(i int, with string) []string {
		out := slices.Clone(good)
		out[i] = with
		return out
	}
	at := slices.IndexFunc(good, func(l string) bool { return strings.Contains(l, id) })
	without := slices.Delete(slices.Clone(good), at, at+1)
	for _, tt := range []struct {
		name    string
		lines   []string
		line    int64
		what    string
		fault   string
		missing int
	}{
		{"no JSON", swap(2, `{"trajectory_id":`), 3, "is not a JSON object", faultJSON, 1},
		{"NaN", swap(2, line("x", "NaN")), 3, "is not a JSON object", faultJSON, 1},
		{"a list", swap(2, `[1]`), 3, "is not a JSON object", faultJSON, 1},
		{"null", swap(2, `null`), 3, "is not a JSON object", faultJSON, 1},
		{"another member", swap(2, `{"trajectory_id":"x","score":0.1,"SECRET":1}`), 3, "is not a JSON object", faultJSON, 1},
		{"a member twice", swap(2, `{"trajectory_id":"x","score":0.1,"score":0.2}`), 3, "is not a JSON object", faultJSON, 1},
		{"a score as text", swap(2, line("x", `"0.5"`)), 3, "is not a JSON object", faultJSON, 1},
		{"not UTF-8", swap(2, line("x", 1)+"\xff"), 3, "not UTF-8", faultLine, 1},
		{"too long", swap(2, line(strings.Repeat("x", 70_000), 1)), 3, "longer than 64 KiB", faultLine, 1},
		{"no id", swap(2, `{"score":0.1}`), 3, "has no trajectory_id", faultID, 1},
		{"no score", swap(2, line("x", "null")), 3, "has no score", faultScore, 1},
		{"above 1", swap(at, line(id, 1.01)), int64(at + 1), "is not 0 to 1", faultRange, 1},
		{"below 0", swap(at, line(id, -0.01)), int64(at + 1), "is not 0 to 1", faultRange, 1},
		{"a second verifier", swap(at, `{"trajectory_id":"x","score":0.1,"verifier":"SECRET"}`), int64(at + 1), "names another verifier", faultVerifier, 1},
		{"unknown", append(slices.Clone(good), line("nobody", 0.5)), 17, "not in this run folder", faultUnknown, 0},
		{"twice", append(slices.Clone(good), line(id, 0.5)), 17, fmt.Sprintf("is about the same trajectory as line %d", at+1), faultDouble, 1},
		{"missing", without, 0, "has no score for 1 trajectories, the first of them " + id, "", 1},
	} {
		path := w.file("scores.jsonl", tt.lines...)
		_, _, err := w.score(t.Context(), Options{File: path})
		var bad *pipeline.InputError
		if !errors.As(err, &bad) || bad.File != path || bad.Line != tt.line || !strings.Contains(err.Error(), tt.what) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", tt.name, err)
		}
		all, _, err := part.score(t.Context(), Options{File: path, Partial: true, Verifier: tt.name, Replace: true})
		if err != nil || all.Unscored[NoneMissing] != tt.missing || all.Scored != 16-tt.missing {
			t.Errorf("%s, partial: %v, %+v", tt.name, err, all)
			continue
		}
		want := map[string]int{tt.fault: 1}
		if tt.fault == faultDouble {
			want[faultDouble] = 2
		}
		if tt.fault != "" && !reflect.DeepEqual(all.Faults, want) {
			t.Errorf("%s, partial: %v", tt.name, all.Faults)
		}
	}
	for name, path := range map[string]string{"empty": w.file("empty.jsonl"), "absent": filepath.Join(t.TempDir(), "no"), "folder": t.TempDir(), "torn": w.file("torn.jsonl.gz", "x")} {
		var bad *pipeline.InputError
		if _, _, err := w.score(t.Context(), Options{File: path, Partial: true}); !errors.As(err, &bad) || bad.File != path {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func writeParquet[T any](t testing.TB, rows []T) string {
	t.Helper()
	files, err := pq.WriteShards(context.Background(), t.TempDir(), "scores", seq(rows), pq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return files[0].Path
}

func TestParquet(t *testing.T) {
	w := newWorld(t)
	var plain []parquetRow
	var named []namedRow
	for _, id := range w.judgeable() {
		plain = append(plain, parquetRow{id, schemas.Ptr(scoreOf(id))})
		named = append(named, namedRow{id, schemas.Ptr(scoreOf(id)), "judge-7b"})
	}
	if all, _, err := w.score(t.Context(), Options{File: writeParquet(t, plain), Verifier: "judge-7b"}); err != nil || all.Scored != 16 || all.Verifier != "judge-7b" {
		t.Errorf("%v, %+v", err, all)
	}
	// The same scores of the same verifier: nothing is replaced.
	if all, _, err := w.score(t.Context(), Options{File: writeParquet(t, named)}); err != nil || all.How[HowKept] != 16 || all.Verifier != "judge-7b" {
		t.Errorf("%v, %+v", err, all)
	}
	nan := slices.Clone(named)
	nan[4].Score = schemas.Ptr(math.NaN())
	type words struct {
		ID    string `parquet:"trajectory_id,optional"`
		Score string `parquet:"score,optional"`
	}
	type more struct {
		parquetRow
		Extra string `parquet:"extra,optional"`
	}
	type many struct {
		ID    string    `parquet:"trajectory_id,optional"`
		Score []float64 `parquet:"score,optional,list"`
	}
	torn := writeParquet(t, named)
	if err := os.Truncate(torn, 100); err != nil {
		t.Fatal(err)
	}
	for what, path := range map[string]string{
		"row 5 has no score":                              writeParquet(t, nan),
		"row 17 is about the same trajectory as row 1":    writeParquet(t, append(slices.Clone(named), named[0])),
		"has a column score of another type":              writeParquet(t, []words{{"a", "0.5"}}),
		"has a column beside":                             writeParquet(t, []more{{}}),
		"has a column beside trajectory_id, score and ve": writeParquet(t, []many{{"a", []float64{1}}}),
		"has no column trajectory_id or no column score": writeParquet(t, []struct {
			Score *float64 `parquet:"score,optional"`
		}{{}}),
		"cannot be read as Parquet: the file is damaged": torn,
	} {
		var bad *pipeline.InputError
		if _, _, err := w.score(t.Context(), Options{File: path, Verifier: "judge-7b"}); !errors.As(err, &bad) || bad.File != path || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Scores of another verifier are not lost by chance.
func TestReplaced(t *testing.T) {
	w := newWorld(t)
	path := w.file("s.jsonl", w.lines()...)
	if _, _, err := w.score(t.Context(), Options{File: path, Verifier: "old"}); err != nil {
		t.Fatal(err)
	}
	before := w.rows()
	_, _, err := w.score(t.Context(), Options{File: path, Verifier: "new"})
	if !errors.Is(err, pipeline.ErrDrift) || !strings.Contains(err.Error(), "verifier was old, is now new") || !strings.Contains(err.Error(), "16 scores of old") {
		t.Errorf("another verifier: %v", err)
	}
	lines := w.lines()
	lines[0] = line(w.judgeable()[15], 0.999)
	_, _, err = w.score(t.Context(), Options{File: w.file("s.jsonl", lines...), Verifier: "old"})
	if err == nil || !strings.Contains(err.Error(), "has other scores for 1 trajectories than old gave them before") {
		t.Errorf("other scores: %v", err)
	}
	if !reflect.DeepEqual(w.rows(), before) {
		t.Error("what was refused has changed the rows")
	}
	all, _, err := w.score(t.Context(), Options{File: path, Verifier: "new", Replace: true})
	if err != nil || all.Replaced != 16 || all.Verifier != "new" {
		t.Errorf("forced: %v, %+v", err, all)
	}
	// Of one source alone: the other keeps what it has.
	var plaza []string
	for _, id := range w.judgeable() {
		if strings.HasPrefix(id, "plaza/") {
			plaza = append(plaza, line(id, 0.25))
		}
	}
	all, _, err = w.score(t.Context(), Options{File: w.file("p.jsonl", plaza...), Verifier: "third", Sources: []string{"plaza"}, Replace: true})
	if err != nil || all.Replaced != 8 || all.How[HowKept] != 8 || all.How[HowFile] != 8 {
		t.Errorf("one source: %v, %+v", err, all)
	}
	for _, row := range w.rows() {
		if want := map[string]string{"plaza": "third", "ward": "new"}[row.Source]; len(row.Steps) > 0 && row.Verifier != want {
			t.Errorf("%s: %s", row.TrajectoryID, row.Verifier)
		}
	}
}

// What a rollout had keeps its scores when it grows.
func TestGrown(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.score(t.Context(), Options{File: w.file("s.jsonl", w.lines()...), Verifier: "v"}); err != nil {
		t.Fatal(err)
	}
	had := w.judgeable()
	w.sample("2", attemptsEach+2)
	var news []string
	for _, id := range w.judgeable() {
		if !slices.Contains(had, id) {
			news = append(news, line(id, 0.5))
		}
	}
	all, _, err := w.score(t.Context(), Options{File: w.file("more.jsonl", news...), Verifier: "v"})
	if err != nil || all.How[HowKept] != 16 || all.How[HowFile] != 16 || len(news) != 16 || all.Replaced != 0 {
		t.Errorf("%v, %+v, %d new", err, all, len(news))
	}
}

func TestOptions(t *testing.T) {
	for name, opts := range map[string]Options{"neither": {}, "both": {File: "f", Model: &fakeModel{}}, "negative": {File: "f", Concurrency: -1}, "name": {File: "f", Verifier: "\xff"}} {
		if _, err := Stage(opts); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
