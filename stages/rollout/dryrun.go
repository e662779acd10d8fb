package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/internal/tokens"
)

// Forecast is what a rollout would do, and take.
type Forecast struct {
	Sources map[string]PlannedSource `json:"sources"`
	All     PlannedSource            `json:"all"`

	Shard       string `json:"shard,omitempty"`
	UntilSolved int    `json:"until_solved,omitempty"` // what is left is then at most so much
	// Spent is what the rows that there are took, as caps count it.
	Spent Spent `json:"spent"`
	// Assumed says how attempts were taken to go where a source has no rows to tell.
	Assumed *Assumption `json:"assumed,omitempty"`
}

// Spent is a sum of tokens and cost.
type Spent struct {
	Tokens  int64   `json:"tokens"`
	CostUSD float64 `json:"cost_usd"`
}

// PlannedSource is the plan for one source. Tokens and cost are those of the attempts
// that are left.
type PlannedSource struct {
	Tasks    int   `json:"tasks"`
	Attempts int64 `json:"attempts"` // of the plan and this shard
	Done     int64 `json:"done"`     // or not needed any more
	Left     int64 `json:"left"`
	Measured int   `json:"measured"` // rows that say how attempts go; 0: Assumed does

	PromptTokens     int64    `json:"prompt_tokens"`
	CompletionTokens int64    `json:"completion_tokens"`
	CostUSD          *float64 `json:"cost_usd"` // null where it is not known
}

func (s *PlannedSource) merge(o PlannedSource) {
	s.Tasks += o.Tasks
	s.Attempts += o.Attempts
	s.Done += o.Done
	s.Left += o.Left
	s.Measured += o.Measured
	s.PromptTokens += o.PromptTokens
	s.CompletionTokens += o.CompletionTokens
	if o.CostUSD != nil {
		s.CostUSD = schemas.Ptr(schemas.Value(s.CostUSD) + *o.CostUSD)
	}
}

// Assumption is how attempts go of which there are no rows yet.
type Assumption struct {
	Turns             int `json:"turns"`
	ReplyTokens       int `json:"reply_tokens"`
	ObservationTokens int `json:"observation_tokens"`
}

// assumed is the order of what models of some billions of parameters do here.
func assumed(limits Limits) Assumption {
	return Assumption{Turns: min(5, limits.Turns), ReplyTokens: min(300, limits.ReplyTokens), ObservationTokens: 250}
}

const (
	measuredRows = 200 // of a source, at most
	enoughRows   = 5   // fewer say nothing
	perTurn      = tokens.PerMessage
)

// DryRun says what the stage would do in a run folder, and what that would take. It
// makes nothing, opens no sandbox and asks no model. Without Options.Price the cost is
// reckoned from rows that know theirs.
func DryRun(ctx context.Context, run *pipeline.Run, opts Options) (Forecast, error) {
	st, err := Stage(opts)
	if err != nil {
		return Forecast{}, err
	}
	opts, config, err := opts.settle()
	if err != nil {
		return Forecast{}, fmt.Errorf("rollout: %w", err)
	}
	f := Forecast{Sources: map[string]PlannedSource{}, Shard: config.Shard, UntilSolved: opts.UntilSolved}
	err = run.Look(ctx, st, func(ctx context.Context, w *pipeline.Work, _ bool) error {
		r, err := newRoller(w, opts, config)
		if err != nil {
			return err
		}
		if err := r.choose(ctx); err != nil {
			return err
		}
		return r.forecast(ctx, &f)
	})
	return f, err
}

func (r *roller) forecast(ctx context.Context, f *Forecast) error {
	seen := map[string]*measure{}
	for id, s := range r.plan.sources {
		if s.Chosen == 0 {
			continue
		}
		m, err := r.measure(ctx, id)
		if err != nil {
			return err
		}
		if m.rows < enoughRows {
			m = &measure{assumed: assumed(r.opts.Limits)}
			f.Assumed = &m.assumed
		}
		seen[id] = m
		f.Sources[id] = PlannedSource{Tasks: s.Chosen, Measured: m.rows}
	}
	systems := map[string]int{} // tokens of the system prompt, by actions
	for task, err := range wanted(ctx, r.w.Input(tasksStage), r.opts) {
		if err != nil {
			return err
		}
		if !r.plan.chosen[task.TaskID] {
			continue
		}
		s := f.Sources[task.Source]
		planned, left := int64(r.plan.planned(task.TaskID)), int64(len(r.plan.left(task.TaskID, r.ledger)))
		s.Attempts += planned
		s.Done += planned - left
		s.Left += left
		if left > 0 {
			opening, err := r.opening(task, systems)
			if err != nil {
				return err
			}
			prompt, completion, cost := seen[task.Source].expect(opening, r.opts.Limits.PromptTokens, r.opts.Price)
			s.PromptTokens += left * int64(math.Round(prompt))
			s.CompletionTokens += left * int64(math.Round(completion))
			if cost != nil {
				s.CostUSD = schemas.Ptr(schemas.Value(s.CostUSD) + float64(left)**cost)
			}
		}
		f.Sources[task.Source] = s
	}
	for _, id := range sortedKeys(f.Sources) {
		f.All.merge(f.Sources[id])
	}
	f.Spent = Spent{Tokens: r.ledger.spent.tokens, CostUSD: r.ledger.spent.cost}
	return nil
}

// opening is the number of tokens that a conversation about a task begins with.
func (r *roller) opening(task schemas.Task, systems map[string]int) (int, error) {
	of := fmt.Sprint(task.Actions)
	if _, ok := systems[of]; !ok {
		tools := r.opts.Policies.About().Protocol == ProtocolTools // what declares them is not counted
		text, err := systemPrompt(r.prompt, promptOf{task.Actions, r.opts.Limits, r.opts.Feedback, r.opts.Packages != nil, tools})
		if err != nil {
			return 0, err
		}
		systems[of] = r.counter.CountChat([]schemas.ChatMessage{{Role: schemas.RoleSystem, Content: text}})
	}
	return systems[of] + perTurn + r.counter.Count(task.Instruction), nil
}

// measure is how attempts at the tasks of a source went.
type measure struct {
	assumed Assumption // where rows is 0

	rows        int
	turns       map[int]int // attempts by their number of replies
	replies     int
	completion  int64 // tokens of the replies
	observation int64 // tokens that they were answered with
	cost        float64
	priced      int // attempts whose cost is known
}

// measure reads some rows of a source: former ones, then those in the journal.
func (r *roller) measure(ctx context.Context, source string) (*measure, error) {
	m := &measure{turns: map[int]int{}}
	add := func(row schemas.Trajectory) bool {
		if len(row.Steps) == 0 {
			return true
		}
		m.rows++
		m.turns[len(row.Steps)]++
		m.replies += len(row.Steps)
		m.completion += schemas.Value(row.CompletionTokens)
		for _, step := range row.Steps {
			m.observation += int64(r.counter.Count(step.Observation))
		}
		if row.CostUSD != nil {
			m.priced++
			m.cost += *row.CostUSD
		}
		return m.rows < measuredRows
	}
	if r.w.Former() != "" {
		files, err := pq.Files(r.w.Former())
		if err != nil {
			return nil, err
		}
		files = slices.DeleteFunc(files, func(file string) bool { return filepath.Base(filepath.Dir(file)) != source })
		for row, err := range formerRows(ctx, files) {
			if err != nil {
				return nil, err
			}
			if !add(row) {
				return m, nil
			}
		}
	}
	full := errors.New("enough")
	err := r.w.Journal().Range(ctx, source+"/", func(key string, payload []byte) error {
		var row schemas.Trajectory
		if err := json.Unmarshal(payload, &row); err != nil {
			return fmt.Errorf("journal, unit %s: the row cannot be read", key) // the cause may quote it
		}
		if !add(row) {
			return full
		}
		return nil
	})
	if errors.Is(err, full) {
		err = nil
	}
	return m, err
}

// expect is what an attempt takes whose conversation begins with so many tokens: each
// reply is asked for with all that came before it, up to a limit.
func (m *measure) expect(opening, limit int, price *Price) (prompt, completion float64, cost *float64) {
	reply, observation := float64(m.assumed.ReplyTokens), float64(m.assumed.ObservationTokens)
	turns := map[int]int{m.assumed.Turns: 1}
	if m.rows > 0 {
		reply, observation, turns = float64(m.completion)/float64(m.replies), float64(m.observation)/float64(m.replies), m.turns
	}
	attempts := 0
	for _, n := range slices.Sorted(maps.Keys(turns)) { // in order: sums of floats depend on it
		times := turns[n]
		attempts += times
		completion += float64(times*n) * reply
		for before := range n {
			prompt += float64(times) * min(float64(limit), float64(opening)+float64(before)*(reply+observation+2*perTurn))
		}
	}
	prompt, completion = prompt/float64(attempts), completion/float64(attempts)
	switch {
	case price != nil:
		cost = schemas.Ptr(price.of(prompt, completion))
	case m.priced > 0:
		cost = schemas.Ptr(m.cost / float64(m.priced))
	}
	return prompt, completion, cost
}
