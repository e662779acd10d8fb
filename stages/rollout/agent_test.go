package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
	"github.com/medgym-data/medgym-data/stages/internal/judge"
	"github.com/medgym-data/medgym-data/stages/internal/tokens"
)

// talker is a policy that says the given replies and keeps what it was shown.
type talker struct {
	replies []Reply
	seen    []Conversation
}

func (p *talker) Next(ctx context.Context, c Conversation) (Reply, error) {
	p.seen = append(p.seen, Conversation{Messages: slices.Clone(c.Messages), Actions: c.Actions, TurnsLeft: c.TurnsLeft})
	if len(p.seen) > len(p.replies) {
		return Reply{Done: true}, nil
	}
	reply := p.replies[len(p.seen)-1]
	switch reply.Content {
	case "unreachable":
		return Reply{}, errors.New("connection refused")
	case "too long":
		return Reply{}, fmt.Errorf("endpoint: %w", ErrContextLength)
	case "slow":
		<-ctx.Done()
		return Reply{}, ctx.Err()
	}
	return reply, nil
}

// python is what the sandbox of these tests makes of a program: "set X" hands X
// in, "raise" fails, "hang" never ends, "die" kills the sandbox.
func python(ctx context.Context, _ *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
	verb, rest, _ := strings.Cut(cmd.Code, " ")
	switch verb {
	case "set":
		return sandbox.Result{Status: sandbox.StatusOK, Stdout: []byte(rest + "\n"), Answer: json.RawMessage(rest)}, nil
	case "raise":
		return sandbox.Result{Status: sandbox.StatusError, ExitCode: 1, ErrorType: "ValueError", ErrorMessage: "no " + rest, ErrorLine: 1, Stderr: []byte("Traceback (most recent call last):\n  File \"<program>\", line 1, in <module>\n    raise luck\nValueError: no luck\n")}, nil
	case "exit":
		return sandbox.Result{Status: sandbox.StatusError, ExitCode: 3, Stderr: []byte("told why\n")}, nil
	case "flood":
		return sandbox.Result{Status: sandbox.StatusOK, Stdout: []byte(strings.Repeat(rest+" ", 1500))}, nil
	case "sleep":
		return sandbox.Result{Status: sandbox.StatusTimeout}, nil
	case "hang":
		<-ctx.Done()
		return sandbox.Result{}, ctx.Err()
	case "die":
		return sandbox.Result{}, errors.New("the cell died")
	}
	return sandbox.Result{Status: sandbox.StatusOK, Stdout: []byte(rest)}, nil
}

// grader accepts 1 strictly and everything that contains a 1 as the release would;
// it has no verdict on "fault".
type grader struct{}

func (grader) Grade(_ context.Context, task schemas.Task, sub datasets.Submission, _ datasets.Runner) (datasets.Verdict, error) {
	v := datasets.Verdict{Reason: "wrong_value"}
	switch answer := string(sub.Answer); {
	case answer == `"fault"`:
		return v, &datasets.GoldError{Reason: "gold_error"}
	case answer == `"lost"`:
		return v, fmt.Errorf("run: %w", execute.ErrSandbox)
	case answer == "1":
		v = datasets.Verdict{Reward: 1, Upstream: 1, Score: schemas.Ptr(1.0), Reason: "correct"}
	case strings.Contains(answer, "1"):
		v.Upstream = 1
	}
	return v, nil
}

func do(action string, kv ...string) Reply {
	params := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		params[kv[i]] = kv[i+1]
	}
	text, err := protocol.Format(action, "", params)
	if err != nil {
		panic(err)
	}
	return Reply{Content: text}
}

func code(program string) Reply { return do(schemas.ActionCodeExecution, "code", program) }

func say(text string) Reply { return Reply{Content: text} }

// played is an attempt at a task of these tests.
type played struct {
	row    *schemas.Trajectory
	policy *talker
	box    *fake.Sandbox
	err    error
}

func play(t *testing.T, feedback string, limits Limits, replies ...Reply) played {
	t.Helper()
	return playAs(t, nil, feedback, limits, replies...)
}

// playAs is play with another agent: as set says.
func playAs(t *testing.T, set func(*agent), feedback string, limits Limits, replies ...Reply) played {
	t.Helper()
	counter, err := tokens.New()
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.ParseFS(prompts, "prompts/system.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	p := played{policy: &talker{replies: replies}, box: fake.New(python)}
	task := schemas.Task{TaskID: "s/test/1", Source: "s", Split: schemas.SplitTest, AccessTier: schemas.TierOpen, Instruction: "Find one.",
		Actions: []string{schemas.ActionCodeExecution, schemas.ActionDebugging, schemas.ActionTerminal}}
	a := &agent{
		task: task, policy: p.policy, judge: judge.Judge{Grader: grader{}, Runner: execute.Runner(p.box)},
		limits: limits.defaults(), feedback: feedback, counter: counter, prompt: tmpl, seed: 5, log: slog.New(slog.DiscardHandler),
		open: func(ctx context.Context) (*execute.Session, error) {
			return execute.Open(ctx, p.box, "t", datasets.Session{}, sandbox.Limits{})
		},
	}
	if set != nil {
		set(a)
	}
	p.row = newRow(task, 0, "run", feedback, schemas.Policy{Kind: "test"}, p.box.Info(), "1")
	p.row.TrajectoryID = "s/test/1#0"
	p.err = a.play(t.Context(), p.row)
	if n := p.box.Running(); n != 0 {
		t.Errorf("%d sessions are still open", n)
	}
	return p
}

func TestOutcomes(t *testing.T) {
	const once, often = schemas.FeedbackSubmitOnce, schemas.FeedbackStopOnSuccess
	long := strings.Repeat("word ", 200)
	three := func(r Reply) []Reply { return []Reply{r, r, r} }
	for name, tc := range map[string]struct {
		feedback string
		limits   Limits
		replies  []Reply
		outcome  string
		reason   string
		reward   float64 // -1: null
		upstream float64
		steps    int
		answer   string
	}{
		"solved at once":                {often, Limits{}, []Reply{code("set 1")}, schemas.OutcomeSolved, "correct", 1, 1, 1, "1"},
		"solved after a wrong one":      {often, Limits{}, []Reply{code("set 2"), code("set 1")}, schemas.OutcomeSolved, "correct", 1, 1, 2, "1"},
		"gives up after a wrong one":    {often, Limits{}, []Reply{code("set 2")}, schemas.OutcomeFailed, "wrong_value", 0, 0, 1, "2"},
		"upstream is the best of all":   {often, Limits{}, []Reply{code("set 10"), code("set 2")}, schemas.OutcomeFailed, "wrong_value", 0, 1, 2, "2"},
		"gives up with nothing":         {often, Limits{}, []Reply{code("print x")}, schemas.OutcomeFailed, "no_submission", 0, 0, 1, ""},
		"gives up at once":              {often, Limits{}, nil, schemas.OutcomeFailed, "no_submission", 0, 0, 0, ""},
		"once and right":                {once, Limits{}, []Reply{code("print x"), code("set 1")}, schemas.OutcomeSolved, "correct", 1, 1, 2, "1"},
		"once and wrong":                {once, Limits{}, []Reply{code("set 2"), code("set 1")}, schemas.OutcomeFailed, "wrong_value", 0, 0, 1, "2"},
		"turns run out":                 {often, Limits{Turns: 2}, []Reply{code("print x"), code("print y"), code("set 1")}, schemas.OutcomeTurnLimit, "no_submission", 0, 0, 2, ""},
		"turns run out after a wrong":   {often, Limits{Turns: 2}, []Reply{code("set 3"), code("print y"), code("set 1")}, schemas.OutcomeTurnLimit, "wrong_value", 0, 0, 2, "3"},
		"right in the last turn":        {often, Limits{Turns: 2}, []Reply{code("set 3"), code("set 1")}, schemas.OutcomeSolved, "correct", 1, 1, 2, "1"},
		"the prompt grows too long":     {often, Limits{PromptTokens: 600}, []Reply{code("print " + long), code("print " + long), code("set 1")}, schemas.OutcomeTokenLimit, "prompt_tokens", 0, 0, 1, ""},
		"a reply is too long":           {often, Limits{ReplyTokens: 100}, []Reply{code("print " + long)}, schemas.OutcomeTokenLimit, "reply_tokens", 0, 0, 1, ""},
		"a reply was cut":               {often, Limits{}, []Reply{{Content: "{", Truncated: true}}, schemas.OutcomeTokenLimit, "reply_tokens", 0, 0, 1, ""},
		"the policy takes too long":     {often, Limits{Attempt: time.Millisecond}, []Reply{say("slow")}, schemas.OutcomeTimeLimit, "attempt_time", 0, 0, 0, ""},
		"programs take too long":        {often, Limits{Attempt: 500 * time.Millisecond}, []Reply{code("set 2"), code("hang")}, schemas.OutcomeTimeLimit, "attempt_time", 0, 0, 2, "2"},
		"one slow program ends nothing": {often, Limits{}, []Reply{code("sleep"), code("set 1")}, schemas.OutcomeSolved, "correct", 1, 1, 2, "1"},
		"no protocol":                   {often, Limits{}, three(say("I think it is one.")), schemas.OutcomeParseFailure, "no_json_object", 0, 0, 2, ""},
		"no protocol, not in a row":     {often, Limits{}, []Reply{say("a"), code("print x"), say("c"), code("set 1")}, schemas.OutcomeSolved, "correct", 1, 1, 4, "1"},
		"a circle":                      {often, Limits{}, three(code("set 2")), schemas.OutcomeLoop, "same_action", 0, 0, 3, "2"},
		"a circle in other words": {often, Limits{}, []Reply{say(`{"action":"code_execution","params":{"code":"print x"}}`), say("So:\n```json\n{\"thought\": \"again\", \"params\": {\"code\": \"print x\"}, \"action\": \"validate_code\"}\n```"), code("print x")},
			schemas.OutcomeLoop, "same_action", 0, 0, 3, ""},
		"the same, not in a row": {often, Limits{}, []Reply{code("print x"), code("print x"), say("?"), code("print x"), code("set 1")}, schemas.OutcomeSolved, "correct", 1, 1, 5, "1"},
		"a circle of two":        {often, Limits{}, []Reply{code("print x"), code("print y"), code("print x"), code("print y"), code("print x"), code("print y")}, schemas.OutcomeLoop, "same_two_actions", 0, 0, 6, ""},
		"two in turn, not the third time": {often, Limits{}, []Reply{code("print x"), code("print y"), code("print x"), code("print y"), code("print x"), code("set 1")},
			schemas.OutcomeSolved, "correct", 1, 1, 6, "1"},
		"the model's context":  {often, Limits{}, []Reply{code("set 2"), say("too long")}, schemas.OutcomeTokenLimit, "server_context", 0, 0, 1, "2"},
		"no verdict":           {often, Limits{}, []Reply{code("set 2"), code(`set "fault"`), code("set 1")}, schemas.OutcomeGraderError, "gold_error", -1, -1, 2, `"fault"`},
		"the grader's sandbox": {often, Limits{}, []Reply{code(`set "lost"`)}, schemas.OutcomeGraderError, "grader_sandbox", -1, -1, 1, `"lost"`},
		"debugging hands in nothing": {often, Limits{}, []Reply{do(schemas.ActionDebugging, "code", "set 1", "error_msg", "e")},
			schemas.OutcomeFailed, "no_submission", 0, 0, 1, ""},
		"an action that is not there": {often, Limits{}, []Reply{do(schemas.ActionRequestInfo, "data_path", "x", "info_type", "term"), code("set 1")}, schemas.OutcomeSolved, "correct", 1, 1, 2, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			p := play(t, tc.feedback, tc.limits, tc.replies...)
			if p.err != nil {
				t.Fatal(p.err)
			}
			row := p.row
			if row.Outcome != tc.outcome || row.OutcomeReason != tc.reason {
				t.Errorf("outcome %s (%s), want %s (%s)", row.Outcome, row.OutcomeReason, tc.outcome, tc.reason)
			}
			for column, v := range map[string]struct {
				got  *float64
				want float64
			}{"reward": {row.Reward, tc.reward}, "reward_upstream": {row.RewardUpstream, tc.upstream}} {
				if (v.got == nil) != (v.want < 0) || v.got != nil && *v.got != v.want {
					t.Errorf("%s %v, want %v", column, v.got, v.want)
				}
			}
			if len(row.Steps) != tc.steps || row.AnswerSeen != tc.answer {
				t.Errorf("%d steps, answer %q; want %d, %q", len(row.Steps), row.AnswerSeen, tc.steps, tc.answer)
			}
			if err := row.Validate(); err != nil {
				t.Error(err)
			}
			conversationIsWhole(t, row)
		})
	}
}

// conversationIsWhole checks how messages and steps belong together.
func conversationIsWhole(t *testing.T, row *schemas.Trajectory) {
	t.Helper()
	want := []string{schemas.RoleSystem, schemas.RoleUser}
	for i, m := range row.Messages {
		role := schemas.RoleUser
		if i < 2 {
			role = want[i]
		} else if i%2 == 0 {
			role = schemas.RoleAssistant
		}
		if m.Role != role {
			t.Errorf("message %d is a %s turn, want %s", i, m.Role, role)
		}
	}
	for i, s := range row.Steps {
		if int(*s.Turn) != i+1 {
			t.Errorf("step %d has turn %d", i, *s.Turn)
		}
		if at := 2*(i+1) + 1; at < len(row.Messages) && row.Messages[at].Content != s.Observation {
			t.Errorf("message %d is not the observation of step %d", at, i+1)
		}
	}
}

func TestInfraFaults(t *testing.T) {
	for name, replies := range map[string][]Reply{
		"policy":  {say("unreachable")},
		"sandbox": {code("print x"), code("die")},
	} {
		p := play(t, schemas.FeedbackStopOnSuccess, Limits{}, replies...)
		var infra *infraError
		if !errors.As(p.err, &infra) || infra.part != name {
			t.Errorf("%s: %v", name, p.err)
		}
	}
}

// What the agent is told: golden texts in miniature.
func TestObservations(t *testing.T) {
	p := play(t, schemas.FeedbackStopOnSuccess, Limits{Turns: 9, Observation: 80},
		code("raise luck"), do(schemas.ActionDebugging, "code", "raise luck", "error_msg", "ValueError: no luck (line 1)"), do(schemas.ActionTerminal, "cmd", "exit 3"),
		code("print "+strings.Repeat("é", 100)), code("sleep"), code("set 2"), say("hm"), do(schemas.ActionRequestInfo, "data_path", "x", "info_type", "term"), code("set 1"))
	want := []string{
		"status: error\nerror: ValueError: no luck (line 1)\nyour code:\n->    1  raise luck\nNothing was submitted by this program.\nreplies left: 8",
		"error: ValueError: no luck (line 1)\nyour code:\n->    1  raise luck\nhint: Nothing more is known about this kind of error: read the message, and print the values that the line uses.\nreplies left: 7",
		"status: error\nexit code: 3\nstandard error:\ntold why\nreplies left: 6",
		"status: ok\noutput:\n" + strings.Repeat("é", 40) + "\n[47 characters left out]\n" + strings.Repeat("é", 13) + "\nNothing was submitted by this program.\nreplies left: 5",
		"status: stopped: it ran longer than the limit of 120 s\nhint: The program ran too long. Look for loops that never end and row-by-row work that a join, a merge or a vector operation can do; filter early, and try it on part of the data first.\nNothing was submitted by this program.\nreplies left: 4",
		"status: ok\noutput:\n2\nverdict: not correct\nreplies left: 3",
		"The reply is no action: the reply holds no whole JSON object with \"action\" and \"params\". Reply with one JSON object: {\"action\": \"<name>\", \"params\": {…}}\nreplies left: 2",
		"There is no request_info in this task. Actions: code_execution, debugging, terminal\nreplies left: 1",
		"status: ok\noutput:\n1\nverdict: correct",
	}
	if len(p.row.Steps) != len(want) {
		t.Fatalf("%d steps", len(p.row.Steps))
	}
	for i, s := range p.row.Steps {
		if s.Observation != want[i] {
			t.Errorf("step %d:\n got %q\nwant %q", i+1, s.Observation, want[i])
		}
		if shown := schemas.Value(s.GraderFeedbackShown); shown != strings.Contains(want[i], "verdict") {
			t.Errorf("step %d: grader_feedback_shown is %v", i+1, shown)
		}
		if cut := schemas.Value(s.OutputTruncated); cut != strings.Contains(want[i], "left out") {
			t.Errorf("step %d: output_truncated is %v", i+1, cut)
		}
	}
	once := play(t, schemas.FeedbackSubmitOnce, Limits{}, code("set 2"))
	if s := once.row.Steps[0]; strings.Contains(s.Observation, "verdict") || schemas.Value(s.GraderFeedbackShown) || *s.Reward != 0 {
		t.Errorf("submit_once shows a verdict: %+v", s)
	}
}

func TestAgentAsksForWhatItMay(t *testing.T) {
	p := play(t, schemas.FeedbackStopOnSuccess, Limits{Turns: 4}, code("print x"), code("print y"))
	if len(p.policy.seen) != 3 {
		t.Fatalf("asked %d times", len(p.policy.seen))
	}
	for i, c := range p.policy.seen {
		if c.TurnsLeft != 4-i || len(c.Messages) != 2+2*i || c.Messages[len(c.Messages)-1].Role != schemas.RoleUser {
			t.Errorf("conversation %d: %d messages, %d turns left", i, len(c.Messages), c.TurnsLeft)
		}
	}
	system := p.policy.seen[0].Messages[0].Content
	for _, action := range []string{schemas.ActionCodeExecution, schemas.ActionDebugging, schemas.ActionTerminal, "4 replies", "120 seconds"} {
		if !strings.Contains(system, action) {
			t.Errorf("the system prompt lacks %q", action)
		}
	}
	if strings.Contains(system, schemas.ActionRequestInfo) {
		t.Error("the system prompt offers an action that the task does not have")
	}
	cmds := p.box.Sessions()[0].Commands()
	if len(p.box.Sessions()) != 1 || cmds[0].Seed == cmds[1].Seed {
		t.Errorf("%d sessions; seeds %d and %d", len(p.box.Sessions()), cmds[0].Seed, cmds[1].Seed)
	}
}

func TestUsage(t *testing.T) {
	p := play(t, schemas.FeedbackStopOnSuccess, Limits{}, Reply{Content: code("print x").Content, PromptTokens: 1000, CompletionTokens: 50, CostUSD: schemas.Ptr(0.5)}, code("set 1"))
	if got := *p.row.PromptTokens; got < 1100 || got > 2000 {
		t.Errorf("prompt tokens %d: 1,000 as the endpoint counted, and a few hundred counted here", got)
	}
	if got := *p.row.CompletionTokens; got < 60 || got > 120 || *p.row.CostUSD != 0.5 {
		t.Errorf("completion tokens %d, cost %v", got, *p.row.CostUSD)
	}
}

// TestRepairs: the rows say what was mended, and writing an action as text is a repair
// only where tools were offered.
func TestRepairs(t *testing.T) {
	called := Reply{Calls: []protocol.Call{{Name: "validate_code", Arguments: `{"code": "print x"}`}}}
	plain, fenced, wrong := code("print y"), say("```json\n"+code("print z").Content+"\n```"), say("hm")
	for _, tc := range []struct {
		tools bool
		want  [][]string
	}{
		{false, [][]string{nil, {"code_fence"}, {"alias"}, nil}},
		{true, [][]string{{"call_in_text"}, {"call_in_text", "code_fence"}, {"alias"}, nil}},
	} {
		p := playAs(t, func(a *agent) { a.tools = tc.tools }, schemas.FeedbackStopOnSuccess, Limits{}, plain, fenced, called, wrong)
		var got [][]string
		for _, s := range p.row.Steps {
			got = append(got, s.Repairs)
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("tools %v: %q, want %q", tc.tools, got, tc.want)
		}
	}
}
