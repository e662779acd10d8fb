// Command kill proves that a rollout survives SIGKILL: it runs one undisturbed and
// one that is killed at random moments and resumed, from copies of the same
// prepared run folder, and compares the rows.
//
//	go run ./scripts/kill --binary bin/medgym-data --run medgym-run --kills 5
//
// The run folder has to be prepared and without trajectories. Compared is every
// column but those that time and place decide: run_id, created_at, wall_s and the
// steps' wall_ms.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"syscall"
	"time"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

type options struct {
	binary, run     string
	kills, attempts int
	maxTasks        int
	seed            uint64
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/medgym-data", "program")
	flag.StringVar(&o.run, "run", "medgym-run", "prepared run folder")
	flag.IntVar(&o.kills, "kills", 5, "times to kill")
	flag.IntVar(&o.attempts, "k", 4, "attempts at each task")
	flag.IntVar(&o.maxTasks, "max-tasks", 0, "at most so many tasks of each source; 0: all")
	flag.Uint64Var(&o.seed, "seed", 1, "of the rollout and of the moments")
	flag.Parse()
	if err := o.prove(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func (o options) prove(ctx context.Context) (err error) {
	work, err := os.MkdirTemp("", "kill-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	calm, rough := filepath.Join(work, "calm"), filepath.Join(work, "rough")
	for _, dir := range []string{calm, rough} {
		if err := os.CopyFS(dir, os.DirFS(o.run)); err != nil {
			return fmt.Errorf("copy %s: %w", o.run, err)
		}
	}

	begin := time.Now()
	if err := o.rollout(ctx, calm).Run(); err != nil {
		return fmt.Errorf("undisturbed rollout: %w", err)
	}
	took := time.Since(begin)
	fmt.Printf("undisturbed: %.1f s\n", took.Seconds())
	if err := o.disturbed(ctx, rough, took); err != nil {
		return err
	}
	return compare(ctx, calm, rough)
}

func (o options) rollout(ctx context.Context, dir string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, o.binary, "--quiet", "rollout", "--policy", "reference", "--dir", dir,
		"-k", strconv.Itoa(o.attempts), "--seed", strconv.FormatUint(o.seed, 10), "--max-tasks", strconv.Itoa(o.maxTasks), "--json")
	cmd.Stderr = os.Stderr
	return cmd
}

// disturbed kills the rollout so many times, each within its share of the time
// that the whole takes, then lets it end.
func (o options) disturbed(ctx context.Context, dir string, took time.Duration) error {
	rng := rand.New(rand.NewPCG(o.seed, 0))
	share := took / time.Duration(o.kills+1)
	for i := range o.kills {
		cmd := o.rollout(ctx, dir)
		if err := cmd.Start(); err != nil {
			return err
		}
		moment := share/4 + time.Duration(rng.Int64N(int64(share)))
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case err := <-done:
			return fmt.Errorf("the rollout ended before kill %d: give it more attempts (%w)", i+1, errors.Join(err))
		case <-time.After(moment):
		}
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			return err
		}
		<-done
		fmt.Printf("killed after %.1f s\n", moment.Seconds())
	}
	begin := time.Now()
	if err := o.rollout(ctx, dir).Run(); err != nil {
		return fmt.Errorf("resumed rollout: %w", err)
	}
	fmt.Printf("resumed and ended: %.1f s\n", time.Since(begin).Seconds())
	return nil
}

// compare holds the rows of two runs against each other, by id.
func compare(ctx context.Context, calm, rough string) error {
	want, err := rows(ctx, calm)
	if err != nil {
		return err
	}
	got, err := rows(ctx, rough)
	if err != nil {
		return err
	}
	different := 0
	for id, row := range want {
		if !reflect.DeepEqual(row, got[id]) {
			different++
		}
	}
	fmt.Printf("%d rows undisturbed, %d killed and resumed, %d different\n", len(want), len(got), different)
	if len(want) == 0 || len(want) != len(got) || different > 0 {
		return errors.New("the row sets are not equal")
	}
	return nil
}

func rows(ctx context.Context, dir string) (map[string]schemas.Trajectory, error) {
	out := map[string]schemas.Trajectory{}
	for row, err := range pq.ReadDir[schemas.Trajectory](ctx, filepath.Join(dir, "trajectories")) {
		if err != nil {
			return nil, err
		}
		if _, double := out[row.TrajectoryID]; double {
			return nil, fmt.Errorf("%s: trajectory %s is there twice", dir, row.TrajectoryID)
		}
		row.RunID, row.CreatedAt, row.WallS = "", nil, nil
		for i := range row.Steps {
			row.Steps[i].WallMS = nil
		}
		out[row.TrajectoryID] = row
	}
	return out, nil
}
