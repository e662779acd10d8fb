package pipeline

import "log/slog"

// Work is what a stage's function is given.
type Work struct {
	Run *Run
	Log *slog.Logger

	stage   Stage
	dir     string
	journal *Journal
	summary map[string]any
}

// Dir is the staging folder: write here, at the paths that the output folder
// shall have. It is empty at the start and published by rename.
func (w *Work) Dir() string { return w.dir }

// Input is the output folder of an earlier stage, which the stage must have named
// in Inputs: otherwise its key would not follow from what it reads.
func (w *Work) Input(output string) string { return w.Run.Path(output) }

// Journal is the stage's own part of the journal. It survives an interruption and
// is emptied when the stage has been published.
func (w *Work) Journal() *Journal { return w.journal }

// Summarize records a figure in the manifest and in StageResult.Summary.
func (w *Work) Summarize(key string, value any) { w.summary[key] = value }

// Progress starts a progress line; total 0 when it is unknown.
func (w *Work) Progress(name string, total int64) Meter {
	return w.Run.opts.Progress.Start(name, total)
}

// Progress makes meters; cmd draws them.
type Progress interface {
	Start(name string, total int64) Meter
}

// Meter counts one stage's work. It is safe for concurrent use.
type Meter interface {
	Add(n int64)
	Describe(text string) // short: "solved 12, failed 3"
	Done()
}

type noProgress struct{}

func (noProgress) Start(string, int64) Meter { return noMeter{} }

type noMeter struct{}

func (noMeter) Add(int64)       {}
func (noMeter) Describe(string) {}
func (noMeter) Done()           {}
