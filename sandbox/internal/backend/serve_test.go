package backend

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
)

// TestHandlerGoesOn: a service whose handler never ends is an error, not a hang.
func TestHandlerGoesOn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	defer close(release)
	sv := Serve(t.Context(), []sandbox.Service{{Port: 1, Handle: func(context.Context, net.Conn) { <-release }}}, []net.Listener{l})
	sv.patience = 50 * time.Millisecond
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); len(sv.room) == 0 && time.Since(begin) < time.Minute; time.Sleep(time.Millisecond) {
	}
	time.Sleep(10 * time.Millisecond)
	if err := sv.Stop(); !errors.Is(err, ErrHandler) {
		t.Errorf("error %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}
