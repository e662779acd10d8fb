package export

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/medgym-data/medgym-data/schemas"
)

// dpo makes the pairs of the strategies that are asked for.
func (b *builder) dpo(out *built, g group, chats []conversation) {
	for _, strategy := range b.opts.Strategies {
		switch strategy {
		case schemas.StrategyIntermediate:
			for i, t := range g.attempts {
				b.intermediate(out, g.task, t, chats[i])
			}
		case schemas.StrategyBestWorst:
			b.bestWorst(out, g, chats)
		}
	}
}

func (o *built) dropPair(strategy, reason string) {
	o.drops = append(o.drops, drop{schemas.ConfigDPO, strategy, reason})
}

// intermediate pairs, within one solved trajectory, every earlier wrong submission
// with the one that solved the task. The prompt is all that stands before the wrong
// one; there the trajectory could have gone right at once. Each wrong submission
// is a candidate. Submissions are whole programs, so the right one stands by itself
// where the wrong one stood.
func (b *builder) intermediate(out *built, task taskInfo, t schemas.Trajectory, c conversation) {
	solving, reason := solution(t)
	if reason != "" || unusable(task, t) != "" {
		return // sft says why
	}
	drop := func(reason string) { out.dropPair(schemas.StrategyIntermediate, reason) }
	var before [][]string
	for turn, wrong := range wrongSubmissions(t, schemas.Value(solving.Turn)) {
		right, reason := c.place(schemas.Value(solving.Turn))
		at := 0
		if reason == "" {
			at, reason = c.place(turn)
		}
		if reason == "" && wrong.Reward == nil {
			reason = reasonUngraded
		}
		if reason != "" {
			drop(reason)
			continue
		}
		text := words(turnText(t, turn, c.messages[at]))
		switch {
		case slices.ContainsFunc(before, func(other []string) bool { return slices.Equal(text, other) }):
			drop(reasonRepeated)
			continue
		case similar(words(turnText(t, schemas.Value(solving.Turn), c.messages[right])), text, b.opts.MaxSimilarity):
			drop(reasonNearDuplicate)
			continue
		}
		before = append(before, text)
		row := schemas.DPO{
			Prefix: b.prefix(schemas.ConfigDPO, fmt.Sprint(schemas.StrategyIntermediate, turn), task, t),
			Prompt: c.before(turn, at), Chosen: c.messages[right : right+1], Rejected: c.messages[at : at+1],
			ChosenReward: solving.Reward, RejectedReward: wrong.Reward, Strategy: schemas.StrategyIntermediate,
		}
		b.pair(out, row, t, t)
	}
}

// wrongSubmissions yields the last submission of every turn before the given one,
// with the turn, unless it was right (a grader of another version may say so of one
// after which the agent went on).
func wrongSubmissions(t schemas.Trajectory, before int32) func(yield func(int32, schemas.Step) bool) {
	return func(yield func(int32, schemas.Step) bool) {
		for i, s := range t.Steps {
			turn := schemas.Value(s.Turn)
			if s.Submission == "" || turn >= before || s.Reward != nil && *s.Reward == 1 {
				continue
			}
			again := slices.ContainsFunc(t.Steps[i+1:], func(later schemas.Step) bool {
				return schemas.Value(later.Turn) == turn && later.Submission != ""
			})
			if !again && !yield(turn, s) {
				return
			}
		}
	}
}

// bestWorst pairs the best solved attempt at a task with the worst failed one, at
// the first turn of the assistant where they part, if the solved one did well
// there. Every task is one candidate. Among equals in reward and graded score go first
// those that a verifier prefers, the highest of the solved and the lowest of the
// failed, then the shorter ones; the first pair that can be used is taken.
func (b *builder) bestWorst(out *built, g group, chats []conversation) {
	best, worst, reason := extremes(g)
	if reason != "" {
		out.dropPair(schemas.StrategyBestWorst, reason)
		return
	}
	for _, i := range best {
		for _, j := range worst {
			row, why := b.diverge(g, chats, i, j)
			if why == "" {
				b.pair(out, row, g.attempts[i], g.attempts[j])
				return
			}
			reason = cmp.Or(reason, why)
		}
	}
	out.dropPair(schemas.StrategyBestWorst, reason)
}

// extremes are the attempts that share the best place among the solved, and the
// worst among the failed, or why there are no two.
func extremes(g group) (best, worst []int, reason string) {
	if g.task.status != schemas.StatusReady {
		return nil, nil, reasonTaskNotReady
	}
	if g.task.dropped {
		return nil, nil, reasonOverlapsTest
	}
	var right, wrong []int
	for i, t := range g.attempts {
		switch {
		case t.Reward == nil:
		case *t.Reward == 1:
			right = append(right, i)
		default:
			wrong = append(wrong, i)
		}
	}
	switch {
	case len(right)+len(wrong) == 0:
		return nil, nil, reasonNullReward
	case len(right)+len(wrong) == 1:
		return nil, nil, reasonSingle
	case len(wrong) == 0:
		return nil, nil, reasonAllSolved
	case len(right) == 0:
		return nil, nil, reasonAllFailed
	}
	score := func(a, b int) int {
		x, y := g.attempts[a], g.attempts[b]
		return cmp.Or(cmp.Compare(*x.Reward, *y.Reward), cmp.Compare(schemas.Value(x.Score), schemas.Value(y.Score)))
	}
	top, bottom := slices.MaxFunc(right, score), slices.MinFunc(wrong, score)
	// Among equals a verifier's choice goes first, then the shorter attempt.
	ranked := func(list []int, like int, prefer int) []int {
		list = slices.DeleteFunc(list, func(i int) bool { return score(i, like) != 0 })
		slices.SortStableFunc(list, func(a, b int) int {
			x, y := g.attempts[a], g.attempts[b]
			return cmp.Or(byVerifier(x.VerifierScore, y.VerifierScore, prefer), cmp.Compare(len(x.Messages), len(y.Messages)))
		})
		return list
	}
	return ranked(right, top, -1), ranked(wrong, bottom, 1), ""
}

// byVerifier orders two scores of a verifier: the highest first where prefer is -1,
// the lowest where it is 1. What has no score comes last: nothing is known of it.
func byVerifier(a, b *float64, prefer int) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return prefer * cmp.Compare(*a, *b)
}

// diverge is the pair of two attempts at their first difference, or why it cannot
// be one.
func (b *builder) diverge(g group, chats []conversation, i, j int) (schemas.DPO, string) {
	until, reason := solved(g.task, g.attempts[i], chats[i])
	if reason != "" {
		return schemas.DPO{}, reason
	}
	// Held against each other as they were, not as a later turn was shown them.
	chosen, rejected := chats[i].messages[:len(until)], chats[j].messages
	n := 0
	for n < len(chosen) && n < len(rejected) && chosen[n] == rejected[n] {
		n++
	}
	switch {
	case n == len(rejected) && chats[j].fault != "":
		return schemas.DPO{}, chats[j].fault
	case n == len(chosen) || n == len(rejected):
		return schemas.DPO{}, reasonNoDivergence
	case chosen[n].Role != schemas.RoleAssistant || rejected[n].Role != schemas.RoleAssistant:
		if assistantTurns(chosen[:n]) == 0 {
			return schemas.DPO{}, reasonPrompts
		}
		return schemas.DPO{}, reasonObservations
	}
	turn := assistantTurns(chosen[:n+1])
	prompt := chats[i].before(turn, n)
	if !slices.Equal(prompt, chats[j].before(turn, n)) {
		return schemas.DPO{}, reasonPrompts // they were shown it at different lengths
	}
	if !went(g.attempts[i], turn) {
		return schemas.DPO{}, reasonChosenFailed
	}
	x, y := words(turnText(g.attempts[i], turn, chosen[n])), words(turnText(g.attempts[j], turn, rejected[n]))
	if similar(x, y, b.opts.MaxSimilarity) {
		return schemas.DPO{}, reasonNearDuplicate
	}
	return schemas.DPO{
		Prefix: b.prefix(schemas.ConfigDPO, schemas.StrategyBestWorst, g.task, g.attempts[i], g.attempts[j]),
		Prompt: prompt, Chosen: chosen[n : n+1], Rejected: rejected[n : n+1],
		ChosenReward: g.attempts[i].Reward, RejectedReward: g.attempts[j].Reward, Strategy: schemas.StrategyBestWorst,
	}, ""
}

// went says whether every step of a turn came off: a right submission, or anything
// else that ran without error. Solved attempts hold mistakes too, and one must not
// be preferred for what was mended later.
func went(t schemas.Trajectory, turn int32) bool {
	done := false
	for _, s := range t.Steps {
		if schemas.Value(s.Turn) != turn {
			continue
		}
		if s.Submission == "" && s.Status != "ok" || s.Submission != "" && schemas.Value(s.Reward) != 1 {
			return false
		}
		done = true
	}
	return done
}

// pair counts a pair's turns and tokens, those of its longer side, and keeps it.
func (b *builder) pair(out *built, row schemas.DPO, chosen, rejected schemas.Trajectory) {
	row.NTurns = assistantTurns(row.Prompt) + 1
	prompt := b.tokens.CountMessages(row.Prompt)
	row.NTokens = int32(prompt + max(b.replyTokens(row.Chosen), b.replyTokens(row.Rejected)))
	out.dpo = append(out.dpo, row)
	out.models = append(out.models, pairModels{policyName(chosen.Policy), policyName(rejected.Policy)})
}
