package stats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
)

// bestByHand tries every choice of k attempts, and every one of those that share the
// highest score.
func bestByHand(attempts []judged, k int) (strict, upstream float64) {
	sets := 0
	for set := range 1 << len(attempts) {
		var chosen []judged
		for i, a := range attempts {
			if set>>i&1 == 1 {
				chosen = append(chosen, a)
			}
		}
		if len(chosen) != k {
			continue
		}
		sets++
		top := -1.0
		for _, a := range chosen {
			top = max(top, a.score)
		}
		var equals, s, u float64
		for _, a := range chosen {
			if a.score == top {
				equals++
				s += float64(ofBool(a.strict))
				u += float64(ofBool(a.upstream))
			}
		}
		strict += s / equals
		upstream += u / equals
	}
	return strict / float64(sets), upstream / float64(sets)
}

func aurocByHand(all []judged) (float64, bool) {
	var wins, pairs float64
	for _, r := range all {
		for _, w := range all {
			if !r.strict || w.strict {
				continue
			}
			pairs++
			switch {
			case r.score > w.score:
				wins++
			case r.score == w.score:
				wins += 0.5
			}
		}
	}
	return wins / pairs, pairs > 0
}

func TestAgainstEnumeration(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 9; n++ {
		for range 30 {
			levels := 1 + rng.IntN(6) // few levels make many ties
			attempts := make([]judged, n)
			for i := range attempts {
				attempts[i] = judged{float64(rng.IntN(levels)) / 5, rng.IntN(2) == 0, rng.IntN(3) == 0}
			}
			for k := 1; k <= n; k++ {
				s, u := bestAtK(attempts, k)
				wantS, wantU := bestByHand(attempts, k)
				if math.Abs(s-wantS) > 1e-12 || math.Abs(u-wantU) > 1e-12 {
					t.Fatalf("best@%d of %v: %v, %v; want %v, %v", k, attempts, s, u, wantS, wantU)
				}
			}
			want, ok := aurocByHand(attempts)
			got := auroc(attempts)
			if (got != nil) != ok || ok && math.Abs(*got-want) > 1e-6 {
				t.Fatalf("AUROC of %v: %v, want %v, %v", attempts, got, want, ok)
			}
		}
	}
}

func TestBestAtK(t *testing.T) {
	right, wrong := func(s float64) judged { return judged{s, true, true} }, func(s float64) judged { return judged{s, false, false} }
	for _, tt := range []struct {
		name     string
		attempts []judged
		k        int
		want     float64
	}{
		{"one", []judged{right(0)}, 1, 1},
		{"blind", []judged{right(0.5), wrong(0.5), wrong(0.5), wrong(0.5)}, 2, 0.25},
		{"perfect is pass@k", []judged{right(0.9), wrong(0.1), wrong(0.2), wrong(0.3)}, 2, 0.5},
		{"misled", []judged{right(0.1), wrong(0.9)}, 2, 0},
		{"all of them", []judged{right(0.1), wrong(0.2), right(0.3)}, 3, 1},
		{"k=1 is the mean", []judged{right(0.1), wrong(0.2), right(0.3)}, 1, 2.0 / 3},
	} {
		if got, _ := bestAtK(tt.attempts, tt.k); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	// C(100000, 50000) overflows every float.
	many := make([]judged, 100_000)
	many[7] = right(1)
	if got, _ := bestAtK(many, 50_000); math.Abs(got-0.5) > 1e-9 {
		t.Errorf("of many: %v", got)
	}
}

func TestQuality(t *testing.T) {
	q := qualityOf([]judged{{1, true, true}, {0.95, false, false}, {0.5, true, true}, {0.25, false, false}, {0, false, false}})
	// Bins: the last holds 1 and 0.95, the sixth 0.5, the third 0.25, the first 0.
	want := Quality{ScoreMean: 0.54, RewardMean: 0.4, AUROC: schemas.Ptr(round(5.0/6, 6)), Accuracy: 0.8,
		Brier: round((0.95*0.95+0.25+0.0625)/5, 6), ECE: round((0.95+0.5+0.25)/5, 6)}
	if q.ScoreMean != want.ScoreMean || q.RewardMean != want.RewardMean || *q.AUROC != *want.AUROC || q.Accuracy != want.Accuracy || q.Brier != want.Brier || q.ECE != want.ECE {
		t.Errorf("%+v %v", *q, *q.AUROC)
	}
	counts := ""
	for _, b := range q.Bins {
		counts += fmt.Sprint(b.Attempts)
	}
	if counts != "1010010002" || q.Bins[9] != (Bin{0.9, 1, 2, 0.975, 0.5}) || q.Bins[1] != (Bin{From: 0.1, To: 0.2}) {
		t.Errorf("bins %s, %+v", counts, q.Bins)
	}
	for i := range 11 { // a bound belongs to the bin above it
		score := float64(i) / 10
		if q := qualityOf([]judged{{score, true, true}}); q.Bins[min(i, 9)].Attempts != 1 || q.AUROC != nil {
			t.Errorf("a score of %v: %+v", score, q.Bins)
		}
	}
	if qualityOf(nil) != nil {
		t.Error("there is a quality of nothing")
	}
}

func scoredAttempt(task, split string, score, reward *float64) schemas.Trajectory {
	row := schemas.Trajectory{TaskID: task, Source: "s", Split: split, AccessTier: schemas.TierOpen, Outcome: schemas.OutcomeFailed, Reward: reward, RewardUpstream: reward, VerifierScore: score}
	if score != nil {
		row.Verifier = "v"
	}
	return row
}

// What has no reward is covered and not judged, what has no score neither; a run
// without scores has no such part.
func TestVerifierFigures(t *testing.T) {
	c := New(nil)
	one, nil0 := schemas.Ptr(1.0), (*float64)(nil)
	for i := range 4 {
		c.Trajectory(scoredAttempt("a", schemas.SplitTrain, schemas.Ptr(float64(i)/4), schemas.Ptr(float64(i%2))))
	}
	c.Trajectory(scoredAttempt("a", schemas.SplitTrain, one, nil0))
	c.Trajectory(scoredAttempt("b", schemas.SplitTest, nil0, one))
	c.Trajectory(scoredAttempt("b", schemas.SplitTest, one, one))
	report := c.Report()
	for _, s := range report.Trajectories.Sources {
		train, test, all := s.Verifier[schemas.SplitTrain], s.Verifier[schemas.SplitTest], s.Verifier[All]
		if train.Attempts != 5 || train.Scored != 5 || train.Judged != 4 || test.Attempts != 2 || test.Scored != 1 || test.Coverage != 0.5 || all.Judged != 5 || all.Verifiers["v"] != 6 {
			t.Errorf("%s: %+v %+v %+v", s.Source, train, test, all)
		}
		// Scores 0, ¼, ½, ¾ of which ¼ and ¾ are right: of two, ¾ is taken in three of six
		// choices, ½ in two, ¼ in one.
		if want := (BestRow{K: 2, Tasks: 1, Strict: round(4.0/6, 6), Upstream: round(4.0/6, 6), Pass: round(5.0/6, 6), Mean: 0.5}); len(train.Best) != 3 || train.Best[1] != want {
			t.Errorf("%s: best %+v", s.Source, train.Best)
		}
		if all.Best[2].Excluded != 1 {
			t.Errorf("%s: the task with one attempt is not left out: %+v", s.Source, all.Best)
		}
	}
	var out bytes.Buffer
	if err := report.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"best@k by the verifier's choice", "Calibration", "AUROC", "85.7 %"} { // 6 of 7
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in\n%s", part, out.String())
		}
	}
	c = New(nil)
	c.Trajectory(scoredAttempt("a", schemas.SplitTrain, nil0, one))
	out.Reset()
	report = c.Report()
	if err := report.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(report)
	if err != nil || strings.Contains(string(text), `"verifier"`) || strings.Contains(out.String(), "verifier") {
		t.Errorf("figures of no scores: %v %s", err, text)
	}
	// Scores without any reward: coverage alone.
	c = New(nil)
	c.Trajectory(scoredAttempt("a", schemas.SplitTrain, one, nil0))
	f := c.Report().Trajectories.Sources[0].Verifier[All]
	if f.Quality != nil || len(f.Best) != 0 || f.Coverage != 1 {
		t.Errorf("%+v", f)
	}
}
