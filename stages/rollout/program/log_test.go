package program

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The log keeps its head and its tail, is bounded whatever is written, goes on where
// it ended, and is closed to others.
func TestRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exec.log")
	if err := os.WriteFile(path, []byte("before\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		r := &record{path: path, head: 100, tail: 200}
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		e := r.entry("7: ")
		for n := range 300 {
			e.write(fmt.Appendf(nil, "line %d of\nround", n))
			e.write(fmt.Appendf(nil, " %d\n", round))
		}
		e.write([]byte("no end"))
		e.end()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil || len(text) > 600 {
			t.Errorf("%d bytes, %v", len(text), err)
		}
		for _, want := range []string{"7: line 0 of\n7: round 0\n", "bytes were left out …]\n", fmt.Sprintf("7: line 299 of\n7: round %d\n7: no end\n", round)} {
			if !strings.Contains(string(text), want) {
				t.Errorf("round %d: %q is missing:\n%s", round, want, text)
			}
		}
		if !bytes.HasPrefix(text, []byte("before\n7: line 0")) {
			t.Errorf("the head is gone:\n%s", text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	link := filepath.Join(t.TempDir(), "exec.log")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := (&record{path: link}).open(); err == nil {
		t.Error("a link was followed")
	}
}

// A line without an end is no reason to keep all of it in memory.
func TestEntryWithoutEnd(t *testing.T) {
	r := &record{path: filepath.Join(t.TempDir(), "exec.log"), head: 1 << 20, tail: 1 << 20}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	e := r.entry("1: ")
	for range 10 {
		e.write(bytes.Repeat([]byte("x"), longestEntry/2))
		if len(e.rest) > longestEntry {
			t.Fatalf("%d bytes are kept", len(e.rest))
		}
	}
	if r.size < 4*longestEntry {
		t.Errorf("%d bytes were written", r.size)
	}
}
