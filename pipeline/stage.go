package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Stage is a function from content-addressed inputs and a config to one output
// folder.
type Stage struct {
	Name    string            // rollout
	Version string            // bump when the same inputs give other outputs
	Config  any               // marshalled to JSON, shown in the manifest: never a secret, never row content
	Inputs  []string          // names of stages whose outputs are read
	Extern  map[string]string // other inputs: name → digest
	Output  string            // folder below the run folder that the stage owns: "trajectories"
	// Costly says that outputs took model calls or money. Those that are done are
	// then replaced only with Options.Force, where other stages are made anew when
	// nothing but their inputs or version changed.
	Costly bool
	// Grows is the path of that part of the config ("plan") whose change is no drift:
	// the stage then runs again over its former output (Work.Former) and its units in
	// the journal. Empty: there is none.
	Grows string
	// Again is asked where the stage would be skipped: whether it is to run again over
	// its former output all the same, since that is not all that there can be. Nil: no.
	Again func(r *Run) bool
	// For Options.Reading, and deciding nothing else: the sources whose rows are read,
	// where they are not all that the run has; whether rows are sent to a model
	// endpoint; what is to be known of the rows, where no earlier stage noted it.
	Sources []string
	Sends   bool
	Reads   any
	Work    func(ctx context.Context, w *Work) error
}

// StageResult is what Do did.
type StageResult struct {
	Skipped bool           // unchanged inputs and config: outputs stand
	Summary map[string]any // as decoded from the manifest: numbers are float64
	Outputs []FileDigest
}

// FileDigest is a file of a stage's output, its path relative to the run folder.
type FileDigest struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Do runs a stage, or skips it when inputs, config and version are unchanged and
// its outputs are as recorded. A stage that was interrupted resumes with its
// journal. When the config has drifted since it was begun or done, or the inputs
// of finished units have, the answer is ErrDrift, unless Options.Force: then it
// starts anew and the log says what is lost. A change of the part that Stage.Grows
// names is no drift. Outputs appear by rename once Work has returned nil; the
// manifest is written last.
//
// A stage may share its folder with one of its inputs, which it then rewrites.
// When that input is made anew, the rewriting stage counts as not run. Several may
// rewrite the same input: each reads what the one before it left.
func (r *Run) Do(ctx context.Context, st Stage) (StageResult, error) {
	r.stage.Lock()
	defer r.stage.Unlock()
	if err := r.checkStage(st); err != nil {
		return StageResult{}, fmt.Errorf("stage %s: %w", st.Name, err)
	}
	key, err := r.keyOf(ctx, st)
	if err != nil {
		return StageResult{}, err
	}
	plan, err := r.decide(ctx, st, key)
	if err != nil {
		return StageResult{}, err
	}
	if !plan.skip {
		if plan.anew {
			if err := r.journal.clear(ctx, st.Name); err != nil {
				return StageResult{}, err
			}
		}
		if err := r.make(ctx, st, key, plan.grows); err != nil {
			return StageResult{}, err
		}
	}
	done := r.manifest.Stages[st.Name].Done
	res := StageResult{Skipped: plan.skip, Outputs: done.Outputs, Summary: map[string]any{}}
	for k, text := range done.Summary {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return StageResult{}, fmt.Errorf("stage %s: summary %s: %w", st.Name, k, err)
		}
		res.Summary[k] = v
	}
	return res, nil
}

// checkStage refuses what would let one stage destroy another's output.
func (r *Run) checkStage(st Stage) error {
	if st.Name == "" || strings.ContainsAny(st.Name, `/\.`) {
		return fmt.Errorf("name %q is not a plain name", st.Name)
	}
	if err := checkOutput(st.Output); err != nil {
		return err
	}
	for name, rec := range r.manifest.Stages {
		if name == st.Name || rec.Done == nil {
			continue
		}
		theirs := rec.Done.Output
		if theirs == st.Output && (slices.Contains(st.Inputs, name) || rec.Done.Inputs[st.Name] != "" || r.bothRewrite(st, rec.Done)) {
			continue
		}
		if theirs == st.Output || strings.HasPrefix(theirs, st.Output+"/") || strings.HasPrefix(st.Output, theirs+"/") {
			return fmt.Errorf("output folder %s overlaps that of stage %s, %s", st.Output, name, theirs)
		}
	}
	return nil
}

// bothRewrite says whether two stages rewrite the folder of an input that they share.
func (r *Run) bothRewrite(st Stage, other *doneRecord) bool {
	return slices.ContainsFunc(st.Inputs, func(input string) bool {
		rec := r.manifest.Stages[input]
		return other.Inputs[input] != "" && rec != nil && rec.Done != nil && rec.Done.Output == st.Output
	})
}

// keyOf computes what decides whether outputs stand, and proves that the inputs
// are as their stages wrote them.
func (r *Run) keyOf(ctx context.Context, st Stage) (stageKey, error) {
	config, err := json.Marshal(st.Config)
	if err != nil {
		return stageKey{}, fmt.Errorf("stage %s: marshal config: %w", st.Name, err)
	}
	key := stageKey{StageVersion: st.Version, Config: config, Inputs: map[string]string{}, Extern: map[string]string{}}
	for name, digest := range st.Extern {
		key.Extern[name] = digest
	}
	for _, name := range st.Inputs {
		digest, err := r.manifest.input(st.Name, name)
		if err != nil {
			return stageKey{}, err
		}
		if err := r.verify(ctx, name); err != nil {
			var bad *damage
			if errors.As(err, &bad) {
				err = bad.fault("run the command of stage " + name + " again")
			}
			return stageKey{}, err
		}
		key.Inputs[name] = digest
	}
	return key, nil
}

// verify compares what lies in a stage's folder with its record, once a process.
func (r *Run) verify(ctx context.Context, stage string) error {
	holder := r.manifest.holder(r.manifest.Stages[stage].Done.Output)
	if r.verified[holder] {
		return nil
	}
	if err := verifyFolder(ctx, r.dir, holder, r.manifest.Stages[holder].Done); err != nil {
		return err
	}
	r.verified[holder] = true
	return nil
}

// decision is what becomes of a stage.
type decision struct {
	skip  bool
	anew  bool // units in the journal are of no use
	grows bool // over the published output
}

// Look calls look with what the stage's Work would be given now, but for a staging
// folder. Look must not write. Whether the stage would be skipped is told too; what
// Do refuses is refused. Options.Reading is told that rows are read, and sent nowhere.
func (r *Run) Look(ctx context.Context, st Stage, look func(ctx context.Context, w *Work, skip bool) error) error {
	r.stage.Lock()
	defer r.stage.Unlock()
	if err := r.checkStage(st); err != nil {
		return fmt.Errorf("stage %s: %w", st.Name, err)
	}
	key, err := r.keyOf(ctx, st)
	if err != nil {
		return err
	}
	plan, err := r.decide(ctx, st, key)
	if err != nil {
		return err
	}
	if r.opts.Reading != nil {
		reads := st
		reads.Sends = false
		if err := r.opts.Reading(ctx, r, reads); err != nil {
			return err
		}
	}
	w := r.workOf(st, "", plan.grows || plan.skip)
	if plan.anew || plan.skip {
		w.journal.stage = "" // what is there is of no use
	}
	return look(ctx, w, plan.skip)
}

// decide says what becomes of a stage, or refuses to run it. It changes nothing.
func (r *Run) decide(ctx context.Context, st Stage, key stageKey) (decision, error) {
	log := r.log.With("stage", st.Name)
	rec := r.manifest.Stages[st.Name]
	if rec == nil {
		return decision{anew: true}, nil
	}
	same := rec.Done != nil && len(differences(rec.Done.stageKey, key)) == 0 && rec.Done.Output == st.Output
	grows := rec.Done != nil && rec.Done.Output == st.Output && st.Grows != "" && (same || growth(rec.Done.stageKey, key, st.Grows))
	if same || grows {
		var bad *damage
		err := r.verify(ctx, st.Name)
		switch {
		case err == nil && same && (st.Again == nil || !st.Again(r)):
			log.Info("unchanged, skipped")
			return decision{skip: true}, nil
		case err == nil:
		case !errors.As(err, &bad):
			return decision{}, err
		case bad.stray:
			return decision{}, bad.fault("")
		case st.Costly && !r.opts.Force:
			return decision{}, bad.fault("restore it from a copy, or use --force, which makes all outputs of the stage anew")
		default:
			log.Warn("an output is damaged, the stage is made anew", "file", bad.file, "fault", bad.what)
			grows = false
		}
	}

	units, err := r.journal.count(ctx, st.Name)
	if err != nil {
		return decision{}, err
	}
	if rec.Begun == nil {
		units = 0 // left by a crash between publication and cleaning
	}
	if units > 0 {
		diffs := differences(rec.Begun.stageKey, key)
		switch {
		case rec.Begun.Grows && !grows:
			// What these units were to be added to is gone, or is not to be used any more.
			if len(diffs) == 0 {
				diffs = []Difference{{Name: "the output that it adds to", Old: "as written", New: "damaged"}}
			}
			return decision{anew: true}, r.drift(st, "was begun", diffs, fmt.Sprintf("%d finished units of work", units))
		case len(diffs) == 0 || growth(rec.Begun.stageKey, key, st.Grows):
			log.Info("resumed", "finished_units", units)
			return decision{grows: rec.Begun.Grows}, nil
		}
		return decision{anew: true, grows: grows}, r.drift(st, "was begun", diffs, fmt.Sprintf("%d finished units of work", units))
	}
	switch {
	case rec.Begun != nil && len(differences(rec.Begun.stageKey, key)) == 0:
		return decision{anew: true, grows: grows}, nil
	case grows:
		if !same {
			log.Info("grows", "changed", st.Grows)
		}
		return decision{anew: true, grows: true}, nil
	case rec.Done != nil:
		return decision{anew: true}, r.stale(st, rec.Done, key)
	}
	return decision{anew: true}, nil
}

// stale decides about a stage that is done with another key.
func (r *Run) stale(st Stage, done *doneRecord, key stageKey) error {
	diffs := differences(done.stageKey, key)
	refuse := st.Costly
	for _, d := range diffs {
		refuse = refuse || d.Config
	}
	if refuse && len(diffs) > 0 {
		return r.drift(st, "is done", diffs, fmt.Sprintf("%d published files (%d bytes)", len(done.Outputs), done.bytes()))
	}
	for _, d := range diffs {
		r.log.Info("made anew", "stage", st.Name, "changed", d.Name)
	}
	return nil
}

// drift refuses, or with Force says what is lost.
func (r *Run) drift(st Stage, state string, diffs []Difference, lost string) error {
	err := &DriftError{Stage: st.Name, State: state, Differences: diffs, Lost: lost}
	if !r.opts.Force {
		return err
	}
	r.log.Warn("forced: the stage starts anew", "stage", st.Name, "lost", lost, "changed", err.changes())
	return nil
}

// make runs a stage's work and publishes what it wrote.
func (r *Run) make(ctx context.Context, st Stage, key stageKey, grows bool) error {
	rec := r.manifest.record(st.Name)
	if rec.Begun == nil || rec.Begun.Grows != grows || len(differences(rec.Begun.stageKey, key)) > 0 {
		rec.Begun = &begunRecord{stageKey: key, BegunAt: now(), Program: r.opts.Version, Grows: grows}
		if err := r.save(); err != nil {
			return err
		}
	}
	if r.opts.Reading != nil {
		if err := r.opts.Reading(ctx, r, st); err != nil {
			return err
		}
	}
	staged, err := r.stagingFolder(st.Name)
	if err != nil {
		return fmt.Errorf("stage %s: %w", st.Name, err)
	}
	w := r.workOf(st, staged, grows)
	err = r.work(ctx, w)
	if err == nil {
		// What is finished is published even when ctx ends now.
		err = r.publish(context.WithoutCancel(ctx), w, key)
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(staged))
		var input *InputError
		var policy *PolicyError
		if errors.As(err, &input) || errors.As(err, &policy) {
			return err
		}
		return fmt.Errorf("stage %s: %w", st.Name, err)
	}
	return nil
}

func (r *Run) workOf(st Stage, staged string, grows bool) *Work {
	w := &Work{Run: r, Log: r.log.With("stage", st.Name), stage: st, dir: staged,
		journal: &Journal{store: r.journal, stage: st.Name}, summary: map[string]json.RawMessage{}}
	if grows {
		w.former = r.Path(filepath.FromSlash(r.manifest.Stages[st.Name].Done.Output))
	}
	return w
}

// work calls Work. A panic of a stage is an error of this stage: the manifest and
// the journal are then closed in good order.
func (r *Run) work(ctx context.Context, w *Work) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.log.Error("panic", "stage", w.stage.Name, "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error: panic (%T), the log has the stack", p)
		}
	}()
	return w.stage.Work(ctx, w)
}

// stagingFolder makes the empty staging folder of a stage. Its parent is closed to
// others, so that what is being written needs no care of its own.
func (r *Run) stagingFolder(name string) (string, error) {
	if err := os.MkdirAll(r.Path(stagingName), 0o700); err != nil {
		return "", err
	}
	dir := r.Path(stagingName, name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.Mkdir(dir, 0o755)
}

// publish puts the staged folder in the place of the old output. The manifest
// says first what will lie there and afterwards that it does: a crash between the
// two is settled by recover, which looks at what does.
func (r *Run) publish(ctx context.Context, w *Work, key stageKey) error {
	if r.manifest.Restricted {
		if err := restrictFolder(w.dir); err != nil {
			return err
		}
	}
	outputs, err := digestFolder(ctx, w.dir, w.stage.Output, true)
	if err != nil {
		return err
	}
	rec := r.manifest.record(w.stage.Name)
	rec.Publishing = &doneRecord{
		stageKey: key, BegunAt: rec.Begun.BegunAt, DoneAt: now(), Program: r.opts.Version,
		Serial: r.manifest.Serial + 1, Output: w.stage.Output,
		Digest: digestOf(outputs), Outputs: outputs, Summary: w.summary,
	}
	if err := r.save(); err != nil {
		rec.Publishing = nil
		return err
	}
	final := r.Path(filepath.FromSlash(w.stage.Output))
	if err := r.swap(w.stage.Name, w.dir, final); err != nil {
		return err
	}
	r.settle(w.stage.Name)
	if err := r.save(); err != nil {
		return err
	}
	r.verified[w.stage.Name] = true
	// From here on the stage is done. Leftovers are removed at the next start too.
	if err := errors.Join(r.journal.clear(ctx, w.stage.Name), os.RemoveAll(w.dir)); err != nil {
		w.Log.Warn("leftovers remain until the next run", "error", err)
	}
	return nil
}

// settle turns the publication that was announced into the stage's done record,
// and drops stages that had rewritten the folder's former content.
func (r *Run) settle(stage string) {
	rec := r.manifest.Stages[stage]
	rec.Done, rec.Publishing, rec.Begun = rec.Publishing, nil, nil
	r.manifest.Serial = rec.Done.Serial
	for name, other := range r.manifest.Stages {
		if name != stage && other.Done != nil && other.Done.Output == rec.Done.Output && other.Done.Inputs[stage] != "" {
			other.Done = nil
		}
	}
	clear(r.verified)
}

// swap puts the folder staged in the place of final. Where the file system cannot
// exchange the two in one step, the old one is set aside first and recover puts
// it back.
func (r *Run) swap(stage, staged, final string) error {
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return err
	}
	_, err := os.Lstat(final)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = os.Rename(staged, final)
	case err == nil:
		err = r.exchange(staged, final)
		if errors.Is(err, errNoExchange) {
			err = os.Rename(final, r.setAside(stage))
			if err == nil {
				err = os.Rename(staged, final)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("publish %s: %w", final, err)
	}
	return errors.Join(syncFolder(filepath.Dir(final)), syncFolder(r.Path(stagingName)))
}

// setAside is where swap puts an old output for a moment.
func (r *Run) setAside(stage string) string { return r.Path(stagingName, stage+".old") }

// recover settles publications that a killed process left open, and empties the
// staging folder.
func (r *Run) recover(ctx context.Context) error {
	changed := false
	for name, rec := range r.manifest.Stages {
		if rec.Publishing == nil {
			continue
		}
		changed = true
		final := r.Path(filepath.FromSlash(rec.Publishing.Output))
		if _, err := os.Lstat(final); errors.Is(err, fs.ErrNotExist) {
			if err := os.Rename(r.setAside(name), final); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		var bad *damage
		switch err := verifyFolder(ctx, r.dir, name, rec.Publishing); {
		case err == nil:
			r.settle(name)
		case errors.As(err, &bad):
			rec.Publishing = nil // the old output is in place; the journal has what was done
		default:
			return err
		}
	}
	if changed {
		if err := r.save(); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(r.Path(stagingName)); err != nil {
		return err
	}
	leftovers, err := filepath.Glob(filepath.Join(globQuote(r.dir), "."+manifestName+".*"))
	for _, name := range leftovers {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// globQuote makes a folder's name stand for itself in a pattern.
func globQuote(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
