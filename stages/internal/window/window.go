// Package window fits a conversation into what a policy may read, and tells later what
// it did read: which of the oldest observations were shown in short is a number, and
// how they were shortened follows from the conversation alone. So a training example
// can hold the very prompt that a reply was written to.
package window

import (
	"slices"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/show"
)

// Short is the length, in characters, that a shortened observation is cut to.
const Short = 400

// Shown is a conversation with its first n observations in short. Observations are
// the turns after the agent's first that are not its own. The conversation itself is
// not changed; it is returned as it is for n = 0.
func Shown(messages []schemas.ChatMessage, n int) []schemas.ChatMessage {
	if n <= 0 {
		return messages
	}
	out := slices.Clone(messages)
	for i := firstReply(out) + 1; i < len(out) && n > 0; i++ {
		if out[i].Role == schemas.RoleAssistant {
			continue
		}
		out[i].Content, _ = show.Cut(out[i].Content, Short)
		n--
	}
	return out
}

// firstReply is the index of the agent's first turn, or of the last turn where it has
// none.
func firstReply(messages []schemas.ChatMessage) int {
	i := slices.IndexFunc(messages, func(m schemas.ChatMessage) bool { return m.Role == schemas.RoleAssistant })
	if i < 0 {
		return len(messages) - 1
	}
	return i
}

// observations counts what Shown can shorten.
func observations(messages []schemas.ChatMessage) int {
	n := 0
	for _, m := range messages[firstReply(messages)+1:] {
		if m.Role != schemas.RoleAssistant {
			n++
		}
	}
	return n
}

// Fitted is a conversation as it is shown.
type Fitted struct {
	Messages []schemas.ChatMessage
	Cut      int // observations in short: the n of Shown
	Tokens   int // of Messages
	Left     int // tokens that shortening left out
}

// Fit shows a conversation within so many tokens, with at least cut observations in
// short, as the turn before had them. The last observation stays whole. Once it has to
// shorten it goes down to three quarters of the limit, where it can: prompts then share
// their beginning for some turns, which servers cache. Tokens is above the limit where
// all of that was not enough.
func Fit(messages []schemas.ChatMessage, limit, cut int, count func([]schemas.ChatMessage) int) Fitted {
	whole := count(messages)
	at := func(n int) Fitted {
		f := Fitted{Messages: Shown(messages, n), Cut: n}
		f.Tokens = count(f.Messages)
		f.Left = whole - f.Tokens
		return f
	}
	f := at(cut)
	if f.Tokens <= limit {
		return f
	}
	most := max(cut, observations(messages)-1)
	for n := cut + 1; n <= most && f.Tokens > limit/4*3; n++ {
		f = at(n)
	}
	return f
}
