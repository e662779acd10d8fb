// Package datasettest is the suite that every source must pass, and what tests
// of sources need: the shared real data, a raw folder on disk, an emitter that
// keeps what it is given.
package datasettest

import (
	"os"
	"path/filepath"
	"testing"
)

// SharedData returns the folder of real, openly licensed inputs, which lies
// beside the module as ../shared/data. Where it is absent the test is skipped
// with one line that says so; under CI (CI is set) it fails instead, so that a
// green CI has seen the real data.
func SharedData(t testing.TB) string {
	t.Helper()
	root := ModuleRoot(t)
	dir := filepath.Join(root, "..", "shared", "data")
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return dir
	}
	const line = "REAL DATA ABSENT: ../shared/data is not beside the module, so this test of real rows did not run"
	if os.Getenv("CI") != "" {
		t.Fatal(line)
	}
	t.Skip(line)
	return ""
}

// ModuleRoot returns the folder that holds go.mod, above the test's own folder.
func ModuleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}
