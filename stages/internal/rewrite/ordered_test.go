package rewrite

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

func TestOrdered(t *testing.T) {
	numbers := func(n int, fault error) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
			if fault != nil {
				yield(0, fault)
			}
		}
	}
	collect := func(seq iter.Seq2[int, error]) (out []int, err error) {
		for v, err := range seq {
			if err != nil {
				return out, err
			}
			out = append(out, v)
		}
		return out, nil
	}
	bad := errors.New("bad")
	for _, n := range []int{1, 2, 7} {
		var now, most atomic.Int64
		square := func(_ context.Context, i int) (int, error) {
			if running := now.Add(1); running > most.Load() {
				most.Store(running)
			}
			defer now.Add(-1)
			time.Sleep(time.Duration(20-i) * 20 * time.Microsecond)
			return i * i, nil
		}
		got, err := collect(Ordered(t.Context(), n, numbers(20, nil), square))
		if err != nil || len(got) != 20 || !slices.IsSorted(got) || got[19] != 361 || most.Load() > int64(n) {
			t.Errorf("%d at a time: %v, %v, %d ran at once", n, got, err, most.Load())
		}
		if got, err := collect(Ordered(t.Context(), n, numbers(5, bad), square)); !errors.Is(err, bad) || len(got) != 5 {
			t.Errorf("error of the elements: %v, %v", got, err)
		}
		failing := func(_ context.Context, i int) (int, error) {
			if i == 3 {
				return 0, bad
			}
			return i, nil
		}
		if got, err := collect(Ordered(t.Context(), n, numbers(20, nil), failing)); !errors.Is(err, bad) || len(got) != 3 {
			t.Errorf("error of the function: %v, %v", got, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		stopping := func(_ context.Context, i int) (int, error) {
			if i == 3 {
				cancel()
			}
			return i, nil
		}
		if got, err := collect(Ordered(ctx, n, numbers(1000, nil), stopping)); !errors.Is(err, context.Canceled) || len(got) == 1000 {
			t.Errorf("cancelled: %d elements, %v", len(got), err)
		}
		for range Ordered(t.Context(), n, numbers(20, nil), square) {
			break // what runs is waited for, and nothing leaks: the race detector looks on
		}
	}
}
