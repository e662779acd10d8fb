package ehrdb

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const timeForm = "2006-01-02 15:04:05"

// nullable is a value or null. arg is what the database is given.
type nullable[T any] struct {
	v  T
	ok bool
}

func (n nullable[T]) arg() any {
	if !n.ok {
		return nil
	}
	return n.v
}

// integer reads a whole number. 12.0 is one: pandas writes integers with nulls so.
func (r *record) integer(column string) nullable[int64] {
	raw := r.raw(column)
	if len(raw) == 0 {
		return nullable[int64]{}
	}
	if v, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return nullable[int64]{v, true}
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		r.fail(column, "is not a whole number; use the original file of the release")
		return nullable[int64]{}
	}
	return nullable[int64]{int64(f), true}
}

// number reads a finite number.
func (r *record) number(column string) nullable[float64] {
	raw := r.raw(column)
	if len(raw) == 0 {
		return nullable[float64]{}
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		r.fail(column, "is not a number; use the original file of the release")
		return nullable[float64]{}
	}
	return nullable[float64]{f, true}
}

// text reads lower-cased text without space around it; empty is null.
func (r *record) text(column string) nullable[string] {
	raw := r.raw(column)
	return nullable[string]{strings.ToLower(string(raw)), len(raw) > 0}
}

// time reads a date or a date and time of day.
func (r *record) time(column string) nullable[time.Time] {
	raw := string(r.raw(column))
	if raw == "" {
		return nullable[time.Time]{}
	}
	for _, form := range []string{timeForm, time.DateOnly} {
		if t, err := time.Parse(form, raw); err == nil {
			return nullable[time.Time]{t, true}
		}
	}
	r.fail(column, "is not a time like 2100-01-31 23:59:00; use the original file of the release")
	return nullable[time.Time]{}
}

func stamp(t nullable[time.Time]) any {
	if !t.ok {
		return nil
	}
	return t.v.Format(timeForm)
}
