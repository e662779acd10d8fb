package export_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/export"
)

// random is a world of trajectories of every kind, sound and unsound.
func random(r *rand.Rand) world {
	var w world
	for _, source := range []string{"alpha", "beta"} {
		for _, split := range []string{"test", "train"} {
			for n := range 1 + r.IntN(12) {
				task := taskOf(source, split, n)
				if r.IntN(10) == 0 {
					task.Status, task.StatusReason = schemas.StatusUngradable, "why"
				}
				var attempts []schemas.Trajectory
				for a := range 1 + r.IntN(5) {
					attempts = append(attempts, randomAttempt(r, task, int32(a)))
				}
				w.add(task, attempts...)
			}
		}
	}
	return w
}

func randomAttempt(r *rand.Rand, task schemas.Task, n int32) schemas.Trajectory {
	var turns []turnSpec
	for range r.IntN(6) {
		code := fmt.Sprintf("answer = %d # %s", r.IntN(4), strings.Repeat("é漢 x ", r.IntN(4)))
		switch r.IntN(4) {
		case 0:
			turns = append(turns, submit(code, []float64{0, 0, 0.5, 1}[r.IntN(4)]))
		case 1:
			turns = append(turns, turnSpec{code: code, submit: true, null: r.IntN(2) == 0})
		default:
			turns = append(turns, look(code, strings.Repeat("øutput ", 1+r.IntN(2_000))))
		}
	}
	if r.IntN(2) == 0 {
		turns = append(turns, submit(fmt.Sprint("final ", r.IntN(5)), float64(r.IntN(2))))
	}
	t := attempt(task, n, turns...)
	if r.IntN(4) == 0 {
		t.Policy = schemas.Policy{Kind: []string{"openai", "exec", "replay"}[r.IntN(3)], Model: "m"}
	}
	if r.IntN(8) == 0 {
		t.Outcome, t.Reward, t.RewardUpstream = schemas.OutcomeGraderError, nil, nil
	}
	if len(t.Messages) > 3 {
		at := 2 + r.IntN(len(t.Messages)-2)
		switch m := &t.Messages[at]; r.IntN(8) {
		case 0:
			t.Messages = slices.Insert(t.Messages, at, schemas.ChatMessage{Role: "user", Content: "more"})
		case 1:
			m.Role = []string{"system", "assistant", "tool"}[r.IntN(3)]
		case 2:
			if m.Role == "assistant" {
				m.Content = ""
			}
		case 3:
			m.ToolCallsJSON = "[]"
		case 4:
			t.Messages = t.Messages[:at]
		}
	}
	return t
}

// Whatever the trajectories, every row meets the contract and says what is true of
// the trajectories it names, and the counts add up.
func TestEveryRowIsSound(t *testing.T) {
	const maxTokens = 1_500
	worlds, least := uint64(15), 50
	if testing.Short() {
		worlds, least = 2, 20
	}
	var rows [3]int
	for seed := range worlds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			w := random(r)
			opts := export.Options{MaxTokens: maxTokens, KeepDuplicates: r.IntN(2) == 0, ShardBytes: []int64{0, 3_000}[r.IntN(2)], Seed: seed}
			dir := exported(t, w, opts)
			byID := map[string]schemas.Trajectory{}
			for _, tr := range w.trajectories {
				byID[tr.TrajectoryID] = tr
			}
			ids := map[string]bool{}
			common := func(p schemas.Prefix, err error) {
				t.Helper()
				if err != nil {
					t.Error(err)
				}
				if ids[p.ID] {
					t.Errorf("two rows have the id %s", p.ID)
				}
				ids[p.ID] = true
				for _, id := range p.TrajIDs {
					if tr, ok := byID[id]; !ok || tr.Reward == nil || tr.TaskID != p.TaskID {
						t.Errorf("%s: trajectory %s has no reward, or is not of the task", p.ID, id)
					}
				}
			}
			for _, row := range rowsOf[schemas.SFT](t, dir, "open", "sft") {
				common(row.Prefix, row.Validate())
				tr := byID[row.TrajIDs[0]]
				last := row.Messages[len(row.Messages)-1].Content
				if *tr.Reward != 1 || !slices.ContainsFunc(tr.Messages, func(m schemas.ChatMessage) bool { return m.Content == last }) {
					t.Errorf("%s is not of a solved trajectory", row.ID)
				}
				rows[0]++
			}
			for _, row := range rowsOf[schemas.DPO](t, dir, "open", "dpo") {
				common(row.Prefix, row.Validate())
				if row.Strategy == schemas.StrategyBestWorst && *byID[row.TrajIDs[1]].Reward != *row.RejectedReward {
					t.Errorf("%s: the rejected side has another reward", row.ID)
				}
				rows[1]++
			}
			labels := map[string]int{}
			for _, row := range rowsOf[schemas.Verifier](t, dir, "open", "verifier") {
				common(row.Prefix, row.Validate())
				tr := byID[row.TrajIDs[0]]
				if *row.Label != (*tr.Reward == 1) || row.NTokens > maxTokens || strings.Contains(row.Prompt[1].Content, canary) {
					t.Errorf("%s: label %v of reward %v, %d tokens, or a verdict in it", row.ID, *row.Label, *tr.Reward, row.NTokens)
				}
				if on := tr.Policy.Kind == "openai" || tr.Policy.Kind == "exec"; on != (row.PolicyMix == schemas.PolicyOn) {
					t.Errorf("%s: %s of policy %s", row.ID, row.PolicyMix, tr.Policy.Kind)
				}
				if *row.Label {
					labels[row.Source+tr.Split]++
				} else {
					labels[row.Source+tr.Split]--
				}
				rows[2]++
			}
			for place, n := range labels {
				if n != 0 {
					t.Errorf("%s has %+d more YES than NO", place, n)
				}
			}
			for _, s := range report(t, dir).Sets {
				counted := map[string]int64{}
				left := int64(0)
				for _, d := range s.Drops {
					left += d.Count
				}
				for _, tr := range w.trajectories {
					if tr.Split == s.Split {
						counted["trajectories"]++
					}
				}
				if s.Rows+left != s.Candidates || s.Config != schemas.ConfigDPO && s.Candidates != counted["trajectories"] {
					t.Errorf("%s/%s: %d rows, %d left out, %d candidates, %v", s.Config, s.Split, s.Rows, left, s.Candidates, counted)
				}
			}
		})
	}
	for i, n := range rows {
		if n < least {
			t.Errorf("only %d rows of %s were tried", n, export.Configs[i])
		}
	}
}
