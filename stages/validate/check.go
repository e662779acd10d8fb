package validate

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	reasonNotSampled  = "not_sampled"
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
	t := &trial{v: v, src: src, task: task, row: schemas.TaskValidation{
		TaskID: task.TaskID, Source: task.Source, Split: task.Split, AccessTier: task.AccessTier,
		RawFile: task.RawFile, RawLine: task.RawLine, AdapterVersion: task.AdapterVersion, GraderVersion: src.spec.GraderVersion,
		Sandbox:       schemas.SandboxRef{Backend: info.Backend, EnvironmentDigest: info.EnvironmentDigest, Controls: info.Enforced()},
		SchemaVersion: schemas.Ptr(schemas.Version),
	}}
	unproved := func(reason string) {
		t.row.State, t.row.Validation, t.row.Checks = schemas.ValidationUnproved, schemas.Validation{Reason: reason}, nil
	}
	switch {
	case !v.sampled(task):
		unproved(reasonNotSampled)
		return t.row, nil
	case src.judge.Grader == nil:
		unproved(reasonNoGrader)
		return t.row, nil
	}
	reason, err := t.run(ctx)
	var machine *machineFault
	var stop *noVerdict
	switch {
	case errors.As(err, &machine):
		unproved(machine.part)
		return t.row, err
	case errors.As(err, &stop):
		// No program of this task can be judged: the first has shown it.
		t.row.State, t.row.Validation = schemas.ValidationQuarantined, schemas.Validation{Reason: stop.reason}
		return t.row, nil
	case err != nil:
		return t.row, err
	}
	conclude(&t.row, reason)
	return t.row, nil
}

// noVerdict says why no program of a task can be judged.
type noVerdict struct{ reason string }

func (n *noVerdict) Error() string { return "no verdict: " + n.reason }

// program is one to run and judge.
type program struct {
	kind, name string
	repeat     int
	code       string
	shared     bool // does not look at the task: run once in sessions of one shape
	constant   bool // hands in a value that may be right by chance
}

// trial is the check of one task.
type trial struct {
	v    *validator
	src  *source
	task schemas.Task
	row  schemas.TaskValidation
	gold datasets.Submission // of the first gold program; empty without one

	session datasets.Session // to look at; every program has one of its own
	room    shape
}

// run runs and judges all programs, gold first. The reason says why there is no gold
// among them; it is empty where there is.
func (t *trial) run(ctx context.Context) (reason string, err error) {
	if t.session, err = t.furnish(ctx); err != nil {
		return "", err
	}
	t.room = room(t.task.TaskID, t.session)
	ref, reason := t.reference()
	if reason == "" {
		for i := range t.v.opts.Repeats {
			if err := t.one(ctx, program{kind: schemas.CheckGold, repeat: i, code: ref.Right}); err != nil {
				return "", err
			}
		}
	}
	if err := t.one(ctx, program{kind: schemas.CheckNoop, code: noop, shared: true}); err != nil {
		return "", err
	}
	for _, p := range t.cheats(ref) {
		if err := t.one(ctx, p); err != nil {
			return "", err
		}
	}
	return reason, t.nears(ctx)
}

func (t *trial) reference() (ref datasets.Reference, reason string) {
	if t.src.referencer == nil {
		return ref, reasonNoReference
	}
	ref, err := t.src.referencer.Reference(t.task)
	if err != nil {
		t.v.w.Log.Warn("no reference", "task", t.task.TaskID, "error", err)
		return datasets.Reference{}, reasonNoReference
	}
	if ref.Right == "" {
		return datasets.Reference{}, reasonNoReference
	}
	return ref, ""
}

// cheats lists the programs that do not look at the task, those made of the gold
// program, and the source's own wrong ones.
func (t *trial) cheats(ref datasets.Reference) (out []program) {
	form := formOf(t.task, t.session, ref)
	for _, c := range t.v.corpus {
		switch {
		case !form.fits(c), c.tables && !holdsTables(t.session), c.large && !t.v.large(t.task):
			continue
		}
		out = append(out, program{kind: schemas.CheckCheat, name: c.name, code: form.program(c), shared: true, constant: c.constant})
	}
	if ref.Right == "" {
		return out
	}
	for _, d := range derivedNames {
		if d.on == form.class {
			out = append(out, program{kind: schemas.CheckCheat, name: d.name, code: form.derive(d, ref.Right)})
		}
	}
	for i, code := range ref.Wrong {
		// Values near the answer are made above: one more of the source's is enough.
		if form.class != valued || uint64(i) == t.seed("wrong")%uint64(len(ref.Wrong)) {
			out = append(out, program{kind: schemas.CheckCheat, name: fmt.Sprintf("wrong_%d", i), code: code})
		}
	}
	return out
}

// nears runs and judges the values made of the right answer.
func (t *trial) nears(ctx context.Context) error {
	values := nears(t.task)
	subs, err := t.together(ctx, values)
	if err != nil {
		return err
	}
	for i, n := range values {
		p := program{kind: schemas.CheckCheat, name: n.name, code: valueProgram(n.value), constant: true}
		if subs != nil {
			err = t.judge(ctx, p, subs[i])
		} else {
			err = t.one(ctx, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func valueProgram(value any) string { return "answer = " + literal(value) + "\nprint(answer)\n" }

// together runs the programs of values as one, in which each has a variable of its
// own and prints for itself: what crosses and what is printed is the same as when
// they run one by one, which is how they are run where this is nil.
func (t *trial) together(ctx context.Context, values []near) ([]datasets.Submission, error) {
	if len(values) == 0 || t.session.Wrap != nil {
		return nil, nil
	}
	session, err := t.furnish(ctx)
	if err != nil {
		return nil, err
	}
	mark := fmt.Sprintf("-- %016x --", t.seed("mark"))
	var code strings.Builder
	session.Capture = nil
	for i, n := range values {
		name := fmt.Sprintf("answer_%d", i)
		fmt.Fprintf(&code, "%s = %s\nprint(%s)\nprint(%q)\n", name, literal(n.value), name, mark)
		session.Capture = append(session.Capture, datasets.Capture{Name: name})
	}
	all, err := t.v.execute(ctx, t.task.TaskID, session, code.String(), t.seed("nears"))
	if err != nil {
		return nil, err
	}
	printed := strings.Split(all.Stdout, mark+"\n")
	if all.Status != string(sandbox.StatusOK) || len(printed) != len(values)+1 {
		return nil, nil // too much at once
	}
	subs := make([]datasets.Submission, len(values))
	for i, n := range values {
		answer := all.Captured[session.Capture[i].Name]
		if answer == nil {
			return nil, nil
		}
		subs[i] = datasets.Submission{
			Code: valueProgram(n.value), Answer: answer, Captured: map[string]datasets.RawValue{"answer": answer}, Stdout: printed[i], Status: all.Status,
		}
	}
	return subs, nil
}

func (t *trial) seed(parts ...string) uint64 {
	return derive(t.v.opts.Seed, append([]string{t.task.TaskID}, parts...)...)
}

// furnish makes the task's session anew.
func (t *trial) furnish(ctx context.Context) (datasets.Session, error) {
	if t.src.furnisher == nil {
		return datasets.Session{}, nil
	}
	session, err := t.src.furnisher.Furnish(ctx, t.task, t.src.raw)
	if err != nil {
		return session, &machineFault{"session", err}
	}
	return session, nil
}

// one runs and judges one program, whether or not the source would take it for a
// submission.
func (t *trial) one(ctx context.Context, p program) error {
	run := func(seed uint64) (datasets.Submission, error) {
		session, err := t.furnish(ctx)
		if err != nil {
			return datasets.Submission{}, err
		}
		return t.v.execute(ctx, t.task.TaskID, session, p.code, seed)
	}
	var sub datasets.Submission
	var err error
	if p.shared {
		sub, err = t.v.kept.get(ctx, t.room.with(t.session, p.code), func() (datasets.Submission, error) {
			return run(derive(t.v.opts.Seed, p.kind, p.name))
		})
	} else {
		sub, err = run(t.seed(p.kind, p.name, fmt.Sprint(p.repeat)))
	}
	if err != nil {
		return err
	}
	if p.kind == schemas.CheckGold && p.repeat == 0 {
		t.gold = sub
	}
	return t.judge(ctx, p, sub)
}

// judge judges what a program handed in, and notes the verdict.
func (t *trial) judge(ctx context.Context, p program, sub datasets.Submission) error {
	check := schemas.Check{Kind: p.kind, Name: p.name, Repeat: schemas.Ptr(int32(p.repeat)), Status: sub.Status, ErrorType: sub.Error}
	stop := reasonGrader
	verdict, err := t.src.judge.Verdict(ctx, t.task, sub)
	var gold *datasets.GoldError
	switch {
	case err == nil:
		check.Reward, check.RewardUpstream, check.Reason = schemas.Ptr(verdict.Reward), schemas.Ptr(verdict.Upstream), verdict.Reason
		if p.constant && verdict.Reward != 0 && excused(t.task, sub, t.gold) {
			check.Reason = reasonExcused
		}
		t.row.Checks = append(t.row.Checks, check)
		return nil
	case ctx.Err() != nil:
		return err
	case errors.As(err, &gold):
		check.Reason = gold.Reason
		stop = because(reasonGold, gold.Reason, gold.Detail)
	case errors.Is(err, execute.ErrSandbox):
		return &machineFault{judge.Reason(err), err}
	default:
		t.v.w.Log.Warn("no verdict", "task", t.task.TaskID, "check", p.kind+p.name, "error", err)
		check.Reason = judge.Reason(err)
	}
	t.row.Checks = append(t.row.Checks, check)
	return &noVerdict{stop}
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
			if c.Reason == reasonExcused {
				reward = 0
			}
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
