package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/scripts/internal/modelserver"
	"github.com/medgym-data/medgym-data/scripts/internal/runs"
)

// judge holds the rows of the run with faults against the calm ones.
func (p *proof) judge(faults modelserver.Faults, calm, rough sampled) {
	given := map[modelserver.Kind]int{}
	for _, t := range rough.tallies {
		given[t.Kind] = t.Given
	}
	for _, kind := range append(append(modelserver.Passing(), modelserver.Staying()...), modelserver.Down) {
		if given[kind] == 0 {
			p.wrong("this fault never came: %s", kind)
		}
	}
	for _, t := range rough.tallies {
		// What the end of the server takes away is asked again.
		if slices.Contains(modelserver.Staying(), t.Kind) && t.Given > t.Conversations*3/2+len(faults.Outages) {
			p.wrong("%d conversations were asked %d times for what stays: %s", t.Conversations, t.Given, t.Kind)
		}
	}
	if wanted := len(p.tasks) * k; len(calm.rows) != wanted {
		p.wrong("the calm run has %d rows, not %d", len(calm.rows), wanted)
	}
	want, faulty := expected(calm.rows, p.tasks, faults.Tasks)
	got := map[string]schemas.Trajectory{}
	for id, row := range rough.rows {
		kind, unanswered := faulty[id]
		if !unanswered {
			got[id] = row
			continue
		}
		if fault := unfit(row, kind); fault != "" {
			p.wrong("%s, given %q: %s", id, kind, fault)
		}
		delete(faulty, id)
	}
	if len(faulty) > 0 {
		p.wrong("%d attempts that are never answered have no row", len(faulty))
	}
	d := runs.Compare(want, got)
	if err := d.Err(); err != nil {
		p.wrong("%v", err)
	}
	for i, id := range d.Different {
		if i < 5 {
			p.wrong("%s differs in %v: %s (%s), calm %s (%s)", id, runs.Columns(want[id], got[id]), got[id].Outcome, got[id].OutcomeReason, want[id].Outcome, want[id].OutcomeReason)
		}
	}
	for _, row := range calm.rows {
		if row.Outcome == schemas.OutcomeInfraError || row.Outcome == schemas.OutcomeGraderError {
			p.wrong("%s of the calm run ends as %s (%s)", row.TrajectoryID, row.Outcome, row.OutcomeReason)
		}
	}
	for _, s := range []sampled{calm, rough} {
		if leak := p.leaks(s.said); leak != "" {
			p.wrong("the rollout %s says %s", s.name, leak)
		}
	}
}

// expected parts the calm rows: those that the other run has to have too, and the
// attempts at tasks that it gets no answer for, with the fault that they meet.
func expected(calm map[string]schemas.Trajectory, tasks []schemas.Task, staying map[string]modelserver.Kind) (want map[string]schemas.Trajectory, faulty map[string]modelserver.Kind) {
	kinds := map[string]modelserver.Kind{}
	for _, task := range tasks {
		if kind, ok := staying[task.Instruction]; ok {
			kinds[task.TaskID] = kind
		}
	}
	want, faulty = map[string]schemas.Trajectory{}, map[string]modelserver.Kind{}
	for id, row := range calm {
		if kind, ok := kinds[row.TaskID]; ok {
			faulty[id] = kind
			continue
		}
		want[id] = row
	}
	return want, faulty
}

// unfit says what is wrong with the row of an attempt that met a fault which stays.
// What no server answers is no failure of the agent: it has no reward. A conversation
// that is too long, or a reply that is, ends as token_limit.
func unfit(row schemas.Trajectory, kind modelserver.Kind) string {
	if kind.Context() || kind == modelserver.Long {
		reason := "server_context"
		if kind == modelserver.Long {
			reason = "reply_tokens"
		}
		if row.Outcome != schemas.OutcomeTokenLimit || row.OutcomeReason != reason {
			return fmt.Sprintf("it ends as %s (%s), not as token_limit (%s)", row.Outcome, row.OutcomeReason, reason)
		}
		return ""
	}
	switch {
	case row.Outcome != schemas.OutcomeInfraError:
		return fmt.Sprintf("it ends as %s (%s), not as infra_error", row.Outcome, row.OutcomeReason)
	case row.Reward != nil || row.RewardUpstream != nil || row.Score != nil:
		return "an infra_error has rewards"
	case len(row.Messages) > 0 || len(row.Steps) > 0:
		return "an infra_error has a conversation"
	}
	return ""
}

// leaks says what of rows, keys or answers of the server is in a text.
func (p *proof) leaks(text string) string {
	switch {
	case strings.Contains(text, modelserver.Canary):
		return "what the server said"
	case strings.Contains(text, right), strings.Contains(text, wrong):
		return "a key"
	}
	for _, task := range p.tasks {
		if task.Question != "" && strings.Contains(text, task.Question[:min(40, len(task.Question))]) {
			return "what a task asks"
		}
	}
	return ""
}
