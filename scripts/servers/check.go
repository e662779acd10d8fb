package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// readRows reads the trajectories, and says which break the contract or are there
// twice. There may be none.
func readRows(ctx context.Context, dir string) (rows []schemas.Trajectory, faults []string, err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	seen := map[string]bool{}
	for row, err := range pq.ReadDir[schemas.Trajectory](ctx, dir) {
		if err != nil {
			return nil, nil, err
		}
		if err := row.Validate(); err != nil {
			faults = append(faults, err.Error())
		}
		if seen[row.TrajectoryID] {
			faults = append(faults, row.TrajectoryID+" is there twice")
		}
		seen[row.TrajectoryID] = true
		rows = append(rows, row)
	}
	return rows, faults, nil
}

// outcomes counts how attempts ended.
func outcomes(rows []schemas.Trajectory) map[string]int {
	out := map[string]int{}
	for _, r := range rows {
		out[r.Outcome]++
	}
	return out
}

// sampled: the rollout ended well and every attempt has a verdict.
func sampled(_ kind, r result) (faults []string) {
	if r.exit != 0 {
		faults = append(faults, fmt.Sprintf("exit code %d: %s", r.exit, r.message))
	}
	for _, outcome := range []string{schemas.OutcomeInfraError, schemas.OutcomeGraderError} {
		if n := outcomes(r.rows)[outcome]; n > 0 {
			faults = append(faults, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	return faults
}

// executed: programs and commands ran, and some of them well.
func executed(r result) []string {
	ran := map[string]int{}
	for _, row := range r.rows {
		for _, step := range row.Steps {
			ran[step.Action+" "+step.Status]++
		}
	}
	for _, action := range []string{schemas.ActionCodeExecution, schemas.ActionTerminal} {
		if ran[action+" ok"] == 0 {
			return []string{fmt.Sprintf("no %s ended well; steps: %v", action, ran)}
		}
	}
	return nil
}

// called: tools were called, some of the calls ran, well or not, and what came of
// them was given back as an answer to the call.
func called(r result) []string {
	calls, answers, ran := 0, 0, 0
	for _, row := range r.rows {
		for _, m := range row.Messages {
			if m.ToolCallsJSON != "" {
				calls++
			}
			if m.Role == "tool" {
				answers++
			}
		}
		for _, step := range row.Steps {
			if step.Action != "" && step.Status != rollout.StepInvalid && step.Status != rollout.StepCut {
				ran++
			}
		}
		if p := row.Policy.Protocol; p != rollout.ProtocolTools {
			return []string{fmt.Sprintf("the protocol is %q", p)}
		}
	}
	if calls == 0 || answers == 0 || ran == 0 {
		return []string{fmt.Sprintf("%d turns with calls, %d answers to them, %d that ran", calls, answers, ran)}
	}
	return nil
}

// short: a context that is too short ends the attempt, and nothing is asked again. A
// server that cuts prompts and says nothing is only held to the end of each attempt.
func short(k kind, r result) []string {
	faults := sampled(k, r)
	if k.cutsPrompts {
		return faults
	}
	if n := outcomes(r.rows)[schemas.OutcomeTokenLimit]; n != len(r.rows) {
		faults = append(faults, fmt.Sprintf("%d of %d attempts ended as %s", n, len(r.rows), schemas.OutcomeTokenLimit))
	}
	if r.asked > len(r.rows) {
		faults = append(faults, fmt.Sprintf("%d requests for %d attempts", r.asked, len(r.rows)))
	}
	return faults
}

// misnamed: a model that is not there is the user's fault, told in one line; some
// servers answer to every name.
func misnamed(k kind, r result) []string {
	if k.anyModel {
		return sampled(k, r)
	}
	var faults []string
	if r.exit != 3 {
		faults = append(faults, fmt.Sprintf("exit code %d, not 3", r.exit))
	}
	if r.message == "" || strings.Contains(r.message, "\n") {
		faults = append(faults, fmt.Sprintf("the message is not one line: %q", r.message))
	}
	return faults
}

// tally writes counts as a text, the largest first.
func tally(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if d := counts[b] - counts[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return strings.Join(names, ", ")
}

// keepAs writes the longest conversation of a trial, what the program said, and the
// server's log into the folder of --keep. The tasks are made up: nothing is secret.
func (l lab) keepAs(name, log string, r result) error {
	if l.keep == "" {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "exit code %d, %d rows: %s\n%s\n", r.exit, len(r.rows), tally(outcomes(r.rows)), r.message)
	if len(r.rows) > 0 {
		row := slices.MaxFunc(r.rows, func(a, b schemas.Trajectory) int { return len(a.Messages) - len(b.Messages) })
		fmt.Fprintf(&b, "\n%s: %s %s\n", row.TrajectoryID, row.Outcome, row.OutcomeReason)
		for _, m := range row.Messages {
			fmt.Fprintf(&b, "\n--- %s %s\n%s\n", m.Role, m.ToolCallID, m.Content)
			if m.ToolCallsJSON != "" {
				fmt.Fprintf(&b, "calls: %s\n", m.ToolCallsJSON)
			}
		}
		for _, s := range row.Steps {
			fmt.Fprintf(&b, "\nstep %d: %s %s, %s %s\n", schemas.Value(s.Turn), s.Action, s.ParamsJSON, s.Status, s.ErrorType)
		}
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(l.keep, name+".txt"), []byte(b.String()), 0o644),
		os.WriteFile(filepath.Join(l.keep, name+".log"), text, 0o644))
}
