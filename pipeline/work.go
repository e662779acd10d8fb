package pipeline

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path"
	"path/filepath"
	"slices"
	"sync"
)

// Work is what a stage's function is given.
type Work struct {
	Run *Run
	Log *slog.Logger

	stage   Stage
	dir     string
	former  string
	journal *Journal
	mu      sync.Mutex
	summary map[string]json.RawMessage
}

// Dir is the staging folder: write here, at the paths that the output folder
// shall have. It is empty at the start and published by rename.
func (w *Work) Dir() string { return w.dir }

// Former is the folder of the stage's published output where it is to be added to:
// the part of the config that Stage.Grows names has changed since, or Stage.Again
// has asked for it. It is as the stage wrote it, or as a later stage that shares the
// folder has rewritten it. Empty where the stage starts from nothing.
func (w *Work) Former() string { return w.former }

// Input is the output folder of an earlier stage, which must be one of
// Stage.Inputs.
func (w *Work) Input(stage string) string {
	if !slices.Contains(w.stage.Inputs, stage) {
		// A path that cannot exist names the mistake in the error of whoever opens it.
		return w.Run.Path(stagingName, path.Join("not-an-input-of-"+w.stage.Name, stage))
	}
	return w.Run.Path(filepath.FromSlash(w.Run.manifest.Stages[stage].Done.Output))
}

// InputSummary reads into v a figure that an earlier stage summarized. It is not
// part of what makes outputs stand or fall: use it for what does not change them.
func (w *Work) InputSummary(stage, key string, v any) error {
	if !slices.Contains(w.stage.Inputs, stage) {
		return fmt.Errorf("stage %s is not an input of stage %s", stage, w.stage.Name)
	}
	text, ok := w.Run.manifest.Stages[stage].Done.Summary[key]
	if !ok {
		return fmt.Errorf("stage %s has no summary %q: run it again", stage, key)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("summary %q of stage %s: %w", key, stage, err)
	}
	return nil
}

// Restrict says that the run holds rows that other users of the machine must not
// see. It holds from this stage's publication on, for every stage, and is never
// taken back.
func (w *Work) Restrict() { w.Run.manifest.Restricted = true }

// Journal is the stage's own part of the journal. It survives an interruption and
// is emptied when the stage has been published.
func (w *Work) Journal() *Journal { return w.journal }

// Summarize records a figure in the manifest and in StageResult.Summary. A value
// that JSON cannot hold is recorded as its error.
func (w *Work) Summarize(key string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		text, _ = json.Marshal("error: " + err.Error())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.summary[key] = text
}

// Progress starts a progress line; total 0 when it is unknown.
func (w *Work) Progress(name string, total int64) Meter {
	if w.Run.opts.Progress == nil {
		return noMeter{}
	}
	return w.Run.opts.Progress.Start(name, total)
}
