// Package python makes the interpreter environment that sandboxes run: the
// packages of a pinned lock file for one CPython 3.11, and the sources of the warm
// interpreter (zygote.py) that serves them.
//
// An environment is a folder below the cache folder,
//
//	env-<digest>/site/             the packages
//	env-<digest>/environment.json  written last
//
// whose digest covers the lock file and the interpreter. It is never changed once
// it is complete, so any number of processes may use it.
package python

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The sources that a sandbox places beside the interpreter.
var (
	//go:embed requirements.lock
	lock []byte
	//go:embed zygote.py
	Zygote []byte
	//go:embed plain.py
	Plain []byte
	//go:embed container.py
	Container []byte // what is process 1 of a container
)

// The environment variables that choose another interpreter and another place.
const (
	InterpreterVariable = "MEDGYM_PYTHON"
	FolderVariable      = "MEDGYM_ENV"
)

// ErrNotInstalled says that the environment has not been made yet.
var ErrNotInstalled = errors.New("the Python environment is not installed: run medgym-data doctor --install")

// ErrNoInterpreter says that there is no CPython 3.11 here.
var ErrNoInterpreter = errors.New("no CPython 3.11 found: install python3.11, or name one in " + InterpreterVariable)

const marker = "environment.json"

// Environment is an installed environment.
type Environment struct {
	Interpreter
	Dir  string `json:"-"`    // env-<digest>
	Lock string `json:"lock"` // SHA-256 of the lock file
}

// Site is the folder of the packages.
func (e Environment) Site() string { return filepath.Join(e.Dir, "site") }

// Digest identifies what a program can see of the environment: the packages, the
// interpreter and the sources that serve it.
func (e Environment) Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", e.Lock, e.Version)
	h.Write(Zygote)
	h.Write(Plain)
	return hex.EncodeToString(h.Sum(nil))
}

// Lock is the SHA-256 of the lock file: it names the packages.
func Lock() string {
	sum := sha256.Sum256(lock)
	return hex.EncodeToString(sum[:])
}

// Interpreter is a CPython on this machine.
type Interpreter struct {
	Executable string `json:"executable"` // the real binary, behind shims and links
	Prefix     string `json:"prefix"`     // of its installation
	Stdlib     string `json:"stdlib"`
	Version    string `json:"version"` // 3.11.7
	Pip        bool   `json:"pip"`     // whether it can install
}

const describe = `
import importlib.util, json, os, platform, sys, sysconfig
exe = getattr(sys, "_base_executable", sys.executable)
print(json.dumps({"executable": os.path.realpath(exe), "prefix": sys.base_prefix,
    "implementation": platform.python_implementation(),
    "stdlib": sysconfig.get_path("stdlib"), "version": platform.python_version(),
    "pip": importlib.util.find_spec("pip") is not None}))
`

// FindInterpreter finds a CPython 3.11, one that has pip where there are several.
func FindInterpreter(ctx context.Context) (Interpreter, error) {
	candidates := []string{"python3.11", "python3", "/usr/bin/python3.11", "/usr/local/bin/python3.11"}
	named := os.Getenv(InterpreterVariable)
	if named != "" {
		candidates = []string{named}
	}
	var best Interpreter
	for _, name := range candidates {
		found, err := ask(ctx, name)
		switch {
		case ctx.Err() != nil:
			return best, ctx.Err()
		case err != nil && named != "":
			return best, fmt.Errorf("%s=%s is not a working CPython 3.11: %w", InterpreterVariable, named, err)
		case err != nil:
			continue
		}
		if found.Pip {
			return found, nil
		}
		if best.Executable == "" {
			best = found
		}
	}
	if best.Executable == "" {
		return best, ErrNoInterpreter
	}
	return best, nil
}

// ask has an interpreter describe itself.
func ask(ctx context.Context, name string) (Interpreter, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, "-I", "-c", describe)
	cmd.WaitDelay = time.Second // a shim's child may hold its output open
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return Interpreter{}, context.Cause(ctx)
	}
	var said struct {
		Interpreter
		Implementation string `json:"implementation"`
	}
	switch {
	case err != nil:
		return Interpreter{}, err
	case json.Unmarshal(out, &said) != nil:
		return Interpreter{}, errors.New("it does not run Python")
	case said.Implementation != "CPython" || !strings.HasPrefix(said.Version, "3.11."):
		return Interpreter{}, fmt.Errorf("it is %s %s", said.Implementation, said.Version)
	}
	return said.Interpreter, nil
}

// Cache is the folder that holds environments.
func Cache() (string, error) {
	if dir := os.Getenv(FolderVariable); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache folder: %w: name one in %s", err, FolderVariable)
	}
	return filepath.Join(dir, "medgym-data"), nil
}

// Find opens the environment that this program needs. ErrNotInstalled and
// ErrNoInterpreter say what is missing.
func Find(ctx context.Context) (Environment, error) {
	env, err := locate(ctx)
	if err != nil {
		return Environment{}, err
	}
	if _, err := os.Stat(filepath.Join(env.Dir, marker)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return Environment{}, ErrNotInstalled
		}
		return Environment{}, fmt.Errorf("find the Python environment: %w", err)
	}
	return env, nil
}

// locate says where the environment is or would be.
func locate(ctx context.Context) (Environment, error) {
	interpreter, err := FindInterpreter(ctx)
	if err != nil {
		return Environment{}, err
	}
	cache, err := Cache()
	if err != nil {
		return Environment{}, err
	}
	env := Environment{Interpreter: interpreter, Lock: Lock()}
	key := sha256.Sum256([]byte(env.Lock + interpreter.Version + interpreter.Prefix))
	env.Dir = filepath.Join(cache, "env-"+hex.EncodeToString(key[:6]))
	return env, nil
}

// Install makes the environment where it is not there yet. What pip says goes to
// log. Several processes may call it: one works, the others wait.
func Install(ctx context.Context, log io.Writer) (Environment, error) {
	env, err := locate(ctx)
	if err != nil {
		return env, err
	}
	cache := filepath.Dir(env.Dir)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return env, fmt.Errorf("install the Python environment: %w", err)
	}
	unlock, err := acquire(ctx, filepath.Join(cache, "install.lock"))
	if err != nil {
		return env, fmt.Errorf("install the Python environment: %w", err)
	}
	defer unlock()
	if _, err := os.Stat(filepath.Join(env.Dir, marker)); err == nil {
		return env, nil
	}
	if !env.Pip {
		return env, fmt.Errorf("install the Python environment: %s has no pip: install python3-pip, or name another in %s",
			env.Executable, InterpreterVariable)
	}
	if err := build(ctx, env, log); err != nil {
		return env, fmt.Errorf("install the Python environment: %w", err)
	}
	return env, nil
}

// build fills a folder beside and renames it when all is there.
func build(ctx context.Context, env Environment, log io.Writer) (err error) {
	cache := filepath.Dir(env.Dir)
	// What lies there is of installs that were killed: the lock is ours.
	if strays, err := filepath.Glob(filepath.Join(cache, ".install-*")); err == nil {
		for _, stray := range strays {
			if err := os.RemoveAll(stray); err != nil {
				return err
			}
		}
	}
	work, err := os.MkdirTemp(cache, ".install-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	requirements := filepath.Join(work, "requirements.lock")
	if err := os.WriteFile(requirements, lock, 0o644); err != nil {
		return err
	}
	site := filepath.Join(work, "site")
	steps := [][]string{
		{"-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-compile", "--no-deps", "--require-hashes",
			"--root-user-action=ignore", "--target", site, "--requirement", requirements},
		{"-m", "compileall", "-q", "-j", "0", "-s", site, "-p", "/opt/env", "--invalidation-mode", "unchecked-hash", site},
	}
	for i, args := range steps {
		cmd := exec.CommandContext(ctx, env.Executable, append([]string{"-I"}, args...)...)
		tail := &tail{}
		both := io.MultiWriter(log, tail) // one writer, so that one goroutine writes
		cmd.Stdout, cmd.Stderr = both, both
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 10 * time.Second
		err := cmd.Run()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// compileall frowns at files that are templates, not modules; imports decide.
		if err != nil && i == 0 {
			return fmt.Errorf("pip install: %w: %s", err, tail.line())
		}
	}
	if _, err := os.Stat(site); err != nil {
		return fmt.Errorf("pip install: it made nothing: %w", err)
	}
	if err := commands(site); err != nil {
		return err
	}
	text, err := json.MarshalIndent(env, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(work, marker), append(text, '\n'), 0o644)
	}
	if err == nil {
		err = os.Chmod(work, 0o755)
	}
	if err != nil {
		return err
	}
	// Only an incomplete folder can lie there: the marker was looked for.
	if err := os.RemoveAll(env.Dir); err != nil {
		return err
	}
	return os.Rename(work, env.Dir)
}

// commands leaves one command of those that packages bring, pip: the others name this
// machine's interpreter, which no program of the sandbox can start or shall know of.
func commands(site string) error {
	bin := filepath.Join(site, "bin")
	if err := os.RemoveAll(bin); err != nil {
		return err
	}
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"pip", "pip3"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nexec python -m pip \"$@\"\n"), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// Pins are the packages of the environment with their versions, as pip reads
// constraints: numpy==1.26.4, one a line.
func Pins() string {
	var out strings.Builder
	for line := range strings.Lines(string(lock)) {
		if pin, _, ok := strings.Cut(line, " --hash="); ok && !strings.HasPrefix(line, "#") {
			out.WriteString(pin + "\n")
		}
	}
	return out.String()
}

// acquire takes a file lock, waiting for whoever holds it.
func acquire(ctx context.Context, path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing unlocks
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(err, f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// tail keeps the last line that says something, for an error of one line.
type tail struct{ last, open []byte } // open has not ended yet

// maxLine bounds a line that is kept.
const maxLine = 500

func (t *tail) Write(p []byte) (int, error) {
	for i, part := range bytes.Split(p, []byte("\n")) {
		if i > 0 {
			t.end()
		}
		t.open = append(t.open, part[:min(len(part), maxLine-len(t.open))]...)
	}
	return len(p), nil
}

func (t *tail) end() {
	if line := bytes.TrimSpace(t.open); len(line) > 0 {
		t.last = slices.Clone(line)
	}
	t.open = t.open[:0]
}

func (t *tail) line() string {
	t.end()
	if len(t.last) == 0 {
		return "it says nothing"
	}
	return strings.ToValidUTF8(string(t.last), "\uFFFD")
}
