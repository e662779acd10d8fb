package sandboxtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
)

// info: every control is spoken of, and a result is under those that are kept.
func info(t *testing.T, box sandbox.Sandbox) {
	info := box.Info()
	if info.Backend == "" || len(info.EnvironmentDigest) != 64 || len(info.Enforced()) < 15 {
		t.Errorf("%+v", info)
	}
	var names []string
	for _, control := range info.Controls {
		names = append(names, control.Name)
		if control.How == "" && control.Gap == "" {
			t.Errorf("nothing is said of %s", control.Name)
		}
	}
	if !slices.Equal(names, sandbox.ControlNames) {
		t.Errorf("controls %q, want %q", names, sandbox.ControlNames)
	}
	s := Session(t, box, sandbox.Spec{})
	if r := Execute(t, s, sandbox.Command{Code: "answer = 1"}); !slices.Equal(r.Controls, info.Enforced()) {
		t.Errorf("a result under %q, want %q", r.Controls, info.Enforced())
	}
}

func results(t *testing.T, box sandbox.Sandbox) {
	s := Session(t, box, sandbox.Spec{})
	t.Run("error", func(t *testing.T) {
		r := Execute(t, s, sandbox.Command{Code: "x = {}\n\nx['k']"})
		if r.Status != sandbox.StatusError || r.ErrorType != "KeyError" || r.ErrorLine != 3 || r.ExitCode != 1 {
			t.Errorf("%+v", r)
		}
		if text := string(r.Stderr); !strings.Contains(text, `File "<program>", line 3`) || strings.Contains(text, "zygote") {
			t.Errorf("traceback: %s", text)
		}
	})
	t.Run("syntax error", func(t *testing.T) {
		r := Execute(t, s, sandbox.Command{Code: "x = 1\ny = ("})
		if r.Status != sandbox.StatusError || r.ErrorType != "SyntaxError" || r.ErrorLine != 2 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("exit code", func(t *testing.T) {
		r := Execute(t, s, sandbox.Command{Language: sandbox.Shell, Code: "echo out; echo err >&2; exit 3"})
		if r.Status != sandbox.StatusError || r.ExitCode != 3 || string(r.Stdout) != "out\n" || string(r.Stderr) != "err\n" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("python from a shell", func(t *testing.T) {
		r := Execute(t, s, sandbox.Command{Language: sandbox.Shell, Code: "python -c 'import pandas; print(pandas.__version__)' && python3 --version"})
		if r.Status != sandbox.StatusOK || !strings.HasPrefix(string(r.Stdout), "2.") {
			t.Errorf("%+v", r)
		}
	})
	t.Run("invalid UTF-8", func(t *testing.T) {
		r := Execute(t, s, sandbox.Command{Code: "import sys\nsys.stdout.buffer.write(b'a\\xffb\\x00c')"})
		if string(r.Stdout) != "a�b\x00c" {
			t.Errorf("%q", r.Stdout)
		}
	})
	t.Run("inject and capture", func(t *testing.T) {
		r := Execute(t, s, sandbox.Command{
			Code:    "import numpy as np\nb = np.array([a['x'] + 1])\nclass Fit: pass\nfit = Fit()\nfit.pvalue = .5\nfit.secret = 1\nanswer = a",
			Inject:  map[string]json.RawMessage{"a": json.RawMessage(`{"$":"dict","v":[["x",1]]}`)},
			Capture: []sandbox.Capture{{Name: "b"}, {Name: "fit", Attrs: []string{"pvalue"}}, {Name: "absent"}},
		})
		if string(r.Answer) != `{"$": "dict", "v": [["x", 1]]}` || !strings.Contains(string(r.Captured["b"]), `"ndarray"`) ||
			!strings.Contains(string(r.Captured["fit"]), `"pvalue"`) || strings.Contains(string(r.Captured["fit"]), "secret") {
			t.Errorf("%s %s", r.Answer, r.Captured)
		}
		if _, ok := r.Captured["absent"]; ok {
			t.Error("a variable that was not set is captured")
		}
	})
	t.Run("seeded", func(t *testing.T) {
		code := "import random, numpy as np\nanswer = [random.random(), float(np.random.rand()), hash('a')]"
		a := Execute(t, s, sandbox.Command{Code: code, Seed: 1})
		b := Execute(t, s, sandbox.Command{Code: code, Seed: 1})
		c := Execute(t, s, sandbox.Command{Code: code, Seed: 2})
		if string(a.Answer) != string(b.Answer) || string(a.Answer) == string(c.Answer) || a.Answer == nil {
			t.Errorf("%s %s %s", a.Answer, b.Answer, c.Answer)
		}
	})
	t.Run("large answer", func(t *testing.T) {
		r := Execute(t, s, sandbox.Command{Code: "answer = list(range(400_000))"})
		if len(r.Answer) < 2_000_000 {
			t.Errorf("%d bytes, %s", len(r.Answer), r.Status)
		}
	})
	t.Run("output kept up to the limit", func(t *testing.T) {
		r := Execute(t, Session(t, box, sandbox.Spec{Limits: Small}), sandbox.Command{Code: "print('x' * (1 << 20))"})
		if r.Status != sandbox.StatusOutputLimit || len(r.Stdout) != int(Small.Output) || !r.Truncated {
			t.Errorf("%s, %d bytes, truncated %v", r.Status, len(r.Stdout), r.Truncated)
		}
	})
	t.Run("main", func(t *testing.T) {
		r := Execute(t, s, sandbox.Command{Code: "if __name__ == '__main__':\n    answer = 1"})
		if string(r.Answer) != "1" {
			t.Errorf("%+v", r)
		}
	})
}

// sessions: files are read-only, the work folder lasts within a session and is
// not seen by another, and no interpreter state is carried over.
func sessions(t *testing.T, box sandbox.Sandbox) {
	private := filepath.Join(t.TempDir(), "private.csv")
	if err := os.WriteFile(private, []byte("b\n2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host := filepath.Join(t.TempDir(), "data.csv")
	if err := os.WriteFile(host, []byte("a\n1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	one := Session(t, box, sandbox.Spec{Files: []sandbox.File{
		{Path: "/workdir/study/data.csv", HostPath: host}, {Path: "/data/private.csv", HostPath: private}, {Path: "/workdir/note.txt", Content: []byte("hello")}, {Path: "/workdir/empty", Content: []byte{}}}})
	two := Session(t, box, sandbox.Spec{})

	r := Execute(t, one, sandbox.Command{Code: "import pandas as pd\nanswer = [int(pd.read_csv('/workdir/study/data.csv').a[0]), int(pd.read_csv('/data/private.csv').b[0]), open('/workdir/note.txt').read(), open('/workdir/empty').read()]\nopen('kept.txt', 'w').write('x')\nleft = 1"})
	if string(r.Answer) != `[1, 2, "hello", ""]` {
		t.Errorf("%s %s", r.Answer, r.Stderr)
	}
	for _, path := range []string{"/workdir/study/data.csv", "/workdir/new", "/data/private.csv", "/workdir/note.txt"} {
		r := Execute(t, one, sandbox.Command{Code: "open('" + path + "', 'a')"})
		if r.Status != sandbox.StatusError {
			t.Errorf("%s could be written", path)
		}
	}
	if r := Execute(t, one, sandbox.Command{Code: "answer = [open('/session/kept.txt').read(), 'left' in globals()]"}); string(r.Answer) != `["x", false]` {
		t.Errorf("%s", r.Answer)
	}
	if r := Execute(t, two, sandbox.Command{Code: "import os\nanswer = [os.listdir('/session'), os.listdir('/workdir')]"}); string(r.Answer) != `[[], []]` {
		t.Errorf("%s", r.Answer)
	}
	for _, file := range []sandbox.File{{Path: "/etc/passwd", Content: []byte("x")}, {Path: "/workdir/../etc/x", Content: []byte("x")},
		{Path: "/workdir/x"}, {Path: "/workdir/x", HostPath: "/nonexistent"}} {
		if s, err := box.Open(t.Context(), sandbox.Spec{Files: []sandbox.File{file}}); err == nil {
			t.Errorf("%+v was accepted", file)
			_ = s.Close()
		}
	}
}

// services: a service is reached on the sandbox's loopback and served on the
// host; without one nothing listens.
func services(t *testing.T, box sandbox.Sandbox) {
	var mu sync.Mutex
	var posts []string
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		mu.Lock()
		posts = append(posts, req.Method+" "+string(body))
		mu.Unlock()
		fmt.Fprint(w, "served "+req.URL.Path)
	})
	handle := func(ctx context.Context, conn net.Conn) {
		l := &oneConn{conn: conn, done: make(chan struct{})}
		_ = (&http.Server{Handler: handler, ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				l.once.Do(func() { close(l.done) })
			}
		}}).Serve(l)
	}
	s := Session(t, box, sandbox.Spec{Services: []sandbox.Service{{Port: 8080, Handle: handle}}})
	code := "import requests\nanswer = [requests.get('http://localhost:8080/a').text, requests.post('http://127.0.0.1:8080/b', data='x').text]"
	for range 3 {
		if r := Execute(t, s, sandbox.Command{Code: code}); string(r.Answer) != `["served /a", "served /b"]` {
			t.Fatalf("%s %s", r.Answer, r.Stderr)
		}
	}
	if len(posts) != 6 || posts[1] != "POST x" {
		t.Errorf("%q", posts)
	}
	other := Session(t, box, sandbox.Spec{})
	if r := Execute(t, other, sandbox.Command{Code: "import requests\nrequests.get('http://localhost:8080/a')"}); r.ErrorType != "ConnectionError" {
		t.Errorf("another session reached the service: %s %s", r.Status, r.Stdout)
	}
}

type oneConn struct {
	mu   sync.Mutex
	conn net.Conn
	once sync.Once
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	l.mu.Lock()
	conn := l.conn
	l.conn = nil
	l.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	<-l.done
	return nil, io.EOF
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// cancel: a cancelled execution is no result, and the session lives on.
func cancel(t *testing.T, box sandbox.Sandbox) {
	s := Session(t, box, sandbox.Spec{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := s.Run(ctx, sandbox.Command{Language: sandbox.Python, Code: "while True: pass"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	if r := Execute(t, s, sandbox.Command{Code: "answer = 1"}); string(r.Answer) != "1" {
		t.Errorf("%+v", r)
	}
}

// concurrent: sessions of several goroutines do not mix.
func concurrent(t *testing.T, box sandbox.Sandbox) {
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			s, err := box.Open(t.Context(), sandbox.Spec{Name: fmt.Sprint(i)})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			for step := range 3 {
				r, err := s.Run(t.Context(), sandbox.Command{Language: sandbox.Python, Seed: uint64(i),
					Code: fmt.Sprintf("open('log', 'a').write('%d %d;')\nanswer = open('log').read()", i, step)})
				if err != nil {
					t.Error(err)
					return
				}
				var want strings.Builder
				for k := range step + 1 {
					fmt.Fprintf(&want, "%d %d;", i, k)
				}
				if string(r.Answer) != `"`+want.String()+`"` {
					t.Errorf("%s, want %s", r.Answer, want.String())
				}
			}
		})
	}
	group.Wait()
}

// residue: what one program was given, said and answered is not in the memory
// that the next is forked from.
func residue(t *testing.T, box sandbox.Sandbox) {
	one := Session(t, box, sandbox.Spec{Files: []sandbox.File{{Path: "/data/x", Content: []byte(strings.Repeat("FRAGMENT-", 50))}}})
	two := Session(t, box, sandbox.Spec{})
	// The mark is put together at run time: whoever looks for it does not hold it.
	const search = `
import ctypes
mark = bytes(c ^ 1 for c in b'GS@FLDOU,')
found = 0
for line in open('/proc/self/maps').read().splitlines():
    span, mode = line.split()[:2]
    if mode.startswith('rw') and not line.endswith(']') or '[heap]' in line:
        a, b = (int(x, 16) for x in span.split('-'))
        found += ctypes.string_at(a, b - a).count(mark)
answer = found
`
	for _, imports := range []string{"", "import pandas\n", "import scipy.stats\n"} {
		for range 5 {
			Execute(t, one, sandbox.Command{Code: imports + "# FRAGMENT-\nx = v * 400\nprint(x)\nanswer = x", Inject: map[string]json.RawMessage{"v": json.RawMessage(`"FRAGMENT-"`)}})
		}
		r := Execute(t, two, sandbox.Command{Code: imports + search})
		if string(r.Answer) != "1" { // the mark that is looked for
			t.Errorf("after %q: %s times what is of another session: %s", imports, r.Answer, r.Stderr)
		}
	}
}

// forgedReport: a program that writes its own report is held to the bounds of
// an honest one.
func forgedReport(t *testing.T, box sandbox.Sandbox) {
	s := Session(t, box, sandbox.Spec{Limits: Small})
	for _, test := range []struct{ name, report, answer string }{
		{"not asked for", `'{"captured": {"answer": "1", "other": "2"}}'`, "1"},
		{"no JSON", `'{"captured": {"answer": "1"'`, ""},
		{"another kind", `'{"captured": {"answer": 1}}'`, ""},
		{"no plain value", `'{"captured": {"answer": "[1"}}'`, ""},
		{"lone surrogate", `'{"captured": {"answer": "\\"\\\\ud800\\""}}'`, ""},
		{"same key twice", `'{"captured": {"answer": "{\\"a\\": 1, \\"a\\": 2}"}}'`, ""},
		{"too deep", `'{"captured": {"answer": "' + '[' * 10**6 + ']' * 10**6 + '"}}'`, ""},
		{"deep around it", `'[' * 10**6`, ""},
		{"invalid UTF-8", `b'{"captured": {"answer": "\xff"}}'`, ""},
		{"endless message", `'{"error_type": "' + 'E' * 10**6 + '", "error_message": "' + '\u00e9' * 10**6 + '", "error_line": 99999}'`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := Execute(t, s, sandbox.Command{Code: "import os\ntext = " + test.report + "\ntext = memoryview(text if type(text) is bytes else text.encode())\nwhile text: text = text[os.write(3, text):]\nos._exit(0)",
				Wall: time.Minute})
			if string(r.Answer) != test.answer || len(r.Captured) > 1 || len(r.ErrorType) > backend.MaxErrorType || len(r.ErrorMessage) > backend.MaxErrorMessage || r.ErrorLine != 0 {
				t.Errorf("%s: answer %.50s, %d captured, %d and %d bytes of error at line %d", r.Status, r.Answer, len(r.Captured), len(r.ErrorType), len(r.ErrorMessage), r.ErrorLine)
			}
		})
	}
}

// captureBudget: the limit holds for all captured values together, and does not
// end the program.
func captureBudget(t *testing.T, box sandbox.Sandbox) {
	s := Session(t, box, sandbox.Spec{Limits: sandbox.Limits{Capture: 1 << 20}})
	cmd := sandbox.Command{Code: "answer = 1\n"}
	for i := range 8 {
		cmd.Code += fmt.Sprintf("v%d = ['\"'] * 50_000\n", i)
		cmd.Capture = append(cmd.Capture, sandbox.Capture{Name: fmt.Sprintf("v%d", i)})
	}
	r := Execute(t, s, cmd)
	whole := 0
	for _, v := range r.Captured {
		if !strings.Contains(string(v), "too_large") {
			whole++
		}
	}
	if r.Status != sandbox.StatusOK || string(r.Answer) != "1" || len(r.Captured) != 9 || whole < 3 || whole > 5 {
		t.Errorf("%s, answer %s, %d captured, %d whole", r.Status, r.Answer, len(r.Captured), whole)
	}
}

// refusedCommands: what a caller gets wrong is an error, not a panic and not the
// program's fault.
func refusedCommands(t *testing.T, box sandbox.Sandbox) {
	s := Session(t, box, sandbox.Spec{})
	if _, err := s.Run(t.Context(), sandbox.Command{Language: "perl", Code: "1"}); err == nil {
		t.Error("a language that there is not was accepted")
	}
	if r := Execute(t, s, sandbox.Command{Language: sandbox.Shell, Code: "echo a", Capture: []sandbox.Capture{{Name: "answer"}}}); string(r.Stdout) != "a\n" || r.Answer != nil {
		t.Errorf("%+v", r)
	}
	if r := Execute(t, s, sandbox.Command{Language: sandbox.Shell, Code: ": " + strings.Repeat("x", 1<<20)}); r.Status != sandbox.StatusError || !strings.Contains(string(r.Stderr), "too long") {
		t.Errorf("%s %s", r.Status, r.Stderr)
	}
	host := filepath.Join(t.TempDir(), "host")
	if err := os.WriteFile(host, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	handle := func(_ context.Context, conn net.Conn) { _ = conn.Close() }
	for _, services := range [][]sandbox.Service{{{Port: 0, Handle: handle}}, {{Port: 80}}, {{Port: 80, Handle: handle}, {Port: 80, Handle: handle}}} {
		if s, err := box.Open(t.Context(), sandbox.Spec{Services: services}); err == nil {
			t.Errorf("%+v was accepted", services)
			_ = s.Close()
		}
	}
	// What cannot be put together is refused when the session opens, and leaves nothing.
	for _, file := range []sandbox.File{{Path: "/data/x/y", Content: []byte("b")}, {Path: "/data/x/y", HostPath: host}, {Path: "/data/y", HostPath: filepath.Dir(host)}} {
		if s, err := box.Open(t.Context(), sandbox.Spec{Files: []sandbox.File{{Path: "/data/x", Content: []byte("a")}, file, {Path: "/data/z", HostPath: host}}}); err == nil {
			t.Errorf("%+v was accepted", file)
			_ = s.Close()
		}
	}
	s = Session(t, box, sandbox.Spec{Files: []sandbox.File{{Path: "/data/x", HostPath: host}}})
	if r := Execute(t, s, sandbox.Command{Code: "answer = open('/data/x').read()"}); string(r.Answer) != `"kept"` {
		t.Errorf("%+v", r)
	}
}

// portLeftBehind: a program leaves a listener on a service's port in a socket
// that is in flight to itself, which the kernel frees only some time after its end.
func portLeftBehind(t *testing.T, box sandbox.Sandbox) {
	bad := Session(t, box, sandbox.Spec{})
	good := Session(t, box, sandbox.Spec{Services: []sandbox.Service{{Port: 8080, Handle: func(_ context.Context, conn net.Conn) {
		_, _ = io.WriteString(conn, "served")
		_ = conn.Close()
	}}}})
	for range 5 {
		r := Execute(t, bad, sandbox.Command{Code: `
import array, socket
for _ in range(200):
    a, b = socket.socketpair()
    socket.send_fds(a, [b'x'], [a.fileno(), b.fileno()])
l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try:
    l.bind(('0.0.0.0', 8080))
    l.listen()
except PermissionError: pass  # Landlock
a, b = socket.socketpair()
socket.send_fds(a, [b'x'], [a.fileno(), b.fileno(), l.fileno()])
answer = 1`})
		if string(r.Answer) != "1" {
			t.Fatalf("%+v", r)
		}
		r = Execute(t, good, sandbox.Command{Code: "import socket\nanswer = socket.create_connection(('localhost', 8080)).recv(10).decode()"})
		if string(r.Answer) != `"served"` {
			t.Errorf("%+v", r)
		}
	}
}

// manyConnections: a program that opens connections without end takes no more
// of the host's descriptors than it may.
func manyConnections(t *testing.T, box sandbox.Sandbox) {
	var mu sync.Mutex
	now, most := 0, 0
	s := Session(t, box, sandbox.Spec{Services: []sandbox.Service{{Port: 8080, Handle: func(ctx context.Context, conn net.Conn) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		<-ctx.Done()
		mu.Lock()
		now--
		mu.Unlock()
	}}}})
	r := Execute(t, s, sandbox.Command{Code: "import socket, time\nheld = []\nfor _ in range(300):\n    c = socket.socket()\n    c.setblocking(False)\n    c.connect_ex(('127.0.0.1', 8080))\n    held.append(c)\ntime.sleep(.5)\nanswer = 1"})
	if string(r.Answer) != "1" || most > backend.MaxConns || most < 10 || now != 0 {
		t.Errorf("%s, at most %d connections at a time, %d now", r.Status, most, now)
	}
}
