// Package stats computes the figures of a run: tasks against the counts that the
// paper and the published files state, outcomes and rewards of trajectories,
// pass@k, what a verifier's scores are worth, and the sizes of training sets.
//
// A Collector is fed rows one by one and keeps counters, never rows: its memory
// grows with the number of distinct sources, categories, action names and error
// types, and by one small record per task tried (for pass@k) and per attempt that
// a verifier has scored. Report gives the figures in the form of stats.json;
// WriteText renders the same as tables.
//
// Null rewards (infra_error, grader_error) are never counted as failures: they
// lower the coverage, which is printed beside every mean, and stay out of pass@k.
package stats

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

// Version of the form of stats.json. It changes when a key is renamed, removed
// or given another meaning; new keys do not change it.
const Version = 1

// All is the name of the row that sums up every source.
const All = "all"

// Unreadable stands for the action of a reply that could not be read as one.
const Unreadable = "unreadable"

// Report is stats.json. Lists are in the order of the registry, then by name;
// a part is null when the run folder does not hold its table.
type Report struct {
	Version      int            `json:"stats_version"`
	Tasks        *Tasks         `json:"tasks"`
	Paper        *Paper         `json:"paper"`
	Trajectories *Trajectories  `json:"trajectories"`
	TrainingSets []*TrainingSet `json:"training_sets"`

	restricted bool // counts rows that are not open
}

// Tasks are the figures of the tasks table and the reject ledger.
type Tasks struct {
	Sources    []*SourceTasks  `json:"sources"` // last: the sum, "all"
	Categories []CategoryCount `json:"categories"`
	Kinds      []CategoryTotal `json:"category_totals"`
	Rejected   []ReasonCount   `json:"rejected"` // by source and reason
	NotReady   []ReasonCount   `json:"not_ready"`
}

// SourceTasks compares one split of one source with what is stated elsewhere.
// Raw is Tasks + Rejected: every raw row is one or the other.
type SourceTasks struct {
	Source           string   `json:"source"`
	Split            string   `json:"split"`
	Raw              int      `json:"raw"`
	Tasks            int      `json:"tasks"`
	Rejected         int      `json:"rejected"`
	Ready            int      `json:"ready"`
	MissingResources int      `json:"missing_resources"`
	Ungradable       int      `json:"ungradable"`
	Quarantined      int      `json:"quarantined"`
	Board            int      `json:"leaderboard"` // tasks of the leaderboard subset
	Full             Expected `json:"paper_full"`
	Leaderboard      Expected `json:"paper_leaderboard"`
	Release          Expected `json:"release"`
}

// Expected is a stated count and how far ours is from it. Theirs is zero when
// none is stated, and Difference is then null.
type Expected struct {
	Theirs     int  `json:"theirs"`
	Difference *int `json:"difference"` // raw - theirs; of the leaderboard, its tasks - theirs
}

// CategoryCount is the number of tasks of one category.
type CategoryCount struct {
	Source   string `json:"source"`
	Category string `json:"category"`
	Train    int    `json:"train"`
	Test     int    `json:"test"`
	// Those of them that are in the leaderboard subset.
	BoardTrain int `json:"leaderboard_train"`
	BoardTest  int `json:"leaderboard_test"`
}

// CategoryTotal compares the number of distinct categories with the paper's.
type CategoryTotal struct {
	Source string `json:"source"`
	Ours   int    `json:"ours"`
	Paper  int    `json:"paper"` // zero when none is stated
}

// ReasonCount counts rows of a source by the reason that is given for them.
type ReasonCount struct {
	Source string `json:"source"`
	Status string `json:"status"` // rejected, or the task's status
	Reason string `json:"reason"`
	Rows   int    `json:"rows"`
}

// Trajectories are the figures of the trajectories table.
type Trajectories struct {
	Sources []*SourceTrajectories `json:"sources"` // last: the sum, "all"
}

// SourceTrajectories are the figures of one source, over both splits, except
// pass@k, which is given for each split too.
type SourceTrajectories struct {
	Source   string         `json:"source"`
	Attempts int            `json:"attempts"`
	Graded   int            `json:"graded"`   // reward is not null
	Coverage float64        `json:"coverage"` // graded / attempts
	Outcomes map[string]int `json:"outcomes"`
	// The means are over graded attempts. The last two count the labels that
	// flip between the two rewards.
	RewardMean         float64 `json:"reward_mean"`
	RewardUpstreamMean float64 `json:"reward_upstream_mean"`
	StrictOnly         int     `json:"strict_only"`
	UpstreamOnly       int     `json:"upstream_only"`

	Turns            *Dist `json:"turns"`      // steps of an attempt
	Executions       *Dist `json:"executions"` // steps of an attempt that ran in the sandbox
	PromptTokens     *Dist `json:"prompt_tokens"`
	CompletionTokens *Dist `json:"completion_tokens"`
	WallMS           *Dist `json:"wall_ms"`

	Actions    map[string]int     `json:"actions"` // steps by action
	Shares     map[string]float64 `json:"action_shares"`
	ErrorTypes map[string]int     `json:"error_types"` // steps by error type
	Policies   map[string]int     `json:"policies"`    // attempts by policy kind and model

	Pass map[string][]PassRow `json:"pass_at_k"` // by split, and "all"
	// Verifier is by split, and "all"; it is left out where no attempt has a score.
	Verifier map[string]*VerifierFigures `json:"verifier,omitempty"`

	rewardSum, upstreamSum float64
}

// TrainingSet are the figures of one split of one config of one tier.
type TrainingSet struct {
	Tier    string         `json:"tier"`
	Config  string         `json:"config"`
	Split   string         `json:"split"`
	Rows    int            `json:"rows"`
	Sources map[string]int `json:"sources"` // rows by source
	Turns   *Dist          `json:"turns"`
	Tokens  *Dist          `json:"tokens"`
	Lengths []LengthRow    `json:"lengths"`
}

// LengthRow says how many rows a maximum length would cut or drop.
type LengthRow struct {
	MaxLength int64   `json:"max_length"`
	Longer    int64   `json:"longer"`
	Share     float64 `json:"share"`
}

// lengthLimits are the maximum lengths that trainers are commonly run with;
// 1,024 is TRL's default.
var lengthLimits = [...]int64{1024, 2048, 4096, 8192, 16384, 32768}

// Collector takes rows and counts. It is for one goroutine.
type Collector struct {
	specs []datasets.Spec

	tasks      map[[2]string]*SourceTasks // source, split
	categories map[[2]string]*CategoryCount
	rejected   map[[2]string]int // source, reason
	notReady   map[[3]string]int // source, status, reason

	trajectories map[string]*SourceTrajectories
	tried        map[string]*attempts  // by task id
	scores       map[[2]string]*scored // source, split

	sets map[[3]string]*TrainingSet

	restricted bool
}

// New makes a collector. The specs give the expected counts and the order of
// sources; rows of a source that has no spec are counted all the same.
func New(specs []datasets.Spec) *Collector {
	return &Collector{
		specs:        specs,
		tasks:        map[[2]string]*SourceTasks{},
		categories:   map[[2]string]*CategoryCount{},
		rejected:     map[[2]string]int{},
		notReady:     map[[3]string]int{},
		trajectories: map[string]*SourceTrajectories{},
		tried:        map[string]*attempts{},
		scores:       map[[2]string]*scored{},
		sets:         map[[3]string]*TrainingSet{},
	}
}

// entry is m[key], made by fresh when absent.
func entry[K comparable, V any](m map[K]*V, key K, fresh func() *V) *V {
	v, ok := m[key]
	if !ok {
		v = fresh()
		m[key] = v
	}
	return v
}

func (c *Collector) sourceTasks(source, split string) *SourceTasks {
	return entry(c.tasks, [2]string{source, split}, func() *SourceTasks {
		return &SourceTasks{Source: source, Split: split}
	})
}

// Task counts one row of the tasks table.
func (c *Collector) Task(t schemas.Task) {
	c.restricted = c.restricted || t.AccessTier != schemas.TierOpen
	st := c.sourceTasks(t.Source, t.Split)
	st.Tasks++
	board := ofBool(t.Subset == schemas.SubsetLeaderboard)
	st.Board += board
	switch t.Status {
	case schemas.StatusReady:
		st.Ready++
	case schemas.StatusMissingResources:
		st.MissingResources++
	case schemas.StatusUngradable:
		st.Ungradable++
	case schemas.StatusQuarantined:
		st.Quarantined++
	}
	if t.Status != schemas.StatusReady {
		c.notReady[[3]string{t.Source, t.Status, t.StatusReason}]++
	}
	category := entry(c.categories, [2]string{t.Source, t.Category}, func() *CategoryCount {
		return &CategoryCount{Source: t.Source, Category: t.Category}
	})
	if t.Split == schemas.SplitTest {
		category.Test++
		category.BoardTest += board
	} else {
		category.Train++
		category.BoardTrain += board
	}
}

// Reject counts one row of the reject ledger.
func (c *Collector) Reject(source, split, reason string) {
	c.sourceTasks(source, split).Rejected++
	c.rejected[[2]string{source, reason}]++
}

func newSourceTrajectories(source string) *SourceTrajectories {
	return &SourceTrajectories{
		Source: source, Outcomes: map[string]int{},
		Turns: &Dist{}, Executions: &Dist{}, PromptTokens: &Dist{}, CompletionTokens: &Dist{}, WallMS: &Dist{},
		Actions: map[string]int{}, ErrorTypes: map[string]int{}, Policies: map[string]int{},
	}
}

// Trajectory counts one row of the trajectories table.
func (c *Collector) Trajectory(t schemas.Trajectory) {
	c.restricted = c.restricted || t.AccessTier != schemas.TierOpen
	for _, source := range []string{t.Source, All} {
		entry(c.trajectories, source, func() *SourceTrajectories { return newSourceTrajectories(source) }).add(t)
	}
	c.countScore(t)
	task := entry(c.tried, t.TaskID, func() *attempts { return &attempts{source: t.Source, split: t.Split} })
	if t.Reward == nil {
		return
	}
	task.graded++
	if passed(t.Reward) {
		task.strict++
	}
	if passed(t.RewardUpstream) {
		task.upstream++
	}
	if t.VerifierScore != nil {
		task.judged = append(task.judged, judged{*t.VerifierScore, passed(t.Reward), passed(t.RewardUpstream)})
	}
}

// passed says whether a reward is the full one. A null reward is not.
func passed(reward *float64) bool { return reward != nil && *reward >= 1 }

func (s *SourceTrajectories) add(t schemas.Trajectory) {
	s.Attempts++
	s.Outcomes[t.Outcome]++
	if t.Reward != nil {
		s.Graded++
		s.rewardSum += *t.Reward
		s.upstreamSum += schemas.Value(t.RewardUpstream)
		switch strict, upstream := passed(t.Reward), passed(t.RewardUpstream); {
		case strict && !upstream:
			s.StrictOnly++
		case upstream && !strict:
			s.UpstreamOnly++
		}
	}
	policy := t.Policy.Kind
	if t.Policy.Model != "" {
		policy += "/" + t.Policy.Model
	}
	s.Policies[policy]++

	var executions int64
	for _, step := range t.Steps {
		s.Actions[cmp.Or(step.Action, Unreadable)]++
		if step.ErrorType != "" {
			s.ErrorTypes[step.ErrorType]++
		}
		if step.Action == schemas.ActionCodeExecution || step.Action == schemas.ActionTerminal {
			executions++
		}
	}
	s.Turns.Add(int64(len(t.Steps)))
	s.Executions.Add(executions)
	addTo(s.PromptTokens, t.PromptTokens)
	addTo(s.CompletionTokens, t.CompletionTokens)
	if t.WallS != nil {
		s.WallMS.Add(int64(math.Round(*t.WallS * 1000)))
	}
}

// addTo leaves nulls out of the distribution: they are unknown, not zero.
func addTo(d *Dist, v *int64) {
	if v != nil {
		d.Add(*v)
	}
}

// TrainingRow counts one row of a training set.
func (c *Collector) TrainingRow(tier, config, split string, row schemas.Prefix) {
	c.restricted = c.restricted || tier != schemas.TierOpen
	set := entry(c.sets, [3]string{tier, config, split}, func() *TrainingSet {
		return &TrainingSet{Tier: tier, Config: config, Split: split, Sources: map[string]int{}, Turns: &Dist{}, Tokens: &Dist{}}
	})
	set.Rows++
	set.Sources[row.Source]++
	if row.NTurns > 0 {
		set.Turns.Add(int64(row.NTurns))
	}
	if row.NTokens > 0 {
		set.Tokens.Add(int64(row.NTokens))
	}
}

// Report makes the figures of what was counted so far.
func (c *Collector) Report() Report {
	report := Report{Version: Version, Tasks: c.tasksReport(), Trajectories: c.trajectoriesReport(), TrainingSets: c.setsReport(), restricted: c.restricted}
	if report.Tasks != nil {
		report.Paper = c.paperReport()
	}
	return report
}

// order puts sources as the registry does, unknown ones after, the sum last.
func (c *Collector) order(a, b string) int {
	rank := func(id string) int {
		if id == All {
			return len(c.specs) + 1
		}
		if i := slices.IndexFunc(c.specs, func(s datasets.Spec) bool { return s.ID == id }); i >= 0 {
			return i
		}
		return len(c.specs)
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
}

// bySplit puts train before test.
func bySplit(a, b string) int { return -cmp.Compare(a, b) }

func (c *Collector) tasksReport() *Tasks {
	if len(c.tasks) == 0 {
		return nil
	}
	out := &Tasks{Categories: []CategoryCount{}, Kinds: []CategoryTotal{}, Rejected: []ReasonCount{}, NotReady: []ReasonCount{}}
	// A split that is wholly absent from a source that is there shows as a
	// difference too, not as a missing row.
	for _, spec := range c.specs {
		for split, other := range map[string]string{schemas.SplitTrain: schemas.SplitTest, schemas.SplitTest: schemas.SplitTrain} {
			if _, there := c.tasks[[2]string{spec.ID, other}]; there && ofSplit(spec.Full, split)+ofSplit(spec.Release, split) > 0 {
				c.sourceTasks(spec.ID, split)
			}
		}
	}
	sums := map[string]*SourceTasks{}
	for _, key := range slices.SortedFunc(maps.Keys(c.tasks), func(a, b [2]string) int {
		return cmp.Or(c.order(a[0], b[0]), bySplit(a[1], b[1]))
	}) {
		row := *c.tasks[key] // Report may be asked for again
		row.Raw = row.Tasks + row.Rejected
		row.Full, row.Leaderboard, row.Release = Expected{}, Expected{}, Expected{}
		if i := slices.IndexFunc(c.specs, func(s datasets.Spec) bool { return s.ID == row.Source }); i >= 0 {
			spec := c.specs[i]
			row.Full.Theirs = ofSplit(spec.Full, row.Split)
			row.Leaderboard.Theirs = ofSplit(spec.Leaderboard, row.Split)
			row.Release.Theirs = ofSplit(spec.Release, row.Split)
		}
		out.Sources = append(out.Sources, &row)
		sum := entry(sums, row.Split, func() *SourceTasks { return &SourceTasks{Source: All, Split: row.Split} })
		sum.add(row)
	}
	for _, split := range slices.SortedFunc(maps.Keys(sums), bySplit) {
		out.Sources = append(out.Sources, sums[split])
	}
	for _, row := range out.Sources {
		for _, e := range []*Expected{&row.Full, &row.Leaderboard, &row.Release} {
			ours := row.Raw
			if e == &row.Leaderboard {
				ours = row.Board
			}
			if e.Theirs != 0 {
				e.Difference = schemas.Ptr(ours - e.Theirs)
			}
		}
	}
	for _, v := range c.categories {
		out.Categories = append(out.Categories, *v)
	}
	slices.SortFunc(out.Categories, func(a, b CategoryCount) int {
		return cmp.Or(c.order(a.Source, b.Source), cmp.Compare(a.Category, b.Category))
	})
	for _, category := range out.Categories {
		if n := len(out.Kinds); n == 0 || out.Kinds[n-1].Source != category.Source {
			total := CategoryTotal{Source: category.Source}
			if i := slices.IndexFunc(c.specs, func(s datasets.Spec) bool { return s.ID == category.Source }); i >= 0 {
				total.Paper = c.specs[i].Categories
			}
			out.Kinds = append(out.Kinds, total)
		}
		out.Kinds[len(out.Kinds)-1].Ours++
	}
	for k, n := range c.rejected {
		out.Rejected = append(out.Rejected, ReasonCount{Source: k[0], Status: "rejected", Reason: k[1], Rows: n})
	}
	for k, n := range c.notReady {
		out.NotReady = append(out.NotReady, ReasonCount{Source: k[0], Status: k[1], Reason: k[2], Rows: n})
	}
	for _, list := range [][]ReasonCount{out.Rejected, out.NotReady} {
		slices.SortFunc(list, func(a, b ReasonCount) int {
			return cmp.Or(c.order(a.Source, b.Source), cmp.Compare(a.Status, b.Status), cmp.Compare(a.Reason, b.Reason))
		})
	}
	return out
}

// ofSplit is the count of one split.
func ofSplit(n datasets.Counts, split string) int {
	if split == schemas.SplitTest {
		return n.Test
	}
	return n.Train
}

// add sums rows of several sources. The expected counts are those of the sources
// that are there: a run over two sources is not compared with all twelve.
func (s *SourceTasks) add(row SourceTasks) {
	s.Raw += row.Raw
	s.Tasks += row.Tasks
	s.Rejected += row.Rejected
	s.Ready += row.Ready
	s.MissingResources += row.MissingResources
	s.Ungradable += row.Ungradable
	s.Quarantined += row.Quarantined
	s.Board += row.Board
	s.Full.Theirs += row.Full.Theirs
	s.Leaderboard.Theirs += row.Leaderboard.Theirs
	s.Release.Theirs += row.Release.Theirs
}

func (c *Collector) trajectoriesReport() *Trajectories {
	if len(c.trajectories) == 0 {
		return nil
	}
	out := &Trajectories{}
	for _, source := range slices.SortedFunc(maps.Keys(c.trajectories), c.order) {
		s := *c.trajectories[source]
		s.Coverage = round(float64(s.Graded)/float64(s.Attempts), 6)
		if s.Graded > 0 {
			s.RewardMean = round(s.rewardSum/float64(s.Graded), 6)
			s.RewardUpstreamMean = round(s.upstreamSum/float64(s.Graded), 6)
		}
		var steps int
		for _, n := range s.Actions {
			steps += n
		}
		s.Shares = map[string]float64{}
		for action, n := range s.Actions {
			s.Shares[action] = round(float64(n)/float64(steps), 6)
		}
		s.Pass = c.pass(source)
		s.Verifier = c.verifier(source)
		out.Sources = append(out.Sources, &s)
	}
	return out
}

// pass makes the pass@k tables of a source. Tasks go in order of their ids, so
// that a floating-point sum is the same in every run.
func (c *Collector) pass(source string) map[string][]PassRow {
	groups := map[string][]attempts{}
	for _, id := range slices.Sorted(maps.Keys(c.tried)) {
		t := *c.tried[id]
		if source == All || t.source == source {
			groups[t.split] = append(groups[t.split], t)
			groups[All] = append(groups[All], t)
		}
	}
	tables := make(map[string][]PassRow, len(groups))
	for split, tasks := range groups {
		tables[split] = passTable(tasks)
	}
	return tables
}

func (c *Collector) setsReport() []*TrainingSet {
	var out []*TrainingSet
	for _, v := range c.sets {
		set := *v
		set.Lengths = nil
		for _, limit := range lengthLimits {
			row := LengthRow{MaxLength: limit, Longer: set.Tokens.Above(limit)}
			if n := set.Tokens.N(); n > 0 {
				row.Share = round(float64(row.Longer)/float64(n), 6)
			}
			set.Lengths = append(set.Lengths, row)
		}
		out = append(out, &set)
	}
	slices.SortFunc(out, func(a, b *TrainingSet) int {
		return cmp.Or(cmp.Compare(a.Tier, b.Tier), cmp.Compare(a.Config, b.Config), bySplit(a.Split, b.Split))
	})
	return out
}

// percent renders a share for tables.
func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }
