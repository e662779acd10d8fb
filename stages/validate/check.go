package validate

import (
	"context"
	"errors"
	"fmt"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
	"github.com/medgym-data/medgym-data/stages/internal/judge"
)

// machineFault says that the machine around a task failed, which says nothing
// about the task.
type machineFault struct {
	part string // session, sandbox, grader_sandbox
	err  error
}

func (f *machineFault) Error() string { return f.part + ": " + f.err.Error() }
func (f *machineFault) Unwrap() error { return f.err }

// The reasons of tasks that are not proved; details follow after ": ".
const (
	reasonNoGrader    = "no_grader"
	reasonNoReference = "no_reference"
	reasonGold        = "gold"
	reasonGrader      = "grader"
	reasonFlaky       = "flaky"
	reasonNoop        = "noop"
	reasonCheat       = "cheat"
)

// check runs and judges all programs of a task. With an error that is a
// machineFault the row is complete, and unproved for that.
func (v *validator) check(ctx context.Context, task schemas.Task) (schemas.TaskValidation, error) {
	src := v.sources[task.Source]
	info := v.box.Info()
	row := schemas.TaskValidation{
		TaskID: task.TaskID, Source: task.Source, Split: task.Split, AccessTier: task.AccessTier,
		RawFile: task.RawFile, RawLine: task.RawLine, AdapterVersion: task.AdapterVersion, GraderVersion: src.spec.GraderVersion,
		Sandbox:       schemas.SandboxRef{Backend: info.Backend, EnvironmentDigest: info.EnvironmentDigest, Controls: info.Controls},
		SchemaVersion: schemas.Ptr(schemas.Version),
	}
	programs, reason := v.programs(task, src)
	if src.judge.Grader == nil {
		programs, reason = nil, reasonNoGrader
	}
	for _, p := range programs {
		check, stop, err := v.run(ctx, src, task, p)
		if err != nil {
			var machine *machineFault
			if errors.As(err, &machine) {
				row.State, row.Validation = schemas.ValidationUnproved, schemas.Validation{Reason: machine.part}
				row.Checks = nil
			}
			return row, err
		}
		row.Checks = append(row.Checks, check)
		if stop != "" {
			// No program of this task can be judged: the first has shown it.
			row.State, row.Validation = schemas.ValidationQuarantined, schemas.Validation{Reason: stop}
			return row, nil
		}
	}
	conclude(&row, reason)
	return row, nil
}

// program is one to run and judge.
type program struct {
	kind, name string
	repeat     int
	code       string
	seed       uint64
	plain      bool // does not look at the task
}

// programs lists what is run for a task, gold first. The reason says why there is
// no gold among them; it is empty where there is.
func (v *validator) programs(task schemas.Task, src *source) (out []program, reason string) {
	seed := func(parts ...string) uint64 { return derive(v.opts.Seed, append([]string{task.TaskID}, parts...)...) }
	reason = reasonNoReference
	var wrong []string
	if src.referencer != nil {
		ref, err := src.referencer.Reference(task)
		if err != nil {
			v.w.Log.Warn("no reference", "task", task.TaskID, "error", err)
		} else if ref.Right != "" {
			reason, wrong = "", ref.Wrong
			for i := range v.opts.Repeats {
				out = append(out, program{kind: schemas.CheckGold, repeat: i, code: ref.Right, seed: seed("gold", fmt.Sprint(i))})
			}
		}
	}
	out = append(out, program{kind: schemas.CheckNoop, code: noop, seed: seed("noop"), plain: true})
	for _, c := range cheats {
		if c.fair == nil || !c.fair(task) {
			out = append(out, program{kind: schemas.CheckCheat, name: c.name, code: c.code, seed: seed(c.name), plain: true})
		}
	}
	if len(wrong) > 0 {
		i := seed("wrong") % uint64(len(wrong))
		out = append(out, program{kind: schemas.CheckCheat, name: fmt.Sprintf("wrong_%d", i), code: wrong[i], seed: seed("wrong")})
	}
	return out, reason
}

// run runs and judges one program, whether or not the source would take it for a
// submission. stop is why no program of the task can be judged.
func (v *validator) run(ctx context.Context, src *source, task schemas.Task, p program) (check schemas.Check, stop string, err error) {
	check = schemas.Check{Kind: p.kind, Name: p.name, Repeat: schemas.Ptr(int32(p.repeat))}
	sub, known := datasets.Submission{}, false
	if src.furnisher == nil && p.plain {
		sub, known = v.plain[p.code]
	}
	if !known {
		furnished := datasets.Session{}
		if src.furnisher != nil {
			if furnished, err = src.furnisher.Furnish(ctx, task, src.raw); err != nil {
				return check, "", &machineFault{"session", err}
			}
		}
		if sub, err = v.execute(ctx, task.TaskID, furnished, p.code, p.seed); err != nil {
			return check, "", err
		}
	}
	check.Status, check.ErrorType = sub.Status, sub.Error
	verdict, err := src.judge.Verdict(ctx, task, sub)
	var gold *datasets.GoldError
	switch {
	case err == nil:
		check.Reward, check.RewardUpstream, check.Reason = schemas.Ptr(verdict.Reward), schemas.Ptr(verdict.Upstream), verdict.Reason
		return check, "", nil
	case ctx.Err() != nil:
		return check, "", err
	case errors.As(err, &gold):
		check.Reason = gold.Reason
		return check, because(reasonGold, gold.Reason, gold.Detail), nil
	case errors.Is(err, execute.ErrSandbox):
		return check, "", &machineFault{judge.Reason(err), err}
	}
	v.w.Log.Warn("no verdict", "task", task.TaskID, "check", p.kind+p.name, "error", err)
	check.Reason = judge.Reason(err)
	return check, reasonGrader, nil
}

// tries is how often a program is run when the sandbox fails.
const tries = 3

// execute runs a program in a session of its own. Its error is ctx's, a
// machineFault, or says that there is no sandbox on this machine.
func (v *validator) execute(ctx context.Context, name string, furnished datasets.Session, code string, seed uint64) (datasets.Submission, error) {
	for try := 1; ; try++ {
		sub, err := v.executeOnce(ctx, name, furnished, code, seed)
		switch {
		case err == nil:
			return sub, nil
		case ctx.Err() != nil, errors.Is(err, sandbox.ErrUnavailable):
			return sub, err
		case try == tries || !errors.Is(err, execute.ErrSandbox):
			return sub, &machineFault{"sandbox", err}
		}
	}
}

func (v *validator) executeOnce(ctx context.Context, name string, furnished datasets.Session, code string, seed uint64) (_ datasets.Submission, err error) {
	session, err := execute.Open(ctx, v.box, name, furnished, sandbox.Limits{Wall: v.opts.Execution})
	if err != nil {
		return datasets.Submission{}, err
	}
	// The verdict stands, whatever becomes of the session; what it leaves is the
	// sandbox's to remove when it is closed.
	defer func() {
		if closing := session.Close(); closing != nil {
			v.w.Log.Warn("session not closed", "task", name, "error", closing)
		}
	}()
	ex, err := session.Run(ctx, sandbox.Python, code, seed)
	return ex.Submission, err
}

// conclude says what the checks prove. reason is why there is no gold solution.
func conclude(row *schemas.TaskValidation, reason string) {
	val := &row.Validation
	fault := ""
	blame := func(parts ...string) {
		if fault == "" {
			fault = because(parts...)
		}
	}
	for _, c := range row.Checks {
		reward := schemas.Value(c.Reward)
		switch c.Kind {
		case schemas.CheckGold:
			if val.GoldReward == nil {
				val.GoldReward, val.Flaky = schemas.Ptr(reward), schemas.Ptr(false)
			}
			if reward != *val.GoldReward {
				*val.GoldReward, *val.Flaky = min(reward, *val.GoldReward), true
			}
			if reward != 1 {
				blame(reasonGold, ended(c))
			}
		case schemas.CheckNoop:
			val.NoopReward = schemas.Ptr(reward)
			if reward != 0 {
				blame(reasonNoop)
			}
		case schemas.CheckCheat:
			val.CheatReward = schemas.Ptr(max(reward, schemas.Value(val.CheatReward)))
			if reward != 0 {
				blame(reasonCheat, c.Name)
			}
		}
	}
	if schemas.Value(val.Flaky) {
		fault = reasonFlaky
	}
	switch {
	case fault != "":
		row.State, val.Reason = schemas.ValidationQuarantined, fault
	case reason != "":
		row.State, val.Reason = schemas.ValidationUnproved, reason
	default:
		row.State = schemas.ValidationProved
	}
}

// ended is the reason of a verdict on a program that ran, and else how it ended.
func ended(c schemas.Check) string {
	switch {
	case c.Status == string(sandbox.StatusOK):
		return c.Reason
	case c.ErrorType != "":
		return c.Status + " " + c.ErrorType
	}
	return c.Status
}

// because joins a reason and its details.
func because(parts ...string) string {
	out := parts[0]
	for _, p := range parts[1:] {
		if p != "" {
			out += ": " + p
		}
	}
	return out
}
