package namespace

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/sandboxtest"
)

// grouped is a sandbox whose programs a cgroup accounts for. Where there is none the
// test is skipped, and fails where CI is set and root runs it.
func grouped(t *testing.T) *Sandbox {
	t.Helper()
	box := newBox(t, Options{Cells: 1})
	if box.groups == nil {
		if os.Getenv("CI") != "" && os.Getuid() == 0 {
			t.Fatal(box.noGroup)
		}
		t.Skipf("SKIPPED, no cgroup accounts for programs here: %s", box.noGroup)
	}
	t.Logf("cgroup v%d below %s", box.groups.version, filepath.Dir(box.groups.memory))
	return box
}

// TestCgroupMemory: whatever a program makes the kernel hold counts, whoever of its
// processes asked for it, and the warm processes survive its end.
func TestCgroupMemory(t *testing.T) {
	box := grouped(t)
	first := box.slots[0].current
	limits := sandbox.Limits{Memory: 96 << 20, Disk: 1 << 30, Processes: 64, CPU: time.Minute}
	const each = `
import os, sys, time
def hoard(make):
    made = [os.fork() for _ in range(8)]
    if 0 in made:
        held = make()
        time.sleep(60)
    time.sleep(60)
`
	for _, test := range []struct{ name, code string }{
		{"anonymous memory of many", each + "hoard(lambda: b'x' * (60 << 20))"},
		{"shared mappings of many", each + "import mmap\ndef make():\n    m = mmap.mmap(-1, 60 << 20)\n    for i in range(0, 60 << 20, 4096): m[i] = 1\n    return m\nhoard(make)"},
		{"files in /tmp", "f = open('/tmp/x', 'wb')\nwhile True: f.write(bytes(1 << 20))"},
		{"files in /dev/shm", "f = open('/dev/shm/x', 'wb')\nwhile True: f.write(bytes(1 << 20))"},
		{"files that are deleted", "import os\nf = open('/tmp/x', 'wb')\nos.remove('/tmp/x')\nwhile True: f.write(bytes(1 << 20))"},
		{"pipes", "import os, fcntl, time\nwhile True:\n    if os.fork() == 0:\n        for _ in range(500):\n            r, w = os.pipe()\n            os.set_blocking(w, False)\n            try:\n                while True: os.write(w, bytes(1 << 16))\n            except BlockingIOError: pass\n        time.sleep(60)"},
		{"sockets", "import os, socket, time\nwhile True:\n    if os.fork() == 0:\n        held = []\n        for _ in range(400):\n            a, b = socket.socketpair()\n            a.setblocking(False)\n            a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)\n            try:\n                while True: a.send(bytes(1 << 16))\n            except BlockingIOError: pass\n            held.append((a, b))\n        time.sleep(60)"},
		{"a program's own child", "import subprocess, sys\nfor _ in range(3): subprocess.Popen([sys.executable, '-S', '-c', 'import time; x = b\"x\" * (70 << 20); time.sleep(60)'])\nimport time\ntime.sleep(60)"},
		{"a victim that has changed places", "import os, time\ntry: open('/proc/self/oom_score_adj', 'w').write('0')\nexcept OSError: pass\n" + each + "hoard(lambda: b'x' * (60 << 20))"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := sandboxtest.Session(t, box, sandbox.Spec{Limits: limits})
			r := sandboxtest.Execute(t, s, sandbox.Command{Code: test.code, Wall: 30 * time.Second})
			if r.Status != sandbox.StatusMemory {
				t.Errorf("%s: exit %d, signal %d, %s", r.Status, r.ExitCode, r.Signal, r.Stderr)
			}
			if r := sandboxtest.Execute(t, s, sandbox.Command{Code: "answer = len(bytes(60 << 20))"}); string(r.Answer) != "62914560" {
				t.Errorf("the next: %s %s", r.Status, r.Stderr)
			}
			if box.slots[0].current != first || !first.alive() {
				t.Error("the cell is gone")
			}
		})
	}
	t.Run("files that stay do not count again", func(t *testing.T) {
		s := sandboxtest.Session(t, box, sandbox.Spec{Limits: limits})
		for i := range 4 {
			if r := sandboxtest.Execute(t, s, sandbox.Command{Code: "import sys\nopen('f' + repr(__import__('os').listdir()).replace('/', ''), 'wb').write(bytes(70 << 20))\nanswer = 1"}); string(r.Answer) != "1" {
				t.Errorf("file %d: %s %s", i, r.Status, r.Stderr)
			}
		}
	})
	t.Run("killed by itself", func(t *testing.T) {
		s := sandboxtest.Session(t, box, sandbox.Spec{Limits: limits})
		if r := sandboxtest.Execute(t, s, sandbox.Command{Code: "import ctypes\nctypes.string_at(0)"}); r.Status != sandbox.StatusKilled {
			t.Errorf("%s", r.Status)
		}
	})
}

// TestCgroupProcesses: the number of processes is limited by the kernel, for root too.
func TestCgroupProcesses(t *testing.T) {
	box := grouped(t)
	for _, most := range []int{20, 5, 40} {
		s := sandboxtest.Session(t, box, sandbox.Spec{Limits: sandbox.Limits{Processes: most}})
		r := sandboxtest.Execute(t, s, sandbox.Command{Code: "import os, time\nn = 1\ntry:\n    while n < 1000:\n        if os.fork() == 0: time.sleep(60)\n        n += 1\nexcept OSError: pass\nanswer = n"})
		if string(r.Answer) != map[int]string{20: "20", 5: "5", 40: "40"}[most] {
			t.Errorf("%s processes, want %d", r.Answer, most)
		}
	}
}

// TestCgroupLeftovers: what a killed supervisor left is removed by the next, and what
// another is using is not.
func TestCgroupLeftovers(t *testing.T) {
	box := grouped(t)
	var left []string
	for _, dir := range box.groups.dirs() {
		run := filepath.Join(filepath.Dir(dir), groupPrefix+"1-left", "c1", "run")
		if err := os.MkdirAll(run, 0o755); err != nil {
			t.Fatal(err)
		}
		left = append(left, filepath.Dir(filepath.Dir(run)))
	}
	other, err := newGroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range left {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there: %v", dir, err)
		}
	}
	for _, dir := range append(box.groups.dirs(), other.dirs()...) {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
	own := append(box.groups.dirs(), other.dirs()...)
	if err := errors.Join(other.close(), box.Close()); err != nil {
		t.Fatal(err)
	}
	for _, dir := range own {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", dir, err)
		}
	}
}

// BenchmarkAllow is what an execution pays for its limits.
func BenchmarkAllow(b *testing.B) {
	groups, err := newGroups()
	if err != nil {
		b.Skip(err)
	}
	g, err := groups.take()
	if err != nil {
		b.Fatal(err)
	}
	limits := sandbox.Limits{}.Defaults()
	for b.Loop() {
		if err := g.allow(limits); err != nil {
			b.Fatal(err)
		}
	}
	g.give()
	if err := groups.close(); err != nil {
		b.Fatal(err)
	}
}
