package replay

import (
	"context"
	"math"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

// Comparison counts how recorded verdicts and ours agree, on the same replies.
type Comparison struct {
	Rows     int    `json:"rows"`
	Strict   Labels `json:"strict"`   // our reward, against the recorded reward or, where there is none, the recorded upstream verdict
	Upstream Labels `json:"upstream"` // what the public release would say now, against what it said
}

// Labels counts pairs of verdicts.
type Labels struct {
	Compared int `json:"compared"`
	Higher   int `json:"higher_now"`
	Lower    int `json:"lower_now"`
	None     int `json:"no_verdict_now"` // recorded, and none now: infra_error, grader_error
}

// Differ is the number of labels that are not the recorded ones.
func (l Labels) Differ() int { return l.Higher + l.Lower }

// add compares a verdict with the recorded one; NaN is none.
func (l *Labels) add(recorded float32, now *float64) {
	switch {
	case math.IsNaN(float64(recorded)):
	case now == nil:
		l.None++
	default:
		l.Compared++
		const slack = 1e-6 // recorded figures are kept in single precision
		switch d := *now - float64(recorded); {
		case d > slack:
			l.Higher++
		case d < -slack:
			l.Lower++
		}
	}
}

func (l *Labels) merge(o Labels) {
	l.Compared += o.Compared
	l.Higher += o.Higher
	l.Lower += o.Lower
	l.None += o.None
}

// Merge adds the counts of another source.
func (c *Comparison) Merge(o Comparison) {
	c.Rows += o.Rows
	c.Strict.merge(o.Strict)
	c.Upstream.merge(o.Upstream)
}

// Compare holds the verdicts of replayed trajectories, which lie below dir, against the
// recorded ones, by source.
func (r *Recordings) Compare(ctx context.Context, dir string) (map[string]Comparison, error) {
	out := map[string]Comparison{}
	for t, err := range pq.ReadDir[schemas.Trajectory](ctx, dir) {
		if err != nil {
			return nil, err
		}
		entries, attempt := r.byTask[t.TaskID], int(schemas.Value(t.Attempt))
		if t.Policy.Kind != Kind || attempt >= len(entries) {
			continue
		}
		e := entries[attempt]
		c := out[t.Source]
		c.Rows++
		strict := e.reward
		if math.IsNaN(float64(strict)) {
			strict = e.upstream
		}
		c.Strict.add(strict, t.Reward)
		c.Upstream.add(e.upstream, t.RewardUpstream)
		out[t.Source] = c
	}
	return out, nil
}
