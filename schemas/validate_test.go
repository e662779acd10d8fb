package schemas_test

import (
	"math"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
)

func chat(turns ...string) []schemas.Message {
	var out []schemas.Message
	for _, turn := range turns {
		role, content, _ := strings.Cut(turn, ":")
		out = append(out, schemas.Message{Role: role, Content: content})
	}
	return out
}

func goodPrefix() schemas.Prefix {
	return schemas.Prefix{ID: "a", TaskID: "s/train/1", Source: "s", AccessTier: schemas.TierOpen, Build: "b",
		TrajIDs: []string{"t"}, NTurns: 1, NTokens: 9}
}

func goodTask() schemas.Task {
	return schemas.Task{TaskID: "s/train/1", Source: "s", Split: schemas.SplitTrain, AccessTier: schemas.TierOpen,
		Instruction: "i", Actions: []string{schemas.ActionTerminal}, AnswerType: schemas.AnswerNumber, Answer: "1.5",
		Status: schemas.StatusReady, GoldKind: schemas.GoldNone, SchemaVersion: schemas.Ptr(schemas.Version)}
}

func goodValidation() schemas.TaskValidation {
	zero, one := schemas.Ptr(0.0), schemas.Ptr(1.0)
	return schemas.TaskValidation{TaskID: "s/train/1", Source: "s", Split: schemas.SplitTrain, AccessTier: schemas.TierOpen,
		State:         schemas.ValidationProved,
		Validation:    schemas.Validation{GoldReward: one, NoopReward: zero, CheatReward: zero, Flaky: schemas.Ptr(false)},
		Checks:        []schemas.Check{{Kind: schemas.CheckGold, Repeat: schemas.Ptr(int32(0)), Status: "ok", Reward: one, RewardUpstream: one}},
		SchemaVersion: schemas.Ptr(schemas.Version)}
}

func goodScreened() schemas.ScreenedTask {
	zero, one := schemas.Ptr(int32(0)), schemas.Ptr(int32(1))
	return schemas.ScreenedTask{TaskID: "s/train/1", Source: "s", Split: schemas.SplitTrain, AccessTier: schemas.TierOpen,
		DuplicateOf: "s/test/1", ClusterID: "s/test/1", QuestionWords: schemas.Ptr(int32(12)),
		Overlap10Gram: one, Overlap10GramSources: one, Overlap13Gram: zero, Overlap13GramSources: zero,
		OverlapsOwnSource: schemas.Ptr(true), OverlapsAnotherSource: schemas.Ptr(false), SchemaVersion: schemas.Ptr(schemas.Version)}
}

func goodTrajectory() schemas.Trajectory {
	return schemas.Trajectory{TrajectoryID: "t", TaskID: "s/train/1", Source: "s", Split: schemas.SplitTrain,
		AccessTier: schemas.TierOpen, RunID: "r", Attempt: schemas.Ptr(int32(0)), Policy: schemas.Policy{Kind: "reference"},
		Messages: []schemas.ChatMessage{{Role: "user", Content: "q"}, {Role: "assistant", Content: "a"}},
		Steps:    []schemas.Step{{Turn: schemas.Ptr(int32(1)), Submission: "{}"}},
		Outcome:  schemas.OutcomeSolved, Reward: schemas.Ptr(1.0), RewardUpstream: schemas.Ptr(1.0),
		Feedback: schemas.FeedbackStopOnSuccess, SchemaVersion: schemas.Ptr(schemas.Version)}
}

func goodDPO() schemas.DPO {
	return schemas.DPO{Prefix: goodPrefix(), Prompt: chat("system:s", "user:q"), Chosen: chat("assistant:y"), Rejected: chat("assistant:n"),
		ChosenReward: schemas.Ptr(1.0), RejectedReward: schemas.Ptr(0.0), Strategy: schemas.StrategyBestWorst}
}

func goodVerifier() schemas.Verifier {
	return schemas.Verifier{Prefix: goodPrefix(), Prompt: chat("user:q"), Completion: chat("assistant:NO"),
		Label: schemas.Ptr(false), Reward: schemas.Ptr(0.0), PolicyMix: schemas.PolicyOff}
}

// Each case spoils one thing in a row that is otherwise good; the error must name it.
func TestValidate(t *testing.T) {
	type row interface{ Validate() error }
	task := func(f func(*schemas.Task)) row { r := goodTask(); f(&r); return r }
	screened := func(f func(*schemas.ScreenedTask)) row { r := goodScreened(); f(&r); return r }
	traj := func(f func(*schemas.Trajectory)) row { r := goodTrajectory(); f(&r); return r }
	valid := func(f func(*schemas.TaskValidation)) row { r := goodValidation(); f(&r); return r }
	sft := func(turns ...string) row { return schemas.SFT{Prefix: goodPrefix(), Messages: chat(turns...)} }
	dpo := func(f func(*schemas.DPO)) row { r := goodDPO(); f(&r); return r }
	verifier := func(f func(*schemas.Verifier)) row { r := goodVerifier(); f(&r); return r }
	for _, c := range []struct {
		name string
		row  row
		want string // part of the error; empty: the row is good
	}{
		{"task", goodTask(), ""},
		{"task split", task(func(r *schemas.Task) { r.Split = "valid" }), "split has an unknown value"},
		{"task status without reason", task(func(r *schemas.Task) { r.Status = schemas.StatusUngradable }), "status_reason is empty"},
		{"task answer", task(func(r *schemas.Task) { r.Answer = "{" }), "answer is not JSON"},
		{"task bounds", task(func(r *schemas.Task) { r.AnswerLower, r.AnswerUpper = schemas.Ptr(2.0), schemas.Ptr(1.0) }), "above answer_upper"},
		{"task bound NaN", task(func(r *schemas.Task) { r.AnswerLower = schemas.Ptr(math.NaN()) }), "answer_lower is not finite"},
		{"task version", task(func(r *schemas.Task) { r.SchemaVersion = nil }), "schema_version"},
		{"task UTF-8", task(func(r *schemas.Task) { r.Resources = []schemas.Resource{{Name: "\xff"}} }), "Resources.0.Name.text is not UTF-8"},
		{"task action", task(func(r *schemas.Task) { r.Actions = []string{"debug"} }), "actions has an unknown value"},

		{"screened", goodScreened(), ""},
		{"screened split", screened(func(r *schemas.ScreenedTask) { r.Split = "" }), "split has an unknown value"},
		{"duplicate of itself", screened(func(r *schemas.ScreenedTask) { r.DuplicateOf = r.TaskID }), "duplicate_of is the task itself"},
		{"duplicate without a cluster", screened(func(r *schemas.ScreenedTask) { r.ClusterID = "" }), "cluster_id is empty"},
		{"screened words", screened(func(r *schemas.ScreenedTask) { r.QuestionWords = nil }), "question_words is null"},
		{"overlap null", screened(func(r *schemas.ScreenedTask) { r.Overlap13Gram = nil }), "overlap_13gram is null"},
		{"more sources than tasks", screened(func(r *schemas.ScreenedTask) { r.Overlap10GramSources = schemas.Ptr(int32(2)) }), "overlap_10gram_sources does not fit"},
		{"tasks without a source", screened(func(r *schemas.ScreenedTask) { r.Overlap10GramSources = schemas.Ptr(int32(0)) }), "overlap_10gram_sources does not fit"},
		{"more at 13 words", screened(func(r *schemas.ScreenedTask) {
			r.Overlap13Gram, r.Overlap13GramSources = schemas.Ptr(int32(2)), schemas.Ptr(int32(1))
		}), "overlap_13gram is above"},
		{"overlap with no source", screened(func(r *schemas.ScreenedTask) { r.OverlapsOwnSource = schemas.Ptr(false) }), "contradicts"},
		{"overlap flag null", screened(func(r *schemas.ScreenedTask) { r.OverlapsAnotherSource = nil }), "is null"},
		{"screened UTF-8", screened(func(r *schemas.ScreenedTask) { r.ClusterID = "\xff" }), "ClusterID.text is not UTF-8"},

		{"validation", goodValidation(), ""},
		{"validation state", valid(func(r *schemas.TaskValidation) { r.State = "fine" }), "state has an unknown value"},
		{"proved without a gold reward", valid(func(r *schemas.TaskValidation) { r.Validation.GoldReward = nil }), "validation.gold_reward is not 1"},
		{"proved with a cheat", valid(func(r *schemas.TaskValidation) { r.Validation.CheatReward = schemas.Ptr(1.0) }), "validation.cheat_reward is not 0"},
		{"proved with doing nothing", valid(func(r *schemas.TaskValidation) { r.Validation.NoopReward = schemas.Ptr(1.0) }), "validation.noop_reward is not 0"},
		{"proved and flaky", valid(func(r *schemas.TaskValidation) { r.Validation.Flaky = schemas.Ptr(true) }), "validation.flaky is true"},
		{"proved with a reason", valid(func(r *schemas.TaskValidation) { r.Validation.Reason = "odd" }), "validation.reason must say"},
		{"quarantined without a reason", valid(func(r *schemas.TaskValidation) { r.State = schemas.ValidationQuarantined }), "validation.reason must say"},
		{"check kind", valid(func(r *schemas.TaskValidation) { r.Checks[0].Kind = "" }), "checks[0] is of an unknown kind"},
		{"check reward", valid(func(r *schemas.TaskValidation) { r.Checks[0].Reward = schemas.Ptr(2.0) }), "checks[0] has a reward outside"},
		{"check UTF-8", valid(func(r *schemas.TaskValidation) { r.Checks[0].ErrorType = "\xff" }), "Checks.0.ErrorType.text is not UTF-8"},

		{"trajectory", goodTrajectory(), ""},
		{"infra error", traj(func(r *schemas.Trajectory) {
			r.Outcome, r.Reward, r.RewardUpstream, r.Messages = schemas.OutcomeInfraError, nil, nil, nil
		}), ""},
		{"infra error with reward", traj(func(r *schemas.Trajectory) { r.Outcome = schemas.OutcomeInfraError }), "reward must be null"},
		{"failed without reward", traj(func(r *schemas.Trajectory) { r.Outcome, r.Reward = schemas.OutcomeFailed, nil }), "reward must be null"},
		{"solved with reward 0", traj(func(r *schemas.Trajectory) { r.Reward = schemas.Ptr(0.0) }), "reward is not 1"},
		{"outcome", traj(func(r *schemas.Trajectory) { r.Outcome = "won" }), "outcome has an unknown value"},
		{"reward NaN", traj(func(r *schemas.Trajectory) { r.RewardUpstream = schemas.Ptr(math.NaN()) }), "reward_upstream is outside"},
		{"empty observation", traj(func(r *schemas.Trajectory) { r.Messages[0].Content = "" }), "messages[0] is empty"},
		{"a policy that said nothing", traj(func(r *schemas.Trajectory) { r.Messages[1].Content = "" }), ""},
		{"step turn", traj(func(r *schemas.Trajectory) { r.Steps[0].Turn = nil }), "steps[0] has a turn below 1"},
		{"step submission", traj(func(r *schemas.Trajectory) { r.Steps[0].Submission = "x" }), "steps[0] has a submission that is not JSON"},

		{"sft", sft("system:s", "user:q", "assistant:a", "user:o", "assistant:b"), ""},
		{"sft without system", sft("user:q", "assistant:a"), ""},
		{"sft ends with user", sft("user:q", "assistant:a", "user:o"), "does not end with a turn of the assistant"},
		{"sft two users", sft("user:q", "user:q", "assistant:a"), "messages[1] is not a turn of the assistant"},
		{"sft late system", sft("user:q", "system:s", "assistant:a"), "messages[1] is not a turn of the assistant"},
		{"sft begins with assistant", sft("assistant:a"), "messages[0] is not a turn of the user"},
		{"sft empty content", sft("user:", "assistant:a"), "messages[0] is empty"},
		{"sft empty", sft(), "messages is empty"},
		{"sft only system", sft("system:s"), "does not end with a turn of the assistant"},

		{"dpo", goodDPO(), ""},
		{"dpo prompt", dpo(func(r *schemas.DPO) { r.Prompt = chat("user:q", "assistant:a") }), "prompt does not end with a turn of the user"},
		{"dpo chosen", dpo(func(r *schemas.DPO) { r.Chosen = chat("assistant:a", "assistant:b") }), "chosen is not one assistant turn"},
		{"dpo rejected", dpo(func(r *schemas.DPO) { r.Rejected = nil }), "rejected is not one assistant turn"},
		{"dpo same", dpo(func(r *schemas.DPO) { r.Rejected = r.Chosen }), "rejected equals chosen"},
		{"dpo tie", dpo(func(r *schemas.DPO) { r.RejectedReward = schemas.Ptr(1.0) }), "is not above"},
		{"dpo null reward", dpo(func(r *schemas.DPO) { r.RejectedReward = nil }), "is not above"},
		{"dpo strategy", dpo(func(r *schemas.DPO) { r.Strategy = "all" }), "mg_strategy"},
		{"dpo prefix", dpo(func(r *schemas.DPO) { r.Prefix = schemas.Prefix{} }), "mg_traj_ids is empty"},

		{"verifier", goodVerifier(), ""},
		{"verifier label", verifier(func(r *schemas.Verifier) { r.Label = schemas.Ptr(true) }), "completion does not say"},
		{"verifier null label", verifier(func(r *schemas.Verifier) { r.Label = nil }), "label is null"},
		{"verifier null reward", verifier(func(r *schemas.Verifier) { r.Reward = nil }), "mg_reward is null"},
		{"verifier mix", verifier(func(r *schemas.Verifier) { r.PolicyMix = "" }), "mg_policy_mix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.row.Validate()
			switch {
			case c.want == "" && err != nil:
				t.Errorf("a good row was refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has more than one line: %q", err)
			}
		})
	}
}

func BenchmarkValidate(b *testing.B) {
	row := goodTrajectory()
	for range 15 {
		row.Messages = append(row.Messages, row.Messages...)[:min(31, 2*len(row.Messages))]
		row.Steps = append(row.Steps, row.Steps[0])
	}
	for b.Loop() {
		if err := row.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}
