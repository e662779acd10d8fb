package rollout

import (
	"context"
	"errors"
	"fmt"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
	"github.com/medgym-data/medgym-data/stages/internal/judge"
	"github.com/medgym-data/medgym-data/stages/internal/show"
	"github.com/medgym-data/medgym-data/stages/internal/stopwatch"
	"github.com/medgym-data/medgym-data/stages/internal/tokens"
	"github.com/medgym-data/medgym-data/stages/internal/window"
	"github.com/medgym-data/medgym-data/stages/rollout/grounding"
)

// Statuses of steps that ran nothing, beside the sandbox's own.
const (
	StepInvalid   = "invalid_reply" // error_type names the fault
	StepRefused   = "refused"       // the task does not have the action, or the run does not allow it
	StepRepeated  = "repeated"      // the third time in a row: not run again
	StepCut       = "reply_cut"     // the reply passed the output limit
	StepTimeLimit = "time_limit"    // the attempt's time ended while it ran
	StepExplained = "explained"     // debugging: the error that the agent named
)

// Reasons of outcomes that no grader gave.
const (
	reasonNoSubmission = "no_submission"
	reasonPrompt       = "prompt_tokens"
	reasonContext      = "server_context"
	reasonReply        = "reply_tokens"
	reasonAttempt      = "attempt_time"
	reasonRepeated     = "same_action"
	reasonCircle       = "same_two_actions"
	reasonRefused      = "refused"
)

const (
	unreadableInARow = 2 // an unreadable reply is asked for once more
	loopLength       = 3 // times that an action, or two with the same observations, come in a row
)

// errAttemptTime is the cause of a context whose attempt took too long.
var errAttemptTime = errors.New("the attempt's time is over")

// infraError is a fault of the machinery around an attempt. The attempt may be
// tried again.
type infraError struct {
	part string // policy, sandbox, session
	err  error
}

func (e *infraError) Error() string { return e.part + ": " + e.err.Error() }
func (e *infraError) Unwrap() error { return e.err }

// agent plays one attempt at one task: it asks the policy, runs what it says,
// shows it what came of it, and has submissions judged.
type agent struct {
	task     schemas.Task
	policy   Policy
	open     func(context.Context) (*execute.Session, error) // the sandbox, at the first action that needs it
	judge    judge.Judge
	limits   Limits
	feedback string
	installs bool              // packages may be installed
	places   map[string]string // of the host that programs may come to know, and what they are called inside
	counter  *tokens.Counter
	prompt   *template.Template
	seed     uint64

	log *slog.Logger

	debugger Debugger // nil: the rules explain errors
	tools    bool     // actions are native tool calls

	session *execute.Session
	hider   show.Hider
	row     *schemas.Trajectory
	score   *float64

	cut        int    // observations that the policy is shown in short
	unreadable int    // replies in a row
	done       []deed // actions in a row, none of them unreadable
}

// deed is an action and what was observed of it.
type deed struct{ action, observed string }

// play fills the row's conversation, steps, outcome and rewards. An error is an
// infraError, or ctx's.
func (a *agent) play(ctx context.Context, row *schemas.Trajectory) error {
	a.row = row
	bounded, cancel := stopwatch.With(ctx, a.limits.Attempt, errAttemptTime)
	defer cancel()
	defer func() {
		if a.session == nil {
			return
		}
		// What the attempt came to stands, whatever its sandbox left behind.
		if err := a.session.Close(); err != nil {
			a.log.Warn("sandbox session not closed", "trajectory", row.TrajectoryID, "error", err)
		}
	}()
	system, err := systemPrompt(a.prompt, promptOf{a.task.Actions, a.limits, a.feedback, a.installs, a.tools})
	if err != nil {
		return err
	}
	a.say(schemas.ChatMessage{Role: schemas.RoleSystem, Content: system})
	a.say(schemas.ChatMessage{Role: schemas.RoleUser, Content: a.task.Instruction})
	err = a.converse(bounded)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(bounded), errAttemptTime) {
		a.end(schemas.OutcomeTimeLimit, reasonAttempt)
		err = nil
	}
	if err != nil {
		return err
	}
	judge.Settle(row, a.score)
	return nil
}

// converse takes turns until there is an outcome.
func (a *agent) converse(ctx context.Context) error {
	for turn := 1; turn <= a.limits.Turns; turn++ {
		shown := window.Fit(a.row.Messages, a.limits.PromptTokens, a.cut, a.counter.CountChat)
		if a.cut = shown.Cut; shown.Tokens > a.limits.PromptTokens {
			a.end(schemas.OutcomeTokenLimit, reasonPrompt)
			return nil
		}
		reply, err := a.policy.Next(ctx, Conversation{Messages: slices.Clip(shown.Messages), Actions: a.task.Actions,
			TurnsLeft: a.limits.Turns - turn + 1, PromptTokens: shown.Tokens})
		switch {
		case err != nil && ctx.Err() == nil && errors.Is(err, ErrContextLength):
			a.end(schemas.OutcomeTokenLimit, reasonContext)
			return nil
		case err != nil:
			return a.fault(ctx, "policy", err)
		case reply.Done:
			a.end(schemas.OutcomeFailed, a.lastReason())
			return nil
		}
		if err := a.turn(ctx, turn, shown, reply); err != nil || a.row.Outcome != "" {
			return err
		}
	}
	a.end(schemas.OutcomeTurnLimit, a.lastReason())
	return nil
}

// fault makes an infraError of a policy's or a sandbox's error, unless ctx is over.
func (a *agent) fault(ctx context.Context, part string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var infra *infraError
	if errors.As(err, &infra) {
		return err
	}
	return &infraError{part, err}
}

func (a *agent) say(m schemas.ChatMessage) { a.row.Messages = append(a.row.Messages, m) }

func (a *agent) end(outcome schemas.Outcome, reason string) {
	a.row.Outcome, a.row.OutcomeReason = outcome, reason
}

// lastReason is why the last submission was not accepted.
func (a *agent) lastReason() string {
	for _, s := range slices.Backward(a.row.Steps) {
		if s.Submission != "" {
			return s.GradeReason
		}
	}
	return reasonNoSubmission
}

// turn records one reply as a step, and what came of it as the next turns of the
// conversation if there is to be a further reply.
func (a *agent) turn(ctx context.Context, turn int, shown window.Fitted, reply Reply) error {
	said := schemas.ChatMessage{Role: schemas.RoleAssistant, Content: valid(reply.Content), Reasoning: valid(reply.Reasoning)}
	calls, err := callsOf(reply.Calls, turn)
	if err == nil && len(calls) > 0 {
		said.ToolCallsJSON, err = encodeCalls(calls)
	}
	if err != nil {
		return &infraError{"policy", err}
	}
	a.say(said)
	a.row.Steps = append(a.row.Steps, schemas.Step{Turn: schemas.Ptr(int32(turn)), GraderFeedbackShown: schemas.Ptr(false), FinishReason: valid(reply.FinishReason),
		TokenIDs: reply.TokenIDs, Logprobs: reply.Logprobs})
	step := &a.row.Steps[len(a.row.Steps)-1]
	if shown.Cut > 0 {
		step.CutMessages, step.CutTokens = schemas.Ptr(int32(shown.Cut)), schemas.Ptr(int64(shown.Left))
	}
	completion := int64(a.counter.Count(said.Content))
	if said.ToolCallsJSON != "" {
		completion += int64(a.counter.Count(said.ToolCallsJSON))
	}
	a.count(step, reply, int64(shown.Tokens), completion)
	if reply.Truncated || completion > int64(a.limits.ReplyTokens) {
		step.Status = StepCut
		a.end(schemas.OutcomeTokenLimit, reasonReply)
		return nil
	}

	obs := &observation{budget: a.limits.Observation, limits: sandbox.Limits{Wall: a.limits.Execution}.Defaults()}
	action, repairs, err := a.read(said.Content, calls)
	step.Repairs = repairs
	if err != nil {
		a.invalid(step, obs, err)
	} else {
		a.unreadable = 0
		step.Action, step.ParamsJSON = action.Name, action.Params
		if err := a.act(ctx, turn, step, obs, action); err != nil {
			return err
		}
	}
	left := a.limits.Turns - turn
	if a.row.Outcome == "" {
		obs.line("replies left: %d", left)
	}
	step.Observation = a.hide(obs.String())
	step.OutputTruncated = schemas.Ptr(obs.cut)
	if a.row.Outcome == "" && left > 0 {
		a.answer(calls, step.Observation)
	}
	return nil
}

// read finds the action of a reply, and what had to be mended. A reply in text is
// what the protocol wants, unless it wants calls.
func (a *agent) read(content string, calls []protocol.Call) (protocol.Action, []string, error) {
	if len(calls) == 0 && !a.tools {
		return protocol.Parse(content)
	}
	return protocol.ParseCalls(content, calls)
}

// answer shows the policy an observation: as the result of its call, where it made
// one. The protocol wants a result for each call; of several none was done.
func (a *agent) answer(calls []protocol.Call, observed string) {
	if len(calls) == 0 {
		a.say(schemas.ChatMessage{Role: schemas.RoleUser, Content: observed})
		return
	}
	for i, call := range calls {
		if i > 0 {
			observed = "Not done: see the result of the first call."
		}
		a.say(schemas.ChatMessage{Role: schemas.RoleTool, Content: observed, ToolCallID: call.ID})
	}
}

func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// callsOf are native calls with texts that a row can hold, and ids that tell them
// apart in the whole conversation.
func callsOf(calls []protocol.Call, turn int) ([]protocol.Call, error) {
	if len(calls) > maxCalls {
		return nil, fmt.Errorf("a reply with %d tool calls", len(calls))
	}
	out := make([]protocol.Call, len(calls))
	for i, c := range calls {
		out[i] = protocol.Call{ID: valid(c.ID), Name: valid(c.Name), Arguments: valid(c.Arguments)}
		if c.ID == "" || slices.ContainsFunc(out[:i], func(o protocol.Call) bool { return o.ID == out[i].ID }) {
			out[i].ID = fmt.Sprintf("call_%d_%d", turn, i+1)
		}
	}
	return out, nil
}

const maxCalls = 128

func encodeCalls(calls []protocol.Call) (string, error) {
	text, err := json.Marshal(calls)
	if err != nil {
		return "", errors.New("the tool calls cannot be encoded") // the cause may quote them
	}
	return string(text), nil
}

// hide takes out of a text where the session's files lie on the host.
func (a *agent) hide(text string) string {
	if a.session == nil {
		return text
	}
	return a.hider.Text(text)
}

// count notes what a reply took: as its endpoint counted it, or else as we do.
func (a *agent) count(step *schemas.Step, reply Reply, prompt, completion int64) {
	if reply.PromptTokens > 0 {
		prompt = reply.PromptTokens
	}
	if reply.CompletionTokens > 0 {
		completion = reply.CompletionTokens
	}
	step.PromptTokens, step.CompletionTokens = schemas.Ptr(prompt), schemas.Ptr(completion)
	a.spend(prompt, completion, reply.CostUSD)
}

// spend adds to what the attempt took in all.
func (a *agent) spend(prompt, completion int64, cost *float64) {
	a.row.PromptTokens = schemas.Ptr(schemas.Value(a.row.PromptTokens) + prompt)
	a.row.CompletionTokens = schemas.Ptr(schemas.Value(a.row.CompletionTokens) + completion)
	if cost != nil {
		a.row.CostUSD = schemas.Ptr(schemas.Value(a.row.CostUSD) + *cost)
	}
}

// invalid records a reply that is no action.
func (a *agent) invalid(step *schemas.Step, obs *observation, err error) {
	var fault *protocol.Error
	if !errors.As(err, &fault) {
		fault = &protocol.Error{Fault: protocol.FaultNoObject, Detail: "it cannot be read"}
	}
	step.Status, step.ErrorType = StepInvalid, fault.Fault
	a.done = nil
	if a.unreadable++; a.unreadable == unreadableInARow {
		a.end(schemas.OutcomeParseFailure, fault.Fault)
	}
	detail := obs.short(fault.Detail, a.limits.Observation)
	if a.tools {
		obs.line("The reply is no action: %s. Call one of the tools, once.", detail)
		return
	}
	obs.line("The reply is no action: %s. Reply with one JSON object: {\"action\": \"<name>\", \"params\": {…}}", detail)
}

// act does what a reply asks for, unless it goes in circles.
func (a *agent) act(ctx context.Context, turn int, step *schemas.Step, obs *observation, action protocol.Action) error {
	a.done = append(a.done, deed{action: action.Name + "\x00" + action.Params})
	if reason := circle(a.done); reason != "" {
		step.Status = StepRepeated
		a.end(schemas.OutcomeLoop, reason)
		obs.line("The same for the third time in a row: it was not run again.")
		return nil
	}
	err := a.do(ctx, turn, step, obs, action)
	a.done[len(a.done)-1].observed = obs.String()
	return err
}

// circle says how a sequence of actions ends in a loop: the same one for the third
// time in a row, or the same two, which had the same observations before.
func circle(done []deed) (reason string) {
	n := len(done)
	same := func(i, j int) bool { return done[i].action == done[j].action }
	if n >= loopLength && same(n-1, n-2) && same(n-2, n-3) {
		return reasonRepeated
	}
	const two = 2 * loopLength
	if n < two || !same(n-1, n-3) || !same(n-3, n-5) {
		return ""
	}
	last := done[n-two : n-1] // what the last action brings is not known yet
	for i, d := range last[2:] {
		if d != last[i] {
			return ""
		}
	}
	return reasonCircle
}

// do does an action.
func (a *agent) do(ctx context.Context, turn int, step *schemas.Step, obs *observation, action protocol.Action) error {
	if !slices.Contains(a.task.Actions, action.Name) {
		step.Status = StepRefused
		obs.line("There is no %s in this task. Actions: %s", action.Name, strings.Join(a.task.Actions, ", "))
		return nil
	}
	switch action.Name {
	case schemas.ActionCodeExecution:
		return a.python(ctx, turn, step, obs, action.Code)
	case schemas.ActionDebugging:
		return a.debug(ctx, turn, step, obs, action)
	case schemas.ActionTerminal:
		if !a.installs && installing.MatchString(action.Command) {
			step.Status = StepRefused
			obs.line("Not run. %s", grounding.Installs(false))
			return nil
		}
		_, err := a.execute(ctx, turn, step, sandbox.Shell, action.Command, func(ex execute.Execution) { a.know(obs).shell(ex.Result, action.Command) })
		return err
	case schemas.ActionRequestInfo:
		return a.requestInfo(ctx, turn, step, obs, action.Info)
	default:
		return fmt.Errorf("internal error: nothing does the action %s", action.Name)
	}
}

// python runs a program, which may be a submission.
func (a *agent) python(ctx context.Context, turn int, step *schemas.Step, obs *observation, code string) error {
	ex, err := a.execute(ctx, turn, step, sandbox.Python, code, func(ex execute.Execution) { a.know(obs).program(ex, code, false) })
	if err != nil {
		return err
	}
	if !ex.Submits {
		obs.line("Nothing was submitted by this program.")
		return nil
	}
	return a.submit(ctx, step, obs, ex.Submission)
}

// debug explains the error that the agent names: by the rules, or by a model where the
// run has one. Where no error is named, the rules run the program to see; that is never
// a submission.
func (a *agent) debug(ctx context.Context, turn int, step *schemas.Step, obs *observation, action protocol.Action) error {
	if a.debugger != nil {
		return a.askDebugger(ctx, turn, step, obs, action)
	}
	step.DebuggedBy = DebuggedByRules
	fault := grounding.Parse(action.Error)
	if fault.Type == "" {
		_, err := a.execute(ctx, turn, step, sandbox.Python, action.Code, func(ex execute.Execution) { a.know(obs).program(ex, action.Code, true) })
		return err
	}
	step.Status = StepExplained
	a.know(obs).fault(fault, action.Code, false, true)
	known := obs.known
	known.Code, known.Output = action.Code, action.Error
	note := grounding.Explain(fault, known)
	if note.Text == "" {
		note.Text = "Nothing more is known about this kind of error: read the message, and print the values that the line uses."
	}
	obs.hint(note)
	return nil
}

// askDebugger shows the agent what a model says about its error.
func (a *agent) askDebugger(ctx context.Context, turn int, step *schemas.Step, obs *observation, action protocol.Action) error {
	step.DebuggedBy = a.debugger.Name()
	explained, err := a.debugger.Explain(ctx, action.Code, action.Error, derive(a.seed, "debugger", fmt.Sprint(turn)))
	if err != nil {
		return a.fault(ctx, "debugger", err)
	}
	a.spend(explained.PromptTokens, explained.CompletionTokens, explained.CostUSD)
	step.Status = StepExplained
	if text := obs.short(valid(explained.Content), obs.budget); text != "" {
		obs.line("%s", text)
	} else {
		obs.line("Nothing is known about this error: read the message, and print the values that the line uses.")
	}
	return nil
}

// know tells an observation what the session holds, once it is open.
func (a *agent) know(obs *observation) *observation {
	obs.known.Installs = a.installs
	if a.session != nil {
		obs.known.Files = a.session.Paths()
	}
	return obs
}

// execute runs code in the attempt's sandbox and fills the step.
func (a *agent) execute(ctx context.Context, turn int, step *schemas.Step, language sandbox.Language, code string, observe func(execute.Execution)) (execute.Execution, error) {
	ex, err := a.run(ctx, turn, language, code)
	if err != nil {
		step.Status = StepTimeLimit // kept only where the attempt's time was the reason
		return ex, err
	}
	res := ex.Result
	step.Status, step.ErrorType = string(res.Status), res.ErrorType
	step.ExitCode = schemas.Ptr(int32(res.ExitCode))
	step.WallMS = schemas.Ptr(res.Wall.Milliseconds())
	observe(ex)
	return ex, nil
}

func (a *agent) run(ctx context.Context, turn int, language sandbox.Language, code string) (execute.Execution, error) {
	if err := a.begin(ctx); err != nil {
		return execute.Execution{}, err
	}
	ex, err := a.session.Run(ctx, language, code, derive(a.seed, "step", fmt.Sprint(turn)))
	if err != nil {
		return ex, a.fault(ctx, "sandbox", err)
	}
	return ex, nil
}

// begin opens the attempt's sandbox, unless it is open.
func (a *agent) begin(ctx context.Context) (err error) {
	if a.session != nil {
		return nil
	}
	if a.session, err = a.open(ctx); err != nil {
		return a.fault(ctx, "sandbox", err)
	}
	places := a.session.Places()
	maps.Copy(places, a.places)
	a.hider = show.Hide(places)
	return nil
}

// submit has a submission judged and ends the attempt where that settles it.
func (a *agent) submit(ctx context.Context, step *schemas.Step, obs *observation, sub datasets.Submission) error {
	var err error
	if step.Submission, err = judge.Encode(sub); err != nil {
		return &infraError{"sandbox", err}
	}
	verdict, err := a.judge.Verdict(ctx, a.task, sub)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		a.end(schemas.OutcomeGraderError, judge.Reason(err))
		return nil
	}
	judge.Record(step, verdict)
	a.score = verdict.Score
	solved := verdict.Reward == 1
	once := a.feedback == schemas.FeedbackSubmitOnce
	switch {
	case solved:
		a.end(schemas.OutcomeSolved, verdict.Reason)
	case once:
		a.end(schemas.OutcomeFailed, verdict.Reason)
	}
	if once {
		obs.line("The submission was taken.")
		return nil
	}
	step.GraderFeedbackShown = schemas.Ptr(true)
	if solved {
		obs.line("verdict: correct")
	} else {
		obs.line("verdict: not correct")
	}
	return nil
}

// newRow begins the row of an attempt with what is known before it is played.
func newRow(task schemas.Task, attempt int, runID, feedback string, policy schemas.Policy, info sandbox.Info, graderVersion string) *schemas.Trajectory {
	return &schemas.Trajectory{
		TaskID: task.TaskID, Source: task.Source, Split: task.Split, Category: task.Category, AccessTier: task.AccessTier,
		RunID: runID, Attempt: schemas.Ptr(int32(attempt)), Policy: policy, Feedback: feedback,
		PromptTokens: schemas.Ptr(int64(0)), CompletionTokens: schemas.Ptr(int64(0)),
		CreatedAt:     schemas.Ptr(time.Now().UTC().Truncate(time.Microsecond)),
		Sandbox:       schemas.SandboxRef{Backend: info.Backend, EnvironmentDigest: info.EnvironmentDigest, Controls: info.Enforced()},
		GraderVersion: graderVersion, SchemaVersion: schemas.Ptr(schemas.Version),
	}
}
