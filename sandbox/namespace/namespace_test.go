package namespace

import (
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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

func TestMain(m *testing.M) {
	Init()
	os.Exit(m.Run())
}

// environment is the installed Python environment. Without it tests are skipped,
// and fail where CI is set.
func environment(t testing.TB) python.Environment {
	t.Helper()
	env, err := python.Find(t.Context())
	if errors.Is(err, python.ErrNotInstalled) || errors.Is(err, python.ErrNoInterpreter) {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED, the sandbox is not tested: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func newBox(t testing.TB, opts Options) *Sandbox {
	t.Helper()
	opts.Environment = environment(t)
	box, err := New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return box
}

func newSession(t testing.TB, box sandbox.Sandbox, spec sandbox.Spec) sandbox.Session {
	t.Helper()
	spec.Name = t.Name()
	s, err := box.Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func run(t testing.TB, s sandbox.Session, cmd sandbox.Command) sandbox.Result {
	t.Helper()
	if cmd.Language == "" {
		cmd.Language = sandbox.Python
	}
	if cmd.Wall == 0 {
		cmd.Wall = time.Minute
	}
	r, err := s.Run(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// small are limits that abuse meets quickly.
var small = sandbox.Limits{Memory: 256 << 20, Output: 64 << 10, Disk: 16 << 20, Inodes: 500, Processes: 32, CPU: 3 * time.Second}

// TestAbuse runs programs that must be stopped, or must get nowhere. After each,
// the next execution is clean.
func TestAbuse(t *testing.T) {
	box := newBox(t, Options{Cells: 1})
	prove := func(code string) string { // code sets got to what it got away with
		return "got = None\n" + code + "\nanswer = got"
	}
	refuses := func(what string) string {
		return prove("import ctypes, os, socket, sys\nlibc = ctypes.CDLL(None, use_errno=True)\ntry:\n    got = " + what +
			"\nexcept Exception as e:\n    got = 'refused ' + type(e).__name__\n")
	}
	const refused = "refused"
	tests := []struct {
		name, code string
		language   sandbox.Language
		status     sandbox.Status
		answer     string // a prefix of the answer, where one is expected
		wall       time.Duration
	}{
		{name: "fork bomb", code: "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", status: sandbox.StatusTimeout, wall: 2 * time.Second},
		{name: "fork and setsid bomb", code: "import os\nwhile True:\n    try:\n        if os.fork() == 0: os.setsid()\n    except OSError: pass", status: sandbox.StatusTimeout, wall: 2 * time.Second},
		{name: "daemon outlives nobody", code: "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
		{name: "stopped children", code: "import os, signal\nfor _ in range(5):\n    if os.fork() == 0:\n        os.kill(os.getpid(), signal.SIGSTOP)\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
		{name: "child holds stdout", code: "import subprocess\nsubprocess.Popen(['sleep', '600'])\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
		{name: "SIGTERM ignored", code: "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass", status: sandbox.StatusTimeout, wall: time.Second},
		{name: "sleep", code: "import time\ntime.sleep(600)", status: sandbox.StatusTimeout, wall: time.Second},
		{name: "CPU beyond its limit", code: "while True: pass", status: sandbox.StatusTimeout},
		{name: "hang inside C", code: "import re\nre.match('(a+)+$', 'a' * 40 + 'b')", status: sandbox.StatusTimeout, wall: time.Second},
		{name: "large list", code: "x = [0] * 10**10", status: sandbox.StatusMemory},
		{name: "many small objects", code: "x = []\nwhile True: x.append(bytes(1 << 20))", status: sandbox.StatusMemory},
		{name: "children share the memory limit", code: "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n        x = bytearray(b'x') * (100 << 20)\n        time.sleep(600)\ntime.sleep(600)", status: sandbox.StatusMemory},
		{name: "shared mapping", code: "import mmap\nx = mmap.mmap(-1, 8 << 30)\nfor i in range(0, 8 << 30, 4096): x[i] = 1", status: sandbox.StatusError},
		{name: "memfd", code: refuses("os.memfd_create('x')"), status: sandbox.StatusOK, answer: refused},
		{name: "System V shared memory", code: refuses("libc.shmget(0, 1 << 30, 0o1600)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "System V messages", code: refuses("libc.msgget(0, 0o1600)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "System V semaphores", code: refuses("libc.semget(0, 1, 0o1600)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "POSIX messages", code: refuses("libc.syscall(240, b'x', 0o102, 0o600, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "secret memory", code: refuses("libc.syscall(447, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "threads", code: prove("import threading, time\nn = 0\ntry:\n    while True: threading.Thread(target=time.sleep, args=(600,), daemon=True).start(); n += 1\nexcept RuntimeError: got = n < 40"), status: sandbox.StatusOK, answer: "true"},
		{name: "new programs share the memory limit", code: "import scipy.stats, subprocess, time\nfor _ in range(6): subprocess.Popen(['python', '-S', '-c', 'import time; x = b\"x\" * (90 << 20); time.sleep(60)'])\ntime.sleep(60)", status: sandbox.StatusMemory},
		{name: "children share the CPU limit", code: "import os\nfor _ in range(5): os.fork()\nwhile True: pass", status: sandbox.StatusTimeout},
		{name: "many quiet children", code: "import os, scipy.stats, time\nfor _ in range(20):\n    if os.fork() == 0: time.sleep(60)\ntime.sleep(1)\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
		{name: "fill /tmp", code: prove("try:\n    f = open('/tmp/x', 'wb')\n    while True: f.write(bytes(1 << 20)); f.flush()\nexcept OSError as e:\n    got = 'refused'"), status: sandbox.StatusOK, answer: refused},
		{name: "fill the work folder", code: prove("try:\n    for i in range(100):\n        open('/session/f%d' % i, 'wb').write(bytes(1 << 20))\nexcept OSError as e:\n    got = 'refused'\nimport glob, os\n[os.remove(f) for f in glob.glob('/session/f*')]"), status: sandbox.StatusOK, answer: refused},
		{name: "inodes", code: prove("try:\n    for i in range(10**6): open('/tmp/%d' % i, 'w').close()\nexcept OSError as e:\n    got = 'refused'"), status: sandbox.StatusOK, answer: refused},
		{name: "sparse terabyte", code: prove("try:\n    open('/tmp/x', 'wb').truncate(1 << 40)\n    got = 'made'\nexcept OSError as e:\n    got = 'refused'"), status: sandbox.StatusOK, answer: refused},
		{name: "endless output", code: "while True: print('x' * 1000)", status: sandbox.StatusOutputLimit},
		{name: "endless output of a child", code: "yes", language: sandbox.Shell, status: sandbox.StatusOutputLimit},
		{name: "flooded result", code: "import os\nwhile True: os.write(3, b'\\xff' * 65536)", status: sandbox.StatusOutputLimit},
		{name: "closed result", code: "import os\nos.close(3)\nprint('x')", status: sandbox.StatusOK},
		{name: "closed streams", code: "import os\n[os.close(n) for n in range(3)]\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
		{name: "streams closed and asleep", code: "import os, time\nos.closerange(0, 10)\ntime.sleep(600)", status: sandbox.StatusTimeout, wall: time.Second},
		{name: "forged result", code: "import os\nos.write(3, b'{\"captured\": {\"answer\": \"1\"}, \"setup\": \"\"} trailing')\nanswer = 2", status: sandbox.StatusOK},
		{name: "shadow", code: refuses("open('/etc/shadow').read()"), status: sandbox.StatusOK, answer: refused},
		{name: "home of root", code: refuses("os.listdir('/root')"), status: sandbox.StatusOK, answer: refused},
		{name: "old root", code: prove("import os\ngot = sorted(os.listdir('/'))"), status: sandbox.StatusOK, answer: `[".sessions", "bin", "data", "dev", "etc", "lib",`},
		{name: "other sessions", code: refuses("os.listdir('/.sessions')"), status: sandbox.StatusOK, answer: refused},
		{name: "only its own processes", code: prove("import os\ngot = sorted(p for p in os.listdir('/proc') if p.isdigit())"), status: sandbox.StatusOK, answer: `["1"]`},
		{name: "write to the system", code: refuses("open('/usr/lib/x', 'w')"), status: sandbox.StatusOK, answer: refused},
		{name: "write to the packages", code: refuses("open('/opt/env/pandas/__init__.py', 'a')"), status: sandbox.StatusOK, answer: refused},
		{name: "TCP out", code: refuses("socket.create_connection(('192.0.2.1', 80), 2)"), status: sandbox.StatusOK, answer: refused},
		{name: "metadata service", code: refuses("socket.create_connection(('169.254.169.254', 80), 2)"), status: sandbox.StatusOK, answer: refused},
		{name: "UDP out", code: refuses("socket.socket(2, 2).sendto(b'x', ('192.0.2.1', 53))"), status: sandbox.StatusOK, answer: refused},
		{name: "netlink", code: refuses("socket.socket(16, 3, 0)"), status: sandbox.StatusOK, answer: refused},
		{name: "packet socket", code: refuses("socket.socket(17, 3, 0)"), status: sandbox.StatusOK, answer: refused},
		{name: "vsock", code: refuses("socket.socket(40, 1, 0)"), status: sandbox.StatusOK, answer: refused},
		{name: "AF_ALG", code: refuses("socket.socket(38, 5, 0)"), status: sandbox.StatusOK, answer: refused},
		{name: "unshare", code: refuses("libc.unshare(0x10000000)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "setns", code: refuses("libc.setns(0, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "mount", code: refuses("libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "unmount", code: refuses("libc.umount2(b'/.sessions', 2)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "chroot", code: refuses("os.chroot('/tmp')"), status: sandbox.StatusOK, answer: refused},
		{name: "int 0x80 by number", code: refuses("libc.syscall(512 + 8, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "list of mounts", code: refuses("libc.syscall(458, 0, 0, 0, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "open_tree_attr", code: refuses("libc.syscall(467, -100, b'/', 1, 0, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "system call that is yet to be", code: prove("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\ngot = [libc.syscall(470), ctypes.get_errno()]"), status: sandbox.StatusOK, answer: "[-1, 38]"},
		{name: "process_vm_readv", code: refuses("libc.syscall(310, 1, 0, 0, 0, 0, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "kcmp", code: refuses("libc.syscall(312, 1, 1, 0, 0, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "pidfd_getfd", code: refuses("libc.syscall(438, os.pidfd_open(1), 0, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "userfaultfd", code: refuses("libc.syscall(323, 1)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "perf", code: refuses("libc.syscall(298, bytes(128), 0, -1, -1, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "keyring", code: refuses("libc.syscall(250, 0, -3, 1)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "personality", code: refuses("libc.personality(0x0040000)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "file handle", code: refuses("libc.syscall(303, -100, b'/', 0, 0, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "input of a terminal", code: prove("import fcntl, os\nfor number in (0x5412, 0x541c, 0x5412 | 1 << 32):\n    import ctypes\n    libc = ctypes.CDLL(None, use_errno=True)\n    libc.ioctl(0, ctypes.c_ulong(number), b'x')\n    got = (got or []) + [ctypes.get_errno()]"), status: sandbox.StatusOK, answer: "[1, 1, 1]"},
		{name: "device", code: refuses("os.mknod('/session/d', 0o20666, 0x0101)"), status: sandbox.StatusOK, answer: refused},
		{name: "device's mode", code: refuses("os.chmod('/dev/null', 0o600)"), status: sandbox.StatusOK, answer: refused},
		{name: "setuid program", code: prove("import os, shutil, subprocess\nshutil.copy('/usr/bin/id', '/session/id')\nos.chmod('/session/id', 0o6755)\nwho = os.getuid()\ngot = subprocess.run(['/session/id', '-u'], capture_output=True, text=True).stdout.strip() == str(who)\nos.remove('/session/id')"), status: sandbox.StatusOK, answer: "true"},
		{name: "SCTP", code: refuses("socket.socket(2, 5, 132)"), status: sandbox.StatusOK, answer: refused},
		{name: "MPTCP", code: refuses("socket.socket(2, 1, 262)"), status: sandbox.StatusOK, answer: refused},
		{name: "raw socket", code: refuses("socket.socket(2, 3, 1)"), status: sandbox.StatusOK, answer: refused},
		{name: "socket of no family", code: refuses("socket.socket(0, 1, 0)"), status: sandbox.StatusOK, answer: refused},
		{name: "ptrace", code: refuses("libc.ptrace(0, 0, 0, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "io_uring", code: refuses("libc.syscall(425, 8, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "bpf", code: refuses("libc.syscall(321, 0, 0, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "clone3", code: refuses("libc.syscall(435, 0, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "clone with a user namespace", code: refuses("libc.syscall(56, 0x10000011, 0, 0, 0, 0)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "x32", code: refuses("libc.syscall(0x40000000 | 39)"), status: sandbox.StatusOK, answer: "-1"},
		{name: "int 0x80", code: "import ctypes, mmap\nm = mmap.mmap(-1, 4096, prot=7)\nm.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\nctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()", status: sandbox.StatusKilled},
		{name: "capabilities", code: prove("got = [l.split()[1] for l in open('/proc/self/status') if l.startswith('Cap')]"), status: sandbox.StatusOK, answer: `["0000000000000000", "0000000000000000", "0000000000000000", "0000000000000000", "0000000000000000"]`},
		{name: "no new privileges", code: prove("got = [l.split()[1] for l in open('/proc/self/status') if l.startswith(('NoNewPrivs', 'Seccomp:'))]"), status: sandbox.StatusOK, answer: `["1", "2"]`},
		{name: "kill all", code: prove("import os\ntry:\n    os.kill(-1, 9)\nexcept OSError: pass\ngot = 'alive'"), status: sandbox.StatusOK, answer: `"alive"`},
		{name: "kill the process group", code: prove("import os\nfor sig in (15, 9):\n    try:\n        os.kill(0, sig)\n    except OSError: pass\ngot = 'alive'"), status: sandbox.StatusOK, answer: `"alive"`},
		{name: "renice the process group", code: prove("import os\nos.setpriority(os.PRIO_PGRP, 0, 19)\ngot = os.getpgid(0) == 1"), status: sandbox.StatusOK, answer: "true"},
		{name: "what the machine does", code: prove("import os\ngot = sorted(n for n in os.listdir('/proc') if not n.isdigit())"), status: sandbox.StatusOK, answer: `["self", "thread-self"]`},
		{name: "network settings", code: refuses("open('/proc/sys/net/ipv4/ip_local_port_range', 'w').write('1 2')"), status: sandbox.StatusOK, answer: refused},
		{name: "host's cgroup", code: prove("got = {l.strip().split(':')[2] for l in open('/proc/self/cgroup')} <= {'/'}"), status: sandbox.StatusOK, answer: "true"},
		{name: "environment of the host", code: prove("import os\ngot = [n for n in os.environ if n.startswith(('MEDGYM', 'GO', 'SSH', 'XDG'))]"), status: sandbox.StatusOK, answer: "[]"},
		{name: "no core is dumped", code: prove("import resource\ngot = resource.getrlimit(resource.RLIMIT_CORE)"), status: sandbox.StatusOK, answer: `{"$": "tuple", "v": [1, 1]}`},
		{name: "deep folders and odd files", code: prove("import os\nos.mkfifo('/session/fifo')\nos.symlink('/etc/shadow', '/session/link')\nos.chdir('/session')\ntry:\n    while True: os.mkdir('d' * 250); os.chdir('d' * 250)\nexcept OSError: got = 'refused'\nos.chdir('/session')\nimport subprocess\nsubprocess.run('rm -rf /session/*', shell=True)"), status: sandbox.StatusOK, answer: refused},
		{name: "raise limits", code: refuses("__import__('resource').setrlimit(7, (10**6, 10**6))"), status: sandbox.StatusOK, answer: refused},
		{name: "write a sysctl", code: refuses("open('/proc/sys/kernel/core_pattern', 'w').write('x')"), status: sandbox.StatusOK, answer: refused},
		{name: "segmentation fault", code: "import ctypes\nctypes.string_at(0)", status: sandbox.StatusKilled},
		{name: "own end", code: "import os\nos._exit(7)", status: sandbox.StatusError},
		{name: "exit", code: "answer = 5\nexit(0)", status: sandbox.StatusOK, answer: "5"},
		{name: "descriptors", code: prove("import os\ngot = sorted(int(n) for n in os.listdir('/proc/self/fd'))[:4]"), status: sandbox.StatusOK, answer: "[0, 1, 2, 3]"},
		{name: "monkeypatch", code: "import pandas, builtins\npandas.DataFrame = None\nbuiltins.print = None\nanswer = 1", status: sandbox.StatusOK, answer: "1"},
	}
	s := newSession(t, box, sandbox.Spec{Limits: small})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			begin := time.Now()
			r := run(t, s, sandbox.Command{Language: test.language, Code: test.code, Wall: test.wall})
			if r.Status != test.status {
				t.Errorf("status %s, want %s (exit %d, signal %d, %s %s)\n%s", r.Status, test.status, r.ExitCode, r.Signal, r.ErrorType, r.ErrorMessage, r.Stderr)
			}
			answer := strings.TrimPrefix(string(r.Answer), `"`)
			if want := strings.TrimPrefix(test.answer, `"`); !strings.HasPrefix(answer, want) || (want == "" && answer != "" && test.name == "forged result") {
				t.Errorf("answer %s, want %s", r.Answer, test.answer)
			}
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("took %s", took)
			}
			clean := run(t, s, sandbox.Command{Code: "import os, pandas as pd\nanswer = [int(pd.DataFrame({'a': [1, 2]}).a.sum()), sorted(os.listdir('/tmp')), sorted(os.listdir('/session')), sorted(p for p in os.listdir('/proc') if p.isdigit())]"})
			if string(clean.Answer) != `[3, [], [], ["1"]]` {
				t.Errorf("the next execution is not clean: %s %s %s", clean.Status, clean.Answer, clean.Stderr)
			}
		})
	}
}

func TestResults(t *testing.T) {
	box := newBox(t, Options{Cells: 1})
	s := newSession(t, box, sandbox.Spec{})
	t.Run("error", func(t *testing.T) {
		r := run(t, s, sandbox.Command{Code: "x = {}\n\nx['k']"})
		if r.Status != sandbox.StatusError || r.ErrorType != "KeyError" || r.ErrorLine != 3 || r.ExitCode != 1 {
			t.Errorf("%+v", r)
		}
		if text := string(r.Stderr); !strings.Contains(text, `File "<program>", line 3`) || strings.Contains(text, "zygote") {
			t.Errorf("traceback: %s", text)
		}
	})
	t.Run("syntax error", func(t *testing.T) {
		r := run(t, s, sandbox.Command{Code: "x = 1\ny = ("})
		if r.Status != sandbox.StatusError || r.ErrorType != "SyntaxError" || r.ErrorLine != 2 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("exit code", func(t *testing.T) {
		r := run(t, s, sandbox.Command{Language: sandbox.Shell, Code: "echo out; echo err >&2; exit 3"})
		if r.Status != sandbox.StatusError || r.ExitCode != 3 || string(r.Stdout) != "out\n" || string(r.Stderr) != "err\n" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("python from a shell", func(t *testing.T) {
		r := run(t, s, sandbox.Command{Language: sandbox.Shell, Code: "python -c 'import pandas; print(pandas.__version__)' && python3 --version"})
		if r.Status != sandbox.StatusOK || !strings.HasPrefix(string(r.Stdout), "2.") {
			t.Errorf("%+v", r)
		}
	})
	t.Run("invalid UTF-8", func(t *testing.T) {
		r := run(t, s, sandbox.Command{Code: "import sys\nsys.stdout.buffer.write(b'a\\xffb\\x00c')"})
		if string(r.Stdout) != "a�b\x00c" {
			t.Errorf("%q", r.Stdout)
		}
	})
	t.Run("inject and capture", func(t *testing.T) {
		r := run(t, s, sandbox.Command{
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
		a := run(t, s, sandbox.Command{Code: code, Seed: 1})
		b := run(t, s, sandbox.Command{Code: code, Seed: 1})
		c := run(t, s, sandbox.Command{Code: code, Seed: 2})
		if string(a.Answer) != string(b.Answer) || string(a.Answer) == string(c.Answer) || a.Answer == nil {
			t.Errorf("%s %s %s", a.Answer, b.Answer, c.Answer)
		}
	})
	t.Run("large answer", func(t *testing.T) {
		r := run(t, s, sandbox.Command{Code: "answer = list(range(400_000))"})
		if len(r.Answer) < 2_000_000 {
			t.Errorf("%d bytes, %s", len(r.Answer), r.Status)
		}
	})
	t.Run("output kept up to the limit", func(t *testing.T) {
		r := run(t, newSession(t, box, sandbox.Spec{Limits: small}), sandbox.Command{Code: "print('x' * (1 << 20))"})
		if r.Status != sandbox.StatusOutputLimit || len(r.Stdout) != int(small.Output) || !r.Truncated {
			t.Errorf("%s, %d bytes, truncated %v", r.Status, len(r.Stdout), r.Truncated)
		}
	})
	t.Run("main", func(t *testing.T) {
		r := run(t, s, sandbox.Command{Code: "if __name__ == '__main__':\n    answer = 1"})
		if string(r.Answer) != "1" {
			t.Errorf("%+v", r)
		}
	})
}

// TestSessions: files are read-only, the work folder lasts within a session and is
// not seen by another, and no interpreter state is carried over.
func TestSessions(t *testing.T) {
	box := newBox(t, Options{Cells: 1})
	private := filepath.Join(t.TempDir(), "private.csv")
	if err := os.WriteFile(private, []byte("b\n2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host := filepath.Join(t.TempDir(), "data.csv")
	if err := os.WriteFile(host, []byte("a\n1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	one := newSession(t, box, sandbox.Spec{Files: []sandbox.File{
		{Path: "/workdir/study/data.csv", HostPath: host}, {Path: "/data/private.csv", HostPath: private}, {Path: "/workdir/note.txt", Content: []byte("hello")}, {Path: "/workdir/empty", Content: []byte{}}}})
	two := newSession(t, box, sandbox.Spec{})

	r := run(t, one, sandbox.Command{Code: "import pandas as pd\nanswer = [int(pd.read_csv('/workdir/study/data.csv').a[0]), int(pd.read_csv('/data/private.csv').b[0]), open('/workdir/note.txt').read(), open('/workdir/empty').read()]\nopen('kept.txt', 'w').write('x')\nleft = 1"})
	if string(r.Answer) != `[1, 2, "hello", ""]` {
		t.Errorf("%s %s", r.Answer, r.Stderr)
	}
	for _, path := range []string{"/workdir/study/data.csv", "/workdir/new", "/data/private.csv", "/workdir/note.txt"} {
		r := run(t, one, sandbox.Command{Code: "open('" + path + "', 'a')"})
		if r.Status != sandbox.StatusError {
			t.Errorf("%s could be written", path)
		}
	}
	if r := run(t, one, sandbox.Command{Code: "answer = [open('/session/kept.txt').read(), 'left' in globals()]"}); string(r.Answer) != `["x", false]` {
		t.Errorf("%s", r.Answer)
	}
	if r := run(t, two, sandbox.Command{Code: "import os\nanswer = [os.listdir('/session'), os.listdir('/workdir')]"}); string(r.Answer) != `[[], []]` {
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

// TestServices: a service is reached on the sandbox's loopback and served on the
// host; without one nothing listens.
func TestServices(t *testing.T) {
	box := newBox(t, Options{Cells: 1})
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
	s := newSession(t, box, sandbox.Spec{Services: []sandbox.Service{{Port: 8080, Handle: handle}}})
	code := "import requests\nanswer = [requests.get('http://localhost:8080/a').text, requests.post('http://127.0.0.1:8080/b', data='x').text]"
	for range 3 {
		if r := run(t, s, sandbox.Command{Code: code}); string(r.Answer) != `["served /a", "served /b"]` {
			t.Fatalf("%s %s", r.Answer, r.Stderr)
		}
	}
	if len(posts) != 6 || posts[1] != "POST x" {
		t.Errorf("%q", posts)
	}
	other := newSession(t, box, sandbox.Spec{})
	if r := run(t, other, sandbox.Command{Code: "import requests\nrequests.get('http://localhost:8080/a')"}); r.ErrorType != "ConnectionError" {
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

// TestCancel: a cancelled execution is no result, and the session lives on.
func TestCancel(t *testing.T) {
	box := newBox(t, Options{Cells: 1})
	s := newSession(t, box, sandbox.Spec{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := s.Run(ctx, sandbox.Command{Language: sandbox.Python, Code: "while True: pass"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	if r := run(t, s, sandbox.Command{Code: "answer = 1"}); string(r.Answer) != "1" {
		t.Errorf("%+v", r)
	}
}

// TestReplacement: a cell that dies is a fault of the sandbox for its sessions, and
// the next session has another; one that has done its share is replaced.
func TestReplacement(t *testing.T) {
	box := newBox(t, Options{Cells: 1, Recycle: 3})
	s := newSession(t, box, sandbox.Spec{})
	first := box.slots[0].current
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.gone
	if _, err := s.Run(t.Context(), sandbox.Command{Language: sandbox.Python, Code: "answer = 1"}); err == nil {
		t.Error("a dead cell answered")
	}
	s = newSession(t, box, sandbox.Spec{})
	second := box.slots[0].current
	for range 4 {
		run(t, s, sandbox.Command{Code: "answer = 1"})
	}
	third := newSession(t, box, sandbox.Spec{})
	if box.slots[0].current == second {
		t.Error("the cell was not replaced")
	}
	run(t, s, sandbox.Command{Code: "answer = 1"}) // the old one serves what it has
	run(t, third, sandbox.Command{Code: "answer = 1"})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if second.alive() {
		t.Error("a retired cell lives on without sessions")
	}
}

// TestConcurrent: sessions of several goroutines do not mix.
func TestConcurrent(t *testing.T) {
	box := newBox(t, Options{Cells: 2, Recycle: 20})
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

// TestOrphans kills a program that holds a sandbox in which something runs: nothing
// may be left.
func TestOrphans(t *testing.T) {
	environment(t)
	if os.Getenv("MEDGYM_TEST_HOLDER") != "" {
		box := newBox(t, Options{Cells: 1})
		fmt.Println("cell", box.slots[0].current.cmd.Process.Pid)
		run(t, newSession(t, box, sandbox.Spec{}), sandbox.Command{Code: "import time\ntime.sleep(60)", Wall: time.Minute})
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestOrphans$", "-test.v")
	cmd.Env = append(os.Environ(), "MEDGYM_TEST_HOLDER=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	for buf := make([]byte, 0, 4096); pid == 0; {
		part := make([]byte, 512)
		n, err := out.Read(part)
		if err != nil {
			t.Fatalf("the holder said %s: %v", buf, err)
		}
		buf = append(buf, part[:n]...)
		if i := strings.Index(string(buf), "cell "); i >= 0 && strings.Contains(string(buf[i:]), "\n") {
			_, _ = fmt.Sscanf(string(buf[i:]), "cell %d\n", &pid)
		}
	}
	time.Sleep(300 * time.Millisecond) // the program is running
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("cell %d outlived its program", pid)
		}
	}
}

func TestInfo(t *testing.T) {
	box := newBox(t, Options{Cells: 1})
	info := box.Info()
	if info.Backend != "namespace" || len(info.EnvironmentDigest) != 64 || len(info.Enforced()) < 15 {
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
	s := newSession(t, box, sandbox.Spec{})
	if r := run(t, s, sandbox.Command{Code: "answer = 1"}); !slices.Equal(r.Controls, info.Enforced()) {
		t.Errorf("a result under %q, want %q", r.Controls, info.Enforced())
	}
	if _, err := New(t.Context(), Options{Environment: python.Environment{Dir: t.TempDir()}}); !errors.Is(err, sandbox.ErrUnavailable) {
		t.Errorf("a sandbox without an interpreter: %v", err)
	}
}

// BenchmarkRun is fresh isolated executions with pandas loaded, results returned: in
// a session that stays open, and in one opened for each. For the core that all of it
// takes: taskset -c 0 go test -run '^$' -bench Run -benchtime 500x ./sandbox/namespace
func BenchmarkRun(b *testing.B) {
	programs := []struct{ name, code, want string }{
		{"import", "import pandas as pd\nanswer = 1", "1"},
		{"sum", "import pandas as pd\nanswer = int(pd.DataFrame({'a': [1, 2, 3]}).a.sum())", "6"},
	}
	box := newBox(b, Options{Cells: 1, Recycle: 1 << 30})
	for _, p := range programs {
		once := func(b *testing.B, s sandbox.Session) {
			if r := run(b, s, sandbox.Command{Code: p.code}); string(r.Answer) != p.want {
				b.Fatalf("%+v", r)
			}
		}
		b.Run(p.name+"/kept", func(b *testing.B) {
			s := newSession(b, box, sandbox.Spec{})
			spread(b, func() { once(b, s) })
		})
		b.Run(p.name+"/fresh", func(b *testing.B) {
			spread(b, func() {
				s, err := box.Open(b.Context(), sandbox.Spec{})
				if err != nil {
					b.Fatal(err)
				}
				once(b, s)
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// spread reports how long f takes at the median and at the 99th percentile.
func spread(b *testing.B, f func()) {
	f() // what is made once is not measured
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		f()
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	for _, at := range []int{50, 99} {
		b.ReportMetric(float64(took[(len(took)-1)*at/100])/1e6, fmt.Sprintf("ms-p%d", at))
	}
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "runs/s")
}
