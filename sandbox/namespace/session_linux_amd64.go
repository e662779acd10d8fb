package namespace

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
)

// session is a work folder in a cell. It implements sandbox.Session.
type session struct {
	box    *Sandbox
	cell   *cell
	id     string
	spec   sandbox.Spec
	limits sandbox.Limits
	roots  []string
	leave  func()

	mu     sync.Mutex // held by Run and Close
	closed bool
}

// enter counts sessions that have begun.
func (c *cell) enter(sessions int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions += sessions
}

// used is how many programs the cell has run.
func (c *cell) used() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs
}

// retire has the cell stop with its last session, and says whether it has none now.
func (c *cell) retire() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retired = true
	return c.sessions == 0
}

// exit counts a session that has ended; a retired cell stops with its last one.
func (c *cell) exit() {
	c.mu.Lock()
	c.sessions--
	last := c.retired && c.sessions == 0
	c.mu.Unlock()
	if last {
		c.stop()
	}
}

// order has the cell do something short, with the descriptors that the frame tells of.
func (c *cell) order(ctx context.Context, frame any, files ...*os.File) error {
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.release()
	var reply replyFrame
	// Not under ctx: a cell that is left in the middle of an exchange is lost.
	err := c.talk(context.WithoutCancel(ctx), grace, func() error {
		if err := c.wire.send(frame); err != nil {
			return err
		}
		if err := c.wire.sendFiles(files); err != nil {
			return err
		}
		return c.wire.receive(&reply)
	})
	if err != nil {
		return c.death("order", err)
	}
	if reply.Op != "done" {
		return fmt.Errorf("sandbox cell: %s", reply.What)
	}
	return nil
}

// Close implements sandbox.Session.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	defer s.leave()
	defer s.cell.exit()
	if !s.cell.alive() {
		return nil // its folders went with it
	}
	if err := s.cell.order(s.box.ctx, sessionFrame{Op: "close", Session: s.id}); err != nil && s.box.ctx.Err() == nil {
		return fmt.Errorf("close session %s: %w", s.spec.Name, err)
	}
	return nil
}

// Run implements sandbox.Session.
func (s *session) Run(ctx context.Context, cmd sandbox.Command) (sandbox.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return sandbox.Result{}, fmt.Errorf("session %s is closed", s.spec.Name)
	}
	if cmd.Language != sandbox.Python && cmd.Language != sandbox.Shell {
		return sandbox.Result{}, fmt.Errorf("session %s: language %q: want python or shell", s.spec.Name, cmd.Language)
	}
	if err := s.cell.take(ctx); err != nil {
		return sandbox.Result{}, fmt.Errorf("session %s: %w", s.spec.Name, err)
	}
	defer s.cell.release()
	s.cell.mu.Lock()
	s.cell.runs++
	s.cell.mu.Unlock()
	frame := backend.NewRun(s.id, s.spec, s.limits, nil, cmd)
	frame.Roots = s.roots
	if group := s.cell.group; group != nil {
		if err := group.allow(s.limits); err != nil {
			return sandbox.Result{}, fmt.Errorf("session %s: %w", s.spec.Name, err)
		}
	}
	reply, err := s.exchange(ctx, frame)
	if err != nil {
		return sandbox.Result{}, fmt.Errorf("session %s: %w", s.spec.Name, err)
	}
	result, err := backend.Result(frame, reply, s.limits.CPU, slices.Clone(s.box.kept))
	if err != nil {
		return sandbox.Result{}, fmt.Errorf("session %s: %w", s.spec.Name, err)
	}
	return result, nil
}

// exchange sends a request, serves the session's services while the program runs,
// and receives how it ended. When ctx ends the program is killed, and the cell
// lives on.
func (s *session) exchange(ctx context.Context, frame runFrame) (replyFrame, error) {
	c := s.cell
	var reply replyFrame
	limit := time.Duration(frame.Wall*float64(time.Second)) + grace
	err := c.talk(context.WithoutCancel(ctx), limit, func() error {
		if err := c.wire.send(frame); err != nil {
			return err
		}
		var started replyFrame
		if err := c.wire.receive(&started); err != nil {
			return err
		}
		listeners := c.wire.take()
		if started.Op != "started" {
			reply = started // failed: nothing runs
			return closeAll(listeners)
		}
		killed := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(killed)
			_ = c.wire.send(sessionFrame{Op: "kill"}) // a broken socket shows in receive
		})
		open, err := listen(listeners, len(s.spec.Services))
		serving := backend.Serve(ctx, s.spec.Services, open)
		if err == nil {
			err = c.wire.receiveReply(&reply)
		}
		if !stop() {
			<-killed
		}
		return errors.Join(err, serving.Stop())
	})
	switch {
	case errors.Is(err, backend.ErrHandler):
		return reply, err // the cell is well
	case err != nil:
		return reply, c.death("run", err)
	case ctx.Err() != nil:
		return reply, ctx.Err()
	case reply.Op != "done":
		return reply, fmt.Errorf("sandbox cell: %s", reply.What)
	}
	return reply, nil
}

// listen takes over the listeners that came with a frame.
func listen(files []*os.File, want int) (open []net.Listener, err error) {
	if len(files) != want {
		err = fmt.Errorf("%d listeners for %d services", len(files), want)
	}
	for _, f := range files {
		if l, fault := net.FileListener(f); fault != nil {
			err = errors.Join(err, fmt.Errorf("listen in the sandbox: %w", fault))
		} else {
			open = append(open, l)
		}
	}
	if err = errors.Join(err, closeAll(files)); err != nil {
		for _, l := range open {
			err = errors.Join(err, l.Close())
		}
		return nil, err
	}
	return open, nil
}

func closeAll(files []*os.File) error {
	var err error
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}
