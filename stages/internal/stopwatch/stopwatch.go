// Package stopwatch bounds how long something works, without the time in which it has
// to wait for what is not its own: a server that is away, a place in the sandbox.
package stopwatch

import (
	"context"
	"sync"
	"time"
)

// With is ctx that ends, with the cause, once it has run for d outside of pauses.
func With(ctx context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{left: d, begun: time.Now()}
	w.timer = time.AfterFunc(d, func() { cancel(cause) })
	stop := func() {
		w.stop()
		cancel(context.Canceled)
	}
	return context.WithValue(ctx, key{}, w), stop
}

// Pause stops the watch of ctx until resume is called, which must be once. Pauses that
// overlap are one. Without a watch it does nothing.
func Pause(ctx context.Context) (resume func()) {
	w, ok := ctx.Value(key{}).(*watch)
	if !ok {
		return func() {}
	}
	w.pause()
	return w.resume
}

// Charge counts d as if the watch of ctx had run for it: of a time that was paused as a
// whole, for it was not known what would come of it.
func Charge(ctx context.Context, d time.Duration) {
	if w, ok := ctx.Value(key{}).(*watch); ok {
		w.charge(d)
	}
}

type key struct{}

type watch struct {
	mu     sync.Mutex
	timer  *time.Timer
	left   time.Duration
	begun  time.Time // of the running span
	paused int
	ended  bool
}

func (w *watch) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused++; w.paused > 1 || w.ended {
		return
	}
	w.timer.Stop()
	w.left -= time.Since(w.begun)
}

func (w *watch) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused--; w.paused > 0 || w.ended {
		return
	}
	w.begun = time.Now()
	w.timer.Reset(max(0, w.left))
}

func (w *watch) charge(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left -= d; w.paused > 0 || w.ended {
		return
	}
	w.timer.Reset(max(0, w.left-time.Since(w.begun)))
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.timer.Stop()
}
