package export

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/internal/selection"
)

// trajectoriesFolder is where rollout and grade write.
const trajectoriesFolder = "trajectories"

// input is where the rows lie that an export reads.
type input struct {
	tasks string                // folder of the tasks
	tiers map[string][]location // by tier; sources in order of their names, train before test

	dropped map[string]bool // tasks that screening has marked
}

// location is one split of one source.
type location struct {
	tier, source, split string
	files               []string
}

var shardName = regexp.MustCompile(`^(train|test)-[0-9]{5}-of-[0-9]{5}\.parquet$`)

// inputOf is what a stage of exports reads.
func inputOf(ctx context.Context, w *pipeline.Work, opts Options) (input, error) {
	in, err := scan(w.Input(opts.Trajectories), w.Input(opts.Tasks), opts)
	if err != nil || !opts.Screened {
		return in, err
	}
	in.dropped, err = selection.Dropped(ctx, w.Input(selection.Screening))
	return in, err
}

// scan lists the trajectory files of the sources and splits that are asked for.
func scan(trajectories, tasks string, opts Options) (input, error) {
	in := input{tasks: tasks, tiers: map[string][]location{}}
	found, any := map[string]bool{}, false
	for _, tier := range schemas.Tiers {
		sources, err := os.ReadDir(filepath.Join(trajectories, tier))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return in, fmt.Errorf("list trajectories: %w", err)
		}
		for _, source := range sources {
			if !source.IsDir() {
				continue
			}
			files, err := pq.Files(filepath.Join(trajectories, tier, source.Name()))
			if err != nil {
				return in, err
			}
			any = any || len(files) > 0
			found[source.Name()] = found[source.Name()] || len(files) > 0
			if len(opts.Sources) > 0 && !slices.Contains(opts.Sources, source.Name()) {
				continue
			}
			bySplit := map[string][]string{}
			for _, path := range files {
				m := shardName.FindStringSubmatch(filepath.Base(path))
				if m == nil {
					return in, pipeline.BadInput(path, 0, "is not named as a shard of trajectories, <split>-00000-of-00001.parquet", "move it out of the run folder")
				}
				bySplit[m[1]] = append(bySplit[m[1]], path)
			}
			for _, split := range opts.Splits {
				if len(bySplit[split]) > 0 {
					in.tiers[tier] = append(in.tiers[tier], location{tier, source.Name(), split, bySplit[split]})
				}
			}
		}
	}
	if !any {
		return in, noTrajectories(trajectories)
	}
	for _, source := range opts.Sources {
		if !found[source] {
			return in, pipeline.BadInput(trajectories, 0, "holds no trajectories of source "+source, "run medgym-data rollout for it first")
		}
	}
	return in, nil
}

// taskInfo is what an export needs of a task.
type taskInfo struct {
	status, license, content, instruction string

	selected bool // by subset and fraction
	dropped  bool // by screening
}

// readTasks reads the tasks of one source. Instructions are kept only where they
// are needed: they are most of a task.
func readTasks(ctx context.Context, in input, at location, part selection.Selection, instructions bool) (map[string]taskInfo, error) {
	path := filepath.Join(in.tasks, at.tier, at.source)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, pipeline.BadInput(path, 0, "is missing, and there are trajectories of these tasks", "run medgym-data prepare and rollout again")
	}
	tasks := map[string]taskInfo{}
	for t, err := range pq.ReadDir[schemas.Task](ctx, path) {
		if err != nil {
			return nil, err
		}
		info := taskInfo{status: t.Status, license: t.License, content: t.ContentSHA256,
			selected: part.Holds(t.Subset, t.TrainFraction, t.Split), dropped: in.dropped[t.TaskID]}
		if instructions {
			info.instruction = t.Instruction
		}
		tasks[t.TaskID] = info
	}
	return tasks, nil
}

// group is a task with all its attempts.
type group struct {
	task     taskInfo
	attempts []schemas.Trajectory
}

// groups yields the attempts of one split of one source by task, and refuses rows
// that lie in the wrong file, out of order, or outside the contract.
func groups(ctx context.Context, at location, tasks map[string]taskInfo) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		var g group
		var last *schemas.Trajectory
		for _, path := range at.files {
			row := 0
			for t, err := range pq.ReadFile[schemas.Trajectory](ctx, path) {
				row++
				if err == nil {
					err = checkRow(at, t, last, path, row)
				}
				if err != nil {
					yield(group{}, err)
					return
				}
				if last != nil && last.TaskID != t.TaskID {
					if !yield(g, nil) {
						return
					}
					g = group{}
				}
				if g.attempts == nil {
					task, ok := tasks[t.TaskID]
					if !ok {
						yield(group{}, pipeline.BadInput(path, 0, fmt.Sprintf("row %d, trajectory %s, belongs to task %s, which is not in the tasks of this run", row, t.TrajectoryID, t.TaskID),
							"run medgym-data rollout again"))
						return
					}
					g.task = task
				}
				g.attempts = append(g.attempts, t)
				last = &g.attempts[len(g.attempts)-1]
			}
		}
		if len(g.attempts) > 0 {
			yield(g, nil)
		}
	}
}

func checkRow(at location, t schemas.Trajectory, last *schemas.Trajectory, path string, row int) error {
	fault := func(what string) error {
		return pipeline.BadInput(path, 0, fmt.Sprintf("row %d, trajectory %s, %s", row, t.TrajectoryID, what), "run medgym-data rollout again with --force")
	}
	if t.AccessTier != at.tier || t.Source != at.source || t.Split != at.split {
		return fault(fmt.Sprintf("is of %s/%s/%s: rows never leave the folder of their tier, source and split", t.AccessTier, t.Source, t.Split))
	}
	if last != nil {
		later := t.TaskID > last.TaskID || t.TaskID == last.TaskID && schemas.Value(t.Attempt) >= schemas.Value(last.Attempt)
		if !later || t.TrajectoryID == last.TrajectoryID {
			return fault("is out of order: rows go by task_id, then attempt, each once")
		}
	}
	if err := t.Validate(); err != nil {
		return fault("is outside the contract: " + err.Error())
	}
	return nil
}
