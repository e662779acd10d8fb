// Package install puts what the scripts need, and the program itself does not, into
// the user's cache folder, once.
package install

import (
	"context"
	"crypto/sha256"
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

// Packages is an interpreter with a folder of packages for it.
type Packages struct{ Executable, Site string }

// Pip installs what a lock pins (with hashes, without dependencies) into the folder
// <name>-<digest of the lock and the interpreter>. What pip says goes to log.
func Pip(ctx context.Context, name string, lock []byte, log io.Writer) (Packages, error) {
	interpreter, err := python.FindInterpreter(ctx)
	if err != nil {
		return Packages{}, err
	}
	site, err := Folder(name, string(lock)+interpreter.Version+interpreter.Prefix, func(work string) error {
		if !interpreter.Pip {
			return fmt.Errorf("%s has no pip: install python3-pip, or name another in %s", interpreter.Executable, python.InterpreterVariable)
		}
		return pip(ctx, interpreter.Executable, lock, work, log)
	})
	return Packages{interpreter.Executable, site}, err
}

func pip(ctx context.Context, executable string, lock []byte, site string, log io.Writer) (err error) {
	requirements, err := os.CreateTemp("", "requirements-*.lock")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(requirements.Name())) }()
	_, err = requirements.Write(lock)
	if err := errors.Join(err, requirements.Close()); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, executable, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
		"--no-deps", "--require-hashes", "--root-user-action=ignore", "--target", site, "--requirement", requirements.Name())
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pip install: %w", err)
	}
	return nil
}

// Folder is the folder <name>-<digest of content> in the cache folder. Where it is
// not there yet, fill makes what is in it, in an empty folder that takes its place
// when all went well. Of several processes one works and the others wait.
func Folder(name, content string, fill func(work string) error) (string, error) {
	cache, err := python.Cache()
	if err != nil {
		return "", err
	}
	return folder(cache, name, content, fill)
}

func folder(cache, name, content string, fill func(work string) error) (dir string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("install %s: %w", name, err)
		}
	}()
	key := sha256.Sum256([]byte(content))
	dir = filepath.Join(cache, name+"-"+hex.EncodeToString(key[:6]))
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	guard, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer guard.Close() // unlocks
	if err := syscall.Flock(int(guard.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	work, err := os.MkdirTemp(cache, ".install-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	site := filepath.Join(work, "site")
	if err := os.Mkdir(site, 0o755); err != nil {
		return "", err
	}
	if err := fill(site); err != nil {
		return "", err
	}
	return dir, os.Rename(site, dir)
}
