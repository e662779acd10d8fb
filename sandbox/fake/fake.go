// Package fake is a sandbox.Sandbox for tests: a function plays every execution.
// It is no imitation of Python; it keeps what a real backend promises about
// sessions (files, services, one execution at a time, nothing after Close) and
// records what was opened, run and closed.
package fake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/medgym-data/medgym-data/sandbox"
)

// Run plays one execution. Its error is a fault of the sandbox. It may block; ctx
// is the execution's.
type Run func(ctx context.Context, s *Session, cmd sandbox.Command) (sandbox.Result, error)

// Sandbox is the fake. The zero value runs nothing: set Play.
type Sandbox struct {
	Play Run
	// Refuse, if set, is asked before a session is opened; its error is Open's.
	Refuse func(sandbox.Spec) error
	About  sandbox.Info

	mu       sync.Mutex
	sessions []*Session
	closed   bool
}

var _ sandbox.Sandbox = (*Sandbox)(nil)

// New makes a fake that plays executions with run.
func New(run Run) *Sandbox {
	return &Sandbox{Play: run, About: sandbox.Info{Backend: "fake", EnvironmentDigest: "none", Controls: uncontrolled()}}
}

// uncontrolled says of every control that a test double keeps none.
func uncontrolled() []sandbox.Control {
	var controls []sandbox.Control
	for _, name := range sandbox.ControlNames {
		controls = append(controls, sandbox.Control{Name: name, Gap: "this is a test double"})
	}
	return controls
}

// Always plays every execution with the same result.
func Always(res sandbox.Result) *Sandbox {
	return New(func(context.Context, *Session, sandbox.Command) (sandbox.Result, error) { return res, nil })
}

// ErrClosed is the error of whatever is used after Close.
var ErrClosed = errors.New("closed")

// Open implements sandbox.Sandbox.
func (b *Sandbox) Open(ctx context.Context, spec sandbox.Spec) (sandbox.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, f := range spec.Files {
		if (f.HostPath == "") == (f.Content == nil) {
			return nil, fmt.Errorf("file %s: one of HostPath and Content has to be set", f.Path)
		}
	}
	if b.Refuse != nil {
		if err := b.Refuse(spec); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, fmt.Errorf("open: %w", ErrClosed)
	}
	s := &Session{Spec: spec, box: b}
	b.sessions = append(b.sessions, s)
	return s, nil
}

// Info implements sandbox.Sandbox.
func (b *Sandbox) Info() sandbox.Info { return b.About }

// Close implements sandbox.Sandbox.
func (b *Sandbox) Close() error {
	b.mu.Lock()
	b.closed = true
	sessions := slices.Clone(b.sessions)
	b.mu.Unlock()
	for _, s := range sessions {
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

// Sessions lists every session that was opened, in order.
func (b *Sandbox) Sessions() []*Session {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.sessions)
}

// Running counts the sessions that were not closed yet.
func (b *Sandbox) Running() int {
	n := 0
	for _, s := range b.Sessions() {
		if !s.Closed() {
			n++
		}
	}
	return n
}

// Session is one session.
type Session struct {
	Spec sandbox.Spec
	box  *Sandbox

	running  sync.Mutex // one execution at a time
	mu       sync.Mutex
	commands []sandbox.Command
	closed   bool
}

// Run implements sandbox.Session.
func (s *Session) Run(ctx context.Context, cmd sandbox.Command) (sandbox.Result, error) {
	if !s.running.TryLock() {
		return sandbox.Result{}, errors.New("run: another execution of the session is running")
	}
	defer s.running.Unlock()
	if err := ctx.Err(); err != nil {
		return sandbox.Result{}, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return sandbox.Result{}, fmt.Errorf("run: %w", ErrClosed)
	}
	s.commands = append(s.commands, cmd)
	s.mu.Unlock()
	if s.box.Play == nil {
		return sandbox.Result{}, errors.New("run: the fake has no Play")
	}
	return s.box.Play(ctx, s, cmd)
}

// Dial connects to a service of the session, as a program in it would.
func (s *Session) Dial(ctx context.Context, port int) (net.Conn, error) {
	i := slices.IndexFunc(s.Spec.Services, func(svc sandbox.Service) bool { return svc.Port == port })
	if i < 0 {
		return nil, fmt.Errorf("connect to port %d: refused", port)
	}
	inside, outside := net.Pipe()
	go s.Spec.Services[i].Handle(ctx, outside) // ends with the connection or the service
	return inside, nil
}

// Commands lists what was run, in order.
func (s *Session) Commands() []sandbox.Command {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

// Closed says whether the session was closed.
func (s *Session) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Close implements sandbox.Session.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
