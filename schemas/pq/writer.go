package pq

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"os"
	"path/filepath"
)

// Writer is WriteShards for rows that are pushed, into one file of any size. It
// ends with either Finish or Abort.
type Writer[T any] struct{ w shardWriter[T] }

// NewWriter makes a Writer of <dir>/<name>-00000-of-00001.parquet.
func NewWriter[T any](dir, name string, opts Options) *Writer[T] {
	opts.ShardBytes = math.MaxInt64
	return &Writer[T]{shardWriter[T]{dir: dir, name: name, opts: opts}}
}

// Add writes a row.
func (w *Writer[T]) Add(row T) error {
	if err := w.w.add(row); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(w.w.dir, w.w.name), err)
	}
	return nil
}

// Finish gives the file its name. No rows, no file.
func (w *Writer[T]) Finish() ([]File, error) {
	files, err := w.w.finish()
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", filepath.Join(w.w.dir, w.w.name), err)
	}
	return files, nil
}

// Abort removes what was written. After Finish it does nothing.
func (w *Writer[T]) Abort() error {
	if w.w.file == nil {
		return nil
	}
	return w.w.abort()
}

// atOnce is the number of shards that are open at the same time: each holds a row
// group in memory.
const atOnce = 4

// WriteHashShards writes n shards, each row to that of its key's hash, in the order
// of rows. A shard whose rows are unchanged keeps its bytes whatever happens to
// the others. Rows are read once for every four shards, so rows must yield the
// same each time. A shard without rows is a file without rows. On an error, or a
// cancelled context, nothing is left.
func WriteHashShards[T any](ctx context.Context, dir, name string, n int, key func(T) string, rows iter.Seq2[T, error], opts Options) (files []File, err error) {
	opts.ShardBytes = math.MaxInt64
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", filepath.Join(dir, name), err)
			for _, f := range files {
				err = errors.Join(err, os.Remove(f.Path))
			}
			files = nil
		}
	}()
	for first := 0; first < n; first += atOnce {
		done, err := writeSome(ctx, dir, n, first, min(first+atOnce, n), key, rows, opts)
		files = append(files, done...)
		if err != nil {
			return files, err
		}
	}
	for i := range files {
		path := filepath.Join(dir, fmt.Sprintf("%s-%05d-of-%05d.parquet", name, i, n))
		if err := os.Rename(files[i].Path, path); err != nil {
			return files, err
		}
		files[i].Path = path
	}
	return files, nil
}

// writeSome writes the shards from first to before last, under temporary names.
func writeSome[T any](ctx context.Context, dir string, n, first, last int, key func(T) string, rows iter.Seq2[T, error], opts Options) (done []File, err error) {
	var open []*shardWriter[T]
	defer func() {
		for _, w := range open {
			done = append(done, w.done...)
			w.done = nil
			if err != nil && w.file != nil {
				err = errors.Join(err, w.abort())
			}
		}
	}()
	for range last - first {
		w := &shardWriter[T]{dir: dir, opts: opts}
		open = append(open, w)
		if err := w.open(); err != nil {
			return nil, err
		}
	}
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		shard := int(ShardOf(key(row), n))
		if shard < first || shard >= last {
			continue
		}
		if err := open[shard-first].add(row); err != nil {
			return nil, err
		}
	}
	for _, w := range open {
		if err := w.closeShard(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// ShardOf is the shard of a key among n: FNV-1a of 64 bits, modulo n.
func ShardOf(key string, n int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key)) // never fails
	return h.Sum64() % uint64(n)
}
