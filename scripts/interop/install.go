package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/medgym-data/medgym-data/sandbox/python"
)

//go:embed requirements.lock
var lock []byte

// environment is an interpreter with the folder of the readers.
type environment struct{ executable, site string }

// install makes the folder of the readers where it is not there yet:
// interop-<digest of the lock and the interpreter> in the user's cache folder. Of
// several processes one works and the others wait.
func install(ctx context.Context, log io.Writer) (environment, error) {
	interpreter, err := python.FindInterpreter(ctx)
	if err != nil {
		return environment{}, err
	}
	cache, err := python.Cache()
	if err != nil {
		return environment{}, err
	}
	key := sha256.Sum256([]byte(string(lock) + interpreter.Version + interpreter.Prefix))
	dir := filepath.Join(cache, "interop-"+hex.EncodeToString(key[:6]))
	env := environment{interpreter.Executable, dir}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return env, fmt.Errorf("install the readers: %w", err)
	}
	guard, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return env, fmt.Errorf("install the readers: %w", err)
	}
	defer guard.Close() // unlocks
	if err := syscall.Flock(int(guard.Fd()), syscall.LOCK_EX); err != nil {
		return env, fmt.Errorf("install the readers: %w", err)
	}
	if _, err := os.Stat(dir); err == nil {
		return env, nil
	}
	if !interpreter.Pip {
		return env, fmt.Errorf("install the readers: %s has no pip: install python3-pip, or name another in %s", interpreter.Executable, python.InterpreterVariable)
	}
	if err := build(ctx, interpreter.Executable, dir, log); err != nil {
		return env, fmt.Errorf("install the readers: %w", err)
	}
	return env, nil
}

// build fills a folder beside and renames it when all is there.
func build(ctx context.Context, executable, dir string, log io.Writer) (err error) {
	work, err := os.MkdirTemp(filepath.Dir(dir), ".install-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	requirements, site := filepath.Join(work, "requirements.lock"), filepath.Join(work, "site")
	if err := os.WriteFile(requirements, lock, 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, executable, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
		"--no-deps", "--require-hashes", "--root-user-action=ignore", "--target", site, "--requirement", requirements)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pip install: %w", err)
	}
	return os.Rename(site, dir)
}
