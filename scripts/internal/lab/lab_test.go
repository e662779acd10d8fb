package lab

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for _, tt := range []struct {
		sample []int
		q      float64
		want   int
	}{
		{hundred, .5, 50}, {hundred, .99, 99}, {hundred, 1, 100}, {hundred, 0, 1},
		{[]int{7}, .5, 7}, {[]int{7}, .99, 7}, {[]int{1, 2}, .5, 1}, {[]int{1, 2}, .99, 2}, {nil, .5, 0},
	} {
		if got := Quantile(tt.sample, tt.q); got != tt.want {
			t.Errorf("quantile %g of %d values: %d, want %d", tt.q, len(tt.sample), got, tt.want)
		}
	}
}

func TestSlope(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{1, 3, 5, 7}, 2}, {[]float64{5, 5, 5}, 0}, {[]float64{1, 1, 900, 1, 1, 1}, 0}, {[]float64{3}, 0}, {nil, 0},
	} {
		if got := Slope(tt.values); got != tt.want {
			t.Errorf("slope of %v: %g, want %g", tt.values, got, tt.want)
		}
	}
}

func TestGrowth(t *testing.T) {
	run := func(kind Kind, values ...int64) (run []Census) {
		for _, v := range values {
			run = append(run, Census{{"it", kind, v}})
		}
		return run
	}
	for _, tt := range []struct {
		name string
		run  []Census
		want bool
	}{
		{"equal counts", run(Count, 8, 8, 8), false},
		{"one more", run(Count, 8, 8, 9), true},
		{"one fewer", run(Count, 8, 8, 7), true},
		{"a moment's more", run(Count, 8, 9, 8), false},
		{"steady memory", run(Memory, 100e6, 101e6, 100e6, 102e6, 100e6), false},
		{"one high census", run(Memory, 100e6, 100e6, 300e6, 100e6, 100e6), false},
		{"a leak", run(Memory, 100e6, 103e6, 106e6, 109e6, 112e6), true},
		{"a small leak from little", run(Memory, 1e6, 2e6, 3e6, 4e6), true},
		{"memory given back", run(Memory, 100e6, 80e6, 60e6), false},
		{"the machine's", run(Told, 100e6, 200e6, 300e6), false},
	} {
		if got := Growth(tt.run); (len(got) > 0) != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

func TestParentOf(t *testing.T) {
	for stat, want := range map[string]int{"7 (sh) S 42 7 7": 42, "7 (a ) S 9) R 42 1": 42} {
		if got, ok := parentOf(stat); !ok || got != want {
			t.Errorf("%q: %d, %v", stat, got, ok)
		}
	}
	for _, stat := range []string{"", "7 (sh)", "7 (sh) S x"} {
		if got, ok := parentOf(stat); ok {
			t.Errorf("%q: %d", stat, got)
		}
	}
}

// TestCensus: what this process starts and opens is counted.
func TestCensus(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	before := Take("namespace")
	// A shell with a child.
	cmd := exec.Command("sh", "-c", "sleep 1000 & echo; wait")
	input, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := input.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	below := Descendants(os.Getpid())
	if !slices.Contains(below, cmd.Process.Pid) || len(below) != 2 {
		t.Errorf("below this process: %v, want %d and its child", below, cmd.Process.Pid)
	}
	if err := os.WriteFile(os.TempDir()+"/file", make([]byte, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	during := Take("namespace")
	for name, more := range map[string]int64{"processes below": 2, "threads below": 2, "temporary files": 1, "temporary disk": 5000, "mounts": 0} {
		if got := during.Get(name) - before.Get(name); got != more {
			t.Errorf("%s: %d more, want %d", name, got, more)
		}
	}
	if during.Get("descriptors") <= before.Get("descriptors") {
		t.Errorf("descriptors: %d, before %d", during.Get("descriptors"), before.Get("descriptors"))
	}
	if Proportional(cmd.Process.Pid) <= 0 {
		t.Error("a process without memory")
	}
	for _, pid := range below {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}
	_ = cmd.Wait()
	if err := os.Remove(os.TempDir() + "/file"); err != nil {
		t.Fatal(err)
	}
	if after := Settle(t.Context(), "namespace", before); len(CountsThatDiffer(before, after)) > 0 {
		t.Errorf("afterwards: %v", CountsThatDiffer(before, after))
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	table := NewTable(&out, "", "ms")
	table.Row("first", 1.234)
	table.Row("second", MS(2*time.Second))
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "        ms\n        --\nfirst   1.23\nsecond  2000.00\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// TestOwn: the figures of a process are there while it is.
func TestOwn(t *testing.T) {
	own := os.Getpid()
	if Resident(own) <= 0 || Peak(own) < Resident(own)/2 {
		t.Errorf("resident %d, peak %d", Resident(own), Peak(own))
	}
	for CPU(own) == 0 { // works until it shows
		if t.Context().Err() != nil {
			t.Fatal("no work of this process shows")
		}
	}
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if gone := cmd.Process.Pid; Resident(gone) != 0 || Peak(gone) != 0 || CPU(gone) != 0 {
		t.Error("a process that has ended has figures")
	}
}

// TestInFolder: the folder for temporary files is another one meanwhile, and goes with
// what is in it.
func TestInFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	before := os.TempDir()
	err := InFolder("test", func() error {
		if os.TempDir() == before || len(Temporary()) > 0 {
			t.Errorf("%s holds %v", os.TempDir(), Temporary())
		}
		if err := os.WriteFile(os.TempDir()+"/file", nil, 0o600); err != nil {
			return err
		}
		if left := Temporary(); len(left) != 1 || !strings.HasSuffix(left[0], "/file") {
			t.Errorf("%v", left)
		}
		return nil
	})
	if err != nil || os.TempDir() != before || len(Temporary()) > 0 {
		t.Errorf("%v, %s holds %v", err, os.TempDir(), Temporary())
	}
}

func TestMoreMounts(t *testing.T) {
	all := HostMounts()
	if len(all) > 0 && !slices.Contains(MoreMounts(all[1:]), all[0]) {
		t.Error("a mount is not seen")
	}
	for _, line := range MoreMounts(all) { // what others mount meanwhile
		if slices.Contains(all, line) {
			t.Errorf("%q was there before", line)
		}
	}
}
