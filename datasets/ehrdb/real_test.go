package ehrdb

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/datasets/datasettest"
)

// gold runs EHRSQL's own gold queries and counts what they give.
func gold(t *testing.T, db *DB, file string) map[string]int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var questions []struct {
		ID         string `json:"id"`
		Query      string `json:"query"`
		Impossible bool   `json:"is_impossible"`
	}
	if err := json.Unmarshal(data, &questions); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, q := range questions {
		if q.Impossible {
			counts["unanswerable"]++
			continue
		}
		counts["queries"]++
		result, err := db.Query(t.Context(), q.Query)
		switch {
		case errors.Is(err, ErrMissingTable):
			counts["missing table"]++
		case err != nil:
			counts["failed"]++
			t.Errorf("%s: %v (%v)", q.ID, err, errors.Unwrap(err))
		case result.Empty():
			counts["empty"]++
		case len(result.Rows) == 1 && len(result.Rows[0]) == 1 && (result.Rows[0][0] == int64(0) || result.Rows[0][0] == float64(0)):
			counts["zero"]++
		default:
			counts["other answer"]++
		}
	}
	return counts
}

func TestGoldOnDemos(t *testing.T) {
	data := datasettest.SharedData(t)
	for _, tt := range []struct {
		name, demo string
		schema     Schema
		clock      Clock
		kept       map[string]int64 // at least
		answers    int              // neither empty nor 0, at least
	}{
		{"mimic_iii", "mimic-iii-demo", MIMICIII(), Clock{}, map[string]int64{"patients": 100, "admissions": 129, "icustays": 136, "chartevents": 1000}, 60},
		{"mimic_iii", "mimic-iii-demo", MIMICIII(), Clock{Shift: EHRSQLShift}, map[string]int64{"patients": 90, "labevents": 1000}, 60},
		{"eicu", "eicu-demo", EICU(), Clock{Shift: EHRSQLShift}, map[string]int64{"patient": 1000, "diagnosis": 1000, "cost": 1000}, 60},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, err := Dir(filepath.Join(data, tt.demo))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "demo.db")
			started := time.Now()
			report, err := Build(t.Context(), path, Options{Schema: tt.schema, Files: files, Clock: tt.clock})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("shift %v: %d patients in %v, absent %v", tt.clock.Shift, report.Patients, time.Since(started).Round(time.Millisecond), report.Absent)
			for _, table := range report.Tables {
				t.Logf("%-20s read %7d, kept %7d, skipped %v", table.Name, table.Read, table.Kept, table.Skipped)
				left := int64(0)
				for _, n := range table.Skipped {
					left += n
				}
				if table.Read != table.Kept+left {
					t.Errorf("%s: rows went in silence", table.Name)
				}
				if table.Kept < tt.kept[table.Name] {
					t.Errorf("%s has %d rows, want at least %d", table.Name, table.Kept, tt.kept[table.Name])
				}
			}
			db, err := Open(t.Context(), path, tt.clock, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			counts := gold(t, db, filepath.Join(data, "ehrsql", tt.name, "valid.json"))
			t.Logf("gold: %v", counts)
			if counts["other answer"] < tt.answers {
				t.Errorf("%d answers that are neither empty nor 0, want at least %d", counts["other answer"], tt.answers)
			}
			if tt.name == "eicu" && counts["missing table"] == 0 {
				t.Error("no query missed the tables that the demo lacks")
			}
		})
	}
}

// TestSchemas: the columns are those of the benchmark's own description.
func TestSchemas(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(datasettest.SharedData(t), "ehrsql", "tables.json"))
	if err != nil {
		t.Fatal(err)
	}
	var described []struct {
		ID      string   `json:"db_id"`
		Tables  []string `json:"table_names_original"`
		Columns [][2]any `json:"column_names_original"`
	}
	if err := json.Unmarshal(data, &described); err != nil {
		t.Fatal(err)
	}
	if len(described) != 2 {
		t.Fatalf("%d databases described", len(described))
	}
	for _, d := range described {
		schema := map[string]Schema{"mimic_iii": MIMICIII(), "eicu": EICU()}[d.ID]
		var want, got []string
		for _, col := range d.Columns {
			if at := int(col[0].(float64)); at >= 0 {
				want = append(want, lower(d.Tables[at])+"."+lower(col[1].(string)))
			}
		}
		for _, table := range schema.Tables {
			for _, col := range table.Columns {
				got = append(got, table.Name+"."+col.Name)
			}
		}
		if a, b := sorted(got), sorted(want); a != b {
			t.Errorf("%s:\ngot  %s\nwant %s", d.ID, a, b)
		}
	}
}

func TestCancelled(t *testing.T) {
	files, err := Dir(filepath.Join(datasettest.SharedData(t), "mimic-iii-demo"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	_, err = Build(ctx, filepath.Join(dir, "x.db"), Options{Schema: MIMICIII(), Files: files, Progress: func(p Progress) {
		if p.Table == "labevents" {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
