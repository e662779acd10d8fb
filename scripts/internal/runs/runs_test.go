package runs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

func row(id string, reward float64) schemas.Trajectory {
	return schemas.Trajectory{TrajectoryID: id, TaskID: "t", Outcome: schemas.OutcomeSolved, Reward: schemas.Ptr(reward), RunID: "run",
		CreatedAt: schemas.Ptr(time.Unix(1, 0).UTC()), WallS: schemas.Ptr(2.0), Steps: []schemas.Step{{Turn: schemas.Ptr(int32(1)), WallMS: schemas.Ptr(int64(3))}}}
}

// written puts rows into a run folder.
func written(t *testing.T, rows ...schemas.Trajectory) string {
	t.Helper()
	dir := t.TempDir()
	all := func(yield func(schemas.Trajectory, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
	if _, err := pq.WriteShards(t.Context(), filepath.Join(dir, "trajectories", "open", "s"), "test", all, pq.Options{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRows: what time and place decide is left out, and nothing else.
func TestRows(t *testing.T) {
	other := row("b", 1)
	other.RunID, other.CreatedAt, other.WallS, other.Steps[0].WallMS = "another", nil, schemas.Ptr(9.0), nil
	got, err := Rows(t.Context(), written(t, row("a", 1), other))
	if err != nil {
		t.Fatal(err)
	}
	a, b := got["a"], got["b"]
	b.TrajectoryID = "a"
	if len(got) != 2 || !reflect.DeepEqual(a, b) || *a.Reward != 1 || len(a.Steps) != 1 {
		t.Errorf("%+v", got)
	}
	if _, err := Rows(t.Context(), written(t, row("a", 1), row("b", 1), row("a", 1))); err == nil || !strings.Contains(err.Error(), "a is there twice") {
		t.Errorf("a double row: %v", err)
	}
}

func TestCompare(t *testing.T) {
	want := map[string]schemas.Trajectory{"a": row("a", 1), "b": row("b", 0), "c": row("c", 1)}
	for name, tt := range map[string]struct {
		change func(map[string]schemas.Trajectory)
		want   Differences
	}{
		"equal":     {func(map[string]schemas.Trajectory) {}, Differences{}},
		"lost":      {func(m map[string]schemas.Trajectory) { delete(m, "b") }, Differences{Lost: []string{"b"}}},
		"more":      {func(m map[string]schemas.Trajectory) { m["d"] = row("d", 1) }, Differences{More: []string{"d"}}},
		"different": {func(m map[string]schemas.Trajectory) { m["a"] = row("a", 0) }, Differences{Different: []string{"a"}}},
		"another":   {func(m map[string]schemas.Trajectory) { delete(m, "a"); m["d"] = row("a", 1) }, Differences{Lost: []string{"a"}, More: []string{"d"}}},
	} {
		got := maps.Clone(want)
		tt.change(got)
		d := Compare(want, got)
		if fmt.Sprint(d) != fmt.Sprint(tt.want) || (d.Err() == nil) != (name == "equal") {
			t.Errorf("%s: %+v, %v", name, d, d.Err())
		}
	}
}

func TestColumns(t *testing.T) {
	a, b := row("a", 1), row("a", 0)
	b.Outcome = schemas.OutcomeFailed
	if got := Columns(a, b); !slices.Equal(got, []string{"outcome", "reward"}) {
		t.Errorf("%v", got)
	}
	if got := Columns(a, row("a", 1)); got != nil {
		t.Errorf("%v of equal rows", got)
	}
}

// TestProgram: a failed program's error holds what it said, and its environment is set.
func TestProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho \"$1 $2 $WORD\" >&2\n[ \"$2\" = good ]\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := Program{Path: path, Env: []string{"WORD=heard"}}
	if err := p.Run(t.Context(), "good"); err != nil {
		t.Error(err)
	}
	if err := p.Run(t.Context(), "bad"); err == nil || !strings.Contains(err.Error(), "--quiet bad heard") {
		t.Errorf("%v", err)
	}
}
