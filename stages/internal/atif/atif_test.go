package atif

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/pipeline/jsonl"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"github.com/medgym-data/medgym-data/stages/internal/recording"
)

// TestVerdicts: documents are accepted and refused as the reference models do, which
// testdata/verdicts.py asks.
func TestVerdicts(t *testing.T) {
	accepted, refused := 0, 0
	err := jsonl.ReadFile(context.Background(), filepath.Join("testdata", "verdicts.jsonl"), jsonl.Options{}, func(line jsonl.Line) error {
		var c struct {
			Name      string         `json:"name"`
			Reference bool           `json:"reference"`
			Ours      *bool          `json:"ours"` // where we differ
			Document  jsontext.Value `json:"document"`
		}
		if err := json.Unmarshal(line.Data, &c); err != nil {
			return err
		}
		want := c.Reference
		if c.Ours != nil {
			want = *c.Ours
		}
		d, err := Parse(c.Document)
		switch {
		case want && err != nil:
			t.Errorf("%s: refused: %v", c.Name, err)
		case !want && err == nil:
			t.Errorf("%s: accepted", c.Name)
		case want:
			accepted++
			out, err := Format(d)
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			if again, err := Parse(out); err != nil || !reflect.DeepEqual(again, d) {
				t.Errorf("%s: what is written reads as another document (%v)", c.Name, err)
			}
		default:
			refused++
			var f *Fault
			if !errors.As(err, &f) || f.What == "" {
				t.Errorf("%s: %v is no fault", c.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if accepted < 50 || refused < 50 {
		t.Errorf("%d accepted and %d refused: cases are missing", accepted, refused)
	}
}

func TestFaultsSayWhere(t *testing.T) {
	const head = `{"schema_version":"ATIF-v1.7","agent":{"name":"a","version":"1"},"steps":[{"step_id":1,"source":"user","message":"SECRET"},`
	for text, want := range map[string]string{
		head + `{"step_id":3,"source":"agent","message":"SECRET"}]}`:                                                   "step 2, steps[1].step_id: is not 2: steps are numbered in sequence from 1",
		head + `{"step_id":2,"source":"user","message":"","tool_calls":[]}]}`:                                          "step 2, steps[1].tool_calls: is for steps of the agent, and this is another's",
		head + `{"step_id":2,"source":"agent","message":5}]}`:                                                          "step 2, steps[1].message: is of another type than the format says",
		head + `{"step_id":2,"source":"agent","message":"","SECRET":1}]}`:                                              "step 2, steps[1]: has a member that the format does not name",
		head + `{"step_id":2,"source":"agent","message":"","message":""}]}`:                                            "step 2, steps[1].message: has a member twice",
		head + `{"step_id":2,"source":"agent","message":"","extra":{"SECRET":{"SECRET":1,"SECRET":2}}}]}`:              "step 2, steps[1].extra: has a member twice",
		head + `{"step_id":2,"source":"agent","message":"","observation":{"results":[{"source_call_id":"SECRET"}]}}]}`: "step 2, steps[1].observation.results[0].source_call_id: is no tool_call_id of its step",
		head + `{"step_id":2,"source":"agent","message":"SECRET`:                                                       "is not JSON at byte 170",
		`SECRET`: "is not JSON at byte 0",
		`[]`:     "is of another type than the format says",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}

// trajectory has all that a row can have: text actions and native calls, a reply that
// was cut, an observation that was shown otherwise, and one that nobody was shown.
func trajectory() schemas.Trajectory {
	i32 := func(n int32) *int32 { return &n }
	i64 := func(n int64) *int64 { return &n }
	f := func(n float64) *float64 { return &n }
	calls := `[{"id":"x","name":"code_execution","arguments":"{\"code\": \"answer = 1\"}"},{"id":"x","name":"terminal","arguments":"not JSON"},{"id":"","name":"terminal","arguments":""}]`
	return schemas.Trajectory{
		TrajectoryID: "s/train/1#0.ab", TaskID: "s/train/1", Source: "s", Split: "train", Category: "c", AccessTier: schemas.TierOpen, RunID: "run", Attempt: i32(0),
		Policy: schemas.Policy{Kind: "openai", Model: "m", EndpointClass: "local", Temperature: f(0.5), TopP: f(0.9), Seed: i64(7), MaxTokens: i32(100), Protocol: "tools"},
		Messages: []schemas.ChatMessage{
			{Role: schemas.RoleSystem, Content: "system"},
			{Role: schemas.RoleUser, Content: "task"},
			{Role: schemas.RoleAssistant, Content: `{"action": "terminal", "params": {"cmd": "ls"}}`, Reasoning: "first I look"},
			{Role: schemas.RoleUser, Content: "a file"},
			{Role: schemas.RoleAssistant, Content: "I can't say. <think>\u00e9\u4e16"},
			{Role: schemas.RoleUser, Content: "shortened", Name: "environment"},
			{Role: schemas.RoleAssistant, ToolCallsJSON: calls},
			{Role: schemas.RoleTool, Content: "one", ToolCallID: "x"},
			{Role: schemas.RoleTool, Content: "two", ToolCallID: "y"},
			{Role: schemas.RoleAssistant, Content: "cut sho"},
		},
		Steps: []schemas.Step{
			{Turn: i32(1), Action: "terminal", ParamsJSON: `{"cmd":"ls"}`, Observation: "a file", Status: "ok", ExitCode: i32(0), WallMS: i64(3), OutputTruncated: schemas.Ptr(false), GraderFeedbackShown: schemas.Ptr(false), FinishReason: "stop", TokenIDs: []int32{1, 2}, Logprobs: []float64{-0.1, -2}, PromptTokens: i64(10), CompletionTokens: i64(2)},
			{Turn: i32(2), Observation: "the long form", Status: "invalid_reply", ErrorType: "no_json_object", Repairs: []string{"fence"}, CutMessages: i32(1), CutTokens: i64(4)},
			{Turn: i32(3), Action: "code_execution", ParamsJSON: `{"code":"answer = 1"}`, Observation: "one", Status: "ok", Submission: `{"code":"answer = 1"}`, Reward: f(0), RewardUpstream: f(1), GradeReason: "wrong", DebuggedBy: "rules"},
			{Turn: i32(4), Status: "reply_cut", Observation: "not shown", FinishReason: "length"},
		},
		Outcome: schemas.OutcomeTokenLimit, OutcomeReason: "reply_tokens", Reward: f(0), RewardUpstream: f(1), Score: f(0.25), AnswerSeen: "1", Feedback: schemas.FeedbackStopOnSuccess,
		VerifierScore: f(0.75), Verifier: "v", PromptTokens: i64(100), CompletionTokens: i64(20), CostUSD: f(0.01), WallS: f(1.5),
		CreatedAt: schemas.Ptr(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)), Sandbox: schemas.SandboxRef{Backend: "namespace", EnvironmentDigest: "d", Controls: []string{"net"}},
		GraderVersion: "1", SchemaVersion: schemas.Ptr(schemas.Version),
	}
}

func TestRoundTrip(t *testing.T) {
	row := trajectory()
	doc, err := FromTrajectory(row)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Format(doc)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "trajectory.json", text)
	read, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ToRecording(read)
	if err != nil {
		t.Fatal(err)
	}
	want, err := recording.FromTrajectory(row)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Replies, want.Replies) {
		t.Errorf("replies:\n got %+v\nwant %+v", got.Replies, want.Replies)
	}
	if len(want.Replies) != 4 || len(want.Replies[2].Calls) != 3 || !want.Replies[3].Truncated || want.Replies[0].Calls != nil {
		t.Errorf("the trajectory's own recording is %+v", want.Replies)
	}
	got.Replies, want.Replies = nil, nil
	got.Opening, want.Opening = strings.TrimSpace(got.Opening), strings.TrimSpace(want.Opening)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("recording:\n got %+v\nwant %+v", got, want)
	}
}

// golden compares with a file; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	value := jsontext.Value(append([]byte{}, got...))
	if err := value.Indent(jsontext.WithIndent("  ")); err != nil {
		t.Fatal(err)
	}
	pretty := append(value, '\n')
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, pretty, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(pretty) {
		t.Errorf("%s is not what is written now (UPDATE_GOLDEN=1 writes it):\n%s", path, pretty)
	}
}

// TestEveryColumn: no column of a trajectory is lost on the way out. A column that is
// added to the schema, and not here, fails.
func TestEveryColumn(t *testing.T) {
	doc, err := FromTrajectory(trajectory())
	if err != nil {
		t.Fatal(err)
	}
	var own trajectoryExtra
	if !doc.Extra.read(&own) {
		t.Fatal("the document has no columns of ours")
	}
	elsewhere := map[string]bool{"trajectory_id": true, "run_id": true, "messages": true, "steps": true, "prompt_tokens": true, "completion_tokens": true, "cost_usd": true}
	has := names(reflect.TypeFor[trajectoryExtra]())
	for name := range names(reflect.TypeFor[schemas.Trajectory]()) {
		if !has[name] && !elsewhere[name] {
			t.Errorf("column %s of trajectories has no place", name)
		}
	}
	elsewhere = map[string]bool{"prompt_tokens": true, "completion_tokens": true, "token_ids": true, "logprobs": true}
	has = names(reflect.TypeFor[stepExtra]())
	for name := range names(reflect.TypeFor[schemas.Step]()) {
		if !has[name] && !elsewhere[name] {
			t.Errorf("column %s of steps has no place", name)
		}
	}
}

func names(of reflect.Type) map[string]bool {
	out := map[string]bool{}
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		out[name] = true
	}
	return out
}

func TestForeign(t *testing.T) {
	doc, err := Parse([]byte(`{"schema_version":"ATIF-v1.2","session_id":"s","agent":{"name":"other","version":"3"},"extra":{"task_id":"s/test/9"},"steps":[
		{"step_id":1,"source":"user","message":[{"type":"text","text":"look"},{"type":"text","text":"here"}]},
		{"step_id":2,"source":"agent","model_name":"m2","message":"","tool_calls":[{"tool_call_id":"a","function_name":"bash","arguments":{"z": 1, "a": [ 2 ]}}],"observation":{"results":[{"source_call_id":"a"}]}},
		{"step_id":3,"source":"agent","message":"by rule","llm_call_count":0},
		{"step_id":4,"source":"user","message":"more"},
		{"step_id":5,"source":"agent","message":[{"type":"text","text":"done"},{"type":"image","source":{"media_type":"image/png","path":"p"}}],"metrics":{"completion_token_ids":[4294967296]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ToRecording(doc)
	if err != nil {
		t.Fatal(err)
	}
	want := recording.Recording{TaskID: "s/test/9", Opening: "look\nhere\n", Policy: schemas.Policy{Model: "m2", Protocol: "tools"},
		Replies: []recording.Reply{{Calls: []protocol.Call{{ID: "a", Name: "bash", Arguments: `{"z":1,"a":[2]}`}}}, {Content: "done"}},
		Notes:   recording.Notes{Media: 1, Unasked: 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestWhatJSONCannotSpell(t *testing.T) {
	row := trajectory()
	row.Steps[0].Logprobs = []float64{math.Inf(-1), 0}
	doc, err := FromTrajectory(row)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Format(doc); err != nil || doc.Steps[2].Metrics.Logprobs != nil {
		t.Errorf("a logprob that is no number: %v", err)
	}
	row.Messages = nil
	if _, err := FromTrajectory(row); err == nil {
		t.Error("a trajectory without messages has a document")
	}
}

// FuzzParse: whatever is accepted can be written, read again and recorded.
func FuzzParse(f *testing.F) {
	err := jsonl.ReadFile(context.Background(), filepath.Join("testdata", "verdicts.jsonl"), jsonl.Options{}, func(line jsonl.Line) error {
		var c struct {
			Document jsontext.Value `json:"document"`
		}
		if err := json.Unmarshal(line.Data, &c); err != nil {
			return err
		}
		f.Add([]byte(c.Document))
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			if strings.Contains(fmt.Sprint(err), "\n") {
				t.Errorf("the error has lines: %v", err)
			}
			return
		}
		out, err := Format(d)
		if err != nil {
			t.Fatalf("accepted, and cannot be written: %v", err)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		a, errA := ToRecording(d)
		b, errB := ToRecording(again)
		if errA != nil || errB != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("recordings differ: %v, %v", errA, errB)
		}
	})
}
