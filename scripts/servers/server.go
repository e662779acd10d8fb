package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// modelName is what the servers call the model.
const modelName = "noise"

// slots is how many requests a server works on at a time.
const slots = 2

// kind is a server that can be had here.
type kind struct {
	name string
	// prepare installs it; what is said on the way goes to log.
	prepare func(ctx context.Context, log io.Writer) (launcher, error)
	extra   bodies
	// anyModel says that it answers to every name of a model.
	anyModel bool
	// cutsPrompts says that it cuts prompts that are too long, and tells nobody.
	cutsPrompts bool
}

// bodies are what the requests of a trial carry beside the program's own fields.
type bodies struct{ grammar, tools string }

// kinds are the servers, in the order in which they are tried.
var kinds = []kind{
	{name: "llama", prepare: prepareLlama, anyModel: true, extra: bodies{grammar: actionsFormat, tools: llamaCalls}},
	{name: "ollama", prepare: prepareOllama, cutsPrompts: true, extra: bodies{grammar: actionsFormat, tools: ollamaCalls}},
}

// launcher makes the command of a server over a model file, with texts of at most
// context tokens; state is a folder of its own. ready is called when the server
// listens.
type launcher interface {
	command(ctx context.Context, state string, model string, port, context int) *exec.Cmd
	ready(ctx context.Context, base, model string, context int) error
	// begun matches, in the log, each request that the server took up, or refused for
	// its length.
	begun() *regexp.Regexp
}

// server is one that runs, or that ran.
type server struct {
	launcher
	state, model  string
	port, context int

	cmd  *exec.Cmd
	in   io.Closer
	log  *os.File
	gone chan struct{} // closed when the process has ended
}

// serve starts a server over the model file on a free port of this machine and waits
// until it answers. Its log is <state>/log.
func serve(ctx context.Context, l launcher, state, model string, context int) (*server, error) {
	port, err := freePort()
	if err := errors.Join(err, os.MkdirAll(state, 0o700)); err != nil {
		return nil, err
	}
	s := &server{launcher: l, state: state, model: model, port: port, context: context}
	return s, s.start(ctx)
}

// freePort finds a port that nobody listens on and that no connection is given: a
// client that tries a port of those while its server is away may meet itself.
func freePort() (int, error) {
	for range 100 {
		listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(20_000+rand.IntN(10_000)))
		if err == nil {
			return listener.Addr().(*net.TCPAddr).Port, listener.Close()
		}
	}
	return 0, errors.New("no port is free")
}

// base is the server's address, endpoint that of its OpenAI-compatible API.
func (s *server) base() string     { return "http://127.0.0.1:" + strconv.Itoa(s.port) }
func (s *server) endpoint() string { return s.base() + "/v1" }

// start starts it, or starts it again where it was.
func (s *server) start(ctx context.Context) (err error) {
	if s.log, err = os.OpenFile(filepath.Join(s.state, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	s.cmd = s.command(ctx, s.state, s.model, s.port, s.context)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	// Its children too are ended by group, and all of them where this program dies.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	s.cmd.Cancel = func() error { return syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) }
	if s.in, err = s.cmd.StdinPipe(); err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return errors.Join(err, s.log.Close())
	}
	gone := make(chan struct{})
	s.gone = gone
	go func() { defer close(gone); _ = s.cmd.Wait() }()
	if err := s.wait(ctx); err != nil {
		s.kill()
		return err
	}
	return nil
}

// wait waits until the server answers and has the model.
func (s *server) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		res, err := get(ctx, s.endpoint()+"/models")
		if err == nil && res == http.StatusOK {
			return s.ready(ctx, s.base(), s.model, s.context)
		}
		select {
		case <-s.gone:
			return fmt.Errorf("the server ended before it answered, see %s", s.log.Name())
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer, see %s: %w", s.log.Name(), ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// kill ends the server and its children by SIGKILL, and returns when they are gone.
func (s *server) kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	<-s.gone
	_, _ = s.in.Close(), s.log.Close()
}

// asked counts the requests so far, by the server's log.
func (s *server) asked() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.state, "log"))
	return len(s.begun().FindAllIndex(text, -1)), err
}

// get is the status of a GET.
func get(ctx context.Context, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}
