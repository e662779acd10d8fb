package chat

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/medgym-data/medgym-data/stages/internal/model"
	"github.com/medgym-data/medgym-data/stages/internal/stopwatch"
)

// maxGroups is how many answered groups are kept whose replies were not all taken:
// those of attempts that an earlier run made, and of a last group that is not full.
const maxGroups = 256

// shared holds the first replies that attempts have in common with others, until each
// was taken.
type shared struct {
	n int // replies of a group

	mu       sync.Mutex
	groups   map[groupKey]*group
	answered []groupKey // oldest first
}

type groupKey struct {
	task        string
	temperature int // its place in the schedule
	number      int
}

// group is what one request was answered: res and err are there once asked is closed.
type group struct {
	asked chan struct{}
	res   model.Response
	err   error
	taken map[int]bool // under the lock of shared
}

func newShared(n int) *shared { return &shared{n: n, groups: map[groupKey]*group{}} }

// first gives the attempt's part of the first replies that its group is given in one
// request. Its seed is the group's, so that an attempt which is made alone, later, asks
// for the same and takes the same part. Where the server gave fewer replies, the
// missing ones are asked for one by one.
func (a *policy) first(ctx context.Context, r model.Request) (model.Choice, model.Usage, error) {
	schedule := max(1, len(a.of.opts.Temperatures))
	place := a.attempt / schedule
	key := groupKey{a.task, a.attempt % schedule, place / a.of.opts.N}
	part := place % a.of.opts.N
	seed := seedOf(a.of.opts.Seed, "group", key.task, strconv.Itoa(key.temperature), strconv.Itoa(key.number))
	res, err := a.of.shared.get(ctx, key, part, func(ctx context.Context) (model.Response, error) {
		r := r
		r.N = a.of.opts.N
		a.of.seeded(&r, seed)
		return a.of.opts.Client.Chat(ctx, r)
	})
	if err != nil {
		return model.Choice{}, model.Usage{}, err
	}
	if part >= len(res.Choices) {
		return a.of.ask(ctx, r, seedOf(seed, "choice", strconv.Itoa(part)))
	}
	return res.Choices[part], shareOf(res, part), nil
}

// get gives the response of a group to one of its parts: who comes first asks, the
// others wait. Where the one who asks is stopped, the next one does; another failure
// is that of all who waited, and who comes later asks anew.
func (s *shared) get(ctx context.Context, key groupKey, part int, ask func(context.Context) (model.Response, error)) (model.Response, error) {
	for {
		s.mu.Lock()
		g, leads := s.groups[key], false
		if g == nil {
			g, leads = &group{asked: make(chan struct{}), taken: map[int]bool{}}, true
			s.groups[key] = g
		}
		s.mu.Unlock()
		switch {
		case leads:
			g.res, g.err = ask(ctx)
			if g.err != nil && ctx.Err() != nil {
				g.err = &stopped{g.err}
			}
			s.settle(key, g)
			close(g.asked)
		default:
			waited, err := g.wait(ctx)
			if err != nil {
				return model.Response{}, err
			}
			stopwatch.Charge(ctx, min(waited, g.res.Took))
		}
		var over *stopped
		switch {
		case g.err == nil:
			s.take(key, g, part)
			return g.res, nil
		case leads || !errors.As(g.err, &over):
			return model.Response{}, g.err
		}
	}
}

// settle keeps a group that was answered, and forgets one that failed.
func (s *shared) settle(key groupKey, g *group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.err != nil {
		delete(s.groups, key)
		return
	}
	if s.answered = append(s.answered, key); len(s.answered) > maxGroups {
		delete(s.groups, s.answered[0])
		s.answered = slices.Delete(s.answered, 0, 1)
	}
}

// take notes that a part was taken, and forgets a group whose parts all were.
func (s *shared) take(key groupKey, g *group, part int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.taken[part] = true; len(g.taken) < s.n || s.groups[key] != g {
		return
	}
	delete(s.groups, key)
	s.answered = slices.DeleteFunc(s.answered, func(k groupKey) bool { return k == key })
}

// stopped is the error of a request whose asker was stopped.
type stopped struct{ err error }

func (s *stopped) Error() string { return s.err.Error() }
func (s *stopped) Unwrap() error { return s.err }

// wait waits for what is asked by another. It is paused on a stopwatch, as what it
// waits for is not known yet.
func (g *group) wait(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	defer stopwatch.Pause(ctx)()
	select {
	case <-g.asked:
		return time.Since(begun), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// shareOf is what one of several replies took: the whole prompt, as each was a reply to
// it, but of the rest its part, for servers count and charge for all of them together.
func shareOf(res model.Response, part int) model.Usage {
	u, n := res.Usage, int64(len(res.Choices))
	if u.Completion /= n; int64(part) < res.Usage.Completion%n {
		u.Completion++
	}
	if u.Cost != nil {
		cost := *u.Cost / float64(n)
		u.Cost = &cost
	}
	return u
}
