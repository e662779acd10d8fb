package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
)

// trial is a program whose end is known.
type trial struct {
	name   string
	weight int // how often it is drawn, of the sum
	code   string
	shell  bool
	wall   time.Duration
	cancel time.Duration // after which the host gives up
	want   sandbox.Status
	answer string
}

const (
	servicePort = 8080
	counting    = "counting" // the trial whose answer is how often it has run in its session
)

// visible is how many processes a program sees at most that is alone: in a container,
// its supervisor and the warm interpreters too.
func visible(backend string) int {
	if backend == "docker" {
		return 5
	}
	return 1
}

// small are the programs that agents write most.
var small = []trial{
	{name: "arithmetic", weight: 20, code: "answer = sum(range(100))", want: sandbox.StatusOK, answer: "4950"},
	{name: "import pandas", weight: 20, code: "import pandas as pd\nanswer = 1", want: sandbox.StatusOK, answer: "1"},
	{name: "data frame", weight: 20, want: sandbox.StatusOK, answer: "6",
		code: "import pandas as pd\nanswer = int(pd.DataFrame({'a': [1, 2, 3]}).a.sum())"},
	{name: counting, weight: 10, want: sandbox.StatusOK, code: `
import os
n = int(open('/session/n').read()) if os.path.exists('/session/n') else 0
answer = n + 1
open('/session/n', 'w').write(str(answer))`},
}

// rough are the others: what goes wrong, and what must not outlive its program.
var rough = []trial{
	{name: "nothing of others", weight: 10, want: sandbox.StatusOK, answer: `[true, [], []]`, code: `
import os
answer = [sum(p.isdigit() for p in os.listdir('/proc')) <= visible, os.listdir('/tmp'), os.listdir('/dev/shm')]`},
	{name: "files", weight: 5, want: sandbox.StatusOK, answer: "2097152", code: `
import os
for place in ('/tmp/a', '/dev/shm/a', '/session/a'):
    open(place, 'wb').write(b'x' * (2 << 20))
answer = os.path.getsize('/session/a')
os.remove('/session/a')`},
	{name: "given files", weight: 5, want: sandbox.StatusOK, answer: `["content", "secret"]`,
		code: "answer = [open('/workdir/content').read(), open('/data/private').read()]"},
	{name: "exception", weight: 10, code: "{}['key']", want: sandbox.StatusError},
	{name: "exit code", weight: 2, code: "exit 3", shell: true, want: sandbox.StatusError},
	{name: "shell", weight: 3, code: "echo word > /tmp/word; grep -q word /tmp/word", shell: true, want: sandbox.StatusOK},
	{name: "threads", weight: 4, want: sandbox.StatusOK, answer: "28", code: `
import threading
found = []
ts = [threading.Thread(target=lambda i=i: found.append(i)) for i in range(8)]
[t.start() for t in ts]
[t.join() for t in ts]
answer = sum(found)`},
	{name: "children left", weight: 4, want: sandbox.StatusOK, answer: "1", code: `
import os, time
for i in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
answer = 1`},
	{name: "service", weight: 5, want: sandbox.StatusOK, answer: `"pong"`, code: `
import socket
s = socket.create_connection(('127.0.0.1', 8080))
s.sendall(b'ping\n')
answer = s.makefile().readline().strip()`},
	{name: "memory", weight: 2, code: "x = bytearray(1 << 31)", want: sandbox.StatusMemory},
	{name: "memory of children", weight: 1, want: sandbox.StatusMemory, code: `
import os, time
for i in range(4):
    if os.fork() == 0:
        x = b'x' * (120 << 20)
        time.sleep(1000)
time.sleep(1000)`},
	{name: "output", weight: 1, code: "print('x' * (1 << 20))", want: sandbox.StatusOutputLimit},
	{name: "segfault", weight: 1, code: "import ctypes\nctypes.string_at(0)", want: sandbox.StatusKilled},
	{name: "loop", weight: 1, code: "while True: pass", wall: 200 * time.Millisecond, want: sandbox.StatusTimeout},
	{name: "cancelled", weight: 1, code: "import time\ntime.sleep(1000)", cancel: 50 * time.Millisecond},
}

// draw picks a trial by its weight.
func draw(rng *rand.Rand, trials []trial) trial {
	sum := 0
	for _, t := range trials {
		sum += t.weight
	}
	at := rng.IntN(sum)
	for _, t := range trials {
		if at -= t.weight; at < 0 {
			return t
		}
	}
	panic("the weights do not sum up")
}

// agent runs trials in one session.
type agent struct {
	session sandbox.Session
	rng     *rand.Rand
	trials  []trial
	counted int
	visible json.RawMessage // processes, when no other program runs
}

// open opens a session with files and a service. The file private is its owner's
// alone.
func open(ctx context.Context, box sandbox.Sandbox, name, private string, seed uint64, trials []trial) (*agent, error) {
	session, err := box.Open(ctx, sandbox.Spec{
		Name: name,
		Files: []sandbox.File{
			{Path: "/workdir/content", Content: []byte("content")},
			{Path: "/data/private", HostPath: private},
		},
		Services: []sandbox.Service{{Port: servicePort, Handle: pong}},
		Limits:   sandbox.Limits{Wall: time.Minute, Memory: 256 << 20, Output: 64 << 10},
	})
	if err != nil {
		return nil, err
	}
	return &agent{session: session, rng: rand.New(rand.NewPCG(seed, 0)), trials: trials, visible: json.RawMessage(strconv.Itoa(visible(box.Info().Backend)))}, nil
}

// writePrivate makes a file as clinical data has them.
func writePrivate() (string, error) {
	name := filepath.Join(filepath.Dir(os.TempDir()), "private")
	return name, os.WriteFile(name, []byte("secret"), 0o600)
}

// pong answers a line.
func pong(_ context.Context, conn net.Conn) {
	defer conn.Close()
	if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil && line == "ping\n" {
		_, _ = io.WriteString(conn, "pong\n") // a client that is gone is none of our business
	}
}

// step runs one trial and checks how it ended.
func (a *agent) step(ctx context.Context) (sandbox.Result, error) {
	t := draw(a.rng, a.trials)
	cmd := sandbox.Command{Language: sandbox.Python, Code: t.code, Seed: a.rng.Uint64(), Wall: t.wall,
		Inject: map[string]json.RawMessage{"visible": a.visible}}
	if t.shell {
		cmd.Language = sandbox.Shell
	}
	inner := ctx
	if t.cancel > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeout(ctx, t.cancel)
		defer cancel()
	}
	r, err := a.session.Run(inner, cmd)
	if t.cancel > 0 && ctx.Err() == nil {
		if !errors.Is(err, context.DeadlineExceeded) {
			return r, fmt.Errorf("program %q: want it cancelled, got status %q and error %w", t.name, r.Status, err)
		}
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("program %q: %w", t.name, err)
	}
	want := t.answer
	if t.name == counting {
		a.counted++
		want = strconv.Itoa(a.counted)
	}
	if r.Status != t.want || want != string(r.Answer) {
		return r, fmt.Errorf("program %q: status %s (want %s), answer %s (want %s): %s: %s %s",
			t.name, r.Status, t.want, r.Answer, want, r.ErrorType, r.ErrorMessage, r.Stderr)
	}
	return r, nil
}
