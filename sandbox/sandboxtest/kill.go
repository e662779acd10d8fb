package sandboxtest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/sandbox"
)

// killedRow is the row whose program is this one.
const killedRow = 50

// holderVariable has a copy of the test hold a sandbox until it is killed, with the
// private file that it names.
const holderVariable = "MEDGYM_TEST_HOLDER"

// hold opens a sandbox and has several programs run in it for ever.
func hold(t *testing.T, b Backend) {
	box := b.open(t)
	begun := make(chan struct{})
	s := Session(t, box, sandbox.Spec{
		Files: []sandbox.File{{Path: "/data/database.sqlite", HostPath: os.Getenv(holderVariable)}},
		Services: []sandbox.Service{{Port: 8080, Handle: func(_ context.Context, conn net.Conn) {
			close(begun)
			_ = conn.Close()
		}}},
	})
	Session(t, box, sandbox.Spec{}) // one that is idle
	go func() {
		<-begun
		fmt.Println("holding") // read by killed
	}()
	Execute(t, s, sandbox.Command{Wall: time.Minute, Code: `
import os, socket, subprocess, time
open('/tmp/x', 'wb').write(bytes(1 << 20))
open('/session/x', 'wb').write(bytes(1 << 20))
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
subprocess.Popen(['sleep', '60'])
socket.create_connection(('127.0.0.1', 8080))
time.sleep(60)`})
}

// killed kills a process that holds a sandbox in which programs run: nothing is
// left, but for what the next start removes.
func killed(t *testing.T, b Backend, files []sandbox.File) {
	before := take(t, b)
	cmd := exec.Command(os.Args[0], "-test.run=^"+regexp.QuoteMeta(strings.Split(t.Name(), "/")[0])+"$", "-test.v")
	cmd.Env = append(os.Environ(), holderVariable+"="+files[0].HostPath)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewReader(out)
	for !strings.Contains(said.String(), "holding\n") {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			_ = cmd.Wait()
			t.Fatalf("the holder said: %s: %v", said.String(), err)
		}
	}
	held := take(t, b)
	below := descendants(cmd.Process.Pid)
	if len(below) < 2 && len(held["held"]) == len(before["held"]) {
		t.Errorf("the holder holds nothing: %v", held)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it says that it was killed
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		alive := running(below)
		if len(alive) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("outlived the sandbox: %v", alive)
		}
	}
	// The janitor of the next start, and of its first session with a private file.
	next := b.Open(t)
	s, err := next.Open(t.Context(), sandbox.Spec{Files: files})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Error(err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	if left := append(before.settle(t, b), cgroups(cmd.Process.Pid)...); len(left) > 0 {
		t.Errorf("a killed sandbox has left:\n%s", strings.Join(left, "\n"))
	}
}

// running lists which of these processes still are.
func running(processes []string) []string {
	var alive []string
	for _, process := range processes {
		pid, name, _ := strings.Cut(process, " ")
		text, err := os.ReadFile("/proc/" + pid + "/stat")
		if err == nil && strings.HasPrefix(string(text), pid+" ("+name+") ") && !strings.HasPrefix(string(text), pid+" ("+name+") Z") {
			alive = append(alive, process)
		}
	}
	return alive
}
