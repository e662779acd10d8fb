package questions

import (
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets/ehrdb"
	"github.com/medgym-data/medgym-data/datasets/hospital"
)

// database makes the database of a hospital's files, as the sources do.
func database(t testing.TB, h *hospital.Hospital, schema ehrdb.Schema) *ehrdb.DB {
	t.Helper()
	dir := t.TempDir()
	create := func(name string) (io.WriteCloser, error) { return os.Create(filepath.Join(dir, name)) }
	var err error
	if schema.ID == "eicu" {
		err = h.EICU(t.Context(), create)
	} else {
		err = h.MIMIC(t.Context(), create, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := ehrdb.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	clock := ehrdb.Clock{Shift: ehrdb.EHRSQLShift}
	path := filepath.Join(dir, "x.db")
	if _, err := ehrdb.Build(t.Context(), path, ehrdb.Options{Schema: schema, Files: files, Clock: clock}); err != nil {
		t.Fatal(err)
	}
	db, err := ehrdb.Open(t.Context(), path, clock, ehrdb.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// trivial says that an answer is empty, null, 0 or no.
func trivial(r ehrdb.Result) bool {
	return r.Empty() || len(r.Rows) == 1 && len(r.Rows[0]) == 1 && fmt.Sprint(r.Rows[0][0]) == "0"
}

type tally struct{ asked, trivial, lists, wide int }

func (a *tally) count(r ehrdb.Result) {
	a.asked++
	switch {
	case trivial(r):
		a.trivial++
	case len(r.Rows) > 1:
		a.lists++
	}
	if len(r.Columns) > 1 {
		a.wide++
	}
}

func report(t *testing.T, counts map[string]*tally) (all tally) {
	t.Helper()
	var names []string
	for name, a := range counts {
		names = append(names, name)
		all.asked += a.asked
		all.trivial += a.trivial
		all.lists += a.lists
		all.wide += a.wide
	}
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		a := counts[name]
		fmt.Fprintf(&b, "%s %d/%d  ", name, a.asked-a.trivial, a.asked)
		if a.asked >= 10 && a.trivial*2 > a.asked {
			t.Errorf("%s: %d of %d answers are trivial", name, a.trivial, a.asked)
		}
	}
	t.Logf("%d asked, %d trivial (%.1f %%), %d lists, %d of several columns\n%s", all.asked, all.trivial, 100*float64(all.trivial)/float64(max(all.asked, 1)), all.lists, all.wide, b.String())
	return all
}

func TestEHRSQL(t *testing.T) {
	h := hospital.New(1, 40)
	for _, tt := range []struct {
		schema    ehrdb.Schema
		ask       func(*hospital.Hospital, uint64, Options) iter.Seq[EHRSQL]
		templates []template
		want      int
	}{{ehrdb.MIMICIII(), MIMIC, append(shared(), mimicOnly()...), 40}, {ehrdb.EICU(), EICU, append(shared(), eicuOnly()...), 30}} {
		t.Run(tt.schema.ID, func(t *testing.T) {
			if len(tt.templates) < tt.want {
				t.Errorf("%d templates", len(tt.templates))
			}
			db := database(t, h, tt.schema)
			counts := map[string]*tally{}
			impossible, n := 0, 0
			seen := map[string]bool{}
			for q := range tt.ask(h, 1, Options{Impossible: 0.05}) {
				if n++; n > 1500 {
					break
				}
				if seen[q.ID] {
					t.Fatalf("%s twice", q.ID)
				}
				seen[q.ID] = true
				if strings.ContainsAny(q.Question+q.Template, "{}") || q.DBID != tt.schema.ID || len(q.ID) != 24 {
					t.Errorf("%s: %s", q.Kind, q.Question)
				}
				if q.IsImpossible {
					impossible++
					continue
				}
				if len(q.TTag) != 5 || len(q.OTag) != 9 || strings.Contains(q.Template, "[time") || strings.Contains(q.Template, "[n_") {
					t.Errorf("%s: %q %q %q", q.Kind, q.Template, q.TTag, q.OTag)
				}
				r, err := db.Query(t.Context(), q.Query)
				if err != nil {
					t.Fatalf("%s: %v\n%s", q.Kind, err, q.Query)
				}
				if counts[q.Kind] == nil {
					counts[q.Kind] = &tally{}
				}
				counts[q.Kind].count(r)
			}
			all := report(t, counts)
			if all.trivial*10 > all.asked {
				t.Errorf("%d of %d answers are trivial", all.trivial, all.asked)
			}
			if impossible < 40 || impossible > 120 {
				t.Errorf("%d of 1500 are impossible", impossible)
			}
			for _, template := range tt.templates {
				if counts[template.name] == nil {
					t.Errorf("%s was never asked", template.name)
				}
			}
		})
	}
}

func TestSame(t *testing.T) {
	h := hospital.New(2, 24)
	first := func(seed uint64) []string {
		var out []string
		for q := range MIMIC(h, seed, Options{}) {
			if out = append(out, q.Question+q.Query); len(out) == 50 {
				break
			}
		}
		return out
	}
	if !slices.Equal(first(1), first(1)) {
		t.Error("the same seed asked something else")
	}
	if slices.Equal(first(1), first(2)) {
		t.Error("another seed asked the same")
	}
}

func TestDialogues(t *testing.T) {
	h := hospital.New(1, 40)
	db := database(t, h, ehrdb.MIMICIII())
	counts := map[string]*tally{}
	splits := map[string]int{}
	n, turns := 0, 0
	for d := range Dialogues(h, 1) {
		if n++; n > 300 {
			break
		}
		splits[d.CompositionalSplit]++
		if len(d.Question) < 2 || len(d.Question) != len(d.SQL) || len(d.QuestionTemplate) != len(d.SQL) || strings.ContainsAny(d.SeedQuestion+strings.Join(d.Question, ""), "{}") {
			t.Errorf("%s: %+v", d.Kind, d.Question)
		}
		for _, query := range d.SQL {
			turns++
			r, err := db.Query(t.Context(), query)
			if err != nil {
				t.Fatalf("%s: %v\n%s", d.Kind, err, query)
			}
			if counts[d.Kind] == nil {
				counts[d.Kind] = &tally{}
			}
			counts[d.Kind].count(r)
		}
	}
	if all := report(t, counts); all.trivial*20 > all.asked {
		t.Errorf("%d of %d answers are trivial", all.trivial, all.asked)
	}
	if splits["test"]*4 < splits["train"]/4 || splits["train"] == 0 {
		t.Errorf("compositional splits: %v", splits)
	}
	for _, s := range subjects() {
		if counts[s.name] == nil {
			t.Errorf("%s never came", s.name)
		}
	}
	t.Logf("%.2f turns a dialogue", float64(turns)/300)
}
