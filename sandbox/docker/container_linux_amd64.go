package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

const (
	nobody     = "65534:65534"
	startLimit = 5 * time.Minute // to load the packages

	// What the supervisor and the warm interpreters need beside a program's limits.
	ownMemory    = 1 << 30
	ownProcesses = 8
)

// shape is what a container is made with.
type shape struct {
	memory, disk, inodes int64
	processes            int
	files                []backend.File // of the host
}

// key is the same for shapes that are the same.
func (s shape) key() string {
	text := fmt.Sprintln(s.memory, s.disk, s.inodes, s.processes)
	for _, f := range s.files {
		text += fmt.Sprintf("%q %q\n", f.Path, f.Host)
	}
	return text
}

// cell is one running container.
type cell struct {
	box    *Sandbox
	id     string
	dir    string // on the host: what lies below /workdir and /data
	stream *stream
	hello  frame
}

// start makes a container and waits until it is ready.
func (b *Sandbox) start(ctx context.Context, s shape) (_ *cell, err error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	c := &cell{box: b}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.remove())
		}
	}()
	if err := c.stage(s); err != nil {
		return nil, fmt.Errorf("start a container: %w", err)
	}
	config, host := b.settings(s, c.dir)
	made, err := b.engine.ContainerCreate(ctx, config, host, nil, nil, "")
	if err != nil {
		return nil, fmt.Errorf("start a container: %w", err)
	}
	c.id = made.ID
	attached, err := b.engine.ContainerAttach(ctx, c.id, container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	if err != nil {
		return nil, fmt.Errorf("attach to a container: %w", err)
	}
	c.stream = &stream{attached: attached}
	if err := b.engine.ContainerStart(ctx, c.id, container.StartOptions{}); err != nil {
		return nil, fmt.Errorf("start a container: %w", err)
	}
	err = c.talk(ctx, startLimit, func() error {
		if err := c.stream.send(backend.Config{Tiers: backend.Tiers(), Seccomp: b.seccomp}); err != nil {
			return err
		}
		c.hello, err = c.stream.receive()
		return err
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, c.death("start", err)
	case c.hello.Op != "ready":
		return nil, fmt.Errorf("sandbox container: start: %s", c.hello.What)
	}
	return c, nil
}

// settings are how a container is walled in.
func (b *Sandbox) settings(s shape, dir string) (*container.Config, *container.HostConfig) {
	scratch := func(more string) string {
		return fmt.Sprintf("rw,exec,nosuid,nodev,size=%d,nr_inodes=%d,%s", s.disk, s.inodes, more)
	}
	readOnly := func(from, to string) mount.Mount {
		return mount.Mount{Type: mount.TypeBind, Source: from, Target: to, ReadOnly: true,
			BindOptions: &mount.BindOptions{Propagation: mount.PropagationRPrivate}}
	}
	mounts := []mount.Mount{
		readOnly(b.sources(), "/opt/medgym"),
		readOnly(filepath.Join(dir, "workdir"), "/workdir"),
		readOnly(filepath.Join(dir, "data"), "/data"),
	}
	for _, f := range s.files {
		mounts = append(mounts, readOnly(f.Host, f.Path))
	}
	memory := s.memory + 3*s.disk + ownMemory // what lies in a tmpfs counts as memory
	pids := int64(s.processes + ownProcesses)
	config := &container.Config{
		Image: b.image, User: nobody, Hostname: "sandbox", Env: backend.Environment(), WorkingDir: "/session",
		Entrypoint: []string{"python3.11", "-s", "-S", "/opt/medgym/container.py"},
		Labels:     map[string]string{label: b.owner},
		// The container's life is the stream's: its end is the supervisor's.
		OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true,
	}
	host := &container.HostConfig{
		AutoRemove: true, Runtime: b.runtime, NetworkMode: "none", IpcMode: container.IPCModePrivate,
		ReadonlyRootfs: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
		LogConfig: container.LogConfig{Type: "none"},
		Mounts:    mounts,
		Tmpfs: map[string]string{
			"/tmp": scratch("mode=1777"), "/dev/shm": scratch("mode=1777"), "/session": scratch("mode=700,uid=65534,gid=65534"),
		},
		Resources: container.Resources{Memory: memory, MemorySwap: memory, PidsLimit: &pids},
	}
	return config, host
}

// stage makes the host's side of /workdir and /data, with places for what is bound.
func (c *cell) stage(s shape) (err error) {
	if c.dir, err = os.MkdirTemp(c.box.folder.Path, "files-"); err != nil {
		return err
	}
	if err := os.Chmod(c.dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"workdir", "data"} {
		if err := os.Mkdir(filepath.Join(c.dir, name), 0o755); err != nil {
			return err
		}
	}
	for _, f := range s.files {
		if err := c.put(f.Path, nil); err != nil {
			return err
		}
	}
	return nil
}

// put writes a file that the container shows below /workdir or /data, read-only.
func (c *cell) put(path string, content []byte) error {
	name := filepath.Join(c.dir, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("prepare %s: %w", path, err)
	}
	if err := os.WriteFile(name, content, 0o444); err != nil {
		return fmt.Errorf("prepare %s: %w", path, err)
	}
	return os.Chmod(name, 0o444) // whatever the umask
}

// talk runs f, which sends to the container and receives from it, within a time limit.
// An error makes the container useless.
func (c *cell) talk(ctx context.Context, limit time.Duration, f func() error) error {
	conn := c.stream.attached.Conn
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cut)
		_ = conn.SetDeadline(time.Now())
	})
	defer func() {
		if !stop() {
			<-cut
		}
	}()
	return f()
}

// death says what a container that failed has left.
func (c *cell) death(doing string, err error) error {
	text := strings.Join(strings.Fields(c.stream.stderr.String()), " ")
	if text = text[max(0, len(text)-400):]; text != "" {
		return fmt.Errorf("sandbox container: %s: %w: it says: %s", doing, err, strings.ToValidUTF8(text, ""))
	}
	return fmt.Errorf("sandbox container: %s: %w", doing, err)
}

// remove ends the container with all that runs in it and waits until it is gone.
func (c *cell) remove() error {
	// Whoever is done does not wait for long: a container that hangs is the janitor's.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	if c.stream != nil {
		c.stream.attached.Close()
	}
	if c.id != "" {
		err = c.box.discard(ctx, c.id)
	}
	if c.dir != "" {
		err = errors.Join(err, os.RemoveAll(c.dir))
	}
	return err
}

// discard removes a container, which may be about to remove itself.
func (b *Sandbox) discard(ctx context.Context, id string) error {
	for {
		err := b.engine.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		switch {
		case errdefs.IsNotFound(err):
			return nil
		case err == nil || errdefs.IsConflict(err): // being removed
		default:
			return fmt.Errorf("remove container %.12s: %w", id, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("remove container %.12s: %w", id, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// sources is the folder of the supervisor's own files on the host.
func (b *Sandbox) sources() string { return filepath.Join(b.folder.Path, "medgym") }

// place writes the supervisor's files.
func (b *Sandbox) place() error {
	if err := os.Mkdir(b.sources(), 0o755); err != nil {
		return err
	}
	for name, text := range map[string][]byte{"container.py": python.Container, "zygote.py": python.Zygote, "plain.py": python.Plain} {
		if err := os.WriteFile(filepath.Join(b.sources(), name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// shapeOf is what a session's container is made with.
func (b *Sandbox) shapeOf(ctx context.Context, l sandbox.Limits, files []backend.File) (shape, error) {
	s := shape{memory: l.Memory, disk: l.Disk, inodes: l.Inodes, processes: l.Processes}
	for _, f := range files {
		if f.Host == "" {
			continue
		}
		host, err := b.private.Readable(ctx, f.Host)
		if err != nil {
			return s, fmt.Errorf("file %s: %w", f.Path, err)
		}
		s.files = append(s.files, backend.File{Path: f.Path, Host: host})
	}
	return s, nil
}

// ownerOf names this process in a label, so that another can tell whether it lives.
func ownerOf() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "", err
	}
	begun, err := startTime(os.Getpid())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s %d %s", strings.TrimSpace(string(boot)), space, os.Getpid(), begun), nil
}

// startTime is when a process began, as the kernel counts.
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return fields[19], nil
}

// stray says whether the owner that a label names is dead. Of a process that it
// cannot see, in another pid namespace, it says no.
func stray(owner, self string) bool {
	theirs, own := strings.Fields(owner), strings.Fields(self)
	if len(theirs) != 4 || len(own) != 4 {
		return false
	}
	if theirs[0] != own[0] {
		return true // the machine has been started anew
	}
	pid, err := strconv.Atoi(theirs[2])
	if theirs[1] != own[1] || err != nil {
		return false
	}
	begun, err := startTime(pid)
	return err != nil || begun != theirs[3]
}
