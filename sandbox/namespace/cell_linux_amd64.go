package namespace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
)

const (
	startLimit = 2 * time.Minute  // to load the packages
	grace      = 15 * time.Second // beyond an execution's limits until a cell counts as hung
)

// cell is one running zygote.
type cell struct {
	cmd    *exec.Cmd
	wire   *wire
	stderr *bytes.Buffer // what the cell said before it was ready, or at its death
	loaded []string
	group  *group // nil where there are no cgroups
	left   sync.Once

	turn chan struct{} // held by whoever talks to the cell
	gone chan struct{} // closed when the process has been waited for

	mu       sync.Mutex
	sessions int
	runs     int
	retired  bool // no new sessions; stops with its last one
}

// spawner starts processes from one thread that lives as long as they may: a
// process is killed when the thread that made it ends.
type spawner struct{ requests chan func() }

func newSpawner() *spawner {
	s := &spawner{requests: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for f := range s.requests {
			f()
		}
	}()
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	s.requests <- func() { done <- cmd.Start() }
	return <-done
}

func (s *spawner) close() { close(s.requests) }

// startCell starts a cell and waits until it is ready.
func (s *Sandbox) startCell(ctx context.Context) (_ *cell, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("start a sandbox cell: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "control"), os.NewFile(uintptr(pair[1]), "control")
	conn, err := net.FileConn(ours)
	if err := errors.Join(err, ours.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("start a sandbox cell: %w", err), theirs.Close())
	}
	planReader, planWriter, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a sandbox cell: %w", err), conn.Close(), theirs.Close())
	}
	// The cell's ends are closed here once it has them: else its death would not show.
	given := func() { _ = errors.Join(theirs.Close(), planReader.Close()) }

	c := &cell{wire: &wire{conn: conn.(*net.UnixConn)}, stderr: &bytes.Buffer{}, turn: make(chan struct{}, 1), gone: make(chan struct{})}
	self, err := os.Executable()
	if err != nil {
		given()
		return nil, errors.Join(fmt.Errorf("start a sandbox cell: %w", err), conn.Close(), planWriter.Close())
	}
	c.cmd = &exec.Cmd{
		Path: self, Args: []string{initName}, Env: []string{}, Dir: "/",
		ExtraFiles:  []*os.File{theirs, planReader},
		Stderr:      &capped{to: c.stderr, room: 64 << 10},
		SysProcAttr: s.attributes(),
	}
	into, err := s.join(c)
	if err != nil {
		given()
		return nil, errors.Join(err, conn.Close(), planWriter.Close())
	}
	err = s.spawn.start(c.cmd)
	given()
	if into != nil {
		_ = into.Close()
	}
	if err != nil {
		c.leave()
		return nil, errors.Join(unavailable(err), conn.Close(), planWriter.Close())
	}
	go func() {
		_ = c.cmd.Wait() // how it ended is told by whoever was talking to it
		close(c.gone)
	}()
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	config := configFrame{Tiers: backend.Tiers(), Seccomp: s.seccomp, UID: s.uid, Landlock: backend.Landlock()}
	var watched []*os.File
	if c.group != nil {
		if err := c.group.enter(c.cmd.Process.Pid); err != nil {
			return nil, errors.Join(err, planWriter.Close())
		}
		watched = c.group.watched()
		config.Cgroup, config.Watched = s.groups.version, len(watched)
	}
	err = json.NewEncoder(planWriter).Encode(plan{Site: s.env.Site(), Prefix: s.env.Prefix, Stdlib: s.env.Stdlib, Interpreter: s.env.Executable})
	if err := errors.Join(err, planWriter.Close()); err != nil {
		return nil, c.death("begin", err)
	}
	var ready replyFrame
	err = c.talk(ctx, startLimit, func() error {
		if err := errors.Join(c.wire.send(config), c.wire.sendFiles(watched)); err != nil {
			return err
		}
		return c.wire.receive(&ready)
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, c.death("start", err))
	case ready.Op != "ready":
		return nil, fmt.Errorf("%w: a cell says: %s", sandbox.ErrUnavailable, ready.What)
	}
	if c.group != nil {
		if err := c.group.settle(c.cmd.Process.Pid, len(config.Tiers)); err != nil {
			return nil, err
		}
	}
	c.loaded = ready.Loaded
	return c, nil
}

// attributes makes the namespaces. Root maps a second, powerless user for
// executions; an ordinary user can map only itself.
func (s *Sandbox) attributes() *syscall.SysProcAttr {
	ids := func(own int) []syscall.SysProcIDMap {
		m := []syscall.SysProcIDMap{{ContainerID: 0, HostID: own, Size: 1}}
		if s.uid != 0 {
			m = append(m, syscall.SysProcIDMap{ContainerID: nobody, HostID: nobody, Size: 1})
		}
		return m
	}
	return &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
			unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		UidMappings: ids(os.Getuid()), GidMappings: ids(os.Getgid()), GidMappingsEnableSetgroups: s.uid != 0,
		Pdeathsig: syscall.SIGKILL, Setsid: true,
	}
}

// unavailable explains why no user namespace could be made. It does not wrap the
// system's error, which has a meaning elsewhere: no space left means a full disk.
func unavailable(err error) error {
	do := ""
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		do = ": user namespaces are switched off for this user (or this is a chroot): sysctl kernel.apparmor_restrict_unprivileged_userns=0" +
			" (Ubuntu 24.04) or kernel.unprivileged_userns_clone=1 (older Debian) turns them on"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EUSERS):
		return fmt.Errorf("%w: user namespaces are switched off, or there are as many as there may be: sysctl user.max_user_namespaces=10000 raises the limit", sandbox.ErrUnavailable)
	}
	return fmt.Errorf("%w: make a user namespace: %v%s", sandbox.ErrUnavailable, err, do)
}

// talk runs f, which sends to the cell and receives from it, within a time limit.
// Afterwards the cell is in step, or f's error has made it useless.
func (c *cell) talk(ctx context.Context, limit time.Duration, f func() error) error {
	if err := c.wire.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cut)
		_ = c.wire.conn.SetDeadline(time.Now())
	})
	defer func() {
		if !stop() {
			<-cut // else it might fall into the next exchange
		}
	}()
	return f()
}

// take waits for the cell to be free.
func (c *cell) take(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-c.gone:
		return c.death("use", io.EOF)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *cell) release() { <-c.turn }

func (c *cell) alive() bool {
	select {
	case <-c.gone:
		return false
	default:
		return true
	}
}

// death says what a cell that failed has left.
func (c *cell) death(doing string, err error) error {
	c.stop()
	text := strings.Join(strings.Fields(c.stderr.String()), " ")
	if len(text) > 400 {
		text = text[len(text)-400:]
	}
	if text != "" {
		return fmt.Errorf("sandbox cell: %s: %w: it says: %s", doing, err, text)
	}
	return fmt.Errorf("sandbox cell: %s: %w", doing, err)
}

// stop kills the cell with all that runs in it and waits for its end.
func (c *cell) stop() {
	_ = c.cmd.Process.Kill() // it may have ended by itself
	<-c.gone
	_ = c.wire.conn.Close()
	for _, f := range c.wire.take() {
		_ = f.Close()
	}
	c.leave()
}

// join has a cell begin in a cgroup of its own. The file, if there is one, is closed
// once it has begun.
func (s *Sandbox) join(c *cell) (*os.File, error) {
	if s.groups == nil {
		return nil, nil
	}
	var err error
	if c.group, err = s.groups.take(); err != nil {
		return nil, err
	}
	into, err := c.group.begin()
	if err != nil {
		c.leave()
		return nil, err
	}
	if into != nil {
		c.cmd.SysProcAttr.UseCgroupFD, c.cmd.SysProcAttr.CgroupFD = true, int(into.Fd())
	}
	return into, nil
}

// leave gives back the cgroup of a cell whose processes are gone.
func (c *cell) leave() {
	c.left.Do(func() {
		if c.group != nil {
			c.group.give()
		}
	})
}

// capped keeps the first bytes and swallows the rest.
type capped struct {
	to   *bytes.Buffer
	room int
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.room)
	c.room -= n
	c.to.Write(p[:n])
	return len(p), nil
}
