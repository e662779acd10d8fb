package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

func TestIdeal(t *testing.T) {
	b := bench{programs: 100}
	for _, tt := range []struct {
		w        waited
		programs bool
		want     time.Duration
	}{
		{waited{attempts: 1000, flying: 1000, wait: 2 * time.Second}, false, 6 * time.Second},
		{waited{attempts: 1000, flying: 1000, wait: 2 * time.Second}, true, 30 * time.Second},
		{waited{attempts: 1001, flying: 1000, wait: 2 * time.Second}, false, 12 * time.Second},
		{waited{attempts: 100, flying: 100, wait: 2 * time.Second}, true, 6 * time.Second},
	} {
		if got := b.ideal(tt.w, tt.programs); got != tt.want {
			t.Errorf("%+v, programs %v: %v, want %v", tt.w, tt.programs, got, tt.want)
		}
	}
}

func TestSeries(t *testing.T) {
	var a, b series
	a.add(100, cost{2 * time.Second, time.Second})
	b.add(100, cost{time.Second, 100 * time.Millisecond})
	if r := a.ratios(&b); a.perS[0] != 50 || a.cpu[0] != 10 || len(r) != 1 || r[0] != .5 || b.cpu[0] != 1 {
		t.Errorf("%v %v %v", a, b, r)
	}
}

// TestReplay: what was recorded runs again, in whole sessions, and another result is
// found.
func TestReplay(t *testing.T) {
	status := sandbox.StatusOK
	box := fake.New(func(_ context.Context, _ *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
		return sandbox.Result{Status: status, Answer: []byte(cmd.Code)}, nil
	})
	r := &recorder{Sandbox: box}
	for _, name := range []string{"a", "b"} {
		s, err := r.Open(t.Context(), sandbox.Spec{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range []string{"1", "2"} {
			if _, err := s.Run(t.Context(), sandbox.Command{Language: sandbox.Python, Code: code}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var sessions []session
	for _, s := range r.sessions {
		sessions = append(sessions, s.session)
	}
	if _, err := alone(t.Context(), box, sessions, 3); err != nil {
		t.Fatal(err)
	}
	ran := box.Sessions()[2:]
	if len(ran) != 2 || box.Running() > 0 || !slices.EqualFunc(ran[0].Commands(), []string{"1", "2"}, func(c sandbox.Command, code string) bool { return c.Code == code }) {
		t.Errorf("%d sessions, %d open", len(ran), box.Running())
	}
	told := told(sessions)
	s, err := told.Open(t.Context(), sandbox.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	if res, err := s.Run(t.Context(), sandbox.Command{Code: "2"}); err != nil || string(res.Answer) != "2" {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := s.Run(t.Context(), sandbox.Command{Code: "3"}); err == nil {
		t.Error("a program that never ran has a result")
	}
	status = sandbox.StatusError
	if _, err := alone(t.Context(), box, sessions, 1); err == nil {
		t.Error("another status goes through")
	}
}

// TestPlayer: an attempt runs a program in each of its turns, the last of which is
// right; while it waits it can be stopped.
func TestPlayer(t *testing.T) {
	b := bench{answers: map[string]string{"Find it.": "0.25"}}
	p, err := player{script: b.script()}.New(schemas.Task{Instruction: "Find it."}, 0, 7)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for range turns {
		reply, err := p.Next(t.Context(), rollout.Conversation{})
		if err != nil || reply.Done {
			t.Fatalf("%+v, %v", reply, err)
		}
		said[reply.Content] = true
	}
	if len(said) != turns {
		t.Errorf("%v", said)
	}
	slow, err := player{script: b.script(), wait: time.Hour}.New(schemas.Task{}, 0, 7)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := slow.Next(ctx, rollout.Conversation{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
