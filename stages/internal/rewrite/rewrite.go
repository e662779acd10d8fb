// Package rewrite is what stages share that read the trajectories of a run and write
// them again with something changed: the groups of files that belong together, and
// their rows in their order, several at a time.
package rewrite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

// Group is the shards of one source and split.
type Group struct {
	Folder string // <tier>/<source>, below that of the trajectories
	Tier   schemas.Tier
	Source string
	Split  string
	files  []string
}

// Groups lists what lies below a folder of trajectories, in the order of the files.
func Groups(dir string) ([]Group, error) {
	files, err := pq.Files(dir)
	if err != nil {
		return nil, err
	}
	var groups []Group
	for _, file := range files {
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return nil, err
		}
		folder, name := filepath.Split(rel)
		folder = filepath.ToSlash(filepath.Clean(folder))
		split, _, _ := strings.Cut(name, "-")
		i := slices.IndexFunc(groups, func(g Group) bool { return g.Folder == folder && g.Split == split })
		if i < 0 {
			tier, source, _ := strings.Cut(folder, "/")
			groups = append(groups, Group{Folder: folder, Tier: tier, Source: source, Split: split})
			i = len(groups) - 1
		}
		groups[i].files = append(groups[i].files, file)
	}
	return groups, nil
}

// Private says whether the rows are closed to other users of the machine.
func (g Group) Private() bool { return g.Tier != schemas.TierOpen }

// Path is the group's folder below dir.
func (g Group) Path(dir string) string { return filepath.Join(dir, filepath.FromSlash(g.Folder)) }

// Rows yields the group's trajectories.
func (g Group) Rows(ctx context.Context) iter.Seq2[schemas.Trajectory, error] {
	return func(yield func(schemas.Trajectory, error) bool) {
		for _, file := range g.files {
			for row, err := range pq.ReadFile[schemas.Trajectory](ctx, file) {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

// Columns yields the group's trajectories with the columns of T alone.
func Columns[T any](ctx context.Context, g Group) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, file := range g.files {
			for row, err := range pq.ReadColumns[T](ctx, file) {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

// Tasks reads the group's tasks from the folder of all tasks: they come in the order
// of the raw rows, trajectories in that of ids.
func (g Group) Tasks(ctx context.Context, dir string) (map[string]schemas.Task, error) {
	tasks := map[string]schemas.Task{}
	for task, err := range pq.ReadDir[schemas.Task](ctx, g.Path(dir)) {
		if err != nil {
			return nil, err
		}
		if task.Split == g.Split {
			tasks[task.TaskID] = task
		}
	}
	return tasks, nil
}

// Write writes the group's rows anew below dir, in shards.
func (g Group) Write(ctx context.Context, dir string, rows iter.Seq2[schemas.Trajectory, error]) error {
	_, err := pq.WriteShards(ctx, g.Path(dir), g.Split, rows, pq.Options{Private: g.Private()})
	return err
}

// Carry copies what lies beside the trajectories below a folder and is none, as the
// list of flips that grading leaves, to the same place below another. Modes are kept.
func Carry(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, ".parquet") || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if err := copyFile(path, filepath.Join(to, rel)); err != nil {
			return fmt.Errorf("carry %s over: %w", rel, err)
		}
		return nil
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	// The folder is there: its trajectories were written first.
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
