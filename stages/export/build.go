package export

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/tokens"
	"github.com/medgym-data/medgym-data/stages/internal/verdict"
)

// builder makes rows of groups. Its methods are safe for concurrent use: nothing
// that one group leaves behind is seen by the next.
type builder struct {
	opts    Options
	tokens  *tokens.Counter
	verdict *verdict.Builder
	config  []byte // rowConfig, as JSON
}

func newBuilder(opts Options, counter *tokens.Counter) *builder {
	config, err := json.Marshal(opts.config().Rows)
	if err != nil {
		config = []byte(err.Error()) // a struct of numbers and texts cannot fail
	}
	return &builder{opts: opts, tokens: counter, verdict: verdict.New(counter, opts.MaxTokens), config: config}
}

// built is what became of a group.
type built struct {
	sft      []schemas.SFT
	dpo      []schemas.DPO
	verifier []schemas.Verifier
	drops    []drop
	models   []pairModels // one for each of dpo
	merged   int          // user turns that were joined, in rows of sft
	cut      int          // rows of verifier with outputs cut
}

// drop is something that became no row.
type drop struct {
	config, strategy, reason string
}

// pairModels says who wrote the two sides of a pair.
type pairModels struct{ chosen, rejected string }

func (b *builder) build(g group) (built, error) {
	var out built
	chats := make([]conversation, len(g.attempts))
	for i, t := range g.attempts {
		chats[i] = conversationOf(t)
	}
	for _, config := range b.opts.Configs {
		var err error
		switch config {
		case schemas.ConfigSFT:
			b.sft(&out, g, chats)
		case schemas.ConfigDPO:
			b.dpo(&out, g, chats)
		case schemas.ConfigVerifier:
			err = b.verifier(&out, g)
		}
		if err != nil {
			return built{}, err
		}
	}
	return out, nil
}

// sft takes every solved trajectory, up to the turn that solved it.
func (b *builder) sft(out *built, g group, chats []conversation) {
	for i, t := range g.attempts {
		messages, reason := solved(g.task, t, chats[i])
		if reason != "" {
			out.drops = append(out.drops, drop{schemas.ConfigSFT, "", reason})
			continue
		}
		out.merged += chats[i].merged
		row := schemas.SFT{Prefix: b.prefix(schemas.ConfigSFT, "", g.task, t), Messages: messages}
		row.NTurns = assistantTurns(messages)
		row.NTokens = int32(b.tokens.CountMessages(messages))
		out.sft = append(out.sft, row)
	}
}

// solved is the conversation up to the turn that solved the task, or why there is
// none.
func solved(task taskInfo, t schemas.Trajectory, c conversation) ([]schemas.Message, string) {
	if reason := unusable(task, t); reason != "" {
		return nil, reason
	}
	step, reason := solution(t)
	if reason != "" {
		return nil, reason
	}
	at, reason := c.place(schemas.Value(step.Turn))
	if reason != "" {
		return nil, reason
	}
	return append(slices.Clip(c.before(schemas.Value(step.Turn), at)), c.messages[at]), ""
}

// unusable says why no set may have a trajectory.
func unusable(task taskInfo, t schemas.Trajectory) string {
	switch {
	case t.Reward == nil:
		return reasonNullReward
	case task.status != schemas.StatusReady:
		return reasonTaskNotReady
	case task.dropped:
		return reasonOverlapsTest
	}
	return ""
}

// prefix fills the columns that do not depend on the row's text. what tells rows of
// the same trajectories apart.
func (b *builder) prefix(config, what string, task taskInfo, from ...schemas.Trajectory) schemas.Prefix {
	id, build := sha256.New(), sha256.New()
	fmt.Fprintf(id, "%q %q", config, what)
	fmt.Fprintf(build, "%s %q", b.config, task.content)
	p := schemas.Prefix{TaskID: from[0].TaskID, Source: from[0].Source, AccessTier: from[0].AccessTier}
	for _, t := range from {
		p.TrajIDs = append(p.TrajIDs, t.TrajectoryID)
		fmt.Fprintf(id, " %q", t.TrajectoryID)
		digestTrajectory(build, t)
		if what == schemas.StrategyBestWorst && t.VerifierScore != nil { // nothing else depends on it
			fmt.Fprintf(build, " scored %q %v", t.Verifier, *t.VerifierScore)
		}
	}
	p.ID = config + "-" + hex.EncodeToString(id.Sum(nil)[:10])
	p.Build = hex.EncodeToString(build.Sum(nil)[:8])
	return p
}

// digestTrajectory feeds h all of a trajectory that can change a row.
func digestTrajectory(h hash.Hash, t schemas.Trajectory) {
	text := func(parts ...string) {
		for _, s := range parts {
			fmt.Fprintf(h, "%d ", len(s))
			_, _ = io.WriteString(h, s) // never fails
		}
	}
	number := func(v *float64) {
		if v == nil {
			text("null")
			return
		}
		text(fmt.Sprint(*v))
	}
	text(t.TrajectoryID, t.Policy.Kind, t.Policy.Model, t.GraderVersion, t.Sandbox.EnvironmentDigest)
	number(t.Reward)
	number(t.Score)
	for _, m := range t.Messages {
		text(m.Role, m.Content, m.ToolCallsJSON)
	}
	for _, s := range t.Steps {
		text(fmt.Sprint(schemas.Value(s.Turn), schemas.Value(s.GraderFeedbackShown), schemas.Value(s.CutMessages)), s.Action, s.ParamsJSON, s.Observation, s.Status, s.ErrorType, s.Submission)
		number(s.Reward)
	}
}

// policyName is a policy as tables print it.
func policyName(p schemas.Policy) string {
	if p.Model == "" {
		return p.Kind
	}
	return p.Kind + "/" + p.Model
}
