// Package runs makes run folders for proofs and benchmarks of rollouts, by the program
// that is to be proved, and holds their rows against each other.
package runs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

// Program is the one to run, with what is set in its environment beside this process's.
type Program struct {
	Path string
	Env  []string
}

// Command is a call of the program, without progress.
func (p Program) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Path, append([]string{"--quiet"}, args...)...)
	cmd.Env = append(os.Environ(), p.Env...)
	return cmd
}

// Run calls the program. What it says on its standard error is part of the error.
func (p Program) Run(ctx context.Context, args ...string) error {
	cmd := p.Command(ctx, args...)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, strings.TrimSpace(said.String()))
	}
	return nil
}

// Prepare makes a folder with run, prepared from a synthetic download of so many rows
// of each split of each source, and gives its path.
func (p Program) Prepare(ctx context.Context, dir string, rows int, sources ...string) (string, error) {
	raw, run := filepath.Join(dir, "raw"), filepath.Join(dir, "run")
	synth := []string{"synth", "--out", raw, "--rows", strconv.Itoa(rows)}
	for _, source := range sources {
		synth = append(synth, "--source", source)
	}
	if err := p.Run(ctx, synth...); err != nil {
		return "", err
	}
	return run, p.Run(ctx, "prepare", "--raw", raw, "--dir", run, "--no-validate")
}

// Copy copies a run folder to where nothing is.
func Copy(from, to string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}

// Tasks reads the tasks of a prepared run, in the order of their files.
func Tasks(ctx context.Context, run string) ([]schemas.Task, error) {
	var tasks []schemas.Task
	for task, err := range pq.ReadDir[schemas.Task](ctx, filepath.Join(run, "tasks")) {
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, task)
	}
	return tasks, nil
}

// Answers are those of the tasks, by their instructions. They serve as Python where
// they are numbers.
func Answers(tasks []schemas.Task) map[string]string {
	answers := map[string]string{}
	for _, task := range tasks {
		answers[task.Instruction] = task.Answer
	}
	return answers
}

// Rows reads the trajectories of a run by their ids, without the columns that time and
// place decide: run_id, created_at, wall_s and the steps' wall_ms. One that is there
// twice is an error.
func Rows(ctx context.Context, run string) (map[string]schemas.Trajectory, error) {
	rows := map[string]schemas.Trajectory{}
	for row, err := range pq.ReadDir[schemas.Trajectory](ctx, filepath.Join(run, "trajectories")) {
		if err != nil {
			return nil, err
		}
		if _, double := rows[row.TrajectoryID]; double {
			return nil, fmt.Errorf("%s: trajectory %s is there twice", run, row.TrajectoryID)
		}
		row.RunID, row.CreatedAt, row.WallS = "", nil, nil
		for i := range row.Steps {
			row.Steps[i].WallMS = nil
		}
		rows[row.TrajectoryID] = row
	}
	return rows, nil
}

// Differences are the ids of rows that two runs do not have alike.
type Differences struct {
	Lost      []string // of the first alone
	More      []string // of the second alone
	Different []string
}

// Compare holds rows against those wanted.
func Compare(want, got map[string]schemas.Trajectory) Differences {
	var d Differences
	for _, id := range slices.Sorted(maps.Keys(want)) {
		row, ok := got[id]
		switch {
		case !ok:
			d.Lost = append(d.Lost, id)
		case !reflect.DeepEqual(want[id], row):
			d.Different = append(d.Different, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[id]; !ok {
			d.More = append(d.More, id)
		}
	}
	return d
}

// Err is nil where there is no difference.
func (d Differences) Err() error {
	if len(d.Lost)+len(d.More)+len(d.Different) == 0 {
		return nil
	}
	var some []string
	for what, ids := range map[string][]string{"lost": d.Lost, "not wanted": d.More, "different": d.Different} {
		if len(ids) > 0 {
			some = append(some, fmt.Sprintf("%d %s (%s)", len(ids), what, ids[0]))
		}
	}
	slices.Sort(some)
	return errors.New("the row sets are not equal: " + strings.Join(some, ", "))
}

// Columns names the columns in which two rows differ.
func Columns(a, b schemas.Trajectory) []string {
	var names []string
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range va.NumField() {
		if !reflect.DeepEqual(va.Field(i).Interface(), vb.Field(i).Interface()) {
			name, _, _ := strings.Cut(va.Type().Field(i).Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}
