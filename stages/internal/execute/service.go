package execute

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
)

// A program's connections end with it; what is still being handled then has so
// long to end too.
const drainWait = 5 * time.Second

// service serves one datasets.Service over connections that the sandbox hands
// over.
type service struct {
	name     string
	source   datasets.Service
	server   *http.Server
	conns    chan net.Conn
	closed   chan struct{}
	once     sync.Once
	handlers handlers
}

func serve(source datasets.Service) *service {
	s := &service{name: source.Name, source: source, conns: make(chan net.Conn), closed: make(chan struct{})}
	s.server = &http.Server{
		Handler:           s.handlers.count(source.Handler),
		ReadHeaderTimeout: 30 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // what a program sends may be anything
	}
	// It ends when close closes the listener.
	go func() { _ = s.server.Serve(s) }()
	return s
}

// handle serves one connection to its end.
func (s *service) handle(ctx context.Context, conn net.Conn) {
	tracked := &trackedConn{Conn: conn, done: make(chan struct{})}
	select {
	case s.conns <- tracked:
	case <-s.closed:
		_ = conn.Close()
		return
	case <-ctx.Done():
		_ = conn.Close()
		return
	}
	select {
	case <-tracked.done:
	case <-ctx.Done():
		_ = tracked.Close()
	}
}

// Accept, Close and Addr make the service the listener of its own server.
func (s *service) Accept() (net.Conn, error) {
	select {
	case conn := <-s.conns:
		return conn, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *service) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Addr implements net.Listener.
func (s *service) Addr() net.Addr { return address(s.name) }

type address string

func (address) Network() string  { return "sandbox" }
func (a address) String() string { return string(a) }

func (s *service) close() {
	_ = s.Close()
	_ = s.server.Close() // closes the connections; their errors mean nothing
}

// drain waits until no request is being handled and takes what was recorded.
func (s *service) drain(ctx context.Context) datasets.RawValue {
	s.handlers.wait(ctx, drainWait)
	if s.source.Drain == nil {
		return nil
	}
	return s.source.Drain()
}

// trackedConn tells when it was closed.
type trackedConn struct {
	net.Conn
	once sync.Once
	done chan struct{}
}

func (c *trackedConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		err = c.Conn.Close()
		close(c.done)
	})
	return err
}

// handlers counts the requests that are being handled.
type handlers struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n falls to 0; nil while it is 0
}

func (h *handlers) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.begin()
		defer h.end()
		next.ServeHTTP(w, r)
	})
}

func (h *handlers) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n == 0 {
		h.idle = make(chan struct{})
	}
	h.n++
}

func (h *handlers) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n--; h.n == 0 {
		close(h.idle)
		h.idle = nil
	}
}

func (h *handlers) wait(ctx context.Context, limit time.Duration) {
	h.mu.Lock()
	idle := h.idle
	h.mu.Unlock()
	if idle == nil {
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errors.New("a request is still being handled"))
	defer cancel()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
