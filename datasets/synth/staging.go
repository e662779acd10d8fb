package synth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// stage makes the folder, beside out, in which a download is written, and removes
// those that killed processes left there. A folder is in use while its lock is open.
func stage(out string) (staging string, lock *os.File, err error) {
	parent, prefix := filepath.Dir(out), "."+filepath.Base(out)+".partial-"
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", nil, err
	}
	if err := removeLeftovers(parent, prefix); err != nil {
		return "", nil, err
	}
	for {
		if staging, err = os.MkdirTemp(parent, prefix); err != nil {
			return "", nil, err
		}
		// Where folders cannot be locked nothing is taken for a leftover either.
		if lock, err = os.Open(staging); err == nil && !errors.Is(hold(lock), unix.EWOULDBLOCK) {
			if _, err = os.Lstat(staging); err == nil {
				break
			}
		}
		// Another process may take it for a leftover before it is locked: once more.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", nil, errors.Join(err, os.RemoveAll(staging))
		}
		_ = lock.Close()
	}
	if err := os.Chmod(staging, 0o755); err != nil {
		return "", nil, errors.Join(err, lock.Close(), os.RemoveAll(staging))
	}
	return staging, lock, nil
}

// hold locks a folder. The kernel drops the lock when its holder ends, however it ends.
func hold(dir *os.File) error { return unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

func removeLeftovers(parent, prefix string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), prefix) {
			continue
		}
		dir := filepath.Join(parent, entry.Name())
		lock, err := os.Open(dir)
		if err != nil {
			continue // gone, or another user's
		}
		if hold(lock) == nil {
			err = os.RemoveAll(dir)
		}
		if err := errors.Join(err, lock.Close()); err != nil {
			return fmt.Errorf("remove what a killed run left: %w", err)
		}
	}
	return nil
}
