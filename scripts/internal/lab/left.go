package lab

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Cgroups are those that sandboxes of these processes have made.
func Cgroups(pids ...int) []string {
	var out []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil // it has gone
		}
		_, rest, _ := strings.Cut(path, "/medgym-sandbox-")
		pid, _, _ := strings.Cut(rest, "-")
		if n, err := strconv.Atoi(pid); err == nil && slices.Contains(pids, n) {
			out = append(out, path)
		}
		return nil
	})
	return out
}

// ownerLabel is on every container of the docker backend: boot, namespace, process
// and its start.
const ownerLabel = "org.medgym-data.sandbox"

// Containers are those that sandboxes of these processes have made, running or not.
func Containers(backend string, pids ...int) []string {
	if backend != "docker" {
		return nil
	}
	list, _ := exec.Command("docker", "ps", "--all", "--no-trunc", "--filter", "label="+ownerLabel,
		"--format", `{{.ID}} {{.Label "`+ownerLabel+`"}}`).Output()
	var out []string
	for line := range strings.Lines(string(list)) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		if pid, err := strconv.Atoi(fields[3]); err == nil && slices.Contains(pids, pid) {
			out = append(out, fields[0])
		}
	}
	return out
}

// inits are the first processes of containers, as the host numbers them.
func inits(containers []string) []int {
	if len(containers) == 0 {
		return nil
	}
	list, _ := exec.Command("docker", append([]string{"inspect", "--format", "{{.State.Pid}}"}, containers...)...).Output()
	var out []int
	for field := range strings.FieldsSeq(string(list)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
			out = append(out, pid)
		}
	}
	return out
}
