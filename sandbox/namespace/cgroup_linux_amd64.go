package namespace

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medgym-data/medgym-data/sandbox"
)

// groups are the cgroups of a sandbox: one a cell, and in it one for its supervisor and
// one, run, for the warm processes. Programs are forked from those, so they are in run
// from their first moment and none is ever moved: a move waits for the whole machine.
// What run may hold is set anew before each execution.
//
//	base/medgym-sandbox-1234/c1/run    base is this process's own cgroup, or near it
//
// The folder is locked while its owner lives. What is not locked was left by one that
// was killed, and is removed by the next that starts.
type groups struct {
	version int // 2 or 1
	memory  string
	pids    string
	cpu     string // empty where CPU time is not accounted
	leases  []*os.File
	undo    func() // puts back what dividing our own cgroup took

	mu   sync.Mutex
	free []*group // of cells that are gone, for the next: what is cached there is freed late
	made int
}

const (
	groupPrefix = "medgym-sandbox-"
	leafPrefix  = "medgym-self-" // where we move ourselves, if we have to
)

// kernelShare is what a program's executions may hold beside its memory limit: page
// tables, mounts, sockets, and copies of inherited pages.
const kernelShare = 64 << 20

// group holds a cell.
type group struct {
	in        *groups
	folders   []string // of the cell, one in each hierarchy
	usage     *os.File
	limit     *os.File
	stat      *os.File
	processes *os.File
	kills     *os.File // counts programs killed for memory
	event     *os.File // tells of it
	cpu       *os.File // nil where CPU time is not accounted

	tiers  int
	cached int64 // page cache when it was last looked at
	seen   int64 // usage then
	max    int   // processes
}

// newGroups divides the cgroup that this process may divide, v2 before v1. The error
// says why there is none.
func newGroups() (*groups, error) {
	g, err := unified()
	if err == nil {
		return g, nil
	}
	old, oldErr := legacy()
	if oldErr == nil {
		return old, nil
	}
	if errors.Is(oldErr, errNoHierarchy) {
		return nil, err
	}
	return nil, oldErr
}

var errNoHierarchy = errors.New("no cgroups")

// hierarchy is a mounted tree of cgroups and the place of this process in it.
type hierarchy struct{ mount, own string }

func (h hierarchy) dir() string { return filepath.Join(h.mount, h.own) }

// hierarchies lists where cgroups are mounted: by controller, v2 by the empty name.
func hierarchies() (map[string]hierarchy, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, errNoHierarchy
	}
	at := map[string]string{}
	for line := range strings.Lines(string(own)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // 4:memory:/path
		for _, controller := range strings.Split(parts[1], ",") {
			at[controller] = parts[2]
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, errNoHierarchy
	}
	out := map[string]hierarchy{}
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if len(place) < 5 || len(kind) < 3 || !strings.HasPrefix(kind[0], "cgroup") {
			continue
		}
		controllers := []string{""}
		if kind[0] == "cgroup" {
			controllers = strings.Split(kind[2], ",")
		}
		for _, controller := range controllers {
			path, mine := at[controller]
			below, err := filepath.Rel(place[3], path)
			if _, had := out[controller]; mine && !had && err == nil && !strings.HasPrefix(below, "..") {
				out[controller] = hierarchy{place[4], below}
			}
		}
	}
	return out, nil
}

// unified makes groups of cgroup v2.
func unified() (*groups, error) {
	all, err := hierarchies()
	if err != nil {
		return nil, err
	}
	h, ok := all[""]
	if !ok {
		return nil, errNoHierarchy
	}
	base, undo, err := divide(h)
	if err != nil {
		return nil, err
	}
	dir, lease, err := claim(base)
	if err == nil {
		err = enable(dir)
		if err != nil {
			err = errors.Join(err, removeGroups(dir), lease.Close())
		}
	}
	if err != nil {
		undo()
		return nil, err
	}
	return &groups{version: 2, memory: dir, pids: dir, cpu: dir, leases: []*os.File{lease}, undo: undo}, nil
}

// divide finds a cgroup whose children can be limited: our own, or the nearest above
// that already has such children, unless that would lose a limit that we are under. In
// v2 a cgroup with processes cannot have them: if we are alone in ours we move into a
// leaf of it.
func divide(h hierarchy) (base string, undo func(), err error) {
	own := h.dir()
	if strings.HasPrefix(filepath.Base(own), leafPrefix) {
		return filepath.Dir(own), func() {}, nil // divided before, for another sandbox of this process
	}
	has := words(filepath.Join(own, "cgroup.controllers"))
	if !slices.Contains(has, "memory") || !slices.Contains(has, "pids") {
		return "", nil, fmt.Errorf("%w: the memory and pids controllers are not given to %s", errNoHierarchy, own)
	}
	if enable(own) == nil {
		return own, func() {}, nil
	}
	if leaf, err := os.MkdirTemp(own, leafPrefix); err == nil {
		pid := strconv.Itoa(os.Getpid())
		back := func() {
			_ = put(filepath.Join(own, "cgroup.subtree_control"), "-memory -pids") // refused while others use it
			_ = put(filepath.Join(own, "cgroup.procs"), pid)
			_ = os.Remove(leaf)
		}
		if put(filepath.Join(leaf, "cgroup.procs"), pid) == nil && enable(own) == nil {
			return own, back, nil
		}
		back()
	}
	for dir, at := own, h.own; at != "." && at != "/"; {
		if !unlimited(dir) {
			break
		}
		dir, at = filepath.Dir(dir), filepath.Dir(at)
		given := words(filepath.Join(dir, "cgroup.subtree_control"))
		if unix.Access(dir, unix.W_OK) == nil && slices.Contains(given, "memory") && slices.Contains(given, "pids") {
			return dir, func() {}, nil
		}
	}
	return "", nil, fmt.Errorf("%s is shared with other processes or not ours to divide", own)
}

func words(file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// put writes to a file that the kernel has made.
func put(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// enable gives the children of a cgroup controllers.
func enable(dir string) error {
	return put(filepath.Join(dir, "cgroup.subtree_control"), "+memory +pids")
}

// unlimited says that leaving a cgroup loses no limit of memory or processes.
func unlimited(dir string) bool {
	for _, name := range []string{"memory.max", "memory.high", "memory.swap.max", "pids.max"} {
		if value := words(filepath.Join(dir, name)); len(value) > 0 && value[0] != "max" {
			return false
		}
	}
	return true
}

// legacy makes groups of cgroup v1, whose controllers have a tree each.
func legacy() (*groups, error) {
	all, err := hierarchies()
	if err != nil {
		return nil, err
	}
	g := &groups{version: 1, undo: func() {}}
	for _, controller := range []struct {
		name string
		dir  *string
	}{{"memory", &g.memory}, {"pids", &g.pids}, {"cpuacct", &g.cpu}} {
		h, ok := all[controller.name]
		if !ok {
			err = errNoHierarchy
		} else if known := slices.IndexFunc(g.dirs(), func(dir string) bool { return filepath.Dir(dir) == h.dir() }); known >= 0 {
			*controller.dir = g.dirs()[known] // mounted together
			continue
		} else {
			var lease *os.File
			if *controller.dir, lease, err = claim(h.dir()); err == nil {
				g.leases = append(g.leases, lease)
				continue
			}
		}
		if controller.name != "cpuacct" {
			return nil, errors.Join(err, g.close())
		}
	}
	return g, nil
}

// dirs are the folders of the sandbox, each once.
func (g *groups) dirs() []string {
	var out []string
	for _, dir := range []string{g.memory, g.pids, g.cpu} {
		if dir != "" && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	return out
}

// claim makes a sandbox's folder below base and locks it, after what killed ones left
// there is removed.
func claim(base string) (string, *os.File, error) {
	leftovers, err := filepath.Glob(filepath.Join(base, groupPrefix+"*"))
	if err != nil {
		return "", nil, err
	}
	for _, dir := range leftovers {
		if lease, err := lock(dir); err == nil {
			_ = errors.Join(removeGroups(dir), lease.Close()) // the next one tries again
		}
	}
	leaves, err := filepath.Glob(filepath.Join(base, leafPrefix+"*"))
	if err != nil {
		return "", nil, err
	}
	for _, leaf := range leaves {
		_ = os.Remove(leaf) // refused where a process is in it
	}
	for range 10 {
		dir, err := os.MkdirTemp(base, groupPrefix+strconv.Itoa(os.Getpid())+"-")
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", base, errors.Unwrap(err))
		}
		lease, err := lock(dir)
		if err != nil {
			continue // another that starts took it for a leftover
		}
		if _, err := os.Stat(dir); err == nil {
			return dir, lease, nil
		}
		_ = lease.Close()
	}
	return "", nil, fmt.Errorf("%s: others remove what is made there", base)
}

// lock locks a folder for as long as the file is open, which the end of a process ends.
func lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// removeGroups removes a folder of cgroups. What runs in it is killed where the kernel
// can do so at a stroke; elsewhere it is ours and about to end.
func removeGroups(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := put(filepath.Join(dir, "cgroup.kill"), "1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	slices.Reverse(dirs)
	for _, dir := range dirs {
		for wait := time.Millisecond; ; wait *= 2 {
			err := os.Remove(dir)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				break
			}
			if !errors.Is(err, unix.EBUSY) || wait > time.Second {
				return err
			}
			time.Sleep(wait) // a process that is dead leaves its cgroup a little later
		}
	}
	return nil
}

// take is a group for a new cell.
func (g *groups) take() (_ *group, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.free); n > 0 {
		c := g.free[n-1]
		g.free = g.free[:n-1]
		return c, nil
	}
	g.made++
	c := &group{in: g}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make a cgroup: %w", err), c.close())
		}
	}()
	name := "c" + strconv.Itoa(g.made)
	for _, dir := range g.dirs() {
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			return nil, err
		}
		c.folders = append(c.folders, folder)
		if g.version == 2 {
			if err := errors.Join(enable(folder), os.Mkdir(filepath.Join(folder, "supervisor"), 0o755)); err != nil {
				return nil, err
			}
		}
		if err := os.Mkdir(filepath.Join(folder, "run"), 0o755); err != nil {
			return nil, err
		}
	}
	at := func(dir, file string) string { return filepath.Join(dir, name, "run", file) }
	open := func(to **os.File, path string, mode int) {
		f, fault := os.OpenFile(path, mode, 0)
		if *to = f; fault != nil {
			*to, err = nil, errors.Join(err, fault)
		}
	}
	open(&c.stat, at(g.memory, "memory.stat"), os.O_RDONLY)
	open(&c.processes, at(g.pids, "pids.max"), os.O_WRONLY)
	// Memory that was put out to disk would be beside the limit. Not every kernel swaps.
	if g.version == 2 {
		open(&c.usage, at(g.memory, "memory.current"), os.O_RDONLY)
		open(&c.limit, at(g.memory, "memory.max"), os.O_WRONLY)
		open(&c.kills, at(g.memory, "memory.events"), os.O_RDONLY)
		open(&c.event, at(g.memory, "memory.events"), os.O_RDONLY)
		open(&c.cpu, at(g.cpu, "cpu.stat"), os.O_RDONLY)
		_ = put(at(g.memory, "memory.swap.max"), "0")
		return c, err
	}
	open(&c.usage, at(g.memory, "memory.usage_in_bytes"), os.O_RDONLY)
	open(&c.limit, at(g.memory, "memory.limit_in_bytes"), os.O_WRONLY)
	open(&c.kills, at(g.memory, "memory.oom_control"), os.O_RDONLY)
	if g.cpu != "" {
		open(&c.cpu, at(g.cpu, "cpuacct.usage"), os.O_RDONLY)
	}
	if err != nil {
		return nil, err
	}
	_ = put(at(g.memory, "memory.swappiness"), "0")
	_ = put(at(g.memory, "memory.kmem.tcp.limit_in_bytes"), strconv.Itoa(kernelShare)) // else not counted
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	c.event = os.NewFile(uintptr(fd), "event")
	return c, put(at(g.memory, "cgroup.event_control"), fmt.Sprintf("%d %d", fd, c.kills.Fd()))
}

// give takes back the group of a cell that is gone.
func (c *group) give() {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.free = append(c.in.free, c)
}

// begin is the folder in which a cell begins, for a clone into it. Without one, in v1,
// the cell is put there by enter.
func (c *group) begin() (*os.File, error) {
	if c.in.version == 1 {
		return nil, nil
	}
	return os.Open(filepath.Join(c.folders[0], "run"))
}

func (c *group) enter(pid int) error {
	if c.in.version == 2 {
		return nil
	}
	return c.move(pid, "run")
}

// settle takes the supervisor of a cell out of run, where the warm processes stay. What
// it has loaded stays counted there, and is part of what run holds before a program.
func (c *group) settle(supervisor, tiers int) error {
	c.tiers, c.max = tiers, 0
	if c.in.version == 2 {
		return c.move(supervisor, "supervisor")
	}
	return c.move(supervisor, "")
}

func (c *group) move(pid int, to string) error {
	for _, folder := range c.folders {
		if err := put(filepath.Join(folder, to, "cgroup.procs"), strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("enter a cgroup: %w", err)
		}
	}
	return nil
}

// allow sets the limits of the next execution: what is held now stays free of charge.
// It is on the path of every execution: two system calls.
func (c *group) allow(l sandbox.Limits) error {
	usage, err := number(c.usage, nil)
	if err != nil {
		return err
	}
	// Cached files are given back when they are in the way. To look costs more than all
	// else here, so it is done when there may be many new ones.
	if usage-c.seen > 32<<20 || c.seen-usage > 32<<20 {
		c.cached = 0
		for _, name := range []string{"\ninactive_file ", "\nactive_file "} {
			n, err := number(c.stat, []byte(name))
			if err != nil {
				return err
			}
			c.cached += n
		}
		c.seen = usage
	}
	limit := max(usage-c.cached, 0) + l.Memory + kernelShare
	if _, err := c.limit.WriteAt(strconv.AppendInt(nil, limit, 10), 0); err != nil {
		return fmt.Errorf("limit memory: %w", err)
	}
	if most := c.tiers + l.Processes; most != c.max {
		if _, err := c.processes.WriteAt(strconv.AppendInt(nil, int64(most), 10), 0); err != nil {
			return fmt.Errorf("limit processes: %w", err)
		}
		c.max = most
	}
	return nil
}

// number reads the number after a name, or the only one.
func number(f *os.File, name []byte) (int64, error) {
	var buffer [8 << 10]byte
	n, err := f.ReadAt(buffer[:], 0)
	text := buffer[:n]
	if n == 0 {
		return 0, fmt.Errorf("read a cgroup: %w", err)
	}
	at := bytes.Index(text, name)
	if at < 0 {
		return 0, fmt.Errorf("read a cgroup: %s has no %s", f.Name(), bytes.TrimSpace(name))
	}
	text = text[at+len(name):]
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		text = text[:end]
	}
	return strconv.ParseInt(string(text), 10, 64)
}

// watched are the files by which a supervisor learns of a kill for memory and of CPU
// time: the event, the count, the time if it is accounted.
func (c *group) watched() []*os.File {
	if c.cpu == nil {
		return []*os.File{c.event, c.kills}
	}
	return []*os.File{c.event, c.kills, c.cpu}
}

func (c *group) close() error {
	for _, f := range []*os.File{c.usage, c.limit, c.stat, c.processes, c.kills, c.event, c.cpu} {
		if f != nil {
			_ = f.Close()
		}
	}
	var err error
	for _, folder := range c.folders {
		err = errors.Join(err, removeGroups(folder))
	}
	return err
}

// close removes every cgroup, after the cells are gone.
func (g *groups) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	for _, c := range g.free {
		err = errors.Join(err, c.close())
	}
	g.free = nil
	for _, dir := range g.dirs() {
		err = errors.Join(err, removeGroups(dir))
	}
	err = errors.Join(err, closeAll(g.leases))
	g.leases = nil
	g.undo()
	if err != nil {
		return fmt.Errorf("remove cgroups: %w", err)
	}
	return nil
}
