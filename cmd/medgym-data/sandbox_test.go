package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
)

// However many sessions are open, so many programs run at the same time, and one that
// waits can be called off.
func TestBounded(t *testing.T) {
	var running, most, total atomic.Int64
	both := make(chan struct{})
	box := bounded(fake.New(func(context.Context, *fake.Session, sandbox.Command) (sandbox.Result, error) {
		now := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		if total.Add(1) == 2 {
			close(both) // two run at once: nobody goes on before
		}
		<-both
		return sandbox.Result{Status: sandbox.StatusOK}, nil
	}), 2)
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			session, err := box.Open(t.Context(), sandbox.Spec{})
			if err != nil {
				t.Error(err)
				return
			}
			_, err = session.Run(t.Context(), sandbox.Command{})
			if err := errors.Join(err, session.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() != 2 || total.Load() != 30 {
		t.Errorf("%d programs, %d at the same time", total.Load(), most.Load())
	}

	full := bounded(fake.Always(sandbox.Result{}), 1).(boundedSandbox)
	full.turns <- struct{}{}
	session, err := full.Open(t.Context(), sandbox.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := session.Run(ctx, sandbox.Command{}); !errors.Is(err, context.Canceled) {
		t.Errorf("called off: %v", err)
	}
}
