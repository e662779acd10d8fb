package stats

import (
	"encoding/json"
	"maps"
	"math"
	"math/bits"
	"slices"
)

// exactBits sets the resolution of a Dist: values up to 1<<exactBits are kept
// as they are, larger ones to one part in 1<<(exactBits-1).
const exactBits = 12

// Dist is the distribution of a non-negative whole number, streamed. Mean and
// max are exact. Quantiles are exact up to 4,096 and at most 0.05 % too high above, so a
// Dist holds at most some 100,000 counters however many values it has seen (the
// bucket scheme of HDR histograms).
type Dist struct {
	n, sum, max int64
	counts      map[int64]int64 // upper bound of a bucket → values in it
}

// Add counts one value; a negative one counts as zero.
func (d *Dist) Add(v int64) {
	v = max(v, 0)
	d.n++
	d.sum += v
	d.max = max(d.max, v)
	if d.counts == nil {
		d.counts = make(map[int64]int64)
	}
	d.counts[bucket(v)]++
}

// bucket is the upper bound of v's bucket, inclusive. Every power of two is such
// a bound, which makes Above exact for the limits of the length tables.
func bucket(v int64) int64 {
	if v == 0 {
		return 0
	}
	shift := max(bits.Len64(uint64(v-1))-exactBits, 0)
	return ((v-1)>>shift + 1) << shift
}

// N is how many values were added.
func (d *Dist) N() int64 { return d.n }

// Max is the largest value, zero when there is none.
func (d *Dist) Max() int64 { return d.max }

// Mean is the arithmetic mean, zero when there is no value.
func (d *Dist) Mean() float64 {
	if d.n == 0 {
		return 0
	}
	return float64(d.sum) / float64(d.n)
}

// Quantile is the smallest value with at least the share q of all values at or
// below it (nearest rank), zero when there is no value.
func (d *Dist) Quantile(q float64) int64 {
	if d.n == 0 {
		return 0
	}
	rank := min(max(int64(math.Ceil(q*float64(d.n))), 1), d.n)
	for _, upper := range d.bounds() {
		if rank -= d.counts[upper]; rank <= 0 {
			return min(upper, d.max)
		}
	}
	return d.max
}

// Above is how many values exceed limit: exact for a limit up to 4,096 and for
// powers of two, else at bucket resolution.
func (d *Dist) Above(limit int64) int64 {
	var n int64
	for upper, count := range d.counts {
		if upper > limit {
			n += count
		}
	}
	return n
}

func (d *Dist) bounds() []int64 { return slices.Sorted(maps.Keys(d.counts)) }

// distJSON is the form of a Dist in stats.json.
type distJSON struct {
	N    int64   `json:"n"`
	Sum  int64   `json:"sum"`
	Mean float64 `json:"mean"`
	P50  int64   `json:"p50"`
	P95  int64   `json:"p95"`
	Max  int64   `json:"max"`
}

// MarshalJSON writes the summary, not the counters.
func (d *Dist) MarshalJSON() ([]byte, error) {
	return json.Marshal(distJSON{d.n, d.sum, round(d.Mean(), 4), d.Quantile(.5), d.Quantile(.95), d.max})
}

// round keeps figures in reports to a stated number of decimals, so that a
// report does not change with the order of a floating-point sum.
func round(v float64, decimals int) float64 {
	scale := math.Pow10(decimals)
	return math.Round(v*scale) / scale
}
