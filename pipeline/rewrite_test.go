package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two stages rewrite what a third wrote, in any order: each reads what the other
// left, and neither is run again once both have seen all.
func TestTwoRewriters(t *testing.T) {
	dir := t.TempDir()
	var sampled int
	sample := writes("sample", "rows", nil, &sampled, map[string]string{"row": "row"})
	var said []string
	adds := func(word string) Stage {
		return Stage{Name: word, Version: "1", Output: "rows", Inputs: []string{"sample"}, Work: func(_ context.Context, w *Work) error {
			said = append(said, word)
			text, err := os.ReadFile(filepath.Join(w.Input("sample"), "row"))
			if err != nil {
				return err
			}
			if !strings.Contains(string(text), word) {
				text = append(text, " "+word...)
			}
			return os.WriteFile(filepath.Join(w.Dir(), "row"), text, 0o644)
		}}
	}
	grade, score := adds("graded"), adds("scored")
	mustDo(t, dir, sample)
	for i, tt := range []struct {
		stage   Stage
		skipped bool
		row     string
	}{
		{score, false, "row scored"},
		{score, true, "row scored"},
		{grade, false, "row scored graded"},
		{score, false, "row scored graded"}, // it has not seen the grades
		{grade, false, "row scored graded"},
		{score, true, "row scored graded"}, // what the other left has not changed
		{grade, true, "row scored graded"},
		{sample, true, "row scored graded"},
	} {
		if res := mustDo(t, dir, tt.stage); res.Skipped != tt.skipped || content(t, dir, "rows", "row") != tt.row {
			t.Errorf("step %d, %s: skipped %v, %q", i, tt.stage.Name, res.Skipped, content(t, dir, "rows", "row"))
		}
	}
	sample.Version = "2"
	mustDo(t, dir, sample)
	r := openRun(t, dir, Options{})
	if r.Done("graded") || r.Done("scored") || sampled != 2 {
		t.Errorf("what was made anew counts as rewritten: %v %v, %d", r.Done("graded"), r.Done("scored"), sampled)
	}
	// What shares no input may still not take the folder.
	if _, err := r.Do(t.Context(), writes("thief", "rows", nil, &sampled, nil)); err == nil || !strings.Contains(err.Error(), "overlaps") {
		t.Errorf("another stage took the folder: %v", err)
	}
	if said := strings.Join(said, " "); said != "scored graded scored graded" {
		t.Errorf("ran: %s", said)
	}
}
