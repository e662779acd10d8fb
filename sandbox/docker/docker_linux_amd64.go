package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

const (
	label     = "org.medgym-data.sandbox" // on every container: who made it
	lockLabel = "org.medgym-data.lock"    // on the image: the digest of its lock file
	oldest    = "1.41"                    // API version
)

// Image is the name of the image that this program needs.
func Image() string { return "medgym-sandbox:" + python.Lock()[:12] }

// Options size a sandbox.
type Options struct {
	Warm    int    // containers that wait for a session; default one a core
	Runtime string // of the engine; default the engine's own
	Log     *slog.Logger
}

// Sandbox runs programs in containers. It implements sandbox.Sandbox.
type Sandbox struct {
	engine  *client.Client
	info    system.Info
	image   string
	runtime string
	owner   string // of its containers
	seccomp []byte
	warm    int
	log     *slog.Logger
	hello   frame // of the first container
	private backend.PrivateFiles
	folder  *backend.Folder
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	group   sync.WaitGroup // what goes on in the background
	builds  chan struct{}  // a token for each container that is being started

	mu     sync.Mutex
	pools  []*pool // the one that was used last comes last
	live   map[*session]bool
	closed bool
}

// pool holds the containers of one shape that wait for a session.
type pool struct {
	key     string
	shape   shape
	idle    []*cell
	pending int // being started
}

var _ sandbox.Sandbox = (*Sandbox)(nil)

var errClosed = errors.New("the sandbox is closed")

// New connects to the engine and starts the first containers. sandbox.ErrUnavailable
// says that this machine cannot, and what would mend it.
func New(ctx context.Context, opts Options) (_ *Sandbox, err error) {
	b := &Sandbox{image: Image(), runtime: opts.Runtime, warm: opts.Warm, log: opts.Log, live: map[*session]bool{}}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.warm == 0 {
		b.warm = runtime.GOMAXPROCS(0)
	}
	b.builds = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))
	b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if b.seccomp, err = backend.Filter(); err != nil {
		return nil, err
	}
	if b.owner, err = ownerOf(); err != nil {
		return nil, fmt.Errorf("name this process: %w", err)
	}
	if err := b.connect(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
	}
	if err := b.janitor(ctx); err != nil {
		return nil, fmt.Errorf("%w: remove what a killed process left: %w", sandbox.ErrUnavailable, err)
	}
	if b.folder, err = backend.NewFolder("", "medgym-docker-"); err != nil {
		return nil, err
	}
	if err := b.place(); err != nil {
		return nil, err
	}
	def := sandbox.Limits{}.Defaults()
	first := shape{memory: def.Memory, disk: def.Disk, inodes: def.Inodes, processes: def.Processes}
	c, err := b.start(ctx, first)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
	}
	b.hello = c.hello
	b.pools = []*pool{{key: first.key(), shape: first, idle: []*cell{c}}}
	b.refill()
	return b, nil
}

// connect finds the engine, its abilities and the image.
func (b *Sandbox) connect(ctx context.Context) (err error) {
	b.engine, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return fmt.Errorf("reach the Docker engine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if b.info, err = b.engine.Info(ctx); err != nil {
		return fmt.Errorf("no Docker engine answers: start one (scripts/dockerd.sh start), or name it in DOCKER_HOST: %w", err)
	}
	if version := b.engine.ClientVersion(); older(version, oldest) {
		return fmt.Errorf("the Docker engine speaks API %s, and %s is needed: install Docker 20.10 or newer", version, oldest)
	}
	if _, there := b.info.Runtimes[b.runtime]; !there && b.runtime != "" {
		return fmt.Errorf("the Docker engine has no runtime %s: name it in daemon.json", b.runtime)
	}
	image, err := b.engine.ImageInspect(ctx, b.image)
	switch {
	case errdefs.IsNotFound(err):
		return fmt.Errorf("the image %s is not there: build it with scripts/build-image.sh, or with scripts/build-image.sh --rootfs where no registry can be reached", b.image)
	case err != nil:
		return fmt.Errorf("look for the image %s: %w", b.image, err)
	case image.Config == nil || image.Config.Labels[lockLabel] != python.Lock():
		return fmt.Errorf("the image %s holds another environment: remove it (docker image rm %[1]s) and build it with scripts/build-image.sh", b.image)
	}
	return nil
}

// older compares versions of the API, two numbers with a dot.
func older(version, than string) bool {
	var a, b [2]int
	if _, err := fmt.Sscanf(version, "%d.%d", &a[0], &a[1]); err != nil {
		return true
	}
	if _, err := fmt.Sscanf(than, "%d.%d", &b[0], &b[1]); err != nil {
		return true
	}
	return slices.Compare(a[:], b[:]) < 0
}

// janitor removes containers whose owner is dead.
func (b *Sandbox) janitor(ctx context.Context) error {
	found, err := b.engine.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", label))})
	if err != nil {
		return err
	}
	for _, c := range found {
		if stray(c.Labels[label], b.owner) {
			b.log.Info("removes a container that a killed process left", "container", c.ID[:12])
			err = errors.Join(err, b.discard(ctx, c.ID))
		}
	}
	return err
}

// Open implements sandbox.Sandbox. A session has a container of its own.
func (b *Sandbox) Open(ctx context.Context, spec sandbox.Spec) (sandbox.Session, error) {
	files, err := backend.NewFiles(spec.Files)
	if err == nil {
		err = backend.CheckServices(spec.Services)
	}
	if err != nil {
		return nil, fmt.Errorf("open session %s: %w", spec.Name, err)
	}
	s := &session{box: b, spec: spec, limits: spec.Limits.Defaults()}
	shape, err := b.shapeOf(ctx, s.limits, files)
	if err != nil {
		return nil, fmt.Errorf("open session %s: %w", spec.Name, err)
	}
	if s.cell, err = b.take(ctx, shape); err != nil {
		return nil, fmt.Errorf("open session %s: %w", spec.Name, err)
	}
	for _, f := range files {
		if f.Host == "" && err == nil {
			err = s.cell.put(f.Path, f.Content)
		}
	}
	if err == nil {
		err = b.enter(s)
	}
	if err != nil {
		return nil, fmt.Errorf("open session %s: %w", spec.Name, errors.Join(err, s.cell.remove()))
	}
	return s, nil
}

// enter notes a session for Close.
func (b *Sandbox) enter(s *session) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	b.live[s] = true
	return nil
}

// take hands over a container that waits, or starts one, and has another started in
// its place.
func (b *Sandbox) take(ctx context.Context, s shape) (*cell, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil, errClosed
	}
	key := s.key()
	at := slices.IndexFunc(b.pools, func(p *pool) bool { return p.key == key })
	p := &pool{key: key, shape: s}
	if at >= 0 {
		p = b.pools[at]
		b.pools = slices.Delete(b.pools, at, at+1)
	}
	b.pools = append(b.pools, p)
	var ready *cell
	if n := len(p.idle); n > 0 {
		ready, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	b.mu.Unlock()
	defer b.refill()
	if ready != nil {
		return ready, nil
	}
	return b.build(ctx, s)
}

// build starts a container when it is its turn.
func (b *Sandbox) build(ctx context.Context, s shape) (*cell, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	select {
	case b.builds <- struct{}{}:
		defer func() { <-b.builds }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return b.start(ctx, s)
}

// refill brings the pool that was used last to its size, at the cost of the oldest.
func (b *Sandbox) refill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.pools) == 0 {
		return
	}
	p := b.pools[len(b.pools)-1]
	for len(p.idle)+p.pending < b.warm {
		p.pending++
		b.group.Go(func() { b.add(p) })
	}
	waiting := 0
	for _, q := range slices.Backward(b.pools) {
		waiting += len(q.idle) + q.pending
		for waiting > 2*b.warm && len(q.idle) > 0 {
			waiting--
			b.drop(q.idle[0])
			q.idle = q.idle[1:]
		}
	}
	b.pools = slices.DeleteFunc(b.pools, func(q *pool) bool { return q != p && len(q.idle)+q.pending == 0 })
}

// add starts a container for a pool.
func (b *Sandbox) add(p *pool) {
	c, err := b.build(b.ctx, p.shape)
	b.mu.Lock()
	defer b.mu.Unlock()
	p.pending--
	switch {
	case err != nil && b.ctx.Err() == nil:
		b.log.Warn("a container could not be started ahead", "error", err)
	case err != nil:
	case b.closed:
		b.drop(c)
	default:
		p.idle = append(p.idle, c)
		if !slices.Contains(b.pools, p) {
			b.pools = append([]*pool{p}, b.pools...)
		}
	}
}

// drop removes a container in the background.
func (b *Sandbox) drop(c *cell) {
	b.group.Go(func() {
		if err := c.remove(); err != nil {
			b.log.Warn("a container could not be removed", "error", err)
		}
	})
}

// Close implements sandbox.Sandbox.
func (b *Sandbox) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	var left []*cell
	for _, p := range b.pools {
		left = append(left, p.idle...)
	}
	for s := range b.live {
		left = append(left, s.cell)
	}
	b.mu.Unlock()
	b.cancel()
	for _, c := range left {
		b.drop(c)
	}
	b.group.Wait()
	var err error
	if b.engine != nil && b.folder != nil {
		err = errors.Join(b.janitor(context.WithoutCancel(b.ctx)), b.engine.Close())
	}
	if b.folder != nil {
		err = errors.Join(err, b.folder.Close())
	}
	return errors.Join(err, b.private.Close())
}

// Info implements sandbox.Sandbox.
func (b *Sandbox) Info() sandbox.Info {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", python.Lock(), b.hello.Version)
	for _, source := range [][]byte{python.Zygote, python.Plain, python.Container} {
		h.Write(source)
	}
	return sandbox.Info{Backend: "docker", EnvironmentDigest: hex.EncodeToString(h.Sum(nil)), Controls: b.controls()}
}

// controls says how each protection is kept here.
func (b *Sandbox) controls() []sandbox.Control {
	const own = "the container's own namespace"
	engine := func(ok bool, name, how, missing string) sandbox.Control {
		if !ok {
			return sandbox.Control{Name: name, Gap: missing}
		}
		return sandbox.Control{Name: name, How: how}
	}
	memory := engine(b.info.MemoryLimit, "memory", "cgroup for the container, rlimits and a watchdog for a program", "the engine has no cgroup for memory")
	if memory.How == "" {
		memory.How = "rlimits and a watchdog"
	} else {
		memory.Gap = "files and what the kernel holds for a program count toward the container's limit alone, which is higher"
		if !b.info.SwapLimit {
			memory.Gap += "; the engine does not count swap"
		}
	}
	landlock := sandbox.Control{Name: "landlock", How: fmt.Sprintf("version %d, files and ports", b.hello.Landlock), Gap: "signals need version 6: a filter of system calls keeps them in"}
	switch {
	case b.hello.Landlock >= 6:
		landlock = sandbox.Control{Name: "landlock", How: fmt.Sprintf("version %d, files, ports and signals", b.hello.Landlock)}
	case b.hello.Landlock == 0:
		landlock = sandbox.Control{Name: "landlock", Gap: "the kernel or the engine's filter of system calls lacks it"}
	}
	user := sandbox.Control{Name: "user", Gap: "the engine maps no users: dockerd --userns-remap=default does"}
	if slices.Contains(b.info.SecurityOptions, "name=userns") || slices.Contains(b.info.SecurityOptions, "name=rootless") {
		user = sandbox.Control{Name: "user", How: own}
	}
	return []sandbox.Control{
		{Name: "capabilities", How: "dropped by the engine"},
		{Name: "cpu", How: "rlimits and a watchdog"},
		{Name: "disk", How: "tmpfs"},
		{Name: "fresh_process", How: "a fork of a warm process; others are killed and temporary files removed after each execution",
			Gap: "a container serves one session: its executions share namespaces and a kernel's view, only sessions have their own"},
		{Name: "inodes", How: "tmpfs"},
		{Name: "ipc", How: own},
		landlock,
		memory,
		{Name: "mount", How: own},
		{Name: "net", How: "no network but loopback"},
		{Name: "no_new_privs", How: "set by the engine"},
		{Name: "output", How: "read as it comes, and killed above"},
		{Name: "pid", How: own, Gap: "the supervisor and the warm interpreters are seen, though not touched"},
		engine(b.info.PidsLimit, "processes", "cgroup", "the engine has no cgroup for processes"),
		{Name: "rootfs_readonly", How: "set by the engine"},
		engine(slices.ContainsFunc(b.info.SecurityOptions, isSeccomp), "seccomp", "the engine's filter of system calls and our own", "the engine's filter is off, our own is on"),
		{Name: "uid", How: "user nobody, which owns nothing"},
		user,
		{Name: "uts", How: own},
		{Name: "wall", How: "a watchdog"},
	}
}
