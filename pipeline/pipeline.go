// Package pipeline is the engine: run folders, stages, the manifest, the journal,
// progress. It knows no source and no stage by name.
//
// A stage is a function from content-addressed inputs and a config to one output
// folder. It is skipped when both are unchanged, resumes from its journal where it
// stopped, and refuses to mix when the config has drifted.
package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options open a run.
type Options struct {
	Version  string // of the program, recorded in the manifest
	Log      *slog.Logger
	Progress Progress // nil: none
	Force    bool     // start a drifted stage anew
}

// Run is an open run folder, locked by this process.
type Run struct {
	dir      string
	opts     Options
	lock     *lock
	db       *journalDB
	manifest *manifest
}

// Open creates or opens a run folder and locks it. A folder that another process
// holds is refused with who holds it.
func Open(ctx context.Context, dir string, opts Options) (*Run, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Progress == nil {
		opts.Progress = noProgress{}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create run folder: %w", err)
	}
	r := &Run{dir: dir, opts: opts}
	if r.lock, err = acquire(filepath.Join(dir, "lock")); err != nil {
		return nil, err
	}
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Run) open(ctx context.Context) (err error) {
	if r.manifest, err = readManifest(r.Path("manifest.json"), r.opts.Version); err != nil {
		return err
	}
	if err := r.recoverPublish(); err != nil {
		return err
	}
	r.db, err = openJournal(ctx, r.Path("journal.db"))
	return err
}

// recoverPublish cleans what a killed run left: half-written staging folders go,
// and an output that was moved aside comes back when its successor never arrived.
func (r *Run) recoverPublish() error {
	aside, err := filepath.Glob(r.Path(".old-*"))
	if err != nil {
		return err
	}
	for _, old := range aside {
		output := r.Path(strings.TrimPrefix(filepath.Base(old), ".old-"))
		if _, err := os.Stat(output); errors.Is(err, os.ErrNotExist) {
			if err := os.Rename(old, output); err != nil {
				return fmt.Errorf("restore %s: %w", output, err)
			}
		} else if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("remove leftover: %w", err)
		}
	}
	staging, err := filepath.Glob(r.Path(".staging-*"))
	if err != nil {
		return err
	}
	for _, dir := range staging {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove leftover: %w", err)
		}
	}
	return nil
}

// Close unlocks.
func (r *Run) Close() error {
	var err error
	if r.db != nil {
		err = r.db.Close()
	}
	return errors.Join(err, r.lock.release())
}

// Path joins elem to the run folder.
func (r *Run) Path(elem ...string) string {
	return filepath.Join(append([]string{r.dir}, elem...)...)
}

// ID is the run's id, stable for the folder.
func (r *Run) ID() string { return r.manifest.RunID }

// Stage is a function from content-addressed inputs and a config to one output
// folder.
type Stage struct {
	Name    string            // rollout
	Version string            // bump when the same inputs give other outputs
	Config  any               // marshalled to JSON; part of the key
	Inputs  []string          // names of stages whose outputs are read
	Extern  map[string]string // other inputs: name → digest
	Output  string            // folder below the run folder that the stage owns: "trajectories"
	Work    func(ctx context.Context, w *Work) error
}

// StageResult is what Do did.
type StageResult struct {
	Skipped bool           `json:"skipped"` // unchanged inputs and config: outputs stand
	Summary map[string]any `json:"summary"`
	Outputs []FileDigest   `json:"outputs"`
}

// FileDigest is a file of a stage's output, its path relative to the run folder.
type FileDigest struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// ErrDrift says that a stage was begun with another config or other inputs.
var ErrDrift = errors.New("config drift")

// Do runs a stage, or skips it when inputs, config and version are unchanged and
// its outputs are as recorded. A stage that was interrupted resumes with its
// journal; when its config has drifted since, ErrDrift, unless Options.Force.
// Outputs appear by rename once Work has returned nil; the manifest is written
// last.
func (r *Run) Do(ctx context.Context, st Stage) (StageResult, error) {
	parts, err := r.keyParts(st)
	if err != nil {
		return StageResult{}, fmt.Errorf("%s: %w", st.Name, err)
	}
	state := r.manifest.Stages[st.Name]
	journal := &Journal{db: r.db, stage: st.Name}
	same := maps.Equal(state.Key, parts)
	if state.Done && same && r.outputsStand(state.Outputs) {
		r.opts.Log.Info("stage is up to date", "stage", st.Name)
		return StageResult{Skipped: true, Summary: state.Summary, Outputs: state.Outputs}, nil
	}
	if !same {
		if err := r.refuseDrift(ctx, st, state, parts, journal); err != nil {
			return StageResult{}, err
		}
	}
	r.manifest.Stages[st.Name] = stageState{Key: parts, Begun: now(), Outputs: state.Outputs, Summary: state.Summary}
	if err := r.manifest.write(); err != nil {
		return StageResult{}, err
	}

	w := &Work{Run: r, Log: r.opts.Log.With("stage", st.Name), stage: st, journal: journal, summary: map[string]any{}}
	w.dir = r.Path(".staging-" + st.Output)
	if err := os.RemoveAll(w.dir); err != nil {
		return StageResult{}, fmt.Errorf("%s: %w", st.Name, err)
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return StageResult{}, fmt.Errorf("%s: %w", st.Name, err)
	}
	if err := st.Work(ctx, w); err != nil {
		return StageResult{}, errors.Join(fmt.Errorf("%s: %w", st.Name, err), os.RemoveAll(w.dir))
	}
	outputs, err := r.publish(ctx, w.dir, st.Output)
	if err != nil {
		return StageResult{}, fmt.Errorf("%s: publish: %w", st.Name, err)
	}
	r.manifest.Stages[st.Name] = stageState{Key: parts, Begun: r.manifest.Stages[st.Name].Begun,
		Done: true, Finished: now(), Outputs: outputs, Summary: w.summary}
	if err := r.manifest.write(); err != nil {
		return StageResult{}, err
	}
	if err := journal.clear(ctx); err != nil {
		return StageResult{}, err
	}
	return StageResult{Summary: w.summary, Outputs: outputs}, nil
}

// refuseDrift lets a changed stage begin anew only where nothing unfinished is
// lost, or the user says so.
func (r *Run) refuseDrift(ctx context.Context, st Stage, state stageState, parts map[string]string, journal *Journal) error {
	n, err := journal.count(ctx)
	if err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	if !r.opts.Force {
		return fmt.Errorf("%s was begun with other settings (%s) and has %d finished units: repeat them, or start anew with --force, which discards those units: %w",
			st.Name, drifted(state.Key, parts), n, ErrDrift)
	}
	r.opts.Log.Warn("starting anew", "stage", st.Name, "discarded", n)
	return journal.clear(ctx)
}

// keyParts is everything that a stage's outputs follow from, by name.
func (r *Run) keyParts(st Stage) (map[string]string, error) {
	config, err := json.Marshal(st.Config)
	if err != nil {
		return nil, fmt.Errorf("marshal config: %w", err)
	}
	parts := map[string]string{"version": st.Version}
	var fields map[string]json.RawMessage
	if json.Unmarshal(config, &fields) == nil {
		for name, value := range fields {
			parts["config."+name] = string(value)
		}
	} else {
		parts["config"] = string(config)
	}
	for name, digest := range st.Extern {
		parts["extern."+name] = digest
	}
	for _, name := range st.Inputs {
		in, ok := r.manifest.Stages[name]
		if !ok || !in.Done {
			return nil, BadInput{What: fmt.Sprintf("needs the output of %s, which has not finished in %s", name, r.dir),
				Do: "run the command that makes it first"}
		}
		parts["input."+name] = outputsDigest(in.Outputs)
	}
	return parts, nil
}

func drifted(old, new map[string]string) string {
	names := slices.Sorted(maps.Keys(old))
	for name := range new {
		if _, ok := old[name]; !ok {
			names = append(names, name)
		}
	}
	var out []string
	for _, name := range names {
		if old[name] != new[name] {
			out = append(out, fmt.Sprintf("%s: %s, now %s", name, clip(old[name]), clip(new[name])))
		}
	}
	return strings.Join(out, "; ")
}

func clip(s string) string {
	switch {
	case s == "":
		return "unset"
	case len(s) > 40:
		return s[:40] + "…"
	}
	return s
}

// publish moves a staging folder to its place. The old output is kept aside until
// the new one stands: a crash between the two renames is mended by recoverPublish.
func (r *Run) publish(ctx context.Context, staging, output string) ([]FileDigest, error) {
	outputs, err := digestTree(ctx, staging, output)
	if err != nil {
		return nil, err
	}
	target, aside := r.Path(output), r.Path(".old-"+output)
	if err := os.Rename(target, aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := os.Rename(staging, target); err != nil {
		return nil, err
	}
	if err := syncDir(r.dir); err != nil {
		return nil, err
	}
	return outputs, os.RemoveAll(aside)
}

func (r *Run) outputsStand(outputs []FileDigest) bool {
	for _, f := range outputs {
		got, err := digestFile(r.Path(filepath.FromSlash(f.Path)))
		if err != nil || got.SHA256 != f.SHA256 {
			r.opts.Log.Warn("output is not as recorded; the stage runs again", "file", f.Path)
			return false
		}
	}
	return true
}

func digestTree(ctx context.Context, root, prefix string) ([]FileDigest, error) {
	var out []FileDigest
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f, err := digestFile(path)
		if err != nil {
			return err
		}
		f.Path = prefix + "/" + filepath.ToSlash(rel)
		out = append(out, f)
		return nil
	})
	return out, err
}

func digestFile(path string) (FileDigest, error) {
	f, err := os.Open(path)
	if err != nil {
		return FileDigest{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return FileDigest{}, err
	}
	return FileDigest{Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

func outputsDigest(outputs []FileDigest) string {
	h := sha256.New()
	for _, f := range outputs {
		fmt.Fprintf(h, "%s %s\n", f.SHA256, f.Path)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
