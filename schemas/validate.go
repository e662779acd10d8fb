package schemas

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Validate holds a task to the contract. Like every Validate here it names the
// row and the column, never what stands in it.
func (t Task) Validate() error {
	c := checks{row: "task " + t.TaskID}
	c.filled("task_id", t.TaskID)
	c.filled("source", t.Source)
	c.filled("instruction", t.Instruction)
	c.among("split", t.Split, SplitTrain, SplitTest)
	c.among("subset", t.Subset, "", SubsetFull, SubsetLeaderboard)
	c.check(t.TrainFraction == nil || t.Split == SplitTrain, "train_fraction", "is given, and the task is for tests")
	c.check(t.TrainFraction == nil || slices.Contains(TrainFractions(), *t.TrainFraction), "train_fraction", "is none of the nested fractions")
	c.among("access_tier", t.AccessTier, Tiers...)
	c.among("answer_type", t.AnswerType, AnswerNumber, AnswerInteger, AnswerBoolean, AnswerText, AnswerDate, AnswerDuration,
		AnswerSet, AnswerTable, AnswerProgramOutput, AnswerAssertions, AnswerPredictions, AnswerFHIR)
	c.among("status", t.Status, StatusReady, StatusMissingResources, StatusUngradable, StatusQuarantined)
	c.among("gold_kind", t.GoldKind, GoldPython, GoldSQL, GoldNone)
	c.check(t.Status == StatusReady || t.StatusReason != "", "status_reason", "is empty, and the task is not ready")
	c.check(t.GoldKind == GoldNone || t.Gold != "", "gold", "is empty, and gold_kind is not none")
	c.check(len(t.Actions) > 0, "actions", "is empty")
	for _, action := range t.Actions {
		c.among("actions", action, ActionRequestInfo, ActionTerminal, ActionCodeExecution, ActionDebugging)
	}
	c.check(t.Answer == "" || jsontext.Value(t.Answer).IsValid(), "answer", "is not JSON")
	c.finite("answer_lower", t.AnswerLower)
	c.finite("answer_upper", t.AnswerUpper)
	c.check(t.AnswerLower == nil || t.AnswerUpper == nil || *t.AnswerLower <= *t.AnswerUpper, "answer_lower", "is above answer_upper")
	if v := t.Validation; v != nil {
		c.reward("validation.gold_reward", v.GoldReward)
		c.reward("validation.noop_reward", v.NoopReward)
		c.reward("validation.cheat_reward", v.CheatReward)
	}
	c.version(t.SchemaVersion)
	c.utf8(t)
	return c.err()
}

// Validate holds a trajectory to the contract. An assistant turn may be empty: a
// policy that said nothing is recorded as such.
func (t Trajectory) Validate() error {
	c := checks{row: "trajectory " + t.TrajectoryID}
	c.filled("trajectory_id", t.TrajectoryID)
	c.filled("task_id", t.TaskID)
	c.filled("source", t.Source)
	c.filled("run_id", t.RunID)
	c.among("split", t.Split, SplitTrain, SplitTest)
	c.among("access_tier", t.AccessTier, Tiers...)
	c.among("outcome", t.Outcome, Outcomes...)
	c.among("feedback", t.Feedback, FeedbackStopOnSuccess, FeedbackSubmitOnce)
	c.filled("policy.kind", t.Policy.Kind)
	c.among("policy.endpoint_class", t.Policy.EndpointClass, "", "local", "attested", "open")
	c.check(t.Attempt != nil && *t.Attempt >= 0, "attempt", "is null or negative")
	c.version(t.SchemaVersion)

	ungraded := t.Outcome == OutcomeInfraError || t.Outcome == OutcomeGraderError
	c.check((t.Reward == nil) == ungraded, "reward", "must be null for infra_error and grader_error, and only for those")
	c.check((t.RewardUpstream == nil) == ungraded, "reward_upstream", "must be null for infra_error and grader_error, and only for those")
	c.check(t.Outcome != OutcomeSolved || Value(t.Reward) == 1, "reward", "is not 1, and the outcome is solved")
	c.reward("reward", t.Reward)
	c.reward("reward_upstream", t.RewardUpstream)
	c.reward("score", t.Score)
	c.reward("verifier_score", t.VerifierScore)
	c.check((t.VerifierScore == nil) == (t.Verifier == ""), "verifier", "must be filled where there is a verifier_score, and only there")
	c.check(t.AnswerSeen == "" || jsontext.Value(t.AnswerSeen).IsValid(), "answer_seen", "is not JSON")

	c.check(len(t.Messages) > 0 || t.Outcome == OutcomeInfraError, "messages", "is empty")
	for i, m := range t.Messages {
		c.checkAt(slices.Contains(allRoles, m.Role), "messages", i, "has an unknown role")
		c.checkAt(m.Content != "" || m.Role == RoleAssistant, "messages", i, "is empty")
	}
	last := int32(0)
	for i, s := range t.Steps {
		turn := Value(s.Turn)
		c.checkAt(turn >= 1 && turn >= last, "steps", i, "has a turn below 1 or below the turn before")
		c.checkAt(s.Submission == "" || jsontext.Value(s.Submission).IsValid(), "steps", i, "has a submission that is not JSON")
		c.checkAt(isReward(s.Reward) && isReward(s.RewardUpstream), "steps", i, "has a reward outside 0 to 1")
		last = turn
	}
	c.utf8(t)
	return c.err()
}

// Validate holds a row of the sft set to the contract.
func (r SFT) Validate() error {
	c := checks{row: "sft row " + r.ID}
	c.prefix(r.Prefix)
	c.chat("messages", r.Messages, RoleAssistant)
	c.utf8(r)
	return c.err()
}

// Validate holds a preference pair to the contract.
func (r DPO) Validate() error {
	c := checks{row: "dpo row " + r.ID}
	c.prefix(r.Prefix)
	c.chat("prompt", r.Prompt, RoleUser)
	c.reply("chosen", r.Chosen)
	c.reply("rejected", r.Rejected)
	c.check(!slices.Equal(r.Chosen, r.Rejected), "rejected", "equals chosen")
	c.reward("mg_chosen_reward", r.ChosenReward)
	c.reward("mg_rejected_reward", r.RejectedReward)
	c.check(r.ChosenReward != nil && r.RejectedReward != nil && *r.ChosenReward > *r.RejectedReward, "mg_chosen_reward", "is not above mg_rejected_reward")
	c.among("mg_strategy", r.Strategy, StrategyIntermediate, StrategyBestWorst)
	c.utf8(r)
	return c.err()
}

// Validate holds a row of the verifier set to the contract.
func (r Verifier) Validate() error {
	c := checks{row: "verifier row " + r.ID}
	c.prefix(r.Prefix)
	c.chat("prompt", r.Prompt, RoleUser)
	c.reply("completion", r.Completion)
	c.check(r.Label != nil, "label", "is null")
	c.check(r.Reward != nil, "mg_reward", "is null")
	c.reward("mg_reward", r.Reward)
	c.among("mg_policy_mix", r.PolicyMix, PolicyOn, PolicyOff)
	if len(r.Completion) == 1 && r.Label != nil {
		want := VerdictNo
		if *r.Label {
			want = VerdictYes
		}
		c.check(r.Completion[0].Content == want, "completion", "does not say what label says")
	}
	c.utf8(r)
	return c.err()
}

// Tiers lists every access tier.
var Tiers = []Tier{TierOpen, TierCredentialed, TierSeparate}

var allRoles = []string{RoleSystem, RoleUser, RoleAssistant, RoleTool}

// checks collects the faults of one row.
type checks struct {
	row    string
	faults []string
}

func (c *checks) err() error {
	if len(c.faults) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s", c.row, strings.Join(c.faults, "; "))
}

func (c *checks) check(ok bool, column, fault string) {
	if !ok {
		c.faults = append(c.faults, column+" "+fault)
	}
}

// checkAt is check for an element of a list.
func (c *checks) checkAt(ok bool, column string, i int, fault string) {
	if !ok {
		c.faults = append(c.faults, fmt.Sprintf("%s[%d] %s", column, i, fault))
	}
}

func (c *checks) filled(column, value string) { c.check(value != "", column, "is empty") }

func (c *checks) among(column, value string, known ...string) {
	c.check(slices.Contains(known, value), column, "has an unknown value")
}

func (c *checks) finite(column string, value *float64) {
	c.check(value == nil || !math.IsNaN(*value) && !math.IsInf(*value, 0), column, "is not finite")
}

func (c *checks) reward(column string, value *float64) {
	c.check(isReward(value), column, "is outside 0 to 1")
}

// isReward says whether a reward is null or in range; NaN is not.
func isReward(value *float64) bool { return value == nil || *value >= 0 && *value <= 1 }

func (c *checks) version(v *int32) {
	c.check(v != nil && *v == Version, "schema_version", fmt.Sprintf("is not %d", Version))
}

func (c *checks) prefix(p Prefix) {
	c.filled("mg_id", p.ID)
	c.filled("mg_task_id", p.TaskID)
	c.filled("mg_source", p.Source)
	c.filled("mg_build", p.Build)
	c.among("mg_access_tier", p.AccessTier, Tiers...)
	c.check(len(p.TrajIDs) > 0 && !slices.Contains(p.TrajIDs, ""), "mg_traj_ids", "is empty or has an empty id")
	c.check(p.NTurns > 0, "mg_n_turns", "is not above 0")
	c.check(p.NTokens > 0, "mg_n_tokens", "is not above 0")
}

// chat checks an MSG column: a user turn first, after an optional system turn,
// then roles in alternation, up to a turn of the role last.
func (c *checks) chat(column string, messages []Message, last string) {
	if len(messages) == 0 {
		c.check(false, column, "is empty")
		return
	}
	for i, m := range messages {
		c.checkAt(m.Content != "", column, i, "is empty")
	}
	turns := messages
	if turns[0].Role == RoleSystem {
		turns = turns[1:]
	}
	for i, m := range turns {
		want := RoleUser
		if i%2 == 1 {
			want = RoleAssistant
		}
		if m.Role != want {
			c.checkAt(false, column, len(messages)-len(turns)+i, "is not a turn of the "+want)
			return
		}
	}
	c.check(messages[len(messages)-1].Role == last, column, "does not end with a turn of the "+last)
}

// reply checks an MSG column of one assistant turn.
func (c *checks) reply(column string, messages []Message) {
	c.check(len(messages) == 1 && messages[0].Role == RoleAssistant && messages[0].Content != "",
		column, "is not one assistant turn with content")
}

func (c *checks) utf8(row any) {
	if err := CheckUTF8(row); err != nil {
		c.faults = append(c.faults, err.Error())
	}
}

// CheckUTF8 names the first text of a row that is not UTF-8. Parquet writers do
// not look, and one bad byte makes a file that DuckDB refuses.
func CheckUTF8(row any) error {
	if column := badText(reflect.ValueOf(row)); column != "" {
		return fmt.Errorf("%s is not UTF-8", column)
	}
	return nil
}

// badText is the path of the first such text below v, and empty when there is none.
func badText(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return "text"
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return badText(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			if at := badText(v.Index(i)); at != "" {
				return fmt.Sprintf("%d.%s", i, at)
			}
		}
	case reflect.Struct:
		if v.Type().PkgPath() == "time" {
			return ""
		}
		for i := range v.NumField() {
			if at := badText(v.Field(i)); at != "" {
				return v.Type().Field(i).Name + "." + at
			}
		}
	}
	return ""
}
