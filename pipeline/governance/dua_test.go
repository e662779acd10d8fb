package governance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/strict"
)

var (
	noon  = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	needs = []Need{
		{Source: "icu", Tier: "credentialed", Agreement: "Health Data Use Agreement", Version: "1.5.0", Apply: "https://example.org/icu"},
		{Source: "ward", Tier: "credentialed", Agreement: "Health Data Use Agreement", Version: "1.5.0", Apply: "https://example.org/ward"},
		{Source: "campus", Tier: "separate", Agreement: "Campus Agreement", Apply: "https://example.org/campus"},
	}
	sources = []string{"icu", "ward", "campus", "free"}
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), File)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const good = `# who signed what
records:
  - sources: [icu, ward]
    agreement: health data  use agreement
    version: 1.5.0
    holder: Jane Doe
    signed: 2026-01-31
    expires: 2027-01-31
    training: CITI Data or Specimens Only Research, 2025-11-02
    location: [/data/icu, ward]
    note: approved
  - sources: campus
    agreement: Campus Agreement
    holder: "Jane Doe"
    signed: "2026-06-15"
    training: campus course
    location: /data/campus
`

func TestReadRecords(t *testing.T) {
	path := write(t, good)
	records, err := ReadRecords(path, needs, sources, noon)
	if err != nil {
		t.Fatal(err)
	}
	if len(records.List) != 2 {
		t.Fatalf("%d records", len(records.List))
	}
	r, err := records.Permit(needs[1], noon)
	if err != nil {
		t.Fatal(err)
	}
	if r.Holder != "Jane Doe" || r.Signed != "2026-01-31" || r.Expires != "2027-01-31" || r.Line != 3 || r.At() != path+":3" || r.Synthetic() {
		t.Errorf("%+v", r)
	}
	for place, want := range map[string]bool{
		"/data/icu": true, "/data/icu/deep": true, filepath.Join(filepath.Dir(path), "ward"): true,
		"/data": false, "/data/icu-2": false, filepath.Dir(path): false,
	} {
		if got := r.Holds(place); got != want {
			t.Errorf("holds %s: %v", place, got)
		}
	}
	used := r.Use(needs[1])
	if used.Source != "ward" || used.Agreement != "health data  use agreement 1.5.0" || used.Record != path+":3" {
		t.Errorf("%+v", used)
	}
}

// A record may name where the data lie by a link.
func TestHoldsLinked(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(real, 0o700), os.Symlink(real, link)); err != nil {
		t.Fatal(err)
	}
	if r := (Record{Locations: []string{link}}); !r.Holds(filepath.Join(real)) {
		t.Error("the place that a link leads to is not held")
	}
}

func TestRecordFaults(t *testing.T) {
	const rest = "\n    holder: H\n    signed: 2026-01-31\n    training: T\n    location: /d\n"
	const campus = "records:\n  - sources: campus\n    agreement: Campus Agreement"
	tests := []struct {
		name, text string
		line       int64
		want       string
	}{
		{"empty", "", 0, "is empty"},
		{"a comment alone", "# nothing\n", 0, "is empty"},
		{"no YAML", "records:\n  - {sources: [\n", 2, "is not YAML"},
		{"not UTF-8", "records: \"\xff\"", 0, "is not UTF-8"},
		{"a list", "- records\n", 1, "the file is not a mapping"},
		{"no records", "{}\n", 1, "there is no list records"},
		{"records as text", "records: all\n", 1, "there is no list records"},
		{"null record", "records:\n  -\n", 2, "a record is not a mapping"},
		{"two documents", "records: []\n---\nrecords: []\n", 2, "is a second document"},
		{"unknown key of the file", "records: []\nallow: all\n", 2, `unknown key "allow" in the file; known: records`},
		{"unknown key of a record", campus + rest + "    signd: 2026-01-31\n", 8, `unknown key "signd" in a record; known: sources, agreement`},
		{"a key twice", campus + rest + "    holder: H\n", 8, `key "holder" is there twice`},
		{"anchor", "records:\n  - &a\n    sources: campus\n", 2, "anchors and aliases"},
		{"alias", "records:\n  - *a\n", 0, "is not YAML"},
		{"missing key", "records:\n  - sources: campus\n    agreement: Campus Agreement\n    holder: H\n    training: T\n    location: /d\n", 2, "the record has no signed"},
		{"no sources", "records:\n  - agreement: Campus Agreement" + rest, 2, "the record has no sources"},
		{"no source", "records:\n  - sources: []\n    agreement: Campus Agreement" + rest, 2, "sources is empty"},
		{"a source twice", "records:\n  - sources: [campus, campus]\n    agreement: Campus Agreement" + rest, 2, `sources names "campus" twice`},
		{"empty value", "records:\n  - sources: campus\n    agreement:\n", 3, "agreement is empty"},
		{"value of the template", "records:\n  - sources: campus\n    agreement: Campus Agreement\n    holder: <your name>\n", 4, "holder is still the one of the template"},
		{"a list for a text", "records:\n  - sources: campus\n    agreement: [Campus Agreement]\n", 3, "agreement is not a text"},
		{"many lines", "records:\n  - sources: campus\n    agreement: |\n      Campus\n      Agreement\n", 3, "agreement holds a control character"},
		{"no date", "records:\n  - sources: campus\n    agreement: Campus Agreement\n    holder: H\n    signed: last spring\n", 5, "signed is not a date"},
		{"no such day", "records:\n  - sources: campus\n    agreement: Campus Agreement\n    holder: H\n    signed: 2026-02-30\n", 5, "signed is not a date"},
		{"signed tomorrow", "records:\n  - sources: campus\n    agreement: Campus Agreement\n    holder: H\n    signed: 2026-06-16\n    training: T\n    location: /d\n", 5, "signed is 2026-06-16, in the future"},
		{"expired before signed", campus + rest + "    expires: 2025-01-31\n", 8, "expires is 2025-01-31, before it was signed"},
		{"unknown source", "records:\n  - sources: camp\n    agreement: Campus Agreement" + rest, 2, `unknown source "camp"; known: icu, ward, campus, free`},
		{"open source", "records:\n  - sources: free\n    agreement: Campus Agreement" + rest, 2, "source free is open data and needs no record"},
		{"another agreement", "records:\n  - sources: icu\n    agreement: Campus Agreement" + rest, 3, `source icu needs the agreement "Health Data Use Agreement"`},
		{"old version", "records:\n  - sources: icu\n    agreement: Health Data Use Agreement\n    version: 1.4.0" + rest, 4, `source icu needs version "1.5.0"`},
		{"no version", "records:\n  - sources: icu\n    agreement: Health Data Use Agreement" + rest, 3, `source icu needs version "1.5.0"`},
		{"a version too many", campus + "\n    version: 2" + rest, 4, "has no version"},
		{"two records of a source", campus + rest + "  - sources: [campus]\n    agreement: Campus Agreement" + rest, 8, "source campus has a record already, at line 2"},
		{"synthetic without a word", "records:\n  - sources: icu\n    agreement: none\n", 2, "the record has no note"},
		{"synthetic with a holder", "records:\n  - sources: icu\n    agreement: none\n    note: made up\n    holder: H\n", 5, "a record without an agreement has no holder"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.text)
			_, err := ReadRecords(path, needs, sources, noon)
			var bad *pipeline.InputError
			if !errors.As(err, &bad) {
				t.Fatalf("%v", err)
			}
			if bad.File != path || bad.Line != tt.line || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("line %d, want %d: %v", bad.Line, tt.line, err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %v", err)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, strict.MaxBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{filepath.Join(dir, "none.yaml"): "cannot be read", dir: "is not a file", large: "is above"} {
		_, err := ReadRecords(path, needs, sources, noon)
		var bad *pipeline.InputError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPermit(t *testing.T) {
	records, err := ReadRecords(write(t, good), needs[:3], sources, noon)
	if err != nil {
		t.Fatal(err)
	}
	var refused *pipeline.PolicyError
	if _, err := records.Permit(needs[0], time.Date(2027, 1, 31, 23, 0, 0, 0, time.UTC)); err != nil {
		t.Errorf("refused on its last day: %v", err)
	}
	if _, err := records.Permit(needs[0], time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)); !errors.As(err, &refused) || !strings.Contains(err.Error(), "expired on 2027-01-31") {
		t.Errorf("%v", err)
	}
	_, err = (Records{}).Permit(needs[2], noon)
	if !errors.As(err, &refused) {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"source campus is separate data under the Campus Agreement", "none was found", "sources --dua-template", "--dua", "https://example.org/campus"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said: %v", want, err)
		}
	}
	used := InUse{Source: "icu", Expires: "2027-01-31", Record: "dua.yaml:3"}
	if err := used.Current(noon); err != nil {
		t.Error(err)
	}
	if err := used.Current(noon.AddDate(1, 0, 0)); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
}

// The template is refused as it is, and accepted once it is filled in.
func TestTemplate(t *testing.T) {
	text := Template(needs)
	_, err := ReadRecords(write(t, text), needs, sources, noon)
	var bad *pipeline.InputError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "still the one of the template") {
		t.Errorf("%v", err)
	}
	filled := strings.NewReplacer("<your name, as it was signed>", "Jane Doe", "signed: <2026-01-31>", "signed: 2026-01-31",
		"# expires: <2027-01-31>", "expires: 2027-01-31", "<certificate and its date>", "CITI, 2025", "<folder of the data; a list where there are several>", "/data").Replace(text)
	records, err := ReadRecords(write(t, filled), needs, sources, noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, need := range needs {
		if _, err := records.Permit(need, noon); err != nil {
			t.Error(err)
		}
	}
}

// Whatever is in the file, it is read without a panic, and what is accepted is
// whole.
func FuzzReadRecords(f *testing.F) {
	f.Add(good)
	f.Add(Template(needs))
	f.Add("records:\n  - sources: icu\n    agreement: none\n    note: made up\n")
	f.Add("records: [{}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := document{strict.Document{File: "dua.yaml"}}
		root, err := d.Parse([]byte(text))
		if err != nil {
			return
		}
		records, err := d.records(root, needs, sources, noon)
		if err != nil {
			return
		}
		for _, r := range records.List {
			whole := r.Holder != "" && r.Signed != "" && r.Training != "" && len(r.Locations) > 0
			if len(r.Sources) == 0 || r.Agreement == "" || !r.Synthetic() && !whole || r.Synthetic() && r.Note == "" {
				t.Errorf("accepted: %+v", r)
			}
		}
	})
}
