package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type growingConfig struct {
	Seed int         `json:"seed"`
	Plan growingPlan `json:"plan"`
}

type growingPlan struct {
	Units int `json:"units"`
}

// growing is a stage of so many units, whose output lists them and what each is. It
// makes at most perRun in a run, and notes them in made.
func growing(seed, units, perRun int, made *[]string) Stage {
	return Stage{Name: "s", Version: "1", Config: growingConfig{seed, growingPlan{units}}, Output: "out", Costly: true, Grows: "plan",
		Work: func(ctx context.Context, w *Work) error {
			have := map[string]string{}
			if w.Former() != "" {
				text, err := os.ReadFile(filepath.Join(w.Former(), "all"))
				if err != nil {
					return err
				}
				for line := range strings.Lines(string(text)) {
					key, is, _ := strings.Cut(strings.TrimSpace(line), " ")
					have[key] = is
				}
			}
			keys, err := w.Journal().Keys(ctx)
			if err != nil {
				return err
			}
			for i := range units {
				key := fmt.Sprintf("u%02d", i)
				if keys[key] || have[key] != "" {
					continue
				}
				if perRun == 0 {
					return context.Canceled
				}
				perRun--
				*made = append(*made, key)
				if err := w.Journal().Put(ctx, key, fmt.Appendf(nil, "seed=%d", seed)); err != nil {
					return err
				}
			}
			err = w.Journal().Each(ctx, func(key string, payload []byte) error {
				have[key] = string(payload)
				return nil
			})
			if err != nil {
				return err
			}
			var out strings.Builder
			for _, key := range slices.Sorted(maps.Keys(have)) {
				fmt.Fprintln(&out, key, have[key])
			}
			return os.WriteFile(filepath.Join(w.Dir(), "all"), []byte(out.String()), 0o644)
		}}
}

// units is what growing writes.
func units(seed, n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "u%02d seed=%d\n", i, seed)
	}
	return out.String()
}

func TestGrow(t *testing.T) {
	dir := t.TempDir()
	var made []string
	mustDo(t, dir, growing(1, 3, 9, &made))
	mustDo(t, dir, growing(1, 5, 9, &made))
	if got := strings.Join(made, " "); got != "u00 u01 u02 u03 u04" {
		t.Errorf("made %s", got)
	}
	if got := content(t, dir, "out", "all"); got != units(1, 5) {
		t.Errorf("output:\n%s", got)
	}
	if res := mustDo(t, dir, growing(1, 5, 0, &made)); !res.Skipped {
		t.Error("an unchanged stage is not skipped")
	}
	// A smaller plan loses nothing.
	if mustDo(t, dir, growing(1, 2, 0, &made)); content(t, dir, "out", "all") != units(1, 5) {
		t.Error("a smaller plan has lost units")
	}
	// What is not of the plan is drift as ever, alone and beside it.
	for _, n := range []int{2, 7} {
		_, err := do(t, dir, Options{}, growing(2, n, 9, &made))
		if !errors.Is(err, ErrDrift) || !strings.Contains(err.Error(), "config seed was 1, is now 2") {
			t.Errorf("another seed, %d units: %v", n, err)
		}
	}
	if _, err := do(t, dir, Options{Force: true}, growing(2, 2, 9, &made)); err != nil {
		t.Fatal(err)
	}
	if got := content(t, dir, "out", "all"); got != units(2, 2) {
		t.Errorf("forced with another seed:\n%s", got)
	}
}

// A begun stage goes on under another plan, whether or not it adds to an output.
func TestGrowBegun(t *testing.T) {
	for _, former := range []int{0, 2} {
		dir := t.TempDir()
		var made []string
		if former > 0 {
			mustDo(t, dir, growing(1, former, 9, &made))
		}
		for _, n := range []int{6, 5, 8} {
			if _, err := do(t, dir, Options{}, growing(1, n, 1, &made)); !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted: %v", err)
			}
		}
		if _, err := do(t, dir, Options{}, growing(2, 8, 9, &made)); !errors.Is(err, ErrDrift) || !strings.Contains(err.Error(), "3 finished units") {
			t.Errorf("another seed: %v", err)
		}
		mustDo(t, dir, growing(1, 8, 9, &made))
		if len(made) != 8 || content(t, dir, "out", "all") != units(1, 8) {
			t.Errorf("made %v, output:\n%s", made, content(t, dir, "out", "all"))
		}
	}
}

// A later stage that has rewritten the output is what is added to, and counts as not
// run afterwards.
func TestGrowRewritten(t *testing.T) {
	dir := t.TempDir()
	var made []string
	rewrites := Stage{Name: "later", Version: "1", Inputs: []string{"s"}, Output: "out", Work: func(_ context.Context, w *Work) error {
		text, err := os.ReadFile(filepath.Join(w.Input("s"), "all"))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(w.Dir(), "all"), []byte(strings.ReplaceAll(string(text), "seed", "graded")), 0o644)
	}}
	mustDo(t, dir, growing(1, 2, 9, &made))
	mustDo(t, dir, rewrites)
	if _, err := do(t, dir, Options{}, growing(1, 4, 1, &made)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	mustDo(t, dir, growing(1, 4, 9, &made))
	if got := content(t, dir, "out", "all"); got != "u00 graded=1\nu01 graded=1\nu02 seed=1\nu03 seed=1\n" {
		t.Errorf("output:\n%s", got)
	}
	if res := mustDo(t, dir, rewrites); res.Skipped {
		t.Error("the later stage counts as run")
	}
}

// Nothing is added to an output that is damaged.
func TestGrowDamaged(t *testing.T) {
	dir := t.TempDir()
	var made []string
	mustDo(t, dir, growing(1, 2, 9, &made))
	spoil := func() {
		if err := os.WriteFile(filepath.Join(dir, "out", "all"), []byte("u00 forged\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	spoil()
	var bad *InputError
	if _, err := do(t, dir, Options{}, growing(1, 4, 9, &made)); !errors.As(err, &bad) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("damaged: %v", err)
	}
	if _, err := do(t, dir, Options{Force: true}, growing(1, 4, 9, &made)); err != nil {
		t.Fatal(err)
	}
	if got := content(t, dir, "out", "all"); got != units(1, 4) || len(made) != 6 {
		t.Errorf("made %v, output:\n%s", made, got)
	}

	// Nor are units that were to be added to it of any use.
	if _, err := do(t, dir, Options{}, growing(1, 6, 1, &made)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	spoil()
	if _, err := do(t, dir, Options{}, growing(1, 6, 9, &made)); !errors.As(err, &bad) {
		t.Errorf("damaged while it grew: %v", err)
	}
	if _, err := do(t, dir, Options{Force: true}, growing(1, 6, 9, &made)); err != nil {
		t.Fatal(err)
	}
	if got := content(t, dir, "out", "all"); got != units(1, 6) {
		t.Errorf("output:\n%s", got)
	}
}

func TestAgain(t *testing.T) {
	dir := t.TempDir()
	var made []string
	mustDo(t, dir, growing(1, 2, 9, &made))
	ran := 0
	st := growing(1, 2, 9, &made)
	work := st.Work
	st.Work = func(ctx context.Context, w *Work) error {
		if ran++; w.Former() == "" {
			t.Error("it does not run over its former output")
		}
		return work(ctx, w)
	}
	for _, again := range []bool{true, false} {
		st.Again = func(r *Run) bool { return again && r.Done("s") }
		if res := mustDo(t, dir, st); res.Skipped == again {
			t.Errorf("again %v, skipped %v", again, res.Skipped)
		}
	}
	if ran != 1 || len(made) != 2 {
		t.Errorf("it ran %d times and made %v", ran, made)
	}
}

// Look tells what a stage would be given, and leaves all as it is.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	var made []string
	look := func(n int) (former string, keys int, skip bool) {
		t.Helper()
		r := openRun(t, dir, Options{})
		defer func() { _ = r.Close() }()
		err := r.Look(t.Context(), growing(1, n, 9, &made), func(ctx context.Context, w *Work, skipped bool) error {
			units, err := w.Journal().Keys(ctx)
			former, keys, skip = w.Former(), len(units), skipped
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return former, keys, skip
	}
	before := func() map[string]string { return snapshot(t, dir, manifestName, "out") }
	if former, keys, skip := look(2); former != "" || keys != 0 || skip {
		t.Errorf("a new stage: %q, %d, %v", former, keys, skip)
	}
	mustDo(t, dir, growing(1, 2, 9, &made))
	if former, keys, skip := look(2); former == "" || keys != 0 || !skip {
		t.Errorf("a done stage: %q, %d, %v", former, keys, skip)
	}
	if _, err := do(t, dir, Options{}, growing(1, 4, 1, &made)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	was := before()
	for range 2 {
		if former, keys, skip := look(5); former == "" || keys != 1 || skip {
			t.Errorf("a stage that grows: %q, %d, %v", former, keys, skip)
		}
	}
	if !maps.Equal(was, before()) {
		t.Error("looking has changed the folder")
	}
	r := openRun(t, dir, Options{})
	if err := r.Look(t.Context(), growing(2, 4, 9, &made), nil); !errors.Is(err, ErrDrift) {
		t.Errorf("drift: %v", err)
	}
}

func snapshot(t *testing.T, dir string, names ...string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				files[path] = content(t, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// Wherever a process that grows an output is killed, nothing of it is lost, and
// nothing is made twice. A copy of the folder is what a kill leaves.
func TestGrowKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	var made []string
	mustDo(t, dir, growing(1, 3, 9, &made))

	at := map[string]string{} // what the moment is → folder
	keep := func(moment string) string {
		to := filepath.Join(t.TempDir(), "run")
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Error(err)
		}
		at[moment] = to
		return to
	}
	st := growing(1, 6, 9, &made)
	work := st.Work
	st.Work = func(ctx context.Context, w *Work) error {
		keep("begun")
		if err := w.Journal().Put(ctx, "u03", []byte("seed=1")); err != nil {
			return err
		}
		keep("one unit")
		err := work(ctx, w)
		keep("all units, written")
		return err
	}
	r, err := open(t.Context(), dir, Options{}, func(a, b string) error {
		set := keep("announced")
		// Where folders cannot be exchanged, one is set aside for a moment.
		if err := os.Rename(filepath.Join(set, "out"), filepath.Join(set, stagingName, "s.old")); err != nil {
			t.Error(err)
		}
		keep("announced, in place")
		defer keep("swapped")
		return exchangeFolders(a, b)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Do(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	keep("done")
	if len(at) != 7 {
		t.Fatalf("moments: %v", slices.Sorted(maps.Keys(at)))
	}
	for moment, dir := range at {
		for _, plan := range []int{6, 8} {
			t.Run(fmt.Sprint(moment, ", then ", plan), func(t *testing.T) {
				to := filepath.Join(t.TempDir(), "run")
				if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
					t.Fatal(err)
				}
				var made []string
				res := mustDo(t, to, growing(1, plan, 9, &made))
				if got := content(t, to, "out", "all"); got != units(1, plan) {
					t.Errorf("output:\n%s", got)
				}
				want := map[string]int{"begun": 3, "one unit": 2}[moment] + plan - 6
				if len(made) != want {
					t.Errorf("made %v, want %d", made, want)
				}
				if over := moment == "swapped" || moment == "done"; res.Skipped != (over && plan == 6) {
					t.Errorf("skipped: %v", res.Skipped)
				}
			})
		}
	}
}
