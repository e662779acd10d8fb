package schemas

// TaskValidation is one row of the validation table: what the validate stage
// proved about one task, check by check.
type TaskValidation struct {
	TaskID     string `parquet:"task_id,optional" json:"task_id"`
	Source     string `parquet:"source,optional" json:"source"`
	Split      string `parquet:"split,optional" json:"split"`
	AccessTier Tier   `parquet:"access_tier,optional" json:"access_tier"`

	State      ValidationState `parquet:"state,optional" json:"state"`
	Validation Validation      `parquet:"validation,optional" json:"validation"` // its reason says why the task is not proved
	Checks     []Check         `parquet:"checks,optional,list" parquet-element:",optional" json:"checks"`

	RawFile        string     `parquet:"raw_file,optional" json:"raw_file"` // relative to the raw folder
	RawLine        *int64     `parquet:"raw_line,optional" json:"raw_line"` // from 1
	AdapterVersion string     `parquet:"adapter_version,optional" json:"adapter_version"`
	GraderVersion  string     `parquet:"grader_version,optional" json:"grader_version"`
	Sandbox        SandboxRef `parquet:"sandbox,optional" json:"sandbox"`
	SchemaVersion  *int32     `parquet:"schema_version,optional" json:"schema_version"`
}

// Check is one program that was run and judged: the gold solution must have the
// reward 1, all others 0.
type Check struct {
	Kind           string   `parquet:"kind,optional" json:"kind"`             // gold, noop, cheat
	Name           string   `parquet:"name,optional" json:"name"`             // of a cheat: none, nan, 999999, ...
	Repeat         *int32   `parquet:"repeat,optional" json:"repeat"`         // from 0
	Status         string   `parquet:"status,optional" json:"status"`         // of the sandbox: ok, error, timeout, ...
	ErrorType      string   `parquet:"error_type,optional" json:"error_type"` // exception type
	Reward         *float64 `parquet:"reward,optional" json:"reward"`         // null: no verdict could be had
	RewardUpstream *float64 `parquet:"reward_upstream,optional" json:"reward_upstream"`
	Reason         string   `parquet:"reason,optional" json:"reason"` // the grader's
}

// The kinds of checks.
const (
	CheckGold  = "gold"
	CheckNoop  = "noop"
	CheckCheat = "cheat"
)

// ValidationState is what became of a task in the validate stage.
type ValidationState = string

// The states.
const (
	ValidationProved      ValidationState = "proved"
	ValidationQuarantined ValidationState = "quarantined" // its label or its grader is wrong: not to be sampled
	ValidationUnproved    ValidationState = "unproved"    // no gold solution to run, or no sandbox to run it in
)

// Validate holds a row of the validation table to the contract.
func (v TaskValidation) Validate() error {
	c := checks{row: "validation of " + v.TaskID}
	c.filled("task_id", v.TaskID)
	c.filled("source", v.Source)
	c.among("split", v.Split, SplitTrain, SplitTest)
	c.among("access_tier", v.AccessTier, Tiers...)
	c.among("state", v.State, ValidationProved, ValidationQuarantined, ValidationUnproved)
	c.check((v.State == ValidationProved) == (v.Validation.Reason == ""), "validation.reason", "must say why a task is not proved, and nothing else")
	c.reward("validation.gold_reward", v.Validation.GoldReward)
	c.reward("validation.noop_reward", v.Validation.NoopReward)
	c.reward("validation.cheat_reward", v.Validation.CheatReward)
	if v.State == ValidationProved {
		c.check(v.Validation.GoldReward != nil && *v.Validation.GoldReward == 1, "validation.gold_reward", "is not 1, and the task is proved")
		c.check(Value(v.Validation.NoopReward) == 0, "validation.noop_reward", "is not 0, and the task is proved")
		c.check(Value(v.Validation.CheatReward) == 0, "validation.cheat_reward", "is not 0, and the task is proved")
		c.check(!Value(v.Validation.Flaky), "validation.flaky", "is true, and the task is proved")
	}
	for i, check := range v.Checks {
		c.checkAt(check.Kind == CheckGold || check.Kind == CheckNoop || check.Kind == CheckCheat, "checks", i, "is of an unknown kind")
		c.checkAt(isReward(check.Reward) && isReward(check.RewardUpstream), "checks", i, "has a reward outside 0 to 1")
	}
	c.version(v.SchemaVersion)
	c.utf8(v)
	return c.err()
}
