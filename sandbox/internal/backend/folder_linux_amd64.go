package backend

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Folder is a temporary folder that only its owner may enter. What a killed process
// left of the kind, the next one that makes such a folder removes.
type Folder struct {
	Path string
	lock *os.File // held while the folder is in use: what has none is a leftover
}

const lockName = "lock"

// NewFolder makes a folder below parent, or that for temporary files where it is empty.
func NewFolder(parent, prefix string) (*Folder, error) {
	parent = orTemporary(parent)
	removeLeftovers(parent, prefix)
	dir, err := os.MkdirTemp(parent, prefix) // mode 0700
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Folder{Path: dir, lock: lock}, nil
}

func orTemporary(parent string) string {
	if parent == "" {
		return os.TempDir()
	}
	return parent
}

// Close removes the folder.
func (f *Folder) Close() error { return errors.Join(os.RemoveAll(f.Path), f.lock.Close()) }

// removeLeftovers removes the folders of processes that were killed. A folder that
// has no lock yet is left for a day.
func removeLeftovers(parent, prefix string) {
	dirs, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() {
			continue
		}
		if raw, ok := info.Sys().(*syscall.Stat_t); !ok || int(raw.Uid) != os.Getuid() {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|unix.O_NOFOLLOW, 0)
		if errors.Is(err, fs.ErrNotExist) && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.RemoveAll(dir) // the next one tries again
		}
		if err != nil {
			continue
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(dir)
		}
		_ = lock.Close()
	}
}
