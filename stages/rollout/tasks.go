package rollout

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/internal/selection"
)

// plan is which attempts are to be sampled: ids alone, so that a corpus of any size
// fits.
type plan struct {
	opts     Options
	chosen   map[string]bool
	sources  map[string]*SourceSummary
	attempts int64                   // of this shard
	tiers    map[string]schemas.Tier // by source
}

// closed lists the sources with tasks to sample that are not open data.
func (p *plan) closed() []string {
	var ids []string
	for _, id := range sortedKeys(p.sources) {
		if p.sources[id].Chosen > 0 && p.tiers[id] != schemas.TierOpen {
			ids = append(ids, id)
		}
	}
	return ids
}

// Dropped is counted among the statuses: ready, but for screening, which has marked
// the task as one that overlaps test tasks.
const Dropped = "dropped_for_overlap"

// wanted yields the tasks of the sources, splits and subset that were asked for.
func wanted(ctx context.Context, dir string, opts Options) iter.Seq2[schemas.Task, error] {
	part := selection.Selection{Subset: opts.Subset, Fraction: opts.SubsetFraction}
	return func(yield func(schemas.Task, error) bool) {
		for task, err := range pq.ReadDir[schemas.Task](ctx, dir) {
			if err == nil && (!part.Holds(task.Subset, task.TrainFraction, task.Split) ||
				len(opts.Sources) > 0 && !slices.Contains(opts.Sources, task.Source) ||
				len(opts.Splits) > 0 && !slices.Contains(opts.Splits, task.Split)) {
				continue
			}
			if !yield(task, err) || err != nil {
				return
			}
		}
	}
}

// quarantined reads which tasks the validate stage found to be at fault.
func quarantined(ctx context.Context, dir string) (map[string]bool, error) {
	ids := map[string]bool{}
	for v, err := range pq.ReadDir[schemas.TaskValidation](ctx, dir) {
		if err != nil {
			return nil, err
		}
		if v.State == schemas.ValidationQuarantined {
			ids[v.TaskID] = true
		}
	}
	return ids, nil
}

// choose reads the tasks once, counts them by status, and draws those to sample.
// What is in out is quarantined, what is in dropped overlaps test tasks.
func choose(ctx context.Context, dir string, opts Options, out, dropped map[string]bool) (*plan, error) {
	p := &plan{opts: opts, chosen: map[string]bool{}, sources: map[string]*SourceSummary{}, tiers: map[string]schemas.Tier{}}
	ready := map[string][]drawn{}
	for task, err := range wanted(ctx, dir, opts) {
		if err != nil {
			return nil, err
		}
		s := p.sources[task.Source]
		if s == nil {
			s = newSummary()
			p.sources[task.Source] = s
			p.tiers[task.Source] = task.AccessTier
		}
		if out[task.TaskID] {
			task.Status = schemas.StatusQuarantined
		}
		if task.Status == schemas.StatusReady && dropped[task.TaskID] {
			task.Status = Dropped
		}
		s.Tasks[task.Status]++
		if task.Status == schemas.StatusReady {
			ready[task.Source] = append(ready[task.Source], drawn{derive(opts.Seed, "task", task.TaskID), task.TaskID})
		}
	}
	for _, id := range opts.Sources {
		if p.sources[id] == nil {
			return nil, pipeline.BadInput(dir, 0, "has no task of source "+id+" in the splits and the subset asked for", "leave it out, or prepare with its download")
		}
	}
	for source, tasks := range ready {
		most := opts.MaxTasks
		if quota := opts.Quotas[source]; quota > 0 {
			most = quota
		}
		if most > 0 && len(tasks) > most {
			slices.SortFunc(tasks, func(a, b drawn) int {
				return cmp.Or(cmp.Compare(a.lot, b.lot), strings.Compare(a.id, b.id))
			})
			tasks = tasks[:most]
		}
		p.sources[source].Chosen = len(tasks)
		for _, t := range tasks {
			p.chosen[t.id] = true
			p.attempts += int64(p.planned(t.id))
		}
	}
	if len(p.chosen) == 0 {
		return nil, pipeline.BadInput(dir, 0, "has no task that can be sampled"+p.why(), "choose other sources, splits or subsets, or prepare with the data that they need")
	}
	return p, nil
}

type drawn struct {
	lot uint64
	id  string
}

// why says what became of the tasks that cannot be sampled.
func (p *plan) why() string {
	counts := map[string]int{}
	for _, s := range p.sources {
		for status, n := range s.Tasks {
			counts[status] += n
		}
	}
	if len(counts) == 0 {
		return ": there are none of these sources, splits and subsets"
	}
	var parts []string
	for _, status := range sortedKeys(counts) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[status], status))
	}
	return ": " + strings.Join(parts, ", ")
}

// holds says whether an attempt is of the plan, and of this shard.
func (p *plan) holds(taskID string, attempt int) bool {
	return p.chosen[taskID] && attempt < p.opts.K && p.inShard(taskID, attempt)
}

// inShard says whether an attempt is this run's: a function of the attempt and the
// number of shards alone, or of the task where attempts at one hang together.
func (p *plan) inShard(taskID string, attempt int) bool {
	if p.opts.Shards <= 1 {
		return true
	}
	of := taskID
	if p.opts.UntilSolved == 0 {
		of = unitKey(taskID, attempt)
	}
	return derive(0, "shard", of)%uint64(p.opts.Shards) == uint64(p.opts.Shard)
}

// planned is the number of a chosen task's attempts in this shard.
func (p *plan) planned(taskID string) int {
	n := 0
	for attempt := range p.opts.K {
		if p.inShard(taskID, attempt) {
			n++
		}
	}
	return n
}

// left lists the attempts at a chosen task that are to make, as far as is known: with
// UntilSolved those that are made may show that the last of them are not needed.
func (p *plan) left(taskID string, l *ledger) []int {
	var left []int
	solved := 0
	for attempt := range p.opts.K {
		if p.opts.UntilSolved > 0 && solved >= p.opts.UntilSolved {
			break
		}
		if !p.inShard(taskID, attempt) {
			continue
		}
		switch m := l.mark(unitKey(taskID, attempt)); {
		case m.open():
			left = append(left, attempt)
		case m&markSolved != 0:
			solved++
		}
	}
	return left
}

// enough says whether the attempts at a task before one have solved it often enough.
func (p *plan) enough(taskID string, attempt int, l *ledger) bool {
	if p.opts.UntilSolved == 0 {
		return false
	}
	solved := 0
	for before := range attempt {
		if l.mark(unitKey(taskID, before))&markSolved != 0 {
			solved++
		}
	}
	return solved >= p.opts.UntilSolved
}

// remaining is the number of attempts that are to make, as far as is known.
func (p *plan) remaining(l *ledger) int64 {
	var n int64
	for id := range p.chosen {
		n += int64(len(p.left(id, l)))
	}
	return n
}

// unit is what one worker does: an attempt, or where attempts at a task hang together
// all of them, one after the other.
type unit struct {
	task     schemas.Task
	attempts []int
}

// units yields the attempts that are left, in the order of the tasks' files; those at
// one task follow each other.
func (p *plan) units(ctx context.Context, dir string, l *ledger) iter.Seq2[unit, error] {
	return func(yield func(unit, error) bool) {
		for task, err := range wanted(ctx, dir, p.opts) {
			if err != nil {
				yield(unit{}, err)
				return
			}
			if !p.chosen[task.TaskID] {
				continue
			}
			left := p.left(task.TaskID, l)
			if p.opts.UntilSolved > 0 {
				if len(left) > 0 && !yield(unit{task, left}, nil) {
					return
				}
				continue
			}
			for i := range left {
				if !yield(unit{task, left[i : i+1]}, nil) {
					return
				}
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
