package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
)

// CheckServices says what is wrong with a session's services.
func CheckServices(services []sandbox.Service) error {
	seen := map[int]bool{}
	for _, service := range services {
		switch {
		case service.Port < 1 || service.Port > 65535:
			return fmt.Errorf("service on port %d: want 1 to 65535", service.Port)
		case service.Handle == nil:
			return fmt.Errorf("service on port %d has no handler", service.Port)
		case seen[service.Port]:
			return fmt.Errorf("service on port %d is given twice", service.Port)
		}
		seen[service.Port] = true
	}
	return nil
}

// Serving answers connections while a program runs.
type Serving struct {
	cancel    context.CancelFunc
	listeners []net.Listener
	group     sync.WaitGroup

	patience time.Duration // with handlers, once all is closed

	room  chan struct{} // a token for each connection: a program shall not use up the host's descriptors
	mu    sync.Mutex
	conns map[net.Conn]bool
	ended bool
}

// MaxConns is how many connections of one program are served at a time; more wait.
const MaxConns = 64

// grace is how long a handler may go on once all is closed.
const grace = 15 * time.Second

// Serve answers the connections that come to the listeners, one for each service.
func Serve(ctx context.Context, services []sandbox.Service, listeners []net.Listener) *Serving {
	sv := &Serving{conns: map[net.Conn]bool{}, room: make(chan struct{}, MaxConns), patience: grace, listeners: listeners}
	ctx, sv.cancel = context.WithCancel(ctx)
	for i, l := range sv.listeners {
		sv.group.Go(func() { sv.accept(ctx, l, services[i].Handle) })
	}
	return sv
}

func (sv *Serving) accept(ctx context.Context, l net.Listener, handle func(context.Context, net.Conn)) {
	for {
		select {
		case sv.room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		conn, err := l.Accept()
		if err != nil {
			return // Stop has closed it
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

// keep notes a connection for Stop to close, unless that has been.
func (sv *Serving) keep(conn net.Conn) bool {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	if sv.ended {
		return false
	}
	sv.conns[conn] = true
	return true
}

// Stop ends the service: the program is dead, nobody waits for an answer. A handler
// that goes on all the same is a fault of the host, and is left behind.
func (sv *Serving) Stop() error {
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
		return ErrHandler
	}
}

var ErrHandler = errors.New("a service's handler goes on after its connection was closed")
