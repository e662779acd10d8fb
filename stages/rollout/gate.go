package rollout

import (
	"context"
	"sync"
	"time"
)

const (
	// awayAfter infra errors in a row, policy or sandbox are taken to be away: attempts
	// are then begun one at a time, at growing distances, until one ends otherwise.
	awayAfter = 5
	// hopelessAfter so many, and Options.GiveUp, they are taken to be gone for good.
	hopelessAfter = 10
)

// gate decides when an attempt may begin: not when a cap is reached, and not all at
// once while whatever attempts need is away. It is safe for concurrent use.
type gate struct {
	caps   Caps
	until  time.Time // zero: no cap on time
	giveUp time.Duration

	mu       sync.Mutex
	changed  chan struct{} // closed when an attempt ends, then made anew
	spent    spending
	inFlight int
	stopped  string // the cap that was reached

	inARow  int       // infra errors without another outcome between
	since   time.Time // the first of them
	probing bool      // an attempt is in flight that shows whether it is worth it
	next    time.Time // when the next such may begin
	pause   time.Duration
	last    bool // the last round: those that failed, once more
	calm    bool // in the last round: an attempt has ended otherwise lately
	gone    bool // it is hopeless
}

func newGate(caps Caps, giveUp time.Duration, spent spending) *gate {
	g := &gate{caps: caps, giveUp: giveUp, spent: spent, changed: make(chan struct{})}
	if caps.Time > 0 {
		g.until = time.Now().Add(caps.Time)
	}
	return g
}

// enter waits until an attempt may begin. It is false where none may any more, or ctx
// has ended. Who enters has to leave.
func (g *gate) enter(ctx context.Context) (probe, ok bool) {
	for ctx.Err() == nil {
		g.mu.Lock()
		now := time.Now()
		if g.stopped == "" {
			g.stopped = g.reached(now)
		}
		if g.stopped != "" || g.gone {
			g.mu.Unlock()
			return false, false
		}
		wait, until := g.wait(now)
		if !wait {
			g.inFlight++
			probe = g.away()
			g.probing = g.probing || probe
			g.mu.Unlock()
			return probe, true
		}
		changed := g.changed
		g.mu.Unlock()
		if !g.until.IsZero() && (until.IsZero() || g.until.Before(until)) {
			until = g.until
		}
		var timer <-chan time.Time
		if !until.IsZero() {
			timer = time.After(until.Sub(now))
		}
		select {
		case <-changed:
		case <-timer:
		case <-ctx.Done():
		}
	}
	return false, false
}

func (g *gate) reached(now time.Time) string {
	if !g.until.IsZero() && !now.Before(g.until) {
		return CapTime
	}
	return g.caps.reached(g.spent)
}

func (g *gate) away() bool { return g.inARow >= awayAfter && !g.calm }

// wait says whether an attempt has to wait: for a change, or until a time too.
func (g *gate) wait(now time.Time) (bool, time.Time) {
	if g.away() && g.probing {
		return true, time.Time{}
	}
	if g.away() && now.Before(g.next) {
		return true, g.next
	}
	if g.inFlight == 0 || g.spent.attempts == 0 {
		return false, time.Time{}
	}
	// What is in flight will be spent. Once it has ended it is seen whether there is room.
	flying, mean := float64(g.inFlight), float64(g.spent.attempts)
	expected := spending{
		tokens: g.spent.tokens + int64(float64(g.spent.tokens)/mean*flying),
		cost:   g.spent.cost + g.spent.cost/mean*flying,
	}
	return g.caps.reached(expected) != "", time.Time{}
}

// ending is how an attempt ended, as far as the gate is concerned.
type ending int

const (
	endedOtherwise ending = iota
	endedInfra
	endedDropped // it says nothing
)

// leave tells that an attempt has ended, and what it took. It is true where going on is
// hopeless.
func (g *gate) leave(probe bool, end ending, took spending) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	g.spent = g.spent.add(took)
	now := time.Now()
	switch end {
	case endedOtherwise:
		g.inARow, g.pause = 0, 0
		g.calm = g.last
	case endedInfra:
		if g.inARow++; g.inARow == 1 {
			g.since = now
		}
		if g.pause == 0 {
			g.pause = g.giveUp / 900 // 1 s
		} else if probe {
			g.pause = min(2*g.pause, g.giveUp/15) // 1 min
		}
		g.next = now.Add(g.pause)
		if g.inARow >= hopelessAfter && (g.calm || now.Sub(g.since) >= g.giveUp) {
			g.gone = true
		}
	}
	if probe {
		g.probing = false
	}
	close(g.changed)
	g.changed = make(chan struct{})
	return g.gone
}

// again begins the last round, of attempts that have failed. Where others have ended
// well just now there is nothing to wait for.
func (g *gate) again() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = true
	if !g.away() {
		g.calm, g.inARow = true, 0
	}
}

func (g *gate) lastRound() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

// cap is the cap that was reached, or "".
func (g *gate) cap() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stopped
}
