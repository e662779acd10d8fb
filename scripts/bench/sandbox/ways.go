package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/scripts/internal/lab"
)

// The names that goals speak of.
const (
	embedded      = "namespace, open session"
	embeddedFresh = "namespace, open + run + close"
	pool          = "docker pool, open session"
	dockerExec    = "docker exec, warm container"
	plainPython   = "python file.py"
	bareFork      = "fork + exit"
)

// ways are what is compared.
var ways = []way{
	{embedded, sessionsOf("namespace")},
	{embeddedFresh, freshSessionsOf("namespace")},
	{pool, sessionsOf("docker")},
	{dockerExec, startDockerExec},
	{"docker run", startDockerRun},
	{plainPython, startPython},
	{"bwrap + python", startBubblewrap},
	{bareFork, forksOf(false)},
	{"fork + program + exit", forksOf(true)},
}

// once runs a program in a session and checks what comes back.
func once(ctx context.Context, s sandbox.Session, p program) error {
	r, err := s.Run(ctx, sandbox.Command{Language: sandbox.Python, Code: p.code})
	if err != nil {
		return err
	}
	if r.Status != sandbox.StatusOK || string(r.Answer) != p.answer {
		return fmt.Errorf("status %s, answer %s, want %s: %s", r.Status, r.Answer, p.answer, r.ErrorMessage)
	}
	return nil
}

// openBox starts a backend with its defaults, recycling included.
func openBox(ctx context.Context, backend string, workers int) (sandbox.Sandbox, error) {
	box, err := lab.Open(ctx, backend, lab.Size{Cells: workers})
	if errors.Is(err, sandbox.ErrUnavailable) {
		return nil, fmt.Errorf("%w: %w", errMissing, err)
	}
	return box, err
}

// sessionsOf runs programs in sessions that stay open.
func sessionsOf(backend string) func(context.Context, *bench, int) (crew, error) {
	return func(ctx context.Context, _ *bench, workers int) (crew, error) {
		box, err := openBox(ctx, backend, workers)
		if err != nil {
			return crew{}, err
		}
		c := crew{end: box.Close}
		for range workers {
			session, err := box.Open(ctx, sandbox.Spec{Name: "bench"})
			if err != nil {
				return crew{}, errors.Join(err, box.Close())
			}
			c.workers = append(c.workers, repeatedly(func(ctx context.Context, p program) error { return once(ctx, session, p) }))
		}
		if err := bindContainers(ctx, backend); err != nil {
			return crew{}, errors.Join(err, box.Close())
		}
		return c, nil
	}
}

// freshSessionsOf opens a session for each program.
func freshSessionsOf(backend string) func(context.Context, *bench, int) (crew, error) {
	return func(ctx context.Context, _ *bench, workers int) (crew, error) {
		box, err := openBox(ctx, backend, workers)
		if err != nil {
			return crew{}, err
		}
		return same(workers, box.Close, func(ctx context.Context, p program) (err error) {
			session, err := box.Open(ctx, sandbox.Spec{Name: "bench"})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, session.Close()) }()
			return once(ctx, session, p)
		}), nil
	}
}

// same is a crew whose workers all do the same.
func same(workers int, end func() error, once func(context.Context, program) error) crew {
	c := crew{end: end}
	for range workers {
		c.workers = append(c.workers, repeatedly(once))
	}
	return c
}

// variables are those of the environment that count: no thread pools, the packages.
func variables(site string) []string {
	return []string{"PYTHONPATH=" + site, "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0", "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1"}
}

// printed runs a command that prints a program's answer.
func printed(ctx context.Context, p program, env []string, name string, args ...string) error {
	var problem strings.Builder
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stderr = env, &problem
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, problem.String())
	}
	if string(out) != p.answer+"\n" {
		return fmt.Errorf("%s: printed %q, want %s", name, out, p.answer)
	}
	return nil
}

func nothing() error { return nil }

func startPython(_ context.Context, b *bench, workers int) (crew, error) {
	return same(workers, nothing, func(ctx context.Context, p program) error {
		return printed(ctx, p, append(os.Environ(), variables(b.env.Site())...), b.env.Executable, filepath.Join(b.work, p.name+".py"))
	}), nil
}

// startBubblewrap has every namespace, no capability, and binds of what Python needs:
// what a cell has, but no limits, no filter of system calls, and no warm interpreter.
func startBubblewrap(_ context.Context, b *bench, workers int) (crew, error) {
	if _, err := exec.LookPath("bwrap"); err != nil {
		return crew{}, fmt.Errorf("%w: apt-get install bubblewrap", errMissing)
	}
	args := []string{"--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv",
		"--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
		"--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--ro-bind", b.env.Prefix, b.env.Prefix, "--ro-bind", b.env.Site(), "/opt/env",
		"--ro-bind", b.work, "/workdir", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/session", "--chdir", "/session"}
	for _, v := range variables("/opt/env") {
		name, value, _ := strings.Cut(v, "=")
		args = append(args, "--setenv", name, value)
	}
	return same(workers, nothing, func(ctx context.Context, p program) error {
		inner := append(args[:len(args):len(args)], "--", b.env.Executable, "/workdir/"+p.name+".py")
		return printed(ctx, p, os.Environ(), "bwrap", inner...)
	}), nil
}

//go:embed fork.py
var forkScript string

// forksOf is the least that a sandbox with a warm interpreter could cost: a process
// with the modules of a cell's forks, the child runs the program or nothing, and
// exits. It has no sandbox, and hands nothing over but its exit code.
func forksOf(running bool) func(context.Context, *bench, int) (crew, error) {
	return func(ctx context.Context, b *bench, workers int) (_ crew, err error) {
		modules, err := loadedModules(ctx)
		if err != nil {
			return crew{}, err
		}
		c := crew{}
		var ends []func() error
		c.end = func() error {
			var err error
			for _, end := range ends {
				err = errors.Join(err, end())
			}
			return err
		}
		for range workers {
			f, err := b.startForker(ctx, modules)
			if err != nil {
				return c, errors.Join(err, c.end())
			}
			ends = append(ends, f.end)
			c.workers = append(c.workers, func(_ context.Context, p program, during time.Duration) ([]time.Duration, error) {
				order := forkOrder{Seconds: during.Seconds(), Answer: p.answer}
				if running {
					order.Code = p.code
				}
				return f.run(order)
			})
		}
		return c, nil
	}
}

// loadedModules asks a cell what the process has loaded that a program with pandas is
// forked from.
func loadedModules(ctx context.Context) (_ []string, err error) {
	box, err := openBox(ctx, "namespace", 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	session, err := box.Open(ctx, sandbox.Spec{Name: "modules"})
	if err != nil {
		return nil, err
	}
	r, err := session.Run(ctx, sandbox.Command{Language: sandbox.Python, Code: "import pandas, sys\nanswer = sorted(sys.modules)"})
	if err != nil {
		return nil, err
	}
	var names []string
	if err := json.Unmarshal(r.Answer, &names); err != nil {
		return nil, fmt.Errorf("modules of a cell: %w", err)
	}
	return names, nil
}

// forker is a process that forks when it is told.
type forker struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	lines *bufio.Reader
}

// forkOrder is one slice; without code the child exits at once.
type forkOrder struct {
	Seconds float64 `json:"seconds"`
	Code    string  `json:"code"`
	Answer  string  `json:"answer"`
}

func (b *bench) startForker(ctx context.Context, modules []string) (*forker, error) {
	text, err := json.Marshal(modules)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, b.env.Executable, "-s", "-S", "-c", forkScript, string(text))
	cmd.Env, cmd.Stderr = append(os.Environ(), variables(b.env.Site())...), os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &forker{cmd, input, bufio.NewReader(output)}, cmd.Start()
}

func (f *forker) run(order forkOrder) ([]time.Duration, error) {
	if err := json.NewEncoder(f.input).Encode(order); err != nil {
		return nil, err
	}
	line, err := f.lines.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	var took []time.Duration // nanoseconds
	return took, json.Unmarshal(line, &took)
}

func (f *forker) end() error { return errors.Join(f.input.Close(), f.cmd.Wait()) }
