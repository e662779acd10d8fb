package datasettest

import (
	"cmp"
	"math"
	"slices"

	"github.com/medgym-data/medgym-data/datasets/grading"
)

// SameOptions say how Same compares.
type SameOptions struct {
	Relative float64 // relative error of floats; integers are exact
	// NaNEqual lets NaN, None and NaT, which pandas turns into one another, be equal
	// inside a container, where a gold value holds them. At the top they never are.
	NaNEqual bool
	// SequenceKinds lets lists, tuples, arrays, indexes and series of the same
	// items equal one another.
	SequenceKinds bool
}

// Same compares two values with their structure: sequences in order, sets as
// multisets, dicts by key in any order, frames by labels, index and cells. An
// integer equals a float of the same value; a boolean equals only a boolean; text
// is compared as it is.
func Same(gold, got grading.Value, opts SameOptions) bool {
	if blank(gold) || blank(got) {
		return false
	}
	return same(gold, got, opts)
}

// blank values say nothing at the top of an answer; an empty container may be
// the right one.
func blank(v grading.Value) bool {
	switch v.Kind {
	case grading.Null, grading.NaT, grading.Opaque, grading.Float, grading.Decimal, "":
		return v.Empty()
	}
	return false
}

func same(a, b grading.Value, opts SameOptions) bool {
	a, b = bare(a), bare(b)
	if blank(a) || blank(b) {
		return opts.NaNEqual && a.Kind != grading.Opaque && b.Kind != grading.Opaque && blank(a) && blank(b)
	}
	if numeric(a) && numeric(b) {
		return sameNumber(a, b, opts)
	}
	if opts.SequenceKinds && sequence(a) && sequence(b) {
		return sameItems(a.Items, b.Items, opts)
	}
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case grading.Bool:
		return a.Bool == b.Bool
	case grading.Text, grading.DateTime, grading.Date, grading.Time:
		return a.Text == b.Text
	case grading.Bytes:
		return slices.Equal(a.Bytes, b.Bytes)
	case grading.Timedelta:
		return grading.Near(a.Float, b.Float, opts.Relative)
	case grading.Complex, grading.List, grading.Tuple:
		return sameItems(a.Items, b.Items, opts)
	case grading.Array:
		return slices.Equal(a.Shape, b.Shape) && sameItems(a.Items, b.Items, opts)
	case grading.Index:
		return sameItems(a.Items, b.Items, opts)
	case grading.Series:
		return sameItems(a.Items, b.Items, opts) && same(*a.Index, *b.Index, opts)
	case grading.Set:
		return sameUnordered(a.Items, b.Items, func(v grading.Value) grading.Value { return v }, func(x, y grading.Value) bool { return same(x, y, opts) })
	case grading.Dict:
		return sameUnordered(a.Pairs, b.Pairs, func(p grading.Pair) grading.Value { return p.Key }, func(x, y grading.Pair) bool {
			return same(x.Key, y.Key, opts) && same(x.Value, y.Value, opts)
		})
	case grading.Object:
		return a.Text == b.Text && slices.EqualFunc(a.Pairs, b.Pairs, func(x, y grading.Pair) bool {
			return same(x.Key, y.Key, opts) && same(x.Value, y.Value, opts)
		})
	case grading.Frame:
		return same(a.Table.Labels, b.Table.Labels, opts) && same(*a.Index, *b.Index, opts) &&
			slices.EqualFunc(a.Table.Values, b.Table.Values, func(x, y []grading.Value) bool { return sameItems(x, y, opts) })
	}
	return false
}

func numeric(v grading.Value) bool {
	return v.Kind == grading.Int || v.Kind == grading.Float || v.Kind == grading.Decimal
}

func sequence(v grading.Value) bool {
	switch v.Kind {
	case grading.List, grading.Tuple, grading.Index, grading.Series:
		return true
	case grading.Array:
		return len(v.Shape) == 1
	}
	return false
}

func sameNumber(a, b grading.Value, opts SameOptions) bool {
	if a.Kind == grading.Int && b.Kind == grading.Int {
		return a.Int.Cmp(b.Int) == 0
	}
	if a.Kind == grading.Float && b.Kind == grading.Float && math.IsInf(a.Float, 0) {
		return a.Float == b.Float
	}
	if a.Kind == grading.Decimal && b.Kind == grading.Decimal && a.Text == b.Text {
		return true // also Infinity, and what no float64 holds
	}
	x, okX := a.Number()
	y, okY := b.Number()
	return okX && okY && grading.Near(x, y, opts.Relative)
}

func sameItems(a, b []grading.Value, opts SameOptions) bool {
	return slices.EqualFunc(a, b, func(x, y grading.Value) bool { return same(x, y, opts) })
}

// sameUnordered pairs the items of two unordered containers, in the order of their
// keys and greedily. In that order the partner is nearly always the first one tried.
func sameUnordered[T any](a, b []T, key func(T) grading.Value, equal func(x, y T) bool) bool {
	if len(a) != len(b) {
		return false
	}
	a, b = ordered(a, key), ordered(b, key)
	taken := make([]bool, len(b))
	low := 0
	for _, x := range a {
		found := false
		for j := low; j < len(b) && !found; j++ {
			if !taken[j] && equal(x, b[j]) {
				taken[j], found = true, true
			}
		}
		if !found {
			return false
		}
		for low < len(b) && taken[low] {
			low++
		}
	}
	return true
}

// ordered sorts a copy of items: numbers by value, whatever their kind, the rest
// by kind and by their text.
func ordered[T any](items []T, key func(T) grading.Value) []T {
	type entry struct {
		kind   grading.Kind
		number float64
		text   string
		item   T
	}
	entries := make([]entry, len(items))
	for i, item := range items {
		v := bare(key(item))
		entries[i] = entry{kind: v.Kind, item: item}
		if numeric(v) {
			entries[i].kind = grading.Float
			entries[i].number, _ = v.Number()
		} else {
			entries[i].text = grading.Print(grading.Value{Kind: grading.List, Items: []grading.Value{v}})
		}
	}
	slices.SortStableFunc(entries, func(x, y entry) int {
		return cmp.Or(cmp.Compare(x.kind, y.kind), cmp.Compare(x.number, y.number), cmp.Compare(x.text, y.text))
	})
	out := make([]T, len(items))
	for i, e := range entries {
		out[i] = e.item
	}
	return out
}

// bare takes the one item out of an array without dimensions.
func bare(v grading.Value) grading.Value {
	for v.Kind == grading.Array && len(v.Shape) == 0 && len(v.Items) == 1 {
		v = v.Items[0]
	}
	return v
}
