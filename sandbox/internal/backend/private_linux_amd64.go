package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// PrivateFiles makes files readable for programs that run under another user than
// the sandbox, as they do where that is root: files of mode 0600, which clinical data
// has. There is one copy of each, of mode 0444 in a folder that only the owner may
// enter; a program gets the file itself bound, and nothing of the folder. It is what is
// left where a file cannot be mounted under another owner.
type PrivateFiles struct {
	Parent string // folder of the copies; that for temporary files where it is empty

	mu     sync.Mutex
	folder *Folder
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

const privatePrefix = "medgym-private-"

// RemoveCopies removes from a folder, or that for temporary files where it is empty, the
// copies that killed processes have left.
func RemoveCopies(parent string) { removeLeftovers(orTemporary(parent), privatePrefix) }

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
	to := filepath.Join(p.folder.Path, strconv.Itoa(len(p.copies)))
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
	return p.folder != nil
}

// prepare makes the folder when it is first needed.
func (p *PrivateFiles) prepare() (err error) {
	if p.folder == nil {
		p.folder, err = NewFolder(p.Parent, privatePrefix)
		p.copies = map[fileID]*privateCopy{}
	}
	return err
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
	if p.folder == nil {
		return nil
	}
	err := p.folder.Close()
	p.folder = nil
	return err
}
