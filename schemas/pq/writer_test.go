package pq_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

func sftRows(n int, change map[int]string) []schemas.SFT {
	var rows []schemas.SFT
	for i := range n {
		text := fmt.Sprint("q", i)
		if c, ok := change[i]; ok {
			text = c
		}
		rows = append(rows, schemas.SFT{Prefix: schemas.Prefix{TaskID: fmt.Sprint("s/train/", i/3)},
			Messages: []schemas.Message{{Role: "user", Content: text}}})
	}
	return rows
}

func taskID(r schemas.SFT) string { return r.TaskID }

func TestWriter(t *testing.T) {
	dir := t.TempDir()
	rows := sftRows(50, nil)
	w := pq.NewWriter[schemas.SFT](dir, "train", pq.Options{Private: true})
	for _, row := range rows {
		if err := w.Add(row); err != nil {
			t.Fatal(err)
		}
	}
	files, err := w.Finish()
	if err != nil || len(files) != 1 || files[0].Rows != 50 || filepath.Base(files[0].Path) != "train-00000-of-00001.parquet" {
		t.Fatalf("files %+v, %v", files, err)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	pulled := t.TempDir()
	if _, err := pq.WriteShards(t.Context(), pulled, "train", seq(rows...), pq.Options{}); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(files[0].Path)
	b, _ := os.ReadFile(filepath.Join(pulled, "train-00000-of-00001.parquet"))
	if len(a) == 0 || !bytes.Equal(a, b) {
		t.Error("pushed and pulled rows gave other bytes")
	}

	w = pq.NewWriter[schemas.SFT](t.TempDir(), "train", pq.Options{})
	if files, err := w.Finish(); err != nil || len(files) != 0 {
		t.Errorf("no rows: %+v, %v", files, err)
	}
	left := t.TempDir()
	w = pq.NewWriter[schemas.SFT](left, "train", pq.Options{})
	if err := w.Add(rows[0]); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(left); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// Every row lands in one shard, in order, with all rows of its key; changing a row
// changes the bytes of its shard only.
func TestHashShards(t *testing.T) {
	const n = 7 // more than are open at once
	rows := sftRows(300, nil)
	write := func(rows []schemas.SFT) []pq.File {
		t.Helper()
		files, err := pq.WriteHashShards(t.Context(), t.TempDir(), "train", n, taskID, seq(rows...), pq.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	before := write(rows)
	if len(before) != n {
		t.Fatalf("%d files", len(before))
	}
	var total int64
	for i, f := range before {
		if want := fmt.Sprintf("train-%05d-of-%05d.parquet", i, n); filepath.Base(f.Path) != want {
			t.Errorf("file %s, want %s", f.Path, want)
		}
		last := -1
		var read int64
		for row, err := range pq.ReadFile[schemas.SFT](t.Context(), f.Path) {
			if err != nil {
				t.Fatal(err)
			}
			var at int
			if _, err := fmt.Sscanf(row.Messages[0].Content, "q%d", &at); err != nil || at <= last {
				t.Fatalf("row %d after %d, %v", at, last, err)
			}
			if pq.ShardOf(row.TaskID, n) != uint64(i) {
				t.Errorf("%s is in shard %d", row.TaskID, i)
			}
			last = at
			read++
		}
		if read != f.Rows {
			t.Errorf("%s has %d rows, not %d", f.Path, read, f.Rows)
		}
		total += read
	}
	if total != int64(len(rows)) {
		t.Errorf("%d rows of %d", total, len(rows))
	}
	changed := int(pq.ShardOf(rows[100].TaskID, n))
	for i, f := range write(sftRows(300, map[int]string{100: "another"})) {
		if same := f.SHA256 == before[i].SHA256; same == (i == changed) {
			t.Errorf("shard %d: same %v, changed shard is %d", i, same, changed)
		}
	}
}

func TestHashShardsWithoutRows(t *testing.T) {
	dir := t.TempDir()
	files, err := pq.WriteHashShards(t.Context(), dir, "train", 3, taskID, seq(sftRows(1, nil)...), pq.Options{})
	if err != nil || len(files) != 3 {
		t.Fatalf("files %+v, %v", files, err)
	}
	var rows int
	for _, err := range pq.ReadDir[schemas.SFT](t.Context(), dir) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
	}
	if rows != 1 {
		t.Errorf("%d rows", rows)
	}
}

func TestHashShardsLeaveNothingOnError(t *testing.T) {
	dir := t.TempDir()
	broken := errors.New("broken")
	passes := 0
	var rows iter.Seq2[schemas.SFT, error] = func(yield func(schemas.SFT, error) bool) {
		passes++
		for _, row := range sftRows(30, nil) {
			if !yield(row, nil) {
				return
			}
		}
		if passes == 2 {
			yield(schemas.SFT{}, broken)
		}
	}
	if _, err := pq.WriteHashShards(t.Context(), dir, "train", 6, taskID, rows, pq.Options{}); !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}
