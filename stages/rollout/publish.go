package rollout

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

// publish writes the journal's rows to trajectories/<tier>/<source>/<split>-….
// They come in the order of keys, so one row is in memory at a time.
func (r *roller) publish(ctx context.Context) error {
	next, stop := iter.Pull2(r.rows(ctx))
	defer stop()
	row, err, ok := next()
	published := int64(0)
	for ok && err == nil {
		first := row
		group := func(yield func(schemas.Trajectory, error) bool) {
			for ; ok && (err != nil || row.Source == first.Source && row.Split == first.Split); row, err, ok = next() {
				if err == nil {
					published++
					r.plan.sources[row.Source].add(row)
				}
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
		dir := filepath.Join(r.w.Dir(), first.AccessTier, first.Source)
		if _, err := pq.WriteShards(ctx, dir, first.Split, group, pq.Options{Private: first.AccessTier != schemas.TierOpen}); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return r.summarize(published)
}

// rows yields what the journal holds.
func (r *roller) rows(ctx context.Context) iter.Seq2[schemas.Trajectory, error] {
	return func(yield func(schemas.Trajectory, error) bool) {
		stopped := errors.New("stopped")
		err := r.w.Journal().Each(ctx, func(key string, payload []byte) error {
			var row schemas.Trajectory
			if err := json.Unmarshal(payload, &row); err != nil {
				return fmt.Errorf("journal, unit %s: the row cannot be read", key) // the cause may quote it
			}
			if row.TaskID == "" || r.plan.sources[row.Source] == nil || unitKey(row.TaskID, int(schemas.Value(row.Attempt))) != key {
				return fmt.Errorf("journal, unit %s: the row is another one's", key)
			}
			if !yield(row, nil) {
				return stopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(schemas.Trajectory{}, err)
		}
	}
}

func (r *roller) summarize(published int64) error {
	all := newSummary()
	for _, id := range sortedKeys(r.plan.sources) {
		s := r.plan.sources[id]
		all.merge(s)
		r.w.Summarize(id, s)
	}
	r.w.Summarize("all", all)
	left := r.plan.attempt - published
	for _, n := range r.noPlay {
		left -= int64(n)
	}
	switch {
	case left != 0:
		return fmt.Errorf("internal error: %d of %d attempts have no row", left, r.plan.attempt)
	case published == 0:
		return fmt.Errorf("nothing was sampled: the policy %s can play none of %d tasks", r.opts.Policies.About().Kind, all.Chosen)
	}
	return nil
}
