package score

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
)

func extra(text string) (out map[string]jsontext.Value) {
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		panic(err)
	}
	return out
}

func TestTable(t *testing.T) {
	var tab table
	for i := range 1000 {
		tab.add(fmt.Sprint((i*7919)%900), float64(i), uint32(i+1), 0)
	}
	tab.sort()
	gone, second, first := tab.single()
	if gone != 200 || second != 901 || first != 1 || len(tab.entries) != 800 {
		t.Errorf("%d gone, %d as %d, %d left", gone, second, first, len(tab.entries))
	}
	for i := 100; i < 900; i++ {
		e := tab.find(fmt.Sprint((i * 7919) % 900))
		if e == nil || e.score != float64(i) || e.line != uint32(i+1) {
			t.Fatalf("entry %d: %+v", i, e)
		}
		e.seen = i != 500
	}
	if tab.find("0") != nil || tab.find("nobody") != nil {
		t.Error("what is not there is found")
	}
	if n, line := tab.unseen(); n != 1 || line != 501 {
		t.Errorf("%d unseen, line %d", n, line)
	}
}

// Whatever a file holds, reading it ends with scores of 0 to 1 or a fault that names
// the file and holds nothing of it.
func FuzzReadScores(f *testing.F) {
	f.Add([]byte(`{"trajectory_id":"a","score":0.5}`+"\n"+`{"trajectory_id":"b","score":1,"verifier":"v"}`), false)
	f.Add([]byte("\xef\xbb\xbf"+`{"trajectory_id":"a","score":1e-400}`+"\r\n\r\n"), false)
	f.Add([]byte(`{"score":-0.0,"trajectory_id":"a"}`+"\n[]\nnull\n"+`{"trajectory_id":"a","score":1e999}`), false)
	var rows []namedRow
	for i := range 3 {
		rows = append(rows, namedRow{fmt.Sprint(i), schemas.Ptr(float64(i) / 2), "v"})
	}
	parquet, err := os.ReadFile(writeParquet(f, rows))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(parquet, true)
	f.Add(parquet[:len(parquet)-9], true)
	f.Add(bytes.Replace(parquet, []byte("score"), []byte("scare"), 1), true)
	f.Fuzz(func(t *testing.T, data []byte, parquet bool) {
		path := filepath.Join(t.TempDir(), "scores.jsonl")
		if parquet {
			path = filepath.Join(t.TempDir(), "scores.parquet")
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		strict, err := readScores(t.Context(), path, false)
		partial, lax := readScores(t.Context(), path, true)
		for _, err := range []error{err, lax} {
			var bad *pipeline.InputError
			if err != nil && (!errors.As(err, &bad) || bad.File != path || strings.Contains(bad.What, "\n")) {
				t.Fatalf("%v", err)
			}
		}
		if err == nil && (lax != nil || len(partial.entries) != len(strict.entries) || len(partial.faults) != 0) {
			t.Fatalf("what is sound is at fault when read in part: %v, %v", lax, partial)
		}
		if lax != nil {
			return
		}
		counted := len(partial.entries)
		for _, n := range partial.faults {
			counted += n
		}
		if counted != int(partial.read) {
			t.Fatalf("%d of %d rows are accounted for", counted, partial.read)
		}
		for _, e := range partial.entries {
			if !(e.score >= 0 && e.score <= 1) || math.Signbit(e.score) || e.line == 0 {
				t.Fatalf("%+v", e)
			}
		}
	})
}
