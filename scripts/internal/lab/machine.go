package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is where figures come from.
type Machine struct {
	When    time.Time `json:"when"`
	CPU     string    `json:"cpu"`
	Cores   int       `json:"cores"`
	Memory  int64     `json:"memory_bytes"`
	Kernel  string    `json:"kernel"`
	Load    string    `json:"load"` // before the run: what else was going on
	UID     int       `json:"uid"`
	Runtime string    `json:"go"`
}

// Describe looks at this machine.
func Describe() Machine {
	var name unix.Utsname
	_ = unix.Uname(&name) // an empty name tells
	load, _, _ := strings.Cut(read("/proc/loadavg"), " ")
	return Machine{
		When: time.Now().UTC().Truncate(time.Second), CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(),
		Memory: kilobytes("/proc/meminfo", "MemTotal"), Kernel: unix.ByteSliceToString(name.Release[:]),
		Load: load, UID: os.Getuid(), Runtime: runtime.Version(),
	}
}

// String is one line.
func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %.0f GB, Linux %s, %s, uid %d, load before %s, %s",
		m.CPU, m.Cores, float64(m.Memory)/1e9, m.Kernel, m.Runtime, m.UID, m.Load, m.When.Format(time.DateTime))
}

// Version is the first line that a program says of itself, or why it says none.
func Version(ctx context.Context, program string, args ...string) string {
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil && line == "" {
		return err.Error()
	}
	return line
}

// read is a file of /proc, or nothing: what is read there may end at any time.
func read(name string) string {
	text, _ := os.ReadFile(name)
	return string(text)
}

// field is what follows "name:" in a file of /proc.
func field(file, name string) string {
	for line := range strings.Lines(read(file)) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// kilobytes is a field of the form "123 kB", in bytes.
func kilobytes(file, name string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSuffix(field(file, name), " kB"), 10, 64)
	return n << 10
}

// Resident is the memory of a process that is resident now, Peak the most that ever
// was, since ForgetPeak or the start. Both are 0 for one that has ended.
func Resident(pid int) int64 { return kilobytes(fmt.Sprintf("/proc/%d/status", pid), "VmRSS") }

// Peak is the most memory of a process that was resident at any time.
func Peak(pid int) int64 { return kilobytes(fmt.Sprintf("/proc/%d/status", pid), "VmHWM") }

// ForgetPeak has the peak begin anew.
func ForgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// ticks of the clock in which the kernel counts, a second.
const ticks = 100

// CPU is what a process has worked, without its children; 0 for one that has ended.
func CPU(pid int) time.Duration {
	// 7 (name) S and more: the 14th and the 15th are user and system time.
	stat := read(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticks
}
