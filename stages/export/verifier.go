package export

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/tokens"
)

// verifier makes a row of every trajectory with a reward: the question of package
// verdict, and the answer to it.
func (b *builder) verifier(out *built, g group) error {
	labels := map[string]bool{}
	contradicted := map[string]bool{}
	var rows []schemas.Verifier
	dropRow := func(reason string) { out.drops = append(out.drops, drop{schemas.ConfigVerifier, "", reason}) }
	for _, t := range g.attempts {
		row, cut, reason, err := b.judged(g.task, t)
		if err != nil {
			return err
		}
		if reason != "" {
			dropRow(reason)
			continue
		}
		if cut {
			out.cut++
		}
		text := row.Prompt[len(row.Prompt)-1].Content
		if label, seen := labels[text]; seen && label != *row.Label {
			contradicted[text] = true
		}
		labels[text] = *row.Label
		rows = append(rows, row)
	}
	for _, row := range rows {
		if contradicted[row.Prompt[len(row.Prompt)-1].Content] {
			dropRow(reasonContradiction)
			continue
		}
		out.verifier = append(out.verifier, row)
	}
	return nil
}

// judged makes the row of one trajectory, or says why there is none.
func (b *builder) judged(task taskInfo, t schemas.Trajectory) (row schemas.Verifier, cut bool, reason string, err error) {
	if reason := unusable(task, t); reason != "" {
		return row, false, reason, nil
	}
	q, reason, err := b.verdict.Ask(task.instruction, t)
	if err != nil || reason != "" {
		return row, false, reason, err
	}
	label := *t.Reward == 1
	answer, mix := schemas.VerdictNo, schemas.PolicyOff
	if label {
		answer = schemas.VerdictYes
	}
	if t.Policy.Kind == "openai" || t.Policy.Kind == "exec" {
		mix = schemas.PolicyOn
	}
	row = schemas.Verifier{
		Prefix:     b.prefix(schemas.ConfigVerifier, "", task, t),
		Completion: []schemas.Message{{Role: schemas.RoleAssistant, Content: answer}},
		Label:      &label, Reward: t.Reward, PolicyMix: mix,
	}
	row.Prompt, row.NTurns = q.Messages, q.Turns
	row.NTokens = int32(q.Tokens + b.replyTokens(row.Completion))
	return row, q.Cut, "", nil
}

// replyTokens counts a reply behind a prompt that has been counted.
func (b *builder) replyTokens(reply []schemas.Message) int {
	n := 0
	for _, m := range reply {
		n += tokens.PerMessage + b.tokens.Count(m.Content)
	}
	return n
}

// balance chooses, by source, as many YES as NO rows: of the label with more rows
// those with the smallest seeded hash.
type balance struct {
	seed    uint64
	yes, no map[string][]lot // by source
	cutoff  map[string]lot   // last lot that is kept of the label with more rows
}

// lot is a row's place in the draw.
type lot [16]byte

func compareLots(a, b lot) int { return slices.Compare(a[:], b[:]) }

func newBalance(seed uint64) *balance {
	return &balance{seed: seed, yes: map[string][]lot{}, no: map[string][]lot{}, cutoff: map[string]lot{}}
}

func (b *balance) draw(row schemas.Verifier) lot {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", b.seed, row.ID))
	return lot(sum[:16])
}

func (b *balance) add(row schemas.Verifier) {
	side := b.no
	if *row.Label {
		side = b.yes
	}
	side[row.Source] = append(side[row.Source], b.draw(row))
}

// settle draws, and returns how many rows of each source are left out.
func (b *balance) settle() map[string]int {
	left := map[string]int{}
	for _, sides := range [2][2]map[string][]lot{{b.yes, b.no}, {b.no, b.yes}} {
		for source, lots := range sides[0] {
			n := len(sides[1][source])
			if len(lots) <= n {
				continue
			}
			left[source] = len(lots) - n
			slices.SortFunc(lots, compareLots)
			if n > 0 {
				b.cutoff[source] = lots[n-1]
			}
		}
	}
	return left
}

// keeps says whether a row was drawn. It is asked after settle.
func (b *balance) keeps(row schemas.Verifier) bool {
	mine, theirs := len(b.no[row.Source]), len(b.yes[row.Source])
	if *row.Label {
		mine, theirs = theirs, mine
	}
	switch {
	case mine <= theirs:
		return true
	case theirs == 0:
		return false
	}
	return compareLots(b.draw(row), b.cutoff[row.Source]) <= 0
}

// part is the share of rows that are kept.
func (b *balance) part() float64 {
	kept, all := 0, 0
	for _, sides := range [2][2]map[string][]lot{{b.yes, b.no}, {b.no, b.yes}} {
		for source, lots := range sides[0] {
			kept += min(len(lots), len(sides[1][source]))
			all += len(lots)
		}
	}
	if all == 0 {
		return 0
	}
	return float64(kept) / float64(all)
}
