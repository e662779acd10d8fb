// Package tokens counts tokens of chats with the o200k vocabulary.
//
// A trainer's own tokenizer gives other counts: these are for length caps and
// length tables, where a few per cent do not matter.
package tokens

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"

	"github.com/tiktoken-go/tokenizer"

	"github.com/medgym-data/medgym-data/schemas"
)

// Name is the vocabulary's name, for cards and tables.
const Name = "o200k_base"

// PerMessage is what a chat template adds to a turn: start, role and end markers.
// PerChat is what it adds once, before the reply.
const (
	PerMessage = 4
	PerChat    = 3
)

// Counter counts tokens. It is safe for concurrent use.
//
// Prompts and early turns come back in every attempt at a task, so counts of
// whole texts are remembered, by a 128-bit hash, in two generations: when the
// younger is full the older is dropped. Memory stays below 16 MB.
type Counter struct {
	codec tokenizer.Codec
	seeds [2]maphash.Seed

	mu         sync.Mutex
	young, old map[textKey]int
}

type textKey [2]uint64

const (
	generation = 1 << 17 // texts remembered in each generation
	shortText  = 64      // bytes: counting is cheaper than remembering
)

// New makes a Counter.
func New() (*Counter, error) {
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		return nil, fmt.Errorf("token counter: %w", err)
	}
	return &Counter{codec: codec, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, young: map[textKey]int{}}, nil
}

// Count is the number of tokens of a text. Invalid UTF-8 is counted as the
// replacement character that a trainer would read in its place.
func (c *Counter) Count(text string) int {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) < shortText {
		return c.count(text)
	}
	key := textKey{maphash.String(c.seeds[0], text), maphash.String(c.seeds[1], text)}
	if n, ok := c.remembered(key); ok {
		return n
	}
	n := c.count(text)
	c.remember(key, n)
	return n
}

// CountMessages is the number of tokens of a chat: of its contents, PerMessage for
// each turn, and PerChat. No turns, no tokens.
func (c *Counter) CountMessages(messages []schemas.Message) int {
	if len(messages) == 0 {
		return 0
	}
	n := PerChat
	for _, m := range messages {
		n += PerMessage + c.Count(m.Content)
	}
	return n
}

// CountChat is CountMessages for turns that may call tools.
func (c *Counter) CountChat(messages []schemas.ChatMessage) int {
	if len(messages) == 0 {
		return 0
	}
	n := PerChat
	for _, m := range messages {
		n += PerMessage + c.Count(m.Content)
		if m.ToolCallsJSON != "" {
			n += c.Count(m.ToolCallsJSON)
		}
	}
	return n
}

func (c *Counter) count(text string) int {
	n, err := c.codec.Count(text)
	if err != nil {
		// The splitting expression can only fail by its time limit, which is not
		// set. Four bytes a token is the vocabulary's mean on English and code.
		return len(text)/4 + 1
	}
	return n
}

func (c *Counter) remembered(key textKey) (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, ok := c.young[key]; ok {
		return n, true
	}
	n, ok := c.old[key]
	if ok {
		c.young[key] = n
	}
	return n, ok
}

func (c *Counter) remember(key textKey, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= generation {
		c.old, c.young = c.young, map[textKey]int{}
	}
	c.young[key] = n
}
