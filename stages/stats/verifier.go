package stats

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/medgym-data/medgym-data/schemas"
)

// VerifierFigures say how good a verifier's scores are, over one source and split.
type VerifierFigures struct {
	Attempts  int            `json:"attempts"`
	Scored    int            `json:"scored"`    // with a score
	Coverage  float64        `json:"coverage"`  // scored / attempts
	Verifiers map[string]int `json:"verifiers"` // scored attempts by who scored them
	Judged    int            `json:"judged"`    // with a score and a reward: what the rest is over
	Quality   *Quality       `json:"quality"`   // null where nothing is judged
	Best      []BestRow      `json:"best_at_k"`
}

// Quality holds scores against strict rewards, each attempt by itself.
type Quality struct {
	ScoreMean  float64  `json:"score_mean"`
	RewardMean float64  `json:"reward_mean"` // share of right ones
	AUROC      *float64 `json:"auroc"`       // null where all are right or all are wrong
	Accuracy   float64  `json:"accuracy"`    // a score of 0.5 or more says that it is right
	Brier      float64  `json:"brier"`
	ECE        float64  `json:"ece"`
	Bins       []Bin    `json:"bins"` // ten, of equal width
}

// Bin is a part of the scores: From, but not To, except that the last one holds 1.
type Bin struct {
	From       float64 `json:"from"`
	To         float64 `json:"to"`
	Attempts   int     `json:"attempts"`
	ScoreMean  float64 `json:"score_mean"`
	RewardMean float64 `json:"reward_mean"`
}

// BestRow is best@k over the tasks of one scope: how often the attempt is right that
// the verifier chooses out of k. Pass and Mean are of the same attempts, what a
// perfect choice and a blind one would give.
type BestRow struct {
	K        int     `json:"k"`
	Tasks    int     `json:"tasks"`    // with at least k judged attempts
	Excluded int     `json:"excluded"` // with fewer, left out of the means
	Strict   float64 `json:"best_strict"`
	Upstream float64 `json:"best_upstream"`
	Pass     float64 `json:"pass_strict"`
	Mean     float64 `json:"mean_strict"`
}

// judged is an attempt with a score and a reward.
type judged struct {
	score            float64
	strict, upstream bool
}

// scored counts the attempts of one source and split.
type scored struct {
	attempts, scored int
	verifiers        map[string]int
}

func (c *Collector) countScore(t schemas.Trajectory) {
	s := entry(c.scores, [2]string{t.Source, t.Split}, func() *scored { return &scored{verifiers: map[string]int{}} })
	s.attempts++
	if t.VerifierScore != nil {
		s.scored++
		s.verifiers[t.Verifier]++
	}
}

// verifier makes the figures of a source, by split and for both; nil where no attempt
// has a score.
func (c *Collector) verifier(source string) map[string]*VerifierFigures {
	out := map[string]*VerifierFigures{}
	any := false
	for key, s := range c.scores {
		if source != All && key[0] != source {
			continue
		}
		for _, split := range []string{key[1], All} {
			f := entry(out, split, func() *VerifierFigures { return &VerifierFigures{Verifiers: map[string]int{}} })
			f.Attempts += s.attempts
			f.Scored += s.scored
			for name, n := range s.verifiers {
				f.Verifiers[name] += n
			}
		}
		any = any || s.scored > 0
	}
	if !any {
		return nil
	}
	tasks := map[string][][]judged{}
	for _, id := range slices.Sorted(maps.Keys(c.tried)) { // a sum is then the same in every run
		if t := c.tried[id]; source == All || t.source == source {
			tasks[t.split] = append(tasks[t.split], t.judged)
			tasks[All] = append(tasks[All], t.judged)
		}
	}
	for split, f := range out {
		var all []judged
		for _, t := range tasks[split] {
			all = append(all, t...)
		}
		f.Coverage = round(float64(f.Scored)/float64(f.Attempts), 6)
		f.Judged, f.Quality, f.Best = len(all), qualityOf(all), bestTable(tasks[split])
	}
	return out
}

const bins = 10

func qualityOf(all []judged) *Quality {
	if len(all) == 0 {
		return nil
	}
	n := float64(len(all))
	q := &Quality{AUROC: auroc(all), Bins: make([]Bin, bins)}
	for i := range q.Bins {
		q.Bins[i].From, q.Bins[i].To = round(float64(i)/bins, 6), round(float64(i+1)/bins, 6)
	}
	for _, j := range all {
		right := float64(ofBool(j.strict))
		q.ScoreMean += j.score
		q.RewardMean += right
		q.Brier += (j.score - right) * (j.score - right)
		q.Accuracy += float64(ofBool((j.score >= 0.5) == j.strict))
		bin := &q.Bins[min(int(j.score*bins), bins-1)]
		bin.Attempts++
		bin.ScoreMean += j.score
		bin.RewardMean += right
	}
	for i := range q.Bins {
		bin := &q.Bins[i]
		if bin.Attempts == 0 {
			continue
		}
		q.ECE += max(bin.ScoreMean-bin.RewardMean, bin.RewardMean-bin.ScoreMean) // both are sums
		bin.ScoreMean = round(bin.ScoreMean/float64(bin.Attempts), 6)
		bin.RewardMean = round(bin.RewardMean/float64(bin.Attempts), 6)
	}
	for _, v := range []*float64{&q.ScoreMean, &q.RewardMean, &q.Brier, &q.Accuracy, &q.ECE} {
		*v = round(*v/n, 6)
	}
	return q
}

// auroc is the probability that a right attempt has a higher score than a wrong one,
// equal scores counted half (Mann and Whitney's U over the number of pairs).
func auroc(all []judged) *float64 {
	all = slices.SortedFunc(slices.Values(all), func(a, b judged) int { return cmp.Compare(a.score, b.score) })
	var right, wrong, u float64
	for i := 0; i < len(all); {
		var r, w float64
		j := i
		for ; j < len(all) && all[j].score == all[i].score; j++ {
			r += float64(ofBool(all[j].strict))
		}
		w = float64(j-i) - r
		u += r * (wrong + w/2)
		right += r
		wrong += w
		i = j
	}
	if right == 0 || wrong == 0 {
		return nil
	}
	return schemas.Ptr(round(u/(right*wrong), 6))
}

// bestAtK is the mean, over all choices of k out of the attempts at a task, of how
// often the one with the highest score is right; of several that share it each is as
// likely. It needs 1 <= k <= the number of attempts.
//
// The highest score is that of a group of equals where the choice lies within the
// group and what is below, and not wholly below: C(below+group,k) - C(below,k) times
// of C(n,k). By symmetry the one that is taken is then each of the group as often.
func bestAtK(attempts []judged, k int) (strict, upstream float64) {
	sorted := slices.SortedFunc(slices.Values(attempts), func(a, b judged) int { return cmp.Compare(b.score, a.score) })
	within := 1.0 // C(x,k) / C(n,k), where x attempts are left
	for i := 0; i < len(sorted) && within > 0; {
		before, j := within, i
		var rights, upstreams float64
		for ; j < len(sorted) && sorted[j].score == sorted[i].score; j++ {
			x := len(sorted) - j
			within *= float64(max(0, x-k)) / float64(x)
			rights += float64(ofBool(sorted[j].strict))
			upstreams += float64(ofBool(sorted[j].upstream))
		}
		strict += (before - within) * rights / float64(j-i)
		upstream += (before - within) * upstreams / float64(j-i)
		i = j
	}
	return strict, upstream
}

// bestTable averages over tasks, for k = 1, 2, 4, … up to the most judged attempts at
// any of them.
func bestTable(tasks [][]judged) []BestRow {
	most := 0
	for _, t := range tasks {
		most = max(most, len(t))
	}
	rows := []BestRow{}
	for k := 1; k <= most; k *= 2 {
		row := BestRow{K: k}
		for _, t := range tasks {
			if len(t) < k {
				row.Excluded++
				continue
			}
			right := 0
			for _, j := range t {
				right += ofBool(j.strict)
			}
			strict, upstream := bestAtK(t, k)
			pass, _ := PassAtK(len(t), right, k)
			row.Tasks++
			row.Strict += strict
			row.Upstream += upstream
			row.Pass += pass
			row.Mean += float64(right) / float64(len(t))
		}
		for _, v := range []*float64{&row.Strict, &row.Upstream, &row.Pass, &row.Mean} {
			*v = round(*v/float64(row.Tasks), 6)
		}
		rows = append(rows, row)
	}
	return rows
}

// verifierTables are those of a verifier's scores; none where there are none.
func (t *Trajectories) verifierTables() []string {
	var quality, best, calibration []table.Row
	for _, s := range t.Sources {
		for _, split := range slices.SortedFunc(maps.Keys(s.Verifier), bySplit) {
			f := s.Verifier[split]
			row := table.Row{s.Source, split, f.Scored, percent(f.Coverage), f.Judged}
			if q := f.Quality; q != nil {
				area := "-"
				if q.AUROC != nil {
					area = fmt.Sprintf("%.4f", *q.AUROC)
				}
				row = append(row, fmt.Sprintf("%.4f", q.ScoreMean), fmt.Sprintf("%.4f", q.RewardMean), area, fmt.Sprintf("%.4f", q.Accuracy), fmt.Sprintf("%.4f", q.Brier), fmt.Sprintf("%.4f", q.ECE))
				if s.Source == All && split == All {
					for _, b := range q.Bins {
						calibration = append(calibration, table.Row{fmt.Sprintf("%.1f to %.1f", b.From, b.To), b.Attempts, fmt.Sprintf("%.4f", b.ScoreMean), fmt.Sprintf("%.4f", b.RewardMean)})
					}
				}
			}
			quality = append(quality, row)
			for _, b := range f.Best {
				best = append(best, table.Row{s.Source, split, b.K, b.Tasks, b.Excluded, fmt.Sprintf("%.4f", b.Strict), fmt.Sprintf("%.4f", b.Upstream), fmt.Sprintf("%.4f", b.Pass), fmt.Sprintf("%.4f", b.Mean)})
			}
		}
	}
	if len(quality) == 0 {
		return nil
	}
	out := []string{grid("A verifier's scores against strict rewards; judged: with both", 3,
		table.Row{"source", "split", "scored", "coverage", "judged", "mean score", "right", "AUROC", "accuracy", "Brier", "ECE"}, quality)}
	if len(best) > 0 {
		out = append(out, grid("best@k by the verifier's choice, over judged attempts; left out: fewer than k", 3,
			table.Row{"source", "split", "k", "tasks", "left out", "best strict", "best upstream", "pass strict", "mean"}, best))
	}
	if len(calibration) > 0 {
		out = append(out, grid("Calibration: judged attempts of all sources by score", 2, table.Row{"score", "attempts", "mean score", "right"}, calibration))
	}
	return out
}
