package score

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/model"
)

// fakeModel answers what a test says, and keeps what it was asked.
type fakeModel struct {
	name   string
	answer func(n int, r model.Request) (model.Response, error) // n counts requests from 1
	permit func([]string) error

	mu    sync.Mutex
	asked []model.Request
}

func (f *fakeModel) Model() string { return f.name }
func (f *fakeModel) Close() error  { return nil }

func (f *fakeModel) Permit(sources []string) error {
	if f.permit == nil {
		return nil
	}
	return f.permit(sources)
}

func (f *fakeModel) Chat(ctx context.Context, r model.Request) (model.Response, error) {
	f.mu.Lock()
	f.asked = append(f.asked, r)
	n := len(f.asked)
	f.mu.Unlock()
	res, err := f.answer(n, r)
	if ctx.Err() != nil {
		return model.Response{}, ctx.Err()
	}
	return res, err
}

// about is what a request asks about: the user's turn.
func about(r model.Request) string { return r.Messages[1].Content }

// sure answers by what it is asked about.
func sure(_ int, r model.Request) (model.Response, error) {
	return replies(map[string]float64{"YES": scoreOf(about(r)), "NO": 1 - scoreOf(about(r))}), nil
}

func replies(p map[string]float64) model.Response {
	var top []model.TokenLogprob
	for token, p := range p {
		top = append(top, model.TokenLogprob{Token: token, Logprob: math.Log(p)})
	}
	return model.Response{Choices: []model.Choice{{Content: "x", Top: [][]model.TokenLogprob{top}}}}
}

func word(s string) model.Response { return model.Response{Choices: []model.Choice{{Content: s}}} }

func fault(class model.Class) error { return &model.Error{Endpoint: "e", Class: class} }

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name   string
		choice model.Choice
		want   judgement
	}{
		{"two words", replies(map[string]float64{"YES": 0.6, "NO": 0.2}).Choices[0], judgement{Score: 0.75, How: HowLogprobs}},
		{"all spellings", replies(map[string]float64{"YES": 0.1, " yes": 0.1, "Yes": 0.1, "▁YES": 0.1, "Ġyes": 0.1, "YES.": 0.1, "NO": 0.1, " No": 0.1, "The": 0.1}).Choices[0], judgement{Score: 0.75, How: HowLogprobs}},
		{"beginnings", replies(map[string]float64{"Y": 0.3, "Ye": 0.3, "N": 0.2}).Choices[0], judgement{Score: 0.75, How: HowLogprobs}},
		{"one of them", replies(map[string]float64{"NO": 0.9, "I": 0.1}).Choices[0], judgement{Score: 0, How: HowLogprobs}},
		{"neither", replies(map[string]float64{"Not": 0.5, "Yesterday": 0.3, "Nothing": 0.1, "": 0.1, " ": 0.1, "Yeah": 0.1}).Choices[0], judgement{None: NoneVerdict}},
		{"impossible", replies(map[string]float64{"YES": 0, "NO": 0}).Choices[0], judgement{None: NoneVerdict}},
		{"no number", model.Choice{Top: [][]model.TokenLogprob{{{Token: "YES", Logprob: math.NaN()}, {Token: "NO", Logprob: -1}}}}, judgement{Score: 0, How: HowLogprobs}},
		{"above 1", model.Choice{Top: [][]model.TokenLogprob{{{Token: "YES", Logprob: 300}, {Token: "NO", Logprob: 0}}}}, judgement{Score: 0.5, How: HowLogprobs}},
		{"the first token alone", model.Choice{Top: [][]model.TokenLogprob{{{Token: "YES"}}, {{Token: "NO"}}}}, judgement{Score: 1, How: HowLogprobs}},
		{"a word", model.Choice{Content: " Yes.\n"}, judgement{Score: 1, How: HowText}},
		{"the other", model.Choice{Content: "**NO**"}, judgement{Score: 0, How: HowText}},
		{"an empty list", model.Choice{Content: "no", Top: [][]model.TokenLogprob{{}}}, judgement{Score: 0, How: HowText}},
		{"a sentence", model.Choice{Content: "Yes, it is"}, judgement{None: NoneVerdict}},
		{"nothing", model.Choice{Reasoning: "YES"}, judgement{None: NoneVerdict}},
	} {
		got := judge(tt.choice)
		if math.Abs(got.Score-tt.want.Score) > 1e-9 || got.How != tt.want.How || got.None != tt.want.None {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestModel(t *testing.T) {
	w := newWorld(t)
	m := &fakeModel{name: "judge", answer: sure}
	all, _, err := w.score(t.Context(), Options{Model: m, Concurrency: 5})
	if err != nil {
		t.Fatal(err)
	}
	if all.How[HowLogprobs] != 16 || all.Scored != 16 || all.Unscored["no_steps"] != 8 || all.Verifier != "judge" || len(m.asked) != 16 {
		t.Errorf("%+v, %d questions", all, len(m.asked))
	}
	questions := map[string]bool{}
	for _, r := range m.asked {
		questions[about(r)] = true
		if r.MaxTokens != 1 || !r.Logprobs || r.TopLogprobs != 20 || *r.Temperature != 0 || r.Messages[0].Role != schemas.RoleSystem || !strings.HasPrefix(about(r), "<task>\nCompute value ") {
			t.Errorf("%+v", r)
		}
	}
	if len(questions) != 16 {
		t.Errorf("%d different questions", len(questions))
	}
	for _, row := range w.rows() {
		if len(row.Steps) == 0 {
			continue
		}
		text := fmt.Sprintf("<task>\nCompute value %s of %s, %s.\n</task>\n\n<attempt>\n[turn 1] code_execution\ncode:\nprint(%d)\n-> output:\no\n\nNothing was handed in.\n</attempt>",
			row.TaskID[len(row.TaskID)-1:], row.Source, row.Split, *row.Attempt)
		if row.Verifier != "judge" || row.VerifierScore == nil || math.Abs(*row.VerifierScore-scoreOf(text)) > 1e-9 {
			t.Errorf("%s: %v", row.TrajectoryID, row.VerifierScore)
		}
	}
	if _, res, err := w.score(t.Context(), Options{Model: m}); err != nil || !res.Skipped || len(m.asked) != 16 {
		t.Errorf("asked again: %v, %v", res.Skipped, err)
	}
	// A rollout that grows is scored where it grew; another model is refused before it
	// is asked, and replaces all with Replace.
	w.sample("2", attemptsEach+1)
	if all, _, err := w.score(t.Context(), Options{Model: m}); err != nil || all.How[HowKept] != 16 || all.How[HowLogprobs] != 8 || len(m.asked) != 24 {
		t.Errorf("grown: %v, %+v", err, all)
	}
	other := &fakeModel{name: "other", answer: sure}
	if _, _, err := w.score(t.Context(), Options{Model: other}); !errors.Is(err, pipeline.ErrDrift) || !strings.Contains(err.Error(), "verifier was judge, is now other") || !strings.Contains(err.Error(), "loses 24 scores of judge") || len(other.asked) != 0 {
		t.Errorf("another model: %v, %d questions", err, len(other.asked))
	}
	if all, _, err := w.score(t.Context(), Options{Model: other, Replace: true}); err != nil || all.Replaced != 24 || len(other.asked) != 24 {
		t.Errorf("forced: %v, %+v", err, all)
	}
}

// A run that is stopped at any question goes on from there: no answer is asked for
// twice, and the rows are those of an undisturbed run.
func TestResumed(t *testing.T) {
	want := newWorld(t)
	if _, _, err := want.score(t.Context(), Options{Model: &fakeModel{name: "judge", answer: sure}}); err != nil {
		t.Fatal(err)
	}
	rows := want.rows()
	for _, stop := range []int{1, 7, 16} {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		m := &fakeModel{name: "judge", answer: func(n int, r model.Request) (model.Response, error) {
			if n == stop {
				cancel()
			}
			return sure(n, r)
		}}
		if _, _, err := w.score(ctx, Options{Model: m, Concurrency: 1}); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped at %d: %v", stop, err)
		}
		if slices.ContainsFunc(w.rows(), func(r schemas.Trajectory) bool { return r.VerifierScore != nil }) {
			t.Error("a part was published")
		}
		again := &fakeModel{name: "judge", answer: sure}
		all, _, err := w.score(t.Context(), Options{Model: again})
		if err != nil || all.Resumed != stop-1 || len(again.asked) != 16-(stop-1) {
			t.Errorf("stopped at %d: %v, %+v, %d questions", stop, err, all, len(again.asked))
		}
		got := w.rows()
		for i := range got {
			if schemas.Value(got[i].VerifierScore) != schemas.Value(rows[i].VerifierScore) {
				t.Errorf("stopped at %d: %s differs", stop, got[i].TrajectoryID)
			}
		}
	}
}

// What no second request mends is no score; what one may mend is not published
// unless that is asked for, and is asked about again.
func TestUnanswered(t *testing.T) {
	w := newWorld(t)
	m := &fakeModel{name: "judge", answer: func(n int, r model.Request) (model.Response, error) {
		switch {
		case strings.Contains(about(r), "0 of plaza, train") && strings.Contains(about(r), "print(0)"):
			return model.Response{}, fault(model.ClassFaulty)
		case strings.Contains(about(r), "1 of plaza, train") && strings.Contains(about(r), "print(0)"):
			return model.Response{}, fault(model.ClassTimeout)
		case strings.Contains(about(r), "0 of plaza, test") && strings.Contains(about(r), "print(0)"):
			return model.Response{}, fault(model.ClassContext)
		case strings.Contains(about(r), "0 of ward, test") && strings.Contains(about(r), "print(0)"):
			return model.Response{}, fault(model.ClassRefused)
		case strings.Contains(about(r), "1 of ward, test") && strings.Contains(about(r), "print(0)"):
			return word("Maybe"), nil
		}
		return sure(n, r)
	}}
	_, _, err := w.score(t.Context(), Options{Model: m, Concurrency: 1})
	var bad *pipeline.InputError
	if err == nil || errors.As(err, &bad) || !strings.Contains(err.Error(), "no answer about 2 trajectories (1 faulty, 1 timed out), the first of them plaza/train/0#0.tag") {
		t.Fatalf("%v", err)
	}
	before := len(m.asked)
	all, _, err := w.score(t.Context(), Options{Model: m, Partial: true})
	if err != nil || len(m.asked) != before+2 || all.Scored != 11 || all.Resumed != 14 {
		t.Fatalf("partial: %v, %+v, %d questions", err, all, len(m.asked)-before)
	}
	for reason, n := range map[string]int{NoneFaulty: 1, NoneTimeout: 1, NoneContext: 1, NoneRefused: 1, NoneVerdict: 1, "no_steps": 8} {
		if all.Unscored[reason] != n {
			t.Errorf("%s: %d", reason, all.Unscored[reason])
		}
	}
	m.answer, before = sure, len(m.asked)
	if _, res, err := w.score(t.Context(), Options{Model: m, Partial: true}); err != nil || !res.Skipped {
		t.Errorf("partial again: %v, %v", res.Skipped, err)
	}
	all, _, err = w.score(t.Context(), Options{Model: m})
	if err != nil || all.Scored != 16 || all.How[HowKept] != 11 || len(m.asked) != before+5 {
		t.Errorf("mended: %v, %+v, %d questions", err, all, len(m.asked)-before)
	}
	if _, res, err := w.score(t.Context(), Options{Model: m}); err != nil || !res.Skipped {
		t.Errorf("after that: %v, %v", res.Skipped, err)
	}
	// An endpoint that only fails is given up.
	w = newWorld(t)
	w.sample("2", 60)
	dead := &fakeModel{name: "judge", answer: func(int, model.Request) (model.Response, error) { return model.Response{}, fault(model.ClassFaulty) }}
	if _, _, err := w.score(t.Context(), Options{Model: dead, Concurrency: 1, Partial: true}); err == nil || !strings.Contains(err.Error(), "50 times in a row") || len(dead.asked) > mostFailing+1 {
		t.Errorf("dead: %v, %d questions", err, len(dead.asked))
	}
	for _, class := range []model.Class{model.ClassAway, model.ClassBusy} {
		gone := &fakeModel{name: "judge", answer: func(int, model.Request) (model.Response, error) { return model.Response{}, fault(class) }}
		if _, _, err := w.score(t.Context(), Options{Model: gone, Concurrency: 1, Partial: true}); err == nil || len(gone.asked) > 2 {
			t.Errorf("%s: %v, %d questions", class, err, len(gone.asked))
		}
	}
}

// Endpoints that give fewer alternatives, or none, are found out once.
func TestAlternatives(t *testing.T) {
	for _, most := range []int{5, 0} {
		w := newWorld(t)
		m := &fakeModel{name: "judge", answer: func(n int, r model.Request) (model.Response, error) {
			switch {
			case r.TopLogprobs > most:
				return model.Response{}, fault(model.ClassRefused)
			case r.Logprobs:
				return sure(n, r)
			}
			return word("yes"), nil
		}}
		all, _, err := w.score(t.Context(), Options{Model: m, Concurrency: 1})
		want := map[int]string{5: HowLogprobs, 0: HowText}[most]
		if err != nil || all.How[want] != 16 || len(m.asked) != 16+map[int]int{5: 1, 0: 2}[most] {
			t.Errorf("%d: %v, %+v, %d questions", most, err, all, len(m.asked))
		}
	}
}

// Rows that are not open go to no endpoint that must not have them.
func TestPermit(t *testing.T) {
	w := newWorld(t)
	endpoint, err := governance.Classify(t.Context(), "http://192.0.2.1/v1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &fakeModel{name: "judge", answer: sure, permit: endpoint.Check}
	var refused *pipeline.PolicyError
	if _, _, err := w.score(t.Context(), Options{Model: m}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "rows of ward must not leave") || len(m.asked) != 0 {
		t.Errorf("%v, %d questions", err, len(m.asked))
	}
	all, _, err := w.score(t.Context(), Options{Model: m, Sources: []string{"plaza"}})
	if err != nil || all.Scored != 8 || all.Unscored[NoneChosen] != 12 {
		t.Errorf("open rows: %v, %+v", err, all)
	}
	for _, r := range m.asked {
		if strings.Contains(about(r), "ward") {
			t.Error("a closed row was sent")
		}
	}
	if _, _, err := w.score(t.Context(), Options{Model: &fakeModel{name: "judge", permit: endpoint.Check}, Sources: []string{"plaza"}}); err != nil {
		t.Errorf("again: %v", err)
	}
}

// The client over the wire: what a server gets and how its answer is read.
func TestWire(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	var bodies []map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		var body map[string]any
		if err := json.Unmarshal(text, &body); err != nil || r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer key" {
			t.Errorf("%s: %v", r.URL, err)
		}
		mu.Lock()
		bodies = append(bodies, body)
		mu.Unlock()
		fmt.Fprint(rw, `{"choices":[{"message":{"content":" YES"},"finish_reason":"length","logprobs":{"content":[{"token":" YES","logprob":-0.2876820724517809,
			"top_logprobs":[{"token":" YES","logprob":-0.2876820724517809},{"token":"NO","logprob":-1.6094379124341003},{"token":"No","logprob":-2.995732273553991}]}]}}]}`)
	}))
	defer server.Close()
	endpoint, err := governance.Classify(t.Context(), server.URL+"/v1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(model.Options{Endpoints: []governance.Endpoint{endpoint}, Model: "judge", Key: "key", Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	all, _, err := w.score(t.Context(), Options{Model: m, Extra: extra(`{"enable_thinking":false}`)})
	if err != nil || all.How[HowLogprobs] != 16 {
		t.Fatalf("%v, %+v", err, all)
	}
	for _, row := range w.rows() {
		if len(row.Steps) > 0 && math.Abs(*row.VerifierScore-0.75) > 1e-9 {
			t.Errorf("%s: %v", row.TrajectoryID, *row.VerifierScore)
		}
	}
	for _, body := range bodies {
		if body["max_tokens"] != 1.0 || body["logprobs"] != true || body["top_logprobs"] != 20.0 || body["temperature"] != 0.0 || body["enable_thinking"] != false || body["model"] != "judge" {
			t.Errorf("%v", body)
		}
	}
	if _, err := Stage(Options{Model: m, Extra: extra(`{"logprobs":false}`)}); err == nil {
		t.Error("the extra body may take the scores away")
	}
}
