// Package score gives trajectories a verifier's score: the probability, 0 to 1, that
// the attempt solves its task, as a trained verifier sees it. It rewrites the
// trajectories, as grading does, and touches no reward.
//
// Scores come out of a file, or of a verifier that is asked with exactly the prompt
// of the verifier set. An attempt without a step cannot be judged and has none.
//
// A trajectory that this verifier has scored before keeps its score, and is not asked
// about again: so a rollout that has grown since is scored where it grew. Scores of
// another verifier are replaced only with Options.Replace: those of two cannot be
// compared, and a run folder holds one's.
//
// What a verifier says is put into the journal trajectory by trajectory: a kill loses
// the questions in flight.
package score

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/model"
	"github.com/medgym-data/medgym-data/stages/internal/rewrite"
	"github.com/medgym-data/medgym-data/stages/internal/tokens"
	"github.com/medgym-data/medgym-data/stages/internal/verdict"
)

// Name of the stage.
const Name = "score"

const (
	tasksStage   = "normalize"
	rolloutStage = "rollout"
)

// Options of the stage: File, or Model.
type Options struct {
	File  string // JSON Lines or, by its name, Parquet: trajectory_id, score, and perhaps verifier
	Model Model
	// Verifier names who scores. Empty: whom the file names, or else the file's own
	// name; the model's.
	Verifier string
	Sources  []string // none: all
	// Partial publishes although not all is in order: rows of the file that cannot be
	// used are counted, and trajectories may be without a score.
	Partial bool
	Replace bool // scores of another verifier, or other ones of this, may be replaced

	MaxTokens   int                       // of a question with its answer: 32,768, as in the verifier set
	Extra       map[string]jsontext.Value // merged into the body of every request
	Concurrency int                       // questions at a time: 32
}

// Report accounts for the trajectories of one source.
type Report struct {
	Trajectories int            `json:"trajectories"`
	Scored       int            `json:"scored"`
	How          map[string]int `json:"how"`      // scored ones, by How…
	Unscored     map[string]int `json:"unscored"` // the others, by the reason
	Replaced     int            `json:"replaced"` // had another score before
	// Of the sum alone.
	Verifier     string         `json:"verifier,omitempty"`
	Resumed      int            `json:"resumed,omitempty"`       // answers that an earlier run had got
	PromptTokens int64          `json:"prompt_tokens,omitempty"` // of the questions, with theirs
	CostUSD      float64        `json:"cost_usd,omitempty"`
	Faults       map[string]int `json:"faults,omitempty"` // rows of the file that were left out, with Partial
}

// Stage makes the stage. Its summary holds a Report for each source under its id,
// and the sum under "all".
func Stage(opts Options) (pipeline.Stage, error) {
	switch {
	case (opts.File == "") == (opts.Model == nil):
		return pipeline.Stage{}, errors.New("score: either a file of scores or a verifier has to be named")
	case opts.MaxTokens < 0 || opts.Concurrency < 0:
		return pipeline.Stage{}, errors.New("score: the tokens and the concurrency cannot be negative")
	case !utf8.ValidString(opts.Verifier):
		return pipeline.Stage{}, errors.New("score: the verifier's name is not UTF-8")
	}
	if err := model.CheckExtra(opts.Extra); err != nil {
		return pipeline.Stage{}, fmt.Errorf("score: %w", err)
	}
	if opts.MaxTokens == 0 {
		opts.MaxTokens = verdict.MaxTokens
	}
	if opts.Concurrency == 0 {
		opts.Concurrency = 32
	}
	opts.Sources = slices.Clone(opts.Sources)
	slices.Sort(opts.Sources)
	opts.Sources = slices.Compact(opts.Sources)
	stage := pipeline.Stage{
		Name: Name, Version: "1", Output: "trajectories", Inputs: []string{rolloutStage}, Sends: opts.Model != nil,
		Work: func(ctx context.Context, w *pipeline.Work) error { return work(ctx, w, opts) },
	}
	// Not part of the config: what would be lost are scores, not trajectories, and the
	// stage itself says which.
	if opts.File != "" {
		digest, err := digestFile(opts.File)
		if err != nil {
			return stage, err
		}
		stage.Extern = map[string]string{"scores": digest, "verifier": opts.Verifier, "partial": fmt.Sprint(opts.Partial)}
	} else {
		stage.Inputs, stage.Sources = append(stage.Inputs, tasksStage), opts.Sources // those whose rows are sent
		opts.Verifier = cmp.Or(opts.Verifier, opts.Model.Model())
		stage.Extern = map[string]string{"verifier": opts.Verifier, "question": fmt.Sprintf("%s, %d tokens", verdict.Version, opts.MaxTokens)}
		if len(opts.Extra) > 0 {
			stage.Extern["extra body"] = digestExtra(opts.Extra)
		}
		stage.Again = func(run *pipeline.Run) bool { return !opts.Partial && unanswered(run) > 0 }
	}
	stage.Extern["sources"] = strings.Join(opts.Sources, " ")
	return stage, nil
}

// unanswered is how many trajectories a published run left without a score because the
// verifier's endpoint failed.
func unanswered(run *pipeline.Run) int {
	all := newReport()
	if _, err := run.Summary(Name, "all", all); err != nil {
		return 0 // the stage writes it itself
	}
	return all.Unscored[NoneFaulty] + all.Unscored[NoneTimeout]
}

func digestExtra(extra map[string]jsontext.Value) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(extra)) {
		fmt.Fprintf(h, "%q %q\n", key, extra[key])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func work(ctx context.Context, w *pipeline.Work, opts Options) error {
	dir := w.Input(rolloutStage)
	groups, err := rewrite.Groups(dir)
	if err != nil {
		return err
	}
	s := &scorer{opts: opts, w: w, verifier: opts.Verifier, reports: map[string]*Report{}, former: map[string]int{}}
	if opts.File != "" {
		err = s.openFile(ctx)
	} else {
		err = s.openModel(ctx, groups)
	}
	if err != nil {
		return err
	}
	s.meter = w.Progress(Name, attempts(w))
	defer s.meter.Done()
	for _, g := range groups {
		if s.reports[g.Source] == nil {
			s.reports[g.Source] = newReport()
		}
		judged, err := s.judged(ctx, g)
		if err != nil {
			return err
		}
		if err := g.Write(ctx, w.Dir(), s.rows(g, judged)); err != nil {
			return err
		}
	}
	if err := rewrite.Carry(ctx, dir, w.Dir()); err != nil {
		return err
	}
	return s.settle()
}

// attempts is the number of rows that rollout wrote; 0 where it is not known.
func attempts(w *pipeline.Work) int64 {
	var all struct {
		Attempts int64 `json:"attempts"`
	}
	if err := w.InputSummary(rolloutStage, "all", &all); err != nil {
		return 0
	}
	return all.Attempts
}

// scorer scores the trajectories of one run of the stage.
type scorer struct {
	opts     Options
	w        *pipeline.Work
	verifier string
	meter    pipeline.Meter
	reports  map[string]*Report
	former   map[string]int // scores that are replaced, by who gave them
	unmet    string         // the first trajectory that may be asked about again, or has no score in the file

	scores *scores // of the file

	asker    *asker
	question *verdict.Builder
	answered table    // by an earlier run
	says     []string // how, or why none, by the tag of its entries
	failing  atomic.Int32
	tokens   int64
	cost     float64
}

// judged is a trajectory with what is known of it now.
type judged struct {
	row schemas.Trajectory
	judgement
}

func (s *scorer) openFile(ctx context.Context) (err error) {
	if s.scores, err = readScores(ctx, s.opts.File, s.opts.Partial); err != nil {
		return err
	}
	s.verifier = cmp.Or(s.verifier, s.scores.verifier, filepath.Base(s.opts.File))
	return nil
}

// openModel proves that nothing will be refused which a row could tell, before money
// is spent, and reads what an earlier run was told.
func (s *scorer) openModel(ctx context.Context, groups []rewrite.Group) error {
	counter, err := tokens.New()
	if err != nil {
		return err
	}
	s.asker, s.question = &asker{model: s.opts.Model, extra: s.opts.Extra}, verdict.New(counter, s.opts.MaxTokens)
	var closed []string
	others := map[string]int{}
	for _, g := range groups {
		if !s.chosen(g.Source) {
			continue
		}
		if g.Private() && !slices.Contains(closed, g.Source) {
			closed = append(closed, g.Source)
		}
		for row, err := range rewrite.Columns[scoreColumns](ctx, g) {
			if err != nil {
				return err
			}
			if row.Score != nil && row.Verifier != s.verifier {
				others[row.Verifier]++
			}
		}
	}
	if err := s.opts.Model.Permit(closed); err != nil {
		return err
	}
	if err := s.replace(others); err != nil {
		return err
	}
	return s.resume(ctx)
}

// scoreColumns are what a trajectory has of scores.
type scoreColumns struct {
	Score    *float64 `parquet:"verifier_score,optional"`
	Verifier string   `parquet:"verifier,optional"`
}

// resume reads the answers in the journal.
func (s *scorer) resume(ctx context.Context) error {
	err := s.w.Journal().Each(ctx, func(key string, payload []byte) error {
		var j judgement
		if err := json.Unmarshal(payload, &j); err != nil {
			return fmt.Errorf("journal, unit %s: the score cannot be read", key)
		}
		s.tokens += j.Tokens
		s.cost += j.Cost
		say := j.How + "/" + j.None
		tag := slices.Index(s.says, say)
		if tag < 0 {
			tag = len(s.says)
			s.says = append(s.says, say)
		}
		s.answered.add(key, j.Score, 0, uint8(tag)) // there are fewer than ten
		return nil
	})
	s.answered.sort()
	return err
}

func (s *scorer) chosen(source string) bool {
	return len(s.opts.Sources) == 0 || slices.Contains(s.opts.Sources, source)
}

// judged yields the group's trajectories with what is known of them, in their order.
func (s *scorer) judged(ctx context.Context, g rewrite.Group) (iter.Seq2[judged, error], error) {
	one := func(f func(context.Context, schemas.Trajectory) (judged, error)) iter.Seq2[judged, error] {
		return func(yield func(judged, error) bool) {
			for row, err := range g.Rows(ctx) {
				out := judged{row: row}
				if err == nil {
					out, err = f(ctx, row)
				}
				if !yield(out, err) || err != nil {
					return
				}
			}
		}
	}
	switch {
	case s.scores != nil:
		return one(s.look), nil
	case !s.chosen(g.Source):
		return one(func(_ context.Context, t schemas.Trajectory) (judged, error) { return s.pass(t), nil }), nil
	}
	tasks, err := g.Tasks(ctx, s.w.Input(tasksStage))
	if err != nil {
		return nil, err
	}
	return rewrite.Ordered(ctx, s.opts.Concurrency, g.Rows(ctx), func(ctx context.Context, t schemas.Trajectory) (judged, error) {
		return s.ask(ctx, tasks, t)
	}), nil
}

// pass leaves a trajectory of a source that is not asked for as it is.
func (s *scorer) pass(t schemas.Trajectory) judged {
	if t.VerifierScore != nil {
		return judged{t, judgement{Score: *t.VerifierScore, How: HowKept}}
	}
	return judged{t, judgement{None: NoneChosen}}
}

// kept is the score that this verifier gave before.
func (s *scorer) kept(t schemas.Trajectory) bool {
	return t.VerifierScore != nil && t.Verifier == s.verifier
}

// look finds a trajectory's score in the file.
func (s *scorer) look(_ context.Context, t schemas.Trajectory) (judged, error) {
	e := s.scores.find(t.TrajectoryID)
	if e != nil {
		e.seen = true
	}
	switch {
	case !s.chosen(t.Source):
		return s.pass(t), nil
	case e != nil && !(s.kept(t) && *t.VerifierScore == e.score):
		return judged{t, judgement{Score: e.score, How: HowFile}}, nil
	case s.kept(t):
		return judged{t, judgement{Score: *t.VerifierScore, How: HowKept}}, nil
	case len(t.Steps) == 0:
		return judged{t, judgement{None: verdict.NoSteps}}, nil
	}
	return judged{t, judgement{None: NoneMissing}}, nil
}

// mostFailing is how many questions in a row may fail before the stage gives up.
const mostFailing = 50

// ask asks the verifier about a trajectory, and puts the answer into the journal.
func (s *scorer) ask(ctx context.Context, tasks map[string]schemas.Task, t schemas.Trajectory) (judged, error) {
	if s.kept(t) {
		return judged{t, judgement{Score: *t.VerifierScore, How: HowKept}}, nil
	}
	if e := s.answered.find(t.TrajectoryID); e != nil {
		how, none, _ := strings.Cut(s.says[e.tag], "/")
		return judged{t, judgement{Score: e.score, How: how, None: none}}, nil
	}
	task, ok := tasks[t.TaskID]
	if !ok {
		return judged{}, fmt.Errorf("trajectory %s: its task is not in the corpus any more: run rollout again", t.TrajectoryID)
	}
	q, reason, err := s.question.Ask(task.Instruction, t)
	if err != nil || reason != "" {
		return judged{t, judgement{None: reason}}, err
	}
	j, err := s.asker.ask(ctx, q.Messages)
	if err != nil {
		return judged{}, fmt.Errorf("trajectory %s: %w", t.TrajectoryID, err)
	}
	if passing(j.None) {
		s.w.Log.Warn("no verdict", "trajectory", t.TrajectoryID, "reason", j.None)
		if s.failing.Add(1) >= mostFailing {
			return judged{}, fmt.Errorf("the verifier's endpoint fails (%s, %d times in a row): what it has answered is kept, run the same command again when it is well", j.None, mostFailing)
		}
		return judged{t, j}, nil
	}
	s.failing.Store(0)
	payload, err := json.Marshal(j)
	if err != nil {
		return judged{}, fmt.Errorf("encode the score of %s: %w", t.TrajectoryID, err)
	}
	if err := s.w.Journal().Put(ctx, t.TrajectoryID, payload); err != nil {
		return judged{}, err
	}
	return judged{t, j}, nil
}

// rows are the trajectories as they are written, each counted.
func (s *scorer) rows(g rewrite.Group, in iter.Seq2[judged, error]) iter.Seq2[schemas.Trajectory, error] {
	return func(yield func(schemas.Trajectory, error) bool) {
		for j, err := range in {
			if err == nil {
				err = s.apply(s.reports[g.Source], &j)
			}
			if !yield(j.row, err) || err != nil {
				return
			}
		}
	}
}

// apply puts a judgement into its row.
func (s *scorer) apply(r *Report, j *judged) error {
	t := &j.row
	r.Trajectories++
	s.meter.Add(1)
	s.tokens += j.Tokens
	s.cost += j.Cost
	if t.VerifierScore != nil && j.How != HowKept {
		r.Replaced++
		s.former[t.Verifier]++
	}
	switch {
	case j.How == HowKept:
	case j.How != "":
		t.VerifierScore, t.Verifier = schemas.Ptr(j.Score), s.verifier
	default:
		if j.None != NoneChosen {
			t.VerifierScore, t.Verifier = nil, ""
		}
		if s.unmet == "" && (passing(j.None) || j.None == NoneMissing) {
			s.unmet = t.TrajectoryID
		}
		r.Unscored[j.None]++
		return nil
	}
	if t.VerifierScore == nil || math.IsNaN(*t.VerifierScore) {
		return fmt.Errorf("internal error: trajectory %s has a score that is none", t.TrajectoryID)
	}
	r.Scored++
	r.How[j.How]++
	return nil
}

// settle refuses what may not be published, and summarizes.
func (s *scorer) settle() error {
	all := newReport()
	for _, r := range s.reports {
		all.merge(r)
	}
	all.Verifier, all.Resumed, all.PromptTokens, all.CostUSD = s.verifier, len(s.answered.entries), s.tokens, s.cost
	if s.scores != nil {
		if err := s.scores.settle(); err != nil {
			return err
		}
		if n := all.Unscored[NoneMissing]; n > 0 && !s.opts.Partial {
			return pipeline.BadInput(s.opts.File, 0, fmt.Sprintf("has no score for %d trajectories, the first of them %s", n, s.unmet),
				"add them, name the sources that it is about with --source, or use --partial, which leaves them without a score")
		}
		if err := s.replace(s.former); err != nil {
			return err
		}
		all.Faults = s.scores.faults
	}
	if n := all.Unscored[NoneFaulty] + all.Unscored[NoneTimeout]; n > 0 && !s.opts.Partial {
		return fmt.Errorf("the verifier's endpoint gave no answer about %d trajectories (%d faulty, %d timed out), the first of them %s: "+
			"run the same command again, which asks about these alone, or with --partial, which leaves them without a score",
			n, all.Unscored[NoneFaulty], all.Unscored[NoneTimeout], s.unmet)
	}
	for source, r := range s.reports {
		s.w.Summarize(source, r)
	}
	s.w.Summarize("all", all)
	return nil
}

// replace refuses to lose scores, unless that was asked for.
func (s *scorer) replace(former map[string]int) error {
	n := 0
	var names []string
	for name, count := range former {
		n += count
		names = append(names, name)
	}
	if n == 0 {
		return nil
	}
	slices.Sort(names)
	who, lost := strings.Join(names, ", "), fmt.Sprintf("%d scores of %s", n, strings.Join(names, ", "))
	if s.opts.Replace {
		s.w.Log.Warn("forced: scores are replaced", "lost", lost, "verifier", s.verifier)
		return nil
	}
	if who == s.verifier {
		return pipeline.BadInput(s.opts.File, 0, fmt.Sprintf("has other scores for %d trajectories than %s gave them before", n, who),
			"use --force, which replaces them, or another run folder")
	}
	return &pipeline.DriftError{Stage: Name, State: "is done", Lost: lost,
		Differences: []pipeline.Difference{{Name: "verifier", Old: who, New: s.verifier, Config: true}}}
}

func newReport() *Report { return &Report{How: map[string]int{}, Unscored: map[string]int{}} }

func (r *Report) merge(o *Report) {
	for _, m := range []struct{ into, from map[string]int }{{r.How, o.How}, {r.Unscored, o.Unscored}} {
		for key, n := range m.from {
			m.into[key] += n
		}
	}
	r.Trajectories += o.Trajectories
	r.Scored += o.Scored
	r.Replaced += o.Replaced
}
