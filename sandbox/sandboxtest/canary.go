package sandboxtest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/medgym-data/medgym-data/sandbox"
)

// canaries are secrets in places of the host and of other sessions that no program
// may reach. Each begins with a mark that programs look for in what they can read.
type canaries struct {
	secret []byte
	places map[string]string // told to the programs
	hits   func() int        // connections that came to the host's listeners
}

// place lays the canaries out. What a program writes is searched for the secret,
// whatever it tells of itself.
func place(t *testing.T) *canaries {
	t.Helper()
	c := &canaries{secret: []byte("canary-of-the-host-" + rand.Text()), places: map[string]string{}}
	t.Setenv("MEDGYM_CANARY", string(c.secret))
	write := func(name, dir string) {
		dir, err := os.MkdirTemp(dir, "medgym-canary-")
		if err != nil {
			t.Logf("no canary in the place %s: %v", name, err)
			return
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		file := filepath.Join(dir, "secret")
		// Whoever sees the file may read it: what keeps it is that nobody sees it.
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, c.secret, 0o644); err != nil {
			t.Fatal(err)
		}
		c.places[name] = file
	}
	write("tmp", "/tmp")
	write("temporary", "")
	if home, err := os.UserHomeDir(); err == nil {
		write("home", home)
	}

	accepted := make(chan struct{}, 1000)
	listen := func(name, network, address string) net.Listener {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- struct{}{}
				_, _ = conn.Write(c.secret)
				_ = conn.Close()
			}
		}()
		c.places[name] = l.Addr().String()
		return l
	}
	_, port, err := net.SplitHostPort(listen("loopback", "tcp", "127.0.0.1:0").Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.places["port"] = port
	listen("abstract", "unix", "@medgym-canary-"+rand.Text())
	dir, err := os.MkdirTemp("", "medgym-daemon-") // short, for the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	daemon := filepath.Join(dir, "docker.sock")
	listen("daemon", "unix", daemon)
	if err := os.Chmod(daemon, 0o666); err != nil {
		t.Fatal(err)
	}
	c.places["pid"] = fmt.Sprint(os.Getpid())
	c.hits = func() int { return len(accepted) }
	return c
}

// neighbour is a session beside the programs' own that holds a secret in each of
// the places that a session has.
func (c *canaries) neighbour(t *testing.T, box sandbox.Sandbox) sandbox.Session {
	t.Helper()
	host := filepath.Join(t.TempDir(), "theirs.csv")
	if err := os.WriteFile(host, c.secret, 0o600); err != nil {
		t.Fatal(err)
	}
	s := Session(t, box, sandbox.Spec{Files: []sandbox.File{
		{Path: "/data/theirs.csv", HostPath: host}, {Path: "/workdir/theirs.txt", Content: c.secret}}})
	r := Execute(t, s, sandbox.Command{Code: fmt.Sprintf("open('/session/theirs', 'w').write(%q)\nanswer = 1", c.secret)})
	if string(r.Answer) != "1" {
		t.Fatalf("the neighbour: %s %s", r.Status, r.Stderr)
	}
	return s
}

// intact holds that the files on the host are as they were laid out.
func (c *canaries) intact(t *testing.T) {
	t.Helper()
	for _, name := range []string{"tmp", "temporary", "home"} {
		file, ok := c.places[name]
		if !ok {
			continue
		}
		if text, err := os.ReadFile(file); err != nil || !bytes.Equal(text, c.secret) {
			t.Errorf("the host's file in the place %s is not as it was: %v", name, err)
		}
	}
}

// found says whether a program came by the secret.
func (c *canaries) found(r sandbox.Result) bool {
	if bytes.Contains(r.Stdout, c.secret) || bytes.Contains(r.Stderr, c.secret) || bytes.Contains([]byte(r.ErrorMessage), c.secret) {
		return true
	}
	for _, value := range r.Captured {
		if bytes.Contains(value, c.secret) {
			return true
		}
	}
	return false
}
