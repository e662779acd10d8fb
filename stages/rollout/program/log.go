package program

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// record is the file that takes what programs write to stderr. It is readable by its
// owner alone, and bounded: its head stays, and of the rest the last. What cannot be
// written is lost, for no attempt hangs on it.
type record struct {
	path       string
	head, tail int64

	mu   sync.Mutex
	f    *os.File
	size int64
}

// open opens the file, to go on at its end.
func (r *record) open() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f != nil {
		return nil
	}
	f, err := os.OpenFile(r.path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	if err == nil {
		err = f.Chmod(0o600)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r.f, r.size = f, info.Size()
	return nil
}

func (r *record) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f == nil {
		return nil
	}
	err := r.f.Close()
	r.f = nil
	return err
}

// line writes a line of ours, with the time.
func (r *record) line(text string) {
	r.write([]byte(time.Now().UTC().Format(time.RFC3339) + " " + strings.NewReplacer("\n", " ", "\r", " ").Replace(text) + "\n"))
}

const cutMark = "\n[… %d bytes were left out …]\n"

// write appends, and cuts out of the middle what is above the bound.
func (r *record) write(text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f == nil {
		return
	}
	if _, err := r.f.WriteAt(text, r.size); err != nil {
		return
	}
	r.size += int64(len(text))
	if r.size <= r.head+2*r.tail {
		return
	}
	last := make([]byte, r.tail)
	if _, err := r.f.ReadAt(last, r.size-r.tail); err != nil {
		return
	}
	last = append(fmt.Appendf(nil, cutMark, r.size-r.head-r.tail), last...)
	if _, err := r.f.WriteAt(last, r.head); err != nil {
		return
	}
	if r.f.Truncate(r.head+int64(len(last))) == nil {
		r.size = r.head + int64(len(last))
	}
}

// entry is what one program writes, line by line behind its number.
type entry struct {
	to     *record
	prefix string
	rest   []byte // of a line that has not ended
}

func (r *record) entry(prefix string) *entry { return &entry{to: r, prefix: prefix} }

// longestEntry is what of a line without an end is written as one.
const longestEntry = 1 << 16

func (e *entry) write(text []byte) {
	e.rest = append(e.rest, text...)
	var out []byte
	for {
		i := bytes.IndexByte(e.rest, '\n')
		if i < 0 && len(e.rest) < longestEntry {
			break
		}
		if i < 0 {
			i = len(e.rest)
		}
		out = append(append(append(out, e.prefix...), e.rest[:i]...), '\n')
		e.rest = e.rest[min(i+1, len(e.rest)):]
	}
	e.rest = bytes.Clone(e.rest)
	if len(out) > 0 {
		e.to.write(out)
	}
}

// end writes what is left.
func (e *entry) end() {
	if len(e.rest) > 0 {
		e.write([]byte("\n"))
	}
}
