package namespace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

// nobody is the user under which executions run where root maps it.
const nobody = 65534

// Options size a sandbox.
type Options struct {
	Environment python.Environment
	Cells       int // warm interpreters, each running one program at a time; default one a core
	Recycle     int // executions after which a cell is replaced; default 1,000
	Log         *slog.Logger
}

// Sandbox runs programs in cells. It implements sandbox.Sandbox.
type Sandbox struct {
	env      python.Environment
	recycle  int
	seccomp  []byte
	uid      int
	log      *slog.Logger
	spawn    *spawner
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	starting sync.WaitGroup // of cells that succeed others
	files    *hostFiles
	info     sandbox.Info // what is kept does not change
	kept     []string     // names of Info.Controls, for every result
	groups   *groups      // nil where there are none to be had
	noGroup  string       // why

	mu     sync.Mutex
	slots  []*slot
	next   int // numbers sessions
	closed bool
}

// slot is a place for one cell and those that it replaced.
type slot struct {
	mu         sync.Mutex
	current    *cell
	succeeding bool // the next cell is being started
	retired    []*cell
	sessions   int // guarded by Sandbox.mu
}

var _ sandbox.Sandbox = (*Sandbox)(nil)

var errClosed = errors.New("the sandbox is closed")

// New starts the cells. sandbox.ErrUnavailable says that this machine cannot, and
// what would mend it.
func New(ctx context.Context, opts Options) (_ *Sandbox, err error) {
	seccomp, err := backend.Filter()
	if err != nil {
		return nil, err
	}
	s := &Sandbox{env: opts.Environment, recycle: opts.Recycle, seccomp: seccomp, log: opts.Log, spawn: newSpawner()}
	if s.recycle == 0 {
		s.recycle = 1000
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if os.Getuid() == 0 && mapped(nobody) {
		s.uid = nobody
	}
	s.files = &hostFiles{spawn: s.spawn, uid: s.uid}
	backend.RemoveCopies("")
	if s.groups, err = newGroups(); err != nil {
		s.noGroup = fmt.Sprintf("no cgroup accounts for them (%v): run as root, or under systemd-run --user --scope -p Delegate=yes", err)
	}
	if opts.Cells == 0 {
		opts.Cells = runtime.GOMAXPROCS(0)
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for range opts.Cells {
		s.slots = append(s.slots, &slot{})
	}
	faults := make([]error, len(s.slots))
	var group sync.WaitGroup
	for i, place := range s.slots {
		group.Go(func() { _, faults[i] = s.cell(ctx, place, 0) })
	}
	group.Wait()
	for _, err := range faults {
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.info = sandbox.Info{Backend: "namespace", EnvironmentDigest: s.env.Digest(), Controls: s.controls()}
	s.kept = s.info.Enforced()
	return s, nil
}

// mapped says whether there is a user of that id in our own user namespace, which may be
// one that was made for a root of nothing but itself.
func mapped(id int) bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		var inside, outside, count int
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err == nil && inside <= id && id-inside < count {
			return true
		}
	}
	return false
}

// cell is the slot's cell, with so many more sessions counted in it. One that has done
// its share is replaced when its successor is ready, so that nobody waits for that.
func (s *Sandbox) cell(ctx context.Context, place *slot, sessions int) (*cell, error) {
	place.mu.Lock()
	defer place.mu.Unlock()
	if s.ctx.Err() != nil {
		return nil, errClosed // Close comes by each slot after it has ended this context
	}
	c := place.current
	switch {
	case c == nil || !c.alive():
		if c != nil {
			s.log.Debug("a sandbox cell is replaced")
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		fresh, err := s.startCell(ctx)
		if err != nil {
			return nil, err
		}
		place.current = fresh
	case !place.succeeding && c.used() >= s.recycle:
		place.succeeding = true
		s.starting.Go(func() { s.succeed(place) })
	}
	place.current.enter(sessions)
	return place.current, nil
}

// succeed puts a new cell in the place of the current one.
func (s *Sandbox) succeed(place *slot) {
	fresh, err := s.startCell(s.ctx)
	if err != nil && s.ctx.Err() == nil {
		s.log.Warn("a sandbox cell is kept beyond its share: no other starts", "error", err)
	}
	place.mu.Lock()
	defer place.mu.Unlock()
	place.succeeding = false
	if err == nil {
		place.retire()
		place.current = fresh
	}
}

// retire ends the current cell, with its last session.
func (p *slot) retire() {
	if p.current.retire() {
		p.current.stop()
		return
	}
	p.retired = append(slices.DeleteFunc(p.retired, func(c *cell) bool { return !c.alive() }), p.current)
}

// Open implements sandbox.Sandbox. A session lives in the cell that has the fewest.
func (s *Sandbox) Open(ctx context.Context, spec sandbox.Spec) (sandbox.Session, error) {
	files, err := backend.NewFiles(spec.Files)
	if err != nil {
		return nil, fmt.Errorf("open session %s: %w", spec.Name, err)
	}
	if err := backend.CheckServices(spec.Services); err != nil {
		return nil, fmt.Errorf("open session %s: %w", spec.Name, err)
	}
	mounts, err := s.files.mounts(ctx, files)
	if err != nil {
		return nil, fmt.Errorf("open session %s: %w", spec.Name, err)
	}
	defer func() { _ = closeAll(mounts) }() // the cell has its own
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, fmt.Errorf("open session %s: %w", spec.Name, errClosed)
	}
	place := slices.MinFunc(s.slots, func(a, b *slot) int { return a.sessions - b.sessions })
	place.sessions++
	s.next++
	id := fmt.Sprintf("s%d", s.next)
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		place.sessions--
		s.mu.Unlock()
	}

	c, err := s.cell(ctx, place, 1)
	if err != nil {
		leave()
		return nil, fmt.Errorf("open session %s: %w", spec.Name, err)
	}
	session := &session{box: s, cell: c, id: id, spec: spec, limits: spec.Limits.Defaults(), roots: rootsOf(files), leave: leave}
	frame := sessionFrame{Op: "open", Session: id, Disk: session.limits.Disk, Inodes: session.limits.Inodes, Files: files, Mounts: len(mounts)}
	if err := c.order(ctx, frame, mounts...); err != nil {
		c.exit()
		leave()
		return nil, fmt.Errorf("open session %s: %w", spec.Name, err)
	}
	return session, nil
}

// rootsOf lists the folders that files lie in: workdir, data.
func rootsOf(files []fileFrame) []string {
	roots := []string{}
	for _, f := range files {
		if root := strings.Split(f.Path, "/")[1]; !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	return roots
}

// Info implements sandbox.Sandbox.
func (s *Sandbox) Info() sandbox.Info {
	info := s.info
	info.Controls = slices.Clone(info.Controls)
	return info
}

// controls says how each protection is kept here.
func (s *Sandbox) controls() []sandbox.Control {
	const namespaced = "a namespace of its own"
	uid := sandbox.Control{Name: "uid", How: "user nobody, which owns nothing"}
	if s.uid == 0 {
		uid = sandbox.Control{Name: "uid", Gap: "programs run under this user's own id, only root can map another"}
	}
	cpu := sandbox.Control{Name: "cpu", How: "rlimits and a watchdog",
		Gap: "a program that ignores the end of its children hides their time: " + s.noGroup}
	memory := sandbox.Control{Name: "memory", How: "rlimits and a watchdog",
		Gap: "limited for each process and watched for the whole, without files and the kernel's own: " + s.noGroup}
	processes := sandbox.Control{Name: "processes", How: "rlimits"}
	if s.groups != nil {
		how := fmt.Sprintf("cgroup v%d", s.groups.version)
		memory = sandbox.Control{Name: "memory", How: how + " and rlimits"}
		processes.How = how + " and rlimits"
		if s.groups.cpu != "" {
			cpu = sandbox.Control{Name: "cpu", How: how + ", rlimits and a watchdog"}
		}
	}
	return []sandbox.Control{
		{Name: "capabilities", How: "dropped"},
		cpu,
		{Name: "disk", How: "tmpfs"},
		{Name: "fresh_process", How: "a fork of a warm process that holds no data"},
		{Name: "inodes", How: "tmpfs"},
		{Name: "ipc", How: namespaced},
		backend.LandlockControl(),
		memory,
		{Name: "mount", How: namespaced},
		{Name: "net", How: namespaced},
		{Name: "no_new_privs", How: "prctl"},
		{Name: "output", How: "read as it comes, and killed above"},
		{Name: "pid", How: namespaced},
		processes,
		{Name: "rootfs_readonly", How: "read-only binds"},
		{Name: "seccomp", How: "a filter of system calls for the cell, and a closer one for programs"},
		uid,
		{Name: "user", How: namespaced},
		{Name: "uts", How: namespaced},
		{Name: "wall", How: "a watchdog"},
	}
}

// Close implements sandbox.Sandbox.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.starting.Wait()
	for _, place := range s.slots {
		place.mu.Lock()
		if place.current != nil {
			place.current.stop()
		}
		for _, c := range place.retired {
			c.stop()
		}
		place.mu.Unlock()
	}
	err := s.files.close()
	if s.groups != nil {
		err = errors.Join(err, s.groups.close())
	}
	s.spawn.close()
	return err
}
