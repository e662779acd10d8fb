package rollout

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medgym-data/medgym-data/schemas"
)

// attempts plays attempts through a gate until none may begin, so many at a time; play
// says how each ends.
func attempts(ctx context.Context, g *gate, atATime int, play func() (ending, spending)) (begun int64) {
	var all sync.WaitGroup
	var n atomic.Int64
	for range atATime {
		all.Go(func() {
			for {
				probe, ok := g.enter(ctx)
				if !ok {
					return
				}
				n.Add(1)
				end, took := play()
				g.leave(probe, end, took)
			}
		})
	}
	all.Wait()
	return n.Load()
}

// A server that is away stops nothing, and wears out few attempts, as long as it comes
// back; one that does not ends the run.
func TestGateOutage(t *testing.T) {
	const giveUp = 15 * time.Minute
	for name, tc := range map[string]struct {
		away time.Duration
		gone bool
	}{
		"a minute":     {time.Minute, false},
		"ten minutes":  {10 * time.Minute, false},
		"for ever":     {1000 * time.Hour, true},
		"half an hour": {30 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(Caps{Time: time.Hour}, giveUp, spending{})
				leaves, back := time.Now().Add(5*time.Minute), time.Now().Add(5*time.Minute+tc.away)
				var faults, after atomic.Int64
				attempts(t.Context(), g, 20, func() (ending, spending) {
					if now := time.Now(); now.Before(leaves) || !now.Before(back) {
						time.Sleep(10 * time.Second)
						if !now.Before(back) {
							after.Add(1)
						}
						return endedOtherwise, spending{}
					}
					faults.Add(1)
					return endedInfra, spending{}
				})
				// Each of the 20 that end well as it leaves lets some begin; without a gate there
				// would be no end to them.
				if g.gone != tc.gone || faults.Load() > 500 || faults.Load() < hopelessAfter {
					t.Errorf("gone %v after %d faults", g.gone, faults.Load())
				}
				if !tc.gone && after.Load() < 20*6*30 {
					t.Errorf("only %d attempts after it came back", after.Load())
				}
			})
		})
	}
}

// In the last round nobody waits for what failed while all else went well.
func TestGateLastRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		g := newGate(Caps{}, 15*time.Minute, spending{})
		g.again()
		n := attempts(t.Context(), g, 1, func() (ending, spending) { return endedInfra, spending{} })
		if n != hopelessAfter || time.Since(begun) != 0 {
			t.Errorf("%d attempts in %v", n, time.Since(begun))
		}
	})
}

// A cap is passed by what one attempt takes, not by what all in flight take.
func TestGateCaps(t *testing.T) {
	for _, atATime := range []int{1, 50} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(Caps{CostUSD: 100}, time.Minute, spending{cost: 10, attempts: 10})
			n := attempts(t.Context(), g, atATime, func() (ending, spending) {
				time.Sleep(time.Second)
				return endedOtherwise, spending{cost: 1, attempts: 1}
			})
			if n != 90 || g.cap() != CapCost {
				t.Errorf("%d at a time: %d attempts begun, stopped at %q", atATime, n, g.cap())
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		g := newGate(Caps{Time: time.Minute, Tokens: 1000}, time.Minute, spending{})
		n := attempts(t.Context(), g, 2, func() (ending, spending) {
			time.Sleep(7 * time.Second)
			return endedOtherwise, spending{tokens: 1, attempts: 1}
		})
		if n != 2*9 || g.cap() != CapTime {
			t.Errorf("%d attempts begun, stopped at %q", n, g.cap())
		}
	})
}

// A gate that waits ends with its context, and with its cap on time.
func TestGateWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, timed := range []bool{false, true} {
			g := newGate(Caps{}, 15*time.Minute, spending{})
			if timed {
				g = newGate(Caps{Time: time.Minute}, 15*time.Minute, spending{})
			}
			for range awayAfter {
				probe, _ := g.enter(t.Context())
				g.leave(probe, endedInfra, spending{})
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			g.next = time.Now().Add(2 * time.Hour)
			begun := time.Now()
			_, ok := g.enter(ctx)
			cancel()
			want := time.Hour
			if timed {
				want = time.Minute
			}
			if ok || time.Since(begun) != want {
				t.Errorf("timed %v: entered %v after %v", timed, ok, time.Since(begun))
			}
		}
	})
}

func TestSourceSummary(t *testing.T) {
	s, other := newSummary(), newSummary()
	s.add(schemas.Trajectory{Outcome: schemas.OutcomeSolved, Reward: schemas.Ptr(1.0), RewardUpstream: schemas.Ptr(1.0), PromptTokens: schemas.Ptr(int64(5)),
		CompletionTokens: schemas.Ptr(int64(3)), CostUSD: schemas.Ptr(0.5), Steps: []schemas.Step{
			{Repairs: []string{"fence"}, CutMessages: schemas.Ptr(int32(2))}, {Repairs: []string{"quotes"}}, {Status: StepInvalid}, {Submission: "{}"}}})
	s.add(schemas.Trajectory{Outcome: schemas.OutcomeInfraError})
	other.merge(s)
	other.merge(s)
	for factor, s := range map[int]*SourceSummary{1: s, 2: other} {
		if s.Attempts != 2*factor || s.Repaired != factor || s.Cut != factor || s.Regenerated != factor || s.Turns != 4*factor || s.Submitted != factor || s.Graded != factor ||
			s.Solved != factor || s.PromptTokens != int64(5*factor) || s.CompletionTokens != int64(3*factor) || *s.CostUSD != 0.5*float64(factor) {
			t.Errorf("%d times: %+v", factor, s)
		}
		if took := s.spending(); took.attempts != int64(factor) || took.tokens != int64(8*factor) {
			t.Errorf("spending %+v", took)
		}
	}
	if newSummary().CostUSD != nil {
		t.Error("no cost is not a cost of nothing")
	}
}
