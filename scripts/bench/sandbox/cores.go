package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// affinity is the set of cores that this process may use.
func affinity() (set unix.CPUSet, err error) {
	err = unix.SchedGetaffinity(0, &set)
	return set, err
}

func first(set unix.CPUSet) (one unix.CPUSet) {
	for i := range 1024 {
		if set.IsSet(i) {
			one.Set(i)
			return one
		}
	}
	return set
}

// list is a set as Docker's --cpuset-cpus wants it.
func list(set unix.CPUSet) string {
	var cores []string
	for i := range 1024 {
		if set.IsSet(i) {
			cores = append(cores, strconv.Itoa(i))
		}
	}
	return strings.Join(cores, ",")
}

// pinned remembers where threads were bound before.
type pinned struct {
	threads int // of Go
	before  map[int]unix.CPUSet
}

// engine are the processes of Docker that work for its containers.
var engine = []string{"dockerd", "containerd", "containerd-shim"}

// pin binds every thread of this process, and with them what it starts; and where it
// may, those of Docker's engine, which starts containers.
func pin(set unix.CPUSet) (pinned, error) {
	p := pinned{threads: runtime.GOMAXPROCS(set.Count()), before: map[int]unix.CPUSet{}}
	if err := p.bind("/proc/self", set); err != nil {
		return p, errors.Join(err, p.restore())
	}
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return p, errors.Join(err, p.restore())
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		for _, part := range engine {
			if comm := strings.TrimSpace(string(text)); comm == part || part == "containerd-shim" && strings.HasPrefix(comm, part) {
				_ = p.bind(filepath.Dir(name), set) // for an ordinary user it stays as it is
			}
		}
	}
	return p, nil
}

func (p pinned) bind(process string, set unix.CPUSet) error {
	tasks, err := os.ReadDir(filepath.Join(process, "task"))
	if err != nil {
		return err
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		var before unix.CPUSet
		err = unix.SchedGetaffinity(tid, &before)
		if err == nil {
			err = unix.SchedSetaffinity(tid, &set)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("bind thread %d: %w", tid, err)
		}
		p.before[tid] = before
	}
	return nil
}

// restore lets all go that pin has bound, and the threads that they have started.
func (p pinned) restore() error {
	runtime.GOMAXPROCS(p.threads)
	whole, ok := p.before[os.Getpid()]
	if !ok {
		return nil
	}
	_ = pinned{before: map[int]unix.CPUSet{}}.bind("/proc/self", whole)
	seen := map[int]bool{}
	for tid := range p.before {
		pid, err := processOf(tid)
		if err != nil || seen[pid] {
			continue // it has ended
		}
		seen[pid] = true
		_ = pinned{before: map[int]unix.CPUSet{}}.bind(fmt.Sprintf("/proc/%d", pid), p.before[tid])
	}
	return nil
}

// processOf is the process that a thread belongs to.
func processOf(tid int) (pid int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "\nTgid:")
	_, err = fmt.Sscan(rest, &pid)
	return pid, err
}

// busyTime is what all cores of this machine have worked, for whomever.
func busyTime() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var ticks int64
	for i, field := range strings.Fields(line) {
		// cpu user nice system idle iowait irq softirq steal: the guest's is in user.
		if n, err := strconv.ParseInt(field, 10, 64); err == nil && i != 4 && i != 5 && i < 9 {
			ticks += n
		}
	}
	return time.Duration(ticks) * (time.Second / 100)
}
