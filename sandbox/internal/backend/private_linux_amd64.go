package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// PrivateFiles makes files readable for programs that run under another user than
// the sandbox, as they do where that is root: files of mode 0600, which clinical data
// has. There is one copy of each, of mode 0444 in a folder that only the owner may
// enter; a program gets the file itself bound, and nothing of the folder. It is what is
// left where a file cannot be mounted under another owner.
type PrivateFiles struct {
	Parent string // folder of the copies; that for temporary files where it is empty

	mu     sync.Mutex
	dir    string   // made when it is first needed
	lock   *os.File // held while the folder is in use: what has none is a leftover
	copies map[fileID]*privateCopy
}

// fileID tells whether a file is still the one that was copied.
type fileID struct {
	path       string
	device     uint64
	inode      uint64
	size       int64
	modifiedNS int64
}

type privateCopy struct {
	mu   sync.Mutex
	path string // empty until it is there
}

const (
	privatePrefix = "medgym-private-"
	lockName      = "lock"
)

// Readable is a file of the same content as host that everybody may read.
func (p *PrivateFiles) Readable(ctx context.Context, host string) (string, error) {
	info, err := os.Stat(host)
	if err != nil {
		return "", err
	}
	if info.IsDir() || info.Mode().Perm()&0o004 != 0 {
		return host, nil
	}
	raw, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.New("no inode")
	}
	id := fileID{host, raw.Dev, raw.Ino, info.Size(), info.ModTime().UnixNano()}
	p.mu.Lock()
	if err := p.prepare(); err != nil {
		p.mu.Unlock()
		return "", err
	}
	c := p.copies[id]
	if c == nil {
		c = &privateCopy{}
		p.copies[id] = c
	}
	to := filepath.Join(p.dir, strconv.Itoa(len(p.copies)))
	p.mu.Unlock()

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.path != "" {
		return c.path, nil
	}
	if err := duplicate(ctx, host, to); err != nil {
		return "", err
	}
	c.path = to
	return to, nil
}

// Used says whether a copy was needed.
func (p *PrivateFiles) Used() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dir != ""
}

// prepare makes the folder, and removes those of processes that are gone.
func (p *PrivateFiles) prepare() error {
	if p.dir != "" {
		return nil
	}
	parent := p.Parent
	if parent == "" {
		parent = os.TempDir()
	}
	removeLeftovers(parent)
	dir, err := os.MkdirTemp(parent, privatePrefix) // mode 0700
	if err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	p.dir, p.lock, p.copies = dir, lock, map[fileID]*privateCopy{}
	return nil
}

// removeLeftovers removes the folders of processes that were killed. A folder that
// has no lock yet is left for a day.
func removeLeftovers(parent string) {
	dirs, err := filepath.Glob(filepath.Join(parent, privatePrefix+"*"))
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

// duplicate copies a file, whole or not at all.
func duplicate(ctx context.Context, from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			err = errors.Join(err, os.Remove(to))
		}
	}()
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		switch _, err := io.CopyN(out, in, 64<<20); {
		case errors.Is(err, io.EOF):
			return out.Chmod(0o444)
		case err != nil:
			return fmt.Errorf("copy it for programs to read: %w", err)
		}
	}
}

// Close removes the copies.
func (p *PrivateFiles) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dir == "" {
		return nil
	}
	err := errors.Join(os.RemoveAll(p.dir), p.lock.Close())
	p.dir = ""
	return err
}
