// Package jsonl is the only JSON Lines reader: it splits, it does not decode.
//
// A byte order mark and CR line endings are accepted, blank lines skipped, gzip
// undone where the name ends in .gz. A line that cannot be a row is yielded with
// its fault and without its bytes, so that one bad line costs one row, not a run.
package jsonl

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
)

// MaxLine is the longest line that is taken as a row.
const MaxLine = 64 << 20

// Fault is why a line cannot be a row.
type Fault string

// The faults.
const (
	TooLong     Fault = "line_too_long"
	InvalidUTF8 Fault = "invalid_utf8"
)

// Line is one line. Data is valid until the callback returns, and nil with a
// Fault other than InvalidUTF8.
type Line struct {
	Number int64 // from 1
	Data   []byte
	Fault  Fault
}

// Error is a fault of the file itself.
type Error struct {
	File string
	Line int64 // the line that could not be read
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Open opens a file for reading, gunzipped where its name ends in .gz.
func Open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(path, ".gz") {
		return f, nil
	}
	zr, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<16))
	if err != nil {
		return nil, errors.Join(&Error{File: path, Line: 1, Err: fmt.Errorf("not gzip: %w", err)}, f.Close())
	}
	return &gzipFile{Reader: zr, file: f}, nil
}

type gzipFile struct {
	*gzip.Reader
	file *os.File
}

func (g *gzipFile) Close() error { return errors.Join(g.Reader.Close(), g.file.Close()) }

// Each yields the lines of a file.
func Each(ctx context.Context, path string, yield func(Line) error) error {
	r, err := Open(path)
	if err != nil {
		return err
	}
	err = Read(ctx, path, r, MaxLine, yield)
	return errors.Join(err, r.Close())
}

// Read yields the lines of r; name is for errors. It holds at most max bytes of a
// line, and one buffer.
func Read(ctx context.Context, name string, r io.Reader, max int, yield func(Line) error) error {
	br := bufio.NewReaderSize(r, 1<<16)
	var long []byte // a line that did not fit the buffer
	for number := int64(1); ; number++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, tooLong, err := readLine(br, max, &long)
		if err != nil && err != io.EOF {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("truncated: %w", err)
			}
			return &Error{File: name, Line: number, Err: err}
		}
		last := err == io.EOF
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		l := Line{Number: number, Data: line}
		switch {
		case tooLong:
			l = Line{Number: number, Fault: TooLong}
		case !utf8.Valid(line):
			l.Fault = InvalidUTF8
		}
		if l.Fault != "" || len(bytes.TrimSpace(line)) > 0 {
			if err := yield(l); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// readLine reads one line without its ending. Beyond max it only skips.
func readLine(br *bufio.Reader, max int, long *[]byte) (line []byte, tooLong bool, err error) {
	*long = (*long)[:0]
	for {
		chunk, err := br.ReadSlice('\n')
		switch {
		case tooLong:
		case len(*long)+len(chunk) > max+2:
			tooLong, *long = true, nil
		case err == bufio.ErrBufferFull || len(*long) > 0:
			*long = append(*long, chunk...)
		default:
			return trimEnding(chunk), len(trimEnding(chunk)) > max, err
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		line = trimEnding(*long)
		return line, tooLong || len(line) > max, err
	}
}

func trimEnding(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}
