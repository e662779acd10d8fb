package hospital

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/datasets/ehrdb"
)

func folder(dir string) Create {
	return func(name string) (io.WriteCloser, error) { return os.Create(filepath.Join(dir, name)) }
}

// build writes the files and makes the database of them.
func build(t testing.TB, h *Hospital, schema ehrdb.Schema, clock ehrdb.Clock) (*ehrdb.DB, ehrdb.Report) {
	t.Helper()
	dir := t.TempDir()
	var err error
	if schema.ID == "eicu" {
		err = h.EICU(t.Context(), folder(dir))
	} else {
		err = h.MIMIC(t.Context(), folder(dir), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := ehrdb.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.db")
	report, err := ehrdb.Build(t.Context(), path, ehrdb.Options{Schema: schema, Files: files, Clock: clock, Cohort: ehrdb.Cohort{Seed: CohortSeed}})
	if err != nil {
		t.Fatal(err)
	}
	db, err := ehrdb.Open(t.Context(), path, clock, ehrdb.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, report
}

func TestBuild(t *testing.T) {
	h := New(1, 40)
	for _, tt := range []struct {
		schema ehrdb.Schema
		clock  ehrdb.Clock
		skips  []string // reasons that are fine
	}{
		{ehrdb.MIMICIII(), ehrdb.Clock{}, []string{"other_linksto"}},
		{ehrdb.MIMICIII(), ehrdb.Clock{Shift: ehrdb.EHRSQLShift}, []string{"other_linksto", "after_clock"}},
		{ehrdb.EICU(), ehrdb.Clock{}, nil},
		{ehrdb.EICU(), ehrdb.Clock{Shift: ehrdb.EHRSQLShift}, []string{"after_clock"}},
	} {
		t.Run(fmt.Sprint(tt.schema.ID, tt.clock.Shift.FirstYear), func(t *testing.T) {
			db, report := build(t, h, tt.schema, tt.clock)
			if len(report.Absent) > 0 || report.Patients != len(h.People) {
				t.Errorf("%d patients, absent %v", report.Patients, report.Absent)
			}
			for _, table := range report.Tables {
				if table.Kept < 10 {
					t.Errorf("%s: %d rows", table.Name, table.Kept)
				}
				for reason := range table.Skipped {
					if !slices.Contains(tt.skips, reason) {
						t.Errorf("%s: %v", table.Name, table.Skipped)
					}
				}
			}
			query := "select subject_id, hadm_id, admittime, age from admissions order by hadm_id"
			if tt.schema.ID == "eicu" {
				query = "select uniquepid, patienthealthsystemstayid, hospitaladmittime, min(cast(age as integer)) from patient group by 1, 2 order by 2"
			}
			got, err := db.Query(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			if err := h.each(func(s *Stay) error {
				if p := s.Patient; tt.schema.ID == "eicu" {
					age := p.AgeAt(s)
					if p.age > 89 {
						age = 90 + s.Admit.Year() - p.stayYear
					}
					want = append(want, fmt.Sprint([]any{p.UniquePID, s.Visit, s.Admit.Format(time.DateTime), age}))
				} else {
					age := int(s.Admit.Sub(p.Born).Hours() / 24 / 365.25)
					if p.age > 89 {
						age = 300 + s.Admit.Year() - p.stayYear
					}
					want = append(want, fmt.Sprint([]any{p.Subject, s.Hadm, s.Admit.Format(time.DateTime), age}))
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			for i, row := range got.Rows {
				if i < len(want) && fmt.Sprint(row) != want[i] && !strings.Contains(want[i], " 30") {
					t.Fatalf("got %v, want %s", row, want[i])
				}
			}
			if len(got.Rows) != len(want) {
				t.Errorf("%d stays, want %d", len(got.Rows), len(want))
			}
			if tt.clock.Shift.FirstYear > 0 {
				query := "select count(distinct subject_id) from admissions where dischtime is null"
				if tt.schema.ID == "eicu" {
					query = "select count(distinct uniquepid) from patient where hospitaldischargetime is null"
				}
				if got, err := db.Query(t.Context(), query); err != nil || fmt.Sprint(got.Rows) != "[[4]]" {
					t.Errorf("patients in hospital now: %v, %v; want 4 of 40", got.Rows, err)
				}
			}
		})
	}
}

func TestPlausible(t *testing.T) {
	h := New(2, 120)
	died, labs := 0, 0
	ids := map[string]bool{}
	unique := func(kind string, id any) {
		key := fmt.Sprint(kind, id)
		if ids[key] {
			t.Errorf("%s %v twice", kind, id)
		}
		ids[key] = true
	}
	for _, p := range h.People {
		unique("subject", p.Subject)
		unique("pid", p.UniquePID)
		unique("name", p.Name)
		if p.Born.After(p.Stays[0].Admit.AddDate(-17, 0, 0)) {
			t.Errorf("patient %d is a child", p.Subject)
		}
		var before time.Time
		for i, s := range p.Stays {
			unique("hadm", s.Hadm)
			unique("visit", s.Visit)
			last := i == len(p.Stays)-1
			if !s.Admit.After(before) || !s.Discharge.After(s.Admit) || s.Expired && (!last || !p.Died.Equal(s.Discharge)) || s.Current() != (last && p.Died.IsZero() && s.Discharge.After(Now())) {
				t.Errorf("stay %d: %v to %v after %v", s.Hadm, s.Admit, s.Discharge, before)
			}
			before = s.Discharge
			if s.Expired {
				died++
			}
			inside := func(what string, at time.Time) {
				if at.Before(s.Admit) || at.After(s.Discharge) {
					t.Errorf("stay %d: %s at %v, out of %v to %v", s.Hadm, what, at, s.Admit, s.Discharge)
				}
			}
			for _, u := range s.Units {
				unique("unit", u.ID)
				inside("unit", u.In)
				inside("unit", u.Out)
				if !u.Out.After(u.In) {
					t.Errorf("unit %d: %v to %v", u.ID, u.In, u.Out)
				}
			}
			for i, move := range s.Transfers {
				inside("transfer", move.In)
				if i > 0 && !s.Transfers[i-1].Out.Equal(move.In) {
					t.Errorf("stay %d: a gap between wards", s.Hadm)
				}
			}
			for _, d := range slices.Concat(s.Diagnoses, s.Procedures) {
				inside("code", d.At)
			}
			for _, d := range s.Drugs {
				inside("drug", d.Start)
				inside("drug", d.End)
			}
			for _, l := range s.Labs {
				labs++
				inside("lab", l.At)
				item := LabNumbered(l.Item)
				if l.Value < item.floor || math.Abs(l.Value-item.mean) > 60*item.sd {
					t.Errorf("%s is %v", item.Label, l.Value)
				}
			}
			for _, v := range s.Vitals {
				inside("sign", v.At)
				if v.Diastolic >= v.Mean || v.Mean >= v.Systolic || v.SaO2 > 100 || v.Temperature > 42 {
					t.Errorf("stay %d: signs %v", s.Hadm, v.values())
				}
			}
			for _, f := range s.Fluids {
				inside("fluid", f.At)
			}
			for _, c := range s.Cultures {
				inside("culture", c.At)
			}
		}
	}
	if share := float64(died) / float64(len(h.People)); share < 0.04 || share > 0.3 {
		t.Errorf("%.0f %% die in hospital", 100*share)
	}
	if labs < 100*len(h.People) {
		t.Errorf("%d lab values for %d patients", labs, len(h.People))
	}
}

// TestCoherent: what people have shows in what is measured and given.
func TestCoherent(t *testing.T) {
	h := New(3, 150)
	mean := func(lab int64, code string, has bool) float64 {
		sum, n := 0.0, 0.0
		for _, p := range h.People {
			for _, s := range p.Stays {
				if slices.ContainsFunc(s.Diagnoses, func(c Coded) bool { return c.Code == code }) != has {
					continue
				}
				for _, l := range s.Labs {
					if l.Item == lab {
						sum, n = sum+l.Value, n+1
					}
				}
			}
		}
		return sum / n
	}
	for _, tt := range []struct {
		lab    int64
		code   string
		higher bool
	}{{50931, "25000", true}, {50912, "5849", true}, {51222, "2851", false}, {51301, "99591", true}, {51003, "41071", true}, {50885, "5715", true}, {50983, "2761", false}} {
		with, without := mean(tt.lab, tt.code, true), mean(tt.lab, tt.code, false)
		if (with > without) != tt.higher || math.IsNaN(with) {
			t.Errorf("%s with %s: %.2f, without %.2f", LabNumbered(tt.lab).Label, tt.code, with, without)
		}
	}
	for _, p := range h.People {
		for _, s := range p.Stays {
			if slices.ContainsFunc(s.Diagnoses, func(c Coded) bool { return c.Code == "25013" }) && !slices.ContainsFunc(s.Labs, func(l Lab) bool { return l.Item == 50931 }) {
				t.Errorf("stay %d: ketoacidosis and no glucose", s.Hadm)
			}
		}
	}
}

func TestVocabulary(t *testing.T) {
	seen := map[string]bool{}
	once := func(kind, name string) {
		if key := kind + strings.ToLower(name); seen[key] || name == "" {
			t.Errorf("%s %q twice or empty", kind, name)
		} else {
			seen[key] = true
		}
	}
	m := newMaker(0)
	signs := map[string]bool{}
	for _, key := range signKeys {
		signs[key] = true
	}
	for _, d := range conditions {
		once("code", d.Code)
		once("short", d.Short)
		once("long", d.Long)
		once("path", PathName(d.Path))
		once("key", d.key)
		for _, name := range d.drugs {
			if m.drugs[name] == nil {
				t.Errorf("%s: no drug %s", d.key, name)
			}
		}
		for _, next := range d.leads {
			if m.byKey[next.what] == nil {
				t.Errorf("%s: no condition %s", d.key, next.what)
			}
		}
		for _, panel := range d.labs {
			if m.panels[panel] == nil {
				t.Errorf("%s: no panel %s", d.key, panel)
			}
		}
		for _, care := range d.care {
			if procedureOf(care.what).Code == "" {
				t.Errorf("%s: no procedure %s", d.key, care.what)
			}
		}
		for _, name := range d.grows {
			if _, ok := m.specimen[name]; !ok {
				t.Errorf("%s: no specimen %s", d.key, name)
			}
		}
		for _, sign := range strings.Fields(d.signs) {
			if key := sign[:strings.IndexAny(sign, "+-")]; m.labs[key] == nil && !signs[key] {
				t.Errorf("%s: no sign %s", d.key, key)
			}
		}
	}
	for _, side := range alongside {
		if m.byKey[side.what] == nil {
			t.Errorf("no condition %s", side.what)
		}
	}
	for _, p := range procedures {
		once("procedure", p.Code)
		once("procedure short", p.Short)
		once("procedure path", PathName(p.Path))
	}
	for _, l := range labItems {
		once("lab", fmt.Sprint(l.ID))
		once("label", l.Label)
		once("lab name", l.EICU)
	}
	for _, f := range fluidItems {
		once("item", fmt.Sprint(f.ID))
		once("cell", f.EICU)
	}
	for _, d := range drugItems {
		once("drug", d.Name)
		once("medication", d.EICU)
	}
	for _, s := range specimens {
		for _, germ := range s.germs {
			if germItems[germ] == 0 {
				t.Errorf("germ %s has no item", germ)
			}
		}
	}
}

type memory struct {
	bytes.Buffer
	keep func([]byte)
}

func (m *memory) Close() error { m.keep(m.Bytes()); return nil }

func digest(t *testing.T, h *Hospital) map[string][32]byte {
	t.Helper()
	sums := map[string][32]byte{}
	create := func(name string) (io.WriteCloser, error) {
		return &memory{keep: func(data []byte) {
			if _, twice := sums[name]; twice {
				t.Errorf("%s twice", name)
			}
			rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
			if err != nil || len(rows) == 0 {
				t.Errorf("%s: %d rows, %v", name, len(rows), err)
			}
			sums[name] = sha256.Sum256(data)
		}}, nil
	}
	if err := errors.Join(h.MIMIC(t.Context(), create, h.Chart(NoteOptions{})), h.EICU(t.Context(), create)); err != nil {
		t.Fatal(err)
	}
	return sums
}

func TestDeterministic(t *testing.T) {
	first := digest(t, New(5, 12))
	if !maps.Equal(first, digest(t, New(5, 12))) {
		t.Error("the same seed gave another hospital")
	}
	other := digest(t, New(6, 12))
	for _, name := range []string{"PATIENTS.csv", "LABEVENTS.csv", "patient.csv"} {
		if first[name] == other[name] {
			t.Errorf("another seed gave the same %s", name)
		}
	}
	small, large := New(7, 3), New(7, 9)
	for i, p := range small.People {
		if fmt.Sprint(*p.Stays[0]) == "" || p.Subject != large.People[i].Subject || len(p.Stays) != len(large.People[i].Stays) || !slices.Equal(p.Stays[0].Labs, large.People[i].Stays[0].Labs) {
			t.Errorf("patient %d is another one in the larger hospital", i)
		}
	}
}

// TestPatientsFor: a download of a handful of rows is small, and none is larger than
// EHRSQL's databases.
func TestPatientsFor(t *testing.T) {
	if n := PatientsFor(1e6); n != MaxPatients {
		t.Errorf("%d patients for many rows", n)
	}
	h, size := New(1, PatientsFor(40)), 0
	create := func(string) (io.WriteCloser, error) {
		return &memory{keep: func(data []byte) { size += len(data) }}, nil
	}
	if err := errors.Join(h.MIMIC(t.Context(), create, h.Chart(NoteOptions{Wrong: 0.3})), h.EICU(t.Context(), create)); err != nil {
		t.Fatal(err)
	}
	if len(h.People) < 10 || size > 2<<20 {
		t.Errorf("%d patients and %d KB for 40 rows", len(h.People), size>>10)
	}
}

type broken struct{ at int }

func (b *broken) Write(p []byte) (int, error) {
	if b.at -= len(p); b.at < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func (b *broken) Close() error { return nil }

func TestFaults(t *testing.T) {
	h := New(1, 3)
	full := func(name string) (io.WriteCloser, error) { return &broken{at: 4000}, nil }
	for _, write := range []func() error{func() error { return h.MIMIC(t.Context(), full, nil) }, func() error { return h.EICU(t.Context(), full) }} {
		if err := write(); err == nil || !strings.Contains(err.Error(), "disk full") || !strings.Contains(err.Error(), ".csv") {
			t.Errorf("got %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.MIMIC(ctx, folder(t.TempDir()), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
