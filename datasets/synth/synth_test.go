package synth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
)

// plain is a source that cannot synthesize.
type plain struct{ spec datasets.Spec }

func (p plain) Spec() datasets.Spec { return p.spec }

func (p plain) Normalize(context.Context, datasets.Raw, datasets.Emitter) error { return nil }

// maker is one that can, by the function it holds.
type maker struct {
	plain
	write func(opts datasets.SynthOptions, create func(string) (io.WriteCloser, error)) error
}

func (m maker) Synthesize(_ context.Context, opts datasets.SynthOptions, create func(string) (io.WriteCloser, error)) error {
	return m.write(opts, create)
}

func source(id string, train, test int) maker {
	return maker{plain{datasets.Spec{ID: id, Full: datasets.Counts{Train: train, Test: test}}}, func(opts datasets.SynthOptions, create func(string) (io.WriteCloser, error)) error {
		for name, rows := range map[string]int{"train_tasks.jsonl": opts.Train, "data/test_tasks.jsonl": opts.Test} {
			w, err := create(name)
			if err != nil {
				return err
			}
			for i := range rows {
				fmt.Fprintf(w, "{\"row\":%d,\"seed\":%d}\n", i, opts.Seed)
			}
			if err := w.Close(); err != nil {
				return err
			}
		}
		return nil
	}}
}

func registry() datasets.Registry {
	return datasets.Registry{source("a", 200, 10), plain{datasets.Spec{ID: "mute"}}, source("b", 3, 0)}
}

func TestWrite(t *testing.T) {
	out := filepath.Join(t.TempDir(), "below", "raw")
	written, err := Write(t.Context(), registry(), Options{Out: out, Scale: 0.1, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	if len(written) != 2 || written[0].Train != 20 || written[0].Test != 1 || written[1].Train != 1 || written[1].Test != 0 || written[0].Files != 2 || written[0].Bytes == 0 {
		t.Fatalf("written: %+v", written)
	}
	data, err := os.ReadFile(filepath.Join(out, "a", "train_tasks.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), "\n"); n != 20 {
		t.Errorf("%d rows, want 20", n)
	}
	alone(t, out)
}

// alone fails when a write left anything beside its folder.
func alone(t *testing.T, out string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(out))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(out) {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

func tree(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	sums, err := digests(dir)
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

func TestSeeds(t *testing.T) {
	dir := t.TempDir()
	trees := map[string]map[string][32]byte{}
	for name, run := range map[string]struct {
		reg  datasets.Registry
		seed uint64
	}{"one": {registry(), 1}, "again": {registry(), 1}, "other": {registry(), 2}, "only b": {registry()[2:], 1}} {
		if _, err := Write(t.Context(), run.reg, Options{Out: filepath.Join(dir, name), Rows: 4, Seed: run.seed}); err != nil {
			t.Fatal(err)
		}
		trees[name] = tree(t, filepath.Join(dir, name))
	}
	if !maps.Equal(trees["one"], trees["again"]) {
		t.Error("one seed gave two downloads")
	}
	if maps.Equal(trees["one"], trees["other"]) {
		t.Error("two seeds gave one download")
	}
	b := filepath.Join("b", "train_tasks.jsonl")
	if trees["one"][b] != trees["only b"][b] {
		t.Error("leaving a source out changed another")
	}
	if trees["one"][b] == trees["one"][filepath.Join("a", "train_tasks.jsonl")] {
		t.Error("two sources share a seed")
	}
}

func TestExistingFolder(t *testing.T) {
	out := filepath.Join(t.TempDir(), "raw")
	for range 2 { // the second finds the same bytes
		if _, err := Write(t.Context(), registry(), Options{Out: out, Rows: 2, Seed: 1}); err != nil {
			t.Fatal(err)
		}
	}
	before := tree(t, out)
	if _, err := Write(t.Context(), registry(), Options{Out: out, Rows: 2, Seed: 2}); err == nil || !strings.Contains(err.Error(), "holds other files") {
		t.Errorf("another seed over an existing folder: %v", err)
	}
	if !maps.Equal(before, tree(t, out)) {
		t.Error("the refused write changed the folder")
	}
	alone(t, out)
}

// TestLeftover: what a killed run left is removed by the next one to the same folder,
// what another one writes is not.
func TestLeftover(t *testing.T) {
	parent := t.TempDir()
	left, used, other := filepath.Join(parent, ".raw.partial-1"), filepath.Join(parent, ".raw.partial-2"), filepath.Join(parent, ".rawer.partial-3")
	for _, dir := range []string{left, used, other} {
		if err := os.MkdirAll(filepath.Join(dir, "a"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := os.Open(used)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := hold(lock); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(t.Context(), registry(), Options{Out: filepath.Join(parent, "raw"), Rows: 2, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != ".raw.partial-2 .rawer.partial-3 raw" {
		t.Errorf("beside the download: %s", got)
	}
}

func TestFaults(t *testing.T) {
	broken := errors.New("broken")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	make := func(write func(datasets.SynthOptions, func(string) (io.WriteCloser, error)) error) datasets.Registry {
		return datasets.Registry{source("a", 2, 2), maker{plain{datasets.Spec{ID: "bad"}}, write}}
	}
	creates := func(name string, then error) datasets.Registry {
		return make(func(_ datasets.SynthOptions, create func(string) (io.WriteCloser, error)) error {
			if _, err := create(name); err != nil {
				return err
			}
			return then
		})
	}
	for _, c := range []struct {
		name string
		ctx  context.Context
		reg  datasets.Registry
		opts Options
		want string
	}{
		{"the source fails", t.Context(), creates("x", broken), Options{Rows: 1}, "synth bad: broken"},
		{"a file is left open", t.Context(), creates("x", nil), Options{Rows: 1}, "x was left open"},
		{"a name escapes", t.Context(), creates("../x", nil), Options{Rows: 1}, "leaves the source's folder"},
		{"cancelled", cancelled, registry(), Options{Rows: 1}, "context canceled"},
		{"nobody can", t.Context(), registry()[1:2], Options{Rows: 1}, "none of the named sources"},
		{"no size", t.Context(), registry(), Options{}, "above zero"},
		{"negative", t.Context(), registry(), Options{Rows: -1}, "above zero"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opts.Out = filepath.Join(t.TempDir(), "raw")
			_, err := Write(c.ctx, c.reg, c.opts)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if _, err := os.Stat(c.opts.Out); err == nil {
				t.Error("the folder is there")
			}
			alone(t, c.opts.Out)
		})
	}
}
