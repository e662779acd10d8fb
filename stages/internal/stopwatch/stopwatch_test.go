package stopwatch_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medgym-data/medgym-data/stages/internal/stopwatch"
)

var errOver = errors.New("over")

func TestWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ctx, stop := stopwatch.With(t.Context(), 10*time.Second, errOver)
		defer stop()
		time.Sleep(4 * time.Second)
		resume := stopwatch.Pause(ctx)
		within, cancel := context.WithCancel(ctx)
		defer cancel()
		inner := stopwatch.Pause(within)
		time.Sleep(time.Hour)
		inner()
		time.Sleep(time.Hour)
		if ctx.Err() != nil {
			t.Fatal("it ended while it was paused")
		}
		resume()
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), errOver) {
			t.Errorf("ended with %v", context.Cause(ctx))
		}
		if took := time.Since(begun); took != 2*time.Hour+10*time.Second {
			t.Errorf("ended after %v", took)
		}
		stopwatch.Pause(ctx)() // of one that is over
	})
}

func TestCharge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ctx, stop := stopwatch.With(t.Context(), 10*time.Second, errOver)
		defer stop()
		time.Sleep(time.Second)
		stopwatch.Charge(ctx, 2*time.Second)
		time.Sleep(time.Second)
		resume := stopwatch.Pause(ctx)
		time.Sleep(time.Minute)
		stopwatch.Charge(ctx, 5*time.Second)
		resume()
		<-ctx.Done()
		if took := time.Since(begun); took != time.Minute+3*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := stopwatch.With(t.Context(), time.Second, errOver)
		defer stop()
		resume := stopwatch.Pause(ctx)
		stopwatch.Charge(ctx, time.Hour)
		if ctx.Err() != nil {
			t.Error("it ended while it was paused")
		}
		resume()
		<-ctx.Done()
	})
}

func TestStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := stopwatch.With(t.Context(), time.Second, errOver)
		resume := stopwatch.Pause(ctx)
		stop()
		resume()
		time.Sleep(time.Minute)
		if errors.Is(context.Cause(ctx), errOver) {
			t.Error("it ran on after it was stopped")
		}
	})
	stopwatch.Pause(t.Context())() // no watch, nothing to do
}
