package lab

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kind says how a figure of a census is judged.
type Kind string

// The kinds.
const (
	Count  Kind = "count"  // is the same whenever nothing runs
	Memory Kind = "memory" // bytes; may waver, must not grow
	Told   Kind = "told"   // bytes of the whole machine: for the reader only
)

// Figure is one line of a census.
type Figure struct {
	Name  string `json:"name"`
	Kind  Kind   `json:"kind"`
	Value int64  `json:"value"`
}

func (f Figure) String() string {
	if f.Kind == Count {
		return strconv.FormatInt(f.Value, 10)
	}
	return MB(f.Value)
}

// Census is what this process and the sandbox below it hold.
type Census []Figure

// Take counts what this process and a backend that it runs hold. Files and disk are
// those of the folder for temporary files, which should be one of the caller's own.
func Take(backend string) Census {
	debug.FreeOSMemory() // garbage is no growth
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	below := Descendants(os.Getpid())
	containers := Containers(backend, os.Getpid())
	for _, init := range inits(containers) {
		below = append(append(below, init), Descendants(init)...)
	}
	var threads, anonymous int64
	for _, pid := range below {
		threads += entries(fmt.Sprintf("/proc/%d/task", pid))
		anonymous += Proportional(pid)
	}
	mounts, tmpfs := mounts(below)
	files, disk := tree(os.TempDir())
	return Census{
		{"goroutines", Count, int64(runtime.NumGoroutine())},
		{"descriptors", Count, entries("/proc/self/fd")},
		{"processes below", Count, int64(len(below))},
		{"threads below", Count, threads},
		{"mounts", Count, mounts},
		{"cgroups", Count, int64(len(Cgroups(os.Getpid())))},
		{"containers", Count, int64(len(containers))},
		{"temporary files", Count, files},
		{"temporary disk", Memory, disk},
		{"supervisor resident", Memory, kilobytes("/proc/self/status", "VmRSS")},
		{"Go heap", Memory, int64(heap.HeapAlloc)},
		{"cells proportional", Memory, anonymous},
		{"cells tmpfs", Memory, tmpfs},
		{"machine slab", Told, kilobytes("/proc/meminfo", "Slab")},
		{"machine page tables", Told, kilobytes("/proc/meminfo", "PageTables")},
		{"machine shmem", Told, kilobytes("/proc/meminfo", "Shmem")},
		{"machine used", Told, kilobytes("/proc/meminfo", "MemTotal") - kilobytes("/proc/meminfo", "MemAvailable")},
	}
}

// Get is a figure by its name.
func (c Census) Get(name string) int64 {
	for _, f := range c {
		if f.Name == name {
			return f.Value
		}
	}
	return 0
}

// Quiet takes a census when counts have stayed the same for some seconds: cells that are
// being replaced are there twice for a while. After a minute it is what it is.
func Quiet(ctx context.Context, backend string) Census {
	last := Take(backend)
	for begin, since := time.Now(), time.Now(); time.Since(begin) < time.Minute && ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		now := Take(backend)
		if len(CountsThatDiffer(last, now)) > 0 {
			since = time.Now()
		}
		last = now
		if time.Since(since) > 5*time.Second {
			break
		}
	}
	return last
}

// Settle takes a census until its counts are those wanted: processes take a moment
// to end, and cells to be replaced. After half a minute it is what it is.
func Settle(ctx context.Context, backend string, want Census) Census {
	for begin := time.Now(); ; {
		now := Take(backend)
		if len(CountsThatDiffer(want, now)) == 0 || time.Since(begin) > 30*time.Second || ctx.Err() != nil {
			return now
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// CountsThatDiffer names them, with both values.
func CountsThatDiffer(a, b Census) []string {
	var out []string
	for i, f := range a {
		if f.Kind == Count && f.Value != b[i].Value {
			out = append(out, fmt.Sprintf("%s: %d, then %d", f.Name, f.Value, b[i].Value))
		}
	}
	return out
}

// Growth names what grew from census to census beyond noise: counts that differ
// from the first, and memory whose slope over the whole run is more than a twentieth of
// it and more than 2 MB.
func Growth(run []Census) []string {
	var out []string
	for i, f := range run[0] {
		values := make([]float64, len(run))
		for n, census := range run {
			values[n] = float64(census[i].Value)
		}
		switch first, last := values[0], values[len(values)-1]; f.Kind {
		case Count:
			if first != last {
				out = append(out, fmt.Sprintf("%s: %.0f at first, %.0f at last", f.Name, first, last))
			}
		case Memory:
			grown := Slope(values) * float64(len(values)-1)
			if grown > max(2e6, Median(values)/20) {
				out = append(out, fmt.Sprintf("%s: grows by %s over the run", f.Name, MB(int64(grown))))
			}
		}
	}
	return out
}

// Descendants are the processes below one, from /proc.
func Descendants(root int) []int {
	children := map[int][]int{}
	for _, pid := range numbers("/proc") {
		if parent, ok := parentOf(read(fmt.Sprintf("/proc/%d/stat", pid))); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	var out []int
	for todo := children[root]; len(todo) > 0; todo = todo[1:] {
		out = append(out, todo[0])
		todo = append(todo, children[todo[0]]...)
	}
	return out
}

// parentOf reads /proc/PID/stat: 7 (name) S 1 and more. The name may hold anything.
func parentOf(stat string) (parent int, ok bool) {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 2 {
		return 0, false
	}
	parent, err := strconv.Atoi(fields[1])
	return parent, err == nil
}

func numbers(dir string) []int {
	list, _ := os.ReadDir(dir)
	var out []int
	for _, entry := range list {
		if n, err := strconv.Atoi(entry.Name()); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// entries counts what lies in a folder of /proc, without the descriptor that looks.
func entries(dir string) int64 {
	list, _ := os.ReadDir(dir)
	if dir == "/proc/self/fd" {
		return int64(len(list)) - 1
	}
	return int64(len(list))
}

// Proportional is the memory of a process that is not a file's, shared pages divided
// among those who share them; where that is hidden, what is resident.
func Proportional(pid int) int64 {
	rollup := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	if field(rollup, "Pss_Anon") == "" {
		return kilobytes(fmt.Sprintf("/proc/%d/status", pid), "RssAnon")
	}
	return kilobytes(rollup, "Pss_Anon") + kilobytes(rollup, "Pss_Shmem")
}

// HostMounts are the mounts that this process sees, but those of Docker's engine,
// which come and go with anybody's containers.
func HostMounts() []string {
	var out []string
	for line := range strings.Lines(read("/proc/self/mountinfo")) {
		if !strings.Contains(line, "/docker/") && !strings.Contains(line, "/containerd/") {
			out = append(out, line)
		}
	}
	return out
}

// mounts counts the mounts in every mount namespace of this process and the others,
// and the bytes that tmpfs of the others hold.
func mounts(pids []int) (count, tmpfs int64) {
	own, _ := os.Readlink("/proc/self/ns/mnt")
	count = int64(len(HostMounts()))
	seen, devices := map[string]bool{own: true}, map[string]bool{}
	for _, pid := range pids {
		ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
		if err != nil || seen[ns] {
			continue
		}
		seen[ns] = true
		for line := range strings.Lines(read(fmt.Sprintf("/proc/%d/mountinfo", pid))) {
			count++
			// 36 35 98:0 /root /mount/point options - type source more
			fields := strings.Fields(line)
			_, kind, _ := strings.Cut(line, " - ")
			if len(fields) < 5 || devices[fields[2]] || !strings.HasPrefix(kind, "tmpfs ") {
				continue
			}
			if used, ok := usage(fmt.Sprintf("/proc/%d/root%s", pid, fields[4]), fields[2]); ok {
				devices[fields[2]] = true
				tmpfs += used
			}
		}
	}
	return count, tmpfs
}

// usage is what a file system holds, if the one of this device shows at the place.
func usage(place, device string) (int64, bool) {
	var info unix.Stat_t
	var system unix.Statfs_t
	if unix.Stat(place, &info) != nil || unix.Statfs(place, &system) != nil {
		return 0, false
	}
	if fmt.Sprintf("%d:%d", unix.Major(info.Dev), unix.Minor(info.Dev)) != device {
		return 0, false // another is mounted above
	}
	return int64(system.Blocks-system.Bfree) * system.Bsize, true
}

// tree counts a folder's files and their bytes.
func tree(dir string) (files, size int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // it has gone
		}
		if info, err := entry.Info(); err == nil && !entry.IsDir() {
			size += info.Size()
		}
		files++
		return nil
	})
	return files - 1, size
}
