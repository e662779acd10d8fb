package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lock is an flock on a file that also tells who holds it. The kernel drops it
// with its process, so a killed run never locks anybody out.
type lock struct{ file *os.File }

type holder struct {
	PID     int    `json:"pid"`
	Host    string `json:"host"`
	Command string `json:"command"`
}

func acquire(path string) (*lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return nil, BadInput{File: filepath.Dir(path), What: "the run folder is held by " + readHolder(f), Do: "wait for it, or use another --dir"}
	}
	host, _ := os.Hostname() // informative only
	data, err := json.Marshal(holder{PID: os.Getpid(), Host: host, Command: filepath.Base(os.Args[0])})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, data)); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock: %w", err), f.Close())
	}
	return &lock{file: f}, nil
}

func writeAt(f *os.File, data []byte) error {
	_, err := f.WriteAt(data, 0)
	return err
}

func readHolder(f *os.File) string {
	var h holder
	data, err := io.ReadAll(f)
	if err != nil || json.Unmarshal(data, &h) != nil {
		return "another process"
	}
	return fmt.Sprintf("%s, process %d on %s", h.Command, h.PID, h.Host)
}

func (l *lock) release() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}
