package rollout

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

// mark is what is known of an attempt.
type mark uint8

const (
	markFormer  mark = 1 << iota // there is a row of it in the former output
	markUnit                     // there is one in the journal, or will be: it goes before the former one
	markSolved                   // by the row that counts
	markInfra                    // that one is an infra_error
	markAgain                    // it is to be tried again all the same
	markNothing                  // the policy cannot play it
)

// open says whether an attempt is to make.
func (m mark) open() bool { return m == 0 || m&markAgain != 0 }

func (m mark) row() bool { return m&(markFormer|markUnit) != 0 }

// ledger knows every attempt by its key, former ones and those of other plans too. It
// is safe for concurrent use.
type ledger struct {
	mu     sync.Mutex
	marks  map[string]mark
	units  int      // found in the journal
	former int      // found in the former output, but those that are to be tried again
	spent  spending // by all rows that were found
}

// spending is what attempts took.
type spending struct {
	tokens   int64 // of prompts and replies
	cost     float64
	attempts int64 // that it is the sum of, infra_error not counted
}

func (s spending) add(o spending) spending {
	return spending{s.tokens + o.tokens, s.cost + o.cost, s.attempts + o.attempts}
}

// reached is the cap that a spending has come to, or "".
func (c Caps) reached(s spending) string {
	switch {
	case c.CostUSD > 0 && s.cost >= c.CostUSD:
		return CapCost
	case c.Tokens > 0 && s.tokens >= c.Tokens:
		return CapTokens
	}
	return ""
}

// brief is what the ledger reads of a row.
type brief struct {
	TaskID           string   `parquet:"task_id,optional" json:"task_id"`
	Attempt          *int32   `parquet:"attempt,optional" json:"attempt"`
	Outcome          string   `parquet:"outcome,optional" json:"outcome"`
	PromptTokens     *int64   `parquet:"prompt_tokens,optional" json:"prompt_tokens"`
	CompletionTokens *int64   `parquet:"completion_tokens,optional" json:"completion_tokens"`
	CostUSD          *float64 `parquet:"cost_usd,optional" json:"cost_usd"`
}

func briefOf(t schemas.Trajectory) brief {
	return brief{t.TaskID, t.Attempt, t.Outcome, t.PromptTokens, t.CompletionTokens, t.CostUSD}
}

func (b brief) key() string { return unitKey(b.TaskID, int(schemas.Value(b.Attempt))) }

func (b brief) mark() mark {
	switch b.Outcome {
	case schemas.OutcomeSolved:
		return markSolved
	case schemas.OutcomeInfraError:
		return markInfra
	}
	return 0
}

func (b brief) spending() spending {
	s := spending{tokens: schemas.Value(b.PromptTokens) + schemas.Value(b.CompletionTokens), cost: schemas.Value(b.CostUSD)}
	if b.Outcome != schemas.OutcomeInfraError {
		s.attempts = 1
	}
	return s
}

// take reads what there is: the rows of the former output, then those of the journal.
// With again former infra_error rows are to be tried once more.
func take(ctx context.Context, w *pipeline.Work, again bool) (*ledger, error) {
	l := &ledger{marks: map[string]mark{}}
	if w.Former() != "" {
		files, err := pq.Files(w.Former())
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			for row, err := range pq.ReadColumns[brief](ctx, file) {
				if err != nil {
					return nil, err
				}
				m := markFormer | row.mark()
				if again && m&markInfra != 0 {
					m |= markAgain
				} else {
					l.former++
				}
				l.marks[strings.Clone(row.key())] = m
				l.spent = l.spent.add(row.spending())
			}
		}
	}
	err := w.Journal().Each(ctx, func(key string, payload []byte) error {
		var row brief
		if err := json.Unmarshal(payload, &row); err != nil {
			return fmt.Errorf("journal, unit %s: the row cannot be read", key) // the cause may quote it
		}
		if row.TaskID == "" || row.key() != key {
			return fmt.Errorf("journal, unit %s: the row is another one's", key)
		}
		l.marks[key] = l.marks[key]&markFormer | markUnit | row.mark()
		l.units++
		l.spent = l.spent.add(row.spending())
		return nil
	})
	return l, err
}

func (l *ledger) mark(key string) mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.marks[key]
}

// made notes an attempt that has a row now, or will have one.
func (l *ledger) made(b brief) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marks[b.key()] = l.marks[b.key()]&markFormer | markUnit | b.mark()
}

// unplayable notes an attempt that will have no row; a former one stays.
func (l *ledger) unplayable(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marks[key] = l.marks[key]&^markAgain | markNothing
}

// again notes that an attempt is to be made once more.
func (l *ledger) again(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marks[key] |= markAgain
}

// enough takes again back: the attempt stays as it is.
func (l *ledger) enough(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marks[key] &^= markAgain
}

// rows counts the attempts that have a row, and those of them that are no infra_error.
func (l *ledger) rows() (all, sound int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.marks {
		if m.row() {
			all++
			if m&markInfra == 0 {
				sound++
			}
		}
	}
	return all, sound
}
