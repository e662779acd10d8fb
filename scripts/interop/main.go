// Command interop reads every Parquet file of a run folder with the libraries that
// users have: pyarrow, DuckDB, polars and Hugging Face's datasets.
//
//	go run ./scripts/interop --dir medgym-run
//
// The first time it installs them, pinned with hashes, into the user's cache
// folder. For each file this program states what must be found (columns with their
// types, the number of rows, a digest of every value as package pq reads it) and
// read.py compares: one line a file, and exit code 1 when anything differs. It also
// loads each set by the config of its dataset card, and holds the numbers of rows
// against the manifest and the reports.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"github.com/medgym-data/medgym-data/scripts/internal/install"
)

//go:embed read.py
var reader string

// lock pins the readers, with hashes.
//
//go:embed requirements.lock
var lock []byte

func main() {
	dir := flag.String("dir", "medgym-run", "run folder")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := check(ctx, *dir, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

// check reads a run folder with every library. The lines of read.py go to out.
func check(ctx context.Context, dir string, out, log io.Writer) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	want, err := expect(ctx, dir)
	if err != nil {
		return err
	}
	return compare(ctx, dir, want, out, log)
}

// compare runs read.py.
func compare(ctx context.Context, dir string, want expectation, out, log io.Writer) (err error) {
	python, err := install.Pip(ctx, "interop", lock, log)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "interop-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	text, err := json.Marshal(want)
	if err != nil {
		return err
	}
	script, expected := filepath.Join(temp, "read.py"), filepath.Join(temp, "expected.json")
	if err := errors.Join(os.WriteFile(script, []byte(reader), 0o600), os.WriteFile(expected, text, 0o600)); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, python.Executable, "-s", "-P", script, dir, expected)
	// datasets copies what it reads: rows of closed tiers must not stay behind in a
	// cache.
	cmd.Env = append(os.Environ(), "PYTHONPATH="+python.Site, "HF_HOME="+filepath.Join(temp, "hf"),
		"HF_DATASETS_OFFLINE=1", "HF_HUB_OFFLINE=1", "HF_DATASETS_DISABLE_PROGRESS_BARS=1", "HF_HUB_DISABLE_TELEMETRY=1", "POLARS_MAX_THREADS=2")
	cmd.Stdout, cmd.Stderr = out, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the files are not read as they were written: %w", err)
	}
	return nil
}
