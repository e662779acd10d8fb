package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medgym-data/medgym-data/pipeline/governance"
)

// fake is an endpoint in this process, for tests with a clock of their own.
type fake struct {
	answer func(n int, ctx context.Context) (*http.Response, error) // n from 0

	mu           sync.Mutex
	at           []time.Duration // when requests came, since the first clock reading
	from         time.Time
	flying, most int
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	f.mu.Lock()
	n := len(f.at)
	f.at = append(f.at, time.Since(f.from))
	f.flying++
	f.most = max(f.most, f.flying)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.flying--
	}()
	return f.answer(n, r.Context())
}

func (f *fake) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.at)
}

func gives(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// takes answers well after a time.
func takes(d time.Duration) func(int, context.Context) (*http.Response, error) {
	return func(_ int, ctx context.Context) (*http.Response, error) {
		if err := sleep(ctx, d); err != nil {
			return nil, ctx.Err()
		}
		return gives(200, fine), nil
	}
}

var errNobody = fmt.Errorf("dial: %w", syscall.ECONNREFUSED)

func nobody(int, context.Context) (*http.Response, error) { return nil, errNobody }

// fakes is a client of such endpoints. It is made and used inside a bubble of time.
func fakes(t *testing.T, change func(*Options), hosts ...*fake) *Client {
	t.Helper()
	opts := Options{Model: "tiny"}
	byName := map[string]*fake{}
	for i, f := range hosts {
		f.from = time.Now()
		u := &url.URL{Scheme: "http", Host: fmt.Sprintf("10.0.0.%d", i+1), Path: "/v1"}
		opts.Endpoints = append(opts.Endpoints, governance.Endpoint{URL: u, Class: governance.Local})
		byName[u.Host] = f
	}
	opts.transport = func(e governance.Endpoint) http.RoundTripper { return byName[e.URL.Host] }
	if change != nil {
		change(&opts)
	}
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// chats asks n times at once and gives the errors.
func chats(t *testing.T, c *Client, n int) (errs []error) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			if _, err := c.Chat(t.Context(), question1); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	group.Wait()
	return errs
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		header []string
		want   time.Duration
	}{
		"none":              {nil, 0},
		"seconds":           {[]string{"Retry-After", "17"}, 17 * time.Second},
		"a part of one":     {[]string{"Retry-After", "0.25"}, 250 * time.Millisecond},
		"milliseconds":      {[]string{"Retry-After-Ms", "1500", "Retry-After", "2"}, 1500 * time.Millisecond},
		"a date":            {[]string{"Retry-After", "Sun, 01 Mar 2026 12:01:30 GMT"}, 90 * time.Second},
		"a date gone by":    {[]string{"Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"}, 0},
		"far too long":      {[]string{"Retry-After", "1e300"}, 10 * time.Minute},
		"a far date":        {[]string{"Retry-After", "Mon, 01 Mar 2027 12:01:30 GMT"}, 10 * time.Minute},
		"negative":          {[]string{"Retry-After", "-5"}, 0},
		"no number":         {[]string{"Retry-After", "NaN"}, 0},
		"neither":           {[]string{"Retry-After", "soon"}, 0},
		"no milliseconds":   {[]string{"Retry-After-Ms", "soon", "Retry-After", "2"}, 2 * time.Second},
		"space around":      {[]string{"Retry-After", " 2 "}, 2 * time.Second},
		"an endless number": {[]string{"Retry-After", "Inf"}, 10 * time.Minute},
	} {
		if got := retryAfter(gives(429, "", tt.header...).Header, now); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// Pauses grow from half a second to half a minute. What the server asks for is held.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(int, context.Context) (*http.Response, error) { return gives(500, ""), nil }}
		c := fakes(t, func(o *Options) { o.Retries = 9 }, f)
		if _, err := c.Chat(t.Context(), question1); !is(err, ClassFaulty) || f.requests() != 10 {
			t.Errorf("%v after %d requests", err, f.requests())
		}
		for i := 1; i < len(f.at); i++ {
			d, want := f.at[i]-f.at[i-1], min(500*time.Millisecond<<(i-1), 32*time.Second)
			if d < max(want/2, 500*time.Millisecond) || d > min(want*3/2, 30*time.Second) {
				t.Errorf("pause %d: %s", i, d)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.answer = func(n int, _ context.Context) (*http.Response, error) {
			switch n {
			case 0:
				return gives(429, "", "Retry-After", "17"), nil
			case 1:
				return gives(500, "", "Retry-After", "99999"), nil
			case 2:
				return gives(503, "", "Retry-After", "40"), nil
			}
			return gives(200, fine), nil
		}
		if errs := chats(t, fakes(t, nil, f), 1); errs != nil {
			t.Fatal(errs)
		}
		if want := []time.Duration{0, 17 * time.Second, 617 * time.Second, 657 * time.Second}; !slices.Equal(f.at, want) {
			t.Errorf("%v", f.at)
		}
	})
}

// A server that asks for no requests until some time gets none, from nobody.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.answer = func(n int, ctx context.Context) (*http.Response, error) {
			if n < 5 {
				return gives(429, "", "Retry-After", "60"), nil
			}
			if time.Since(f.from) < time.Minute {
				t.Errorf("request %d came after %s", n, time.Since(f.from))
			}
			return takes(time.Second)(n, ctx)
		}
		if errs := chats(t, fakes(t, func(o *Options) { o.InFlight = 5 }, f), 50); errs != nil {
			t.Errorf("%d: %v", len(errs), errs[0])
		}
		if f.requests() != 55 || f.most > 5 {
			t.Errorf("%d requests, %d at a time", f.requests(), f.most)
		}
	})
	// Several that are all busy, and do not say for how long, are not asked in turns
	// without a pause.
	synctest.Test(t, func(t *testing.T) {
		hosts := []*fake{{}, {}, {}}
		for _, f := range hosts {
			f.answer = func(n int, ctx context.Context) (*http.Response, error) {
				if time.Since(f.from) < 5*time.Minute {
					return gives(429, ""), nil
				}
				return takes(time.Second)(n, ctx)
			}
		}
		if errs := chats(t, fakes(t, nil, hosts...), 10); errs != nil {
			t.Errorf("%d: %v", len(errs), errs[0])
		}
		if n := hosts[0].requests() + hosts[1].requests() + hosts[2].requests(); n > 10*30 {
			t.Errorf("%d requests", n)
		}
	})
	// It may be busy for so long.
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(int, context.Context) (*http.Response, error) { return gives(429, ""), nil }}
		errs := chats(t, fakes(t, func(o *Options) { o.Patience = 2 * time.Minute }, f), 1)
		if took := time.Since(f.from); len(errs) != 1 || !is(errs[0], ClassBusy) || took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("%v after %s", errs, took)
		}
	})
}

// Requests go to the endpoint with the fewest in flight: three that take different
// times are all kept busy, and none is asked more at a time than it may.
func TestBalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := []*fake{{answer: takes(time.Second)}, {answer: takes(2 * time.Second)}, {answer: takes(4 * time.Second)}}
		c := fakes(t, func(o *Options) { o.InFlight = 10 }, hosts...)
		if errs := chats(t, c, 700); errs != nil {
			t.Fatal(errs[0])
		}
		if took := time.Since(hosts[0].from); took != 40*time.Second {
			t.Errorf("it took %s", took)
		}
		for i, want := range []int{400, 200, 100} {
			if f := hosts[i]; f.requests() != want || f.most != 10 {
				t.Errorf("endpoint %d: %d requests, %d at a time", i, f.requests(), f.most)
			}
		}
	})
	// Without a queue they take turns.
	synctest.Test(t, func(t *testing.T) {
		hosts := []*fake{{answer: takes(time.Second)}, {answer: takes(time.Second)}, {answer: takes(time.Second)}}
		c := fakes(t, nil, hosts...)
		for range 9 {
			if errs := chats(t, c, 1); errs != nil {
				t.Fatal(errs)
			}
		}
		for i, f := range hosts {
			if f.requests() != 3 {
				t.Errorf("endpoint %d: %d requests", i, f.requests())
			}
		}
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: takes(time.Second)}
		if errs := chats(t, fakes(t, func(o *Options) { o.PerMinute = 30 }, f), 61); errs != nil {
			t.Fatal(errs[0])
		}
		for i, at := range f.at {
			if want := time.Duration(i) * 2 * time.Second; at != want {
				t.Fatalf("request %d came after %s, want %s", i, at, want)
			}
		}
	})
}

// An endpoint that is away is set aside while others serve: it is probed ever less
// often, by one request at a time, and no request fails. When it is back it serves.
func TestAside(t *testing.T) {
	for name, fault := range map[string]func(int, context.Context) (*http.Response, error){
		"refuses": nobody,
		"503":     func(int, context.Context) (*http.Response, error) { return gives(503, ""), nil },
		"500":     func(int, context.Context) (*http.Response, error) { return gives(500, ""), nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const back = 3 * time.Minute
				bad, good := &fake{}, &fake{answer: takes(time.Second)}
				bad.answer = func(n int, ctx context.Context) (*http.Response, error) {
					if time.Since(bad.from) < back {
						return fault(n, ctx)
					}
					return takes(time.Second)(n, ctx)
				}
				c := fakes(t, func(o *Options) { o.InFlight = 4 }, bad, good)
				if errs := chats(t, c, 1200); errs != nil {
					t.Fatalf("%d: %v", len(errs), errs[0])
				}
				early := 0
				for _, at := range bad.at {
					if at < back {
						early++
					}
				}
				// In three minutes a few at first, then one each half a minute; then as many as
				// the other.
				if early > 25 || bad.requests() < 150 || bad.requests()+good.requests() != 1200+early {
					t.Errorf("%d requests while it was away, %d in all, %d elsewhere", early, bad.requests(), good.requests())
				}
			})
		})
	}
}

// Where all endpoints are away requests wait for as long as Options.Patience says, and
// no longer.
func TestPatience(t *testing.T) {
	for name, tt := range map[string]struct {
		away time.Duration
		lost bool
	}{"comes back": {9 * time.Minute, false}, "does not": {time.Hour, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hosts := []*fake{{}, {}}
				for _, f := range hosts {
					f.answer = func(n int, ctx context.Context) (*http.Response, error) {
						if d := time.Since(f.from); d > time.Minute && d < time.Minute+tt.away {
							return nobody(n, ctx)
						}
						return takes(50*time.Second)(n, ctx)
					}
				}
				c := fakes(t, func(o *Options) { o.InFlight = 5 }, hosts...)
				// Twenty are served in the first minute and a half; the others meet the end.
				errs := chats(t, c, 60)
				took := time.Since(hosts[0].from)
				if !tt.lost {
					if errs != nil || took > 16*time.Minute {
						t.Errorf("%d errors after %s", len(errs), took)
					}
					return
				}
				if len(errs) != 40 || took < 11*time.Minute || took > 13*time.Minute {
					t.Fatalf("%d errors after %s", len(errs), took)
				}
				for _, err := range errs {
					if !is(err, ClassAway) {
						t.Error(err)
					}
				}
				for _, f := range hosts {
					if f.requests() > 100 {
						t.Errorf("%d requests", f.requests())
					}
				}
			})
		})
	}
}

// A server that dies with many requests in flight and comes back loses none of them;
// and replies that take long do not let it come back slowly.
func TestDeathInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const death, back = 90 * time.Second, 4 * time.Minute
		f := &fake{}
		f.answer = func(n int, ctx context.Context) (*http.Response, error) {
			d := time.Since(f.from)
			switch {
			case d >= death && d < back:
				return nobody(n, ctx)
			case d < death && d+time.Minute > death:
				if err := sleep(ctx, death-d); err != nil {
					return nil, ctx.Err()
				}
				return nil, io.ErrUnexpectedEOF
			}
			return takes(time.Minute)(n, ctx)
		}
		c := fakes(t, func(o *Options) { o.InFlight = 200 }, f)
		if errs := chats(t, c, 600); errs != nil {
			t.Fatalf("%d: %v", len(errs), errs[0])
		}
		// 200 are served before, 400 after: two minutes, and what it takes to be found.
		if took := time.Since(f.from); took > back+2*time.Minute+time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

// One request that a server always breaks off does not set it aside for the others,
// and is not sent for ever.
func TestPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: takes(time.Second)}
		c := fakes(t, func(o *Options) { o.Patience = 2 * time.Minute }, f)
		poison := &fake{from: time.Now()}
		served := f.answer
		f.answer = func(n int, ctx context.Context) (*http.Response, error) {
			if ctx.Value(poison) != nil {
				poison.mu.Lock()
				poison.at = append(poison.at, time.Since(poison.from))
				poison.mu.Unlock()
				if err := sleep(ctx, 3*time.Second); err != nil {
					return nil, ctx.Err()
				}
				return nil, io.EOF
			}
			return served(n, ctx)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for ctx.Err() == nil {
					start := time.Now()
					if _, err := c.Chat(ctx, question1); ctx.Err() == nil && (err != nil || time.Since(start) > 2*time.Second) {
						t.Errorf("%v after %s", err, time.Since(start))
					}
				}
			})
		}
		_, err := c.Chat(context.WithValue(ctx, poison, true), question1)
		cancel()
		group.Wait()
		if took := time.Since(f.from); !is(err, ClassAway) || took < 2*time.Minute || took > 4*time.Minute || poison.requests() > 20 {
			t.Errorf("%v after %s and %d requests", err, took, poison.requests())
		}
	})
}

// The caller's end is honoured wherever a request waits, and leaves nothing behind.
func TestEnd(t *testing.T) {
	over := errors.New("over")
	for name, tt := range map[string]struct {
		change func(*Options)
		answer func(int, context.Context) (*http.Response, error)
	}{
		"in flight":      {nil, takes(time.Hour)},
		"in the queue":   {func(o *Options) { o.InFlight = 1 }, takes(time.Hour)},
		"by the rate":    {func(o *Options) { o.PerMinute = 1 }, takes(time.Millisecond)},
		"for a server":   {nil, nobody},
		"for a retry":    {func(o *Options) { o.Retries = 1000 }, func(int, context.Context) (*http.Response, error) { return gives(500, ""), nil }},
		"as it was told": {nil, func(int, context.Context) (*http.Response, error) { return gives(429, "", "Retry-After", "500"), nil }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answer: tt.answer}
				c := fakes(t, tt.change, f)
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(100*time.Second, func() { cancel(over) })
				var group sync.WaitGroup
				for range 10 {
					group.Go(func() {
						if _, err := c.Chat(ctx, question1); err != nil && !errors.Is(err, over) {
							t.Error(err)
						}
					})
				}
				group.Wait()
				if took := time.Since(f.from); took != 100*time.Second {
					t.Errorf("it took %s", took)
				}
				q := c.queue
				q.mu.Lock()
				defer q.mu.Unlock()
				if h := q.hosts[0]; len(q.waiting) != 0 || h.flying != 0 || h.probes != 0 {
					t.Errorf("%d wait, %d in flight, %d probes", len(q.waiting), h.flying, h.probes)
				}
			})
		})
	}
}

// Whatever three servers do at random, each request has one answer in the end.
func TestStorm(t *testing.T) {
	requests := 4000
	if testing.Short() {
		requests = 1000
	}
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		var mu sync.Mutex
		hosts := []*fake{{}, {}, {}}
		for i, f := range hosts {
			f.answer = func(n int, ctx context.Context) (*http.Response, error) {
				mu.Lock()
				fate, took := rng.IntN(100), time.Duration(rng.IntN(5000))*time.Millisecond
				mu.Unlock()
				// Each is away for three minutes of ten, never all at once.
				if phase := (time.Since(f.from)/time.Minute + time.Duration(i)*3) % 10; phase < 3 {
					return nobody(n, ctx)
				}
				if err := sleep(ctx, took); err != nil {
					return nil, ctx.Err()
				}
				switch {
				case fate < 1:
					return gives(429, "", "Retry-After", "1"), nil
				case fate < 8:
					return gives(429, ""), nil
				case fate < 12:
					return gives(503, ""), nil
				case fate < 16:
					return gives(500, ""), nil
				case fate < 20:
					return nil, io.ErrUnexpectedEOF
				case fate < 22:
					return gives(200, fine[:50]), nil
				case fate < 24:
					return gives(200, `{"choices":[]}`), nil
				case fate < 25:
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return gives(200, fine), nil
			}
		}
		c := fakes(t, func(o *Options) { o.InFlight, o.Retries, o.Timeout = 50, 20, time.Minute }, hosts...)
		if errs := chats(t, c, requests); errs != nil {
			t.Errorf("%d of %d were lost: %v", len(errs), requests, errs[0])
		}
		for i, h := range c.queue.hosts {
			if h.flying != 0 || h.probes != 0 || len(c.queue.waiting) != 0 {
				t.Errorf("endpoint %d: %d in flight, %d probes, %d wait", i, h.flying, h.probes, len(c.queue.waiting))
			}
		}
		// They are there for 70 of 100 seconds and answer three of four well, 150 at a time in
		// 3 s each: three minutes would be ideal.
		if took := time.Since(hosts[0].from); took > 8*time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}
