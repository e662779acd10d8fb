package modelserver

import (
	"fmt"
	"time"
)

// Kind is a way in which a server fails.
type Kind string

// Faults that pass: the same request gets its answer when it is asked often enough.
const (
	Busy         Kind = "429"
	BusySeconds  Kind = "429, Retry-After in seconds"
	BusyMillis   Kind = "429, retry-after-ms"
	BusyDate     Kind = "429, Retry-After as a date"
	Internal     Kind = "500"
	BadGateway   Kind = "502 with an HTML page"
	Unavailable  Kind = "503"
	Overloaded   Kind = "503, Retry-After in seconds"
	Hang         Kind = "no answer until the client leaves"
	Drip         Kind = "a byte now and then until the client leaves"
	Cut          Kind = "body shorter than its length"
	CutJSON      Kind = "half of the JSON"
	NoChoice     Kind = "empty choices"
	NullMessage  Kind = "null in place of the message"
	Page         Kind = "200 with an HTML page"
	ErrorIn200   Kind = "200 with an error in it"
	Reset        Kind = "connection reset before the answer"
	ResetHalfway Kind = "connection reset in the answer"
)

var passing = []Kind{Busy, BusySeconds, BusyMillis, BusyDate, Internal, BadGateway, Unavailable, Overloaded, Hang, Drip, Cut, CutJSON, NoChoice,
	NullMessage, Page, ErrorIn200, Reset, ResetHalfway}

// Faults that stay: every request of a task gets them, from a turn on.
const (
	ContextOpenAI Kind = "context length, as OpenAI says it"
	ContextVLLM   Kind = "context length, as vLLM says it"
	ContextLlama  Kind = "context length, as llama.cpp says it"
	Refused       Kind = "400 for what the prompt says"
	Withheld      Kind = "reply withheld by a filter"
	Long          Kind = "answer of 10 MB" // its text is the reply
	TooLarge      Kind = "answer of 33 MB" // above what a client should read
)

var staying = []Kind{ContextOpenAI, ContextVLLM, ContextLlama, Refused, Withheld, Long, TooLarge}

// Passing lists the faults that pass, Staying those that do not.
func Passing() []Kind { return append([]Kind(nil), passing...) }

// Staying lists the faults that every request of a task gets.
func Staying() []Kind { return append([]Kind(nil), staying...) }

// Context says whether a fault tells that the conversation is too long.
func (k Kind) Context() bool { return k == ContextOpenAI || k == ContextVLLM || k == ContextLlama }

// Outage is a time in which nobody listens at the server's address; all connections
// are reset when it begins.
type Outage struct {
	After int // requests
	For   time.Duration
}

// Faults say how a server fails. They are chosen by the conversation and by how often
// it was asked, so that a request meets the same ones whatever else is asked.
type Faults struct {
	// Rate is the share of requests that fail; of those that are sent again the same
	// share does.
	Rate float64
	// Most faults that one conversation meets before its answer. 0: 3.
	Most int
	// Weights of the kinds that pass; nil: every one alike.
	Weights map[Kind]float64
	// Tasks have a fault that stays, by their instructions.
	Tasks map[string]Kind
	// Outages, in the order of After.
	Outages []Outage
}

// choose is the fault of a conversation that has met so many before; empty: none, and
// none from then on.
func (f *Faults) choose(r Request, conversation string, met int) Kind {
	if f == nil {
		return ""
	}
	if kind, ok := f.Tasks[r.Task()]; ok {
		if r.Turn() >= int(3*lot("turn", r.Task())) {
			return kind
		}
		return ""
	}
	most := f.Most
	if most == 0 {
		most = 3
	}
	if met >= most || lot("fault", conversation, fmt.Sprint(met)) >= f.Rate {
		return ""
	}
	total := 0.0
	for _, kind := range passing {
		total += f.weight(kind)
	}
	at := total * lot("kind", conversation, fmt.Sprint(met))
	for _, kind := range passing {
		if at -= f.weight(kind); at < 0 {
			return kind
		}
	}
	return ""
}

func (f *Faults) weight(kind Kind) float64 {
	if f.Weights == nil {
		return 1
	}
	return f.Weights[kind]
}
