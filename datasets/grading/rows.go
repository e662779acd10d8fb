package grading

import (
	"slices"
)

// maxMatch is the number of rows up to which rows that are near one another in a
// chain are matched.
const maxMatch = 512

// EqualRows compares two tables as multisets of rows: every row of one has its
// own equal row in the other, with nothing left over. Columns keep their order. A
// table without rows equals none.
//
// Scalars of a column that are equal get one number, so that rows are compared by
// sorting. That is exact unless numbers lie so densely that they are near in a
// chain, a to b and b to c, but not a to c: rows with such cells are matched, where
// there are more than maxMatch of them only in the order of their values.
func EqualRows(a, b [][]Scalar) bool {
	if len(a) == 0 || len(a) != len(b) || len(a[0]) != len(b[0]) {
		return false
	}
	keysA, keysB := make([][]int, len(a)), make([][]int, len(b))
	loose := make([]map[int]bool, len(a[0])) // by column: numbers that stand for a chain
	for column := range a[0] {
		loose[column] = numberColumn(a, b, column, keysA, keysB)
	}
	orderA, orderB := sortedRows(keysA), sortedRows(keysB)
	for from := 0; from < len(a); {
		key, to := keysA[orderA[from]], from
		chained := false
		for column, n := range key {
			chained = chained || loose[column][n]
		}
		var rowsA, rowsB [][]Scalar
		for ; to < len(a) && slices.Equal(keysA[orderA[to]], key); to++ {
			if !slices.Equal(keysB[orderB[to]], key) {
				return false
			}
			if chained {
				rowsA, rowsB = append(rowsA, a[orderA[to]]), append(rowsB, b[orderB[to]])
			}
		}
		if chained && !matchRows(rowsA, rowsB) {
			return false
		}
		from = to
	}
	return true
}

// numberColumn appends to the keys of each row the number of its cell in a column,
// and returns the numbers that stand for a chain.
func numberColumn(a, b [][]Scalar, column int, keysA, keysB [][]int) map[int]bool {
	type cell struct {
		scalar Scalar
		keys   *[]int
	}
	cells := make([]cell, 0, len(a)+len(b))
	for i, row := range a {
		cells = append(cells, cell{row[column], &keysA[i]})
	}
	for i, row := range b {
		cells = append(cells, cell{row[column], &keysB[i]})
	}
	slices.SortFunc(cells, func(x, y cell) int { return x.scalar.compare(y.scalar) })
	var loose map[int]bool
	number := 0
	for from := 0; from < len(cells); {
		first := cells[from].scalar
		to, exact, integers := from+1, first.exact != nil, 0
		if exact {
			integers = 1
		}
		for ; to < len(cells) && cells[to-1].scalar.near(cells[to].scalar); to++ {
			last, s := cells[to-1].scalar, cells[to].scalar
			exact = exact && s.exact != nil
			if s.exact != nil && (last.exact == nil || last.exact.Cmp(s.exact) != 0) {
				integers++
			}
		}
		if !exact && (integers > 1 || !first.Equal(cells[to-1].scalar)) {
			if loose == nil {
				loose = map[int]bool{}
			}
			loose[number] = true
		}
		for i := from; i < to; i++ {
			if exact && i > from && !cells[i-1].scalar.Equal(cells[i].scalar) {
				number++
			}
			*cells[i].keys = append(*cells[i].keys, number)
		}
		number++
		from = to
	}
	return loose
}

// near is Equal, but for integers, which are near like other numbers.
func (s Scalar) near(o Scalar) bool {
	if s.class == classNumber && o.class == classNumber {
		return s.number == o.number || Near(s.number, o.number, Tolerance)
	}
	return s.Equal(o)
}

func sortedRows(keys [][]int) []int {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return slices.Compare(keys[i], keys[j]) })
	return order
}

func equalRow(a, b []Scalar) bool { return slices.EqualFunc(a, b, Scalar.Equal) }

// matchRows pairs the rows of two tables of the same length: in order, or else by
// a perfect matching with augmenting paths (Kuhn 1955).
func matchRows(a, b [][]Scalar) bool {
	compare := func(x, y []Scalar) int { return slices.CompareFunc(x, y, Scalar.compare) }
	slices.SortFunc(a, compare)
	slices.SortFunc(b, compare)
	if slices.EqualFunc(a, b, equalRow) {
		return true
	}
	if len(a) > maxMatch {
		return false
	}
	owner := make([]int, len(b)) // row of a that holds row of b, plus one
	var place func(i int, seen []bool) bool
	place = func(i int, seen []bool) bool {
		for j := range b {
			if seen[j] || !equalRow(a[i], b[j]) {
				continue
			}
			seen[j] = true
			if owner[j] == 0 || place(owner[j]-1, seen) {
				owner[j] = i + 1
				return true
			}
		}
		return false
	}
	for i := range a {
		if !place(i, make([]bool, len(b))) {
			return false
		}
	}
	return true
}
