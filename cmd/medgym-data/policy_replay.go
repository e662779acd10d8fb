package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/stages/rollout"
	"github.com/medgym-data/medgym-data/stages/rollout/replay"
)

// replayFlags are those of rollout's policy replay.
func replayFlags() []cli.Flag {
	return []cli.Flag{
		&cli.PathFlag{Name: "recordings", Usage: "replay: a run folder, Parquet files of trajectories, history_*.json of the public release, or ATIF; a file or a folder"},
	}
}

// replayPolicy opens the recordings that the flags name, and has rollout play all of
// them where the flags do not say otherwise.
func replayPolicy(c *cli.Context, registry datasets.Registry, opts *rollout.Options) error {
	if c.Path("recordings") == "" {
		return errors.New("--policy replay needs --recordings")
	}
	recordings, err := openRecordings(c, registry, c.Path("recordings"), replay.FormatAuto, true)
	if err != nil {
		return err
	}
	playAll(c, recordings, opts)
	return nil
}

// openRecordings matches recordings with the tasks of the run folder. Where they are to
// be played their replies are kept in it until the program ends.
func openRecordings(c *cli.Context, registry datasets.Registry, path, format string, play bool) (*replay.Recordings, error) {
	if err := requireRun(c); err != nil {
		return nil, err
	}
	log, err := logger(c)
	if err != nil {
		return nil, err
	}
	dir := c.Path("dir")
	opts := replay.Options{
		Path: path, Format: format, Tasks: filepath.Join(dir, "tasks"), Registry: registry,
		Sources: c.StringSlice("source"), Splits: c.StringSlice("split"), Model: c.String("model"), Log: log,
	}
	if play {
		opts.Spool = dir
		if within(path, filepath.Join(dir, "trajectories")) || within(path, dir) && within(dir, path) {
			return nil, pipeline.BadInput(path, 0, "holds the trajectories of this run folder itself, which their replay would replace", "name another run folder with --dir")
		}
	}
	return replay.Open(c.Context, opts)
}

// within says whether a path is a folder or lies below it.
func within(path, folder string) bool {
	real := func(p string) string {
		if resolved, err := filepath.EvalSymlinks(p); err == nil {
			p = resolved
		}
		if abs, err := filepath.Abs(p); err == nil {
			p = abs
		}
		return p
	}
	rel, err := filepath.Rel(real(folder), real(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// playAll makes recordings the policy: every one of them is played, and tasks of other
// sources are left alone.
func playAll(c *cli.Context, recordings *replay.Recordings, opts *rollout.Options) {
	opts.Policies = recordings
	if !c.IsSet("attempts") {
		opts.K = recordings.Most()
	}
	if len(opts.Sources) == 0 {
		opts.Sources = recordings.Sources()
	}
}

// printReplayed tells, of a run of the policy replay, how the verdicts now agree with
// the recorded ones. Of other policies there is nothing to tell.
func printReplayed(c *cli.Context, policies rollout.Policies) error {
	recordings, ok := policies.(*replay.Recordings)
	if !ok || c.Bool("json") {
		return nil
	}
	verdicts, err := recordings.Compare(c.Context, filepath.Join(c.Path("dir"), "trajectories"))
	if err != nil {
		return err
	}
	printRecordings(c.App.Writer, recordings.Account())
	printVerdicts(c.App.Writer, verdicts)
	return nil
}

// printRecordings tells what became of what was read.
func printRecordings(out io.Writer, a replay.Account) {
	t := newTable(out, "source", "tier", "tasks", "recordings", "most of a task")
	for _, id := range slices.Sorted(maps.Keys(a.Sources)) {
		s := a.Sources[id]
		t.AppendRow(table.Row{id, s.Tier, s.Tasks, s.Recordings, s.Most})
	}
	t.Render()
	fmt.Fprintf(out, "recordings: %d read%s; %d matched%s; %d refused%s\n", replay.Total(a.Read), listed(a.Read),
		replay.Total(a.Matched), listed(a.Matched), replay.Total(a.Refused), listed(a.Refused))
	if len(a.Notes) > 0 {
		fmt.Fprintf(out, "of those matched%s\n", listed(a.Notes))
	}
	if len(a.Skipped) > 0 {
		fmt.Fprintf(out, "files passed over: %d%s\n", replay.Total(a.Skipped), listed(a.Skipped))
	}
	for _, f := range a.Faults {
		fmt.Fprintf(out, "refused: %s\n", pipeline.BadInput(f.File, f.Line, f.What, ""))
	}
}

func printVerdicts(out io.Writer, by map[string]replay.Comparison) {
	t := newTable(out, "source", "replayed", "strict: compared", "differ", "higher now", "lower now", "upstream: compared", "differ", "higher now", "lower now", "no verdict now")
	line := func(name string, v replay.Comparison) table.Row {
		return table.Row{name, v.Rows, v.Strict.Compared, v.Strict.Differ(), v.Strict.Higher, v.Strict.Lower,
			v.Upstream.Compared, v.Upstream.Differ(), v.Upstream.Higher, v.Upstream.Lower, v.Strict.None}
	}
	var all replay.Comparison
	for _, id := range slices.Sorted(maps.Keys(by)) {
		t.AppendRow(line(id, by[id]))
		all.Merge(by[id])
	}
	t.AppendFooter(line("all", all))
	t.Render()
	fmt.Fprintf(out, "labels that differ from the recorded ones: strict %d of %d, upstream %d of %d\n",
		all.Strict.Differ(), all.Strict.Compared, all.Upstream.Differ(), all.Upstream.Compared)
}
