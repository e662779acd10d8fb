package fake_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
)

func TestSessions(t *testing.T) {
	inside := make(chan struct{})
	box := fake.New(func(ctx context.Context, _ *fake.Session, cmd sandbox.Command) (sandbox.Result, error) {
		if cmd.Code == "wait" {
			close(inside)
			<-ctx.Done()
			return sandbox.Result{}, ctx.Err()
		}
		return sandbox.Result{Status: sandbox.StatusOK, Stdout: []byte(cmd.Code)}, nil
	})
	for _, f := range []sandbox.File{{Path: "/data/x"}, {Path: "/data/x", HostPath: "h", Content: []byte("c")}} {
		if _, err := box.Open(t.Context(), sandbox.Spec{Files: []sandbox.File{f}}); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	s, err := box.Open(t.Context(), sandbox.Spec{Name: "a", Services: []sandbox.Service{{Port: 80, Handle: func(_ context.Context, conn net.Conn) {
		_, _ = io.WriteString(conn, "hello")
		_ = conn.Close()
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	if res, err := s.Run(t.Context(), sandbox.Command{Code: "x"}); err != nil || string(res.Stdout) != "x" {
		t.Errorf("%+v, %v", res, err)
	}
	opened := box.Sessions()[0]
	conn, err := opened.Dial(t.Context(), 80)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); err != nil || string(text) != "hello" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := opened.Dial(t.Context(), 81); err == nil {
		t.Error("a port that is not served answers")
	}

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Run(ctx, sandbox.Command{Code: "wait"})
		done <- err
	}()
	<-inside
	if _, err := s.Run(t.Context(), sandbox.Command{Code: "y"}); err == nil {
		t.Error("two executions of a session ran at once")
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if n := len(opened.Commands()); n != 2 || box.Running() != 1 {
		t.Errorf("%d commands, %d running", n, box.Running())
	}
	if err := box.Close(); err != nil || !opened.Closed() || box.Running() != 0 {
		t.Errorf("close: %v", err)
	}
	if _, err := s.Run(t.Context(), sandbox.Command{}); !errors.Is(err, fake.ErrClosed) {
		t.Errorf("run after close: %v", err)
	}
	if _, err := box.Open(t.Context(), sandbox.Spec{}); !errors.Is(err, fake.ErrClosed) {
		t.Errorf("open after close: %v", err)
	}
}
