package score

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/jsonl"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

// The faults of a file of scores. With Options.Partial they are counted by these
// names, without it the first one ends the stage.
const (
	faultLine     = "line"         // too long, or not UTF-8
	faultJSON     = "json"         // not a JSON object of the three members, each once and of its type
	faultID       = "no_id"        // trajectory_id is missing or empty
	faultScore    = "no_score"     // score is missing, null or NaN
	faultRange    = "out_of_range" // score is not 0 to 1
	faultVerifier = "verifier"     // the row is another verifier's than the first one
	faultDouble   = "double"       // the id stands more than once: none of its rows counts
	faultUnknown  = "unknown"      // there is no such trajectory
)

const (
	maxRowBytes = 64 << 10
	maxRows     = math.MaxUint32
)

// sayings tell what is wrong with a row, and what to do.
var sayings = map[string][2]string{
	faultLine:     {"is longer than 64 KiB or not UTF-8", "write one row a line"},
	faultJSON:     {`is not a JSON object with the members trajectory_id, score and perhaps verifier, each once`, `write {"trajectory_id": "…", "score": 0.5}`},
	faultID:       {"has no trajectory_id", "take the ids from the column trajectory_id of trajectories/"},
	faultScore:    {"has no score", "leave out rows without one, and use --partial"},
	faultRange:    {"has a score that is not 0 to 1", "a score is the probability that the trajectory is right"},
	faultVerifier: {"names another verifier than the first row", "scores of two verifiers cannot be compared: make a file for each"},
	faultUnknown:  {"is about a trajectory that is not in this run folder", "score the trajectories that it holds now, or use --partial, which leaves such rows out"},
}

// scores are what a file says.
type scores struct {
	table
	path     string
	rows     bool   // what is counted are rows of Parquet, not lines
	verifier string // that all rows name; empty: none
	partial  bool
	faults   map[string]int
	read     uint32
}

// scoreRow is a row of a file of scores, as JSON.
type scoreRow struct {
	ID       string   `json:"trajectory_id"`
	Score    *float64 `json:"score"`
	Verifier string   `json:"verifier"`
}

// readScores reads a file of scores: JSON Lines, which may be packed (.gz), or
// Parquet. Memory grows by 32 bytes a row.
func readScores(ctx context.Context, path string, partial bool) (*scores, error) {
	s := &scores{path: path, partial: partial, faults: map[string]int{}}
	var err error
	if strings.HasSuffix(path, ".parquet") {
		s.rows = true
		err = s.parquet(ctx)
	} else {
		err = s.lines(ctx)
	}
	if err != nil {
		return nil, err
	}
	s.sort()
	gone, second, first := s.single()
	if gone > 0 && !partial {
		return nil, s.bad(second, fmt.Sprintf("is about the same trajectory as %s", s.at(first)), "leave one of the two")
	}
	s.count(faultDouble, gone)
	if s.read == 0 {
		return nil, pipeline.BadInput(path, 0, "holds no row", `write {"trajectory_id": "…", "score": 0.5} for each trajectory`)
	}
	return s, nil
}

func (s *scores) lines(ctx context.Context) error {
	err := jsonl.ReadFile(ctx, s.path, jsonl.Options{Max: maxRowBytes}, func(line jsonl.Line) error {
		if line.Number > maxRows {
			return pipeline.BadInput(s.path, 0, "has too many lines", "make several files")
		}
		row, fault := parseRow(line)
		return s.row(uint32(line.Number), row, fault)
	})
	var fault *jsonl.Error
	if errors.As(err, &fault) {
		return &pipeline.InputError{File: s.path, Line: fault.Line, What: "cannot be read", Err: fault.Err}
	}
	return err
}

// parseRow reads a line strictly. The fault holds nothing of it.
func parseRow(line jsonl.Line) (row scoreRow, fault string) {
	if line.Fault != "" {
		return scoreRow{}, faultLine
	}
	if jsontext.Value(line.Data).Kind() != '{' || json.Unmarshal(line.Data, &row, json.RejectUnknownMembers(true)) != nil {
		return scoreRow{}, faultJSON
	}
	return row, ""
}

// parquetRow and namedRow are the rows of Parquet files.
type parquetRow struct {
	ID    string   `parquet:"trajectory_id,optional"`
	Score *float64 `parquet:"score,optional"`
}

type namedRow struct {
	ID       string   `parquet:"trajectory_id,optional"`
	Score    *float64 `parquet:"score,optional"`
	Verifier string   `parquet:"verifier,optional"`
}

func (s *scores) parquet(ctx context.Context) error {
	columns, err := pq.Columns(s.path)
	if err != nil {
		return &pipeline.InputError{File: s.path, What: "cannot be read as Parquet", Err: cause(err)}
	}
	kinds := map[string]string{}
	for _, c := range columns {
		kinds[c.Name] = c.Kind
		want, known := map[string]string{"trajectory_id": "BYTE_ARRAY", "score": "DOUBLE", "verifier": "BYTE_ARRAY"}[c.Name]
		if !known {
			return pipeline.BadInput(s.path, 0, "has a column beside trajectory_id, score and verifier", "write only these")
		}
		if c.Kind != want && !(want == "DOUBLE" && c.Kind == "FLOAT") || c.Repeated {
			return pipeline.BadInput(s.path, 0, "has a column "+c.Name+" of another type", "trajectory_id and verifier are strings, score is a float64")
		}
	}
	if kinds["trajectory_id"] == "" || kinds["score"] == "" {
		return pipeline.BadInput(s.path, 0, "has no column trajectory_id or no column score", "write both")
	}
	if kinds["verifier"] == "" {
		err = eachRow(ctx, s, func(r parquetRow) scoreRow { return scoreRow{r.ID, r.Score, ""} })
	} else {
		err = eachRow(ctx, s, func(r namedRow) scoreRow { return scoreRow(r) })
	}
	return err
}

func eachRow[T any](ctx context.Context, s *scores, plain func(T) scoreRow) error {
	n := uint32(0)
	for row, err := range pq.ReadFile[T](ctx, s.path) {
		if err != nil && ctx.Err() == nil {
			err = &pipeline.InputError{File: s.path, What: "cannot be read as Parquet", Err: cause(err)}
		}
		if err != nil {
			return err
		}
		if n == maxRows {
			return pipeline.BadInput(s.path, 0, "has too many rows", "make several files")
		}
		n++
		if err := s.row(n, plain(row), ""); err != nil {
			return err
		}
	}
	return nil
}

// cause drops the path from an error: InputError names it.
func cause(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return errors.New("the file is damaged")
}

// row takes a row, or says what is wrong with it.
func (s *scores) row(n uint32, row scoreRow, fault string) error {
	s.read++
	switch {
	case fault != "":
	case row.ID == "":
		fault = faultID
	case row.Score == nil || math.IsNaN(*row.Score):
		fault = faultScore
	case *row.Score < 0 || *row.Score > 1:
		fault = faultRange
	case len(s.entries) > 0 && row.Verifier != s.verifier, !utf8.ValidString(row.Verifier):
		fault = faultVerifier
	}
	if fault != "" {
		if !s.partial {
			return s.bad(n, sayings[fault][0], sayings[fault][1])
		}
		s.count(fault, 1)
		return nil
	}
	s.verifier = row.Verifier
	s.add(row.ID, *row.Score+0, n, 0) // minus nothing becomes nothing
	return nil
}

func (s *scores) count(fault string, n int) {
	if n > 0 {
		s.faults[fault] += n
	}
}

// settle counts the rows that no trajectory has asked for.
func (s *scores) settle() error {
	n, line := s.unseen()
	if n > 0 && !s.partial {
		return s.bad(line, sayings[faultUnknown][0], sayings[faultUnknown][1])
	}
	s.count(faultUnknown, n)
	return nil
}

// bad is a fault of a row.
func (s *scores) bad(n uint32, what, do string) error {
	if s.rows {
		return pipeline.BadInput(s.path, 0, fmt.Sprintf("row %d %s", n, what), do)
	}
	return pipeline.BadInput(s.path, int64(n), what, do)
}

func (s *scores) at(n uint32) string {
	if s.rows {
		return fmt.Sprintf("row %d", n)
	}
	return fmt.Sprintf("line %d", n)
}

// digestFile is the digest of a file of scores.
func digestFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return "", pipeline.BadInput(path, 0, "is no regular file", "name a file of JSON Lines or Parquet")
	}
	if err != nil {
		return "", &pipeline.InputError{File: path, What: "cannot be read", Err: cause(err)}
	}
	f, err := os.Open(path)
	if err != nil {
		return "", &pipeline.InputError{File: path, What: "cannot be read", Err: cause(err)}
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", &pipeline.InputError{File: path, What: "cannot be read", Err: cause(err)}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
