package schemas

// Prefix is the set of columns that every training row starts with. Its
// mg_ names keep clear of the columns that trainers read meaning into.
//
// Its numbers are not pointers: parquet-go writes a nil pointer of an embedded
// struct as zero. Both are at least one in every row, so null stands for zero.
type Prefix struct {
	ID         string   `parquet:"mg_id,optional" json:"mg_id"`
	TaskID     string   `parquet:"mg_task_id,optional" json:"mg_task_id"`
	Source     string   `parquet:"mg_source,optional" json:"mg_source"`
	AccessTier Tier     `parquet:"mg_access_tier,optional" json:"mg_access_tier"`
	Build      string   `parquet:"mg_build,optional" json:"mg_build"`
	TrajIDs    []string `parquet:"mg_traj_ids,optional,list" parquet-element:",optional" json:"mg_traj_ids"`
	NTurns     int32    `parquet:"mg_n_turns,optional" json:"mg_n_turns"`
	NTokens    int32    `parquet:"mg_n_tokens,optional" json:"mg_n_tokens"`
}

// SFT is one row of the sft set: a whole solved conversation, which ends with
// an assistant turn.
type SFT struct {
	Prefix
	Messages []Message `parquet:"messages,optional,list" parquet-element:",optional" json:"messages"`
}

// DPO is one preference pair: chosen and rejected are one assistant turn each,
// at the first divergence after the shared prompt (Rafailov et al. 2023).
type DPO struct {
	Prefix
	Prompt         []Message `parquet:"prompt,optional,list" parquet-element:",optional" json:"prompt"`
	Chosen         []Message `parquet:"chosen,optional,list" parquet-element:",optional" json:"chosen"`
	Rejected       []Message `parquet:"rejected,optional,list" parquet-element:",optional" json:"rejected"`
	ChosenReward   *float64  `parquet:"mg_chosen_reward,optional" json:"mg_chosen_reward"`
	RejectedReward *float64  `parquet:"mg_rejected_reward,optional" json:"mg_rejected_reward"`
	Strategy       string    `parquet:"mg_strategy,optional" json:"mg_strategy"`
}

// The configs of training sets, and the names of their folders.
const (
	ConfigSFT      = "sft"
	ConfigDPO      = "dpo"
	ConfigVerifier = "verifier"
)

// The pair strategies.
const (
	StrategyIntermediate = "intermediate" // within one solved trajectory
	StrategyBestWorst    = "best_worst"   // across the attempts of one task
)

// The two values of Verifier.PolicyMix, and of no other set.
const (
	PolicyOn  = "on"  // sampled from a model
	PolicyOff = "off" // played from a gold solution, or replayed
)

// The two completions of Verifier.
const (
	VerdictYes = "YES"
	VerdictNo  = "NO"
)

// Verifier is one row of the outcome-verifier set: a serialized trajectory and
// the judgement YES or NO.
type Verifier struct {
	Prefix
	Prompt     []Message `parquet:"prompt,optional,list" parquet-element:",optional" json:"prompt"`
	Completion []Message `parquet:"completion,optional,list" parquet-element:",optional" json:"completion"`
	Label      *bool     `parquet:"label,optional" json:"label"`
	Reward     *float64  `parquet:"mg_reward,optional" json:"mg_reward"`
	PolicyMix  string    `parquet:"mg_policy_mix,optional" json:"mg_policy_mix"` // on, off
}
