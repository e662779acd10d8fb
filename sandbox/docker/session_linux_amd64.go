package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
)

// session is a container and what it was given. It implements sandbox.Session.
type session struct {
	box    *Sandbox
	cell   *cell
	spec   sandbox.Spec
	limits sandbox.Limits

	mu     sync.Mutex // held by Run and Close
	closed bool
	lost   error // why the container is of no use any more
}

// Close implements sandbox.Session. The container is removed in the background.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	delete(s.box.live, s)
	if !s.box.closed { // else it is removed already
		s.box.drop(s.cell)
	}
	return nil
}

// Run implements sandbox.Session.
func (s *session) Run(ctx context.Context, cmd sandbox.Command) (sandbox.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fail := func(err error) (sandbox.Result, error) {
		return sandbox.Result{}, fmt.Errorf("session %s: %w", s.spec.Name, err)
	}
	switch {
	case s.closed:
		return sandbox.Result{}, fmt.Errorf("session %s is closed", s.spec.Name)
	case s.lost != nil:
		return fail(fmt.Errorf("its container is gone: %w", s.lost))
	case cmd.Language != sandbox.Python && cmd.Language != sandbox.Shell:
		return fail(fmt.Errorf("language %q: want python or shell", cmd.Language))
	case ctx.Err() != nil:
		return fail(ctx.Err())
	}
	run := backend.NewRun("", s.spec, s.limits, nil, cmd)
	reply, err := s.exchange(ctx, run)
	if err != nil {
		return fail(err)
	}
	result, err := backend.Result(run, reply, s.limits.CPU, s.box.Info().Enforced())
	if err != nil {
		return fail(err)
	}
	return result, nil
}

// exchange sends a request, serves the session's services while the program runs, and
// receives how it ended. When ctx ends the program is killed, and the container lives on.
func (s *session) exchange(ctx context.Context, run backend.Run) (backend.Reply, error) {
	c := s.cell
	var reply backend.Reply
	begun, running := time.Now(), false
	limit := time.Duration(run.Wall*float64(time.Second)) + startLimit // packages may have to be loaded first
	err := c.talk(context.WithoutCancel(ctx), limit, func() error {
		if err := c.stream.send(run); err != nil {
			return err
		}
		running = true
		killed := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(killed)
			_ = c.stream.send(linkFrame{Op: "kill"}) // a broken stream shows in receive
		})
		relay, listeners := newRelay(s.spec.Services, c.stream.send)
		serving := backend.Serve(ctx, s.spec.Services, listeners)
		err := s.receive(relay, &reply)
		if !stop() {
			<-killed
		}
		fault := serving.Stop()
		if fault == nil {
			relay.stop()
		}
		return errors.Join(err, fault)
	})
	switch {
	case errors.Is(err, backend.ErrHandler):
		return reply, err // the container is well
	case err != nil:
		s.lost = c.death("run", err)
		if running && ctx.Err() == nil && s.box.ctx.Err() == nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			// Its process 1 ends by no signal from inside: memory ran out, or the program
			// has broken its container. Either way it is the program that was ended.
			return backend.Reply{Op: "done", ExitCode: -1, Signal: int(syscall.SIGKILL), Wall: time.Since(begun).Seconds()}, nil
		}
		return reply, s.lost
	case ctx.Err() != nil:
		return reply, ctx.Err()
	case reply.Op != "done":
		return reply, fmt.Errorf("sandbox container: %s", reply.What)
	}
	return reply, nil
}

// receive takes frames until the one that ends an execution.
func (s *session) receive(relay *relay, reply *backend.Reply) error {
	for {
		f, err := s.cell.stream.receive()
		if err != nil {
			return err
		}
		if f.Op == "done" || f.Op == "failed" {
			*reply = f.Reply
			return nil
		}
		if err := relay.receive(f); err != nil {
			return err
		}
	}
}

func isSeccomp(option string) bool { return strings.HasPrefix(option, "name=seccomp") }
