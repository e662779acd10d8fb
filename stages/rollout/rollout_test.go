package rollout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

func corpus(t testing.TB, rows int) runtest.Corpus {
	return runtest.Synthetic(t, runtest.Registry(t), rows)
}

// options are those of a rollout of the reference policy.
func options(c runtest.Corpus, play fake.Run) rollout.Options {
	return rollout.Options{
		Registry: c.Registry, Policies: rollout.Reference(c.Registry, schemas.FeedbackStopOnSuccess), K: 4, Seed: 7, Concurrency: 4,
		Sandbox: func(context.Context) (sandbox.Sandbox, error) { return fake.New(play), nil },
	}
}

// do runs the stage in a run folder.
func do(t testing.TB, ctx context.Context, dir string, opts rollout.Options, log *slog.Logger) (pipeline.StageResult, error) {
	t.Helper()
	run, err := pipeline.Open(context.WithoutCancel(ctx), dir, pipeline.Options{Version: "test", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	}()
	st, err := rollout.Stage(opts)
	if err != nil {
		t.Fatal(err)
	}
	return run.Do(ctx, st)
}

func mustDo(t testing.TB, dir string, opts rollout.Options) pipeline.StageResult {
	t.Helper()
	res, err := do(t, t.Context(), dir, opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// summary reads a source's summary back.
func summary(t testing.TB, res pipeline.StageResult, key string) rollout.SourceSummary {
	t.Helper()
	text, err := json.Marshal(res.Summary[key])
	if err != nil {
		t.Fatal(err)
	}
	var s rollout.SourceSummary
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func same(t *testing.T, got, want []schemas.Trajectory) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			a, _ := json.Marshal(got[i])
			b, _ := json.Marshal(want[i])
			t.Fatalf("row %d differs:\n got %s\nwant %s", i, a, b)
		}
	}
}

func TestReferenceRollout(t *testing.T) {
	c := corpus(t, 20)
	play := c.Play(t)
	dir := c.Folder(t)
	res := mustDo(t, dir, options(c, play))
	rows := runtest.Rows(t, dir)
	if want := len(c.Tasks) * 4; len(rows) != want {
		t.Fatalf("%d rows, want %d", len(rows), want)
	}
	outcomes := map[string]int{}
	solved, failed := map[string]bool{}, map[string]bool{}
	last := ""
	for _, row := range rows {
		if err := row.Validate(); err != nil {
			t.Error(err)
		}
		key := fmt.Sprintf("%s#%05d", row.TaskID, *row.Attempt)
		if key <= last {
			t.Errorf("rows are out of order or double: %s after %s", key, last)
		}
		last = key
		outcomes[row.Outcome]++
		if row.Outcome == schemas.OutcomeSolved {
			solved[row.TaskID] = true
		} else {
			failed[row.TaskID] = true
		}
	}
	share := float64(outcomes[schemas.OutcomeSolved]) / float64(len(rows))
	if share < 0.55 || share > 0.65 {
		t.Errorf("%.2f of the attempts are solved: %v", share, outcomes)
	}
	for _, outcome := range []string{schemas.OutcomeFailed, schemas.OutcomeTurnLimit, schemas.OutcomeParseFailure, schemas.OutcomeLoop} {
		if outcomes[outcome] == 0 {
			t.Errorf("no attempt ended as %s: %v", outcome, outcomes)
		}
	}
	for _, task := range c.Tasks {
		if !solved[task.TaskID] || !failed[task.TaskID] {
			t.Errorf("task %s has solved %v, failed %v attempts", task.TaskID, solved[task.TaskID], failed[task.TaskID])
		}
	}
	all := summary(t, res, "all")
	if all.Attempts != len(rows) || all.Solved != outcomes[schemas.OutcomeSolved] || all.Graded != len(rows) || all.Upstream < all.Solved/2 {
		t.Errorf("summary: %+v", all)
	}
	for name, mode := range map[string]os.FileMode{"open/npowerai": 0o644, "credentialed/" + runtest.Closed: 0o600} {
		info, err := os.Stat(filepath.Join(dir, "trajectories", name, "test-00000-of-00001.parquet"))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if again := mustDo(t, dir, options(c, play)); !again.Skipped {
		t.Error("an unchanged rollout is not skipped")
	}
}

func TestSameSeedSameRows(t *testing.T) {
	c := corpus(t, 6)
	play := c.Play(t)
	var want []schemas.Trajectory
	for _, concurrency := range []int{1, 8} {
		dir := c.Folder(t)
		opts := options(c, play)
		opts.Concurrency = concurrency
		mustDo(t, dir, opts)
		rows := runtest.Rows(t, dir)
		if want == nil {
			want = rows
		}
		same(t, rows, want)
	}
	dir := c.Folder(t)
	opts := options(c, play)
	opts.Seed++
	mustDo(t, dir, opts)
	if reflect.DeepEqual(runtest.Rows(t, dir), want) {
		t.Error("another seed gives the same rows")
	}
}

// An interrupted run, however often and wherever, ends with the rows of an
// undisturbed one, and plays no finished attempt again.
func TestInterrupted(t *testing.T) {
	c := corpus(t, 8)
	play := c.Play(t)
	undisturbed := c.Folder(t)
	mustDo(t, undisturbed, options(c, play))
	want := runtest.Rows(t, undisturbed)

	rng := rand.New(rand.NewPCG(1, 2))
	for _, drain := range []time.Duration{time.Nanosecond, time.Minute} {
		t.Run(drain.String(), func(t *testing.T) {
			dir := c.Folder(t)
			interruptions := 0
			for done := false; !done; {
				ctx, cancel := context.WithCancel(t.Context())
				var left atomic.Int64
				left.Store(1 + rng.Int64N(100))
				opts := options(c, func(ctx context.Context, s *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
					if left.Add(-1) == 0 {
						cancel()
						time.Sleep(time.Millisecond) // the drop, if any, comes while this runs
					}
					if err := ctx.Err(); err != nil {
						return sandbox.Result{}, err
					}
					return play(ctx, s, cmd)
				})
				opts.Drain = drain
				_, err := do(t, ctx, dir, opts, nil)
				switch {
				case err == nil:
					done = true
				case errors.Is(err, context.Canceled):
					interruptions++
				default:
					t.Fatal(err)
				}
				cancel()
			}
			if interruptions < 3 {
				t.Errorf("only %d interruptions", interruptions)
			}
			same(t, runtest.Rows(t, dir), want)
		})
	}
}

// Faults of the sandbox are no verdicts: attempts are begun anew, and end as
// infra_error, without rewards, only when it keeps failing.
func TestInfraErrors(t *testing.T) {
	c := corpus(t, 5)
	play := c.Play(t)
	clean := c.Folder(t)
	mustDo(t, clean, options(c, play))

	t.Run("passing", func(t *testing.T) {
		// Every third attempt loses its sandbox once: no attempt runs out of retries,
		// however the workers take turns.
		var n atomic.Int64
		var seen sync.Map
		dir := c.Folder(t)
		mustDo(t, dir, options(c, func(ctx context.Context, s *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
			if _, again := seen.LoadOrStore(s.Spec.Name, true); !again && n.Add(1)%3 == 0 {
				return sandbox.Result{}, errors.New("the cell died")
			}
			return play(ctx, s, cmd)
		}))
		same(t, runtest.Rows(t, dir), runtest.Rows(t, clean))
	})
	t.Run("lasting", func(t *testing.T) {
		broken := c.Tasks[0].TaskID
		dir := c.Folder(t)
		opts := options(c, func(ctx context.Context, s *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
			if strings.HasPrefix(s.Spec.Name, broken) {
				return sandbox.Result{}, errors.New("the cell died")
			}
			return play(ctx, s, cmd)
		})
		opts.Retries = -1
		res := mustDo(t, dir, opts)
		infra := 0
		for _, row := range runtest.Rows(t, dir) {
			if row.Outcome != schemas.OutcomeInfraError {
				continue
			}
			infra++
			if row.TaskID != broken || row.Reward != nil || row.RewardUpstream != nil || len(row.Messages) > 0 || row.OutcomeReason != "sandbox" {
				t.Errorf("row %s: %+v", row.TrajectoryID, row)
			}
		}
		if all := summary(t, res, "all"); infra == 0 || all.Outcomes[schemas.OutcomeInfraError] != infra || all.Graded != all.Attempts-infra {
			t.Errorf("%d infra errors, summary %+v", infra, all)
		}
	})
	t.Run("gone", func(t *testing.T) {
		dir := c.Folder(t)
		opts := options(c, func(context.Context, *fake.Session, sandbox.Command) (sandbox.Result, error) {
			return sandbox.Result{}, errors.New("the cell died")
		})
		opts.Retries, opts.GiveUp = -1, time.Nanosecond
		if _, err := do(t, t.Context(), dir, opts, nil); err == nil || !strings.Contains(err.Error(), "infra_error") {
			t.Fatalf("a sandbox that is gone: %v", err)
		}
		// Once it is back the same command gives the rows of an undisturbed run.
		opts = options(c, play)
		mustDo(t, dir, opts)
		same(t, runtest.Rows(t, dir), runtest.Rows(t, clean))
	})
	t.Run("unavailable", func(t *testing.T) {
		opts := options(c, play)
		opts.Sandbox = func(context.Context) (sandbox.Sandbox, error) { return nil, sandbox.ErrUnavailable }
		if _, err := do(t, t.Context(), c.Folder(t), opts, nil); !errors.Is(err, sandbox.ErrUnavailable) {
			t.Errorf("unavailable at the start: %v", err)
		}
		box := fake.New(play)
		box.Refuse = func(sandbox.Spec) error { return fmt.Errorf("no namespaces: %w", sandbox.ErrUnavailable) }
		opts.Sandbox = func(context.Context) (sandbox.Sandbox, error) { return box, nil }
		if _, err := do(t, t.Context(), c.Folder(t), opts, nil); !errors.Is(err, sandbox.ErrUnavailable) {
			t.Errorf("unavailable at the first session: %v", err)
		}
	})
}

func TestSelection(t *testing.T) {
	c := corpus(t, 10)
	for i := range c.Tasks {
		if i%5 == 0 {
			c.Tasks[i].Status, c.Tasks[i].StatusReason = schemas.StatusMissingResources, "no data"
		}
	}
	play := c.Play(t)
	tasksOf := func(opts rollout.Options) (map[string]bool, pipeline.StageResult) {
		dir := c.Folder(t)
		res := mustDo(t, dir, opts)
		ids := map[string]bool{}
		for _, row := range runtest.Rows(t, dir) {
			ids[row.TaskID] = true
		}
		return ids, res
	}
	opts := options(c, play)
	opts.K = 1
	all, res := tasksOf(opts)
	ready, missing := 0, 0
	for _, task := range c.Tasks {
		if task.Status == schemas.StatusReady {
			ready++
		} else {
			missing++
			if all[task.TaskID] {
				t.Errorf("task %s lacks data and was sampled", task.TaskID)
			}
		}
	}
	if s := summary(t, res, "all"); len(all) != ready || s.Tasks[schemas.StatusMissingResources] != missing {
		t.Errorf("%d tasks sampled of %d ready; summary %+v", len(all), ready, s)
	}

	opts.Sources, opts.Splits, opts.MaxTasks = []string{"npowerai"}, []string{schemas.SplitTest}, 3
	three, _ := tasksOf(opts)
	opts.MaxTasks = 5
	five, _ := tasksOf(opts)
	if len(three) != 3 || len(five) != 5 {
		t.Errorf("%d and %d tasks, want 3 and 5", len(three), len(five))
	}
	for id := range three {
		if !five[id] || !strings.HasPrefix(id, "npowerai/test/") {
			t.Errorf("task %s is not among the larger draw", id)
		}
	}

	opts = options(c, play)
	union := map[string]int{}
	for shard := range 3 {
		opts.Shard, opts.Shards = shard, 3
		dir := c.Folder(t)
		mustDo(t, dir, opts)
		for _, row := range runtest.Rows(t, dir) {
			union[fmt.Sprint(row.TaskID, *row.Attempt)]++
		}
	}
	if len(union) != ready*opts.K {
		t.Errorf("the shards hold %d attempts, want %d", len(union), ready*opts.K)
	}
	for key, n := range union {
		if n != 1 {
			t.Errorf("attempt %s is in %d shards", key, n)
		}
	}

	opts = options(c, play)
	opts.Sources = []string{"npowerai"}
	for i := range c.Tasks {
		c.Tasks[i].Status, c.Tasks[i].StatusReason = schemas.StatusUngradable, "so"
	}
	var bad *pipeline.InputError
	if _, err := do(t, t.Context(), c.Folder(t), opts, nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), "ungradable") {
		t.Errorf("nothing to sample: %v", err)
	}
}

// A task whose label was proved wrong is not sampled, and counted.
func TestQuarantined(t *testing.T) {
	c := corpus(t, 3)
	dir := c.Folder(t)
	out := c.Tasks[0].TaskID
	c.Validate(t, dir, map[string]string{out: schemas.ValidationQuarantined, c.Tasks[1].TaskID: schemas.ValidationUnproved})
	opts := options(c, c.Play(t))
	opts.Validated = true
	res := mustDo(t, dir, opts)
	rows := runtest.Rows(t, dir)
	for _, row := range rows {
		if row.TaskID == out {
			t.Errorf("%s is quarantined and was sampled", row.TrajectoryID)
		}
	}
	if s := summary(t, res, "all"); len(rows) != 4*(len(c.Tasks)-1) || s.Tasks[schemas.StatusQuarantined] != 1 || s.Tasks[schemas.StatusReady] != len(c.Tasks)-1 {
		t.Errorf("%d rows, summary %+v", len(rows), s)
	}
}

// A training task that screening has marked is not sampled, and counted.
func TestDroppedForOverlap(t *testing.T) {
	c := corpus(t, 3)
	dir := c.Folder(t)
	out := c.Tasks[0].TaskID
	c.Screen(t, dir, out)
	opts := options(c, c.Play(t))
	opts.Screened = true
	res := mustDo(t, dir, opts)
	rows := runtest.Rows(t, dir)
	for _, row := range rows {
		if row.TaskID == out {
			t.Errorf("%s is marked and was sampled", row.TrajectoryID)
		}
	}
	if s := summary(t, res, "all"); len(rows) != 4*(len(c.Tasks)-1) || s.Tasks[rollout.Dropped] != 1 || s.Tasks[schemas.StatusReady] != len(c.Tasks)-1 {
		t.Errorf("%d rows, summary %+v", len(rows), s)
	}
}

// A subset holds its tasks alone; a smaller fraction of the training tasks is part
// of a larger one, with the same attempts.
func TestSubsets(t *testing.T) {
	c := corpus(t, 8)
	fractions := schemas.TrainFractions()
	want := map[string]int{}
	for i, task := range c.Tasks {
		c.Tasks[i].Subset = []string{schemas.SubsetFull, schemas.SubsetLeaderboard}[i%2]
		if task.Split == schemas.SplitTrain {
			c.Tasks[i].TrainFraction = &fractions[i/2%4]
		}
		if i%2 == 0 {
			continue
		}
		want["leaderboard"]++
		if task.Split == schemas.SplitTest || i/2%4 < 1 {
			want["0.25"]++
		}
		if task.Split == schemas.SplitTest || i/2%4 < 2 {
			want["0.5"]++
		}
	}
	play := c.Play(t)
	sample := func(subset string, fraction float64) map[string]bool {
		opts := options(c, play)
		opts.K, opts.Subset, opts.SubsetFraction = 1, subset, fraction
		dir := c.Folder(t)
		mustDo(t, dir, opts)
		ids := map[string]bool{}
		for _, row := range runtest.Rows(t, dir) {
			ids[row.TrajectoryID] = true
		}
		return ids
	}
	all, board := sample("", 0), sample(schemas.SubsetLeaderboard, 1)
	quarter, half := sample(schemas.SubsetLeaderboard, 0.25), sample(schemas.SubsetLeaderboard, 0.5)
	if len(all) != len(c.Tasks) || len(board) != want["leaderboard"] || len(quarter) != want["0.25"] || len(half) != want["0.5"] || len(quarter) == len(half) {
		t.Errorf("sampled %d, %d, %d and %d, want %v of %d", len(all), len(board), len(half), len(quarter), want, len(c.Tasks))
	}
	for _, pair := range [][2]map[string]bool{{quarter, half}, {half, board}, {board, all}} {
		for id := range pair[0] {
			if !pair[1][id] {
				t.Errorf("%s is not in the larger set", id)
			}
		}
	}
}

// A task that the policy cannot play is left out and counted; where there is no
// other, the stage says so.
func TestNoPlay(t *testing.T) {
	c := corpus(t, 3)
	opts := options(c, c.Play(t))
	opts.Policies = picky{opts.Policies, c.Tasks[0].TaskID}
	dir := c.Folder(t)
	res := mustDo(t, dir, opts)
	if s := summary(t, res, "all"); s.NoPlay != 1 || s.Attempts != 4*(len(c.Tasks)-1) || len(runtest.Rows(t, dir)) != s.Attempts {
		t.Errorf("summary %+v", s)
	}
	opts.Policies = picky{opts.Policies, ""}
	if _, err := do(t, t.Context(), c.Folder(t), opts, nil); err == nil || !strings.Contains(err.Error(), "can play none") {
		t.Errorf("nothing to play: %v", err)
	}
}

// picky cannot play one task, or any.
type picky struct {
	rollout.Policies
	not string
}

func (p picky) New(task schemas.Task, attempt int, seed uint64) (rollout.Policy, error) {
	if p.not == "" || task.TaskID == p.not {
		return nil, fmt.Errorf("task %s: %w", task.TaskID, rollout.ErrNoPlay)
	}
	return p.Policies.New(task, attempt, seed)
}

func TestBadOptions(t *testing.T) {
	c := corpus(t, 1)
	for name, spoil := range map[string]func(*rollout.Options){
		"source":      func(o *rollout.Options) { o.Sources = []string{"nobody"} },
		"split":       func(o *rollout.Options) { o.Splits = []string{"dev"} },
		"k":           func(o *rollout.Options) { o.K = 0 },
		"feedback":    func(o *rollout.Options) { o.Feedback = "often" },
		"shard":       func(o *rollout.Options) { o.Shard, o.Shards = 2, 2 },
		"max tasks":   func(o *rollout.Options) { o.MaxTasks = -1 },
		"subset":      func(o *rollout.Options) { o.Subset = "half" },
		"fraction":    func(o *rollout.Options) { o.SubsetFraction = 0.3 },
		"concurrency": func(o *rollout.Options) { o.Concurrency = -1 },
		"policy":      func(o *rollout.Options) { o.Policies = nil },
		"limits":      func(o *rollout.Options) { o.Limits.Turns = -1 },
	} {
		opts := options(c, c.Play(t))
		spoil(&opts)
		if _, err := rollout.Stage(opts); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Logs and errors carry ids, never what stands in a task or what an agent wrote.
func TestNoContentInLogs(t *testing.T) {
	c := corpus(t, 3)
	const secret = "patient Ada Example, born 1815"
	for i := range c.Tasks {
		c.Tasks[i].Instruction += "\n" + secret
		c.Tasks[i].Question += "\n" + secret
	}
	play := c.Play(t)
	var buf syncBuffer
	log := slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var n atomic.Int64
	opts := options(c, func(ctx context.Context, s *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
		if n.Add(1)%7 == 0 {
			return sandbox.Result{}, errors.New("the cell died")
		}
		res, err := play(ctx, s, cmd)
		res.Stdout = []byte(secret)
		return res, err
	})
	dir := c.Folder(t)
	if _, err := do(t, t.Context(), dir, opts, log); err != nil && strings.Contains(err.Error(), secret) {
		t.Errorf("error: %v", err)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if buf.Len() == 0 {
		t.Error("nothing was logged: the test proves nothing")
	}
	for where, text := range map[string]string{"log": buf.String(), "manifest": string(manifest)} {
		if strings.Contains(text, "Ada") {
			t.Errorf("the %s holds row content", where)
		}
	}
}

type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// refusing plays as others do, but for one task, at which the model refuses to answer.
type refusing struct {
	rollout.Policies
	task  string
	asked *atomic.Int64
}

func (p refusing) New(task schemas.Task, attempt int, seed uint64) (rollout.Policy, error) {
	if task.TaskID == p.task {
		return p, nil
	}
	return p.Policies.New(task, attempt, seed)
}

func (p refusing) Next(context.Context, rollout.Conversation) (rollout.Reply, error) {
	p.asked.Add(1)
	return rollout.Reply{}, fmt.Errorf("endpoint: %w", rollout.ErrRefused)
}

// What a model refuses is asked once and is no failure; all else goes its way.
func TestRefused(t *testing.T) {
	c := corpus(t, 5)
	play := c.Play(t)
	clean, dir := c.Folder(t), c.Folder(t)
	mustDo(t, clean, options(c, play))
	opts := options(c, play)
	var asked atomic.Int64
	opts.Policies = refusing{opts.Policies, c.Tasks[0].TaskID, &asked}
	mustDo(t, dir, opts)
	var got, want []schemas.Trajectory
	refused := 0
	for _, row := range runtest.Rows(t, dir) {
		if row.TaskID != c.Tasks[0].TaskID {
			got = append(got, row)
			continue
		}
		refused++
		if row.Outcome != schemas.OutcomeInfraError || row.OutcomeReason != "refused" || row.Reward != nil || len(row.Messages) > 0 {
			t.Errorf("row %s: %+v", row.TrajectoryID, row)
		}
	}
	for _, row := range runtest.Rows(t, clean) {
		if row.TaskID != c.Tasks[0].TaskID {
			want = append(want, row)
		}
	}
	same(t, got, want)
	if refused != opts.K || asked.Load() != int64(opts.K) {
		t.Errorf("%d attempts are refused, the model was asked %d times", refused, asked.Load())
	}
}
