//go:build linux && amd64

package docker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/sandboxtest"
)

// ownerVariable has the test program open a sandbox, say so, and wait to be killed.
const ownerVariable = "MEDGYM_TEST_OWNER"

func TestMain(m *testing.M) {
	if os.Getenv(ownerVariable) != "" {
		box, err := New(context.Background(), Options{Warm: 2})
		if err == nil {
			_, err = box.Open(context.Background(), sandbox.Spec{})
		}
		fmt.Println("open", err)
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

// startBox starts a sandbox. Where no engine or image is there tests are skipped, and
// fail where CI is set.
func startBox(t testing.TB, opts Options) *Sandbox {
	t.Helper()
	box, err := New(t.Context(), opts)
	if errors.Is(err, sandbox.ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED, the docker backend is not tested: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// newBox starts a sandbox that is closed, and leaves nothing, when the test ends. It
// must be the only one of this process.
func newBox(t testing.TB, opts Options) *Sandbox {
	t.Helper()
	box := startBox(t, opts)
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
		if left := containers(t, box.owner); len(left) > 0 {
			t.Errorf("containers left behind: %v", left)
		}
		if _, err := os.Stat(box.folder.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the folder is there: %v", err)
		}
	})
	return box
}

// containers lists those of an owner.
func containers(t testing.TB, owner string) []string {
	t.Helper()
	b := &Sandbox{image: Image()}
	if err := b.connect(context.Background()); err != nil {
		t.Fatal(err)
	}
	found, err := b.engine.ContainerList(context.Background(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", label+"="+owner))})
	if err := errors.Join(err, b.engine.Close()); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range found {
		ids = append(ids, c.ID)
	}
	return ids
}

// TestPrograms runs programs one after the other in one session. After each, the next
// execution is clean.
func TestPrograms(t *testing.T) {
	box := newBox(t, Options{Warm: 1})
	refuses := func(what string) string {
		return "import ctypes, os, signal, socket, resource, sys\nlibc = ctypes.CDLL(None, use_errno=True)\ntry:\n    answer = " + what +
			"\nexcept Exception as e:\n    answer = 'refused ' + type(e).__name__\n"
	}
	// The warm interpreters are found by what they run.
	const tiers = "[int(p) for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]"
	const refused = `"refused`
	tests := []struct {
		name, code string
		language   sandbox.Language
		status     sandbox.Status
		answer     string // a prefix
		wall       time.Duration
	}{
		{name: "answer", code: "import pandas\nprint(1)\nanswer = [pandas.DataFrame({'a': [1]}).a.sum().item(), 'x']", status: sandbox.StatusOK, answer: `[1, "x"]`},
		{name: "science", code: "import scipy.stats, sklearn.linear_model, statsmodels.api\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
		{name: "exception", code: "\n1 / 0", status: sandbox.StatusError},
		{name: "shell", code: "id -u; pwd; cat /proc/1/environ", language: sandbox.Shell, status: sandbox.StatusError},
		{name: "user", code: "import os\nanswer = [os.getuid(), os.getgid(), os.getcwd()]", status: sandbox.StatusOK, answer: `[65534, 65534, "/session"]`},
		{name: "fork bomb", code: "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", status: sandbox.StatusTimeout, wall: 2 * time.Second},
		{name: "fork and setsid bomb", code: "import os\nwhile True:\n    try:\n        if os.fork() == 0: os.setsid()\n    except OSError: pass", status: sandbox.StatusTimeout, wall: 2 * time.Second},
		{name: "bomb of short lives", code: "import os\nwhile True:\n    try:\n        if os.fork(): os._exit(0)\n    except OSError: pass", status: sandbox.StatusOK, wall: 2 * time.Second},
		{name: "daemon", code: "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
		{name: "stopped children", code: "import os, signal\nfor _ in range(5):\n    if os.fork() == 0:\n        os.kill(os.getpid(), signal.SIGSTOP)\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
		{name: "child holds stdout", code: "import subprocess\nsubprocess.Popen(['sleep', '600'])\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
		{name: "sleep", code: "import time\ntime.sleep(600)", status: sandbox.StatusTimeout, wall: time.Second},
		{name: "CPU", code: "while True: pass", status: sandbox.StatusTimeout},
		{name: "CPU of orphans", code: "import os, time\nend = time.monotonic() + 20\nwhile time.monotonic() < end:\n    if os.fork() == 0:\n        if os.fork() == 0:\n            t = time.process_time()\n            while time.process_time() < t + .2: pass\n        os._exit(0)\n    os.wait()\n    time.sleep(.2)", status: sandbox.StatusTimeout},
		{name: "large list", code: "x = [0] * 10**10", status: sandbox.StatusMemory},
		{name: "children share the memory limit", code: "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n        x = bytearray(b'x') * (100 << 20)\n        time.sleep(600)\ntime.sleep(600)", status: sandbox.StatusMemory},
		{name: "threads", code: "import threading, time\nn = 0\ntry:\n    while True: threading.Thread(target=time.sleep, args=(600,), daemon=True).start(); n += 1\nexcept RuntimeError: answer = n < 50", status: sandbox.StatusOK, answer: "true"},
		{name: "fill /tmp", code: "try:\n    f = open('/tmp/x', 'wb')\n    while True: f.write(bytes(1 << 20)); f.flush()\nexcept OSError as e:\n    answer = 'refused'", status: sandbox.StatusOK, answer: refused},
		{name: "fill /dev/shm", code: "try:\n    for i in range(100): open('/dev/shm/x%d' % i, 'wb').write(bytes(1 << 20))\nexcept OSError as e:\n    answer = 'refused'", status: sandbox.StatusOK, answer: refused},
		{name: "inodes", code: "try:\n    for i in range(10**6): open('/tmp/%d' % i, 'w').close()\nexcept OSError as e:\n    answer = 'refused'", status: sandbox.StatusOK, answer: refused},
		{name: "closed and deep folders", code: "import os\nos.chdir('/tmp')\nfor _ in range(200):\n    os.mkdir('d')\n    os.chdir('d')\nos.makedirs('/tmp/a/b')\nopen('/tmp/a/b/c', 'w').close()\nos.chmod('/tmp/a/b', 0)\nos.mkfifo('/tmp/-rf')\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
		{name: "endless output", code: "while True: print('x' * 1000)", status: sandbox.StatusOutputLimit},
		{name: "segfault", code: "import ctypes\nctypes.string_at(0)", status: sandbox.StatusKilled},
		{name: "kill all", code: "import os, signal\nos.kill(-1, signal.SIGKILL)\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
		{name: "kill the warm interpreters", code: refuses("[os.kill(p, signal.SIGKILL) for p in " + tiers + "]"), status: sandbox.StatusOK, answer: refused},
		{name: "stop the warm interpreters", code: refuses("[os.kill(p, signal.SIGSTOP) for p in " + tiers + "]"), status: sandbox.StatusOK, answer: refused},
		{name: "signal through a pidfd", code: refuses("[signal.pidfd_send_signal(os.pidfd_open(p), signal.SIGKILL) for p in " + tiers + "]"), status: sandbox.StatusOK, answer: refused},
		{name: "limits of the supervisor", code: refuses("resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))"), status: sandbox.StatusOK, answer: refused},
		{name: "memory of the supervisor", code: refuses("open('/proc/1/mem', 'rb').read(1)"), status: sandbox.StatusOK, answer: refused},
		{name: "streams of the supervisor", code: refuses("os.listdir('/proc/1/fd')"), status: sandbox.StatusOK, answer: refused},
		{name: "environment of the warm interpreters", code: refuses("[open('/proc/%d/environ' % p).read() for p in " + tiers + "]"), status: sandbox.StatusOK, answer: refused},
		{name: "priority of all", code: refuses("os.setpriority(os.PRIO_USER, 0, 19)"), status: sandbox.StatusOK, answer: refused},
		{name: "inherited descriptors", code: "import os\nanswer = sorted(int(f) for f in os.listdir('/proc/self/fd'))", status: sandbox.StatusOK, answer: "[0, 1, 2, 3, 4]"},
		{name: "ptrace", code: refuses("libc.ptrace(16, 1, 0, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "unshare", code: refuses("libc.unshare(0x10000000)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "memfd", code: refuses("os.memfd_create('x')"), status: sandbox.StatusOK, answer: refused},
		{name: "TCP out", code: refuses("socket.create_connection(('192.0.2.1', 80), 2)"), status: sandbox.StatusOK, answer: refused},
		{name: "the engine's socket", code: refuses("open('/var/run/docker.sock')"), status: sandbox.StatusOK, answer: refused},
		{name: "write to the packages", code: refuses("open('/opt/env/pandas/__init__.py', 'a')"), status: sandbox.StatusOK, answer: refused},
		{name: "write to the supervisor's code", code: refuses("open('/opt/medgym/zygote.py', 'a')"), status: sandbox.StatusOK, answer: refused},
		{name: "capabilities", code: "answer = [l.split()[1] for l in open('/proc/self/status') if l.startswith('Cap')]", status: sandbox.StatusOK, answer: `["0000000000000000", "0000000000000000", "0000000000000000", "0000000000000000", "0000000000000000"]`},
		{name: "poisoned package", code: "import pandas\npandas.read_csv = None\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
	}
	s := sandboxtest.Session(t, box, sandbox.Spec{Limits: sandboxtest.Small})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := sandboxtest.Execute(t, s, sandbox.Command{Language: tt.language, Code: tt.code, Wall: tt.wall})
			if r.Status != tt.status || !strings.HasPrefix(string(r.Answer), tt.answer) {
				t.Errorf("%s, want %s; answer %.200s, want %s; %.500s", r.Status, tt.status, r.Answer, tt.answer, r.Stderr)
			}
			r = sandboxtest.Execute(t, s, sandbox.Command{Code: "import os, pandas\nme = os.getpid()\nanswer = [pandas.read_csv is None, os.listdir('/tmp'), os.listdir('/dev/shm'), [p for p in os.listdir('/proc') if p.isdigit() and int(p) > me]]"})
			if string(r.Answer) != "[false, [], [], []]" {
				t.Errorf("afterwards: %s %s %s", r.Status, r.Answer, r.Stderr)
			}
		})
	}
}

func TestSession(t *testing.T) {
	box := newBox(t, Options{Warm: 1})
	dir := t.TempDir()
	private := filepath.Join(dir, "private.csv")
	if err := os.WriteFile(private, []byte("a,b\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := sandbox.Spec{Files: []sandbox.File{
		{Path: "/data/deep/p.csv", HostPath: private}, {Path: "/data/deep/c.txt", Content: []byte("content")}, {Path: "/workdir/w", Content: []byte{}}}}
	s := sandboxtest.Session(t, box, spec)
	r := sandboxtest.Execute(t, s, sandbox.Command{Code: "import pandas\nopen('kept', 'w').write('1')\nanswer = [pandas.read_csv('/data/deep/p.csv').b[0].item(), open('/data/deep/c.txt').read(), open('/workdir/w').read()]"})
	if string(r.Answer) != `[2, "content", ""]` {
		t.Errorf("%s %s %s", r.Status, r.Answer, r.Stderr)
	}
	for _, name := range []string{"/data/deep/p.csv", "/data/deep/c.txt", "/data/new", "/workdir/new"} {
		if r := sandboxtest.Execute(t, s, sandbox.Command{Code: fmt.Sprintf("open(%q, 'a')", name)}); r.Status != sandbox.StatusError || r.ErrorType == "" {
			t.Errorf("%s can be written: %+v", name, r)
		}
	}
	if r := sandboxtest.Execute(t, s, sandbox.Command{Code: "import os\nanswer = os.listdir()"}); string(r.Answer) != `["kept"]` {
		t.Errorf("%s %s", r.Answer, r.Stderr)
	}
	other := sandboxtest.Session(t, box, spec)
	if r := sandboxtest.Execute(t, other, sandbox.Command{Code: "import os\nanswer = os.listdir()"}); string(r.Answer) != `[]` {
		t.Errorf("%s %s", r.Answer, r.Stderr)
	}
	random := sandbox.Command{Code: "import random, numpy\nanswer = [random.random(), numpy.random.rand()]", Seed: 7}
	if a, b := sandboxtest.Execute(t, s, random), sandboxtest.Execute(t, other, random); string(a.Answer) != string(b.Answer) || a.Answer == nil {
		t.Errorf("%s and %s", a.Answer, b.Answer)
	}
	r = sandboxtest.Execute(t, s, sandbox.Command{Code: "answer = x + 1", Inject: map[string]json.RawMessage{"x": json.RawMessage("41")}})
	if string(r.Answer) != "42" {
		t.Errorf("%s %s", r.Answer, r.Stderr)
	}
	if r := sandboxtest.Execute(t, s, sandbox.Command{Language: sandbox.Shell, Code: "echo out; echo err >&2; exit 3"}); r.ExitCode != 3 || string(r.Stdout) != "out\n" || string(r.Stderr) != "err\n" {
		t.Errorf("%+v", r)
	}
}

// TestServices: a program reaches what its session was given, and large answers,
// slow readers and many connections do not hold each other up.
func TestServices(t *testing.T) {
	box := newBox(t, Options{Warm: 1})
	large := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB
	serve := func(_ context.Context, conn net.Conn) {
		defer func() { _ = conn.Close() }()
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return // a program that has said nothing
		}
		n, _ := io.Copy(io.Discard, request.Body)
		text := fmt.Sprint(request.URL.Path, n)
		if request.URL.Path == "/large" {
			text = large
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.0 200 OK\r\n\r\n%s", text)
	}
	s := sandboxtest.Session(t, box, sandbox.Spec{Services: []sandbox.Service{
		{Port: 8080, Handle: serve},
		{Port: 9000, Handle: func(_ context.Context, conn net.Conn) {
			text, _ := io.ReadAll(conn)
			_, _ = fmt.Fprint(conn, "heard ", len(text))
			_ = conn.Close()
		}},
	}})
	for _, tt := range []struct{ name, code, answer string }{
		{"small", "import urllib.request as u\nanswer = u.urlopen('http://localhost:8080/x').read().decode()", `"/x0"`},
		{"large answer", "import urllib.request as u\nt = u.urlopen('http://localhost:8080/large').read()\nanswer = [len(t), t[-4:].decode()]", `[4194304, "cdef"]`},
		{"large question", "import urllib.request as u\nanswer = u.urlopen('http://localhost:8080/x', bytes(3 << 20)).read().decode()", `"/x3145728"`},
		{"half closed", "import socket\nc = socket.create_connection(('localhost', 9000))\nc.sendall(bytes(1 << 20))\nc.shutdown(socket.SHUT_WR)\nanswer = c.recv(100).decode()", `"heard 1048576"`},
		{"one does not read", "import socket, urllib.request as u\nc = socket.create_connection(('localhost', 8080))\nc.sendall(b'GET /large HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\nimport time; time.sleep(.3)\nanswer = u.urlopen('http://localhost:8080/y').read().decode()", `"/y0"`},
		{"many", "import socket, urllib.request as u\nheld = [socket.create_connection(('localhost', 9000)) for _ in range(40)]\nanswer = u.urlopen('http://localhost:8080/z').read().decode()", `"/z0"`},
		{"no other port", "import socket\ntry: socket.create_connection(('127.0.0.1', 8081))\nexcept OSError: answer = 'refused'", `"refused"`},
		{"again", "import urllib.request as u\nanswer = u.urlopen('http://localhost:8080/x').read().decode()", `"/x0"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := sandboxtest.Execute(t, s, sandbox.Command{Code: tt.code, Wall: 20 * time.Second}); string(r.Answer) != tt.answer {
				t.Errorf("%s %s %s", r.Status, r.Answer, r.Stderr)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	box := newBox(t, Options{Warm: 1})
	s := sandboxtest.Session(t, box, sandbox.Spec{})
	for i := range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*5*time.Millisecond)
		_, err := s.Run(ctx, sandbox.Command{Language: sandbox.Python, Code: "import time\ntime.sleep(60)"})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if r := sandboxtest.Execute(t, s, sandbox.Command{Code: "answer = 1"}); string(r.Answer) != "1" {
			t.Errorf("%+v", r)
		}
	}
}

// TestWarmInterpreterDies: its death is the program's, and the session goes on.
func TestWarmInterpreterDies(t *testing.T) {
	box := newBox(t, Options{Warm: 1})
	s := sandboxtest.Session(t, box, sandbox.Spec{}).(*session)
	go func() {
		time.Sleep(time.Second)
		top, err := box.engine.ContainerTop(context.Background(), s.cell.id, []string{"-o", "pid,args"})
		if err != nil {
			t.Error(err)
			return
		}
		killed := 0
		for _, p := range top.Processes {
			pid := strings.TrimSpace(p[0])
			status, err := os.ReadFile("/proc/" + pid + "/status")
			if err != nil || slices.Contains(strings.Split(string(status), "\n"), "NSpid:\t"+pid+"\t1") {
				continue // the supervisor
			}
			number, err := strconv.Atoi(pid)
			if err == nil {
				err = syscall.Kill(number, syscall.SIGKILL)
			}
			if err != nil {
				t.Error(err)
			}
			if killed++; killed == 2 {
				break
			}
		}
		if killed < 2 {
			t.Errorf("no warm interpreter was killed: %q", top.Processes)
		}
	}()
	if r := sandboxtest.Execute(t, s, sandbox.Command{Code: "import time\ntime.sleep(20)"}); r.Status != sandbox.StatusKilled {
		t.Errorf("%+v", r)
	}
	if r := sandboxtest.Execute(t, s, sandbox.Command{Code: "import pandas\nanswer = 1"}); string(r.Answer) != "1" {
		t.Errorf("%+v", r)
	}
}

// TestContainerDies: a container that is gone ends the program, and then the session.
func TestContainerDies(t *testing.T) {
	box := newBox(t, Options{Warm: 1})
	s := sandboxtest.Session(t, box, sandbox.Spec{}).(*session)
	time.AfterFunc(500*time.Millisecond, func() { _ = box.engine.ContainerKill(context.Background(), s.cell.id, "KILL") })
	if r := sandboxtest.Execute(t, s, sandbox.Command{Code: "import time\ntime.sleep(20)"}); r.Status != sandbox.StatusKilled {
		t.Errorf("%+v", r)
	}
	if r, err := s.Run(t.Context(), sandbox.Command{Language: sandbox.Python, Code: "answer = 1"}); err == nil {
		t.Errorf("a session without a container runs: %+v", r)
	}
	if r := sandboxtest.Execute(t, sandboxtest.Session(t, box, sandbox.Spec{}), sandbox.Command{Code: "answer = 1"}); string(r.Answer) != "1" {
		t.Errorf("%+v", r)
	}
}

// TestKilledOwner: what a killed process leaves ends by itself, and the janitor removes
// what does not.
func TestKilledOwner(t *testing.T) {
	box := newBox(t, Options{Warm: 1})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), ownerVariable+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said string
	if _, err := fmt.Fscanln(out, new(string), &said); err != nil || said != "<nil>" {
		t.Fatalf("the other process: %s, %v", said, err)
	}
	begun, err := startTime(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(box.owner)
	owner := fmt.Sprintf("%s %s %d %s", fields[0], fields[1], cmd.Process.Pid, begun)
	if stray(owner, box.owner) || stray(box.owner, owner) {
		t.Error("the living count as dead")
	}
	if len(containers(t, owner)) == 0 {
		t.Fatal("the other process has no containers")
	}
	// One that does not heed the end of its stream.
	config, host := box.settings(shape{disk: 1 << 20, inodes: 10}, filepath.Dir(box.sources()))
	config.Entrypoint, config.Labels = []string{"sleep", "600"}, map[string]string{label: owner}
	config.OpenStdin, config.StdinOnce, config.AttachStdin, config.AttachStdout, config.AttachStderr = false, false, false, false, false
	host.AutoRemove, host.Mounts = false, nil
	made, err := box.engine.ContainerCreate(t.Context(), config, host, nil, nil, "")
	if err == nil {
		err = box.engine.ContainerStart(t.Context(), made.ID, container.StartOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		left := containers(t, owner)
		if len(left) == 1 && left[0] == made.ID {
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("containers outlive their owner: %v", left)
		}
	}
	if err := box.janitor(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := containers(t, owner); len(left) > 0 {
		t.Errorf("the janitor left %v", left)
	}
}

func TestUnavailable(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	if _, err := New(t.Context(), Options{}); !errors.Is(err, sandbox.ErrUnavailable) || !strings.Contains(err.Error(), "dockerd.sh") {
		t.Errorf("%v", err)
	}
}

func TestInfo(t *testing.T) {
	box := newBox(t, Options{Warm: 1})
	info := box.Info()
	if info.Backend != "docker" || len(info.EnvironmentDigest) != 64 || len(info.Controls) != len(sandbox.ControlNames) {
		t.Errorf("%+v", info)
	}
	for i, c := range info.Controls {
		if c.Name != sandbox.ControlNames[i] || c.How == "" && c.Gap == "" {
			t.Errorf("control %d: %+v", i, c)
		}
	}
}
