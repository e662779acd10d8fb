package screen

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/medgym-data/medgym-data/schemas"
)

// Report is screening/report.json. It holds figures, no row content.
type Report struct {
	OnOverlap  string         `json:"on_overlap"` // what is wished; nothing was removed
	Similarity float64        `json:"near_duplicate_similarity"`
	Sources    []SourceReport `json:"sources"`
	Pairs      []PairReport   `json:"overlapping_sources"`
}

// SourceReport is what was found about the tasks of one source.
type SourceReport struct {
	Source string `json:"source"`
	Train  int    `json:"train_tasks"`
	Test   int    `json:"test_tasks"`

	Duplicates       int `json:"duplicates"` // tasks that repeat another, of any source
	OtherAnswer      int `json:"duplicates_answered_otherwise"`
	TestInTrain      int `json:"test_tasks_duplicated_in_train"` // with a duplicate in the training tasks of any source
	Clustered        int `json:"near_duplicates"`                // tasks in a cluster of at least two
	Clusters         int `json:"near_duplicate_clusters"`
	TestNearTrain    int `json:"test_tasks_near_train"` // in a cluster with a training task of any source
	NothingToCompare int `json:"tasks_without_words"`

	Overlap []OverlapCount `json:"overlap"`
}

// OverlapCount counts the test tasks of a source that share an n-gram with
// training tasks.
type OverlapCount struct {
	N             int `json:"n"`
	TestTasks     int `json:"test_tasks"`
	TooShort      int `json:"test_tasks_too_short"` // fewer than n words: they cannot overlap
	Overlapping   int `json:"overlapping"`
	OwnSource     int `json:"with_own_source"`
	AnotherSource int `json:"with_another_source"`
	TrainTasks    int `json:"train_tasks_overlapping"` // training tasks of the source that share one with a test task of any source
}

// PairReport counts the overlap of one source's test with one source's training
// tasks, where there is any.
type PairReport struct {
	N           int    `json:"n"`
	TestSource  string `json:"test_source"`
	TrainSource string `json:"train_source"`
	TestTasks   int    `json:"test_tasks"`
	TrainTasks  int    `json:"train_tasks"`
}

// sides says in which splits something lies.
type sides struct{ train, test bool }

func (s *sides) see(split string) {
	s.train = s.train || split == schemas.SplitTrain
	s.test = s.test || split == schemas.SplitTest
}

// report counts the settled records, which are in the order of tiers and sources.
func (s *screener) report(opts Options) Report {
	byContent, byCluster := map[*record]*sides{}, map[*record]*sides{}
	for _, r := range s.records {
		see(byContent, original(r), r.split)
		if r.cluster != nil {
			see(byCluster, r.cluster, r.split)
		}
	}
	out := Report{OnOverlap: opts.OnOverlap, Similarity: Similarity, Sources: []SourceReport{}, Pairs: s.pairs()}
	for start := 0; start < len(s.records); {
		end := start
		for end < len(s.records) && s.records[end].number == s.records[start].number {
			end++
		}
		out.Sources = append(out.Sources, sourceReport(s.records[start:end], byContent, byCluster))
		start = end
	}
	return out
}

func see(m map[*record]*sides, key *record, split string) {
	if m[key] == nil {
		m[key] = &sides{}
	}
	m[key].see(split)
}

func original(r *record) *record {
	if r.duplicateOf != nil {
		return r.duplicateOf
	}
	return r
}

func sourceReport(records []*record, byContent, byCluster map[*record]*sides) SourceReport {
	out := SourceReport{Source: records[0].source}
	clusters := map[*record]bool{}
	for _, r := range records {
		test := r.split == schemas.SplitTest
		out.Test += oneIf(test)
		out.Train += oneIf(!test)
		out.NothingToCompare += oneIf(r.sig == nil)
		out.Duplicates += oneIf(r.duplicateOf != nil)
		out.OtherAnswer += oneIf(r.duplicateOf != nil && r.answer != original(r).answer)
		out.TestInTrain += oneIf(test && byContent[original(r)].train)
		if r.cluster != nil {
			clusters[r.cluster] = true
			out.Clustered++
			out.TestNearTrain += oneIf(test && byCluster[r.cluster].train)
		}
	}
	out.Clusters = len(clusters)
	for i, n := range sizes {
		out.Overlap = append(out.Overlap, overlapCount(records, i, n))
	}
	return out
}

func overlapCount(records []*record, i, n int) OverlapCount {
	out := OverlapCount{N: n}
	for _, r := range records {
		all, _ := r.shared[i].total()
		own := r.shared[i].with(r.number)
		if r.split == schemas.SplitTrain {
			out.TrainTasks += oneIf(all > 0)
			continue
		}
		out.TestTasks++
		out.TooShort += oneIf(r.words < n)
		out.Overlapping += oneIf(all > 0)
		out.OwnSource += oneIf(own > 0)
		out.AnotherSource += oneIf(all > own)
	}
	return out
}

func (s *screener) pairs() []PairReport {
	type key struct{ n, test, train int }
	counts := map[key]*PairReport{}
	count := func(n, test, train int) *PairReport {
		k := key{n, test, train}
		if counts[k] == nil {
			counts[k] = &PairReport{N: n, TestSource: s.sources[test], TrainSource: s.sources[train]}
		}
		return counts[k]
	}
	for _, r := range s.records {
		for i, n := range sizes {
			for other, tasks := range r.shared[i] {
				switch {
				case tasks == 0:
				case r.split == schemas.SplitTest:
					count(n, r.number, other).TestTasks++
				default:
					count(n, other, r.number).TrainTasks++
				}
			}
		}
	}
	out := []PairReport{}
	for _, pair := range counts {
		out = append(out, *pair)
	}
	slices.SortFunc(out, func(a, b PairReport) int {
		return cmp.Or(cmp.Compare(a.N, b.N), cmp.Compare(a.TestSource, b.TestSource), cmp.Compare(a.TrainSource, b.TrainSource))
	})
	return out
}

// save writes report.json.
func (r Report) save(dir string, private bool) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	mode := fs.FileMode(0o644)
	if private {
		mode = 0o600
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), append(text, '\n'), mode); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
