package modelserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T, opts Options) *Server {
	t.Helper()
	s, err := Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client keeps no connection, so that each request meets the server as it is.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

type body struct {
	Model    string           `json:"model"`
	Seed     int64            `json:"seed"`
	N        int              `json:"n,omitempty"`
	Messages []map[string]any `json:"messages"`
	Tools    []map[string]any `json:"tools,omitempty"`
}

func ask(seed int64, task string, replies ...string) body {
	b := body{Model: "m", Seed: seed, Messages: []map[string]any{{"role": "system", "content": "Reply."}, {"role": "user", "content": task}}}
	for _, reply := range replies {
		b.Messages = append(b.Messages, map[string]any{"role": "assistant", "content": reply}, map[string]any{"role": "user", "content": "ran"})
	}
	return b
}

// post sends a request; status 0: there was no response.
func post(ctx context.Context, s *Server, b body) (status int, header http.Header, text []byte, err error) {
	sent, err := json.Marshal(b)
	if err != nil {
		return 0, nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+"/chat/completions", bytes.NewReader(sent))
	if err != nil {
		return 0, nil, nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	return res.StatusCode, res.Header, text, err
}

type answer struct {
	Choices []struct {
		Message *struct {
			Content *string `json:"content"`
			Calls   []struct {
				Function struct{ Name, Arguments string } `json:"function"`
			} `json:"tool_calls"`
		} `json:"message"`
		Finish string `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		Prompt int `json:"prompt_tokens"`
	} `json:"usage"`
}

// TestFaults: each kind looks as it should, and is followed by the answer.
func TestFaults(t *testing.T) {
	wants := map[Kind]func(status int, header http.Header, text []byte, err error) bool{
		Busy: func(status int, h http.Header, _ []byte, _ error) bool {
			return status == 429 && h.Get("Retry-After") == "" && h.Get("Retry-After-Ms") == ""
		},
		BusySeconds: func(status int, h http.Header, _ []byte, _ error) bool {
			return status == 429 && h.Get("Retry-After") == "1"
		},
		BusyMillis: func(status int, h http.Header, _ []byte, _ error) bool {
			return status == 429 && h.Get("Retry-After-Ms") == "300"
		},
		BusyDate: func(status int, h http.Header, _ []byte, _ error) bool {
			_, err := http.ParseTime(h.Get("Retry-After"))
			return status == 429 && err == nil
		},
		Internal: func(status int, _ http.Header, text []byte, _ error) bool {
			return status == 500 && bytes.Contains(text, []byte(Canary))
		},
		BadGateway: func(status int, _ http.Header, text []byte, _ error) bool { return status == 502 && text[0] == '<' },
		Unavailable: func(status int, h http.Header, _ []byte, _ error) bool {
			return status == 503 && h.Get("Retry-After") == ""
		},
		Overloaded: func(status int, h http.Header, _ []byte, _ error) bool {
			return status == 503 && h.Get("Retry-After") == "1"
		},
		Hang: func(status int, _ http.Header, _ []byte, err error) bool {
			return status == 0 && errors.Is(err, context.DeadlineExceeded)
		},
		Drip: func(status int, _ http.Header, _ []byte, err error) bool {
			return errors.Is(err, context.DeadlineExceeded)
		},
		Cut: func(status int, _ http.Header, _ []byte, err error) bool {
			return status == 200 && errors.Is(err, io.ErrUnexpectedEOF)
		},
		CutJSON: func(status int, _ http.Header, text []byte, err error) bool {
			return status == 200 && err == nil && !json.Valid(text)
		},
		NoChoice: func(status int, _ http.Header, text []byte, _ error) bool {
			return status == 200 && bytes.Contains(text, []byte(`"choices":[]`))
		},
		NullMessage: func(status int, _ http.Header, text []byte, _ error) bool {
			return status == 200 && bytes.Contains(text, []byte(`"message":null`))
		},
		Page: func(status int, _ http.Header, text []byte, _ error) bool { return status == 200 && text[0] == '<' },
		ErrorIn200: func(status int, _ http.Header, text []byte, _ error) bool {
			return status == 200 && bytes.Contains(text, []byte(`"error"`))
		},
		Reset:        func(status int, _ http.Header, _ []byte, err error) bool { return status == 0 && err != nil },
		ResetHalfway: func(status int, _ http.Header, _ []byte, err error) bool { return status == 200 && err != nil },
	}
	for _, kind := range Passing() {
		t.Run(string(kind), func(t *testing.T) {
			want := wants[kind]
			if want == nil {
				t.Fatal("this kind is not looked at")
			}
			s := start(t, Options{Play: Script{}.Play, Faults: &Faults{Rate: 1, Most: 2, Weights: map[Kind]float64{kind: 1}}})
			for n := range 4 {
				patience := time.Minute
				if n < 2 && (kind == Hang || kind == Drip) { // there is no answer to miss
					patience = 200 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				status, header, text, err := post(ctx, s, ask(1, "task"))
				cancel()
				if n < 2 && !want(status, header, text, err) {
					t.Errorf("asked for the %d. time: status %d, %d bytes, %v", n+1, status, len(text), err)
				}
				if n >= 2 && (status != 200 || err != nil || !json.Valid(text)) {
					t.Errorf("no answer after its faults: status %d, %v", status, err)
				}
			}
			if tallies := s.Tallies(); len(tallies) != 1 || tallies[0].Kind != kind || tallies[0].Given != 2 || tallies[0].Conversations != 1 {
				t.Errorf("tallies: %+v", tallies)
			}
			if c := s.Counts(); c.Requests != 4 || c.Answers != 2 {
				t.Errorf("counts: %+v", c)
			}
		})
	}
}

// TestStayingFaults: all requests of a task get them from a turn on, whatever else.
func TestStayingFaults(t *testing.T) {
	for kind, status := range map[Kind]int{ContextOpenAI: 400, ContextVLLM: 400, ContextLlama: 400, Refused: 400, Withheld: 200, Long: 200, TooLarge: 200} {
		t.Run(string(kind), func(t *testing.T) {
			s := start(t, Options{Play: Script{}.Play, Faults: &Faults{Tasks: map[string]Kind{"task": kind}}})
			for seed := range int64(2) {
				got, _, text, err := post(t.Context(), s, ask(seed, "task", "a", "b"))
				least := map[Kind]int{Long: 10e6, TooLarge: 33 << 20}[kind]
				if err != nil || got != status || least == 0 && !json.Valid(text) { // validity of long ones takes long
					t.Errorf("status %d, %v", got, err)
				}
				if len(text) < least || len(text) > least+100_000 {
					t.Errorf("%d bytes", len(text))
				}
			}
			if got, _, text, err := post(t.Context(), s, ask(1, "another", "a", "b")); err != nil || got != 200 || len(text) > 2000 {
				t.Errorf("another task: status %d, %d bytes, %v", got, len(text), err)
			}
		})
	}
	if len(Staying()) != 7 {
		t.Errorf("%d kinds stay", len(Staying()))
	}
}

// TestChosenByConversation: a request meets the same faults whatever is asked beside
// it, and conversations differ.
func TestChosenByConversation(t *testing.T) {
	f := &Faults{Rate: .5}
	kinds := map[Kind]int{}
	for i := range 500 {
		r := Request{Seed: int64(i)}
		for met := range 5 {
			kind := f.choose(r, r.conversation(), met)
			if again := f.choose(r, r.conversation(), met); again != kind {
				t.Fatalf("%q, then %q", kind, again)
			}
			if met >= 3 && kind != "" {
				t.Errorf("fault %d of a conversation", met+1)
			}
			kinds[kind]++
		}
	}
	for _, kind := range Passing() {
		if kinds[kind] == 0 {
			t.Errorf("%s is never chosen", kind)
		}
	}
	if share := float64(1500-(kinds[""]-1000)) / 1500; share < .4 || share > .6 {
		t.Errorf("a share of %.2f fails, want about half", share)
	}
}

func TestOutage(t *testing.T) {
	s := start(t, Options{Play: Script{}.Play, Faults: &Faults{Outages: []Outage{{After: 2, For: 50 * time.Millisecond}}}})
	if status, _, _, err := post(t.Context(), s, ask(1, "task")); err != nil || status != 200 {
		t.Fatalf("status %d, %v", status, err)
	}
	// The second request finds the end of the server, or is answered just before.
	if _, _, text, err := post(t.Context(), s, ask(2, "task")); err == nil && !json.Valid(text) {
		t.Errorf("%s", text)
	}
	for status := 0; status != 200; status, _, _, _ = post(t.Context(), s, ask(3, "task")) {
		if t.Context().Err() != nil {
			t.Fatal("it never came back")
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if tallies := s.Tallies(); len(tallies) != 1 || tallies[0].Kind != Down || tallies[0].Given != 1 {
		t.Errorf("%+v", tallies)
	}
}

func TestStopAndResume(t *testing.T) {
	s := start(t, Options{Play: Script{}.Play})
	for range 3 {
		s.Stop()
		if status, _, _, err := post(t.Context(), s, ask(1, "task")); err == nil {
			t.Errorf("a server that is down answers with %d", status)
		}
		if err := s.Resume(); err != nil {
			t.Fatal(err)
		}
		if status, _, _, err := post(t.Context(), s, ask(1, "task")); err != nil || status != 200 {
			t.Errorf("status %d, %v", status, err)
		}
	}
}

func TestOptions(t *testing.T) {
	for name, tt := range map[string]struct {
		opts   Options
		status int
		text   string
	}{
		"another model": {Options{Model: "n"}, 404, "model_not_found"},
		"a key":         {Options{Key: "k"}, 401, "invalid_api_key"},
		"elsewhere":     {Options{Redirect: true}, 307, ""},
		"over TLS":      {Options{TLS: true}, 200, "choices"},
	} {
		s := start(t, tt.opts)
		status, _, text, err := post(t.Context(), s, ask(1, "task"))
		if err != nil || status != tt.status || !strings.Contains(string(text), tt.text) {
			t.Errorf("%s: status %d, %v: %s", name, status, err, text)
		}
	}
	s := start(t, Options{TLS: true})
	if _, err := http.Get(s.URL()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("its certificate is known: %v", err)
	}
}

// TestScript: an attempt that is played over HTTP comes to what it should, by text and
// by calls, and again the same.
func TestScript(t *testing.T) {
	s := start(t, Options{Play: Script{Answers: map[string]string{"task": "0.25"}, Runs: 2}.Play})
	fates := map[string]int{}
	for seed := range int64(60) {
		for _, tools := range []bool{false, true} {
			var replies []string
			for turn := range 3 {
				b := ask(100*seed+int64(turn), "task", replies...) // seeds vary from turn to turn
				if tools {
					b.Tools = []map[string]any{{"type": "function", "function": map[string]any{"name": "code_execution"}}, {"type": "function", "function": map[string]any{"name": "debugging"}}}
				}
				_, _, text, err := post(t.Context(), s, b)
				if err != nil {
					t.Fatal(err)
				}
				if _, _, again, _ := post(t.Context(), s, b); !bytes.Equal(again, text) {
					t.Fatal("asked again it says something else")
				}
				var a answer
				if err := json.Unmarshal(text, &a); err != nil || len(a.Choices) != 1 || a.Choices[0].Message == nil || a.Usage.Prompt == 0 {
					t.Fatalf("turn %d: %v: %s", turn, err, text)
				}
				m := a.Choices[0].Message
				said, called := fmt.Sprint(m.Calls), len(m.Calls) == 1
				if m.Content != nil {
					said += *m.Content
				}
				if acts := strings.Contains(said, "code"); tools && acts != called || !tools && called {
					t.Errorf("tools %v, turn %d: %s", tools, turn, said)
				}
				replies = append(replies, said)
			}
			switch last := replies[2]; {
			case strings.Contains(last, "no such thing"):
				fates["loop"]++
			case strings.Contains(last, "caf\ufffd"):
				fates["invalid"]++
			case strings.Contains(last, "0.25"):
				fates["solved"]++
			case strings.Contains(last, "KeyError"):
				fates["turns"]++
			case strings.Contains(last, "1 + 1"):
				fates["cut"]++
			case strings.Contains(last, "I would"):
				fates["unreadable"]++
			default:
				t.Errorf("seed %d ends with %q", seed, last)
			}
		}
	}
	for _, fate := range []string{"loop", "invalid", "solved", "turns", "cut", "unreadable"} {
		if fates[fate] == 0 {
			t.Errorf("no attempt ends as %s: %v", fate, fates)
		}
	}
}

func TestChoices(t *testing.T) {
	s := start(t, Options{Play: Script{Answers: map[string]string{"task": "1"}}.Play})
	b := ask(1, "task")
	b.N = 3
	_, _, text, err := post(t.Context(), s, b)
	var a answer
	if err != nil || json.Unmarshal(text, &a) != nil || len(a.Choices) != 3 {
		t.Fatalf("%v: %s", err, text)
	}
}
