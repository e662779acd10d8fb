package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxResponse = 32 << 20 // bytes
	maxReply    = 10 << 20 // bytes of the texts of one choice
	maxFault    = 1 << 20  // bytes of an error that are read
)

// lenient reads what a foreign server wrote: what cannot be text becomes U+FFFD.
var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// send sends the question once. stale says that a kept connection was dead before it
// could answer.
func (q *question) send(ctx context.Context, h *host) (_ Response, _ *Error, stale bool) {
	name := h.endpoint.Name()
	q.sentNewer = h.newer.Load()
	body, err := q.bodyFor(q.sentNewer)
	if err != nil {
		return Response{}, &Error{Endpoint: name, Class: ClassRefused, Err: err}, false
	}
	var reused bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
	res, err := q.post(traced, h, body)
	if err != nil {
		return Response{}, lost(ctx, name, err), reused && broken(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(res.Body, maxFault))
		if err != nil && ctx.Err() != nil {
			return Response{}, lost(ctx, name, err), false
		}
		return Response{}, answered(name, res.StatusCode, res.Header, text), false
	}
	tooLarge := &Error{Endpoint: name, Class: ClassTooLarge, Status: res.StatusCode, Err: fmt.Errorf("above %d bytes", maxResponse)}
	if res.ContentLength > maxResponse {
		return Response{}, tooLarge, false
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return Response{}, lost(ctx, name, err), false
	case err != nil:
		return Response{}, &Error{Endpoint: name, Class: ClassFaulty, Status: res.StatusCode, Err: errCut}, false
	case len(text) > maxResponse:
		return Response{}, tooLarge, false
	}
	out, fault := q.read(name, text, res.Header)
	return out, fault, false
}

// read reads the body of a response with status 200.
func (q *question) read(endpoint string, text []byte, header http.Header) (Response, *Error) {
	res, err := parse(text, q.calls())
	var tooLarge *tooLargeError
	switch {
	case err == nil:
		if price := q.client.opts.Price; price != nil && res.Usage != (Usage{}) {
			cost := price.of(res.Usage)
			res.Usage.Cost = &cost
		}
		return res, nil
	case errors.Is(err, errWithheld):
		return Response{}, &Error{Endpoint: endpoint, Class: ClassRefused, Status: http.StatusOK, Code: "content_filter", Err: err}
	case errors.As(err, &tooLarge):
		return Response{}, &Error{Endpoint: endpoint, Class: ClassTooLarge, Status: http.StatusOK, Err: err}
	case errors.Is(err, errInstead):
		return Response{}, answered(endpoint, http.StatusOK, header, text)
	}
	return Response{}, &Error{Endpoint: endpoint, Class: ClassFaulty, Status: http.StatusOK, Err: err}
}

// calls is how many calls the conversation holds so far.
func (q *question) calls() (n int) {
	for _, m := range q.request.Messages {
		n += len(m.Calls)
	}
	return n
}

// errInstead says that a response holds an error in place of choices.
var errInstead = errors.New("the response is an error")

type tooLargeError struct{}

func (*tooLargeError) Error() string { return fmt.Sprintf("a reply above %d bytes", maxReply) }

type wireResponse struct {
	Model   jsontext.Value   `json:"model"`
	Choices []jsontext.Value `json:"choices"`
	Usage   jsontext.Value   `json:"usage"`
	Error   jsontext.Value   `json:"error"`
}

type wireChoice struct {
	Index        *float64       `json:"index"`
	Message      *wireReply     `json:"message"`
	FinishReason jsontext.Value `json:"finish_reason"`
	Logprobs     jsontext.Value `json:"logprobs"`
	TokenIDs     jsontext.Value `json:"token_ids"`
	ResponseIDs  jsontext.Value `json:"response_token_ids"`
	Meta         jsontext.Value `json:"meta_info"`
}

type wireReply struct {
	Content          jsontext.Value `json:"content"`
	Refusal          jsontext.Value `json:"refusal"`
	ReasoningContent jsontext.Value `json:"reasoning_content"`
	Reasoning        jsontext.Value `json:"reasoning"`
	ToolCalls        jsontext.Value `json:"tool_calls"`
	FunctionCall     jsontext.Value `json:"function_call"`
}

// parse reads a response. Calls without an id of their own are numbered from first, so
// that the same response always has the same ids. Errors hold nothing of the text.
func parse(text []byte, first int) (Response, error) {
	var w wireResponse
	if json.Unmarshal(text, &w, lenient) != nil {
		return Response{}, errMalformed
	}
	if len(w.Choices) == 0 && len(w.Error) > 0 && w.Error.Kind() != 'n' {
		return Response{}, errInstead
	}
	res := Response{Model: plain(w.Model), Usage: usage(w.Usage)}
	var withheld bool
	var order []float64
	for _, raw := range w.Choices {
		var wire wireChoice
		if json.Unmarshal(raw, &wire, lenient) != nil || wire.Message == nil {
			return Response{}, errMalformed
		}
		c, err := choice(wire, first)
		switch {
		case errors.Is(err, errWithheld):
			withheld = true
			continue
		case err != nil:
			return Response{}, err
		}
		at := float64(len(order))
		if wire.Index != nil {
			at = *wire.Index
		}
		i, _ := slices.BinarySearch(order, at)
		for i < len(order) && order[i] == at {
			i++
		}
		order, res.Choices = slices.Insert(order, i, at), slices.Insert(res.Choices, i, c)
	}
	switch {
	case len(res.Choices) > 0:
		return res, nil
	case withheld:
		return Response{}, errWithheld
	}
	return Response{}, errNoChoice
}

var finishes = regexp.MustCompile(`^[a-z][a-z_]{0,31}$`)

func choice(w wireChoice, first int) (Choice, error) {
	c := Choice{Finish: strings.ToLower(plain(w.FinishReason))}
	if !finishes.MatchString(c.Finish) {
		c.Finish = ""
	}
	if c.Finish == "content_filter" {
		return c, errWithheld
	}
	var ok bool
	if c.Content, ok = content(w.Message.Content); !ok {
		return c, errMalformed
	}
	if c.Content == "" {
		c.Content = plain(w.Message.Refusal)
	}
	for _, v := range []jsontext.Value{w.Message.ReasoningContent, w.Message.Reasoning} {
		if c.Reasoning == "" {
			c.Reasoning, _ = content(v) // what is neither text nor parts is none
		}
	}
	if c.Reasoning == "" {
		c.Reasoning, c.Content = think(c.Content)
	}
	if c.Calls, ok = calls(w.Message.ToolCalls, w.Message.FunctionCall, first); !ok {
		return c, errMalformed
	}
	size := len(c.Content) + len(c.Reasoning)
	for _, call := range c.Calls {
		size += len(call.Arguments) + len(call.Name) + len(call.ID)
	}
	if size > maxReply {
		return c, &tooLargeError{}
	}
	logprobs(&c, w.Logprobs)
	tokenIDs(&c, w)
	return c, nil
}

// plain is a string; anything else is empty.
func plain(v jsontext.Value) string {
	var s string
	if v.Kind() != '"' || json.Unmarshal(v, &s, lenient) != nil {
		return ""
	}
	return s
}

// content is a text, or the texts of a list of parts; null and none are empty.
func content(v jsontext.Value) (string, bool) {
	switch v.Kind() {
	case '"':
		return plain(v), true
	case '[':
		var parts []jsontext.Value
		if json.Unmarshal(v, &parts, lenient) != nil {
			return "", false
		}
		var b strings.Builder
		for _, p := range parts {
			var part struct {
				Type jsontext.Value `json:"type"`
				Text jsontext.Value `json:"text"`
			}
			switch {
			case p.Kind() == '"':
				b.WriteString(plain(p))
			case json.Unmarshal(p, &part, lenient) == nil:
				b.WriteString(plain(part.Text))
			}
		}
		return b.String(), true
	}
	return "", len(v) == 0 || v.Kind() == 'n'
}

// think parts the reasoning that a reply begins with from the rest. Templates of some
// models open the tag in the prompt, so that the reply only closes it. A tag that is
// not closed was cut: there is no rest.
func think(text string) (reasoning, rest string) {
	const open, shut = "<think>", "</think>"
	body := strings.TrimLeft(text, " \t\r\n")
	inside, opened := strings.CutPrefix(body, open)
	before, after, closed := strings.Cut(inside, shut)
	switch {
	case opened && !closed:
		return strings.TrimSpace(inside), ""
	case closed && (opened || !strings.ContainsAny(body[:1], "{`[") && !strings.Contains(before, open)):
		return strings.TrimSpace(before), strings.TrimLeft(after, " \t\r\n")
	}
	return "", text
}

// calls reads the calls of a reply, those of the older form too.
func calls(list, single jsontext.Value, first int) ([]Call, bool) {
	type function struct {
		Name      jsontext.Value `json:"name"`
		Arguments jsontext.Value `json:"arguments"`
	}
	var wire []struct {
		ID       jsontext.Value `json:"id"`
		Function function       `json:"function"`
	}
	if list.Kind() == '[' && json.Unmarshal(list, &wire, lenient) != nil {
		return nil, false
	}
	var out []Call
	for _, w := range wire {
		out = append(out, Call{plain(w.ID), plain(w.Function.Name), arguments(w.Function.Arguments)})
	}
	if single.Kind() == '{' && len(out) == 0 {
		var f function
		if json.Unmarshal(single, &f, lenient) != nil {
			return nil, false
		}
		out = append(out, Call{"", plain(f.Name), arguments(f.Arguments)})
	}
	used := map[string]bool{}
	for i := range out {
		for n := first + i; out[i].ID == "" || used[out[i].ID]; n++ {
			out[i].ID = fmt.Sprintf("call_%d", n)
		}
		used[out[i].ID] = true
	}
	return out, true
}

// arguments are JSON text, or an object that some servers send in its place.
func arguments(v jsontext.Value) string {
	switch {
	case len(v) == 0, v.Kind() == 'n':
		return ""
	case v.Kind() == '"':
		return plain(v)
	}
	return strings.ToValidUTF8(string(v), "\uFFFD")
}

func usage(v jsontext.Value) Usage {
	var w struct {
		Prompt     jsontext.Value `json:"prompt_tokens"`
		Completion jsontext.Value `json:"completion_tokens"`
		Hit        jsontext.Value `json:"prompt_cache_hit_tokens"`
		Details    jsontext.Value `json:"prompt_tokens_details"`
	}
	if v.Kind() != '{' || json.Unmarshal(v, &w, lenient) != nil {
		return Usage{}
	}
	u := Usage{Prompt: count(w.Prompt), Completion: count(w.Completion), Cached: count(w.Hit)}
	var details struct {
		Cached jsontext.Value `json:"cached_tokens"`
	}
	if w.Details.Kind() == '{' && json.Unmarshal(w.Details, &details, lenient) == nil {
		u.Cached = max(u.Cached, count(details.Cached))
	}
	u.Cached = min(u.Cached, u.Prompt)
	return u
}

// count is a number of tokens; what is none is 0.
func count(v jsontext.Value) int64 {
	var f float64
	if v.Kind() != '0' || json.Unmarshal(v, &f) != nil || !(f >= 0 && f < 1<<53) {
		return 0
	}
	return int64(f)
}

// logprobs reads those of a choice, all or none.
func logprobs(c *Choice, v jsontext.Value) {
	type entry struct {
		Token   jsontext.Value `json:"token"`
		Logprob *float64       `json:"logprob"`
		ID      jsontext.Value `json:"id"` // llama.cpp
	}
	var w struct {
		Content []struct {
			entry
			Top []entry `json:"top_logprobs"`
		} `json:"content"`
	}
	if v.Kind() != '{' || json.Unmarshal(v, &w, lenient) != nil || len(w.Content) == 0 {
		return
	}
	var ids []int32
	var tops bool
	probs, top := make([]float64, len(w.Content)), make([][]TokenLogprob, len(w.Content))
	for i, t := range w.Content {
		if t.Logprob == nil {
			return
		}
		probs[i] = *t.Logprob
		var id int32
		named, ok := namedID(plain(t.Token))
		switch {
		case ok:
			ids = append(ids, named)
		case t.ID.Kind() == '0' && json.Unmarshal(t.ID, &id) == nil:
			ids = append(ids, id)
		}
		for _, alternative := range t.Top {
			if alternative.Logprob != nil {
				top[i] = append(top[i], TokenLogprob{plain(alternative.Token), *alternative.Logprob})
				tops = true
			}
		}
	}
	c.Logprobs = probs
	if tops {
		c.Top = top
	}
	if len(ids) == len(probs) {
		c.TokenIDs = ids
	}
}

// namedID is the id of a token that a server names by it: token_id:17.
func namedID(token string) (int32, bool) {
	text, ok := strings.CutPrefix(token, "token_id:")
	id, err := strconv.ParseInt(text, 10, 32)
	return int32(id), ok && err == nil
}

// tokenIDs reads those of the reply, where the server gives them: vLLM as token_ids,
// SGLang in what it tells of the generation.
func tokenIDs(c *Choice, w wireChoice) {
	var meta struct {
		IDs    jsontext.Value     `json:"output_ids"`
		Output [][]jsontext.Value `json:"output_token_logprobs"` // log probability, id, text
	}
	if w.Meta.Kind() == '{' && json.Unmarshal(w.Meta, &meta, lenient) != nil {
		meta.IDs, meta.Output = nil, nil
	}
	for _, v := range []jsontext.Value{w.TokenIDs, w.ResponseIDs, meta.IDs} {
		var ids []int32
		if v.Kind() == '[' && json.Unmarshal(v, &ids, lenient) == nil && len(ids) > 0 {
			c.TokenIDs = ids
			return
		}
	}
	ids := make([]int32, 0, len(meta.Output))
	for _, o := range meta.Output {
		var id int32
		if len(o) < 2 || json.Unmarshal(o[1], &id) != nil {
			return
		}
		ids = append(ids, id)
	}
	if len(ids) > 0 && c.TokenIDs == nil {
		c.TokenIDs = ids
	}
}
