package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Adopt has what loses its parent below this process become its child, so that no
// survivor of a kill is missed.
func Adopt() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	return nil
}

// Gone waits until no process is left below this one, and says how many are if that
// takes too long. It reaps every child: none that somebody else waits for may run.
func Gone(deadline time.Time) int {
	for {
		for { // adopted processes that have ended
			if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != nil || pid == 0 {
				break
			}
		}
		left := len(Descendants(os.Getpid()))
		if left == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(time.Millisecond)
	}
}

// MoreMounts are the mounts that this process sees beside those given.
func MoreMounts(before []string) (more []string) {
	for _, line := range HostMounts() {
		if !slices.Contains(before, line) {
			more = append(more, line)
		}
	}
	return more
}

// InFolder runs f while the folder for temporary files is a fresh one, so that all
// that lies there is of this run. In its end what is left goes.
func InFolder(name string, f func() error) (err error) {
	before, was := os.LookupEnv("TMPDIR")
	dir, err := os.MkdirTemp("", name+"-")
	if err != nil {
		return err
	}
	defer func() {
		restore := os.Unsetenv("TMPDIR")
		if was {
			restore = os.Setenv("TMPDIR", before)
		}
		err = errors.Join(err, restore, os.RemoveAll(dir))
	}()
	if err := os.Chmod(dir, 0o711); err != nil { // programs of another user read files below
		return err
	}
	temporary := filepath.Join(dir, "tmp")
	if err := errors.Join(os.Mkdir(temporary, 0o711), os.Setenv("TMPDIR", temporary)); err != nil {
		return err
	}
	return f()
}

// Temporary lists what lies in the folder for temporary files.
func Temporary() (files []string) {
	entries, _ := os.ReadDir(os.TempDir())
	for _, entry := range entries {
		files = append(files, filepath.Join(os.TempDir(), entry.Name()))
	}
	return files
}
