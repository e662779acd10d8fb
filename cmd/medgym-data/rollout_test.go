package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseShard(t *testing.T) {
	for text, want := range map[string][2]int{"": {0, 0}, "0/1": {0, 1}, "3/4": {3, 4}} {
		if i, n, err := parseShard(text); err != nil || i != want[0] || n != want[1] {
			t.Errorf("%q: %d, %d, %v", text, i, n, err)
		}
	}
	for _, text := range []string{"1", "/", "a/2", "1/b", "1/0", "1/2/3"} {
		if _, _, err := parseShard(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// Slips are told before a run folder is made.
func TestRolloutSlips(t *testing.T) {
	for _, tc := range []struct {
		args string
		code int
		says string
	}{
		{"rollout", exitBadInput, "prepare"},
		{"grade", exitBadInput, "prepare"},
		{"rollout --policy nobody", exitUsage, "--policy"},
		{"rollout --source nobody", exitUsage, "unknown source"},
		{"rollout -k 0", exitUsage, "k is 0"},
		{"rollout --turns 0", exitUsage, "--turns"},
		{"rollout --split dev", exitUsage, "dev"},
		{"rollout --feedback often", exitUsage, "often"},
		{"rollout --shard 2/2", exitUsage, "shard 2 of 2"},
		{"rollout --max-tasks -1", exitUsage, "negative"},
		{"rollout 4", exitUsage, "no argument"},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		fields := strings.Fields(tc.args)
		args := append([]string{"medgym-data", "--quiet", fields[0], "--dir", dir}, fields[1:]...)
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, &stdout, &stderr); code != tc.code || !strings.Contains(stderr.String(), tc.says) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%s: exit code %d, want %d; %s", tc.args, code, tc.code, stderr.String())
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: a run folder was made", tc.args)
		}
	}
}

func TestFlips(t *testing.T) {
	if got := flips(map[string]int{"1 to 0": 1, "0 to 1": 2}); got != "3 (0 to 1: 2, 1 to 0: 1)" {
		t.Errorf("got %s", got)
	}
	if got := flips(nil); got != "0" {
		t.Errorf("got %s", got)
	}
}
