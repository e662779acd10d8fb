package model

import (
	"context"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/medgym-data/medgym-data/pipeline/governance"
)

// host is an endpoint and what is known of it. The fields below the blank line belong
// to the queue's lock.
type host struct {
	endpoint governance.Endpoint
	url      string
	http     *http.Client
	newer    atomic.Bool // it takes max_completion_tokens and refuses max_tokens

	flying int
	sent   int       // requests so far
	served int       // responses that say that it is there
	faulty int       // faults of its own in a row
	away   int       // times in a row that it was set aside; 0: it serves
	until  time.Time // set aside until then
	probes int       // requests in flight that were sent while it was away
	probed time.Time // since when it is probed
	busy   time.Time // it asked for none before
	next   time.Time // by the rate
}

// faultsAside is how many faults in a row of an endpoint that answers set it aside,
// where another serves.
const faultsAside = 5

// wait is the state of one question in the queue.
type wait struct {
	given chan *host // of one
	avoid *host      // that failed it: taken only where there is no other
	since time.Time  // it has been failed by servers that are away or busy; zero: it has not
	begun time.Time  // when it first came

	// of the host when the question was sent to it
	served, away int
	probe        bool
}

// queue hands out places at endpoints, to who began first: the endpoint with the
// fewest requests in flight of those that serve. One that is away is set aside for a
// time that doubles, then probed by one request; where that takes long, as replies do,
// by twice as many after each Options.Backoff times four, until one is answered.
type queue struct {
	hosts []*host
	opts  Options
	log   *slog.Logger

	mu      sync.Mutex
	waiting []*wait
	allAway time.Time // since when no host serves; zero: one does
	timer   *time.Timer
}

func newQueue(hosts []*host, opts Options, log *slog.Logger) *queue {
	return &queue{hosts: hosts, opts: opts, log: log}
}

// enter waits for a place. Its error is ctx's cause, or that no endpoint has been
// there for Options.Patience.
func (q *queue) enter(ctx context.Context, w *wait) (*host, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	q.mu.Lock()
	if w.given = make(chan *host, 1); w.begun.IsZero() {
		w.begun = time.Now()
	}
	// One that is sent again has waited already: it comes before those that began later.
	i, _ := slices.BinarySearchFunc(q.waiting, w, func(other, w *wait) int {
		if other.begun.After(w.begun) {
			return 1
		}
		return -1
	})
	q.waiting = slices.Insert(q.waiting, i, w)
	q.dispatch()
	left := q.left(w)
	q.mu.Unlock()
	select { // most often at once
	case h := <-w.given:
		return h, nil
	default:
	}
	timer := time.NewTimer(max(0, left))
	defer timer.Stop()
	for {
		select {
		case h := <-w.given:
			return h, nil
		case <-ctx.Done():
			q.drop(w)
			return nil, context.Cause(ctx)
		case <-timer.C:
			again, fault := q.outwaited(w)
			if fault != nil {
				return nil, fault
			}
			timer.Reset(again)
		}
	}
}

// drop takes a question out of the queue, and gives back the place that it may have
// been given meanwhile.
func (q *queue) drop(w *wait) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, w); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return
	}
	q.back(<-w.given, w)
	q.dispatch()
}

// outwaited says how long a question that has waited may go on waiting. One that was
// just given a place finds it.
func (q *queue) outwaited(w *wait) (time.Duration, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, w)
	left := q.left(w)
	if i < 0 || left > 0 {
		return max(left, time.Second), nil
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return 0, &Error{Endpoint: q.hosts[0].endpoint.Name(), Class: ClassAway, Err: errOutwaited}
}

// left is how long a question may wait from now on as things are. While one endpoint
// serves there is no end; it is then to be looked at again.
func (q *queue) left(w *wait) time.Duration {
	if q.allAway.IsZero() {
		return q.opts.Patience
	}
	from := q.allAway
	if w.begun.After(from) {
		from = w.begun
	}
	if !w.since.IsZero() && w.since.Before(from) {
		from = w.since
	}
	return q.opts.Patience - time.Since(from)
}

// dispatch gives places to those who wait, in order, and sets the timer for the next
// that time alone will free. The lock is held.
func (q *queue) dispatch() {
	now := time.Now()
	for len(q.waiting) > 0 {
		w := q.waiting[0]
		h := q.pick(now, w.avoid)
		if h == nil {
			break
		}
		q.waiting = slices.Delete(q.waiting, 0, 1)
		h.flying++
		h.sent++
		if q.opts.PerMinute > 0 {
			h.next = now.Add(time.Minute / time.Duration(q.opts.PerMinute))
		}
		w.served, w.away, w.probe = h.served, h.away, h.away > 0
		if w.probe {
			if h.probes++; h.probes == 1 {
				h.probed = now
			}
		}
		w.given <- h
	}
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	if len(q.waiting) == 0 {
		return
	}
	var at time.Time
	for _, h := range q.hosts {
		if free := q.free(h); h.flying < q.opts.InFlight && (at.IsZero() || free.Before(at)) {
			at = free
		}
	}
	if at.IsZero() {
		return // one of those in flight frees a place
	}
	q.timer = time.AfterFunc(max(0, at.Sub(now)), func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.dispatch()
	})
}

// free is when a host may be asked, as far as time is concerned.
func (q *queue) free(h *host) time.Time {
	at := h.next
	if h.busy.After(at) {
		at = h.busy
	}
	if h.away == 0 {
		return at
	}
	if h.until.After(at) {
		at = h.until
	}
	if t := h.probed.Add(4 * q.opts.Backoff * time.Duration(bits.Len(uint(h.probes)))); h.probes > 0 && t.After(at) {
		at = t
	}
	return at
}

func (q *queue) ready(h *host, now time.Time) bool {
	return h.flying < q.opts.InFlight && !q.free(h).After(now)
}

// pick is the best host that may be asked now; nil: none.
func (q *queue) pick(now time.Time, avoid *host) *host {
	var best *host
	for _, h := range q.hosts {
		if q.ready(h, now) && (best == nil || better(h, best, avoid)) {
			best = h
		}
	}
	return best
}

func better(a, b, avoid *host) bool {
	switch {
	case (a == avoid) != (b == avoid):
		return b == avoid
	case a.flying != b.flying:
		return a.flying < b.flying
	}
	return a.sent < b.sent
}

// leave gives a place back and notes what came of it. aside says that the host is set
// aside; elsewhere, that another one may be asked at once.
func (q *queue) leave(h *host, w *wait, fault *Error, dropped bool) (aside, elsewhere bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.back(h, w)
	if !dropped {
		q.note(h, w, fault)
	}
	q.dispatch()
	now := time.Now()
	for _, other := range q.hosts {
		elsewhere = elsewhere || other != h && other.away == 0 && q.ready(other, now)
	}
	return h.away > 0, elsewhere
}

func (q *queue) back(h *host, w *wait) {
	h.flying--
	if w.probe {
		h.probes--
	}
}

// note keeps what a request says about its host.
func (q *queue) note(h *host, w *wait, fault *Error) {
	now := time.Now()
	switch {
	case fault == nil || fault.Class != ClassAway && fault.Class != ClassTimeout && fault.Class != ClassFaulty && fault.Class != ClassBusy:
		h.faulty = 0
	case fault.Class == ClassBusy:
		h.faulty = 0
		if at := now.Add(fault.after); fault.after > 0 && at.After(h.busy) {
			h.busy = at
		}
	case fault.Class == ClassFaulty:
		if h.faulty++; h.faulty >= faultsAside && q.others(h) {
			if h.away == w.away {
				q.aside(h, now, fault)
			}
			return
		}
	default:
		// Where it has served another request since this one was sent, it is there. And
		// what was in flight when it went away tells it once.
		if h.served == w.served && h.away == w.away {
			q.aside(h, now, fault)
		}
		return
	}
	h.served++
	if h.away > 0 {
		h.away, h.until = 0, time.Time{}
		q.log.Info("the endpoint serves again", "endpoint", h.endpoint.Name())
	}
	q.allAway = time.Time{}
}

// others says whether another host serves.
func (q *queue) others(h *host) bool {
	return slices.ContainsFunc(q.hosts, func(o *host) bool { return o != h && o.away == 0 })
}

func (q *queue) aside(h *host, now time.Time, fault *Error) {
	h.away++
	pause := max(spread(q.opts.Backoff, h.away-1), fault.after)
	h.until = now.Add(pause)
	h.probed = h.until
	if q.allAway.IsZero() && !q.others(h) {
		q.allAway = now
	}
	if h.away == 1 {
		q.log.Warn("the endpoint is set aside", "endpoint", h.endpoint.Name(), "class", fault.Class, "status", fault.Status, "for", pause)
	}
}

// spread is the pause before a try, from 0: it doubles from first to sixty times that,
// and varies by half around it.
func spread(first time.Duration, try int) time.Duration {
	d := first << min(max(try, 0), 6)
	return max(first, min(d/2+rand.N(d), 60*first))
}
