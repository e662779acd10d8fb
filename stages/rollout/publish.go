package rollout

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

// publish writes the rows of the former output and of the journal to
// trajectories/<tier>/<source>/<split>-…, in the order of their keys. One row of each
// is in memory at a time.
func (r *roller) publish(ctx context.Context) error {
	groups, err := r.groups()
	if err != nil {
		return err
	}
	published, planned := int64(0), int64(0)
	for _, prefix := range sortedKeys(groups) {
		next, stop := iter.Pull2(r.merged(ctx, prefix, groups[prefix]))
		row, err, ok := next()
		if !ok {
			stop()
			continue
		}
		first := row
		rows := func(yield func(schemas.Trajectory, error) bool) {
			for ; ok; row, err, ok = next() {
				if err == nil {
					published++
					if r.tally(row) {
						planned++
					}
				}
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
		dir := filepath.Join(r.w.Dir(), first.AccessTier, first.Source)
		_, err = pq.WriteShards(ctx, dir, first.Split, rows, pq.Options{Private: first.AccessTier != schemas.TierOpen})
		stop()
		if err != nil {
			return err
		}
	}
	if all, _ := r.ledger.rows(); all != published {
		return fmt.Errorf("internal error: %d rows are to be published, and %d were", all, published)
	}
	return r.summarize(published, planned)
}

// tally counts a row, and says whether it is of the plan.
func (r *roller) tally(row schemas.Trajectory) bool {
	s := r.plan.sources[row.Source]
	if s == nil {
		s = newSummary()
		r.plan.sources[row.Source] = s
	}
	s.add(row)
	if r.plan.holds(row.TaskID, int(schemas.Value(row.Attempt))) {
		return true
	}
	s.Kept++
	return false
}

// groups are the sources and splits with rows, by what the keys of their rows begin
// with, <source>/<split>/, and the former files of each.
func (r *roller) groups() (map[string][]string, error) {
	groups := map[string][]string{}
	for key, m := range r.ledger.marks { // nobody writes to it any more
		if !m.row() {
			continue
		}
		source, rest, _ := strings.Cut(key, "/")
		split, _, ok := strings.Cut(rest, "/")
		if !ok {
			return nil, fmt.Errorf("internal error: attempt %s is of no source and split", key)
		}
		groups[source+"/"+split+"/"] = nil
	}
	if r.w.Former() == "" {
		return groups, nil
	}
	files, err := pq.Files(r.w.Former())
	for _, file := range files {
		split, _, _ := strings.Cut(filepath.Base(file), "-")
		prefix := filepath.Base(filepath.Dir(file)) + "/" + split + "/"
		groups[prefix] = append(groups[prefix], file)
	}
	return groups, err
}

// merged yields the rows of a source and split: of the former files and of the
// journal, whose row of an attempt is the newer one.
func (r *roller) merged(ctx context.Context, prefix string, files []string) iter.Seq2[schemas.Trajectory, error] {
	return func(yield func(schemas.Trajectory, error) bool) {
		former := newStream(formerRows(ctx, files), prefix)
		defer former.stop()
		fresh := newStream(r.journalRows(ctx, prefix), prefix)
		defer fresh.stop()
		for former.ok || fresh.ok {
			from := former
			switch {
			case !former.ok || fresh.ok && fresh.key < former.key:
				from = fresh
			case fresh.ok && fresh.key == former.key:
				from = fresh
				former.advance()
			}
			row, err := from.row, from.err
			if !yield(row, err) || err != nil {
				return
			}
			from.advance()
		}
	}
}

// stream is a sequence of rows, and the one that is next.
type stream struct {
	next   func() (schemas.Trajectory, error, bool)
	stop   func()
	prefix string
	row    schemas.Trajectory
	key    string // of row; "" for an error, so that it comes first
	err    error
	ok     bool
}

func newStream(rows iter.Seq2[schemas.Trajectory, error], prefix string) *stream {
	s := &stream{prefix: prefix}
	s.next, s.stop = iter.Pull2(rows)
	s.advance()
	return s
}

// advance takes the next row; rows have to be of the prefix, and in order.
func (s *stream) advance() {
	if s.err != nil {
		s.ok = false
		return
	}
	last := s.key
	if s.row, s.err, s.ok = s.next(); !s.ok {
		return
	}
	if s.err == nil {
		s.key = briefOf(s.row).key()
		if s.key <= last || !strings.HasPrefix(s.key, s.row.Source+"/"+s.row.Split+"/") || !strings.HasPrefix(s.key, s.prefix) {
			s.err = fmt.Errorf("internal error: the row of attempt %s is out of place", s.key)
		}
	}
	if s.err != nil {
		s.key = ""
	}
}

func formerRows(ctx context.Context, files []string) iter.Seq2[schemas.Trajectory, error] {
	return func(yield func(schemas.Trajectory, error) bool) {
		for _, file := range files {
			for row, err := range pq.ReadFile[schemas.Trajectory](ctx, file) {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

func (r *roller) journalRows(ctx context.Context, prefix string) iter.Seq2[schemas.Trajectory, error] {
	return func(yield func(schemas.Trajectory, error) bool) {
		stopped := errors.New("stopped")
		err := r.w.Journal().Range(ctx, prefix, func(key string, payload []byte) error {
			var row schemas.Trajectory
			if err := json.Unmarshal(payload, &row); err != nil {
				return fmt.Errorf("journal, unit %s: the row cannot be read", key) // the cause may quote it
			}
			if briefOf(row).key() != key {
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

func (r *roller) summarize(published, planned int64) error {
	for id := range r.noPlay {
		source, _, _ := strings.Cut(id, "/")
		r.plan.sources[source].NoPlay++
	}
	all := newSummary()
	for _, id := range sortedKeys(r.plan.sources) {
		s := r.plan.sources[id]
		all.merge(s)
		r.w.Summarize(id, s)
	}
	r.w.Summarize("all", all)
	stopped, left := "", r.plan.remaining(r.ledger)
	if r.gate != nil {
		stopped = r.gate.cap()
	}
	r.w.Summarize("planned", r.plan.attempts)
	r.w.Summarize("made", planned)
	r.w.Summarize("left", left)
	r.w.Summarize("stopped", stopped)
	switch {
	case stopped == "" && left != 0:
		return fmt.Errorf("internal error: %d of %d attempts have no row", left, r.plan.attempts)
	case stopped == "" && published == 0:
		return fmt.Errorf("nothing was sampled: the policy %s can play none of %d tasks", r.opts.Policies.About().Kind, all.Chosen)
	}
	return nil
}
