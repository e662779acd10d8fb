package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
)

// session is one that a sandbox was asked for: what it was given, and the programs with
// their results.
type session struct {
	spec     sandbox.Spec
	commands []sandbox.Command
	results  []sandbox.Result
}

// recorder is a sandbox that notes what is asked of another.
type recorder struct {
	sandbox.Sandbox
	mu       sync.Mutex
	sessions []*recorded
}

type recorded struct {
	sandbox.Session
	session
}

// Open implements sandbox.Sandbox.
func (r *recorder) Open(ctx context.Context, spec sandbox.Spec) (sandbox.Session, error) {
	s, err := r.Sandbox.Open(ctx, spec)
	if err != nil {
		return nil, err
	}
	out := &recorded{s, session{spec: spec}}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions = append(r.sessions, out)
	return out, nil
}

// Run implements sandbox.Session.
func (s *recorded) Run(ctx context.Context, cmd sandbox.Command) (sandbox.Result, error) {
	res, err := s.Session.Run(ctx, cmd)
	s.commands, s.results = append(s.commands, cmd), append(s.results, res)
	return res, err
}

// alone has so many workers run the sessions one after the other.
func alone(ctx context.Context, box sandbox.Sandbox, sessions []session, workers int) (cost, error) {
	queue := make(chan session)
	group, ctx := errgroup.WithContext(ctx)
	end := measure()
	group.Go(func() error {
		defer close(queue)
		for _, s := range sessions {
			select {
			case queue <- s:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range workers {
		group.Go(func() error {
			for s := range queue {
				if err := s.run(ctx, box); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return end(), err
}

func (s session) run(ctx context.Context, box sandbox.Sandbox) (err error) {
	open, err := box.Open(ctx, s.spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	for i, cmd := range s.commands {
		res, err := open.Run(ctx, cmd)
		if err != nil {
			return err
		}
		if want := s.results[i]; res.Status != want.Status || string(res.Answer) != string(want.Answer) {
			return fmt.Errorf("session %s, program %d: status %s, it was %s", s.spec.Name, i+1, res.Status, want.Status)
		}
	}
	return nil
}

// told is a sandbox that only says what the programs of the sessions came to.
func told(sessions []session) sandbox.Sandbox {
	results := map[string]sandbox.Result{}
	for _, s := range sessions {
		for i, cmd := range s.commands {
			results[cmd.Code] = s.results[i]
		}
	}
	return &memory{results}
}

// memory is that sandbox. (sandbox/fake keeps every session it had, which would count as
// the engine's memory.)
type memory struct{ results map[string]sandbox.Result }

// Open implements sandbox.Sandbox.
func (m *memory) Open(context.Context, sandbox.Spec) (sandbox.Session, error) { return m, nil }

// Run implements sandbox.Session.
func (m *memory) Run(_ context.Context, cmd sandbox.Command) (sandbox.Result, error) {
	res, ok := m.results[cmd.Code]
	if !ok {
		return res, errors.New("a program that never ran")
	}
	return res, nil
}

// Info implements sandbox.Sandbox.
func (m *memory) Info() sandbox.Info { return fake.New(nil).Info() }

// Close implements sandbox.Sandbox and sandbox.Session.
func (m *memory) Close() error { return nil }
