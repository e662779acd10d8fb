package screen

import (
	"cmp"
	"slices"
)

// index finds the test tasks that have an n-gram. It is made of the test tasks
// alone, so its size does not depend on the training set, which is streamed by it.
type index struct {
	n        int
	postings []posting
	start    map[uint64]int // of a hash's postings
	seen     []int          // per test task: the last training task that met it
	queries  int
}

type posting struct {
	gram uint64
	task int
}

// add takes the words of the next test task.
func (x *index) add(words []uint64) {
	for _, gram := range ngrams(nil, words, x.n) {
		x.postings = append(x.postings, posting{gram, len(x.seen)})
	}
	x.seen = append(x.seen, 0)
}

// seal ends the adding.
func (x *index) seal() {
	slices.SortFunc(x.postings, func(a, b posting) int {
		return cmp.Or(cmp.Compare(a.gram, b.gram), cmp.Compare(a.task, b.task))
	})
	x.postings = slices.Compact(x.postings)
	x.start = map[uint64]int{}
	for i, p := range x.postings {
		if i == 0 || x.postings[i-1].gram != p.gram {
			x.start[p.gram] = i
		}
	}
}

// each yields, once, every test task that shares an n-gram with these words.
func (x *index) each(words []uint64, yield func(task int)) {
	x.queries++
	for _, gram := range ngrams(nil, words, x.n) {
		at, ok := x.start[gram]
		for ; ok && at < len(x.postings) && x.postings[at].gram == gram; at++ {
			if task := x.postings[at].task; x.seen[task] != x.queries {
				x.seen[task] = x.queries
				yield(task)
			}
		}
	}
}

// shared counts the tasks of the other split that a task shares an n-gram with, by
// the number of their source.
type shared []int32

func (s *shared) add(source int) {
	for len(*s) <= source {
		*s = append(*s, 0)
	}
	(*s)[source]++
}

// with is the count for one source.
func (s shared) with(source int) int32 {
	if source >= len(s) {
		return 0
	}
	return s[source]
}

// total counts tasks, and the sources they are of.
func (s shared) total() (tasks, sources int32) {
	for _, n := range s {
		tasks += n
		if n > 0 {
			sources++
		}
	}
	return tasks, sources
}
