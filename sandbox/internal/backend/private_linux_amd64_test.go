package backend

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestPrivateFiles: a private file is copied once, into a folder that nobody else
// may enter; a changed one is copied again; nothing stays.
func TestPrivateFiles(t *testing.T) {
	parent, data := t.TempDir(), t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(data, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open, closed := write("open.csv", "a", 0o644), write("closed.csv", "b", 0o600)
	// A folder that a killed process left behind, and one that another is using.
	left, used := filepath.Join(parent, privatePrefix+"left"), &PrivateFiles{Parent: parent}
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, lockName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := used.Readable(t.Context(), closed); err != nil {
		t.Fatal(err)
	}

	p := &PrivateFiles{Parent: parent}
	if got, err := p.Readable(t.Context(), open); err != nil || got != open {
		t.Errorf("an open file: %s, %v", got, err)
	}
	if p.folder != nil {
		t.Error("an open file made a folder")
	}
	first, err := p.Readable(t.Context(), closed)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(first); err != nil || string(text) != "b" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o444 {
		t.Errorf("the copy: %v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Dir(first)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its folder: %v, %v", info, err)
	}
	if again, err := p.Readable(t.Context(), closed); err != nil || again != first {
		t.Errorf("copied again: %s, %v", again, err)
	}
	write("closed.csv", "longer", 0o600)
	if changed, err := p.Readable(t.Context(), closed); err != nil || changed == first {
		t.Errorf("a changed file: %s, %v", changed, err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the leftover is there: %v", err)
	}
	if _, err := os.Stat(used.folder.Path); err != nil {
		t.Errorf("the folder in use is gone: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Readable(ctx, write("other.csv", "c", 0o600)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	dir := p.folder.Path
	if files, err := os.ReadDir(dir); err != nil || len(files) != 3 { // the lock and two copies
		t.Errorf("%d files, %v", len(files), err)
	}
	for _, p := range []*PrivateFiles{p, used} {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if files, err := os.ReadDir(parent); err != nil || len(files) != 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}
