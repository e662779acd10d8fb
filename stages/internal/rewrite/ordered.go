package rewrite

import (
	"context"
	"iter"
	"sync"
)

// Ordered applies f to every element, n at a time, and yields the results in the
// order of the elements. It ends with the first error. At most n elements and
// results are held.
func Ordered[A, B any](ctx context.Context, n int, in iter.Seq2[A, error], f func(context.Context, A) (B, error)) iter.Seq2[B, error] {
	type result struct {
		b   B
		err error
	}
	return func(yield func(B, error) bool) {
		parent := ctx
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		pending := make(chan chan result, max(0, n-1))
		running.Go(func() {
			defer close(pending)
			for a, err := range in {
				out := make(chan result, 1)
				select {
				case pending <- out:
				case <-ctx.Done():
					return
				}
				if err != nil {
					out <- result{err: err}
					return
				}
				running.Go(func() {
					b, err := f(ctx, a)
					out <- result{b, err}
				})
			}
		})
		for out := range pending {
			res := <-out
			if !yield(res.b, res.err) || res.err != nil {
				return
			}
		}
		if err := parent.Err(); err != nil { // the elements may have ended early
			var none B
			yield(none, err)
		}
	}
}
