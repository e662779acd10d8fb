package namespace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/sandbox"
)

// session is a work folder in a cell. It implements sandbox.Session.
type session struct {
	box    *Sandbox
	cell   *cell
	id     string
	spec   sandbox.Spec
	limits sandbox.Limits
	files  []fileFrame
	leave  func()

	mu     sync.Mutex // held by Run and Close
	closed bool
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

// order has the cell do something short.
func (c *cell) order(ctx context.Context, frame any) error {
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
	frame := s.frame(cmd)
	reply, err := s.exchange(ctx, frame)
	if err != nil {
		return sandbox.Result{}, fmt.Errorf("session %s: %w", s.spec.Name, err)
	}
	result, err := s.result(frame, reply)
	if err != nil {
		return sandbox.Result{}, fmt.Errorf("session %s: %w", s.spec.Name, err)
	}
	return result, nil
}

// frame makes the request of an execution.
func (s *session) frame(cmd sandbox.Command) runFrame {
	l := s.limits
	if cmd.Wall > 0 && cmd.Wall < l.Wall {
		l.Wall = cmd.Wall
	}
	frame := runFrame{
		Op: "run", Session: s.id, Code: cmd.Code, Language: string(cmd.Language), Seed: cmd.Seed,
		Inject: map[string]string{}, Capture: []captureFrame{}, CaptureB: l.Capture,
		Wall: l.Wall.Seconds(), CPU: math.Ceil(l.CPU.Seconds()), Memory: l.Memory, Output: l.Output,
		Disk: l.Disk, Inodes: l.Inodes, Processes: l.Processes, Files: s.files, Ports: []int{},
	}
	for name, value := range cmd.Inject {
		frame.Inject[name] = string(value)
	}
	for _, service := range s.spec.Services {
		frame.Ports = append(frame.Ports, service.Port)
	}
	if cmd.Language != sandbox.Python {
		return frame // a shell has no variables to hand over
	}
	frame.Capture = append(frame.Capture, captureFrame{Name: "answer", Attrs: []string{}})
	for _, c := range cmd.Capture {
		if c.Name == "answer" {
			frame.Capture[0].Attrs = append(frame.Capture[0].Attrs, c.Attrs...)
			continue
		}
		frame.Capture = append(frame.Capture, captureFrame{Name: c.Name, Attrs: append([]string{}, c.Attrs...)})
	}
	return frame
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
		serving, err := serve(ctx, s.spec.Services, listeners)
		if err == nil {
			err = c.wire.receiveReply(&reply)
		}
		if !stop() {
			<-killed
		}
		return errors.Join(err, serving.stop())
	})
	switch {
	case errors.Is(err, errHandler):
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

// result reads how a program ended.
func (s *session) result(frame runFrame, reply replyFrame) (sandbox.Result, error) {
	res := sandbox.Result{
		Status: sandbox.StatusOK, ExitCode: reply.ExitCode, Signal: reply.Signal,
		Stdout: bytes.ToValidUTF8(reply.stdout, replacement), Stderr: bytes.ToValidUTF8(reply.stderr, replacement), Truncated: reply.Truncated,
		Wall: seconds(reply.Wall), CPU: seconds(reply.CPU), MaxRSS: reply.MaxRSS, Captured: map[string]json.RawMessage{},
		Controls: s.box.Info().Enforced(),
	}
	// What cannot be read was written by the program, not by the zygote's child.
	var said report
	if json.Unmarshal(reply.result, &said) != nil {
		said = report{}
	}
	// Once the program has begun, which a newline tells, only it can say so.
	if said.Setup != "" && !bytes.HasPrefix(reply.result, []byte("\n")) {
		return res, fmt.Errorf("sandbox cell: prepare an execution: %s", said.Setup)
	}
	// The bounds hold for a program that writes its report itself, too.
	res.ErrorType, res.ErrorMessage = shorten(said.ErrorType, maxErrorType), shorten(said.ErrorMessage, maxErrorMessage)
	if said.ErrorLine > 0 && said.ErrorLine <= strings.Count(frame.Code, "\n")+1 {
		res.ErrorLine = said.ErrorLine
	}
	switch {
	case reply.Reason == "timeout", reply.Signal == int(syscall.SIGXCPU),
		reply.Signal == int(syscall.SIGKILL) && res.CPU >= s.limits.CPU:
		res.Status = sandbox.StatusTimeout
	case reply.Reason == "memory", said.ErrorType == "MemoryError":
		res.Status = sandbox.StatusMemory
	case reply.Reason == "output":
		res.Status = sandbox.StatusOutputLimit
	case reply.Signal != 0:
		res.Status = sandbox.StatusKilled
	case reply.ExitCode != 0, said.ErrorType != "":
		res.Status = sandbox.StatusError
	}
	if reply.Reason != "" || reply.Signal != 0 {
		return res, nil // a program that was stopped handed nothing over
	}
	for _, want := range frame.Capture {
		value := json.RawMessage(said.Captured[want.Name])
		if !jsontext.Value(value).IsValid() {
			continue
		}
		if want.Name == "answer" {
			res.Answer = value
		}
		res.Captured[want.Name] = value
	}
	return res, nil
}

// Bytes that a report may fill, as the zygote's child cuts it.
const (
	maxErrorType    = 4 * 200
	maxErrorMessage = 4 * 4000
)

var replacement = []byte("\uFFFD")

// shorten cuts a text to at most n bytes.
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// serving answers connections while a program runs.
type serving struct {
	cancel    context.CancelFunc
	listeners []net.Listener
	group     sync.WaitGroup

	patience time.Duration // with handlers, once all is closed

	room  chan struct{} // a token for each connection: a program shall not use up the host's descriptors
	mu    sync.Mutex
	conns map[net.Conn]bool
	ended bool
}

// maxConns is how many connections of one program are served at a time; more wait.
const maxConns = 64

func closeAll(files []*os.File) error {
	var err error
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// serve takes one listener for each service.
func serve(ctx context.Context, services []sandbox.Service, files []*os.File) (*serving, error) {
	sv := &serving{conns: map[net.Conn]bool{}, room: make(chan struct{}, maxConns), patience: grace}
	ctx, sv.cancel = context.WithCancel(ctx)
	if len(files) != len(services) {
		return sv, errors.Join(fmt.Errorf("%d listeners for %d services", len(files), len(services)), closeAll(files))
	}
	for _, f := range files {
		l, err := net.FileListener(f)
		if err != nil {
			return sv, errors.Join(fmt.Errorf("listen in the sandbox: %w", err), closeAll(files))
		}
		sv.listeners = append(sv.listeners, l)
	}
	if err := closeAll(files); err != nil {
		return sv, err
	}
	for i, l := range sv.listeners {
		sv.group.Go(func() { sv.accept(ctx, l, services[i].Handle) })
	}
	return sv, nil
}

func (sv *serving) accept(ctx context.Context, l net.Listener, handle func(context.Context, net.Conn)) {
	for {
		select {
		case sv.room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		conn, err := l.Accept()
		if err != nil {
			return // stop has closed it
		}
		if !sv.keep(conn) {
			_ = conn.Close()
			return
		}
		sv.group.Go(func() {
			defer func() { <-sv.room }()
			handle(ctx, conn)
			_ = conn.Close() // for a handler that has forgotten
			sv.mu.Lock()
			delete(sv.conns, conn)
			sv.mu.Unlock()
		})
	}
}

// keep notes a connection for stop to close, unless that has been.
func (sv *serving) keep(conn net.Conn) bool {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	if sv.ended {
		return false
	}
	sv.conns[conn] = true
	return true
}

// stop ends the service: the program is dead, nobody waits for an answer. A handler
// that goes on all the same is a fault of the host, and is left behind.
func (sv *serving) stop() error {
	sv.cancel()
	for _, l := range sv.listeners {
		_ = l.Close()
	}
	sv.mu.Lock()
	sv.ended = true
	for conn := range sv.conns {
		_ = conn.Close()
	}
	sv.mu.Unlock()
	done := make(chan struct{})
	go func() {
		sv.group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(sv.patience):
		return errHandler
	}
}

var errHandler = errors.New("a service's handler goes on after its connection was closed")
