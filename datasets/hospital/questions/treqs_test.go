package questions

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets/ehrdb"
	"github.com/medgym-data/medgym-data/datasets/hospital"
)

func TestMIMICSQL(t *testing.T) {
	h := hospital.New(1, 30)
	dir := t.TempDir()
	create := func(name string) (io.WriteCloser, error) { return os.Create(filepath.Join(dir, name)) }
	if err := errors.Join(h.MIMIC(t.Context(), create, nil), h.Names(t.Context(), create)); err != nil {
		t.Fatal(err)
	}
	files, err := ehrdb.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x.db")
	made, err := ehrdb.Build(t.Context(), path, ehrdb.Options{Schema: ehrdb.TREQS(), Files: files})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range made.Tables {
		if table.Kept == 0 || len(table.Skipped) > 0 {
			t.Errorf("%+v", table)
		}
	}
	db, err := ehrdb.Open(t.Context(), path, ehrdb.Clock{}, ehrdb.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	literal, name := regexp.MustCompile(`([=<>] )"([^"]*)"`), regexp.MustCompile(`\."(\w+)"`)
	counts := map[string]*tally{}
	n := 0
	for q := range MIMICSQL(h, 1) {
		if n++; n > 700 {
			break
		}
		if q.Question != strings.ToLower(q.Question) || len(q.Key) != 32 || len(q.Format.Cond) == 0 || len(q.SQLTok) < 6 {
			t.Errorf("%+v", q)
		}
		// What the source does to the benchmark's own quotes and capitals.
		query := strings.ToLower(name.ReplaceAllString(literal.ReplaceAllString(q.SQL, "$1'$2'"), ".$1"))
		r, err := db.Query(t.Context(), query)
		if err != nil {
			t.Fatalf("%s: %v\n%s", q.Kind, err, query)
		}
		if counts[q.Kind] == nil {
			counts[q.Kind] = &tally{}
		}
		counts[q.Kind].count(r)
	}
	if all := report(t, counts); all.trivial*20 > all.asked {
		t.Errorf("%d of %d answers are trivial", all.trivial, all.asked)
	}
	for _, shape := range shapes {
		if counts[shape.name] == nil {
			t.Errorf("%s was never asked", shape.name)
		}
	}
}
