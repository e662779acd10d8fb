// Package synth writes a synthetic download of every source that can make one,
// in the layout in which the real download comes: one folder per source id. It
// holds no data of its own; each adapter writes its rows (datasets.Synthesizer).
//
// The same adapters, sizes and seed give the same bytes. A source's rows depend
// on its own seed only, so leaving a source out changes no other.
package synth

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/medgym-data/medgym-data/datasets"
)

// Options size a download.
type Options struct {
	Out  string // folder to make: Out/<source>/<file>
	Seed uint64
	// Rows is the number of rows of each split of each source. When it is zero,
	// Scale is: the share of the paper's full counts, at least one row a split
	// that the source has.
	Rows  int
	Scale float64
	// Layout is the id of the layout to write; sources that do not have it are
	// written in their first one.
	Layout string
}

// Written says what was written for one source.
type Written struct {
	Source      string
	Train, Test int // rows asked for
	Files       int
	Bytes       int64
}

// Write makes the download of every adapter that is a datasets.Synthesizer. The
// folder appears by rename when all of it is on disk. One that is there already
// stands if it holds just the same bytes, and is refused, untouched, if not.
func Write(ctx context.Context, adapters datasets.Registry, opts Options) (written []Written, err error) {
	if opts.Out == "" {
		return nil, errors.New("synth: no output folder named")
	}
	if opts.Rows < 0 || opts.Scale < 0 || math.IsNaN(opts.Scale) || math.IsInf(opts.Scale, 0) || opts.Rows == 0 && opts.Scale == 0 {
		return nil, fmt.Errorf("synth: rows %d and scale %v: give one that is above zero", opts.Rows, opts.Scale)
	}
	out := filepath.Clean(opts.Out)
	staging, lock, err := stage(out)
	if err != nil {
		return nil, fmt.Errorf("synth: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(staging), lock.Close()) }()

	marker := Marker{Seed: opts.Seed, Sources: map[string][]MarkedFile{}}
	for _, adapter := range adapters {
		maker, ok := adapter.(datasets.Synthesizer)
		if !ok {
			continue
		}
		id := adapter.Spec().ID
		w, files, err := writeSource(ctx, adapter.Spec(), maker, staging, opts)
		if err != nil {
			return nil, fmt.Errorf("synth %s: %w", id, err)
		}
		written, marker.Sources[id] = append(written, w), files
	}
	if len(written) == 0 {
		return nil, errors.New("synth: none of the named sources can write a synthetic download")
	}
	if err := mark(staging, adapters, marker); err != nil {
		return nil, fmt.Errorf("synth: %w", err)
	}
	return written, publish(staging, out)
}

// publish renames staging to out. An out with the same content stands.
func publish(staging, out string) error {
	if _, err := os.Lstat(out); errors.Is(err, fs.ErrNotExist) {
		if err := syncDir(staging); err != nil {
			return fmt.Errorf("synth: %w", err)
		}
		if err := os.Rename(staging, out); err != nil {
			return fmt.Errorf("synth: %w", err)
		}
		return syncDir(filepath.Dir(out))
	}
	fresh, err := digests(staging)
	if err != nil {
		return fmt.Errorf("synth: %w", err)
	}
	there, err := digests(out)
	if err != nil {
		return fmt.Errorf("synth: %w", err)
	}
	if !maps.Equal(fresh, there) {
		return fmt.Errorf("synth: %s holds other files already; remove it or name another folder", out)
	}
	return nil
}

// digests maps each file below dir to the hash of its content.
func digests(dir string) (map[string][sha256.Size]byte, error) {
	sums := map[string][sha256.Size]byte{}
	return sums, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		hash := sha256.New()
		if _, err := io.Copy(hash, f); err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		sums[name] = [sha256.Size]byte(hash.Sum(nil))
		return nil
	})
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func writeSource(ctx context.Context, spec datasets.Spec, maker datasets.Synthesizer, staging string, opts Options) (Written, []MarkedFile, error) {
	w := Written{Source: spec.ID, Train: opts.rows(spec.Full.Train), Test: opts.rows(spec.Full.Test)}
	open := map[string]*file{}
	create := func(name string) (io.WriteCloser, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, fmt.Errorf("file name %q leaves the source's folder", name)
		}
		at := filepath.Join(staging, spec.ID, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return nil, err
		}
		open[name] = &file{f: f, hash: sha256.New()}
		w.Files++
		return open[name], nil
	}
	err := maker.Synthesize(ctx, datasets.SynthOptions{
		Train: w.Train, Test: w.Test, Seed: seedOf(spec.ID, opts.Seed), Shared: opts.Seed, Layout: layoutOf(spec, opts.Layout)}, create)
	files := []MarkedFile{}
	for _, name := range slices.Sorted(maps.Keys(open)) {
		f := open[name]
		w.Bytes += f.bytes
		files = append(files, MarkedFile{Name: path.Clean(name), Bytes: f.bytes, SHA256: hex.EncodeToString(f.hash.Sum(nil))})
		if !f.closed {
			f.f.Close()
			err = errors.Join(err, fmt.Errorf("%s was left open, it may be cut short", name))
		}
	}
	return w, files, err
}

// layoutOf is the layout to write of a source; empty for its first.
func layoutOf(spec datasets.Spec, wanted string) string {
	if slices.ContainsFunc(spec.Layouts, func(l datasets.Layout) bool { return l.ID == wanted }) {
		return wanted
	}
	return ""
}

// rows is the size of a split that has full rows in the paper.
func (o Options) rows(full int) int {
	switch {
	case full == 0:
		return 0
	case o.Rows > 0:
		return o.Rows
	default:
		return max(int(math.Round(o.Scale*float64(full))), 1)
	}
}

// seedOf gives every source a stream of its own.
func seedOf(id string, seed uint64) uint64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("synth/"+id+"/"), seed))
	return binary.BigEndian.Uint64(sum[:])
}

// file counts and digests what is written and is on disk once closed. The os.File is not
// embedded: its WriteString and ReadFrom would pass the count by.
type file struct {
	f      *os.File
	hash   hash.Hash // nil: not needed
	bytes  int64
	closed bool
}

func (f *file) Write(p []byte) (int, error) {
	n, err := f.f.Write(p)
	f.bytes += int64(n)
	if f.hash != nil {
		_, _ = f.hash.Write(p[:n]) // never fails
	}
	return n, err
}

func (f *file) Close() error {
	f.closed = true
	return errors.Join(f.f.Sync(), f.f.Close())
}
