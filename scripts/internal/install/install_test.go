package install

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// entries are the folders in a cache folder.
func entries(t *testing.T, cache string) (dirs []string) {
	t.Helper()
	all, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.IsDir() {
			dirs = append(dirs, e.Name())
		}
	}
	return dirs
}

func TestFolder(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	var fills atomic.Int32
	fill := func(work string) error {
		fills.Add(1)
		return os.WriteFile(filepath.Join(work, "there"), nil, 0o600)
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			dir, err := folder(cache, "tool", "1", fill)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "there")); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := fills.Load(); n != 1 {
		t.Errorf("filled %d times", n)
	}
	if _, err := folder(cache, "tool", "2", fill); err != nil || fills.Load() != 2 {
		t.Errorf("other content: %v, filled %d times", err, fills.Load())
	}
	if dirs := entries(t, cache); len(dirs) != 2 {
		t.Errorf("left in the cache: %v", dirs)
	}
}

// TestFolderFails: what is half made is no folder, and the next try makes it.
func TestFolderFails(t *testing.T) {
	cache := t.TempDir()
	fault := errors.New("out of paper")
	_, err := folder(cache, "tool", "1", func(work string) error {
		return errors.Join(os.WriteFile(filepath.Join(work, "half"), nil, 0o600), fault)
	})
	if !errors.Is(err, fault) {
		t.Errorf("error %v", err)
	}
	if dirs := entries(t, cache); len(dirs) != 0 {
		t.Errorf("left in the cache: %v", dirs)
	}
	if _, err := folder(cache, "tool", "1", func(string) error { return nil }); err != nil {
		t.Error(err)
	}
}
