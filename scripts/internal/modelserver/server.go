// Package modelserver is a chat-completions server that plays a script, for proofs and
// benchmarks of what asks models. What it answers is a function of the request alone,
// so that a run against it can be repeated, whatever the order of requests and however
// often each is sent. On request it fails in every way that servers are known to fail.
package modelserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// Options of a server. The zero value answers everything with an empty reply.
type Options struct {
	Play     func(r Request, choice int) Reply
	Delay    time.Duration // of every answer
	Faults   *Faults       // nil: none
	Key      string        // that is asked for; empty: none
	Model    string        // the only one there is; empty: any
	Redirect bool          // every request is sent elsewhere
	TLS      bool          // with a certificate that nobody knows
}

// Canary is in the text of every fault, beside what was asked: servers quote requests
// in their errors, and no client may print them.
const Canary = "CANARY-OF-THE-MODEL-SERVER"

// Server is one that listens on loopback.
type Server struct {
	opts    Options
	address string
	cert    *tls.Config // nil: plain HTTP
	closed  chan struct{}
	outages sync.WaitGroup

	mu      sync.Mutex
	http    *http.Server // nil: down
	serving chan error
	conns   map[net.Conn]bool
	met     map[string]int // faults so far, by conversation
	tallies map[Kind]*Tally
	hit     map[Kind]map[string]bool
	counts  Counts
	flying  int
	closing bool
	failed  error // of an outage that did not end
}

// Counts are what a server did.
type Counts struct {
	Requests int // that it read
	Answers  int
	Most     int       // requests in flight
	First    time.Time // when it read the first
}

// Tally is what it gave of one kind of fault.
type Tally struct {
	Kind          Kind
	Given         int
	Conversations int
	Seconds       float64 // that requests spent in it
}

// Down is the kind under which outages are told.
const Down Kind = "nobody listens, all connections reset"

// Start opens a server.
func Start(opts Options) (*Server, error) {
	s := &Server{opts: opts, closed: make(chan struct{}), conns: map[net.Conn]bool{}, met: map[string]int{},
		tallies: map[Kind]*Tally{}, hit: map[Kind]map[string]bool{}}
	if opts.TLS {
		var err error
		if s.cert, err = selfSigned(); err != nil {
			return nil, err
		}
	}
	listener, err := listen()
	if err != nil {
		return nil, err
	}
	s.address = listener.Addr().String()
	s.serve(listener)
	return s, nil
}

// listen takes a port below those that the kernel gives to connections: a server that
// is down for a while finds it free again.
func listen() (net.Listener, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+mathrand.IntN(20_000))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no port is free: %w", err)
}

// URL is the address of its API.
func (s *Server) URL() string {
	if s.cert != nil {
		return "https://" + s.address + "/v1"
	}
	return "http://" + s.address + "/v1"
}

// Address is host and port.
func (s *Server) Address() string { return s.address }

func (s *Server) serve(listener net.Listener) {
	server := &http.Server{Handler: http.HandlerFunc(s.handle), ConnState: s.note, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	if s.cert != nil {
		listener = tls.NewListener(listener, s.cert)
	}
	serving := make(chan error, 1)
	s.mu.Lock()
	s.http, s.serving = server, serving
	s.mu.Unlock()
	go func() { serving <- server.Serve(listener) }()
}

// note keeps the connections, to reset them.
func (s *Server) note(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.conns[conn] = true
	case http.StateClosed, http.StateHijacked:
		delete(s.conns, conn)
	}
}

// Stop has nobody listen any more, and resets every connection.
func (s *Server) Stop() {
	s.mu.Lock()
	server, serving := s.http, s.serving
	s.http = nil
	for conn := range s.conns {
		reset(conn)
	}
	s.mu.Unlock()
	if server == nil {
		return
	}
	_ = server.Close() // the connections are reset already
	<-serving
}

// reset has the connection end by RST.
func reset(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if plain, ok := conn.(*net.TCPConn); ok {
		_ = plain.SetLinger(0)
	}
	_ = conn.Close()
}

// Resume listens again at the same address.
func (s *Server) Resume() error {
	var err error
	for begin := time.Now(); time.Since(begin) < 20*time.Second; {
		var l net.Listener
		if l, err = net.Listen("tcp", s.address); err == nil {
			s.serve(l)
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("the server cannot come back: %w", err)
}

// Close ends the server. Its error is that of an outage that could not be ended.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closing {
		s.closing = true
		close(s.closed)
	}
	s.mu.Unlock()
	s.outages.Wait()
	s.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Counts are those until now.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Tallies are those of the faults that were given, in the order of the kinds.
func (s *Server) Tallies() []Tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Tally
	for _, kind := range slices.Concat(passing, staying, []Kind{Down}) {
		if t := s.tallies[kind]; t != nil {
			t.Conversations = len(s.hit[kind])
			out = append(out, *t)
		}
	}
	return out
}

// given counts a fault; the lock is held.
func (s *Server) given(kind Kind, conversation string) {
	if s.tallies[kind] == nil {
		s.tallies[kind], s.hit[kind] = &Tally{Kind: kind}, map[string]bool{}
	}
	s.tallies[kind].Given++
	if conversation != "" {
		s.hit[kind][conversation] = true
	}
}

// spent adds to the time of a kind of fault that was given.
func (s *Server) spent(kind Kind, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tallies[kind].Seconds += time.Since(since).Seconds()
}

// handle answers one request.
func (s *Server) handle(w http.ResponseWriter, req *http.Request) {
	switch {
	case s.opts.Redirect:
		http.Redirect(w, req, "http://192.0.2.1/v1/chat/completions", http.StatusTemporaryRedirect)
		return
	case req.URL.Path != "/v1/chat/completions" || req.Method != http.MethodPost:
		fault(w, http.StatusNotFound, "not_found_error", "", "File Not Found "+Canary)
		return
	case s.opts.Key != "" && req.Header.Get("Authorization") != "Bearer "+s.opts.Key:
		fault(w, http.StatusUnauthorized, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: "+req.Header.Get("Authorization")+" "+Canary)
		return
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, 64<<20))
	if err != nil {
		return // the client has left
	}
	var r Request
	if err := json.Unmarshal(body, &r); err != nil || len(r.Messages) == 0 {
		fault(w, http.StatusBadRequest, "invalid_request_error", "", "the request cannot be read: "+Canary)
		return
	}
	if s.opts.Model != "" && r.Model != s.opts.Model {
		fault(w, http.StatusNotFound, "invalid_request_error", "model_not_found", "The model `"+r.Model+"` does not exist. "+Canary)
		return
	}
	kind := s.receive(r)
	defer s.leave()
	if kind == "" {
		s.answer(req.Context(), w, r)
		return
	}
	begin := time.Now()
	s.fail(req.Context(), w, r, kind)
	s.spent(kind, begin)
}

// receive counts a request and chooses how it fails, if it does.
func (s *Server) receive(r Request) Kind {
	conversation := r.conversation()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts.Requests++; s.counts.Requests == 1 {
		s.counts.First = time.Now()
	}
	s.flying++
	s.counts.Most = max(s.counts.Most, s.flying)
	if f := s.opts.Faults; f != nil && !s.closing {
		for _, o := range f.Outages {
			if o.After == s.counts.Requests {
				s.given(Down, "")
				s.outages.Add(1)
				go s.outage(o)
			}
		}
	}
	kind := s.opts.Faults.choose(r, conversation, s.met[conversation])
	if kind != "" {
		s.met[conversation]++
		s.given(kind, conversation)
	}
	return kind
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying--
}

func (s *Server) outage(o Outage) {
	defer s.outages.Done()
	s.Stop()
	begin := time.Now()
	wait(context.Background(), s.closed, o.For)
	s.spent(Down, begin)
	if err := s.Resume(); err != nil {
		s.mu.Lock()
		s.failed = err
		s.mu.Unlock()
	}
}

// wait says whether the time passed before ctx or the server ended.
func wait(ctx context.Context, closed <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-closed:
	}
	return false
}

func (s *Server) answer(ctx context.Context, w http.ResponseWriter, r Request) {
	if s.opts.Delay > 0 && !wait(ctx, s.closed, s.opts.Delay) {
		return
	}
	body, err := s.right(r)
	if err != nil {
		fault(w, http.StatusInternalServerError, "server_error", "", err.Error())
		return
	}
	s.mu.Lock()
	s.counts.Answers++
	s.mu.Unlock()
	send(w, http.StatusOK, body)
}

// right is the true answer.
func (s *Server) right(r Request) ([]byte, error) {
	replies := make([]Reply, max(1, r.N))
	for i := range replies {
		if s.opts.Play != nil {
			replies[i] = s.opts.Play(r, i)
		}
	}
	return render(r, replies)
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have left
}

// fault sends an error as OpenAI words it.
func fault(w http.ResponseWriter, status int, kind, code, message string) {
	detail := map[string]any{"message": message, "type": kind, "param": nil, "code": code}
	if code == "" {
		detail["code"] = nil
	}
	text, err := json.Marshal(map[string]any{"error": detail})
	if err != nil {
		text = []byte("{}")
	}
	send(w, status, text)
}

// selfSigned makes a certificate that no client trusts.
func selfSigned() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, nil
}
