package export

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/tokens"
)

// judge is the system turn of every verifier row.
//
//go:embed templates/judge.txt
var judge string

// outputLimits are the bytes to which each output and value in an attempt is cut,
// one after the other, until a row fits. The first cuts nothing.
var outputLimits = []int{0, 16_384, 8_192, 4_096, 2_048, 1_024, 512, 256}

// verifier makes a row of every trajectory with a reward. An outcome verifier
// (Cobbe et al. 2021) learns from the attempt alone, so nothing that a grader
// said may stand in it.
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
	a, err := attemptOf(t)
	if err != nil {
		return row, false, "", err
	}
	if len(a.turns) == 0 {
		return row, false, reasonNoSteps, nil
	}
	label := *t.Reward == 1
	verdict, mix := schemas.VerdictNo, schemas.PolicyOff
	if label {
		verdict = schemas.VerdictYes
	}
	if t.Policy.Kind == "openai" || t.Policy.Kind == "exec" {
		mix = schemas.PolicyOn
	}
	row = schemas.Verifier{
		Prefix:     b.prefix(schemas.ConfigVerifier, "", task, t),
		Completion: []schemas.Message{{Role: schemas.RoleAssistant, Content: verdict}},
		Label:      &label, Reward: t.Reward, PolicyMix: mix,
	}
	row.NTurns = a.turns[len(a.turns)-1].number
	before := ""
	for i, limit := range outputLimits {
		text := serialize(task.instruction, a, limit)
		if text == before {
			continue
		}
		before = text
		row.Prompt = []schemas.Message{{Role: schemas.RoleSystem, Content: strings.TrimSpace(judge)}, {Role: schemas.RoleUser, Content: text}}
		row.NTokens = int32(b.tokens.CountMessages(row.Prompt) + b.replyTokens(row.Completion))
		if int(row.NTokens) <= b.opts.MaxTokens {
			return row, i > 0, "", nil
		}
	}
	return row, false, reasonTooLong, nil
}

// attempt is what the verifier sees of a trajectory.
type attempt struct {
	turns    []turn
	handedIn bool // it ends with a submission
}

// turn is one step of it.
type turn struct {
	number  int32
	action  string
	params  []param
	results []param
}

// attemptOf reads the steps up to the last submission, which is the one that was
// graded. What happened after it is left out: that the agent went on would say
// that it had been told to.
//
// The outcome of a submission is taken from what the sandbox recorded, never from
// the observation, in which a grader's verdict may stand; other observations in
// which one was shown are left out. So attempts that differ in nothing but their
// verdict give the same text.
func attemptOf(t schemas.Trajectory) (attempt, error) {
	steps, last := t.Steps, lastSubmission(t)
	if last >= 0 {
		steps = steps[:last+1]
	}
	turns := make([]turn, 0, len(steps))
	for i, s := range steps {
		results, err := resultsOf(s)
		if err != nil {
			return attempt{}, fmt.Errorf("trajectory %s: steps[%d]: %w", t.TrajectoryID, i, err)
		}
		turns = append(turns, turn{schemas.Value(s.Turn), s.Action, paramsOf(s), results})
	}
	return attempt{turns, last >= 0}, nil
}

// resultsOf lists what came of a step.
func resultsOf(s schemas.Step) ([]param, error) {
	if s.Submission == "" {
		if schemas.Value(s.GraderFeedbackShown) {
			return nil, nil
		}
		return filled(param{"output", s.Observation}), nil
	}
	var sub datasets.Submission
	if err := json.Unmarshal([]byte(s.Submission), &sub); err != nil {
		return nil, fmt.Errorf("submission: %w", err)
	}
	status := ""
	if sub.Status != "ok" {
		status = strings.TrimSpace(sub.Status + " " + sub.Error)
	}
	out := filled(param{"status", status}, param{"stdout", sub.Stdout}, param{"stderr", sub.Stderr})
	for _, values := range []map[string]datasets.RawValue{sub.Records, sub.Captured} {
		names := make([]string, 0, len(values))
		for name := range values {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if name != "answer" { // it stands at the end
				out = append(out, param{name, string(values[name])})
			}
		}
	}
	answer := sub.Answer
	if answer == nil {
		answer = sub.Captured["answer"]
	}
	return append(out, filled(param{"answer", string(answer)})...), nil
}

func filled(params ...param) []param {
	return slices.DeleteFunc(params, func(p param) bool { return strings.TrimSpace(p.text) == "" })
}

// serialize writes a task and an attempt at it as one text, with outputs of more
// than limit bytes cut in their middle; 0 cuts nothing.
func serialize(instruction string, a attempt, limit int) string {
	var s strings.Builder
	fmt.Fprintf(&s, "<task>\n%s\n</task>\n\n<attempt>\n", strings.TrimSpace(instruction))
	for _, t := range a.turns {
		action := t.action
		if action == "" {
			action = "no action that could be read"
		}
		fmt.Fprintf(&s, "[turn %d] %s\n", t.number, action)
		for _, p := range t.params {
			fmt.Fprintf(&s, "%s:\n%s\n", p.name, strings.TrimRight(p.text, "\n"))
		}
		for _, p := range t.results {
			fmt.Fprintf(&s, "-> %s:\n%s\n", p.name, strings.TrimRight(cutMiddle(p.text, limit), "\n"))
		}
		s.WriteByte('\n')
	}
	if !a.handedIn {
		s.WriteString("Nothing was handed in.\n")
	}
	s.WriteString("</attempt>")
	return s.String()
}

// cutMiddle keeps the beginning and the end of a text, about limit bytes in all.
func cutMiddle(text string, limit int) string {
	if limit == 0 || len(text) <= limit {
		return text
	}
	head, tail := limit/2, len(text)-limit/2
	for head > 0 && !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text) && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return fmt.Sprintf("%s\n[%d bytes left out]\n%s", text[:head], tail-head, text[tail:])
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
