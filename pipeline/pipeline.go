// Package pipeline is the engine: run folders, stages, the manifest, the journal,
// progress, shards. It knows no source and no stage by name.
package pipeline

import (
	"context"
	"errors"
	"log/slog"
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
	dir  string
	opts Options
}

// Open creates or opens a run folder and locks it. A folder that another process
// holds is refused with who holds it.
func Open(ctx context.Context, dir string, opts Options) (*Run, error) {
	return nil, errors.New("not written")
}

// Close unlocks.
func (r *Run) Close() error { return nil }

// Path joins elem to the run folder.
func (r *Run) Path(elem ...string) string { return "" }

// ID is the run's id, stable for the folder.
func (r *Run) ID() string { return "" }

// Stage is a function from content-addressed inputs and a config to one output
// folder.
type Stage struct {
	Name    string            // rollout
	Version string            // bump when the same inputs give other outputs
	Config  any               // marshalled to canonical JSON; part of the key
	Inputs  []string          // names of stages whose outputs are read
	Extern  map[string]string // other inputs: name → digest
	Output  string            // folder below the run folder that the stage owns: "trajectories"
	Work    func(ctx context.Context, w *Work) error
}

// StageResult is what Do did.
type StageResult struct {
	Skipped bool // unchanged inputs and config: outputs stand
	Summary map[string]any
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
// journal; when its config has drifted since, ErrDrift, unless Options.Force.
// Outputs appear by rename once Work has returned nil; the manifest is written
// last.
func (r *Run) Do(ctx context.Context, st Stage) (StageResult, error) {
	return StageResult{}, errors.New("not written")
}

// ErrDrift says that a stage was begun with another config or other inputs.
var ErrDrift = errors.New("config drift")

// Work is what a stage's function is given.
type Work struct {
	Run *Run
	Log *slog.Logger
}

// Dir is the staging folder: write here, at the paths that the output folder
// shall have. It is empty at the start and published by rename.
func (w *Work) Dir() string { return "" }

// Input is the output folder of an earlier stage.
func (w *Work) Input(stage string) string { return "" }

// Journal is the stage's own part of the journal. It survives an interruption and
// is emptied when the stage has been published.
func (w *Work) Journal() *Journal { return nil }

// Summarize records a figure in the manifest and in StageResult.Summary.
func (w *Work) Summarize(key string, value any) {}

// Progress starts a progress line; total 0 when it is unknown.
func (w *Work) Progress(name string, total int64) Meter { return nil }

// Journal keeps finished units of work. One Put is one transaction.
type Journal struct{}

// Put records a unit; a key that is there already is an error.
func (j *Journal) Put(ctx context.Context, key string, payload []byte) error { return nil }

// Keys lists the recorded keys.
func (j *Journal) Keys(ctx context.Context) (map[string]bool, error) { return nil, nil }

// Each yields every unit in key order.
func (j *Journal) Each(ctx context.Context, yield func(key string, payload []byte) error) error {
	return nil
}

// Progress makes meters; cmd draws them.
type Progress interface {
	Start(name string, total int64) Meter
}

// Meter counts one stage's work.
type Meter interface {
	Add(n int64)
	Describe(text string) // short: "solved 12, failed 3"
	Done()
}
