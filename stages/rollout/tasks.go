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

// plan is which tasks are sampled: ids alone, so that a corpus of any size fits.
type plan struct {
	chosen  map[string]bool
	sources map[string]*SourceSummary
	attempt int64                   // units of this shard
	tiers   map[string]schemas.Tier // by source
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

// SourceSummary is what the manifest says of one source.
type SourceSummary struct {
	Tasks     map[string]int `json:"tasks"` // by status, and Dropped
	Chosen    int            `json:"tasks_chosen"`
	NoPlay    int            `json:"tasks_without_a_play"` // chosen, but nothing for the policy to play
	Attempts  int            `json:"attempts"`
	Outcomes  map[string]int `json:"outcomes"`
	Graded    int            `json:"graded"` // attempts with rewards; the rest are infra_error and grader_error
	Solved    int            `json:"solved"`
	Upstream  int            `json:"solved_upstream"` // by the public release's verdict
	Turns     int            `json:"turns"`
	Submitted int            `json:"submissions"`
}

func newSummary() *SourceSummary {
	return &SourceSummary{Tasks: map[string]int{}, Outcomes: map[string]int{}}
}

func (s *SourceSummary) add(t schemas.Trajectory) {
	s.Attempts++
	s.Outcomes[t.Outcome]++
	s.Turns += len(t.Steps)
	for _, step := range t.Steps {
		if step.Submission != "" {
			s.Submitted++
		}
	}
	if t.Reward == nil {
		return
	}
	s.Graded++
	if *t.Reward == 1 {
		s.Solved++
	}
	if schemas.Value(t.RewardUpstream) == 1 {
		s.Upstream++
	}
}

func (s *SourceSummary) merge(o *SourceSummary) {
	for status, n := range o.Tasks {
		s.Tasks[status] += n
	}
	for outcome, n := range o.Outcomes {
		s.Outcomes[outcome] += n
	}
	s.Chosen += o.Chosen
	s.NoPlay += o.NoPlay
	s.Attempts += o.Attempts
	s.Graded += o.Graded
	s.Solved += o.Solved
	s.Upstream += o.Upstream
	s.Turns += o.Turns
	s.Submitted += o.Submitted
}

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
	p := &plan{chosen: map[string]bool{}, sources: map[string]*SourceSummary{}, tiers: map[string]schemas.Tier{}}
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
		if opts.MaxTasks > 0 && len(tasks) > opts.MaxTasks {
			slices.SortFunc(tasks, func(a, b drawn) int {
				return cmp.Or(cmp.Compare(a.lot, b.lot), strings.Compare(a.id, b.id))
			})
			tasks = tasks[:opts.MaxTasks]
		}
		p.sources[source].Chosen = len(tasks)
		for _, t := range tasks {
			p.chosen[t.id] = true
			for attempt := range opts.K {
				if inShard(opts, unitKey(t.id, attempt)) {
					p.attempt++
				}
			}
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

// inShard says whether an attempt is this run's: a function of the attempt and the
// number of shards alone.
func inShard(opts Options, key string) bool {
	return opts.Shards <= 1 || derive(0, "shard", key)%uint64(opts.Shards) == uint64(opts.Shard)
}

// unit is one attempt to make.
type unit struct {
	task    schemas.Task
	attempt int
	key     string
}

// units yields the attempts that are not done, in the order of the tasks' files;
// those at one task follow each other.
func (p *plan) units(ctx context.Context, dir string, opts Options, done map[string]bool) iter.Seq2[unit, error] {
	return func(yield func(unit, error) bool) {
		for task, err := range wanted(ctx, dir, opts) {
			if err != nil {
				yield(unit{}, err)
				return
			}
			if !p.chosen[task.TaskID] {
				continue
			}
			for attempt := range opts.K {
				key := unitKey(task.TaskID, attempt)
				if done[key] || !inShard(opts, key) {
					continue
				}
				if !yield(unit{task, attempt, key}, nil) {
					return
				}
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
