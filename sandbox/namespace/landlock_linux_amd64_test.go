package namespace

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"slices"
	"testing"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
	"github.com/medgym-data/medgym-data/sandbox/sandboxtest"
)

// TestLandlock: what a program may do goes on, and what only Landlock forbids is
// refused.
func TestLandlock(t *testing.T) {
	version := backend.Landlock()
	if version < 6 {
		if os.Getenv("CI") != "" {
			t.Fatalf("Landlock here is version %d, and CI is to test it", version)
		}
		t.Skipf("SKIPPED, Landlock is not tested: it is version %d here", version)
	}
	box := newBox(t, Options{Cells: 1})
	if at := slices.IndexFunc(box.Info().Controls, func(c sandbox.Control) bool { return c.Name == "landlock" && c.How != "" && c.Gap == "" }); at < 0 {
		t.Errorf("%+v", box.Info().Controls)
	}
	s := sandboxtest.Session(t, box, sandbox.Spec{Services: []sandbox.Service{{Port: 8080, Handle: func(_ context.Context, conn net.Conn) {
		_, _ = conn.Write([]byte("served"))
		_ = conn.Close()
	}}}, Files: []sandbox.File{{Path: "/data/x", Content: []byte("given")}}})
	for _, test := range []struct{ name, code, answer string }{
		{"reads", "answer = [open('/data/x').read(), len(open('/etc/passwd').read()) > 0]", `["given", true]`},
		{"writes", `
import os, tempfile
for folder in ('/session', '/tmp', '/dev/shm'):
    os.makedirs(folder + '/a/b')
    open(folder + '/a/f', 'w').write('x')
    os.rename(folder + '/a/f', folder + '/a/b/g')
    os.link(folder + '/a/b/g', folder + '/h')
    os.symlink('h', folder + '/l')
    os.truncate(folder + '/h', 0)
    os.mkfifo(folder + '/p')
    for name in ('h', 'l', 'p', 'a/b/g'): os.remove(folder + '/' + name)
    os.rmdir(folder + '/a/b'), os.rmdir(folder + '/a')
open('/dev/null', 'w').write('x')
answer = tempfile.TemporaryFile().fileno() > 2`, "true"},
		{"runs others", "import subprocess, multiprocessing\nwith multiprocessing.Pool(2) as p: n = p.map(abs, [-1, 2])\nanswer = [n, subprocess.check_output(['sh', '-c', 'echo a > /session/b; cat /session/b; rm /session/b'], text=True)]", `[[1, 2], "a\n"]`},
		{"threads", "from concurrent.futures import ThreadPoolExecutor\nanswer = list(ThreadPoolExecutor(4).map(abs, [-1, 2]))", "[1, 2]"},
		{"signals its own", "import os, signal, subprocess\np = subprocess.Popen(['sleep', '60'])\np.kill()\nanswer = p.wait()", "-9"},
		{"own abstract socket", "import socket\na, b = socket.socket(1), socket.socket(1)\na.bind('\\0x')\na.listen()\nb.connect('\\0x')\nanswer = 1", "1"},
		{"service", "import socket\nanswer = socket.create_connection(('localhost', 8080)).recv(10).decode()", `"served"`},
		{"another port", "import socket\ntry: socket.create_connection(('127.0.0.1', 8081))\nexcept PermissionError: answer = 'refused'", `"refused"`},
		{"listens", "import socket\ntry: socket.create_server(('127.0.0.1', 0))\nexcept PermissionError: answer = 'refused'", `"refused"`},
		{"first victim", "try: open('/proc/self/oom_score_adj', 'w').write('0')\nexcept OSError: answer = 'refused'", `"refused"`},
		{"writes outside", "import os\nanswer = []\nfor path in ('/', '/usr', '/etc', '/opt', '/data', '/workdir', '/proc/self'):\n    try: open(path + '/x', 'w'); answer.append(path)\n    except OSError: pass", "[]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := sandboxtest.Execute(t, s, sandbox.Command{Code: test.code})
			if !json.Valid(r.Answer) || string(r.Answer) != test.answer {
				t.Errorf("%s %s, want %s\n%s", r.Status, r.Answer, test.answer, r.Stderr)
			}
		})
	}
}
