package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Puts that come while others are committed go together, in the order in which they
// came, and each is told when its own are done.
func TestQueue(t *testing.T) {
	var q queue
	const waiters = 50
	entered, release := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	var sizes []int
	committed := map[string]bool{}
	commit := func(batch []*put) {
		mu.Lock()
		first := len(sizes) == 0
		sizes = append(sizes, len(batch))
		mu.Unlock()
		if first {
			close(entered)
			<-release
		}
		mu.Lock()
		defer mu.Unlock()
		for _, p := range batch {
			committed[p.key] = true
		}
	}
	var all sync.WaitGroup
	add := func(key string) {
		all.Go(func() {
			q.commit(&put{key: key, wake: make(chan bool, 1)}, commit)
			mu.Lock()
			defer mu.Unlock()
			if !committed[key] {
				t.Errorf("%s returned before it was committed", key)
			}
		})
	}
	add("first")
	<-entered
	for i := range waiters {
		add(fmt.Sprint(i))
	}
	for waiting := 0; waiting < waiters; {
		q.mu.Lock()
		waiting = len(q.waiting)
		q.mu.Unlock()
	}
	close(release)
	all.Wait()
	if !slices.Equal(sizes, []int{1, waiters}) || len(committed) != waiters+1 || q.busy || len(q.waiting) > 0 {
		t.Errorf("batches of %v, %d committed, queue %+v", sizes, len(committed), &q)
	}
}

func TestQueueBytes(t *testing.T) {
	q := queue{}
	for _, size := range []int{most + 1, most / 2, most / 2, 1} {
		q.waiting = append(q.waiting, &put{packed: make([]byte, size)})
	}
	var got []int
	for len(q.waiting) > 0 {
		got = append(got, len(q.take()))
	}
	if !slices.Equal(got, []int{1, 2, 1}) {
		t.Errorf("batches of %v", got)
	}
}

// Whatever many writers do at once, each learns what became of its own unit.
func TestConcurrentPuts(t *testing.T) {
	r := openRun(t, t.TempDir(), Options{})
	// A unit whose key says so undoes the transaction that it is in.
	_, err := r.journal.db.Exec(`CREATE TRIGGER spoil BEFORE INSERT ON units WHEN NEW.key LIKE 'bad%' BEGIN SELECT RAISE(ROLLBACK, 'no'); END`)
	if err != nil {
		t.Fatal(err)
	}
	j := &Journal{store: r.journal, stage: "s"}
	const writers, each = 64, 8
	var twice, bad atomic.Int64
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				key := fmt.Sprintf("k%02d/%d", w/2, i) // two writers have the same keys
				switch err := j.Put(t.Context(), key, []byte(key)); {
				case errors.Is(err, ErrRecorded):
					twice.Add(1)
				case err != nil:
					t.Errorf("%s: %v", key, err)
				}
				if i%4 == 0 {
					if err := j.Put(t.Context(), fmt.Sprintf("bad%d/%d", w, i), nil); err != nil && !errors.Is(err, ErrRecorded) {
						bad.Add(1)
					}
				}
			}
		})
	}
	all.Wait()
	if twice.Load() != writers/2*each || bad.Load() != writers*each/4 {
		t.Errorf("%d keys were there already, %d were spoilt", twice.Load(), bad.Load())
	}
	n := 0
	err = j.Each(t.Context(), func(key string, payload []byte) error {
		if n++; string(payload) != key {
			t.Errorf("%s holds another's payload", key)
		}
		return nil
	})
	if err != nil || n != writers/2*each {
		t.Errorf("%d units, %v", n, err)
	}
}

func TestRange(t *testing.T) {
	r := openRun(t, t.TempDir(), Options{})
	j := &Journal{store: r.journal, stage: "s"}
	for _, key := range []string{"a/train/2", "a/train/1", "a/test/1", "ab/train/1", "a", "b/é", "b/z"} {
		if err := j.Put(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string]string{"a/train/": "a/train/1 a/train/2", "a/": "a/test/1 a/train/1 a/train/2", "b/": "b/z b/é", "c": "",
		"": "a a/test/1 a/train/1 a/train/2 ab/train/1 b/z b/é"} {
		var got []string
		err := j.Range(t.Context(), prefix, func(key string, _ []byte) error {
			got = append(got, key)
			return nil
		})
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v, %v, want %s", prefix, got, err, want)
		}
	}
	stop := errors.New("stop")
	if err := j.Range(context.Background(), "a", func(string, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("yield's error: %v", err)
	}
}
