package export_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/export"
)

// by gives an attempt a verifier's score.
func by(t schemas.Trajectory, score float64) schemas.Trajectory {
	t.VerifierScore, t.Verifier = schemas.Ptr(score), "v"
	return t
}

func TestPairsByVerifier(t *testing.T) {
	task := taskOf("a", schemas.SplitTrain, 0)
	long := []turnSpec{submit("no", 0), submit("no again", 0)}
	for _, tt := range []struct {
		name             string
		attempts         []schemas.Trajectory
		chosen, rejected string
	}{
		{"the highest of the right, the lowest of the wrong", []schemas.Trajectory{
			by(attempt(task, 0, submit("right", 1)), 0.4), by(attempt(task, 1, submit("quite right", 1)), 0.8),
			by(attempt(task, 2, submit("wrong", 0)), 0.3), by(attempt(task, 3, long...), 0.1)}, "a/train/0000/1", "a/train/0000/3"},
		{"never a wrong one, however sure the verifier is", []schemas.Trajectory{
			by(attempt(task, 0, submit("right", 1)), 0), by(attempt(task, 1, submit("wrong", 0)), 1)}, "a/train/0000/0", "a/train/0000/1"},
		{"rewards go first", []schemas.Trajectory{
			by(attempt(task, 0, submit("right", 1)), 0.5), by(attempt(task, 1, submit("half", 0.5)), 0), by(attempt(task, 2, submit("wrong", 0)), 1)}, "a/train/0000/0", "a/train/0000/2"},
		{"scored ones go before others", []schemas.Trajectory{
			attempt(task, 0, submit("right", 1)), by(attempt(task, 1, submit("quite right", 1)), 0),
			attempt(task, 2, submit("wrong", 0)), by(attempt(task, 3, long...), 1)}, "a/train/0000/1", "a/train/0000/3"},
		{"equal scores: the shorter", []schemas.Trajectory{
			by(attempt(task, 0, submit("right", 1)), 0.5),
			by(attempt(task, 1, long...), 0.5), by(attempt(task, 2, submit("wrong", 0)), 0.5)}, "a/train/0000/0", "a/train/0000/2"},
		{"the next where the first cannot be used", []schemas.Trajectory{
			by(attempt(task, 0, submit("right", 1)), 0.5),
			by(attempt(task, 1, submit("right", 0)), 0.1), by(attempt(task, 2, submit("wrong", 0)), 0.2)}, "a/train/0000/0", "a/train/0000/2"},
	} {
		var w world
		w.add(task, tt.attempts...)
		dir := exported(t, w, export.Options{Configs: []string{schemas.ConfigDPO}, Strategies: []string{schemas.StrategyBestWorst}})
		rows := rowsOf[schemas.DPO](t, dir, schemas.TierOpen, schemas.ConfigDPO)
		if len(rows) != 1 || !slices.Equal(rows[0].TrajIDs, []string{tt.chosen, tt.rejected}) {
			t.Errorf("%s: %d rows, %v", tt.name, len(rows), dropsOf(t, dir, schemas.ConfigDPO))
			for _, row := range rows {
				t.Log(row.TrajIDs)
			}
		}
	}
}

// Other scores make other shards of pairs, also where the pair stays the same, and
// leave the sets alone that do not depend on them.
func TestScoresAreDigested(t *testing.T) {
	of := func(scores ...float64) map[string]string {
		var w world
		task := taskOf("a", schemas.SplitTrain, 0)
		attempts := []schemas.Trajectory{attempt(task, 0, submit("right", 1)), attempt(task, 1, submit("wrong", 0)), attempt(task, 2, submit("no", 0), submit("right", 1))}
		for i, score := range scores {
			attempts[i] = by(attempts[i], score)
		}
		w.add(task, attempts...)
		dir := exported(t, w, export.Options{})
		if rows := rowsOf[schemas.DPO](t, dir, schemas.TierOpen, schemas.ConfigDPO); len(rows) != 2 {
			t.Errorf("%d pairs", len(rows))
		}
		return files(t, dir)
	}
	none, some, other := of(), of(0.5, 0.5), of(0.5, 0.25)
	pairs := 0
	for name, bytes := range none {
		switch {
		case strings.Contains(name, "/dpo/"):
			pairs++
			if bytes == some[name] || some[name] == other[name] {
				t.Errorf("%s does not change with the scores", name)
			}
		case strings.HasSuffix(name, ".parquet") && (bytes != some[name] || bytes != other[name]):
			t.Errorf("%s changes with the scores", name)
		}
	}
	if pairs != 1 {
		t.Errorf("%d shards of pairs", pairs)
	}
}
