package grading

import (
	"cmp"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Scalar is one value in normal form, in which database answers are compared:
// text without case and surrounding space; numbers and numerals by their value,
// but for digits that begin with a zero, which are codes and so text;
// booleans, and the texts true and false, as 1 and 0; dates and datetimes by
// their instant, whatever their format; durations in seconds.
type Scalar struct {
	class  class
	text   string  // classText; classInstant: RFC 3339
	number float64 // classNumber, classDuration
	exact  *big.Int
}

type class int8

const (
	classNumber class = iota
	classInstant
	classDuration
	classText
)

// Normal brings v into normal form; false for a value that equals nothing
// (Empty), that is no scalar, or that is infinite.
func (v Value) Normal() (Scalar, bool) {
	v = v.scalar()
	if v.Empty() {
		return Scalar{}, false
	}
	switch v.Kind {
	case Bool:
		if v.Bool {
			return integerScalar(big.NewInt(1)), true
		}
		return integerScalar(big.NewInt(0)), true
	case Int:
		return integerScalar(v.Int), true
	case Float, Decimal:
		return numberScalar(v)
	case Text:
		if s, ok := numberScalar(v); ok && !isCode(v.Text) {
			return s, true
		}
		if truth, ok := v.Boolean(); ok {
			return Value{Kind: Bool, Bool: truth}.Normal()
		}
		if at, ok := instant(v.Text); ok {
			return Scalar{class: classInstant, text: at}, true
		}
		return Scalar{class: classText, text: strings.ToLower(trim(v.Text))}, true
	case Date, DateTime:
		at, ok := instant(v.Text)
		return Scalar{class: classInstant, text: at}, ok
	case Time:
		return Scalar{class: classText, text: trim(v.Text)}, true
	case Timedelta:
		return Scalar{class: classDuration, number: v.Float}, !math.IsNaN(v.Float) && !math.IsInf(v.Float, 0)
	case Bytes:
		if text := string(v.Bytes); utf8.ValidString(text) {
			return Scalar{class: classText, text: strings.ToLower(trim(text))}, true
		}
		return Scalar{class: classText, text: string(v.Bytes)}, true
	}
	return Scalar{}, false
}

// isCode says that digits are a code and no numeral: they begin with a zero, as the
// ICD-9 code 0389 does, which is not 389.
func isCode(text string) bool {
	text = trim(text)
	return len(text) > 1 && text[0] == '0' && isDigits(text)
}

func integerScalar(n *big.Int) Scalar {
	f, _ := new(big.Float).SetInt(n).Float64()
	return Scalar{class: classNumber, number: f, exact: n}
}

func numberScalar(v Value) (Scalar, bool) {
	if n, ok := v.Integer(); ok {
		return integerScalar(n), true
	}
	f, ok := v.Number()
	return Scalar{class: classNumber, number: f}, ok
}

// instant is a date or a datetime in one form: in UTC where it has a zone, and as
// it is where it has none, which is taken for UTC. A time of day needs its date
// before it in ISO 8601.
func instant(text string) (string, bool) {
	const form = "2006-01-02T15:04:05.999999999"
	iso := strings.Replace(trim(text), " ", "T", 1)
	for _, layout := range []string{form + "Z07:00", form, "2006-01-02T15:04Z07:00", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, iso); err == nil {
			return t.UTC().Format(form), true
		}
	}
	d, ok := ParseDate(text)
	return d.String() + "T00:00:00", ok
}

// Equal compares two scalars: integers exactly, other numbers to Tolerance.
func (s Scalar) Equal(o Scalar) bool {
	switch {
	case s.class != o.class:
		return false
	case s.exact != nil && o.exact != nil:
		return s.exact.Cmp(o.exact) == 0
	case s.class == classNumber || s.class == classDuration:
		return Near(s.number, o.number, Tolerance)
	default:
		return s.text == o.text
	}
}

// compare is a total order in which numbers that are near lie near each other.
func (s Scalar) compare(o Scalar) int {
	if c := cmp.Or(cmp.Compare(s.class, o.class), cmp.Compare(s.text, o.text), cmp.Compare(s.number, o.number)); c != 0 {
		return c
	}
	switch {
	case s.exact != nil && o.exact != nil:
		return s.exact.Cmp(o.exact)
	case s.exact != nil:
		return 1
	case o.exact != nil:
		return -1
	}
	return 0
}

// Rows reads v as the rows of a result: a scalar is one row of one cell; a list,
// tuple, set, index or series has a row for each of its items, which is a scalar
// or a row itself; an array has one or two dimensions; a frame's rows are without
// its index. False for a value with no such reading, for rows of unequal length,
// and when any cell equals nothing: such a table equals no other.
func (v Value) Rows() ([][]Scalar, bool) {
	v = v.scalar()
	if v.Empty() {
		return nil, false
	}
	var rows [][]Scalar
	add := func(cells []Value) bool {
		row := make([]Scalar, len(cells))
		for i, cell := range cells {
			var ok bool
			if row[i], ok = cell.Normal(); !ok {
				return false
			}
		}
		if len(row) == 0 || len(rows) > 0 && len(rows[0]) != len(row) {
			return false
		}
		rows = append(rows, row)
		return true
	}
	switch v.Kind {
	case Array:
		if len(v.Shape) > 2 {
			return nil, false
		}
		width := 1
		if len(v.Shape) == 2 {
			width = v.Shape[1]
		}
		for chunk := range slices.Chunk(v.Items, width) {
			if !add(chunk) {
				return nil, false
			}
		}
	case List, Tuple, Set, Index, Series:
		for _, item := range v.Items {
			cells := []Value{item}
			if item.Kind == List || item.Kind == Tuple || item.Kind == Array && len(item.Shape) == 1 {
				cells = item.Items
			}
			if !add(cells) {
				return nil, false
			}
		}
	case Frame:
		for i := range v.Index.Items {
			cells := make([]Value, len(v.Table.Values))
			for j, column := range v.Table.Values {
				cells[j] = column[i]
			}
			if !add(cells) {
				return nil, false
			}
		}
	default:
		if !add([]Value{v}) {
			return nil, false
		}
	}
	return rows, true
}

// EqualMultiset compares two values as multisets of rows.
func EqualMultiset(a, b Value) bool {
	x, okX := a.Rows()
	y, okY := b.Rows()
	return okX && okY && EqualRows(x, y)
}
