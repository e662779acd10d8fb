// Package rollout samples trajectories: K attempts at each task, each an agent
// loop of a policy, a sandbox and a grader, within budgets.
//
// The unit of work is one attempt, keyed <task_id>#<attempt> and put into the
// journal in one transaction when it has ended: a kill loses the attempts in
// flight and duplicates none. An attempt is a function of (seed, task, attempt)
// as far as its policy, its programs and its grader are; so an interrupted run
// ends with the rows of an undisturbed one. Not part of that are the columns that
// tell time or place: run_id, created_at, wall_s and steps.wall_ms.
//
// How an attempt ends (outcome) and why (outcome_reason):
//
//	solved         a submission was correct; the grader's reason
//	failed         the policy gave up, or its one submission was wrong: the last
//	               submission's reason, or no_submission
//	turn_limit     the replies were used up; reasons as for failed
//	token_limit    prompt_tokens: the conversation grew too long, even with old
//	               observations in short; server_context: the model's context is
//	               shorter than that; reply_tokens: a reply was cut
//	time_limit     attempt_time: the attempt took too long as a whole, waiting for a
//	               model server that is away not counted. A program that takes too
//	               long is stopped, told so, and ends nothing
//	parse_failure  a reply was no action, nor was the one asked for in its place;
//	               the fault of the last
//	loop           same_action three times in a row, or same_two_actions, with the
//	               same observations
//	grader_error   no verdict could be had; the grader's reason. Rewards are null
//	infra_error    policy, session or sandbox failed and kept failing, or the model
//	               refused to answer (refused): no verdict on anything. Rewards are
//	               null, there are no messages and no steps
//
// A rollout that is done grows: with another plan (Config.Plan) it runs again over its
// rows, makes what is missing and publishes all of them. Rows that are not of the
// present plan stay. At a cap (Caps) no attempt is begun any more and what there is is
// published; the stage goes on from there once the cap allows it.
//
// Messages are what the policy saw and wrote: system, task, then its replies and
// the observations, one step for each reply. The observation of the step that
// ended the attempt was not shown to it and stands in the step alone. Where the prompt
// would have been too long, a reply was written to a conversation whose oldest
// observations were in short: the step's cut_messages says how many, and
// stages/internal/window makes the same text again.
package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/rawfiles"
	"github.com/medgym-data/medgym-data/stages/internal/selection"
	"github.com/medgym-data/medgym-data/stages/rollout/wheels"
)

// Name of the stage.
const Name = "rollout"

const (
	tasksStage      = "normalize"
	validationStage = "validate"
)

// Options of the stage.
type Options struct {
	Registry datasets.Registry
	Sources  []string // none: all that there are tasks of
	Splits   []string // none: both
	// Subset and SubsetFraction sample part of the tasks: full, the default, or
	// leaderboard, and of the training tasks 0.25, 0.5, 0.75 or all (1, or 0).
	Subset         string
	SubsetFraction float64
	// MaxTasks samples so many tasks of each source, drawn by the seed; a larger
	// number draws the same ones and more. 0: all. Quotas are the same for single
	// sources, in its place.
	MaxTasks int
	Quotas   map[string]int
	// Validated leaves out the tasks that the validate stage has quarantined; it is
	// then an input.
	Validated bool
	// Screened leaves out the training tasks that the screen stage has marked; it is
	// then an input.
	Screened bool

	Policies Policies
	// Debugger explains errors to agents that ask for debugging; nil: the rules do.
	Debugger Debugger
	K        int // attempts at each task
	// UntilSolved makes no further attempt at a task once so many are solved; attempts
	// at a task then follow each other, and shards are made of tasks. 0: all K are made.
	UntilSolved int
	Seed        uint64
	Feedback    string // schemas.Feedback…; empty: stop_on_success
	Limits      Limits // zero fields take the defaults

	// Sandbox opens the sandbox; it is asked once, when there is work, and what it
	// returns is closed at the end.
	Sandbox     func(context.Context) (sandbox.Sandbox, error)
	Concurrency int // attempts in flight; 0: one for each processor. No part of the config
	Caps        Caps
	// Price reckons the cost of attempts whose policy does not tell any, by the tokens
	// of the row. Nil: it is not known. No part of the config
	Price *Price

	// Packages may be installed by programs where it is not nil.
	Packages *wheels.Source

	// Shard i of Shards: the attempts that this run folder is for. 0 of 0: all.
	Shard, Shards int

	// Drain is how long attempts in flight may go on once the run is interrupted;
	// those that have not ended then are dropped. 0: 20 s.
	Drain time.Duration
	// Retries is how often an attempt is begun anew when policy or sandbox fail.
	// 0: 2; negative: none. Those that fail all the same are tried once more when all
	// others have ended.
	Retries int
	// RetryInfra tries the infra_error rows of a finished rollout again, and replaces
	// those that end otherwise.
	RetryInfra bool
	// GiveUp is how long nothing but infra errors may come before the run is given up;
	// attempts are then begun one at a time, at growing distances. 0: 15 min.
	GiveUp time.Duration
}

// Caps bound what a rollout takes. At a cap no attempt is begun any more, those in
// flight end, and the stage is published with what there is. Caps are no part of the
// config. Zero fields: no cap.
type Caps struct {
	// CostUSD and Tokens (of prompts and replies) bound the sum over all rows, former
	// ones included. Attempts in flight are reckoned with the mean of those that have
	// ended, so that the cap is passed by little.
	CostUSD float64
	Tokens  int64
	// Time is how long attempts are begun in this run of the stage.
	Time time.Duration
}

// Names of caps, as the summary's "stopped" has them.
const (
	CapCost   = "cost"
	CapTokens = "tokens"
	CapTime   = "time"
)

// Priced is for Policies that may know what their replies cost (Reply.CostUSD). Where
// they do not, Options.Price is asked for.
type Priced interface {
	Priced() bool
}

// Price is what a model's tokens cost, in USD a million.
type Price struct {
	Input, Output float64
}

func (p Price) of(prompt, completion float64) float64 {
	return (prompt*p.Input + completion*p.Output) / 1e6
}

// Limits bound an attempt. The defaults are the paper's where it states any.
type Limits struct {
	Turns        int           `json:"turns"`             // replies: 15
	Execution    time.Duration `json:"execution_ns"`      // run time of one program: 120 s
	Attempt      time.Duration `json:"attempt_ns"`        // run time of the attempt: 40 min
	PromptTokens int           `json:"prompt_tokens"`     // of the conversation before a reply: 32,768
	ReplyTokens  int           `json:"reply_tokens"`      // 8,192
	Observation  int           `json:"observation_chars"` // each text in an observation: 8,000
}

const defaultTurns = 15

func (l Limits) defaults() Limits {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.Turns, defaultTurns)
	def(&l.PromptTokens, 32_768)
	def(&l.ReplyTokens, 8_192)
	def(&l.Observation, 8_000)
	if l.Execution == 0 {
		l.Execution = 120 * time.Second
	}
	if l.Attempt == 0 {
		l.Attempt = 40 * time.Minute
	}
	return l
}

// Config is what decides the rows; it is shown in the manifest. All but Plan shapes
// each attempt.
type Config struct {
	Policy   schemas.Policy `json:"policy"`
	Settings string         `json:"settings,omitempty"` // of the policy, beside those
	Seed     uint64         `json:"seed"`
	Feedback string         `json:"feedback"`
	Limits   Limits         `json:"limits"`
	Packages string         `json:"packages,omitempty"` // where programs may install packages from
	Debugger string         `json:"debugger,omitempty"` // the model that explains errors
	Shard    string         `json:"shard"`
	Schema   int32          `json:"schema_version"`
	Plan     Plan           `json:"plan"`
}

// Plan says which attempts there are to be.
type Plan struct {
	K           int            `json:"k"`
	UntilSolved int            `json:"until_solved,omitempty"`
	Sources     []string       `json:"sources"`
	Splits      []string       `json:"splits"`
	MaxTasks    int            `json:"max_tasks"`
	Quotas      map[string]int `json:"quotas,omitempty"`
	Part        string         `json:"part,omitempty"` // subset and fraction, where it is not all
}

// Stage makes the stage. Its summary holds the attempts of each source under the
// source's id (SourceSummary) and the sum under "all"; the attempts of the plan under
// "planned" (with UntilSolved, at most so many), those of them that there are under
// "made" and those that are still to make under "left"; the cap that was reached, or "",
// under "stopped"; and the number of attempts that an earlier run had finished under
// "resumed", those that the rollout had before it grew under "former".
func Stage(opts Options) (pipeline.Stage, error) {
	opts, config, err := opts.settle()
	if err != nil {
		return pipeline.Stage{}, fmt.Errorf("rollout: %w", err)
	}
	inputs := []string{tasksStage, rawfiles.Stage}
	if opts.Validated {
		inputs = append(inputs, validationStage)
	}
	if opts.Screened {
		inputs = append(inputs, selection.Screening)
	}
	sends := slices.ContainsFunc(opts.asked(), func(a any) bool { _, ok := a.(Sender); return ok })
	return pipeline.Stage{
		Name: Name, Version: "3", Output: "trajectories", Inputs: inputs, Costly: true, Config: config,
		Grows: "plan", Again: opts.again, Sources: config.Plan.Sources, Sends: sends,
		Work: func(ctx context.Context, w *pipeline.Work) error {
			r, err := newRoller(w, opts, config)
			if err != nil {
				return err
			}
			return r.work(ctx)
		},
	}, nil
}

// asked are the policies and the debugger: whoever is given rows, and is closed at the end.
func (o Options) asked() []any {
	if o.Debugger == nil {
		return []any{o.Policies}
	}
	return []any{o.Policies, o.Debugger}
}

// settle checks the options, fills in defaults and makes the config of them.
func (o Options) settle() (Options, Config, error) {
	if err := o.check(); err != nil {
		return o, Config{}, err
	}
	o.Limits = o.Limits.defaults()
	if o.Feedback == "" {
		o.Feedback = schemas.FeedbackStopOnSuccess
	}
	if o.Concurrency == 0 {
		o.Concurrency = runtime.GOMAXPROCS(0)
	}
	if o.Drain == 0 {
		o.Drain = 20 * time.Second
	}
	if o.Retries == 0 {
		o.Retries = 2
	}
	if o.GiveUp == 0 {
		o.GiveUp = 15 * time.Minute
	}
	part, err := selection.Selection{Subset: o.Subset, Fraction: o.SubsetFraction}.Check()
	if err != nil {
		return o, Config{}, err
	}
	config := Config{
		Policy: o.Policies.About(), Seed: o.Seed, Feedback: o.Feedback, Limits: o.Limits, Schema: schemas.Version,
		Plan: Plan{K: o.K, UntilSolved: o.UntilSolved, Sources: sorted(o.Sources), Splits: sorted(o.Splits), MaxTasks: o.MaxTasks, Quotas: o.Quotas, Part: part.Name()},
	}
	if configured, ok := o.Policies.(Configured); ok {
		config.Settings = configured.Settings()
	}
	if o.Packages != nil {
		config.Packages = o.Packages.About()
	}
	if o.Debugger != nil {
		config.Debugger = o.Debugger.Name()
	}
	if o.Shards > 1 {
		config.Shard = fmt.Sprintf("%d/%d", o.Shard, o.Shards)
		if o.UntilSolved > 0 { // the same attempts are then in other shards
			config.Shard += " of the tasks"
		}
	}
	return o, config, nil
}

// again says whether a rollout that is done under this config has attempts left that
// can be made now.
func (o Options) again(r *pipeline.Run) bool {
	var stopped string
	var all SourceSummary
	_, err := r.Summary(Name, "stopped", &stopped)
	if err == nil {
		_, err = r.Summary(Name, "all", &all)
	}
	switch {
	case err != nil:
		return false
	case stopped == CapTime:
		return true
	case stopped != "":
		return o.Caps.reached(all.spending()) == ""
	}
	return o.RetryInfra && all.Outcomes[schemas.OutcomeInfraError] > 0
}

func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

func (o Options) check() error {
	if _, err := o.Registry.Select(o.Sources...); err != nil {
		return err
	}
	for _, split := range o.Splits {
		if split != schemas.SplitTrain && split != schemas.SplitTest {
			return fmt.Errorf("split %q is not train or test", split)
		}
	}
	for id, n := range o.Quotas {
		if _, err := o.Registry.Select(id); err != nil {
			return err
		}
		if n < 1 {
			return fmt.Errorf("the quota of source %s is %d, must be at least 1", id, n)
		}
		if len(o.Sources) > 0 && !slices.Contains(o.Sources, id) {
			return fmt.Errorf("there is a quota for source %s, which is not among the sources", id)
		}
	}
	switch {
	case o.Policies == nil || o.Sandbox == nil:
		return errors.New("a policy and a sandbox have to be given")
	case o.K < 1 || o.K > maxAttempts:
		return fmt.Errorf("k is %d, not 1 to %d", o.K, maxAttempts)
	case o.UntilSolved < 0 || o.UntilSolved > o.K:
		return fmt.Errorf("until solved is %d, not 1 to the number of attempts, %d", o.UntilSolved, o.K)
	case !(o.Caps.CostUSD >= 0) || o.Caps.Tokens < 0 || o.Caps.Time < 0 || o.GiveUp < 0:
		return errors.New("caps and times cannot be negative")
	case o.Caps.CostUSD > 0 && o.Price == nil && !priced(o.Policies):
		return fmt.Errorf("a cap on cost needs to know what replies cost, and the policy %s does not: give its prices, or cap the tokens", o.Policies.About().Kind)
	case o.MaxTasks < 0 || o.Concurrency < 0:
		return errors.New("the number of tasks and the concurrency cannot be negative")
	case o.Feedback != "" && o.Feedback != schemas.FeedbackStopOnSuccess && o.Feedback != schemas.FeedbackSubmitOnce:
		return fmt.Errorf("feedback %q is not %s or %s", o.Feedback, schemas.FeedbackStopOnSuccess, schemas.FeedbackSubmitOnce)
	case o.Shards < 0 || o.Shard < 0 || o.Shards == 0 && o.Shard > 0 || o.Shards > 0 && o.Shard >= o.Shards:
		return fmt.Errorf("shard %d of %d: count from 0 to one below the number of shards", o.Shard, o.Shards)
	case o.Limits.Turns < 0 || o.Limits.Execution < 0 || o.Limits.Attempt < 0 || o.Limits.PromptTokens < 0 || o.Limits.ReplyTokens < 0 || o.Limits.Observation < 0:
		return errors.New("limits cannot be negative")
	}
	return nil
}

func priced(p Policies) bool {
	known, ok := p.(Priced)
	return ok && known.Priced()
}

// maxAttempts keeps attempts in the order of their keys.
const maxAttempts = 99_999

// unitKey names an attempt in the journal. In the order of keys rows come by
// source, split, task_id and attempt.
func unitKey(taskID string, attempt int) string { return fmt.Sprintf("%s#%05d", taskID, attempt) }

// derive makes a seed out of a seed and what it is for.
func derive(seed uint64, parts ...string) uint64 {
	h := sha256.New()
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], seed)
	h.Write(n[:])
	for _, part := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}
