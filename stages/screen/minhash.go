package screen

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// MinHash (Broder 1997) with banding: two tasks are compared when all rows of one
// band agree. At a similarity of 0.9 the chance of that is above 0.999, at 0.8 it
// is 0.95, at 0.5 it is 0.06; what is compared and is below Similarity is let go.
//
// The code is our own: the Go libraries there are (ekzhu/minhash-lsh on
// dgryski/go-minhash) have stood still since 2017 and give candidates in the order
// of a map.
const (
	bands, rowsPerBand = 16, 8
	shingle            = 5 // words

	// Similarity is the share of equal MinHash values, an estimate of the Jaccard
	// similarity of two tasks' 5-word shingles with a standard error of at most
	// 0.044, from which on they are near duplicates.
	Similarity = 0.8
)

// signature is the least value of each hash function over a set of shingles.
type signature [bands * rowsPerBand]uint32

// sign is the signature of texts, whose shingles do not reach from one into the
// next; nil where there is no word. A text of fewer than five words is one shingle.
func sign(texts ...[]uint64) *signature {
	var set []uint64
	for _, text := range texts {
		switch {
		case len(text) >= shingle:
			set = ngrams(set, text, shingle)
		case len(text) > 0:
			set = append(set, sequence(text))
		}
	}
	if len(set) == 0 {
		return nil
	}
	slices.Sort(set)
	set = slices.Compact(set)
	sig := new(signature)
	for i := range sig {
		// Multiply-shift: the high half of a·x+b with a odd.
		a, b := mix(uint64(2*i))|1, mix(uint64(2*i+1))
		least := uint32(math.MaxUint32)
		for _, x := range set {
			least = min(least, uint32((a*x+b)>>32))
		}
		sig[i] = least
	}
	return sig
}

// alike is the share of equal values.
func alike(a, b *signature) float64 {
	equal := 0
	for i := range a {
		if a[i] == b[i] {
			equal++
		}
	}
	return float64(equal) / float64(len(a))
}

// cluster gives for each signature the index of the first member of its cluster. A
// band's candidates are compared with the leaders among them, those that were like
// none before, so that a thousand copies cost a thousand comparisons; clusters that
// share a member are one. nil is in a cluster of its own.
func cluster(ctx context.Context, sigs []*signature) ([]int, error) {
	first := make([]int, len(sigs))
	for i := range first {
		first[i] = i
	}
	find := func(i int) int {
		for first[i] != i {
			first[i] = first[first[i]]
			i = first[i]
		}
		return i
	}
	for band := range bands {
		for _, bucket := range buckets(sigs, band) {
			var leaders []int
			for _, i := range bucket {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				like := func(l int) bool { return alike(sigs[l], sigs[i]) >= Similarity }
				at := slices.IndexFunc(leaders, like)
				if at < 0 {
					leaders = append(leaders, i)
					continue
				}
				a, b := find(leaders[at]), find(i)
				first[max(a, b)] = min(a, b)
			}
		}
	}
	for i := range first {
		first[i] = find(i)
	}
	return first, nil
}

// buckets are the groups of signatures that agree in a band, each in order.
func buckets(sigs []*signature, band int) [][]int {
	var order []int
	for i, sig := range sigs {
		if sig != nil {
			order = append(order, i)
		}
	}
	part := func(i int) []uint32 { return sigs[i][band*rowsPerBand : (band+1)*rowsPerBand] }
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(slices.Compare(part(a), part(b)), cmp.Compare(a, b))
	})
	var out [][]int
	for start := 0; start < len(order); {
		end := start + 1
		for end < len(order) && slices.Equal(part(order[start]), part(order[end])) {
			end++
		}
		if end-start > 1 {
			out = append(out, order[start:end])
		}
		start = end
	}
	return out
}
