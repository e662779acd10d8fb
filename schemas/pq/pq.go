// Package pq is the only place that opens Parquet. It writes and reads files of
// the row types of package schemas, streaming, in bounded memory.
//
// Files are zstd with 1 MB pages and row groups of at most 10,000 rows or
// 64 MiB, and appear by write, fsync and rename: a file that is there is whole.
// The same rows give the same bytes.
package pq

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/medgym-data/medgym-data/schemas"
)

const (
	rowsPerGroup  = 10_000
	bytesPerGroup = 64 << 20 // by the rows' own estimate, uncompressed
	pageBytes     = 1 << 20
	versionKey    = "medgym_schema_version"
)

// Options of a write.
type Options struct {
	// ShardBytes starts a new shard once so much has been written to one; 0 is 200 MB.
	ShardBytes int64
	Private    bool // folders 0700 and files 0600: rows of a closed tier
}

// File is a finished file.
type File struct {
	Path   string `json:"path"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// WriteShards writes rows, in their order, to <dir>/<name>-00000-of-0000N.parquet.
// No rows, no file. On an error, or a cancelled context, nothing is left.
func WriteShards[T any](ctx context.Context, dir, name string, rows iter.Seq2[T, error], opts Options) (files []File, err error) {
	if opts.ShardBytes == 0 {
		opts.ShardBytes = 200e6
	}
	w := &shardWriter[T]{dir: dir, name: name, opts: opts}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", filepath.Join(dir, name), err), w.abort())
		}
	}()
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := w.add(row); err != nil {
			return nil, err
		}
	}
	return w.finish()
}

// shardWriter writes shards to temporary names, and names them when their number
// is known.
type shardWriter[T any] struct {
	dir, name string
	opts      Options
	done      []File
	file      *os.File
	out       *countingHash
	pw        *parquet.GenericWriter[T]
	rows      int64
	inGroup   int
	groupSize int64
}

type countingHash struct {
	w io.Writer
	n int64
}

func (c *countingHash) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (w *shardWriter[T]) add(row T) error {
	if w.pw == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	if _, err := w.pw.Write([]T{row}); err != nil {
		return err
	}
	w.rows++
	w.inGroup++
	w.groupSize += sizeOf(row)
	if w.inGroup < rowsPerGroup && w.groupSize < bytesPerGroup {
		return nil
	}
	w.inGroup, w.groupSize = 0, 0
	if err := w.pw.Flush(); err != nil {
		return err
	}
	if w.out.n < w.opts.ShardBytes {
		return nil
	}
	return w.closeShard()
}

// sizeOf estimates a row's uncompressed bytes; types that hold long text say so.
func sizeOf(row any) int64 {
	if s, ok := row.(interface{ Size() int64 }); ok {
		return s.Size()
	}
	return 1 << 10
}

func (w *shardWriter[T]) open() (err error) {
	dirMode := fs.FileMode(0o755)
	if w.opts.Private {
		dirMode = 0o700
	}
	if err := os.MkdirAll(w.dir, dirMode); err != nil {
		return err
	}
	if w.file, err = os.CreateTemp(w.dir, ".tmp-*"); err != nil {
		return err
	}
	w.out = &countingHash{w: w.file}
	w.pw = parquet.NewGenericWriter[T](w.out,
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault}),
		parquet.PageBufferSize(pageBytes),
		parquet.WriteBufferSize(0), // so that the shard's size is known after each group
		parquet.CreatedBy("medgym-data", "", ""),
		parquet.KeyValueMetadata(versionKey, strconv.Itoa(int(schemas.Version))))
	return nil
}

func (w *shardWriter[T]) closeShard() error {
	mode := fs.FileMode(0o644)
	if w.opts.Private {
		mode = 0o600
	}
	if err := w.pw.Close(); err != nil {
		return err
	}
	if err := errors.Join(w.file.Chmod(mode), w.file.Sync(), w.file.Close()); err != nil {
		return err
	}
	sum, err := digest(w.file.Name())
	if err != nil {
		return err
	}
	w.done = append(w.done, File{Path: w.file.Name(), Rows: w.rows, Bytes: w.out.n, SHA256: sum})
	w.file, w.pw, w.rows, w.inGroup, w.groupSize = nil, nil, 0, 0, 0
	return nil
}

func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (w *shardWriter[T]) finish() ([]File, error) {
	if w.pw != nil {
		if err := w.closeShard(); err != nil {
			return nil, err
		}
	}
	for i := range w.done {
		path := filepath.Join(w.dir, fmt.Sprintf("%s-%05d-of-%05d.parquet", w.name, i, len(w.done)))
		if err := os.Rename(w.done[i].Path, path); err != nil {
			return nil, err
		}
		w.done[i].Path = path
	}
	return w.done, nil
}

func (w *shardWriter[T]) abort() error {
	var errs []error
	if w.file != nil {
		errs = append(errs, w.file.Close(), os.Remove(w.file.Name()))
	}
	for _, f := range w.done {
		errs = append(errs, os.Remove(f.Path))
	}
	return errors.Join(errs...)
}

// ReadFile yields the rows of a file. Its columns must be T's: parquet-go would
// read a renamed column as empty, in silence.
func ReadFile[T any](ctx context.Context, path string) iter.Seq2[T, error] {
	return reading[T](ctx, path, false)
}

// ReadColumns is ReadFile for a T that has some of the file's columns: the others
// are not read.
func ReadColumns[T any](ctx context.Context, path string) iter.Seq2[T, error] {
	return reading[T](ctx, path, true)
}

func reading[T any](ctx context.Context, path string, some bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		stopped := false
		err := readFile(ctx, path, some, func(row T) bool {
			stopped = !yield(row, nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(zero, fmt.Errorf("read %s: %w", path, err))
		}
	}
}

func readFile[T any](ctx context.Context, path string, some bool, yield func(T) bool) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	inYield := false
	// A damaged file can make the decoder panic; that ends here, as an error.
	defer func() {
		if r := recover(); r != nil {
			if inYield {
				panic(r)
			}
			err = fmt.Errorf("the file is damaged: %v", r)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	pf, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		return fmt.Errorf("the file is damaged: %w", err)
	}
	if err := sameColumns(pf.Schema(), parquet.SchemaOf(new(T)), some); err != nil {
		return err
	}
	r := parquet.NewGenericReader[T](pf)
	defer r.Close()
	buf := make([]T, 64)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		clear(buf)
		n, err := r.Read(buf)
		for _, row := range buf[:n] {
			inYield = true
			more := yield(row)
			inYield = false
			if !more {
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the file is damaged: %w", err)
		}
	}
}

// Column is a leaf of a file's rows.
type Column struct {
	Name     string // with the names of what it lies in before it, joined by dots
	Kind     string // physical type: BOOLEAN, INT32, INT64, FLOAT, DOUBLE, BYTE_ARRAY, …
	Repeated bool   // it, or what it lies in
}

// Columns tells what a file that others wrote holds. ReadFile compares names alone.
func Columns(path string) (out []Column, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("read %s: the file is damaged: %v", path, r)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	pf, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("read %s: the file is damaged: %w", path, err)
	}
	for _, c := range pf.Schema().Columns() {
		leaf, _ := pf.Schema().Lookup(c...)
		out = append(out, Column{Name: strings.Join(c, "."), Kind: leaf.Node.Type().Kind().String(), Repeated: leaf.MaxRepetitionLevel > 0})
	}
	return out, nil
}

func sameColumns(file, want *parquet.Schema, some bool) error {
	have, need := columns(file), columns(want)
	for _, c := range need {
		if !slices.Contains(have, c) {
			return fmt.Errorf("column %s is missing: the file is of another schema version (this program reads version %d)", c, schemas.Version)
		}
	}
	for _, c := range have {
		if !some && !slices.Contains(need, c) {
			return fmt.Errorf("unknown column %s: the file is of another schema version (this program reads version %d)", c, schemas.Version)
		}
	}
	return nil
}

func columns(s *parquet.Schema) []string {
	var out []string
	for _, path := range s.Columns() {
		out = append(out, strings.Join(path, "."))
	}
	return out
}

// ReadDir yields the rows of every .parquet file below dir, files in name order.
func ReadDir[T any](ctx context.Context, dir string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		paths, err := Files(dir)
		if err != nil {
			yield(zero, err)
			return
		}
		for _, path := range paths {
			for row, err := range ReadFile[T](ctx, path) {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

// Files lists the .parquet files below dir, in name order.
func Files(dir string) ([]string, error) {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".parquet") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	return paths, nil
}
