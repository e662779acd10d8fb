package lab

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// Quantile is the smallest value that a share q of the sample does not exceed. The
// sample has to be sorted.
func Quantile[T any](sorted []T, q float64) (value T) {
	if len(sorted) == 0 {
		return value
	}
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// Median sorts a copy. The median of nothing is NaN.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// Slope is the median of the slopes between all pairs of points that lie one apart
// (Theil and Sen): one odd point does not turn it.
func Slope(values []float64) float64 {
	var slopes []float64
	for i := range values {
		for j := i + 1; j < len(values); j++ {
			slopes = append(slopes, (values[j]-values[i])/float64(j-i))
		}
	}
	if len(slopes) == 0 {
		return 0
	}
	return Median(slopes)
}

// MS is a duration in milliseconds.
func MS(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// MB is a number of bytes as text.
func MB(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// Table writes rows in columns, ready to paste.
type Table struct{ w *tabwriter.Writer }

// NewTable begins one with its heads.
func NewTable(out io.Writer, heads ...string) *Table {
	t := &Table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	t.Row(anys(heads)...)
	rules := make([]string, len(heads))
	for i, head := range heads {
		rules[i] = strings.Repeat("-", len(head))
	}
	t.Row(anys(rules)...)
	return t
}

func anys(texts []string) []any {
	out := make([]any, len(texts))
	for i, text := range texts {
		out[i] = text
	}
	return out
}

// Row adds one. Floats get two digits after the point.
func (t *Table) Row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		switch v := cell.(type) {
		case float64:
			texts[i] = fmt.Sprintf("%.2f", v)
		default:
			texts[i] = fmt.Sprint(v)
		}
	}
	fmt.Fprintln(t.w, strings.Join(texts, "\t"))
}

// Flush writes what was added.
func (t *Table) Flush() error { return t.w.Flush() }
