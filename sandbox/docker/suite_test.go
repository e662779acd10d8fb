//go:build linux && amd64

package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/sandboxtest"
)

// TestSuite is what every backend passes.
func TestSuite(t *testing.T) {
	var mu sync.Mutex
	var boxes []*Sandbox
	sandboxtest.Run(t, sandboxtest.Backend{
		Open: func(t testing.TB) sandbox.Sandbox {
			mu.Lock()
			defer mu.Unlock()
			boxes = append(boxes, startBox(t, Options{Warm: 1}))
			return boxes[len(boxes)-1]
		},
		Held: func(t testing.TB) []string {
			mu.Lock()
			defer mu.Unlock()
			for _, box := range boxes {
				settle(t, box)
			}
			return ours(t)
		},
	})
}

// settle waits until as many containers wait for sessions as shall.
func settle(t testing.TB, box *Sandbox) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		box.mu.Lock()
		pending := 0
		for _, p := range box.pools {
			pending += p.pending
		}
		done := box.closed || pending == 0
		box.mu.Unlock()
		if done {
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("containers that were to wait for a session are not there")
		}
	}
	if err := box.engine.Close(); err != nil { // its idle connections, that is
		t.Fatal(err)
	}
}

// ours numbers the containers of this process, of its children, and of the dead.
func ours(t testing.TB) []string {
	t.Helper()
	self, err := ownerOf()
	if err != nil {
		t.Fatal(err)
	}
	b := &Sandbox{image: Image()}
	if err := b.connect(context.Background()); err != nil {
		t.Fatal(err)
	}
	found, err := b.engine.ContainerList(context.Background(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", label))})
	if err := errors.Join(err, b.engine.Close()); err != nil {
		t.Fatal(err)
	}
	var held []string
	for _, c := range found {
		owner := c.Labels[label]
		var boot, space, pid string
		if _, err := fmt.Sscan(owner, &boot, &space, &pid); err != nil {
			t.Fatalf("label %q: %v", owner, err)
		}
		status, _ := os.ReadFile("/proc/" + pid + "/status") // none of the dead
		if owner == self || stray(owner, self) || strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			held = append(held, fmt.Sprintf("container %d", len(held)+1))
		}
	}
	return held
}
