package medagentbench

import (
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/datasets/fhir"
	"github.com/medgym-data/medgym-data/schemas"
)

// TestRemoteAgrees reads the same rows over files and over a server with the same
// resources: the answers must be the same.
func TestRemoteAgrees(t *testing.T) {
	dir := synthesize(t, datasets.SynthOptions{Train: 30, Test: 20, Seed: 2})
	files := datasettest.Normalize(t, New(), dir, "").Tasks

	store, err := New().(*Source).data.open(t.Context(), datasettest.Dir{Root: dir})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(store.Handler())
	defer server.Close()
	if err := os.RemoveAll(filepath.Join(dir, "fhir")); err != nil {
		t.Fatal(err)
	}
	out := &datasettest.Collector{Source: "medagentbench"}
	raw := datasettest.Dir{Root: dir, LayoutID: "medagentgym", Options: map[string]string{urlOption: server.URL + "/fhir"}}
	if err := New().Normalize(t.Context(), raw, out); err != nil {
		t.Fatal(err)
	}
	for i, task := range out.Tasks {
		if task.Answer != files[i].Answer || task.Status != files[i].Status || len(task.Resources) != 0 {
			t.Errorf("%s: %s over a server, %s over files", task.TaskID, task.Status, files[i].Status)
		}
	}
	if len(out.Tasks) != 50 {
		t.Errorf("%d tasks, want 50", len(out.Tasks))
	}

	server.Close()
	if err := New().Normalize(t.Context(), raw, &datasettest.Collector{}); err == nil {
		t.Error("a server that is gone gives tasks")
	}
	raw.Options[urlOption] = "ftp://nowhere"
	if err := New().Normalize(t.Context(), raw, &datasettest.Collector{}); err == nil {
		t.Error("a URL that is none gives tasks")
	}
}

func TestLoaderKeepsItsData(t *testing.T) {
	a, b := synthesize(t, datasets.SynthOptions{Test: 3, Seed: 1}), synthesize(t, datasets.SynthOptions{Test: 3, Seed: 2})
	var l loader
	open := func(dir string) fhir.Source {
		source, err := l.open(t.Context(), datasettest.Dir{Root: dir})
		if err != nil {
			t.Fatal(err)
		}
		return source
	}
	first := open(a)
	if open(a) != first {
		t.Error("the same files are loaded twice")
	}
	if open(b) == first {
		t.Error("other files give the data of the first ones")
	}
	if source := open(t.TempDir()); source != nil {
		t.Error("no files give data")
	}
	writeFile(t, filepath.Join(a, "fhir", "more.ndjson"), []byte("{\"resourceType\":\"Patient\"}\n"))
	if _, err := l.open(t.Context(), datasettest.Dir{Root: a}); err == nil || !strings.Contains(err.Error(), "fhir/more.ndjson:1") {
		t.Errorf("a patient without an id: %v", err)
	}
}

func TestFurnishNeedsData(t *testing.T) {
	if _, err := New().(*Source).Furnish(t.Context(), schemas.Task{TaskID: "t"}, datasettest.Dir{Root: t.TempDir()}); err == nil {
		t.Error("a session without FHIR data")
	}
}

// Two sessions over one source see nothing of each other's POSTs.
func TestSessionsAreApart(t *testing.T) {
	raw := datasettest.Dir{Root: synthesize(t, datasets.SynthOptions{Test: 1})}
	source := New().(*Source)
	services := make([]datasets.Service, 2)
	for i := range services {
		session, err := source.Furnish(t.Context(), schemas.Task{}, raw)
		if err != nil {
			t.Fatal(err)
		}
		services[i] = session.Services[0]
	}
	w := httptest.NewRecorder()
	services[0].Handler.ServeHTTP(w, httptest.NewRequest("POST", "/fhir/Observation", strings.NewReader(string(posted(bloodPressure, "S1")))))
	if w.Code != 201 {
		t.Fatalf("status %d", w.Code)
	}
	if services[1].Drain() != nil {
		t.Error("a POST reached another session")
	}
	records, err := readRecords(services[0].Drain())
	if err != nil || len(records) != 1 || records[0].URL != fhir.BaseURL+"Observation" {
		t.Errorf("%v, %v", records, err)
	}
	if services[0].Drain() != nil {
		t.Error("a POST is drained twice")
	}
}

func TestFactor(t *testing.T) {
	tests := []struct {
		a        analyte
		from, to string
		want     float64 // 0: cannot be converted
	}{
		{magnesium, "mg/dL", "mg/dl", 1}, {magnesium, "", "mg/dl", 1}, {magnesium, "mmol/L", "mg/dl", 2.4305}, {magnesium, " mEq / L ", "mg/dl", 1.21525},
		{glucose, "mmol/L", "mg/dl", 18.0156}, {glucose, "mEq/L", "mg/dl", 0}, {glucose, "g/L", "mg/dl", 0},
		{potassium, "mmol/L", "meq/l", 1}, {potassium, "mg/dL", "meq/l", 1 / 3.90983}, {analyte{}, "%", "", 1}, {analyte{}, "mmol/L", "mg/dl", 0},
	}
	for _, test := range tests {
		got, ok := test.a.factor(test.from, test.to)
		if ok != (test.want != 0) || ok && math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%q to %q: %v, %v; want %v", test.from, test.to, got, ok, test.want)
		}
	}
}

func TestMeasurements(t *testing.T) {
	now := releaseClock()
	seen := func(value, at, status string) observation {
		o := observation{EffectiveDateTime: at, Status: status}
		o.ValueQuantity.Value = []byte(value)
		return o
	}
	list := []observation{
		seen("1", "2023-11-12T10:15:00Z", "final"), seen("2", "2023-11-13T10:15:00Z", "final"), seen("3", "2023-11-13T10:15:01Z", "final"),
		seen("4", "2023-11-13T10:00:00Z", "entered-in-error"), seen("", "2023-11-13T10:00:00Z", "final"), seen("5", "", "final"),
		seen(`"6"`, "2023-11-13T10:00:00Z", "final"), seen("7", "2023-11-12T10:14:59Z", "amended"), seen("8", "2023-11-13T11:15:00+01:00", ""),
	}
	found, err := measurements(list, kinds[lastGlucose], now)
	if err != nil {
		t.Fatal(err)
	}
	values := func(list []measurement) (out []float64) {
		for _, m := range list {
			out = append(out, m.value)
		}
		return out
	}
	if got := values(found); !reflect.DeepEqual(got, []float64{1, 2, 7, 8}) {
		t.Errorf("measured: %v", got)
	}
	if got := values(since(found, now.Add(-24*time.Hour))); !reflect.DeepEqual(got, []float64{1, 2, 8}) {
		t.Errorf("within a day: %v", got)
	}
	if got := values(latest(found)); !reflect.DeepEqual(got, []float64{2, 8}) {
		t.Errorf("newest: %v", got)
	}
}

func TestYearsBetween(t *testing.T) {
	for born, want := range map[string]int{"1960-11-13": 63, "1960-11-14": 62, "1960-12-01": 62, "1960-02-29": 63, "2023-11-13": 0} {
		day, err := time.Parse(time.DateOnly, born)
		if err != nil {
			t.Fatal(err)
		}
		if got := yearsBetween(day, releaseClock()); got != want {
			t.Errorf("%s: %d, want %d", born, got, want)
		}
	}
}
