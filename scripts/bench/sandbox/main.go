// Command sandbox measures sandboxed executions with pandas loaded against the
// same program run as `python file.py`, in one run on one machine, and prints the
// figures with the rival's.
//
//	go run ./scripts/bench/sandbox -n 500
//
// Both run the same program and return its result. The first part is pinned to
// one core, supervisor and program together; the second uses them all.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/namespace"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

const program = "import pandas as pd\nanswer = int(pd.DataFrame({'a': [1, 2, 3]}).a.sum())\n"

func main() {
	namespace.Init()
	n := flag.Int("n", 500, "sandboxed executions in each part")
	rivals := flag.Int("rivals", 20, "runs of python file.py")
	flag.Parse()
	if err := measure(context.Background(), *n, *rivals); err != nil {
		log.Fatal(err)
	}
}

func measure(ctx context.Context, n, rivals int) error {
	env, err := python.Find(ctx)
	if err != nil {
		return err
	}
	all, err := affinity()
	if err != nil {
		return err
	}
	if err := pin(first(all)); err != nil {
		return err
	}
	plain, err := timePlain(ctx, env, rivals)
	if err != nil {
		return err
	}
	one, err := timeSandbox(ctx, env, 1, n)
	if err != nil {
		return err
	}
	if err := pin(all); err != nil {
		return err
	}
	every, err := timeSandbox(ctx, env, all.Count(), n*all.Count())
	if err != nil {
		return err
	}
	fmt.Printf("%-34s %8s %9s %9s %9s\n", "", "per s", "p50 ms", "p99 ms", "runs")
	row := func(name string, f figures) {
		fmt.Printf("%-34s %8.1f %9.2f %9.2f %9d\n", name, f.perSecond, ms(f.p50), ms(f.p99), f.runs)
	}
	row("python file.py, one core", plain)
	row("sandbox, one core", one)
	row(fmt.Sprintf("sandbox, %d cores", all.Count()), every)
	fmt.Printf("sandbox against python file.py on one core: %.1f times as many executions a second\n", one.perSecond/plain.perSecond)
	return nil
}

type figures struct {
	perSecond float64
	p50, p99  time.Duration
	runs      int
}

func summarize(took []time.Duration, all time.Duration) figures {
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[int(q*float64(len(took)-1))] }
	return figures{perSecond: float64(len(took)) / all.Seconds(), p50: at(.5), p99: at(.99), runs: len(took)}
}

func timePlain(ctx context.Context, env python.Environment, n int) (_ figures, err error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return figures{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "file.py")
	if err := os.WriteFile(file, []byte(program+"print(answer)\n"), 0o644); err != nil {
		return figures{}, err
	}
	run := func() error {
		cmd := exec.CommandContext(ctx, env.Executable, file)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+env.Site(), "OPENBLAS_NUM_THREADS=1", "PYTHONDONTWRITEBYTECODE=1")
		out, err := cmd.Output()
		if err == nil && string(out) != "6\n" {
			err = fmt.Errorf("python file.py printed %q", out)
		}
		return err
	}
	return series(n, run)
}

// series times n runs one after the other, after one that warms the caches.
func series(n int, run func() error) (figures, error) {
	if err := run(); err != nil {
		return figures{}, err
	}
	took := make([]time.Duration, n)
	begin := time.Now()
	for i := range took {
		each := time.Now()
		if err := run(); err != nil {
			return figures{}, err
		}
		took[i] = time.Since(each)
	}
	return summarize(took, time.Since(begin)), nil
}

// timeSandbox keeps every cell busy with one session.
func timeSandbox(ctx context.Context, env python.Environment, cells, n int) (_ figures, err error) {
	box, err := namespace.New(ctx, namespace.Options{Environment: env, Cells: cells, Recycle: 1 << 30})
	if err != nil {
		return figures{}, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	var (
		mu     sync.Mutex
		took   []time.Duration
		faults []error
		group  sync.WaitGroup
	)
	begin := time.Now()
	for range cells {
		group.Go(func() {
			mine, err := busy(ctx, box, n/cells)
			mu.Lock()
			defer mu.Unlock()
			took, faults = append(took, mine...), append(faults, err)
		})
	}
	group.Wait()
	if err := errors.Join(faults...); err != nil {
		return figures{}, err
	}
	return summarize(took, time.Since(begin)), nil
}

func busy(ctx context.Context, box sandbox.Sandbox, n int) (_ []time.Duration, err error) {
	session, err := box.Open(ctx, sandbox.Spec{Name: "bench"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	took := make([]time.Duration, n)
	for i := range took {
		begin := time.Now()
		r, err := session.Run(ctx, sandbox.Command{Language: sandbox.Python, Code: program, Seed: uint64(i)})
		if err != nil {
			return nil, err
		}
		if string(r.Answer) != "6" {
			return nil, fmt.Errorf("answer %s, status %s: %s", r.Answer, r.Status, r.ErrorMessage)
		}
		took[i] = time.Since(begin)
	}
	return took, nil
}

// affinity is the set of cores that this process may use.
func affinity() (set unix.CPUSet, err error) {
	err = unix.SchedGetaffinity(0, &set)
	return set, err
}

func first(set unix.CPUSet) (one unix.CPUSet) {
	for i := range 1024 {
		if set.IsSet(i) {
			one.Set(i)
			return one
		}
	}
	return set
}

// pin binds every thread of this process, and with them what it starts.
func pin(set unix.CPUSet) error {
	runtime.GOMAXPROCS(set.Count())
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		var tid int
		if _, err := fmt.Sscan(t.Name(), &tid); err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(tid, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
