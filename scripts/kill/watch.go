package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// watch tells what changes in a folder, not below it: the name of the entry, for each
// write, creation, removal and rename. Changes of the same kind that follow each other
// faster than they are read come as one.
type watch struct {
	file    *os.File
	changes chan string // closed at the end
}

func watchFolder(dir string) (*watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	w := &watch{os.NewFile(uintptr(fd), "inotify"), make(chan string, 1<<16)}
	const mask = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO
	if _, err := unix.InotifyAddWatch(fd, dir, mask); err != nil {
		_ = w.file.Close()
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	go w.read()
	return w, nil
}

func (w *watch) read() {
	defer close(w.changes)
	buf := make([]byte, 64<<10)
	for {
		n, err := w.file.Read(buf)
		if err != nil {
			return // closed
		}
		for _, name := range names(buf[:n]) {
			select {
			case w.changes <- name:
			default: // nobody reads any more
			}
		}
	}
}

// names are the entries that a read of inotify tells of.
func names(buf []byte) (out []string) {
	for len(buf) >= unix.SizeofInotifyEvent {
		size := int(binary.NativeEndian.Uint32(buf[12:])) // wd, mask, cookie, then this
		end := min(unix.SizeofInotifyEvent+size, len(buf))
		name, _, _ := bytes.Cut(buf[unix.SizeofInotifyEvent:end], []byte{0})
		out, buf = append(out, string(name)), buf[end:]
	}
	return out
}

// Close ends it.
func (w *watch) Close() error { return w.file.Close() }

// The names of what a run folder holds.
const (
	walName     = "journal.db-wal"
	stagingName = ".staging"
	stageName   = "rollout"
)

// staged says whether the rollout has begun to publish: its folder of what will be
// published is then no longer empty.
func staged(dir string) bool {
	entries, _ := os.ReadDir(filepath.Join(dir, stagingName, stageName))
	return len(entries) > 0
}
