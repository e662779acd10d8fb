package sandboxtest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// census is what of the host a sandbox could leave something in.
type census map[string][]string

// descriptors is the entry that is a number, of what this process has open.
const descriptors = "descriptors"

func number(entry []string) int {
	n, _ := strconv.Atoi(strings.Join(entry, "")) // take wrote it
	return n
}

// take counts what this process and those below it hold, and what of the machine
// programs could have changed. Other users of the machine do not show in it.
func take(t testing.TB, b Backend) census {
	t.Helper()
	c := census{"processes": descendants(os.Getpid()), "held": b.held(t)}
	for what, dir := range map[string]string{descriptors: "/proc/self/fd", "temporary files": os.TempDir()} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			c[what] = append(c[what], entry.Name())
		}
	}
	c[descriptors] = []string{fmt.Sprint(len(c[descriptors]))}
	for _, name := range []string{"/proc/self/mountinfo", "/proc/sysvipc/shm", "/proc/sysvipc/msg", "/proc/sysvipc/sem",
		"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/kernel/sysrq", "/proc/self/cgroup"} {
		text, _ := os.ReadFile(name) // what is not here cannot be changed
		c[name] = strings.Split(string(text), "\n")
	}
	// Programs name whatever they leave so.
	for _, dir := range []string{"/tmp", "/var/tmp", "/dev/shm", "/", "/dev/mqueue"} {
		left, _ := filepath.Glob(filepath.Join(dir, "medgym-abuse*"))
		c["files of programs"] = append(c["files of programs"], left...)
	}
	c["/proc/self/mountinfo"] = slices.DeleteFunc(c["/proc/self/mountinfo"], func(line string) bool {
		return strings.Contains(line, "/docker") // a daemon's, which others use, too
	})
	c["cgroups"] = cgroups(os.Getpid())
	return c
}

// cgroups lists those that a process has made.
func cgroups(pid int) []string {
	own := fmt.Sprintf("medgym-sandbox-%d-", pid)
	var all []string
	for _, depth := range []string{"*", "*/*", "*/*/*"} {
		found, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup", depth, own+"*"))
		all = append(all, found...)
	}
	slices.Sort(all)
	return all
}

// descendants lists the processes below one, as "pid name".
func descendants(pid int) []string {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	children, names := map[string][]string{}, map[string]string{}
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended
		}
		own, rest, _ := strings.Cut(string(text), " (")
		end := strings.LastIndex(rest, ") ")
		if end < 0 {
			continue
		}
		fields := strings.Fields(rest[end+2:]) // state, parent, ...
		if fields[0] == "Z" {
			continue // dead, and not yet waited for
		}
		children[fields[1]] = append(children[fields[1]], own)
		names[own] = own + " " + rest[:end]
	}
	var all []string
	for queue := []string{fmt.Sprint(pid)}; len(queue) > 0; queue = queue[1:] {
		for _, child := range children[queue[0]] {
			all = append(all, names[child])
			queue = append(queue, child)
		}
	}
	slices.Sort(all)
	return all
}

// differences says what two censuses do not have in common.
func (c census) differences(now census) []string {
	var out []string
	for _, what := range slices.Sorted(maps.Keys(now)) {
		if what == descriptors {
			if more := number(now[what]) - number(c[what]); more > 0 {
				out = append(out, fmt.Sprintf("%s: %d more", what, more))
			}
			continue // fewer are no trace of anything: a connection that was kept idle is closed in time
		}
		for _, entry := range now[what] {
			if !slices.Contains(c[what], entry) {
				out = append(out, what+": new: "+entry)
			}
		}
		for _, entry := range c[what] {
			if !slices.Contains(now[what], entry) {
				out = append(out, what+": gone: "+entry)
			}
		}
	}
	return out
}

// settle waits until the host is as it was: what is killed takes a moment to end.
func (c census) settle(t testing.TB, b Backend) []string {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := c.differences(take(t, b))
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}
