package modelserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

const page = "<!DOCTYPE html><html><head><title>" + Canary + "</title></head><body><h1>It will be back soon</h1></body></html>\n"

// fail answers a request with a fault. What errors say quotes the request, as some
// servers do.
func (s *Server) fail(ctx context.Context, w http.ResponseWriter, r Request, kind Kind) {
	quoted := fmt.Sprintf("%s, last read: %q", Canary, first(r.Task(), 80))
	right, err := s.right(r)
	if err != nil {
		fault(w, http.StatusInternalServerError, "server_error", "", err.Error())
		return
	}
	switch kind {
	case Busy, BusySeconds, BusyMillis, BusyDate:
		switch kind {
		case BusySeconds:
			w.Header().Set("Retry-After", "1")
		case BusyMillis:
			w.Header().Set("Retry-After-Ms", "300")
		case BusyDate:
			w.Header().Set("Retry-After", time.Now().Add(1500*time.Millisecond).UTC().Format(http.TimeFormat))
		}
		fault(w, http.StatusTooManyRequests, "requests", "rate_limit_exceeded", "Rate limit reached: "+quoted)
	case Internal:
		fault(w, http.StatusInternalServerError, "server_error", "", "The server had an error: "+quoted)
	case BadGateway:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, page)
	case Unavailable:
		fault(w, http.StatusServiceUnavailable, "unavailable_error", "", "Loading model: "+quoted)
	case Overloaded:
		w.Header().Set("Retry-After", "1")
		fault(w, http.StatusServiceUnavailable, "overloaded_error", "engine_overloaded", quoted)
	case Hang:
		wait(ctx, s.closed, time.Hour)
	case Drip:
		s.drip(ctx, w, right)
	case Cut:
		hangUp(w, half(right), false)
	case CutJSON:
		send(w, http.StatusOK, right[:len(right)/2])
	case NoChoice:
		send(w, http.StatusOK, []byte(`{"id":"chatcmpl-0","object":"chat.completion","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":0}}`))
	case NullMessage:
		send(w, http.StatusOK, []byte(`{"id":"chatcmpl-0","object":"chat.completion","choices":[{"index":0,"message":null,"finish_reason":null}]}`))
	case Page:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, page)
	case ErrorIn200:
		fault(w, http.StatusOK, "server_error", "", "The model has failed: "+quoted)
	case Reset:
		hangUp(w, nil, true)
	case ResetHalfway:
		hangUp(w, half(right), true)
	case ContextOpenAI:
		fault(w, http.StatusBadRequest, "invalid_request_error", "context_length_exceeded",
			"This model's maximum context length is 128000 tokens. However, your messages resulted in 130512 tokens. Please reduce the length of the messages. "+quoted)
	case ContextVLLM:
		send(w, http.StatusBadRequest, []byte(`{"error":{"message":"This model's maximum context length is 4096 tokens. However, you requested 5113 tokens in the messages, `+
			`Please reduce the length of the messages. `+Canary+`","type":"BadRequestError","param":null,"code":400}}`))
	case ContextLlama:
		send(w, http.StatusBadRequest, []byte(`{"error":{"code":400,"message":"request (36003 tokens) exceeds the available context size (8192 tokens), try increasing it `+
			Canary+`","type":"exceed_context_size_error","n_prompt_tokens":36003,"n_ctx":8192}}`))
	case Refused:
		fault(w, http.StatusBadRequest, "invalid_request_error", "invalid_prompt", "The prompt was flagged: "+quoted)
	case Withheld:
		send(w, http.StatusOK, []byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":null},"finish_reason":"content_filter"}],"usage":{"prompt_tokens":7,"completion_tokens":0}}`))
	case Long:
		long(w, r, 10e6)
	case TooLarge:
		long(w, r, 33<<20)
	}
}

func first(text string, n int) string { return text[:min(n, len(text))] }

// drip sends spaces, which JSON may begin with, until the client leaves, and then what
// would have been the answer.
func (s *Server) drip(ctx context.Context, w http.ResponseWriter, right []byte) {
	w.Header().Set("Content-Type", "application/json")
	flush := http.NewResponseController(w)
	for wait(ctx, s.closed, 50*time.Millisecond) {
		if _, err := io.WriteString(w, " "); err != nil {
			return
		}
		if flush.Flush() != nil {
			return
		}
	}
	_, _ = w.Write(right)
}

// half is the first half of a response with this body.
func half(body []byte) []byte {
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	return append([]byte(head), body[:len(body)/2]...)
}

// hangUp writes what is given to the connection and ends it, in order or by RST.
func hangUp(w http.ResponseWriter, said []byte, hard bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = conn.Write(said)
	if hard {
		reset(conn)
		return
	}
	_ = conn.Close()
}

// long is an answer whose text has about so many bytes: words, as a model that does not
// stop says them.
func long(w http.ResponseWriter, r Request, size int) {
	const words, place = "and so it goes on and on, ", "(words)"
	body, err := render(r, []Reply{{Content: place}})
	before, after, found := strings.Cut(string(body), place)
	if err != nil || !found {
		fault(w, http.StatusInternalServerError, "server_error", "", "it cannot be written")
		return
	}
	again := strings.Repeat(words, 1000)
	times := size/len(again) + 1
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(before)+times*len(again)+len(after)))
	for _, part := range slices.Concat([]string{before}, slices.Repeat([]string{again}, times), []string{after}) {
		if _, err := io.WriteString(w, part); err != nil {
			return // the client has left
		}
	}
}
