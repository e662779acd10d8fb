package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

// expectation is what read.py is told.
type expectation struct {
	Tables map[string][]column `json:"tables"`
	Files  []file              `json:"files"` // in the order of their names
}

// column is a name and a type as pyarrow writes it.
type column [2]string

type file struct {
	Path   string `json:"path"` // relative to the run folder
	Table  string `json:"table"`
	Rows   int64  `json:"rows"`
	Digest string `json:"digest"`
}

// expect reads every Parquet file below a run folder.
func expect(ctx context.Context, dir string) (expectation, error) {
	e := expectation{Tables: map[string][]column{}}
	for _, table := range schemas.Tables() {
		for _, f := range table.Arrow.Fields() {
			name, err := typeName(f.Type)
			if err != nil {
				return e, fmt.Errorf("%s.%s: %w", table.Name, f.Name, err)
			}
			e.Tables[table.Name] = append(e.Tables[table.Name], column{f.Name, name})
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err != nil {
		return e, fmt.Errorf("%s is no run folder: %w", dir, err)
	}
	paths, err := pq.Files(dir)
	if err != nil {
		return e, err
	}
	if len(paths) == 0 {
		return e, fmt.Errorf("%s holds no Parquet files", dir)
	}
	for _, path := range paths {
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return e, err
		}
		f := file{Path: filepath.ToSlash(rel)}
		if err := f.read(ctx, path); err != nil {
			return e, err
		}
		e.Files = append(e.Files, f)
	}
	return e, nil
}

// read finds out a file's table, by its place in the run folder, and digests it.
func (f *file) read(ctx context.Context, path string) (err error) {
	parts := strings.Split(f.Path, "/")
	f.Table = parts[0]
	if f.Table == "datasets" && len(parts) == 4 {
		f.Table = parts[2]
	}
	switch f.Table {
	case "tasks":
		f.Rows, f.Digest, err = digest[schemas.Task](ctx, path)
	case "screening":
		f.Rows, f.Digest, err = digest[schemas.ScreenedTask](ctx, path)
	case "validation":
		f.Rows, f.Digest, err = digest[schemas.TaskValidation](ctx, path)
	case "trajectories":
		f.Rows, f.Digest, err = digest[schemas.Trajectory](ctx, path)
	case schemas.ConfigSFT:
		f.Rows, f.Digest, err = digest[schemas.SFT](ctx, path)
	case schemas.ConfigDPO:
		f.Rows, f.Digest, err = digest[schemas.DPO](ctx, path)
	case schemas.ConfigVerifier:
		f.Rows, f.Digest, err = digest[schemas.Verifier](ctx, path)
	default:
		return fmt.Errorf("%s belongs to no table", path)
	}
	return err
}

// typeName is an Arrow type in pyarrow's words.
func typeName(t arrow.DataType) (string, error) {
	switch t := t.(type) {
	case *arrow.StringType:
		return "string", nil
	case *arrow.Float64Type:
		return "double", nil
	case *arrow.Int32Type, *arrow.Int64Type, *arrow.BooleanType:
		return t.Name(), nil
	case *arrow.TimestampType:
		return fmt.Sprintf("timestamp[%s, tz=%s]", t.Unit, t.TimeZone), nil
	case *arrow.ListType:
		element, err := typeName(t.Elem())
		if !t.ElemField().Nullable {
			element += " not null"
		}
		return "list<element: " + element + ">", err
	case *arrow.StructType:
		var fields []string
		for _, f := range t.Fields() {
			name, err := typeName(f.Type)
			if err != nil {
				return "", err
			}
			fields = append(fields, f.Name+": "+name)
		}
		return "struct<" + strings.Join(fields, ", ") + ">", nil
	}
	return "", fmt.Errorf("the type %s is not in the contract", t)
}

// digest is the SHA-256 of every value of a file in order, so that any reader can
// make the same: n for null (an empty text and an empty list are null), t with
// length and bytes of a text, f with the bits of a float64, i with an int64, b0 or
// b1, l with the length of a list. Structs are their fields, a null one null fields.
func digest[T any](ctx context.Context, path string) (int64, string, error) {
	h := sha256.New()
	var rows int64
	for row, err := range pq.ReadFile[T](ctx, path) {
		if err != nil {
			return 0, "", err
		}
		rows++
		put(h, reflect.ValueOf(row), reflect.TypeFor[T]())
	}
	return rows, hex.EncodeToString(h.Sum(nil)), nil
}

var timeType = reflect.TypeFor[time.Time]()

// put digests a value of type t; the zero Value is null.
func put(h hash.Hash, v reflect.Value, t reflect.Type) {
	number := func(mark byte, n uint64) {
		_, _ = h.Write(binary.BigEndian.AppendUint64([]byte{mark}, n)) // never fails
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
		if v.IsValid() {
			v = v.Elem()
		}
	}
	switch {
	case t == timeType:
		if v.IsValid() {
			number('i', uint64(v.Interface().(time.Time).UnixMicro()))
			return
		}
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			field := reflect.Value{}
			if v.IsValid() {
				field = v.Field(i)
			}
			// The numbers of Prefix stand for null when they are zero.
			if t == reflect.TypeFor[schemas.Prefix]() && field.IsValid() && field.IsZero() {
				field = reflect.Value{}
			}
			put(h, field, t.Field(i).Type)
		}
		return
	case !v.IsValid():
	case t.Kind() == reflect.Slice && v.Len() > 0:
		number('l', uint64(v.Len()))
		for i := range v.Len() {
			put(h, v.Index(i), t.Elem())
		}
		return
	case t.Kind() == reflect.String && v.Len() > 0:
		number('t', uint64(v.Len()))
		_, _ = io.WriteString(h, v.String())
		return
	case t.Kind() == reflect.Float64:
		number('f', math.Float64bits(v.Float()))
		return
	case t.Kind() == reflect.Int32, t.Kind() == reflect.Int64:
		number('i', uint64(v.Int()))
		return
	case t.Kind() == reflect.Bool && v.Bool():
		_, _ = io.WriteString(h, "b1")
		return
	case t.Kind() == reflect.Bool:
		_, _ = io.WriteString(h, "b0")
		return
	}
	_, _ = io.WriteString(h, "n")
}
