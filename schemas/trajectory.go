package schemas

import "time"

// Trajectory is one row of the trajectories table: one attempt of one policy
// at one task, from the first prompt to the verdict.
type Trajectory struct {
	TrajectoryID string `parquet:"trajectory_id,optional" json:"trajectory_id"`
	TaskID       string `parquet:"task_id,optional" json:"task_id"`
	Source       string `parquet:"source,optional" json:"source"`
	Split        string `parquet:"split,optional" json:"split"`
	Category     string `parquet:"category,optional" json:"category"`
	AccessTier   Tier   `parquet:"access_tier,optional" json:"access_tier"`
	RunID        string `parquet:"run_id,optional" json:"run_id"`
	Attempt      *int32 `parquet:"attempt,optional" json:"attempt"` // from 0

	Policy   Policy        `parquet:"policy,optional" json:"policy"`
	Messages []ChatMessage `parquet:"messages,optional,list" parquet-element:",optional" json:"messages"`
	Steps    []Step        `parquet:"steps,optional,list" parquet-element:",optional" json:"steps"`

	Outcome        Outcome  `parquet:"outcome,optional" json:"outcome"`
	OutcomeReason  string   `parquet:"outcome_reason,optional" json:"outcome_reason"`
	Reward         *float64 `parquet:"reward,optional" json:"reward"`                   // strict; null for infra_error and grader_error
	RewardUpstream *float64 `parquet:"reward_upstream,optional" json:"reward_upstream"` // the public release's verdict
	Score          *float64 `parquet:"score,optional" json:"score"`                     // graded tasks only
	AnswerSeen     string   `parquet:"answer_seen,optional" json:"answer_seen"`         // the value that was graded, JSON
	Feedback       string   `parquet:"feedback,optional" json:"feedback"`               // stop_on_success, submit_once

	VerifierScore *float64 `parquet:"verifier_score,optional" json:"verifier_score"` // 0 to 1: a verifier's probability that it is right; no part of the rewards
	Verifier      string   `parquet:"verifier,optional" json:"verifier"`             // who gave it: a model, or the name of a file

	PromptTokens     *int64     `parquet:"prompt_tokens,optional" json:"prompt_tokens"`
	CompletionTokens *int64     `parquet:"completion_tokens,optional" json:"completion_tokens"`
	CostUSD          *float64   `parquet:"cost_usd,optional" json:"cost_usd"`
	WallS            *float64   `parquet:"wall_s,optional" json:"wall_s"`
	CreatedAt        *time.Time `parquet:"created_at,optional,timestamp(microsecond)" json:"created_at"`
	Sandbox          SandboxRef `parquet:"sandbox,optional" json:"sandbox"`
	GraderVersion    string     `parquet:"grader_version,optional" json:"grader_version"`
	SchemaVersion    *int32     `parquet:"schema_version,optional" json:"schema_version"`
}

// Policy says who played the agent.
type Policy struct {
	Kind          string   `parquet:"kind,optional" json:"kind"` // reference, openai, exec, replay
	Model         string   `parquet:"model,optional" json:"model"`
	EndpointClass string   `parquet:"endpoint_class,optional" json:"endpoint_class"` // local, attested, open
	Temperature   *float64 `parquet:"temperature,optional" json:"temperature"`
	TopP          *float64 `parquet:"top_p,optional" json:"top_p"`
	Seed          *int64   `parquet:"seed,optional" json:"seed"`
	MaxTokens     *int32   `parquet:"max_tokens,optional" json:"max_tokens"`
	Protocol      string   `parquet:"protocol,optional" json:"protocol"` // json: actions in the text; tools: native tool calls
}

// ChatMessage is one turn of the conversation as the policy saw or wrote it.
type ChatMessage struct {
	Role          string `parquet:"role,optional" json:"role"`
	Content       string `parquet:"content,optional" json:"content"`
	Name          string `parquet:"name,optional" json:"name,omitempty"`
	ToolCallID    string `parquet:"tool_call_id,optional" json:"tool_call_id,omitempty"`
	ToolCallsJSON string `parquet:"tool_calls_json,optional" json:"tool_calls_json,omitempty"` // list of {id, name, arguments}
	Reasoning     string `parquet:"reasoning,optional" json:"reasoning,omitempty"`             // thought before the reply; not part of what the policy was shown later
}

// Step is one action of the agent and what came of it. A step whose code set
// an answer is a submission: Submission holds what the grader judged, so that
// a trajectory can be graded again with no model and no agent sandbox.
type Step struct {
	Turn                *int32   `parquet:"turn,optional" json:"turn"` // from 1
	Action              string   `parquet:"action,optional" json:"action"`
	ParamsJSON          string   `parquet:"params_json,optional" json:"params_json"`
	Observation         string   `parquet:"observation,optional" json:"observation"`
	Status              string   `parquet:"status,optional" json:"status"`
	ErrorType           string   `parquet:"error_type,optional" json:"error_type"`
	ExitCode            *int32   `parquet:"exit_code,optional" json:"exit_code"`
	WallMS              *int64   `parquet:"wall_ms,optional" json:"wall_ms"`
	OutputTruncated     *bool    `parquet:"output_truncated,optional" json:"output_truncated"`
	GraderFeedbackShown *bool    `parquet:"grader_feedback_shown,optional" json:"grader_feedback_shown"`
	Submission          string   `parquet:"submission,optional" json:"submission"` // JSON of datasets.Submission; empty if none
	Reward              *float64 `parquet:"reward,optional" json:"reward"`
	RewardUpstream      *float64 `parquet:"reward_upstream,optional" json:"reward_upstream"`
	GradeReason         string   `parquet:"grade_reason,optional" json:"grade_reason"`

	Repairs          []string  `parquet:"repairs,optional,list" parquet-element:",optional" json:"repairs"` // what had to be mended to read the reply
	DebuggedBy       string    `parquet:"debugged_by,optional" json:"debugged_by"`                          // debugging: rules, or the model that explained the error
	CutMessages      *int32    `parquet:"cut_messages,optional" json:"cut_messages"`                        // the oldest observations that this reply was shown in short, so that the prompt fits
	CutTokens        *int64    `parquet:"cut_tokens,optional" json:"cut_tokens"`                            // what that left out
	PromptTokens     *int64    `parquet:"prompt_tokens,optional" json:"prompt_tokens"`
	CompletionTokens *int64    `parquet:"completion_tokens,optional" json:"completion_tokens"`
	FinishReason     string    `parquet:"finish_reason,optional" json:"finish_reason"` // as the endpoint said
	TokenIDs         []int32   `parquet:"token_ids,optional,list" json:"token_ids"`    // of the reply; elements are never null
	Logprobs         []float64 `parquet:"logprobs,optional,list" json:"logprobs"`      // natural logarithms, one for each token of the reply
}

// SandboxRef says where the steps ran and which controls were on.
type SandboxRef struct {
	Backend           string   `parquet:"backend,optional" json:"backend"`
	EnvironmentDigest string   `parquet:"environment_digest,optional" json:"environment_digest"`
	Controls          []string `parquet:"controls,optional,list" parquet-element:",optional" json:"controls"`
}

// Outcome is how an attempt ended. The set is closed.
type Outcome = string

// The outcomes. The last two carry null rewards: such rows never enter an
// export or pass@k, and the coverage is always printed.
const (
	OutcomeSolved       Outcome = "solved"
	OutcomeFailed       Outcome = "failed"
	OutcomeTurnLimit    Outcome = "turn_limit"
	OutcomeTokenLimit   Outcome = "token_limit"
	OutcomeTimeLimit    Outcome = "time_limit"
	OutcomeParseFailure Outcome = "parse_failure"
	OutcomeLoop         Outcome = "loop"
	OutcomeInfraError   Outcome = "infra_error"
	OutcomeGraderError  Outcome = "grader_error"
)

// Outcomes lists every outcome, in the order in which tables print them.
var Outcomes = []Outcome{
	OutcomeSolved, OutcomeFailed, OutcomeTurnLimit, OutcomeTokenLimit, OutcomeTimeLimit,
	OutcomeParseFailure, OutcomeLoop, OutcomeInfraError, OutcomeGraderError,
}

// The two feedback modes.
const (
	FeedbackStopOnSuccess = "stop_on_success" // a verdict after every submission, as the public release does
	FeedbackSubmitOnce    = "submit_once"     // the first submission is final and no verdict is shown
)
